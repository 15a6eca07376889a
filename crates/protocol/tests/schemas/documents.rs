//! Each schema file by itself: it is a schema of 2020-12, it is written for integrators, and it fetches nothing.

use serde_json::Value;
use tocsin_protocol::{
    Category, Certainty, ClockStart, Confidence, EventKind, Platform, Requirement, Service, Severity, Status,
    Urgency,
    schema::{Kind, check, common_schema_text, schema_text},
};

fn documents() -> Vec<(String, Value)> {
    let common = ("common".to_owned(), common_schema_text());
    let all = Kind::ALL.iter().map(|kind| (kind.to_string(), schema_text(*kind))).chain([common]);
    all.map(|(name, text)| (name, serde_json::from_str(text).unwrap())).collect()
}

/// Every object within a value, with its pointer.
fn objects(value: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    let mut left = vec![(String::new(), value)];
    while let Some((pointer, value)) = left.pop() {
        match value {
            Value::Object(fields) => {
                all.push((pointer.clone(), value));
                left.extend(fields.iter().map(|(key, value)| (format!("{pointer}/{key}"), value)));
            }
            Value::Array(list) => {
                left.extend(list.iter().enumerate().map(|(i, value)| (format!("{pointer}/{i}"), value)));
            }
            _ => {}
        }
    }
    all
}

/// Every schema object within a schema: not the examples, and not the objects that hold properties by name.
fn schemas(document: &Value) -> Vec<(String, &Value)> {
    let named = |pointer: &str| {
        let parent = pointer.rsplit('/').next().unwrap_or_default();
        let above = pointer.rsplit('/').nth(1).unwrap_or_default();
        (parent == "properties" || parent == "$defs") && above != "properties"
    };
    objects(document)
        .into_iter()
        .filter(|(pointer, _)| !pointer.contains("/examples/") && !pointer.ends_with("/examples"))
        .filter(|(pointer, _)| !named(pointer))
        .collect()
}

#[test]
fn every_schema_file_is_a_schema_of_2020_12() {
    for (name, document) in documents() {
        assert_eq!(document["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        if let Err(why) = jsonschema::draft202012::meta::validate(&document) {
            panic!("{name}: {why} at {}", why.instance_path());
        }
    }
}

#[test]
fn every_file_in_the_folder_is_built_in() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".schema.json").map(str::to_owned))
        .collect();
    let mut built_in: Vec<_> = documents().into_iter().map(|(name, _)| name).collect();
    files.sort();
    built_in.sort();
    assert_eq!(files, built_in);
}

#[test]
fn every_schema_says_where_it_lives_and_what_it_is_for() {
    for (name, document) in documents() {
        assert_eq!(document["$id"], format!("https://tocsin.example/schemas/{name}.schema.json"));
        assert!(document["title"].is_string() && document["description"].is_string(), "{name}");
        for (pointer, schema) in schemas(&document) {
            let is_property = pointer.rsplit('/').nth(1) == Some("properties") && !pointer.contains("/if/");
            let told =
                schema.get("description").or_else(|| schema.get("$ref")).or_else(|| schema.get("const"));
            assert!(
                !is_property || told.is_some() || schema.get("enum").is_some(),
                "{name}{pointer}: not described"
            );
        }
    }
}

#[test]
fn the_examples_within_a_schema_hold() {
    for kind in Kind::ALL {
        let document: Value = serde_json::from_str(schema_text(*kind)).unwrap();
        let examples = document["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{kind}");
        for example in examples {
            assert_eq!(check(*kind, example.to_string().as_bytes()), Ok(()), "{kind}: {example}");
        }
    }
}

