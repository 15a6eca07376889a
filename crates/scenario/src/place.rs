//! Where in the file an entry stands, for faults that are found once all of it is read.

use std::{collections::BTreeMap, fmt};

use tocsin_duty::{Fault, reading::Source};
use toml::{Spanned, de::DeValue};

/// An entry, and where it stands.
#[derive(Debug)]
pub(crate) struct Placed<T> {
    /// What was read.
    pub(crate) entry: T,
    /// How messages call it.
    pub(crate) what: String,
    line: usize,
    fields: BTreeMap<String, usize>,
}

impl<T> Placed<T> {
    pub(crate) fn new(source: &Source<'_>, value: &Spanned<DeValue<'_>>, what: String, entry: T) -> Self {
        let table = value.get_ref().as_table();
        let fields = table.into_iter().flat_map(|table| table.iter());
        let fields = fields.map(|(key, value)| (key.get_ref().to_string(), source.line(value))).collect();
        Self { entry, what, line: source.line(value), fields }
    }

    /// The fault of a field, on its line; of the entry, where it has none of that name.
    pub(crate) fn fault(&self, source: &Source<'_>, field: &str, what: impl fmt::Display) -> Fault {
        let line = self.fields.get(field).copied().unwrap_or(self.line);
        source.fault(line, format_args!("{}: {what}", self.what))
    }
}
