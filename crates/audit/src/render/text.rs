//! Plain text for a terminal.

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
