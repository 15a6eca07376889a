//! Texts of others within the bounds of an event, and what does not fit told.

/// One line: white space is one space, and what may not stand in a line is gone.
pub(super) fn line(text: &str) -> String {
    let text: String = text.chars().map(|c| if may(c) { c } else { ' ' }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines, without white space around them, and without what may not stand in a text.
pub(super) fn text(text: &str) -> String {
    let fit = |c| if may(c) || matches!(c, '\n' | '\t') { c } else { ' ' };
    let text: String = text.replace("\r\n", "\n").replace('\r', "\n").chars().map(fit).collect();
    text.trim().to_owned()
}

/// What the schema lets stand in a line: nothing that is not seen and changes what is.
fn may(c: char) -> bool {
    !matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first `most` characters, and whether there are others.
pub(super) fn cut(text: &str, most: usize) -> (&str, bool) {
    match text.char_indices().nth(most) {
        Some((end, _)) => (text[..end].trim_end(), true),
        None => (text, false),
    }
}

/// A text that grows line by line up to a bound, and then tells what it cannot take.
pub(super) struct Kept {
    text: String,
    left: usize,
}

impl Kept {
    /// Begins with this text, of at most `most` characters in all.
    pub(super) fn new(text: String, most: usize) -> Self {
        let left = most.saturating_sub(text.chars().count());
        Self { text, left }
    }

    /// Adds a line, or tells it.
    pub(super) fn add(&mut self, line: &str, told: &mut Vec<String>) {
        let length = line.chars().count() + 1;
        if length <= self.left {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(line);
            self.left -= length;
        } else {
            let (start, more) = cut(line, 200);
            told.push(format!(
                "left out, as the description is full: {start}{}",
                if more { "..." } else { "" }
            ));
        }
    }

    /// The whole, where there is any.
    pub(super) fn finish(self) -> Option<String> {
        (!self.text.trim().is_empty()).then_some(self.text)
    }
}
