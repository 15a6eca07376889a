//! An event's fields as names and values, and back, by the event's own schema.

use std::sync::LazyLock;

use serde_json::{Map, Number, Value};
use tocsin_protocol::schema;

/// What the names of our parameters begin with.
pub(super) const PREFIX: &str = "tocsin:";

/// The deepest path of a field in an event.
const DEEPEST: usize = 6;

/// Each field of `object` by its path, but for those at the top that stand elsewhere. A list is its name repeated; an
/// empty object is its name alone.
pub(super) fn flatten(object: &Map<String, Value>, elsewhere: &[&str]) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (name, value) in object.iter().filter(|(name, _)| !elsewhere.contains(&name.as_str())) {
        lay(&format!("{PREFIX}{name}"), value, &mut flat);
    }
    flat
}

fn lay(name: &str, value: &Value, flat: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (inner, value) in object {
                lay(&format!("{name}.{inner}"), value, flat);
            }
        }
        Value::Array(all) => {
            for one in all {
                lay(name, one, flat);
            }
        }
        Value::Object(_) | Value::Null => flat.push((name.to_owned(), String::new())),
        Value::String(text) => flat.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => flat.push((name.to_owned(), value.to_string())),
    }
}

/// Puts one of our parameters back in its place.
///
/// # Errors
/// In words, when the schema knows no such field, or the value cannot stand there.
pub(super) fn restore(object: &mut Map<String, Value>, name: &str, text: &str) -> Result<(), String> {
    let unknown = || format!("{name} is no field of an event that is known here");
    let path: Vec<&str> = name.strip_prefix(PREFIX).ok_or_else(unknown)?.split('.').take(DEEPEST).collect();
    let shape = shape(&path).ok_or_else(unknown)?;
    let Some((last, outer)) = path.split_last() else { return Err(unknown()) };
    let cannot = || format!("{name} cannot be {:?}", text.chars().take(40).collect::<String>());
    let is_list = word(shape) == "array";
    let of = if is_list { shape.get("items").map_or(shape, resolved) } else { shape };
    let value = scalar(word(of), text).ok_or_else(cannot)?;
    let mut place = object;
    for step in outer {
        let next = place.entry(*step).or_insert_with(|| Value::Object(Map::new()));
        place = next.as_object_mut().ok_or_else(cannot)?;
    }
    if is_list {
        let items = place.entry(*last).or_insert_with(|| Value::Array(Vec::new()));
        items.as_array_mut().ok_or_else(cannot)?.push(value);
    } else if place.contains_key(*last) {
        return Err(format!(
            "{name} is said twice: {:?} is left out",
            text.chars().take(40).collect::<String>()
        ));
    } else {
        place.insert((*last).to_owned(), value);
    }
    Ok(())
}

fn scalar(what: &str, text: &str) -> Option<Value> {
    match what {
        "boolean" => text.parse().ok().map(Value::Bool),
        "integer" | "number" => text.parse::<Number>().ok().map(Value::Number),
        "object" => text.is_empty().then(|| Value::Object(Map::new())),
        _ => Some(Value::String(text.to_owned())),
    }
}

static EVENT: LazyLock<Value> = LazyLock::new(|| read(schema::schema_text(schema::Kind::Event)));
static COMMON: LazyLock<Value> = LazyLock::new(|| read(schema::common_schema_text()));

/// A schema that is built in. It is read as JSON by `protocol` too, whose tests hold it; Null has no fields.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// What the schema says of the field at this path.
fn shape(path: &[&str]) -> Option<&'static Value> {
    path.iter().try_fold(&*EVENT, |at, step| {
        let named = at.get("properties").and_then(|all| all.get(*step));
        let inner = named.or_else(|| at.get("additionalProperties").filter(|rest| rest.is_object()))?;
        Some(resolved(inner))
    })
}

/// What a `$ref` leads to.
fn resolved(shape: &'static Value) -> &'static Value {
    let Some(to) = shape.get("$ref").and_then(Value::as_str) else { return shape };
    let (file, pointer) = to.split_once('#').unwrap_or((to, ""));
    let document = if file.is_empty() { &*EVENT } else { &*COMMON };
    document.pointer(pointer).unwrap_or(shape)
}

fn word(shape: &Value) -> &str {
    shape.get("type").and_then(Value::as_str).unwrap_or("string")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_what_a_value_is() {
        let mut object = Map::new();
        for (name, text) in [
            ("tocsin:marking", "12"),
            ("tocsin:services", "999-voice"),
            ("tocsin:services", "112-voice"),
            ("tocsin:impact.calls_unsuccessful", "12"),
            ("tocsin:impact.provisional", "true"),
            ("tocsin:impact.by_area.kent", "7"),
            ("tocsin:recontact", ""),
        ] {
            restore(&mut object, name, text).unwrap();
        }
        insta::assert_snapshot!(Value::Object(object.clone()), @r#"{"impact":{"by_area":{"kent":7},"calls_unsuccessful":12,"provisional":true},"marking":"12","recontact":{},"services":["999-voice","112-voice"]}"#);
        for (name, text) in [
            ("tocsin:future", "1"),
            ("tocsin:", ""),
            ("tocsin:impact.calls_unsuccessful", "many"),
            ("tocsin:impact", "x"),
            ("tocsin:marking.deep", "x"),
            ("tocsin:impact.by_area.kent.x", "1"),
            ("tocsin:marking", "again"),
        ] {
            assert!(restore(&mut object, name, text).is_err(), "{name}");
        }
    }
}
