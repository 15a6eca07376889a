//! An edited table held against the file.

use std::collections::BTreeMap;

use jiff::civil::Date;
use tocsin_protocol::ConsoleDoors;

use super::{
    Fault, MAX_TABLE_BYTES,
    cell::bare,
    column::{At, Column, NO, PARTS, ROOM, Sort, YES, is_slug, of_heading},
    file::{File, Row},
};

/// The most faults that are told.
const FAULTS: usize = 200;

/// The file as an edited table makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole text.
    pub toml: String,
    /// Who is added, in words.
    pub added: Vec<String>,
    /// Who is removed, in words.
    pub removed: Vec<String>,
    /// What is changed, in words: a line for each recipient, and one for each of its fields.
    pub changed: Vec<String>,
}

impl Edited {
    /// Whether nothing differs.
    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A row of the table: where it stands, and its cells by heading.
struct Line {
    number: u64,
    id: String,
    /// In the order of the columns, as they are to be compared and written.
    cells: Vec<String>,
}

/// Holds a table against a directory file.
///
/// # Errors
/// Every fault of the table, by row and column; nothing is to be written then.
pub fn from_csv(table: &[u8], toml: &str) -> Result<Edited, Vec<Fault>> {
    let mut file = File::read(toml).map_err(|fault| vec![fault])?;
    let rows = file.rows().map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let (headings, lines) = lines(table, &mut faults);
    check(&headings, &lines, &file, &rows, &mut faults);
    if !faults.is_empty() {
        faults.sort_by_key(|fault| fault.row);
        faults.truncate(FAULTS);
        return Err(faults);
    }
    let there: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let here: BTreeMap<&str, &Line> = lines.iter().map(|line| (line.id.as_str(), line)).collect();
    let mut edited =
        Edited { toml: String::new(), added: Vec::new(), removed: Vec::new(), changed: Vec::new() };
    let name = column("name");
    for row in rows.iter().filter(|row| !here.contains_key(row.id.as_str())) {
        edited.removed.push(format!("{}: {}", row.id, row.text(&name)));
    }
    file.keep(|id| here.contains_key(id));
    for line in &lines {
        let before = there.get(line.id.as_str());
        let mut changes = Vec::new();
        for (column, text) in headings.iter().zip(&line.cells) {
            let was = same_form(column, &before.map(|row| row.text(column)).unwrap_or_default());
            // The identifier is what the two are matched by; the areas must be said, if only that there are none.
            let is_new_list = before.is_none() && column.heading == "areas";
            if (was == *text && !is_new_list) || column.heading == "id" {
                continue;
            }
            file.set(&line.id, column, text);
            changes.push(match (was.as_str(), text.as_str()) {
                ("", now) => format!("    {}: {now:?}", column.heading),
                (was, "") => format!("    {}: was {was:?}, now nothing", column.heading),
                (was, now) => format!("    {}: was {was:?}, now {now:?}", column.heading),
            });
        }
        let into = match before {
            None => &mut edited.added,
            Some(_) if changes.is_empty() => continue,
            Some(_) => &mut edited.changed,
        };
        into.push(line.id.clone());
        into.extend(changes);
    }
    edited.toml = file.text();
    Ok(edited)
}

fn column(heading: &str) -> Column {
    Column { heading: heading.to_owned(), at: At::Field(heading.to_owned(), Sort::Text) }
}

/// A text in the one form in which two are compared.
fn same_form(column: &Column, text: &str) -> String {
    match column.at {
        At::Field(_, Sort::List) | At::Room(_, "areas") => {
            let words = text.split([' ', ',', ';', '\n', '\t']).filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join(" ")
        }
        At::Field(_, Sort::Doors) => match text.to_ascii_lowercase().as_str() {
            NO | "false" => NO.to_owned(),
            // That it may is what stands where nothing is said.
            "" | YES | "true" => YES.to_owned(),
            other => other.to_owned(),
        },
        At::Field(_, _) | At::Contact(_, _) | At::Room(_, _) => text.to_owned(),
    }
}

/// The columns and rows of a table, as far as they can be read.
fn lines(table: &[u8], faults: &mut Vec<Fault>) -> (Vec<Column>, Vec<Line>) {
    let none = (Vec::new(), Vec::new());
    if table.len() > MAX_TABLE_BYTES {
        faults.push(Fault::whole(format!(
            "the table is {} bytes long and may be {MAX_TABLE_BYTES}",
            table.len()
        )));
        return none;
    }
    let Ok(text) = std::str::from_utf8(table) else {
        faults.push(Fault::whole("the table is not UTF-8 text: save it as \"CSV UTF-8\""));
        return none;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let between = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|mark| (first.bytes().filter(|byte| byte == mark).count(), *mark == b','));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(between.unwrap_or(b','))
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let (mut headings, mut lines) = (None::<Vec<Option<Column>>>, Vec::new());
    for (number, record) in (1_u64..).zip(reader.records()) {
        let Ok(record) = record else {
            faults.push(Fault::row(number, "it cannot be read as CSV"));
            break;
        };
        let Some(columns) = &headings else {
            headings = Some(read_headings(&record, faults));
            continue;
        };
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if let Some(extra) = record.iter().skip(columns.len()).find(|cell| !cell.trim().is_empty()) {
            faults.push(Fault::row(
                number,
                format!("{extra:?} stands beyond the last column: quote what has commas in it"),
            ));
        }
        let cells = columns.iter().enumerate().filter_map(|(place, column)| {
            let column = column.as_ref()?;
            Some(same_form(column, bare(record.get(place).unwrap_or_default())))
        });
        lines.push(Line { number, id: String::new(), cells: cells.collect() });
    }
    let headings: Vec<Column> = headings.unwrap_or_default().into_iter().flatten().collect();
    let Some(place) = headings.iter().position(|column| column.heading == "id") else {
        faults.push(Fault::whole(
            "the table has no column \"id\", by which each recipient is known: `tocsin directory csv` writes one",
        ));
        return none;
    };
    for line in &mut lines {
        line.id.clone_from(&line.cells[place]);
    }
    (headings, lines)
}

fn read_headings(record: &csv::StringRecord, faults: &mut Vec<Fault>) -> Vec<Option<Column>> {
    let mut seen: Vec<String> = Vec::new();
    let mut all = Vec::new();
    for heading in record.iter().map(bare) {
        // A spreadsheet leaves empty columns at the end.
        let column = of_heading(heading);
        if column.is_none() && !heading.is_empty() {
            faults.push(Fault::cell(
                1,
                heading,
                "there is no such field: use those that `tocsin directory csv` writes, a contact's \"WORD role\", \"WORD email\", \"WORD phone\", or a control room's \"control room ID name\", \"control room ID phone\", \"control room ID areas\"",
            ));
        }
        if column.is_some() && seen.iter().any(|other| other == heading) {
            faults.push(Fault::cell(1, heading, "the column is there twice"));
        }
        seen.push(heading.to_owned());
        all.push(column);
    }
    all
}

/// Every fault of the cells, each by itself and held against the others.
fn check(headings: &[Column], lines: &[Line], file: &File, rows: &[Row], faults: &mut Vec<Fault>) {
    let areas = file.areas();
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for line in lines {
        if let Some(other) = first.insert(&line.id, line.number) {
            faults.push(Fault::cell(
                line.number,
                "id",
                format!("{:?} stands in row {other} already", line.id),
            ));
        }
    }
    let is_there = |id: &str| first.contains_key(id);
    for line in lines {
        for (column, text) in headings.iter().zip(&line.cells) {
            if let Some(what) = wrong(column, text, &areas, &is_there) {
                faults.push(Fault::cell(line.number, &column.heading, what));
            }
        }
        let is_new = !rows.iter().any(|row| row.id == line.id);
        for needed in ["name", "kind"] {
            let place = headings.iter().position(|column| column.heading == needed);
            if place.map_or(is_new, |place| line.cells[place].is_empty()) {
                faults.push(Fault::cell(line.number, needed, "every recipient must have one"));
            }
        }
        groups(headings, line, rows, faults);
    }
    if lines.is_empty() && faults.is_empty() && !rows.is_empty() {
        faults.push(Fault::whole("the table has no row, which would remove every recipient"));
    }
}

/// What is wrong with a cell by itself.
fn wrong(column: &Column, text: &str, areas: &[String], is_there: &dyn Fn(&str) -> bool) -> Option<String> {
    let slug = "use 1 to 64 of a-z, 0-9 and inner hyphens, such as pol-west-mercia";
    if text.chars().any(char::is_control) {
        return Some("it has a line break or another sign that cannot be seen: write one line".to_owned());
    }
    match &column.at {
        At::Field(field, _) if field == "id" || field == "kind" => {
            (!text.is_empty() || field == "id").then_some(())?;
            (!is_slug(text)).then(|| format!("{text:?} is no identifier: {slug}"))
        }
        At::Field(field, Sort::Text) if field == "buddy" || field == "coordinating_body" => {
            let is_wrong = !text.is_empty() && !is_there(text);
            is_wrong.then(|| format!("{text:?} is no recipient of this table"))
        }
        At::Field(_, Sort::List) | At::Room(_, "areas") if column.heading.ends_with("areas") => {
            let unknown = text.split_whitespace().find(|area| !areas.iter().any(|known| known == area));
            unknown.map(|area| {
                format!("{area:?} is no area of the directory: areas are added in the file itself")
            })
        }
        At::Field(_, Sort::List) => {
            let unknown = text.split_whitespace().find(|id| !is_there(id));
            unknown.map(|id| format!("{id:?} is no recipient of this table"))
        }
        At::Field(_, Sort::Doors) => (![YES, ConsoleDoors::LINKS, NO].contains(&text))
            .then(|| format!("{text:?} should be {YES}, {} or {NO}", ConsoleDoors::LINKS)),
        At::Field(_, Sort::Day) => {
            let is_day = text.len() == 10 && text.parse::<Date>().is_ok();
            (!text.is_empty() && !is_day).then(|| {
                format!("{text:?} is no day as it is written here: year, month, day, such as 2026-11-02")
            })
        }
        At::Contact(_, "email") => {
            let is_mail = text.split_once('@').is_some_and(|(who, host)| {
                !who.is_empty()
                    && host.contains('.')
                    && !text.contains(char::is_whitespace)
                    && !host.contains('@')
            });
            (!text.is_empty() && !is_mail).then(|| format!("{text:?} is no e-mail address"))
        }
        At::Field(_, Sort::Text) | At::Contact(_, _) | At::Room(_, _) => None,
    }
}

/// A contact has a role and an address, a control room a name and a number, or there is none.
fn groups(headings: &[Column], line: &Line, rows: &[Row], faults: &mut Vec<Fault>) {
    let row = rows.iter().find(|row| row.id == line.id);
    let mut done: Vec<(bool, &str)> = Vec::new();
    for column in headings {
        let (is_room, of) = match &column.at {
            At::Contact(word, _) => (false, word.as_str()),
            At::Room(id, _) => (true, id.as_str()),
            At::Field(..) => continue,
        };
        if done.contains(&(is_room, of)) {
            continue;
        }
        done.push((is_room, of));
        // The heading and text of each of its parts; the first two are needed.
        let (parts, needs) = if is_room {
            let parts = ROOM
                .map(|(field, part)| (format!("control room {of} {part}"), At::Room(of.to_owned(), field)));
            (parts, "a control room needs a name and its critical contact number (phone)")
        } else {
            let parts = PARTS.map(|part| (format!("{of} {part}"), At::Contact(of.to_owned(), part)));
            (parts, "a contact needs a role and an e-mail address")
        };
        let texts = parts.map(|(heading, at)| {
            let text = match headings.iter().position(|column| column.at == at) {
                Some(place) => line.cells[place].clone(),
                // A column that is not there leaves what is.
                None => row.map(|row| row.text(&Column { heading: String::new(), at })).unwrap_or_default(),
            };
            (heading, text)
        });
        if texts.iter().all(|(_, text)| text.is_empty()) {
            continue;
        }
        for (heading, _) in texts.iter().take(2).filter(|(_, text)| text.is_empty()) {
            faults.push(Fault::cell(
                line.number,
                heading,
                format!("{needs}, or all three of its cells empty"),
            ));
        }
    }
}
