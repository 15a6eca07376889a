//! A table of a directory, edited as people edit.

use std::{fs, path::Path};

use super::*;

fn deploy(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/directory").join(name))
        .unwrap()
}

const SMALL: &str = r#"# A comment at the top.
name = "x"
time_zone = "Europe/London"
areas = [{ id = "north", name = "North" }, { id = "south", name = "South" }]

# Of the north.
[[recipients]]
id = "a" # who
name = "A"   # what
kind = "police"
areas = ["north"]
contacts.duty = { role = "Duty", email = "d@a.example", phone = "+44 1632 960001" }
control_rooms = [{ id = "main", name = "Main", critical_contact_number = "0113 496 0001" }]

# Of the south.
[[recipients]]
id = "b"
name = "=HYPERLINK(\"x\")"
kind = "fire"
areas = ["south", "north"]
neighbours = ["a"]
console = false
last_verified_at = 2026-11-02

[[publishers]]
id = "p"
name = "P"
areas = "all"
"#;

fn edited(table: &str) -> Edited {
    from_csv(table.as_bytes(), SMALL).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn shown(edited: &Edited) -> String {
    format!(
        "added\n{}\nremoved\n{}\nchanged\n{}",
        edited.added.join("\n"),
        edited.removed.join("\n"),
        edited.changed.join("\n")
    )
}

#[test]
fn a_table_that_nobody_touched_changes_not_a_byte() {
    for toml in [SMALL.to_owned(), deploy("example.toml"), deploy("uk.toml")] {
        let table = to_csv(&toml).unwrap();
        for table in [table.clone(), format!("\u{feff}{}", table.replace('\n', "\r\n"))] {
            let edited = from_csv(table.as_bytes(), &toml).unwrap_or_else(|faults| panic!("{faults:#?}"));
            assert!(edited.is_nothing(), "{}", shown(&edited));
            assert_eq!(edited.toml, toml);
        }
    }
}

#[test]
fn the_table_shows_a_row_for_each_and_no_formula() {
    insta::assert_snapshot!(to_csv(SMALL).unwrap());
}

#[test]
fn what_differs_is_told_in_words_and_nothing_else_is_touched() {
    let table = to_csv(SMALL).unwrap();
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    lines[1] = lines[1].replace("d@a.example", "duty@a.example").replace(",north,", ",south north,");
    // The fire service goes, another comes.
    lines[2] = "c,The third,ambulance,,south,a,no,2027-01-01,,,Control manager,c@c.example,,,,".to_owned();
    let edited = edited(&lines.join("\n"));
    insta::assert_snapshot!(format!("{}\n\n{}", shown(&edited), edited.toml));
    let again = from_csv(lines.join("\n").as_bytes(), &edited.toml).unwrap();
    assert!(again.is_nothing());
}

#[test]
fn what_the_console_may_do_is_in_the_table_and_back() {
    let by_links = SMALL.replace("console = false", "console = \"links\" # for now");
    let table = to_csv(&by_links).unwrap();
    assert!(table.contains(",a,links,"), "{table}");
    assert!(from_csv(table.as_bytes(), &by_links).unwrap().is_nothing());
    for (from, to, told, left) in [
        (SMALL, "Links", "console: was \"no\", now \"links\"", Some("console = \"links\"")),
        (by_links.as_str(), "FALSE", "console: was \"links\", now \"no\"", Some("console = false # for now")),
        (by_links.as_str(), "true", "console: was \"links\", now \"yes\"", None),
        (by_links.as_str(), "", "console: was \"links\", now \"yes\"", None),
    ] {
        let edited = from_csv(format!("id,console\na,\nb,{to}\n").as_bytes(), from).unwrap();
        assert_eq!(edited.changed.len(), 2, "{}", shown(&edited));
        assert!(shown(&edited).contains(told), "{}", shown(&edited));
        let line = edited.toml.lines().find(|line| line.starts_with("console"));
        assert_eq!(line, left, "{to}");
    }
}

#[test]
fn a_column_that_is_left_out_leaves_its_field() {
    let edited = edited("id;name\na;Another name\nb;'=HYPERLINK(\"x\")\n");
    insta::assert_snapshot!(shown(&edited), @r#"
    added

    removed

    changed
    a
        name: was "A", now "Another name"
    "#);
}

#[test]
fn a_contact_whose_cells_are_emptied_is_gone() {
    let table = to_csv(SMALL).unwrap().replace("Duty,d@a.example,'+44 1632 960001", ",,");
    let edited = edited(&table);
    assert!(!edited.toml.contains("contacts"), "{}", edited.toml);
    assert_eq!(edited.changed.len(), 4, "{}", shown(&edited));
}

/// Two control rooms in each way that TOML has, a buddy and a coordinating body.
const ROOMS: &str = r#"
areas = [{ id = "north", name = "North" }, { id = "south", name = "South" }]

[[recipients]]
id = "a"
name = "A"
kind = "police"
areas = ["north", "south"]
buddy = "b"
coordinating_body = "c"
control_rooms = [
  { id = "main", name = "Main", critical_contact_number = "0113 496 0001" }, # the old one
  { id = "south", name = "South", critical_contact_number = "0113 496 0002", areas = ["south"] },
]

[[recipients]]
id = "b"
name = "B"
kind = "police"
areas = ["south"]

[[recipients.control_rooms]]
id = "main" # of b
name = "Main of B"
critical_contact_number = "0113 496 0003"

[[recipients]]
id = "c"
name = "C"
kind = "coordination"
areas = []
"#;

#[test]
fn control_rooms_buddies_and_coordinating_bodies_are_in_the_table_and_back() {
    let table = to_csv(ROOMS).unwrap();
    let untouched = from_csv(table.as_bytes(), ROOMS).unwrap();
    assert!(untouched.is_nothing() && untouched.toml == ROOMS, "{}", shown(&untouched));
    let table = table
        .replace("Main,0113 496 0001,", "Headquarters,0113 496 0009,north; south")
        .replace("South,0113 496 0002,south", ",,")
        .replace("Main of B,0113 496 0003,,,,", "Main of B,0113 496 0003,,The second,0113 496 0004,")
        .replace(",b,c,", ",,b,");
    let edited = from_csv(table.as_bytes(), ROOMS).unwrap_or_else(|faults| panic!("{faults:#?}\n{table}"));
    insta::assert_snapshot!(format!("{table}\n{}\n{}", shown(&edited), edited.toml));
    assert!(from_csv(table.as_bytes(), &edited.toml).unwrap().is_nothing());
    // Without any, the field is gone, in either way of writing it.
    let emptied =
        ["Headquarters,0113 496 0009,north; south", "Main of B,0113 496 0003,", "The second,0113 496 0004,"]
            .iter()
            .fold(table.clone(), |table, room| table.replace(room, ",,"));
    let none = from_csv(emptied.as_bytes(), &edited.toml).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(!none.toml.contains("control_rooms"), "{}", none.toml);
}

#[test]
fn a_control_room_has_a_name_and_a_number_or_is_none_and_its_areas_are_the_directorys() {
    let head =
        "id,control room main name,control room main phone,control room Main phone,control room new areas";
    let table = format!("{head}\na,Main,,,atlantis\nb,,,,\nc,,,,");
    let faults = from_csv(table.as_bytes(), ROOMS).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_fault_is_told_with_row_and_column() {
    let head = "id,name,kind,areas,neighbours,console,valid_from,duty role,duty email,colour\n";
    let table = format!(
        "{head}a,,police,north atlantis,zz,perhaps,02/11/2026,Duty,nobody,red\nA b,B,Fire Service,south,a,yes,,,d@b.example,\na,A,police,north,,,,,,,beyond\n,,,,,,,,,\n\"c\nd\",C,fire,,,,,,,"
    );
    let faults = from_csv(table.as_bytes(), SMALL).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_no_table_is_refused_in_words() {
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("no id", b"name\nA\n".to_vec()),
        ("headings alone", b"id,name\n".to_vec()),
        ("Latin-1", b"id,name\na,Caf\xe9\n".to_vec()),
        ("a workbook", b"PK\x03\x04\x00\x00".to_vec()),
    ] {
        let faults = from_csv(&bytes, SMALL).unwrap_err();
        assert!(
            !faults.is_empty() && faults.iter().all(|fault| fault.to_string().len() > 20),
            "{what}: {faults:?}"
        );
    }
    assert!(from_csv(b"id\na\n", "no toml").is_err());
    let huge = vec![b'a'; MAX_TABLE_BYTES + 1];
    assert_eq!(from_csv(&huge, SMALL).unwrap_err().len(), 1);
}
