//! What goes out comes back, and what a stranger says is kept or told.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use tocsin_protocol::{Area as Place, PublisherId, ReceiptMethod, Status};

use super::*;
use crate::Error;

// What a service could write, as the schemas let it.
#[allow(dead_code, unused_imports, reason = "the tests of protocol use the rest")]
#[path = "../../../protocol/tests/schemas/strategies.rs"]
mod strategies;

use tocsin_protocol::{Event, EventNumber, Person, Receipt};

fn london() -> TimeZone {
    TimeZone::get("Europe/London").unwrap()
}

fn at() -> Timestamp {
    "2023-06-25T05:24:00.987Z".parse().unwrap()
}

/// Exports as the command does.
fn exported(event: &Event, audience: &Audience) -> Alert {
    let zone = london();
    let named = Named {
        zone: &zone,
        domain: Some("operator.example"),
        publisher: &|id| format!("The <{id}> & Sons"),
        area: &|id| format!("Area of {id}"),
    };
    let earlier: Vec<Told> = (1..event.sequence.get())
        .rev()
        .take(3)
        .filter_map(EventNumber::new)
        .map(|event| Told { event, at: at() })
        .collect();
    export(event, at(), &earlier, audience, &named)
}

fn examples() -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/examples/valid");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let is_event =
        |path: &&std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("event-");
    let events = files.iter().filter(is_event).map(|path| fs::read_to_string(path).unwrap());
    events.map(|text| tocsin_protocol::schema::check_event(text.trim().as_bytes()).unwrap()).collect()
}

fn back(alert: &Alert) -> Import {
    import(alert.to_xml().as_bytes(), &Wanted::default()).unwrap()
}

