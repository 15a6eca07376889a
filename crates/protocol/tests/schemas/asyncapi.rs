//! `schemas/asyncapi.json`: every subject, and what is said there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tocsin_protocol::{
    AttemptPhase, ReceiptStage, Subject,
    schema::{Kind, check},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");

fn document() -> Value {
    let text = std::fs::read_to_string(format!("{FOLDER}/asyncapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn object<'a>(value: &'a Value, pointer: &str) -> &'a serde_json::Map<String, Value> {
    value.pointer(pointer).and_then(Value::as_object).unwrap_or_else(|| panic!("{pointer} is no object"))
}

/// One subject of each form. The match has no arm for the rest: a new form is to be added here and there.
fn forms() -> Vec<(&'static str, Subject)> {
    let samples = [
        "tocsin.incident.p.i.1",
        "tocsin.incident.p.i.1.called.r",
        "tocsin.receipt.r.i.1.delivered",
        "tocsin.report.b.o",
        "tocsin.link.p.l",
        "tocsin.proposal.p.1",
        "tocsin.directory.1",
        "tocsin.refusal.b.1",
        "tocsin.dispatch.p.i.1",
        "tocsin.notice.r.i.1",
        "tocsin.notice.r.i.1.overdue.1",
        "tocsin.window.i.1.1",
        "tocsin.due.i.1.1",
        "tocsin.finding.i.1.1",
        "tocsin.escalation.r.i.1.1",
        "tocsin.attempt.r.i.1.1.1.begun",
        "tocsin.checkpoint.1",
    ];
    let form = |subject: &Subject| match subject {
        Subject::Incident { .. } => "tocsin.incident.{publisher}.{incident}.{event}",
        Subject::Called { .. } => "tocsin.incident.{publisher}.{incident}.{event}.called.{recipient}",
        Subject::Receipt { .. } => "tocsin.receipt.{recipient}.{incident}.{event}.{stage}",
        Subject::Report { .. } => "tocsin.report.{body}.{report}",
        Subject::Link { .. } => "tocsin.link.{publisher}.{link}",
        Subject::Proposal { .. } => "tocsin.proposal.{publisher}.{sequence}",
        Subject::Directory { .. } => "tocsin.directory.{version}",
        Subject::Refusal { .. } => "tocsin.refusal.{body}.{sequence}",
        Subject::Dispatch { .. } => "tocsin.dispatch.{publisher}.{incident}.{event}",
        Subject::Notice { .. } => "tocsin.notice.{recipient}.{incident}.{event}",
        Subject::Overdue { .. } => "tocsin.notice.{recipient}.{incident}.{event}.overdue.{step}",
        Subject::Window { .. } => "tocsin.window.{incident}.{event}.{step}",
        Subject::Due { .. } => "tocsin.due.{incident}.{event}.{step}",
        Subject::Finding { .. } => "tocsin.finding.{incident}.{event}.{step}",
        Subject::Escalation { .. } => "tocsin.escalation.{recipient}.{incident}.{event}.{step}",
        Subject::Attempt { .. } => "tocsin.attempt.{recipient}.{incident}.{event}.{step}.{attempt}.{phase}",
        Subject::Checkpoint { .. } => "tocsin.checkpoint.{number}",
    };
    samples.map(|sample| sample.parse().unwrap()).into_iter().map(|it| (form(&it), it)).collect()
}

/// An address with a value for each parameter.
fn filled(address: &str, values: &BTreeMap<&str, &str>) -> String {
    values.iter().fold(address.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[test]
fn every_subject_of_the_protocol_is_a_channel_and_no_channel_is_any_other_fact() {
    let document = document();
    let channels = object(&document, "/channels");
    let addresses: Vec<&str> =
        channels.values().map(|channel| channel["address"].as_str().unwrap()).collect();
    let facts: BTreeSet<&str> = addresses
        .iter()
        .copied()
        .filter(|address| address.starts_with("tocsin."))
        // These are kept in no stream.
        .filter(|address| !["tocsin.wake.", "tocsin.present."].iter().any(|plain| address.starts_with(plain)))
        .collect();
    assert_eq!(facts, forms().iter().map(|(form, _)| *form).collect());
    let values = BTreeMap::from([
        ("publisher", "p"),
        ("recipient", "r"),
        ("body", "b"),
        ("incident", "i"),
        ("report", "o"),
        ("link", "l"),
        ("stage", "delivered"),
        ("phase", "begun"),
    ]);
    for (form, subject) in forms() {
        let number = ["event", "step", "version", "sequence", "attempt", "number"].map(|name| (name, "1"));
        let text = filled(form, &values.iter().map(|(k, v)| (*k, *v)).chain(number).collect());
        assert_eq!(text.parse::<Subject>().unwrap(), subject, "{form}");
        let channel = channels.values().find(|channel| channel["address"] == form).unwrap();
        let stream = format!("Stream {}.", subject.stream().name());
        assert!(channel["description"].as_str().unwrap().starts_with(&stream), "{form}");
    }
    // What is no fact is the broker's own, or its repetition of one.
    for address in addresses {
        let known = ["tocsin.", "$JS.API.CONSUMER.MSG.NEXT.", "$JS.ACK.", "$JS.API.DIRECT.GET.", "_INBOX."];
        assert!(known.iter().any(|start| address.starts_with(start)), "{address}");
        // A last message is asked for by the whole subject of a fact.
        let read = address.strip_prefix("$JS.API.DIRECT.GET.").and_then(|rest| rest.split_once('.'));
        if let Some((stream, fact)) = read {
            let (_, subject) = forms().into_iter().find(|(form, _)| *form == fact).unwrap();
            assert_eq!(stream, subject.stream().name(), "{address}");
        }
    }
}

#[test]
fn the_words_of_a_parameter_are_those_of_the_protocol() {
    let document = document();
    let words = |name: &str| document["components"]["parameters"][name]["enum"].clone();
    assert_eq!(words("stage"), json!([ReceiptStage::Delivered, ReceiptStage::Acknowledged]));
    assert_eq!(words("phase"), json!([AttemptPhase::Begun.as_str(), AttemptPhase::Ended.as_str()]));
    let mut used = BTreeSet::new();
    for (id, channel) in object(&document, "/channels") {
        let address = channel["address"].as_str().unwrap();
        let in_address: BTreeSet<&str> =
            address.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
        let told: BTreeSet<&str> =
            channel["parameters"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(in_address, told, "{id}");
        used.extend(told.into_iter().map(str::to_owned));
    }
    assert_eq!(used, object(&document, "/components/parameters").keys().cloned().collect());
}

/// Every reference in a value, and where it stands.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(all) => {
            found.extend(all.get("$ref").and_then(Value::as_str));
            all.values().for_each(|value| references(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 100, "{}", all.len());
    for reference in all {
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let target = if file.is_empty() {
            document.clone()
        } else {
            serde_json::from_str(&std::fs::read_to_string(format!("{FOLDER}/{file}")).unwrap()).unwrap()
        };
        assert!(target.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn an_operation_has_messages_of_its_channel_and_whoever_has_one_says_so() {
    let document = document();
    let roles = BTreeSet::from([
        "publisher",
        "recipient",
        "router",
        "broker",
        "notifier",
        "administrator",
        "console",
    ]);
    let (mut seen, mut channels) = (BTreeSet::new(), BTreeSet::new());
    for (id, operation) in object(&document, "/operations") {
        assert!(["send", "receive"].contains(&operation["action"].as_str().unwrap()), "{id}");
        let channel = operation["channel"]["$ref"].as_str().unwrap();
        let within = format!("{channel}/messages/");
        for message in operation["messages"].as_array().unwrap() {
            assert!(message["$ref"].as_str().unwrap().starts_with(&within), "{id}");
        }
        let role = operation["tags"][0]["name"].as_str().unwrap();
        // Who is outside logs in.
        let outside = ["publisher", "recipient"].contains(&role);
        assert_eq!(operation["security"].is_array(), outside, "{id}");
        seen.insert(role);
        channels.insert(channel.to_owned());
        channels.extend(operation["reply"]["channel"]["$ref"].as_str().map(str::to_owned));
    }
    assert_eq!(seen, roles);
    let all: BTreeSet<String> =
        object(&document, "/channels").keys().map(|id| format!("#/channels/{id}")).collect();
    assert_eq!(channels, all, "every channel is used");
}

#[test]
fn every_kind_of_body_on_the_bus_has_a_message_and_every_example_is_valid() {
    let document = document();
    let mut kinds = BTreeSet::new();
    for (id, message) in object(&document, "/components/messages") {
        let examples = message["examples"].as_array().cloned().unwrap_or_default();
        let whole = message["payload"]["schema"]["$ref"].as_str();
        if let Some(kind) = whole.and_then(|file| file.strip_suffix(".schema.json")) {
            assert_eq!(kind, id);
            kinds.insert(kind.to_owned());
            let kind = *Kind::ALL.iter().find(|known| known.to_string() == kind).unwrap();
            assert!(!examples.is_empty() || kind == Kind::Directory, "{id} has no example");
            for example in &examples {
                check(kind, &serde_json::to_vec(&example["payload"]).unwrap()).unwrap();
            }
        } else {
            let schema = jsonschema::draft7::new(&message["payload"]).unwrap();
            for example in &examples {
                assert!(schema.is_valid(&example["payload"]), "{id}: {example}");
            }
        }
    }
    let on_the_bus = Kind::ALL.iter().filter(|kind| kind.is_on_the_bus());
    assert_eq!(kinds, on_the_bus.map(ToString::to_string).collect());
}

#[test]
fn the_headers_of_a_fact_are_those_that_are_read() {
    let document = document();
    let headers = &document["components"]["schemas"]["signed"];
    let required: Vec<&str> =
        headers["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(required, [tocsin_protocol::KEY_HEADER, tocsin_protocol::SIGNATURE_HEADER]);
    let through = object(&document, "/components/schemas/through/properties");
    assert!(through.contains_key(tocsin_protocol::SAID_THROUGH_HEADER));
    for message in ["event", "call", "receipt", "report", "link"] {
        assert_eq!(
            document["components"]["messages"][message]["headers"]["$ref"],
            "#/components/schemas/signed"
        );
    }
}
