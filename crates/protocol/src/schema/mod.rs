//! The public contract, enforced: JSON Schemas for everything on the wire, and what to say when a body breaks one.
//!
//! The files in `schemas/` are hand-written and are the source of truth; they are built into the program, so that
//! nothing is fetched at run time. What is signed must mean one thing, so a body is stricter than JSON: one object,
//! nothing around it, no key twice, whole numbers only (a report may have fractions), a bounded size and depth.
//!
//! Size comes first, then syntax, then the schema; all problems of a body are told at once, in a stable order, one
//! for each place, in words for a person under stress.

mod documents;
mod kind;
mod place;
mod problem;
mod strict;
mod words;

pub use kind::{Kind, MAX_EVENT_BYTES, MAX_RECEIPT_BYTES, MAX_TRAIL_BYTES};
pub use problem::{MAX_PROBLEMS, Problem};
pub use strict::MAX_DEPTH;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    error::shown,
    fact::{Call, Event, Linking, Receipt, Report},
};

/// Reads an event that a publisher said.
///
/// # Errors
/// Every problem of the body, at most [`MAX_PROBLEMS`] and one that says that there are others.
pub fn check_event(body: &[u8]) -> Result<Event, Vec<Problem>> {
    read(Kind::Event, body)
}

/// Reads a receipt that a recipient said.
///
/// # Errors
/// Every problem of the body, at most [`MAX_PROBLEMS`] and one that says that there are others.
pub fn check_receipt(body: &[u8]) -> Result<Receipt, Vec<Problem>> {
    read(Kind::Receipt, body)
}

/// Reads a report that a body said.
///
/// # Errors
/// Every problem of the body, at most [`MAX_PROBLEMS`] and one that says that there are others.
pub fn check_report(body: &[u8]) -> Result<Report, Vec<Problem>> {
    read(Kind::Report, body)
}

/// Reads a link that a publisher said.
///
/// # Errors
/// Every problem of the body, at most [`MAX_PROBLEMS`] and one that says that there are others.
pub fn check_link(body: &[u8]) -> Result<Linking, Vec<Problem>> {
    read(Kind::Link, body)
}

/// Reads a call that a publisher logged.
///
/// # Errors
/// Every problem of the body, at most [`MAX_PROBLEMS`] and one that says that there are others.
pub fn check_call(body: &[u8]) -> Result<Call, Vec<Problem>> {
    read(Kind::Call, body)
}

/// Holds a body against the schema of its kind.
///
/// # Errors
/// Every problem of the body, at most [`MAX_PROBLEMS`] and one that says that there are others.
pub fn check(kind: Kind, body: &[u8]) -> Result<(), Vec<Problem>> {
    valid(kind, body).map(drop)
}

/// The schema of a kind, as published.
pub fn schema_text(kind: Kind) -> &'static str {
    kind.schema()
}

/// The definitions that the schemas share, as published.
pub fn common_schema_text() -> &'static str {
    documents::COMMON
}

/// How many failed keywords are put into words, to choose from: a large body can break a rule a million times.
const MAX_WORDED: usize = 4096;

fn read<T: DeserializeOwned>(kind: Kind, body: &[u8]) -> Result<T, Vec<Problem>> {
    // What the schema passes and the type does not is a fault of ours, and still no reason to stop.
    serde_json::from_value(valid(kind, body)?).map_err(|why| {
        vec![Problem::of_body(kind, "value", &format!("cannot be read: {}", shown(&why.to_string())))]
    })
}

fn valid(kind: Kind, body: &[u8]) -> Result<Value, Vec<Problem>> {
    let text = framed(kind, body).map_err(|problem| vec![problem])?;
    let read = strict::read(kind, text);
    let value = match read.value {
        Some(value) if read.problems.is_empty() && documents::validator(kind).is_valid(&value) => {
            return Ok(value);
        }
        Some(value) => value,
        None => return Err(read.problems),
    };
    let mut found = read.problems;
    found.extend(
        documents::validator(kind)
            .iter_errors(&value)
            .take(MAX_WORDED)
            .flat_map(|error| words::problems(kind, &error)),
    );
    Err(problem::in_order(kind, found))
}

/// The text of a body of fitting size that is one object with nothing around it.
fn framed(kind: Kind, body: &[u8]) -> Result<&str, Problem> {
    if body.len() > kind.max_bytes() {
        let what = format!("is {} bytes long: at most {} are taken", body.len(), kind.max_bytes());
        return Err(Problem::of_body(kind, "maxBytes", &what));
    }
    let text = std::str::from_utf8(body).map_err(|why| {
        let what = format!("is not UTF-8 text: byte {} cannot stand there", why.valid_up_to());
        Problem::of_body(kind, "encoding", &what)
    })?;
    if text.starts_with('{') && text.ends_with('}') {
        return Ok(text);
    }
    let bare = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if bare.starts_with('{') && bare.ends_with('}') {
        let what = "has white space (or a byte-order mark) around it: send the object alone, from { to }";
        return Err(Problem::of_body(kind, "whitespace", what));
    }
    Err(Problem::of_body(kind, "json", "is not one JSON object: send one, from { to }"))
}
