//! Directory and policy files, and the directory as it stands on the bus.

use std::collections::BTreeMap;

use tocsin_duty::{Directory, Gravity, TEXT_MAX, Text, Texts, policy_files};
use tocsin_fuzz::{check, files, text};
use tocsin_protocol::{
    DirectoryDocument, SigningKey, from_body,
    schema::{self, Kind},
    to_body,
};

/// Between the files of one input: TOML has no use for it.
const NEXT: char = '\u{1e}';

fn seeds() -> Vec<Vec<u8>> {
    let policy = String::from_utf8(files("deploy/policy", "example", ".toml").remove(0)).unwrap();
    let example = String::from_utf8(files("deploy/directory", "example", ".toml").remove(0)).unwrap();
    // Every key the same: that is a fault of its own, and one without keys tells little else.
    let key = SigningKey::generate().public();
    let keys: String = example
        .lines()
        .filter_map(|line| line.trim().strip_prefix("id = \"")?.strip_suffix('"'))
        .flat_map(|id| [id, " = \"", &key, "\"\n"])
        .collect();
    let mut seeds = vec![format!("{example}{NEXT}{policy}{NEXT}{keys}").into_bytes()];
    for policy in files("deploy/policy", "u", ".toml") {
        seeds.push([example.as_bytes(), b"\x1e", &policy].concat());
    }
    seeds
}

#[test]
fn there_is_a_directory_or_a_fault_that_says_why() {
    check("directory-files", seeds(), |bytes| {
        let all = text(bytes);
        let mut parts = all.split(NEXT);
        let file = |name: &str, text: &str| Text { file: name.to_owned(), text: text.to_owned() };
        let directory = file("directory.toml", parts.next().unwrap_or_default());
        let policy = parts.next().unwrap_or_default();
        let keys = parts.next().map(|keys| file("keys.toml", keys));
        let policies: BTreeMap<_, _> = policy_files(&directory)
            .into_iter()
            .map(|named| {
                let read = file(&named, policy);
                (named, read)
            })
            .collect();
        let today = Some("2026-03-01".parse().unwrap());
        let (document, faults) = tocsin_duty::check(&Texts { directory, policies, keys, today });
        let grave = faults.iter().any(|fault| fault.gravity == Gravity::Error);
        assert_eq!(document.is_none(), grave, "{faults:?}");
        assert!(faults.len() <= 10_000);
        if let Some(document) = document {
            let body = to_body("directory", &document).unwrap();
            if let Err(problems) = schema::check(Kind::Directory, &body) {
                panic!("`directory check` passes what may not stand on the bus: {problems:?}");
            }
            if let Err(why) = Directory::build(1, document) {
                panic!("`directory check` passes what cannot be built: {why:?}");
            }
        }
    });
    assert_eq!(TEXT_MAX, 16 << 20, "what is longer is refused unread, and so is not tried here");
}

#[test]
fn a_directory_from_the_bus_is_built_or_refused() {
    let mut seeds = files("schemas/examples/valid", "directory-", ".json");
    seeds.extend(files("schemas/examples/invalid", "directory-", ".json"));
    check("directory-record", seeds, |bytes| {
        let Ok(document) = from_body::<DirectoryDocument>("directory", bytes) else { return };
        let areas: Vec<_> = document.areas.iter().map(|area| area.id.clone()).collect();
        let Ok(directory) = Directory::build(1, document) else { return };
        for policy in directory.policies() {
            let _ = directory.owed(policy, &areas, &areas);
        }
        for publisher in directory.document().publishers.iter().filter_map(|p| directory.publisher(&p.id)) {
            for area in &areas {
                let _ = directory.may_speak_of(publisher, area);
            }
        }
    });
}
