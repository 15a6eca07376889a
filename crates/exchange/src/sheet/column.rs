//! The columns of the table: which field of a recipient each shows.

use super::file::Row;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A text.
    Text,
    /// Identifiers, with spaces between.
    List,
    /// What the console may do: `yes`, `links` or `no`.
    Doors,
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
    /// A field of the control room of that identifier.
    Room(String, &'static str),
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
    ("console", Sort::Doors),
    ("valid_from", Sort::Day),
    ("valid_to", Sort::Day),
    ("last_verified_at", Sort::Day),
];
/// Those that are shown where somebody has one, and may be added as a column.
const ALSO: [(&str, Sort); 3] =
    [("key", Sort::Text), ("buddy", Sort::Text), ("coordinating_body", Sort::Text)];
/// How a cell says `true` and `false`.
pub(super) const YES: &str = "yes";
pub(super) const NO: &str = "no";
/// The parts of a contact.
pub(super) const PARTS: [&str; 3] = ["role", "email", "phone"];
/// The fields of a control room, and how their columns are headed.
pub(super) const ROOM: [(&str, &str); 3] =
    [("name", "name"), ("critical_contact_number", "phone"), ("areas", "areas")];
/// What the heading of a control room's column begins with.
const ROOM_HEADING: &str = "control room ";

/// The columns that show all of these rows that a table can show.
pub(super) fn columns(rows: &[Row]) -> Vec<Column> {
    let field = |(name, sort): &(&str, Sort)| Column {
        heading: (*name).to_owned(),
        at: At::Field((*name).to_owned(), *sort),
    };
    let mut all: Vec<Column> = ALWAYS.iter().map(field).collect();
    all.extend(ALSO.iter().filter(|(name, _)| rows.iter().any(|row| row.has(name))).map(field));
    for word in each(rows.iter().flat_map(Row::contacts)) {
        all.extend(PARTS.map(|part| contact(word, part)));
    }
    for id in each(rows.iter().flat_map(Row::rooms)) {
        all.extend(ROOM.map(|(field, part)| room(id, field, part)));
    }
    all
}

/// Each of these once, in the order in which they first come.
fn each<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all: Vec<&str> = Vec::new();
    for word in words {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all
}

fn contact(word: &str, part: &'static str) -> Column {
    Column { heading: format!("{word} {part}"), at: At::Contact(word.to_owned(), part) }
}

fn room(id: &str, field: &'static str, part: &str) -> Column {
    Column { heading: format!("{ROOM_HEADING}{id} {part}"), at: At::Room(id.to_owned(), field) }
}

/// The column of that heading, if there may be one.
pub(super) fn of_heading(heading: &str) -> Option<Column> {
    let known = ALWAYS.iter().chain(&ALSO).find(|(name, _)| *name == heading);
    if let Some((name, sort)) = known {
        return Some(Column { heading: heading.to_owned(), at: At::Field((*name).to_owned(), *sort) });
    }
    let (word, part) = heading.rsplit_once(' ')?;
    if let Some(id) = word.strip_prefix(ROOM_HEADING) {
        let (field, part) = ROOM.into_iter().find(|(_, known)| *known == part)?;
        return is_slug(id).then(|| room(id, field, part));
    }
    let part = PARTS.into_iter().find(|known| *known == part)?;
    is_slug(word).then(|| contact(word, part))
}

/// Whether it is of the grammar of identifiers and words.
pub(super) fn is_slug(text: &str) -> bool {
    tocsin_protocol::RecipientId::new(text).is_ok()
}
