//! The schema files, built in, and the validators made of them, each once.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use jsonschema::{PatternOptions, Registry, Validator};
use serde_json::Value;

use super::kind::Kind;

pub(super) const COMMON: &str = include_str!("../../../../schemas/common.schema.json");
const COMMON_FILE: &str = "common.schema.json";

/// Where the schemas would be found on the web; nothing is fetched from there.
const BASE: &str = "https://tocsin.example/schemas/";

#[expect(clippy::expect_used, reason = "the schemas are built in, and a test reads every one")]
static DOCUMENTS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    Kind::ALL
        .iter()
        .map(|kind| (format!("{kind}.schema.json"), kind.schema()))
        .chain([(COMMON_FILE.to_owned(), COMMON)])
        .map(|(file, text)| (file, serde_json::from_str(text).expect("a schema file is JSON")))
        .collect()
});

#[expect(clippy::expect_used, reason = "the schemas are built in, and a test builds every validator")]
static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    Registry::new()
        .extend(DOCUMENTS.iter().map(|(file, document)| (format!("{BASE}{file}"), document)))
        .and_then(jsonschema::RegistryBuilder::prepare)
        .expect("the schemas form a registry")
});

/// The validator of a kind.
#[expect(clippy::expect_used, reason = "the schemas are built in, and a test builds every validator")]
pub(super) fn validator(kind: Kind) -> &'static Validator {
    static VALIDATORS: [OnceLock<Validator>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    VALIDATORS[kind as usize].get_or_init(|| {
        jsonschema::options()
            .with_registry(&REGISTRY)
            .offline()
            .should_validate_formats(true)
            // Linear time whatever the value: these patterns meet bytes from strangers.
            .with_pattern_options(PatternOptions::regex())
            .build(document(kind))
            .expect("a schema file is a schema")
    })
}

/// The schema of a kind, parsed.
pub(super) fn document(kind: Kind) -> &'static Value {
    &DOCUMENTS[&format!("{kind}.schema.json")]
}

/// The part of a schema that a fault comes from, and what the schema says of the field that is at fault.
pub(super) struct Origin {
    /// The schema object that holds the keyword that failed.
    pub(super) here: &'static Value,
    /// The description nearest to the field.
    pub(super) about: Option<&'static str>,
}

/// Follows an evaluation path, through references, to the schema object that it ends in.
pub(super) fn origin(kind: Kind, path: &str, keyword: &str) -> Origin {
    let mut file = format!("{kind}.schema.json");
    let mut here = document(kind);
    let mut about = None;
    let mut tokens: Vec<_> =
        path.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
    if tokens.last().is_some_and(|last| last == keyword) {
        tokens.pop();
    }
    for token in tokens {
        let next = if token == "$ref" {
            let target = here.get("$ref").and_then(Value::as_str).unwrap_or_default();
            let (name, pointer) = target.split_once('#').unwrap_or((target, ""));
            if !name.is_empty() {
                name.clone_into(&mut file);
            }
            DOCUMENTS.get(&file).and_then(|document| document.pointer(pointer))
        } else {
            if matches!(token.as_str(), "properties" | "items" | "additionalProperties" | "propertyNames") {
                about = None;
            }
            match here {
                Value::Array(list) => token.parse::<usize>().ok().and_then(|index| list.get(index)),
                other => other.get(&token),
            }
        };
        let Some(next) = next else { break };
        here = next;
        about = about.or_else(|| description(here));
    }
    Origin { here, about }
}

/// What a schema says a property is about: beside its reference, or behind it.
pub(super) fn property_about(schema: &'static Value, name: &str) -> Option<&'static str> {
    description(schema.get("properties")?.get(name)?)
}

fn description(schema: &'static Value) -> Option<&'static str> {
    schema.get("description").and_then(Value::as_str)
}
