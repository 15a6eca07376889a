//! The two faces that a print is set in, and how wide a text is in them.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{
    FontRef, MetadataProvider as _,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
};

/// What stands for a character that the face has not.
const UNKNOWN: char = '\u{fffd}';

/// DejaVu Sans Condensed: Latin, Greek, Cyrillic and the signs of the report. Scripts that join or run from right to
/// left are set letter by letter in the order in which they are stored.
pub(super) struct Face {
    pub(super) font: Font,
    letters: Charmap<'static>,
    widths: GlyphMetrics<'static>,
    units: f32,
}

/// Both of them.
pub(super) struct Faces {
    pub(super) plain: Face,
    pub(super) bold: Face,
}

impl Faces {
    pub(super) fn load() -> Result<Self, &'static str> {
        Ok(Self {
            plain: Face::of(dejavu::sans_condensed::regular())?,
            bold: Face::of(dejavu::sans_condensed::bold())?,
        })
    }
}

impl Face {
    fn of(data: &'static [u8]) -> Result<Self, &'static str> {
        const NONE: &str = "the built-in typeface cannot be read";
        let read = FontRef::new(data).map_err(|_| NONE)?;
        let font = Font::new(data.into(), 0).ok_or(NONE)?;
        let units = font.units_per_em();
        Ok(Self {
            letters: read.charmap(),
            widths: read.glyph_metrics(Size::unscaled(), LocationRef::default()),
            font,
            units,
        })
    }

    /// A text of characters that the face has, each other replaced by a sign that says so.
    pub(super) fn known(&self, text: &str) -> String {
        let known =
            |c: &char| !matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{ad}') && self.letters.map(*c).is_some();
        text.chars().map(|c| if known(&c) { c } else { UNKNOWN }).collect()
    }

    fn letter(&self, c: char) -> (u32, f32) {
        let glyph = self.letters.map(c).unwrap_or_default();
        (glyph.to_u32(), self.widths.advance_width(glyph).unwrap_or(0.0) / self.units)
    }

    /// How wide a text is at a size.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.letter(c).1).sum::<f32>() * size
    }

    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let glyph = |(at, c): (usize, char)| {
            let (glyph, width) = self.letter(c);
            KrillaGlyph::new(GlyphId::new(glyph), width, 0.0, 0.0, 0.0, at..at + c.len_utf8(), None)
        };
        text.char_indices().map(glyph).collect()
    }

    /// A text in lines of at most this width. A word that is wider is cut.
    pub(super) fn wrapped(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let space = self.width(" ", size);
        let mut lines = vec![String::new()];
        let mut used = 0.0;
        for word in self.known(text).split_whitespace() {
            let long = self.width(word, size);
            let gap = if used > 0.0 { space } else { 0.0 };
            if used > 0.0 && used + gap + long > width {
                lines.push(String::new());
                used = 0.0;
            } else if used > 0.0 {
                push(&mut lines, ' ');
                used += gap;
            }
            if long <= width {
                push_all(&mut lines, word);
                used += long;
                continue;
            }
            for c in word.chars() {
                let wide = self.letter(c).1 * size;
                if used > 0.0 && used + wide > width {
                    lines.push(String::new());
                    used = 0.0;
                }
                push(&mut lines, c);
                used += wide;
            }
        }
        lines
    }
}

// There is always a last line: the list begins with one.
fn push(lines: &mut [String], c: char) {
    if let Some(line) = lines.last_mut() {
        line.push(c);
    }
}

fn push_all(lines: &mut [String], word: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_it_may_be_and_no_letter_is_lost() {
        let faces = Faces::load().unwrap();
        let text = "The duty manager of \u{174}rexham, \u{391}\u{3b8}\u{3ae}\u{3bd}\u{3b1} and \u{41a}\u{438}\u{457}\u{432} \
                    acknowledged_in_a_word_that_is_longer_than_any_line_may_be_at_all in time.";
        let lines = faces.plain.wrapped(text, 9.0, 120.0);
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| faces.plain.width(line, 9.0) <= 120.0), "{lines:?}");
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        assert_eq!(letters(&lines.concat()), letters(text));
        assert_eq!(faces.plain.wrapped("", 9.0, 120.0), [""]);
    }

    #[test]
    fn every_sign_of_the_report_is_in_both_faces_and_what_is_in_neither_is_marked() {
        let faces = Faces::load().unwrap();
        for face in [&faces.plain, &faces.bold] {
            let signs = "\u{b7}\u{25cf}\u{2013}\u{25a1}\u{25c6}\u{2715}\u{2026}\u{fffd}\"'";
            assert_eq!(face.known(signs), signs);
            assert_eq!(face.known("a\u{1f525}b\u{e000}c"), "a\u{fffd}b\u{fffd}c");
        }
    }
}
