//! Text from a file, as TOML with lines.

use std::fmt::Display;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::fault::{Fault, Gravity};

/// The largest text that is read, in bytes. Ten thousand recipients are about 5 MiB.
pub const TEXT_MAX: usize = 16 * 1024 * 1024;

/// The most faults that are told. Whoever has so many has one fault in a template.
pub(super) const FAULTS_MAX: usize = 10_000;

/// A file's text, under the name that messages give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The file, as people know it.
    pub file: String,
    /// What is in it.
    pub text: String,
}

/// A text that is TOML, with the faults found in it so far.
pub struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) root: Spanned<DeTable<'t>>,
    lines: Lines,
}

impl<'t> Source<'t> {
    /// Reads a text. What is not TOML is told by line, and nothing is read from it.
    pub fn new(text: &'t Text, faults: &mut Vec<Fault>) -> Option<Self> {
        let fault =
            |line, what| Fault { file: text.file.clone(), line: Some(line), gravity: Gravity::Error, what };
        if text.text.len() > TEXT_MAX {
            faults.push(fault(
                1,
                format!(
                    "the file is {} bytes long and may be {TEXT_MAX}: split the directory",
                    text.text.len()
                ),
            ));
            return None;
        }
        let lines = Lines::new(&text.text);
        let (root, errors) = DeTable::parse_recoverable(&text.text);
        let mut last = None;
        for error in &errors {
            // One slip often breaks its line in several ways; the first says enough.
            let line = error.span().map_or(1, |span| lines.at(span.start));
            if last.replace(line) != Some(line) {
                faults.push(fault(line, format!("this is not TOML: {}", error.message().replace('\n', " "))));
            }
        }
        errors.is_empty().then(|| Self { file: &text.file, root, lines })
    }

    /// The table of the whole text.
    pub fn top(&self) -> &DeTable<'t> {
        self.root.get_ref()
    }

    /// The line on which a value stands.
    pub fn line<T>(&self, value: &Spanned<T>) -> usize {
        self.lines.at(value.span().start)
    }

    /// An error on a line of it.
    pub fn fault(&self, line: usize, what: impl Display) -> Fault {
        Fault {
            file: self.file.to_owned(),
            line: Some(line),
            gravity: Gravity::Error,
            what: what.to_string(),
        }
    }

    /// Why a value could not be read, on the line where it is wrong.
    pub fn misread<T>(&self, value: &Spanned<T>, what: impl Display, why: &toml::de::Error) -> Fault {
        let at = why.span().unwrap_or_else(|| value.span()).start;
        self.fault(self.lines.at(at), format_args!("{what}: {}", why.message()))
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, at)| at))
                .collect(),
        )
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

/// A value's text, when it is one.
pub fn text<'v>(value: &'v Spanned<DeValue<'_>>) -> Option<&'v str> {
    value.get_ref().as_str()
}

/// Cuts what came from outside to a length that can be shown in a message.
pub fn shown(value: &str) -> String {
    const SHOWN: usize = 80;
    let cut = value.char_indices().nth(SHOWN).map_or(value, |(end, _)| &value[..end]);
    let more = if cut.len() < value.len() { "..." } else { "" };
    format!("{}{more}", cut.escape_debug())
}
