//! A mail's text, with the links to this console made to be followed.

/// A stretch of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// What is read.
    pub(super) text: &'a str,
    /// The path on this console that it links to.
    pub(super) path: Option<&'a str>,
}

/// Takes the text apart. Only an address at `host`, where the reader is anyway, becomes a link, and of that the path
/// alone.
pub(super) fn pieces<'a>(text: &'a str, host: &str) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut plain = 0;
    let mut from = 0;
    while let Some(at) = text[from..].find("http").map(|at| at + from) {
        let address = &text[at..];
        let end = address.find(|c: char| c.is_whitespace() || "<>\"".contains(c)).unwrap_or(address.len());
        let address = &address[..end];
        from = at + "http".len();
        let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
        let path = rest.filter(|_| !host.is_empty()).and_then(|rest| rest.strip_prefix(host));
        // "//" at the beginning would lead to another host.
        let Some(path) = path.filter(|path| path.starts_with('/') && !path.starts_with("//")) else {
            continue;
        };
        pieces.push(Piece { text: &text[plain..at], path: None });
        pieces.push(Piece { text: address, path: Some(path) });
        plain = at + address.len();
        from = plain;
    }
    pieces.push(Piece { text: &text[plain..], path: None });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_here_becomes_a_link_and_any_other_stays_text() {
        let text = "Acknowledge: http://127.0.0.1:8911/a/TOKEN\nOr see http://elsewhere.example/a and\n\
                    http://127.0.0.1:8911//evil.example/ <https://127.0.0.1:8911/b>";
        let links: Vec<_> =
            pieces(text, "127.0.0.1:8911").into_iter().filter_map(|piece| piece.path).collect();
        assert_eq!(links, ["/a/TOKEN", "/b"]);
        assert!(pieces(text, "").iter().all(|piece| piece.path.is_none()));
    }

    proptest! {
        #[test]
        fn nothing_of_the_text_is_lost(text in "(http|https://h/|http://h|[a-z</é \n]){0,20}") {
            let whole: String = pieces(&text, "h").iter().map(|piece| piece.text).collect();
            prop_assert_eq!(whole, text);
        }
    }
}
