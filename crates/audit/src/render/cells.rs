//! A table as CSV, whose rows say the cells that they have by the names of their columns.

use crate::words::plain;

/// The cells of a row: the names of their columns, and what stands there. The others are empty.
pub(super) type Cells = Vec<(&'static str, String)>;

/// A table of these columns. Cells that a spreadsheet would run as a formula begin with an apostrophe.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn table(
    columns: &[&'static str],
    rows: impl IntoIterator<Item = Cells>,
) -> Result<String, String> {
    let told = |why: ::csv::Error| why.to_string();
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).map_err(told)?;
    for row in rows {
        let mut cells = vec![String::new(); columns.len()];
        for (name, value) in row {
            let place = columns.iter().position(|column| *column == name);
            let cell = place.and_then(|place| cells.get_mut(place));
            *cell.ok_or_else(|| format!("it has no column {name}"))? = guarded(&value);
        }
        writer.write_record(cells).map_err(told)?;
    }
    let bytes = writer.into_inner().map_err(|why| why.to_string())?;
    String::from_utf8(bytes).map_err(|why| why.to_string())
}

/// A value, or an empty cell.
pub(super) fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A cell on one line that no spreadsheet takes for a formula: what could hide its first letter is taken out before it
/// is looked at. Numbers stay numbers.
fn guarded(cell: &str) -> String {
    // The wide forms too: a spreadsheet in Japanese or Chinese reads them as the narrow ones.
    const RISKY: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let cell = plain(cell);
    if cell.starts_with(RISKY) && cell.parse::<f64>().is_err() { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_guarded_and_a_number_is_not() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+44 20", "'+44 20"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-cmd", "'-cmd"),
            ("\t=1", "'=1"),
            ("\r\n=1", "'=1"),
            ("\u{0}=1", "'=1"),
            (" =1", "'=1"),
            ("-1.5", "-1.5"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(guarded(cell), written, "{cell:?}");
        }
    }

    #[test]
    fn every_row_has_every_column_and_none_that_there_is_not() {
        let columns = ["of", "name"];
        let rows = vec![vec![("name", "=x".to_owned())], vec![("of", "a".to_owned())]];
        assert_eq!(table(&columns, rows).unwrap(), "of,name\n,'=x\na,\n");
        assert!(table(&columns, [vec![("kind", String::new())]]).is_err());
    }
}
