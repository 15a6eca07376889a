//! The recipients of a directory file as a table that a person edits in a spreadsheet, and back.
//!
//! [`to_csv`] writes the table; [`from_csv`] holds an edited one against the file, tells every difference in words and
//! every fault by row and column, and makes the file as it would be. Only what differs is touched: comments, order and
//! all that the table does not show stay as they are. New recipients stand at the end.
//!
//! A cell that a spreadsheet would take for a formula is written with an apostrophe before it, which is taken away
//! again when it is read.

mod cell;
mod column;
mod edit;
mod file;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::fmt;

pub use edit::{Edited, from_csv};

use column::columns;
use file::File;

/// The longest table that is read, in bytes.
pub const MAX_TABLE_BYTES: usize = 8 * 1024 * 1024;

/// Something that is wrong in a table, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row as a spreadsheet counts, with the headings as row 1; none where it is about the whole.
    pub row: Option<u64>,
    /// The heading of the column; none where it is about the whole row.
    pub column: Option<String>,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.row, &self.column) {
            (Some(row), Some(column)) => write!(f, "row {row}, column {column:?}: {}", self.what),
            (Some(row), None) => write!(f, "row {row}: {}", self.what),
            (None, _) => f.write_str(&self.what),
        }
    }
}

impl Fault {
    fn whole(what: impl Into<String>) -> Self {
        Self { row: None, column: None, what: what.into() }
    }

    fn row(row: u64, what: impl Into<String>) -> Self {
        Self { row: Some(row), column: None, what: what.into() }
    }

    fn cell(row: u64, column: &str, what: impl Into<String>) -> Self {
        Self { row: Some(row), column: Some(column.to_owned()), what: what.into() }
    }
}

/// The recipients of a directory file, a row each, in its order.
///
/// # Errors
/// When the text is no TOML, or a recipient in it has no `id`.
pub fn to_csv(toml: &str) -> Result<String, Fault> {
    let file = File::read(toml)?;
    let rows = file.rows()?;
    let columns = columns(&rows);
    let mut csv = csv::Writer::from_writer(Vec::new());
    let wrong = |why: &dyn fmt::Display| Fault::whole(format!("the table cannot be written: {why}"));
    csv.write_record(columns.iter().map(|column| column.heading.as_str())).map_err(|why| wrong(&why))?;
    for row in &rows {
        let cells = columns.iter().map(|column| cell::guarded(&row.text(column)));
        csv.write_record(cells).map_err(|why| wrong(&why))?;
    }
    let bytes = csv.into_inner().map_err(|why| wrong(&why))?;
    String::from_utf8(bytes).map_err(|why| wrong(&why))
}
