//! Reading a TOML table field by field, so that every fault in it is told and not only the first.

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    fault::Fault,
    source::{Source, shown, text},
};

/// A table that is being read. A fault makes a field `None`; the others are read all the same.
pub struct Reader<'r, 't, 'f> {
    source: &'r Source<'t>,
    table: &'r DeTable<'t>,
    /// The line of the table, for what is missing from it.
    line: usize,
    /// What the table is, for messages.
    what: String,
    known: Vec<&'static str>,
    faults: &'f mut Vec<Fault>,
}

impl<'r, 't, 'f> Reader<'r, 't, 'f> {
    /// Begins to read a value that should be a table.
    pub fn new(
        source: &'r Source<'t>,
        value: &'r Spanned<DeValue<'t>>,
        what: String,
        faults: &'f mut Vec<Fault>,
    ) -> Option<Self> {
        let line = source.line(value);
        let Some(table) = value.get_ref().as_table() else {
            faults.push(source.fault(line, format_args!("{what} should be a table of fields")));
            return None;
        };
        Some(Self { source, table, line, what, known: Vec::new(), faults })
    }

    /// Begins to read a whole file.
    pub fn of_file(source: &'r Source<'t>, what: String, faults: &'f mut Vec<Fault>) -> Self {
        Self { source, table: source.root.get_ref(), line: 1, what, known: Vec::new(), faults }
    }

    /// A field as it stands, if it is there.
    pub fn value(&mut self, name: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.known.push(name);
        self.table.get(name)
    }

    fn missing(&mut self, name: &str, example: &str) {
        let what = format!("{} has no `{name}`: add {name} = {example}", self.what);
        self.faults.push(self.source.fault(self.line, what));
    }

    fn read<T: DeserializeOwned>(&mut self, name: &str, value: &Spanned<DeValue<'t>>) -> Option<T> {
        match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(read) => Some(read),
            Err(why) => {
                let what = format!("{}: {name}", self.what);
                self.faults.push(self.source.misread(value, what, &why));
                None
            }
        }
    }

    /// A field that must be there.
    pub fn need<T: DeserializeOwned>(&mut self, name: &'static str, example: &str) -> Option<T> {
        let Some(value) = self.value(name) else {
            self.missing(name, example);
            return None;
        };
        self.read(name, value)
    }

    /// A field that may be there. The outer `None` is a fault.
    #[allow(clippy::option_option)]
    pub fn may<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<Option<T>> {
        let Some(value) = self.value(name) else { return Some(None) };
        self.read(name, value).map(Some)
    }

    /// A day, which TOML can write with and without quotes.
    #[allow(clippy::option_option)]
    pub fn day(&mut self, name: &'static str) -> Option<Option<Date>> {
        let Some(value) = self.value(name) else { return Some(None) };
        let written = match value.get_ref() {
            DeValue::Datetime(written) => written.to_string(),
            DeValue::String(written) => written.to_string(),
            _ => String::new(),
        };
        // A time of day after the date is not ours to drop.
        let day = if written.len() == "2026-01-31".len() { written.parse().ok() } else { None };
        if day.is_none() {
            let what = format!("{}: {name} should be a day such as 2026-01-31", self.what);
            self.faults.push(self.source.fault(self.source.line(value), what));
        }
        day.map(Some)
    }

    /// A list that must be there.
    pub fn need_list<T: DeserializeOwned>(&mut self, name: &'static str, example: &str) -> Option<Vec<T>> {
        if !self.table.contains_key(name) {
            self.known.push(name);
            self.missing(name, example);
            return None;
        }
        self.list(name)
    }

    /// A list that may be there; every member that cannot be read is told.
    pub fn list<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<Vec<T>> {
        let values = self.values(name)?;
        let mut read = Vec::with_capacity(values.len());
        for value in values {
            read.push(self.read(name, value));
        }
        read.into_iter().collect()
    }

    /// A list's members as they stand, none when it is not there.
    pub fn values(&mut self, name: &'static str) -> Option<&'r [Spanned<DeValue<'t>>]> {
        let Some(value) = self.value(name) else { return Some(&[]) };
        if let DeValue::Array(values) = value.get_ref() {
            return Some(values);
        }
        let what = format!("{}: {name} should be a list", self.what);
        self.faults.push(self.source.fault(self.source.line(value), what));
        None
    }

    /// The members of a table by name, none when it is not there.
    pub fn entries(&mut self, name: &'static str) -> Option<Vec<(&'r str, &'r Spanned<DeValue<'t>>)>> {
        let Some(value) = self.value(name) else { return Some(Vec::new()) };
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table.iter().map(|(key, value)| (key.get_ref().as_ref(), value)).collect());
        }
        let what = format!("{}: {name} should be a table", self.what);
        self.faults.push(self.source.fault(self.source.line(value), what));
        None
    }

    /// The line of a field, or of the table where it has none of that name.
    pub fn line_of(&self, name: &str) -> usize {
        self.table.get(name).map_or(self.line, |value| self.source.line(value))
    }

    /// Tells a fault of a field, on its line. What is said of it follows on what the table is.
    pub fn fault(&mut self, name: &str, what: impl std::fmt::Display) {
        let (line, what) = (self.line_of(name), format!("{}: {what}", self.what));
        self.faults.push(self.source.fault(line, what));
    }

    /// What the table is, for messages.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The source and the faults, to read a table within this one.
    pub fn within(&mut self) -> (&'r Source<'t>, &mut Vec<Fault>) {
        (self.source, self.faults)
    }

    /// Tells the fields that there should not be. `Some` when there are none.
    pub fn finish(self) -> Option<()> {
        let mut clean = Some(());
        for key in self.table.keys().filter(|key| !self.known.contains(&key.get_ref().as_ref())) {
            clean = None;
            let name = key.get_ref().as_ref();
            let hint = match nearest(name, self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the fields are {}", self.known.join(", ")),
            };
            let what = format!("{} has an unknown field `{}`: {hint}", self.what, shown(name));
            self.faults.push(self.source.fault(self.source.line(key), what));
        }
        clean
    }
}

/// How messages call an entry: by its identifier, or by its number.
pub fn called(what: &str, index: usize, value: &Spanned<DeValue<'_>>) -> String {
    match id(value) {
        Some(id) => format!("{what} {}", shown(id)),
        None => format!("{what} number {}", index + 1),
    }
}

/// The identifier that an entry gives itself, whether or not it is valid.
pub(super) fn id<'v>(value: &'v Spanned<DeValue<'_>>) -> Option<&'v str> {
    value.get_ref().as_table().and_then(|table| table.get("id")).and_then(text)
}

/// The word of a list that somebody is likely to have meant.
pub fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let far = (word.chars().count() / 3).max(1);
    words
        .map(|other| (distance(word, other), other))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// Levenshtein's distance, in which two letters exchanged count one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<_> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = changed.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_the_word_that_was_meant() {
        let words = ["neighbours", "areas", "name", "key"];
        assert_eq!(nearest("nieghbours", words.into_iter()), Some("neighbours"));
        assert_eq!(nearest("neighbors", words.into_iter()), Some("neighbours"));
        assert_eq!(nearest("Key", words.into_iter()), Some("key"));
        assert_eq!(nearest("telephone", words.into_iter()), None);
        assert_eq!(nearest("", words.into_iter()), None);
        assert_eq!(nearest(&"n".repeat(1_000_000), words.into_iter()), None);
    }
}