#[test]
fn a_reference_stays_within_these_files() {
    let files: Vec<_> = documents().into_iter().map(|(name, _)| format!("{name}.schema.json")).collect();
    for (name, document) in documents() {
        for (pointer, schema) in schemas(&document) {
            for word in ["$dynamicRef", "$anchor", "$dynamicAnchor"] {
                assert!(schema.get(word).is_none(), "{name}{pointer}: {word}");
            }
            if let Some(target) = schema.get("$ref") {
                let target = target.as_str().unwrap();
                let file = target.split('#').next().unwrap();
                assert!(
                    file.is_empty() || files.iter().any(|known| known == file),
                    "{name}{pointer}: {target}"
                );
            }
        }
    }
}

#[test]
fn every_text_list_and_number_is_bounded() {
    for (name, document) in documents() {
        for (pointer, schema) in schemas(&document) {
            let types: Vec<_> = match &schema["type"] {
                Value::String(one) => vec![one.as_str()],
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                _ => vec![],
            };
            let has = |word: &str| schema.get(word).is_some();
            // A condition is no rule for a value, a fixed word has its own length, and `line` and `text` are given
            // their length where they are used.
            let open = pointer.ends_with("/if")
                || ["enum", "const"].into_iter().any(has)
                || (name == "common" && ["/$defs/line", "/$defs/text"].contains(&pointer.as_str()));
            for one in types.into_iter().filter(|_| !open) {
                let bounded = match one {
                    "string" => has("maxLength"),
                    "array" => has("maxItems") && has("items"),
                    "integer" => has("minimum") && has("maximum"),
                    "object" if has("additionalProperties") && schema["additionalProperties"].is_object() => {
                        has("maxProperties") && has("propertyNames")
                    }
                    _ => true,
                };
                assert!(bounded, "{name}{pointer}: {one} without a bound");
            }
            if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
                let bare = target.ends_with("/$defs/line") || target.ends_with("/$defs/text");
                assert!(!bare || has("maxLength"), "{name}{pointer}: text without a bound");
            }
        }
    }
}

#[test]
fn what_others_may_say_is_closed() {
    for name in ["event", "receipt", "directory"] {
        let documents = documents();
        let (_, document) = documents.iter().find(|(known, _)| known == name).unwrap();
        for (pointer, schema) in schemas(document) {
            if schema["type"] == "object" {
                assert!(schema.get("additionalProperties").is_some(), "{name}{pointer}");
            }
        }
    }
}

#[test]
fn a_pattern_takes_linear_time_in_every_engine() {
    for (name, document) in documents() {
        for (pointer, schema) in schemas(&document) {
            let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { continue };
            for construct in ["(?=", "(?!", "(?<", "\\1", "\\k", ".*.*", "+)+", "*)*", "+)*", "*)+"] {
                assert!(!pattern.contains(construct), "{name}{pointer}: {construct} in {pattern}");
            }
            assert!(pattern.starts_with('^') && pattern.ends_with('$'), "{name}{pointer}: {pattern}");
        }
    }
}

#[test]
fn the_lists_of_words_are_those_of_the_types() {
    let documents = documents();
    let words = |file: &str, pointer: &str| -> Vec<String> {
        let (_, document) = documents.iter().find(|(name, _)| name == file).unwrap();
        let list = document.pointer(pointer).unwrap().get("enum").unwrap();
        serde_json::from_value(list.clone()).unwrap()
    };
    macro_rules! same {
        ($($type:ident = $def:literal),+ $(,)?) => {$(
            let all: Vec<_> = $type::ALL.iter().map(ToString::to_string).collect();
            assert_eq!(words("common", concat!("/$defs/", $def)), all, $def);
        )+};
    }
    same!(
        EventKind = "event-kind",
        Status = "status",
        Category = "category",
        Service = "service",
        Severity = "severity",
        Urgency = "urgency",
        Certainty = "certainty",
        Platform = "platform",
        Requirement = "requirement",
        ClockStart = "clock",
        Confidence = "confidence",
    );
    assert_eq!(
        words("refusal", "/properties/code"),
        words("timeliness-report", "/$defs/refusal/properties/code")
    );
}
