//! What stands in a cell, so that a spreadsheet takes it for text.

/// What a spreadsheet begins a formula with, or skips before one.
const BEGINNINGS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// As it is written: with an apostrophe where it would be taken for a formula, or for one that was guarded.
pub(super) fn guarded(text: &str) -> String {
    if text.starts_with(BEGINNINGS) || is_guarded(text) { format!("'{text}") } else { text.to_owned() }
}

/// As it was said.
pub(super) fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    if is_guarded(cell) { &cell[1..] } else { cell }
}

fn is_guarded(text: &str) -> bool {
    text.strip_prefix('\'').is_some_and(|rest| rest.starts_with(BEGINNINGS) || rest.starts_with('\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_text_and_comes_back_as_it_was() {
        for (text, cell) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("+44 1632 960001", "'+44 1632 960001"),
            ("-x", "'-x"),
            ("@x", "'@x"),
            ("'s-Gravenhage", "'s-Gravenhage"),
            ("'=x", "''=x"),
            ("''x", "'''x"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), cell);
            assert_eq!(bare(cell), text);
        }
        assert_eq!(bare("  kent "), "kent");
    }
}
