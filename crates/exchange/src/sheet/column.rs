//! The columns of the table: which field of a recipient each shows.

use super::file::Row;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A text.
    Text,
    /// Identifiers, with spaces between.
    List,
    /// `yes` or `no`.
    Flag,
    /// A day.
    Day,
}

/// Where a column's cells are in a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// A field.
    Field(String, Sort),
    /// A part of the contact of that word.
    Contact(String, &'static str),
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) heading: String,
    pub(super) at: At,
}

/// The fields that are always shown, in this order.
const ALWAYS: [(&str, Sort); 10] = [
    ("id", Sort::Text),
    ("name", Sort::Text),
    ("kind", Sort::Text),
    ("nation", Sort::Text),
    ("areas", Sort::List),
    ("neighbours", Sort::List),
    ("console", Sort::Flag),
    ("valid_from", Sort::Day),
    ("valid_to", Sort::Day),
    ("last_verified_at", Sort::Day),
];
/// Those that are shown where somebody has one, and may be added as a column.
const ALSO: [(&str, Sort); 3] =
    [("key", Sort::Text), ("buddy", Sort::Text), ("coordinating_body", Sort::Text)];
/// The parts of a contact.
pub(super) const PARTS: [&str; 3] = ["role", "email", "phone"];

/// The columns that show all of these rows that a table can show.
pub(super) fn columns(rows: &[Row]) -> Vec<Column> {
    let field = |(name, sort): &(&str, Sort)| Column {
        heading: (*name).to_owned(),
        at: At::Field((*name).to_owned(), *sort),
    };
    let mut all: Vec<Column> = ALWAYS.iter().map(field).collect();
    all.extend(ALSO.iter().filter(|(name, _)| rows.iter().any(|row| row.has(name))).map(field));
    let mut words: Vec<String> = Vec::new();
    for word in rows.iter().flat_map(Row::contacts) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    for word in words {
        all.extend(PARTS.map(|part| contact(&word, part)));
    }
    all
}

fn contact(word: &str, part: &'static str) -> Column {
    Column { heading: format!("{word} {part}"), at: At::Contact(word.to_owned(), part) }
}

/// The column of that heading, if there may be one.
pub(super) fn of_heading(heading: &str) -> Option<Column> {
    let known = ALWAYS.iter().chain(&ALSO).find(|(name, _)| *name == heading);
    if let Some((name, sort)) = known {
        return Some(Column { heading: heading.to_owned(), at: At::Field((*name).to_owned(), *sort) });
    }
    let (word, part) = heading.rsplit_once(' ')?;
    let part = PARTS.into_iter().find(|known| *known == part)?;
    is_slug(word).then(|| contact(word, part))
}

/// Whether it is of the grammar of identifiers and words.
pub(super) fn is_slug(text: &str) -> bool {
    tocsin_protocol::RecipientId::new(text).is_ok()
}
