//! One thing that is wrong with a body.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{documents, kind::Kind};

/// The most problems that are told of one body; one more says that there are others.
pub const MAX_PROBLEMS: usize = 32;

/// One thing that is wrong with a body. Its length is bounded, whatever the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The place, as a JSON Pointer: for a missing or an unknown field, where it would or does stand. Empty for the
    /// body as a whole.
    pub pointer: String,
    /// The JSON Schema keyword that failed; or, for what no schema can say, `maxBytes`, `encoding`, `whitespace`,
    /// `json`, `maxDepth`, `duplicateKey`, `value`, or `more` for the problems that were left out.
    pub keyword: String,
    /// The field, what was given, and what is expected.
    pub message: String,
}

impl Problem {
    /// A problem of the body as a whole.
    pub(super) fn of_body(kind: Kind, keyword: &str, what: &str) -> Self {
        Self {
            pointer: String::new(),
            keyword: keyword.to_owned(),
            message: format!("the {}: {what}", kind.as_str()),
        }
    }
}

/// One problem for each place, mandatory fields first, and not too many.
pub(super) fn in_order(kind: Kind, found: Vec<Problem>) -> Vec<Problem> {
    let mut places: BTreeMap<Vec<Step>, Problem> = BTreeMap::new();
    for problem in found {
        let place = steps(kind, &problem.pointer);
        match places.get(&place) {
            Some(known) if telling(&known.keyword) <= telling(&problem.keyword) => {}
            _ => drop(places.insert(place, problem)),
        }
    }
    let more = places.len() > MAX_PROBLEMS;
    let mut all: Vec<_> = places.into_values().take(MAX_PROBLEMS).collect();
    if more {
        all.push(Problem::of_body(kind, "more", "has more problems, which are not shown: mend these first"));
    }
    all
}

/// A step of a pointer, in the order in which people read: mandatory fields as the schema lists them, then others by
/// name, entries of a list by number.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Mandatory(usize),
    Index(u64),
    Other(String),
}

fn steps(kind: Kind, pointer: &str) -> Vec<Step> {
    let mandatory = documents::document(kind).get("required").and_then(Value::as_array);
    let rank = |token: &str| mandatory?.iter().position(|name| name == token);
    pointer
        .split('/')
        .skip(1)
        .enumerate()
        .map(|(depth, token)| match (depth, rank(token), token.parse()) {
            (0, Some(rank), _) => Step::Mandatory(rank),
            (_, _, Ok(index)) => Step::Index(index),
            _ => Step::Other(token.to_owned()),
        })
        .collect()
}

/// Which of two faults at one place tells the reader more; less is better. A value of the wrong type breaks its other
/// rules too, and a rule between fields only matters once each of them is right.
fn telling(keyword: &str) -> u8 {
    match keyword {
        "duplicateKey" => 0,
        "type" | "required" => 1,
        "minLength" | "minItems" => 2,
        "enum" | "format" => 3,
        "pattern" => 5,
        "const" | "not" => 6,
        _ => 4,
    }
}
