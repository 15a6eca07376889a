//! Plain text for a terminal.

use super::sheet::Sheet;

/// How many rows of a table are told: the page and the JSON have all.
const ROWS: usize = 300;

/// How wide a line may be.
pub(super) const WIDTH: usize = 100;

#[derive(Default)]
pub(super) struct Text {
    pub(super) text: String,
}

impl Text {
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn title(&mut self, title: &str) {
        self.line("");
        self.line(title);
    }

    /// Words over as many lines as they need, the first after `first`, the others after as many blanks.
    pub(super) fn wrapped(&mut self, first: &str, words: &str) {
        let indent = first.chars().count();
        for (n, line) in wrap(words, WIDTH - indent).iter().enumerate() {
            let margin = if n == 0 { first.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{margin}{line}"));
        }
    }

    /// A table under its title.
    pub(super) fn sheet(&mut self, sheet: &Sheet) {
        if sheet.rows.is_empty() {
            self.title(&format!("{}: {}", sheet.title.to_uppercase(), sheet.none));
            return;
        }
        self.title(&sheet.title.to_uppercase());
        if !sheet.note.is_empty() {
            self.wrapped("  ", &sheet.note);
        }
        let shown: Vec<(usize, usize)> = sheet
            .columns
            .iter()
            .enumerate()
            .filter_map(|(place, column)| column.terminal.map(|width| (place, width)))
            .collect();
        let most = sheet.glance.unwrap_or(ROWS);
        let heads: Vec<String> = sheet.columns.iter().map(|column| column.name.to_owned()).collect();
        for cells in [&heads].into_iter().chain(sheet.rows.iter().take(most)) {
            let mut line = String::from(" ");
            let Some((last, others)) = shown.split_last() else { return };
            for (place, width) in others {
                line.push(' ');
                line.push_str(&cell(&cells[*place], *width, sheet.columns[*place].figures));
            }
            if sheet.columns[last.0].figures {
                line.push(' ');
                line.push_str(&cell(&cells[last.0], last.1, true));
                self.line(&line);
            } else {
                self.wrapped(&format!("{line} "), &cells[last.0]);
            }
        }
        if sheet.rows.len() > most {
            self.line(&format!("  and {} more, in the page and in the JSON", sheet.rows.len() - most));
        }
    }
}

/// A cell of this width, its figures at the right.
fn cell(words: &str, width: usize, figures: bool) -> String {
    let fitted = fit(words, width);
    if !figures {
        return fitted;
    }
    let kept = fitted.trim_end();
    format!("{}{kept}", " ".repeat(width.saturating_sub(kept.chars().count())))
}

/// A cell of exactly this width: cut with a mark, or filled up.
pub(super) fn fit(cell: &str, width: usize) -> String {
    let length = cell.chars().count();
    if length <= width {
        return format!("{cell}{}", " ".repeat(width - length));
    }
    let kept: String = cell.chars().take(width.saturating_sub(2)).collect();
    format!("{:<width$}", format!("{}..", kept.trim_end()))
}

/// Words in lines of at most this width; a word that is longer is cut in pieces.
fn wrap(words: &str, width: usize) -> Vec<String> {
    let width = width.max(10);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(width) {
            if used > 0 && used + 1 + piece.len() > width {
                lines.push(String::new());
                used = 0;
            }
            // There is always a last line: the list begins with one.
            if let Some(line) = lines.last_mut() {
                if used > 0 {
                    line.push(' ');
                    used += 1;
                }
                line.extend(piece);
                used += piece.len();
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_none_is_lost() {
        assert_eq!(wrap("one two three four", 10), ["one two", "three four"]);
        assert_eq!(wrap("aaaaaaaaaaaaaaa b", 10), ["aaaaaaaaaa", "aaaaa b"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn a_cell_is_as_wide_as_its_column() {
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(fit("abcdef", 5), "abc..");
        assert_eq!(fit("é", 2), "é ");
    }
}
