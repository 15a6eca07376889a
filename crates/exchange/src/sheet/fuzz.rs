//! A table out of any spreadsheet, or none.

use tocsin_fuzz::{check, files};

use super::*;

#[test]
fn a_table_changes_what_it_says_or_every_fault_is_told() {
    let toml = String::from_utf8(files("deploy/directory", "example", ".toml").remove(0)).unwrap();
    let table = to_csv(&toml).unwrap().into_bytes();
    check("directory-csv", vec![table], |bytes| match from_csv(bytes, &toml) {
        Ok(edited) => {
            // What it made says what the table says.
            let again = from_csv(bytes, &edited.toml).unwrap();
            assert!(again.is_nothing(), "{again:?}");
        }
        Err(faults) => assert!(!faults.is_empty()),
    });
}
