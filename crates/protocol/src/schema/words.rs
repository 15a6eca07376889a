//! What to tell a person: the field, what was given, and what is expected, in the schema's own words.

use std::collections::BTreeSet;

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Fault},
};
use serde_json::Value;

use super::{
    documents::{self, Origin},
    kind::Kind,
    place::{field, join},
    problem::{MAX_PROBLEMS, Problem},
};
use crate::error::shown;

/// The problems that a failed keyword stands for: one, or one for each field that should not be there.
pub(super) fn problems(kind: Kind, error: &ValidationError<'_>) -> Vec<Problem> {
    let keyword = error.kind().keyword();
    let pointer = error.instance_path().as_str();
    let origin = documents::origin(kind, error.evaluation_path().as_str(), keyword);
    match error.kind() {
        Fault::AdditionalProperties { unexpected } | Fault::UnevaluatedProperties { unexpected } => {
            let one = |key: &String| {
                problem(kind, join(pointer, key), keyword, &stranger(kind, pointer, key, &origin))
            };
            unexpected.iter().take(MAX_PROBLEMS + 1).map(one).collect()
        }
        Fault::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let about = documents::property_about(origin.here, name)
                .or_else(|| documents::property_about(documents::document(kind), name));
            vec![problem(kind, join(pointer, name), keyword, &with("is missing", about))]
        }
        Fault::PropertyNames { error: inner } => {
            let keyword = inner.kind().keyword();
            let origin = documents::origin(kind, inner.evaluation_path().as_str(), keyword);
            let key = inner.instance().as_str().unwrap_or_default();
            let told = problem(kind, pointer.to_owned(), keyword, &what(inner, &origin));
            vec![Problem { pointer: join(pointer, key), ..told }]
        }
        _ => vec![problem(kind, pointer.to_owned(), keyword, &what(error, &origin))],
    }
}

fn problem(kind: Kind, pointer: String, keyword: &str, what: &str) -> Problem {
    let message = match field(&pointer) {
        name if name.is_empty() => format!("the {}: {what}", kind.as_str()),
        name => format!("{name}: {what}"),
    };
    Problem { pointer, keyword: keyword.to_owned(), message }
}

fn what(error: &ValidationError<'_>, origin: &Origin) -> String {
    let given: &Value = error.instance();
    let here = origin.here.get("description").and_then(Value::as_str);
    let about = origin.about.or(here);
    let title = origin.here.get("title").and_then(Value::as_str);
    match error.kind() {
        Fault::Type { kind } if given.is_null() => {
            format!("is null: give {}, or leave it out", expected(kind))
        }
        Fault::Type { kind } if expected(kind) == "a list" && !given.is_object() => {
            format!("{given} is not in a list: write [{given}]", given = quoted(given))
        }
        Fault::Type { kind } => {
            format!("{} is {}: expected {}", quoted(given), type_of(given), expected(kind))
        }
        Fault::Enum { options } => {
            let known = title.map_or_else(|| "known".to_owned(), |title| format!("{} we know", a(title)));
            format!("{} is not {known}: use one of {}", quoted(given), list(options))
        }
        Fault::Pattern { .. } | Fault::Format { .. } => {
            with(&format!("{} is not {}", quoted(given), title.map_or_else(|| "valid".to_owned(), a)), here)
        }
        Fault::Not { schema } if schema.as_object().is_some_and(serde_json::Map::is_empty) => {
            with("may not be given here", here)
        }
        Fault::Constant { .. } | Fault::Not { .. } => with(&format!("{} does not fit", quoted(given)), here),
        Fault::MinLength { limit: 1 } | Fault::MinItems { limit: 1 } => with("is empty", about),
        Fault::MinLength { limit } => {
            format!("{} is too short: use at least {limit} characters", quoted(given))
        }
        Fault::MaxLength { limit } => {
            let long = given.as_str().map_or(0, |text| text.chars().count());
            format!("is {long} characters long: use at most {limit}")
        }
        Fault::MinItems { limit } | Fault::MinProperties { limit } => {
            format!("has {}: give at least {limit}", entries(given))
        }
        Fault::MaxItems { limit } | Fault::MaxProperties { limit } => {
            format!("has {}: give at most {limit}", entries(given))
        }
        Fault::Minimum { limit } => format!("{} is too small: use at least {limit}", quoted(given)),
        Fault::Maximum { limit } => format!("{} is too large: use at most {limit}", quoted(given)),
        Fault::UniqueItems => match twice(given) {
            Some(value) => format!("has {} twice: give each once", quoted(value)),
            None => "has an entry twice: give each once".to_owned(),
        },
        _ => with(&format!("{} does not fit", quoted(given)), about),
    }
}

fn stranger(kind: Kind, parent: &str, key: &str, origin: &Origin) -> String {
    let whole = match field(parent) {
        name if name.is_empty() => a(kind.as_str()),
        name => name,
    };
    let known = origin.here.get("properties").and_then(Value::as_object);
    match known.and_then(|known| known.keys().find(|name| near(name, key))) {
        Some(name) => format!("{whole} has no such field: did you mean {name}?"),
        None => format!("{whole} has no such field: leave it out"),
    }
}

/// The first sentence of a description, as the end of a message.
fn with(what: &str, description: Option<&str>) -> String {
    let Some(text) = description else {
        return what.to_owned();
    };
    let sentence = text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.');
    let mut letters = sentence.chars();
    let (first, rest) = (letters.next(), letters.as_str());
    match first {
        Some(first) if !rest.starts_with(char::is_uppercase) => {
            format!("{what}: {}{rest}", first.to_lowercase())
        }
        _ => format!("{what}: {sentence}"),
    }
}

fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", shown(text)),
        Value::Array(_) | Value::Object(_) => "what is given".to_owned(),
        other => other.to_string(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn expected(kind: &TypeKind) -> String {
    let word = |name: String| match name.as_str() {
        "null" => "nothing (null)",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        _ => "an object",
    };
    match kind {
        TypeKind::Single(one) => word(one.to_string()).to_owned(),
        TypeKind::Multiple(set) => {
            set.iter().map(|one| word(one.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn list(options: &Value) -> String {
    let all: Vec<_> =
        options.as_array().into_iter().flatten().map(|o| o.as_str().unwrap_or("null")).collect();
    all.join(", ")
}

fn entries(value: &Value) -> String {
    let count = value.as_array().map_or_else(|| value.as_object().map_or(0, serde_json::Map::len), Vec::len);
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

fn twice(value: &Value) -> Option<&Value> {
    let mut seen = BTreeSet::new();
    value.as_array()?.iter().find(|entry| !seen.insert(entry.to_string()))
}

/// Whether a key is a slip of the pen for a field's name: another case or hyphenation, or up to two letters.
fn near(name: &str, key: &str) -> bool {
    const LONGEST: usize = 40;
    let plain = |text: &str| -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).take(LONGEST).collect()
    };
    let (name, key) = (plain(name), plain(key));
    if name.len().abs_diff(key.len()) > 2 {
        return false;
    }
    let slips = if name.len() < 6 { 1 } else { 2 };
    distance(&name, &key) <= slips
}

/// Levenshtein's distance.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, r) in right.iter().enumerate() {
            let change = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_known() {
        assert!(near("headline", "headlin"));
        assert!(near("began_at", "beganAt"));
        assert!(near("detected_at", "Detected-At"));
        assert!(!near("by", "at"));
        assert!(!near("headline", "deadlines of all"));
        assert!(!near("headline", &"x".repeat(100_000)));
    }
}
