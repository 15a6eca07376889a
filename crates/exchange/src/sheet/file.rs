//! A directory file, of which the recipients are read and changed, and the rest stays as it is.

use tocsin_protocol::ConsoleDoors;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{
    Fault,
    column::{At, Column, NO, Sort, YES},
};

/// The file.
pub(super) struct File(DocumentMut);

/// What a table can show of one recipient.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) id: String,
    /// Fields and their texts.
    fields: Vec<(String, String)>,
    /// Contacts: word, part, text.
    contacts: Vec<(String, String, String)>,
    /// Control rooms: identifier, field, text.
    rooms: Vec<(String, String, String)>,
}

impl Row {
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == field)
    }

    /// The words of its contacts, in order, each once for each of its parts.
    pub(super) fn contacts(&self) -> impl Iterator<Item = &str> {
        self.contacts.iter().map(|(word, _, _)| word.as_str())
    }

    /// The identifiers of its control rooms, in order, each once for each of its fields.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().map(|(id, _, _)| id.as_str())
    }

    /// What stands in that column.
    pub(super) fn text(&self, column: &Column) -> String {
        let part = |all: &'_ [(String, String, String)], of: &str, name: &str| {
            all.iter().find(|(known, part, _)| known == of && part == name).map(|(_, _, text)| text.clone())
        };
        match &column.at {
            At::Field(field, _) => {
                self.fields.iter().find(|(name, _)| name == field).map(|(_, text)| text.clone())
            }
            At::Contact(word, name) => part(&self.contacts, word, name),
            At::Room(id, name) => part(&self.rooms, id, name),
        }
        .unwrap_or_default()
    }
}

impl File {
    /// Reads it.
    pub(super) fn read(toml: &str) -> Result<Self, Fault> {
        toml.parse().map(Self).map_err(|why: toml_edit::TomlError| {
            Fault::whole(format!("the directory file is no TOML: {}", why.message()))
        })
    }

    /// The file as it is now.
    pub(super) fn text(&self) -> String {
        self.0.to_string()
    }

