//! The files in `schemas/examples`: the valid ones pass and survive our types, the invalid ones fail as they say.

use std::{collections::BTreeMap, fs};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AuthorKey, Call, DirectoryDocument, Dispatch, Due, Escalation, Event,
    Finding, Linking, Notice, Overdue, Proposal, Receipt, Refusal, Report, Signed, Timestamp, from_body,
    schema::{Kind, check, check_event, check_link, check_receipt, check_report},
};

/// The files of a folder by name, without what editors put around a body.
fn folder(name: &str) -> BTreeMap<String, Vec<u8>> {
    let path = format!("{}/../../schemas/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let files: BTreeMap<_, _> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .map(|(name, bytes)| (name, bytes.trim_ascii().to_vec()))
        .collect();
    assert!(files.len() > 50, "{} files in {name}", files.len());
    files
}

/// The kind that a file's name begins with.
fn kind(file: &str) -> Kind {
    let fits =
        |kind: &&Kind| file.strip_prefix(kind.as_str()).is_some_and(|rest| rest.starts_with(['-', '.']));
    *Kind::ALL.iter().filter(fits).max_by_key(|kind| kind.as_str().len()).expect(file)
}

#[derive(Deserialize)]
struct Expectation {
    kind: String,
    errors: Vec<Place>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Place {
    pointer: String,
    keyword: String,
}

#[test]
fn every_valid_example_passes() {
    for (file, body) in folder("valid") {
        assert_eq!(check(kind(&file), &body), Ok(()), "{file}");
    }
}

#[test]
fn every_kind_has_a_valid_and_an_invalid_example() {
    for folder in [folder("valid"), folder("invalid")] {
        for wanted in Kind::ALL {
            assert!(folder.keys().any(|file| kind(file) == *wanted), "{wanted}");
        }
    }
}

#[test]
fn every_invalid_example_fails_as_it_says() {
    let files = folder("invalid");
    for (file, body) in files.iter().filter(|(file, _)| !file.ends_with(".expect.json")) {
        let sidecar = file.replace(".json", ".expect.json");
        let expected: Expectation = serde_json::from_slice(files.get(&sidecar).expect(&sidecar)).unwrap();
        assert_eq!(expected.kind, kind(file).as_str(), "{file}");
        let problems = check(kind(file), body).expect_err(file);
        let found: Vec<_> = problems
            .iter()
            .map(|problem| Place { pointer: problem.pointer.clone(), keyword: problem.keyword.clone() })
            .collect();
        assert_eq!(found, expected.errors, "{file}: {problems:#?}");
    }
}

#[test]
fn every_valid_example_is_the_same_after_our_types() {
    for (file, body) in folder("valid") {
        match kind(&file) {
            Kind::Event => same::<Event>(&file, &body),
            Kind::Call => same::<Call>(&file, &body),
            Kind::Overdue => same::<Overdue>(&file, &body),
            Kind::Receipt => same::<Receipt>(&file, &body),
            Kind::Report => same::<Report>(&file, &body),
            Kind::Link => same::<Linking>(&file, &body),
            Kind::Proposal => same::<Proposal>(&file, &body),
            Kind::Directory => same::<DirectoryDocument>(&file, &body),
            Kind::Refusal => same::<Refusal>(&file, &body),
            Kind::Dispatch => same::<Dispatch>(&file, &body),
            Kind::Notice => same::<Notice>(&file, &body),
            Kind::Due => same::<Due>(&file, &body),
            Kind::Finding => same::<Finding>(&file, &body),
            Kind::Escalation => same::<Escalation>(&file, &body),
            Kind::AttemptBegun => same::<AttemptBegun>(&file, &body),
            Kind::AttemptEnded => same::<AttemptEnded>(&file, &body),
            // Its types are the audit's, which holds them against the schema itself.
            made => assert!(!made.is_on_the_bus(), "{made}"),
        }
    }
}

#[test]
fn what_is_checked_is_what_is_read() {
    for (file, body) in folder("valid") {
        match kind(&file) {
            Kind::Event => {
                assert_eq!(check_event(&body).unwrap(), from_body::<Event>("event", &body).unwrap());
            }
            Kind::Receipt => {
                assert_eq!(check_receipt(&body).unwrap(), from_body::<Receipt>("receipt", &body).unwrap());
            }
            Kind::Report => {
                assert_eq!(check_report(&body).unwrap(), from_body::<Report>("report", &body).unwrap());
            }
            Kind::Link => {
                assert_eq!(check_link(&body).unwrap(), from_body::<Linking>("link", &body).unwrap());
            }
            _ => {}
        }
    }
}

#[test]
fn the_notices_carry_the_authors_signature_over_the_exact_bytes() {
    let mut seen = 0;
    for (file, body) in folder("valid") {
        if kind(&file) == Kind::Notice {
            let notice: Notice = from_body("notice", &body).unwrap();
            let bytes = notice.said_body.get().as_bytes();
            let subject = check_event(bytes).unwrap().subject().to_string();
            let signed = Signed { key: notice.key.clone(), signature: notice.signature.clone() };
            AuthorKey::new(&notice.key).unwrap().verify(&subject, bytes, &signed).unwrap();
            seen += 1;
        }
    }
    assert!(seen > 0);
}

fn same<T: DeserializeOwned + Serialize>(file: &str, body: &[u8]) {
    let read: T = serde_json::from_slice(body).unwrap_or_else(|why| panic!("{file}: {why}"));
    let before: Value = serde_json::from_slice(body).unwrap();
    let after = serde_json::to_value(&read).unwrap();
    assert_eq!(moments(before), moments(after), "{file}");
}

/// A value with every time told in UTC: our types keep the moment, not the offset in which it was written.
fn moments(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > 10 => match text.parse::<Timestamp>() {
            Ok(moment) => Value::String(moment.to_string()),
            Err(_) => Value::String(text),
        },
        Value::Array(list) => Value::Array(list.into_iter().map(moments).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (key, moments(value))).collect())
        }
        other => other,
    }
}
