//! Text from outside, made fit for a mail: no line that was not meant, no hidden character, no endless length.

/// Stands for what was cut away.
const CUT: &str = "...";

/// Characters that turn the order of what follows, or cannot be seen: text from outside could lie with them.
fn misleads(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn breaks_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// One line of at most `most` characters: every break, control and run of spaces becomes one space.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most * 4));
    let mut length = 0;
    let mut gap = false;
    for c in text.chars().filter(|c| !misleads(*c)) {
        if c.is_whitespace() || c.is_control() {
            gap = true;
            continue;
        }
        let needed = 1 + usize::from(gap && length > 0);
        if length + needed > most {
            line.push_str(CUT);
            return line;
        }
        if gap && length > 0 {
            line.push(' ');
        }
        line.push(c);
        length += needed;
        gap = false;
    }
    line
}

/// The lines of a longer text, at most `most` characters of it.
pub(crate) fn lines(text: &str, most: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut left = most;
    // CR LF is one break.
    for line in text.replace("\r\n", "\n").split(breaks_line) {
        if left == 0 {
            all.push(CUT.to_owned());
            break;
        }
        let line = one_line(line, left);
        // An empty line counts too: a text of nothing but breaks must end as well.
        left = left.saturating_sub(line.chars().count().max(1));
        if !(line.is_empty() && all.last().is_none_or(String::is_empty)) {
            all.push(line);
        }
    }
    while all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    all
}

/// A figure as people read it: `11,470`.
pub(crate) fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(
            one_line("999 down\r\nBcc: x@y.example\r\n\r\nbody", 80),
            "999 down Bcc: x@y.example body"
        );
        assert_eq!(one_line("  a \t b\u{2028}c\0d ", 80), "a b c d");
        assert_eq!(one_line("pay\u{202e}txt.exe", 80), "paytxt.exe");
        assert_eq!(one_line("żółw", 3), "żół...");
        assert_eq!(one_line("abc", 3), "abc");
    }

    #[test]
    fn longer_text_keeps_its_lines_and_no_more_than_one_gap() {
        assert_eq!(lines("a\r\nb\n\n\n\nc\n\n", 80), ["a", "b", "", "c"]);
        assert_eq!(lines("\n\n", 80), Vec::<String>::new());
        assert_eq!(lines("abcdef\nxyz", 6), ["abcdef", "..."]);
    }

    #[test]
    fn figures_are_grouped() {
        let shown: Vec<_> = [0, 999, 1000, 11_470, 1_234_567].map(figure).to_vec();
        assert_eq!(shown, ["0", "999", "1,000", "11,470", "1,234,567"]);
    }

    proptest! {
        #[test]
        fn whatever_comes_stays_within_its_bounds(text in "\\PC{0,40}|(.|\n|\r){0,200}", most in 1_usize..50) {
            let line = one_line(&text, most);
            prop_assert!(line.chars().count() <= most + CUT.len());
            prop_assert!(!line.chars().any(|c| c.is_control() || breaks_line(c) || misleads(c)));
            let all = lines(&text, most);
            prop_assert!(all.len() <= most + 1);
            prop_assert!(all.iter().map(|line| line.chars().count()).sum::<usize>() <= most + 2 * CUT.len());
        }
    }
}