    /// Its recipients.
    pub(super) fn rows(&self) -> Result<Vec<Row>, Fault> {
        let rows: Vec<Row> = match self.0.get("recipients") {
            None => Vec::new(),
            Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| row(table)).collect(),
            Some(Item::Value(Value::Array(all))) => {
                all.iter().filter_map(Value::as_inline_table).map(|table| row(table)).collect()
            }
            Some(_) => return Err(Fault::whole("`recipients` of the directory file is no list")),
        };
        let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        let is_twice = ids.windows(2).any(|two| two[0] == two[1]);
        if is_twice || ids.first().is_some_and(|id| id.is_empty()) {
            return Err(Fault::whole(
                "a recipient of the directory file has no `id`, or one that another has too: `tocsin directory check` tells which",
            ));
        }
        Ok(rows)
    }

    /// The identifiers of its areas.
    pub(super) fn areas(&self) -> Vec<String> {
        let ids = |table: &dyn TableLike| table.get("id").and_then(Item::as_str).map(str::to_owned);
        match self.0.get("areas") {
            Some(Item::ArrayOfTables(tables)) => tables.iter().filter_map(|table| ids(table)).collect(),
            Some(Item::Value(Value::Array(all))) => {
                all.iter().filter_map(Value::as_inline_table).filter_map(|table| ids(table)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Takes away those whose identifier is none of these.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&str) -> bool) {
        let kept = |table: &dyn TableLike| table.get("id").and_then(Item::as_str).is_none_or(&is_kept);
        match self.0.get_mut("recipients") {
            Some(Item::ArrayOfTables(tables)) => tables.retain(|table| kept(table)),
            Some(Item::Value(Value::Array(all))) => {
                all.retain(|value| value.as_inline_table().is_none_or(|table| kept(table)));
            }
            _ => {}
        }
    }

    /// Puts a text into a column of a recipient, who is added where there is none of that identifier.
    pub(super) fn set(&mut self, id: &str, column: &Column, text: &str) {
        if let Some(table) = self.recipient(id) {
            set(table, column, text);
        }
    }

    /// The recipient of that identifier.
    fn recipient(&mut self, id: &str) -> Option<&mut dyn TableLike> {
        let recipients = self
            .0
            .entry("recipients")
            .or_insert_with(|| Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
        let is_it = |table: &dyn TableLike| table.get("id").and_then(Item::as_str) == Some(id);
        match recipients {
            Item::ArrayOfTables(tables) => {
                let place = tables.iter().position(|table| is_it(table));
                let place = place.unwrap_or_else(|| {
                    let mut table = Table::new();
                    table.decor_mut().set_prefix("\n");
                    table.insert("id", Value::from(id).into());
                    tables.push(table);
                    tables.len() - 1
                });
                tables.get_mut(place).map(|table| table as &mut dyn TableLike)
            }
            Item::Value(Value::Array(all)) => {
                let place =
                    all.iter().position(|value| value.as_inline_table().is_some_and(|table| is_it(table)));
                let place = place.unwrap_or_else(|| {
                    let mut table = InlineTable::new();
                    table.insert("id", Value::from(id));
                    let decor = all.iter().last().map(|last| last.decor().clone());
                    all.push(table);
                    let place = all.len() - 1;
                    if let (Some(decor), Some(value)) = (decor, all.get_mut(place)) {
                        *value.decor_mut() = decor;
                    }
                    place
                });
                all.get_mut(place)?.as_inline_table_mut().map(|table| table as &mut dyn TableLike)
            }
            _ => None,
        }
    }
}

fn row(table: &dyn TableLike) -> Row {
    let id = table.get("id").and_then(Item::as_str).unwrap_or_default().to_owned();
    let mut row = Row { id, ..Row::default() };
    for (name, item) in table.iter() {
        if name == "contacts" {
            let words = item.as_table_like().into_iter().flat_map(TableLike::iter);
            for (word, contact) in words {
                let parts = contact.as_table_like().into_iter().flat_map(TableLike::iter);
                let texts = parts.filter_map(|(part, item)| Some((part.to_owned(), text(item)?)));
                row.contacts.extend(texts.map(|(part, text)| (word.to_owned(), part, text)));
            }
        } else if name == "control_rooms" {
            for room in rooms(item) {
                let Some(id) = room.get("id").and_then(Item::as_str) else { continue };
                let fields = room.iter().filter(|(field, _)| *field != "id");
                let texts = fields.filter_map(|(field, item)| Some((field.to_owned(), text(item)?)));
                row.rooms.extend(texts.map(|(field, text)| (id.to_owned(), field, text)));
            }
        } else if let Some(text) = text(item) {
            row.fields.push((name.to_owned(), text));
        }
    }
    row
}

/// The control rooms of a recipient, in either way in which a list of tables may be written.
fn rooms(item: &Item) -> Vec<&dyn TableLike> {
    match item {
        Item::ArrayOfTables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Item::Value(Value::Array(all)) => {
            all.iter().filter_map(Value::as_inline_table).map(|table| table as &dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}

/// What a cell can show of a value; nothing of what is deeper than a cell.
fn text(item: &Item) -> Option<String> {
    match item.as_value()? {
        Value::String(text) => Some(text.value().clone()),
        Value::Boolean(flag) => Some(if *flag.value() { YES } else { NO }.to_owned()),
        Value::Datetime(day) => Some(day.value().to_string()),
        Value::Array(all) => {
            let words: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            words.map(|words| words.join(" "))
        }
        Value::Integer(_) | Value::Float(_) | Value::InlineTable(_) => None,
    }
}

fn set(table: &mut dyn TableLike, column: &Column, text: &str) {
    match &column.at {
        // It must be said, if only that there are none.
        At::Field(field, _) if field == "areas" && text.is_empty() => put(table, field, Array::new().into()),
        At::Field(field, sort) => match value(*sort, text) {
            Some(value) => put(table, field, value),
            None => _ = table.remove(field),
        },
        At::Contact(word, part) => {
            if text.is_empty() {
                remove_part(table, word, part);
                return;
            }
            if !table.contains_key("contacts") {
                let mut contacts = Table::new();
                contacts.set_dotted(true);
                table.insert("contacts", Item::Table(contacts));
            }
            let Some(contacts) = table.get_mut("contacts").and_then(Item::as_table_like_mut) else { return };
            if !contacts.contains_key(word) {
                contacts.insert(word, Item::Value(InlineTable::new().into()));
            }
            if let Some(contact) = contacts.get_mut(word).and_then(Item::as_table_like_mut) {
                put(contact, part, Value::from(text));
            }
        }
        At::Room(id, field) => {
            let sort = if *field == "areas" { Sort::List } else { Sort::Text };
            set_room(table, id, field, value(sort, text).as_ref());
        }
    }
}

/// A control room is added with its first field, and goes with its last.
fn set_room(table: &mut dyn TableLike, id: &str, field: &str, value: Option<&Value>) {
    let is_it = |room: &dyn TableLike| room.get("id").and_then(Item::as_str) == Some(id);
    if value.is_some() && !table.get("control_rooms").is_some_and(|item| rooms(item).into_iter().any(is_it)) {
        match table.entry("control_rooms").or_insert_with(|| Item::Value(Array::new().into())) {
            Item::ArrayOfTables(tables) => {
                let mut room = Table::new();
                room.insert("id", Value::from(id).into());
                tables.push(room);
            }
            Item::Value(Value::Array(all)) => {
                let mut room = InlineTable::new();
                room.insert("id", Value::from(id));
                all.push(room);
            }
            _ => return,
        }
    }
    let change = |room: &mut dyn TableLike| match value {
        _ if !is_it(room) => {}
        Some(value) => put(room, field, value.clone()),
        None => _ = room.remove(field),
    };
    let is_left = |room: &dyn TableLike| !is_it(room) || room.len() > 1;
    let left = match table.get_mut("control_rooms") {
        Some(Item::ArrayOfTables(tables)) => {
            tables.iter_mut().for_each(|room| change(room));
            tables.retain(|room| is_left(room));
            tables.len()
        }
        Some(Item::Value(Value::Array(all))) => {
            all.iter_mut().filter_map(Value::as_inline_table_mut).for_each(|room| change(room));
            all.retain(|room| room.as_inline_table().is_none_or(|room| is_left(room)));
            all.len()
        }
        _ => return,
    };
    if left == 0 {
        table.remove("control_rooms");
    }
}

/// A contact of which nothing is left goes whole.
fn remove_part(table: &mut dyn TableLike, word: &str, part: &str) {
    let Some(contacts) = table.get_mut("contacts").and_then(Item::as_table_like_mut) else { return };
    if let Some(contact) = contacts.get_mut(word).and_then(Item::as_table_like_mut) {
        contact.remove(part);
        if contact.is_empty() {
            contacts.remove(word);
        }
    }
    if contacts.is_empty() {
        table.remove("contacts");
    }
}

/// Puts a value where one may stand already, with the comments around that.
fn put(table: &mut dyn TableLike, name: &str, mut value: Value) {
    if let Some(there) = table.get_mut(name).and_then(Item::as_value_mut) {
        *value.decor_mut() = there.decor().clone();
        *there = value;
    } else {
        table.insert(name, Item::Value(value));
    }
}

/// A text that was checked, as TOML has it; nothing for a field that is not said.
fn value(sort: Sort, text: &str) -> Option<Value> {
    match sort {
        Sort::Text => (!text.is_empty()).then(|| text.into()),
        Sort::List => {
            let words: Array = text.split_whitespace().collect();
            (!words.is_empty()).then_some(Value::Array(words))
        }
        Sort::Doors => match text {
            "" | YES => None,
            ConsoleDoors::LINKS => Some(ConsoleDoors::LINKS.into()),
            _ => Some(false.into()),
        },
        Sort::Day => text.parse::<toml_edit::Datetime>().ok().map(Value::from),
    }
}
