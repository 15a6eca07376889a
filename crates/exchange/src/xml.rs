//! A small writer of XML 1.0: elements in order, text escaped, nothing else.

/// A document that grows. Every name is ours; every text may be anything.
pub(crate) struct Xml {
    text: String,
    open: Vec<&'static str>,
}

impl Xml {
    /// A document, with its declaration.
    pub(crate) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), open: Vec::new() }
    }

    /// Opens an element, in this namespace where one is given: it then holds for all within.
    pub(crate) fn open(&mut self, name: &'static str, namespace: Option<&'static str>) {
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        if let Some(namespace) = namespace {
            self.text.push_str(" xmlns=\"");
            self.text.push_str(namespace);
            self.text.push('"');
        }
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Closes the element that was opened last.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            self.end(name);
        }
    }

    /// An element that holds text.
    pub(crate) fn leaf(&mut self, name: &'static str, text: &str) {
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        escape(text, &mut self.text);
        self.end(name);
    }

    /// The same, where there is a text.
    pub(crate) fn may(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// The whole.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }

    fn end(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push_str(">\n");
    }
}

/// As the text of an element. A carriage return is written by number, as a reader would make a line feed of it; what XML
/// 1.0 has no way to write is left out.
fn escape(text: &str, into: &mut String) {
    for c in text.chars().filter(|c| may(*c)) {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '\r' => into.push_str("&#13;"),
            c => into.push(c),
        }
    }
}

/// Whether XML 1.0 can write it (2.2).
fn may(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_as_it_was_said() {
        for text in [
            "a < b && c > d ]]> \"e\" 'f'",
            "lines\nand\ttabs\r\nand returns\r",
            "  spaces  ",
            "\u{1f514} Argyfwng: ŵ ŷ",
            "</leaf><other/>",
            "&amp; &#0; <!-- -->",
            "",
        ] {
            let mut xml = Xml::new();
            xml.open("root", Some("urn:x"));
            xml.leaf("leaf", text);
            let written = xml.finish();
            let read = roxmltree::Document::parse(&written).unwrap();
            let leaf = read.root_element().first_element_child().unwrap();
            assert_eq!(leaf.text().unwrap_or_default(), text);
            assert_eq!(leaf.tag_name().namespace(), Some("urn:x"));
        }
    }

    #[test]
    fn what_xml_cannot_write_is_left_out() {
        let mut out = String::new();
        escape("a\u{0}b\u{b}c\u{ffff}d\te\nf\u{1f514}", &mut out);
        assert_eq!(out, "abcd\te\nf\u{1f514}");
    }
}
