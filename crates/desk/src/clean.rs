//! Makes a stranger's text fit for a terminal, a log and an environment variable.
//!
//! What is signed is not therefore harmless: a stolen key could move the cursor over the word EXERCISE, or turn a
//! line of text round.

use std::{iter::Peekable, str::Chars};

/// One line: escape sequences, control and invisible characters are dropped, line breaks become spaces, and what is
/// longer than `most` characters is cut.
pub fn line(text: &str, most: usize) -> String {
    let joined = cleaned(text).replace('\n', " ");
    match joined.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", joined[..end].trim_end()),
        None => joined,
    }
}

/// Text of several lines, wrapped at `width` characters. Words longer than a line are broken.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in cleaned(text).trim_end().split('\n') {
        let mut current = String::new();
        let mut length = 0;
        for word in paragraph.split_whitespace() {
            let mut rest: Vec<char> = word.chars().collect();
            if length > 0 && length + 1 + rest.len() > width {
                lines.push(std::mem::take(&mut current));
                length = 0;
            }
            while rest.len() > width {
                lines.push(rest.drain(..width).collect());
            }
            if length > 0 {
                current.push(' ');
                length += 1;
            }
            length += rest.len();
            current.extend(rest);
        }
        lines.push(current);
    }
    lines
}

/// Without escape sequences, control and invisible characters; the only line break left is `\n`.
fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            // The eight-bit forms of the same: CSI; and DCS, SOS, OSC, PM, APC.
            '\u{9b}' => skip_csi(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => clean.push('\n'),
            '\r' => {
                rest.next_if_eq(&'\n');
                clean.push('\n');
            }
            '\t' => clean.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// Characters that show nothing, or change the order in which others are shown.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// After ESC: a control sequence, a string, or one more character.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.next() {
        Some('[') => skip_csi(rest),
        Some('P' | 'X' | ']' | '^' | '_') => skip_string(rest),
        // Such as the choice of a character set: intermediate characters, then one more.
        Some(' '..='/') => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next();
        }
        _ => {}
    }
}

/// Parameters and intermediate characters, then one final character (ECMA-48, 5.4).
fn skip_csi(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// A control string up to its end: BEL, or ST in either form. One without an end swallows its line alone, so that a
/// single character cannot make a whole text vanish.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next_if(|c| !matches!(c, '\n' | '\r')) {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_what_cannot_be_seen_are_dropped() {
        for (hostile, plain) in [
            ("a\u{1b}[31;1mred\u{1b}[0m", "ared"),
            ("\u{1b}[2J\u{1b}[Hgone", "gone"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a.example\u{1b}\\y", "xy"),
            ("\u{9b}31mx\u{90}q\u{9c}y", "xy"),
            ("\u{1b}(0x\u{1b}cy", "xy"),
            ("\u{202e}txet\u{200b}\u{2066}", "txet"),
            ("bell\u{7}\u{8}\u{0}", "bell"),
            ("one\r\ntwo\rthree\u{2028}four\tfive", "one two three four five"),
            ("caf\u{e9} Ynys Môn 警察", "caf\u{e9} Ynys Môn 警察"),
            ("\u{1b}", ""),
            ("\u{1b}]0;never ends", ""),
        ] {
            assert_eq!(line(hostile, 200), plain, "{hostile:?}");
        }
        assert_eq!(wrapped("\u{1b}]0;never ends\nthe rest", 40), ["", "the rest"]);
    }

    #[test]
    fn a_long_line_is_cut_and_a_long_word_broken() {
        assert_eq!(line("calls are lost", 5), "calls...");
        assert_eq!(wrapped("to abcdefgh now", 4), ["to", "abcd", "efgh", "now"]);
        assert_eq!(wrapped("a b\n\nc", 9), ["a b", "", "c"]);
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_is_left(text in any::<String>(), width in 0usize..100) {
            for line in wrapped(&text, width) {
                prop_assert!(line.chars().count() <= width.max(1));
                prop_assert!(!line.contains(|c: char| c.is_control() || is_invisible(c)), "{:?}", line);
            }
        }
    }
}
