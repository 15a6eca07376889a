//! The form of the fold's state, which the bytes of a snapshot have: a program takes up those of its own form alone, so
//! that a state of other rules is never gone on with. Its number is raised by hand; here it is seen when it was not.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tocsin_duty::Fold;
use tocsin_protocol::Entry;

use super::{entries, records};

/// What each form makes of each record: the form's number, the record, and the digest.
const FORMS: &str = include_str!("forms.txt");

/// The number of this program's form.
fn form() -> String {
    let form = Fold::form();
    form.split([' ', ',']).nth(1).unwrap().to_owned()
}

/// What a form made of a record when that was kept; none where nothing was.
fn kept(form: &str, release: &str) -> Option<&'static str> {
    let lines = FORMS.lines().filter(|line| !line.starts_with('#'));
    let mut words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.find(|words| words[..2] == [form, release]).map(|words| words[2])
}

/// The states after each entry of a record, as one digest.
fn digest(entries: &[&Entry]) -> String {
    let voices: HashMap<u64, u64> =
        entries.iter().filter_map(|entry| Some((voice(entry)?, entry.sequence))).collect();
    let mut fold = Fold::new();
    let mut digest = Sha256::new();
    for entry in entries {
        fold.apply(entry);
        let state: Value = serde_json::from_slice(&fold.snapshot().unwrap()).unwrap();
        digest.update(plain(state, &voices).to_string());
    }
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

/// By what the fold remembers a signature. Another compiler may give another number for it, and [`Fold::form`] says so
/// by itself.
fn voice(entry: &Entry) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    entry.signed.as_ref()?.signature.hash(&mut hasher);
    Some(hasher.finish())
}

/// A state with nothing in it that differs from one run of a program to the next: what stands in a map in memory has no
/// order. Only what is made of different things, as a pair of a name and a number is, keeps its own.
fn plain(state: Value, voices: &HashMap<u64, u64>) -> Value {
    match state {
        Value::Number(number) => match number.as_u64().and_then(|number| voices.get(&number)) {
            Some(said) => format!("the voice of {said}").into(),
            None => Value::Number(number),
        },
        Value::Array(all) => {
            let mut all: Vec<Value> = all.into_iter().map(|one| plain(one, voices)).collect();
            if all.windows(2).all(|two| std::mem::discriminant(&two[0]) == std::mem::discriminant(&two[1])) {
                all.sort_by_cached_key(Value::to_string);
            }
            Value::Array(all)
        }
        Value::Object(all) => all.into_iter().map(|(name, one)| (name, plain(one, voices))).collect(),
        other => other,
    }
}

#[test]
fn a_state_that_differs_has_a_form_of_its_own() {
    const RAISE: &str = "The fold makes another state of a record that is kept, or writes it otherwise: an older program's \
        snapshot must not be gone on with. Raise FORM in crates/duty/src/fold/snapshot.rs, and let what forms.txt says of \
        the forms before it be.";
    const ADD: &str =
        "Nothing is kept of what this form makes of a record. Add to crates/audit/tests/kept/forms.txt:";
    let form = form();
    let mut missing = Vec::new();
    for (release, bundle) in records() {
        let found = digest(&entries(&bundle));
        match kept(&form, &release) {
            None => missing.push(format!("{form} {release} {found}")),
            Some(known) => assert!(known == found, "{release}, form {form}: {RAISE}"),
        }
    }
    assert!(missing.is_empty(), "{ADD}\n{}", missing.join("\n"));
}

#[test]
fn a_state_is_digested_alike_however_its_maps_lie_in_memory() {
    let of = |text: &str| plain(serde_json::from_str(text).unwrap(), &HashMap::from([(7, 3)])).to_string();
    assert_eq!(of(r#"[["a", 1], ["b", 2]]"#), of(r#"[["b", 2], ["a", 1]]"#));
    assert_ne!(of(r#"[["a", 1], ["b", 2]]"#), of(r#"[["a", 2], ["b", 1]]"#));
    assert_eq!(of("[true, 7]"), r#"[true,"the voice of 3"]"#);
}