#[test]
fn every_example_of_an_event_comes_back_as_it_was() {
    let events = examples();
    assert!(events.len() >= 3, "{}", events.len());
    for event in events {
        for audience in [Audience::Restricted, Audience::Private(vec!["pol-kent".parse().unwrap()])] {
            let import = back(&exported(&event, &audience));
            assert!(import.ours && import.told.is_empty(), "{:?}", import.told);
            assert_eq!(import.event().unwrap(), event);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_event_says_comes_back_as_it_was(event in strategies::event()) {
        let import = back(&exported(&event, &Audience::Restricted));
        prop_assert!(import.ours && import.told.is_empty(), "{:?}", import.told);
        prop_assert_eq!(import.event().unwrap(), event);
    }
}

fn first() -> Event {
    let json = include_str!("../../tests/data/event.json");
    tocsin_protocol::schema::check_event(json.trim().as_bytes()).unwrap()
}

#[test]
fn an_event_is_said_in_the_words_of_cap() {
    insta::assert_snapshot!(exported(&first(), &Audience::Restricted).to_xml());
}

#[test]
fn an_exercise_says_so_twice_and_what_is_over_is_past() {
    let mut event = first();
    event.status = Status::Exercise;
    let alert = exported(&event, &Audience::Restricted);
    assert_eq!(
        (alert.status, alert.note.as_deref()),
        (CapStatus::Exercise, Some("EXERCISE: nothing has failed"))
    );
    event.kind = tocsin_protocol::EventKind::Resolved;
    event.urgency = None;
    event.instruction = None;
    let alert = exported(&event, &Audience::Restricted);
    assert_eq!(alert.message_type, MessageType::Update);
    assert_eq!((alert.info[0].urgency, alert.info[0].responses.as_slice()), ("Past", &["AllClear"][..]));
    let import = back(&alert);
    assert_eq!(import.event().unwrap(), event, "that CAP must say an urgency adds none");
}

#[test]
fn a_time_has_an_offset_in_figures() {
    for (zone, text) in [
        ("Europe/London", "2023-06-25T06:24:00+01:00"),
        ("Asia/Kathmandu", "2023-06-25T11:09:00+05:45"),
        ("America/New_York", "2023-06-25T01:24:00-04:00"),
    ] {
        assert_eq!(CapTime::of(at(), &TimeZone::get(zone).unwrap()).as_str(), text);
    }
    assert_eq!(CapTime::of(at(), &TimeZone::UTC).as_str(), "2023-06-25T05:24:00-00:00");
    let winter = "2023-12-25T05:24:00Z".parse().unwrap();
    assert_eq!(CapTime::of(winter, &london()).as_str(), "2023-12-25T05:24:00+00:00");
}

/// That Kent has acknowledged it.
fn acknowledged(event: &Event) -> Alert {
    let zone = london();
    let by = Person { name: "A. Example".to_owned(), role: "control room supervisor".to_owned() };
    let receipt = Receipt::acknowledged(
        "pol-kent".parse().unwrap(),
        event.incident.clone(),
        event.sequence,
        at(),
        (by, ReceiptMethod::Page),
    );
    let named =
        Named { zone: &zone, domain: None, publisher: &|id| id.to_string(), area: &|id| id.to_string() };
    let told = Told { event: event.sequence, at: at() };
    let delivered =
        Receipt::delivered("pol-kent".parse().unwrap(), event.incident.clone(), event.sequence, at());
    assert_eq!(acknowledgement(&delivered, at(), event, told, &named), None, "CAP's Ack is a person's");
    acknowledgement(&receipt, at(), event, told, &named).unwrap()
}

#[test]
fn an_acknowledgement_is_an_ack_of_that_message_and_no_draft() {
    let ack = acknowledged(&first());
    insta::assert_snapshot!(ack.to_xml());
    let refused = import(ack.to_xml().as_bytes(), &Wanted::default()).unwrap_err();
    assert!(matches!(refused, Error::NoEvent { .. }), "{refused}");
}

/// What the console tells everybody.
fn public(words: Option<&str>) -> Alert {
    let info = words.map(|words| Info {
        language: LANGUAGE.to_owned(),
        categories: vec!["Infra"],
        event: "Emergency service communications".to_owned(),
        urgency: "Immediate",
        severity: "Unknown",
        certainty: "Unknown",
        headline: Some(words.to_owned()),
        description: Some(words.to_owned()),
        areas: vec![Area { name: "Kent & <Medway>".to_owned(), geocodes: Vec::new() }],
        ..Info::default()
    });
    Alert {
        scope: Scope::Public,
        message_type: if info.is_some() { MessageType::Alert } else { MessageType::Cancel },
        info: info.into_iter().collect(),
        ..exported(&first(), &Audience::Restricted)
    }
}

#[test]
fn whatever_goes_out_holds_to_the_schemas_of_oasis() {
    let libraries = std::env::var_os("TOCSIN_FORMS_PYTHONPATH")
        .expect("what knows the schemas is fetched by `cargo xtask test tests`: run that");
    let folder = tempfile::tempdir().unwrap();
    let put = |name: String, text: String| fs::write(folder.path().join(name), text).unwrap();
    let mut runner = TestRunner::deterministic();
    let made = (0..20).map(|_| strategies::event().new_tree(&mut runner).unwrap().current());
    let mut all: Vec<Alert> = Vec::new();
    for event in examples().into_iter().chain(made) {
        all.push(exported(&event, &Audience::Restricted));
        all.push(exported(
            &event,
            &Audience::Private(vec!["pol-kent".parse().unwrap(), "ofcom".parse().unwrap()]),
        ));
        all.push(acknowledged(&event));
    }
    all.extend([public(Some("Call 112 </info> & \u{1f6a8}\r\n\u{0}")), public(None)]);
    for (number, alert) in all.iter().enumerate() {
        put(format!("{number:04}.cap.xml"), alert.to_xml());
        put(format!("{number:04}.edxl.xml"), crate::edxl::envelope(alert));
    }
    // Faults that the schemas must find, so that a pass means something.
    let good = all[0].to_xml();
    for (name, from, to) in [
        ("time", "<sent>2023-06-25T06:24:00+01:00", "<sent>2023-06-25T05:24:00Z"),
        ("word", "<msgType>", "<msgType>X"),
        ("order", "<scope>", "<note/><scope>"),
        ("stranger", "<identifier>", "<stranger/><identifier>"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{name}");
        put(format!("bad-{name}.cap.xml"), bad);
    }
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/against_the_schemas.py"))
        .arg(folder.path())
        .env("PYTHONPATH", libraries)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains(&format!("{} held", all.len() * 2 + 4)), "{told}");
}

fn places() -> Vec<Place> {
    [("kent", "Kent"), ("uk", "United Kingdom")]
        .map(|(id, name)| Place {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            within: None,
            population: None,
        })
        .to_vec()
}

#[test]
fn a_strangers_message_becomes_a_draft_and_nothing_of_it_is_lost() {
    let text = include_str!("../../tests/data/stranger.xml");
    let known = places();
    let wanted = Wanted {
        publisher: Some(PublisherId::new("bt-cha").unwrap()),
        services: vec![tocsin_protocol::Service::Voice999],
        category: Some(tocsin_protocol::Category::NaturalHazard),
        known: &known,
        ..Wanted::default()
    };
    let import = import(text.as_bytes(), &wanted).unwrap();
    assert!(!import.ours);
    let event = import.event().unwrap_or_else(|why| panic!("{why:?}"));
    assert_eq!(event.areas.iter().map(ToString::to_string).collect::<Vec<_>>(), ["kent"]);
    insta::assert_snapshot!(format!("{}\n\n{}", import.json(), import.told.join("\n")));
    // Every word of the message stands somewhere.
    let document = roxmltree::Document::parse(text).unwrap();
    let all = format!("{}\n{}", import.json().to_lowercase(), import.told.join("\n"));
    // The name of an area that was found is the directory's to say, and times are said in UTC.
    let elsewhere = ["Kent", "2026-01-12T06:10:00-05:00", "Public", "Alert", "Actual"];
    for node in document.descendants().filter(roxmltree::Node::is_text) {
        let words = super::keep::text(node.text().unwrap_or_default());
        if words.is_empty() || elsewhere.contains(&words.as_str()) {
            continue;
        }
        let shown = serde_json::to_string(&words).unwrap().to_lowercase();
        assert!(all.contains(shown.trim_matches('"')), "{words:?} is lost");
    }
}

#[test]
fn what_is_missing_is_told_and_never_guessed() {
    let text = include_str!("../../tests/data/stranger.xml").replace("<msgType>Alert", "<msgType>Update");
    let import = import(text.as_bytes(), &Wanted::default()).unwrap();
    for field in ["publisher", "category", "services", "areas", "sequence"] {
        assert!(import.told.iter().any(|line| line.starts_with(&format!("missing: {field} "))), "{field}");
        assert!(!import.draft.contains_key(field), "{field}");
    }
    assert!(import.event().is_err());
}

#[test]
fn what_is_not_for_everybody_is_marked_so() {
    let text = include_str!("../../tests/data/stranger.xml")
        .replace("<scope>Public</scope>", "<scope>Restricted</scope><restriction>police alone</restriction>");
    let import = import(text.as_bytes(), &Wanted::default()).unwrap();
    assert_eq!(import.draft["marking"], "RESTRICTED: police alone");
}

#[test]
fn what_no_event_can_come_of_is_refused_in_words() {
    let good = include_str!("../../tests/data/stranger.xml");
    let with = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    let laughs = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY a \"ha\"><!ENTITY b \"{}\">]><alert>&b;</alert>",
        "&a;".repeat(100)
    );
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(good.encode_utf16().flat_map(u16::to_le_bytes));
    let latin = with("encoding=\"UTF-8\"", "encoding=\"ISO-8859-1\"");
    let mut table = String::new();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("no XML", b"hello".to_vec()),
        ("half", good.as_bytes()[..good.len() / 2].to_vec()),
        ("laughs", laughs.into_bytes()),
        ("an entity", with("<headline>", "<headline>&secret;")),
        ("a file", with("<alert", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><alert")),
        ("huge", [good.as_bytes(), &vec![b' '; MAX_BYTES]].concat()),
        ("many", format!("<alert xmlns=\"{NAMESPACE}\">{}</alert>", "<code/>".repeat(60_000)).into_bytes()),
        ("deep", format!("{}{}", "<a>".repeat(60_000), "</a>".repeat(60_000)).into_bytes()),
        ("UTF-16", utf16),
        ("Latin-1", latin),
        ("bytes", vec![b'<', 0xc3, 0x28, b'>']),
        ("another root", b"<html/>".to_vec()),
        ("a feed", b"<feed xmlns=\"http://www.w3.org/2005/Atom\"/>".to_vec()),
        ("EDXL", crate::edxl::envelope(&exported(&first(), &Audience::Restricted)).into_bytes()),
        ("CAP 1.1", with("cap:1.2", "cap:1.1")),
        ("no namespace", with(" xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\"", "")),
        ("no sender", with("<sender>floods@agency.example</sender>", "")),
        ("a draft", with("<status>Actual", "<status>Draft")),
        ("a system", with("<status>Actual", "<status>System")),
        ("another status", with("<status>Actual", "<status>Perhaps")),
        ("a refusal", with("<msgType>Alert", "<msgType>Error")),
    ] {
        let why = import(&bytes, &Wanted::default()).unwrap_err();
        writeln!(table, "{what}: {why}").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_deep_message_is_read_without_harm() {
    let deep = format!(
        "<alert xmlns=\"{NAMESPACE}\"><identifier>i</identifier><sender>s</sender><sent>2026-01-12T06:10:00-05:00</sent><status>Test</status><msgType>Alert</msgType><scope>Public</scope>{}x{}</alert>",
        "<code>".repeat(20_000),
        "</code>".repeat(20_000)
    );
    let import = import(deep.as_bytes(), &Wanted::default()).unwrap();
    assert_eq!(import.draft["status"], "test");
}

#[test]
fn the_envelope_names_whom_it_is_for_and_carries_the_message_whole() {
    let alert =
        exported(&first(), &Audience::Private(vec!["pol-kent".parse().unwrap(), "ofcom".parse().unwrap()]));
    let xml = crate::edxl::envelope(&alert);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let to: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name((crate::edxl::NAMESPACE, "explicitAddressValue")))
        .collect();
    assert_eq!(to.iter().filter_map(roxmltree::Node::text).collect::<Vec<_>>(), ["pol-kent", "ofcom"]);
    let inner = document.descendants().find(|node| node.has_tag_name((NAMESPACE, "alert"))).unwrap();
    let import = import(xml[inner.range()].as_bytes(), &Wanted::default()).unwrap();
    assert_eq!(import.event().unwrap(), first());
}
