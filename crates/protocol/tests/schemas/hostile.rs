//! Bytes from strangers: never a panic, always a bounded answer, and soon.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;
use tocsin_protocol::schema::{
    Kind, MAX_DEPTH, MAX_EVENT_BYTES, MAX_PROBLEMS, MAX_RECEIPT_BYTES, Problem, check, check_event,
    check_receipt,
};

use crate::strategies;

/// Longer than any message here, shorter than any trick would make one.
const LONGEST: usize = 1000;

fn bounded(answer: Result<(), Vec<Problem>>) {
    if let Err(problems) = answer {
        assert!(!problems.is_empty() && problems.len() <= MAX_PROBLEMS + 1, "{} problems", problems.len());
        for Problem { pointer, keyword, message } in problems {
            assert!(pointer.chars().count() <= LONGEST, "{pointer}");
            assert!(!keyword.is_empty() && keyword.len() <= 30, "{keyword}");
            assert!(message.chars().count() <= LONGEST, "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}

fn event(field: &str, value: &str) -> String {
    let mut all = json!({
        "incident": "x", "sequence": 1, "kind": "initial", "status": "actual", "publisher": "bt-cha",
        "category": "outage", "services": ["999-voice"], "headline": "x", "areas": ["uk"],
    });
    let fields = all.as_object_mut().unwrap();
    fields.remove(field);
    let known = serde_json::to_string(fields).unwrap();
    format!("{},{}:{value}}}", known.trim_end_matches('}'), json!(field))
}

/// As many of a piece as an event of the largest size can hold.
fn many(field: &str, open: &str, piece: &dyn Fn(usize) -> String, close: &str) -> String {
    let mut value = open.to_owned();
    for n in 0.. {
        let next = piece(n);
        if value.len() + next.len() + 300 > MAX_EVENT_BYTES {
            break;
        }
        if n > 0 {
            value.push(',');
        }
        value.push_str(&next);
    }
    event(field, &(value + close))
}

fn long(piece: &str) -> String {
    format!("\"{}\"", piece.repeat((MAX_EVENT_BYTES - 400) / piece.len()))
}

fn hostile() -> Vec<(&'static str, String)> {
    let digits = "9".repeat(MAX_EVENT_BYTES - 400);
    vec![
        ("numbers in place of areas", many("areas", "[", &|_| "1".into(), "]")),
        ("the same area for ever", many("areas", "[", &|_| "\"a\"".into(), "]")),
        ("areas without end", many("areas", "[", &|n| format!("\"a{n}\""), "]")),
        ("areas that are none", many("areas", "[", &|n| format!("\"A {n}\""), "]")),
        ("lists in place of services", many("services", "[", &|_| "[[]]".into(), "]")),
        ("the same key for ever", many("impact", "{", &|_| "\"a\":1".into(), "}")),
        ("unknown keys without end", many("impact", "{", &|n| format!("\"{n}\":0"), "}")),
        ("keys that are near misses", many("impact", "{", &|n| format!("\"by_area{n}\":0"), "}")),
        ("figures of no area", many("impact", "{\"by_area\":{", &|n| format!("\" {n}\":0"), "}}")),
        (
            "recontact without end",
            many("recontact", "{\"by_area\":{", &|n| format!("\"a{n}\":{{\"x\":{{}}}}"), "}}"),
        ),
        ("one long key", event(&"k".repeat(40_000), "1")),
        ("one long key of slashes", event(&"~/".repeat(20_000), "1")),
        ("a long headline", event("headline", &long("a"))),
        ("a headline of spaces", event("headline", &long(" "))),
        ("a headline of escapes", event("headline", &long("\\u0000"))),
        ("a headline of combining letters", event("headline", &long("a\u{301}"))),
        ("a headline of line ends", event("headline", &long("\\r\\n"))),
        ("a long description", event("description", &long("word "))),
        ("a long identifier", event("incident", &long("a-"))),
        ("a long time", event("began_at", &long("2023-06-25T06:24:00Z"))),
        ("a time of endless fractions", event("began_at", &format!("\"2023-06-25T06:24:00.{digits}Z\""))),
        ("a long address", event("contact", &format!("{{\"role\":\"x\",\"email\":{}}}", long("a@a.")))),
        ("a whole number without end", event("sequence", &digits)),
        ("a fraction without end", event("sequence", &format!("0.{digits}"))),
        ("a power without end", event("sequence", &format!("1e-{digits}"))),
        ("lists in lists", event("areas", &format!("{}{}", "[".repeat(24_000), "]".repeat(24_000)))),
        ("lists in lists, never closed", event("areas", &"[".repeat(48_000))),
        (
            "objects in objects",
            event("impact", &format!("{}1{}", "{\"a\":".repeat(8_000), "}".repeat(8_000))),
        ),
        (
            "as deep as may be",
            event("impact", &format!("{}1{}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1))),
        ),
        ("nothing but braces", "{".repeat(24_000) + &"}".repeat(24_000)),
        ("nothing but white space", format!("{{{}}}", " ".repeat(48_000))),
    ]
}

#[test]
fn a_hostile_event_is_answered_soon_and_shortly() {
    for (what, body) in hostile() {
        assert!(body.len() <= MAX_EVENT_BYTES, "{what}: {} bytes", body.len());
        #[expect(clippy::disallowed_methods, reason = "what is measured is time")]
        let start = Instant::now();
        let answer = check(Kind::Event, body.as_bytes());
        // Without optimisation, on a busy machine; a trick that works takes minutes.
        assert!(start.elapsed() < Duration::from_secs(10), "{what}: {:?}", start.elapsed());
        assert!(answer.is_err(), "{what}");
        bounded(answer);
    }
}

#[test]
fn what_is_too_large_is_not_even_read() {
    let body = vec![b'['; 100_000_000];
    for (kind, most) in [(Kind::Event, MAX_EVENT_BYTES), (Kind::Receipt, MAX_RECEIPT_BYTES)] {
        assert_eq!(kind.max_bytes(), most);
        let problems = check(kind, &body).unwrap_err();
        assert_eq!((problems.len(), problems[0].keyword.as_str()), (1, "maxBytes"));
    }
}

#[test]
fn the_largest_event_that_may_be_is_taken() {
    let areas: Vec<_> = (0..500).map(|n| format!("area-{n}")).collect();
    let body = event("areas", &json!(areas).to_string());
    let event = check_event(body.as_bytes()).unwrap();
    assert_eq!(event.areas.len(), 500);
}

#[test]
fn a_large_directory_full_of_faults_is_answered_too() {
    let recipients = "{},".repeat(200_000);
    let body = format!(r#"{{"name":"x","time_zone":"UTC","recipients":[{recipients}1]}}"#);
    bounded(check(Kind::Directory, body.as_bytes()));
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kind in Kind::ALL {
            bounded(check(*kind, &bytes));
        }
        prop_assert!(check_event(&bytes).is_err() && check_receipt(&bytes).is_err());
    }

    #[test]
    fn any_json_gets_an_answer(body in "\\{(\"[a-z_]{1,9}\":([\\[\\]{}0-9.eE:,+-]|\"[\\PC]{0,9}\"|null|true){1,6},?){0,6}\\}") {
        for kind in Kind::ALL {
            bounded(check(*kind, body.as_bytes()));
        }
    }

    /// One byte of a good event changed: it is refused with an answer, or it is another good event.
    #[test]
    fn a_changed_byte_gets_an_answer(event in strategies::event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = serde_json::to_vec(&event).unwrap();
        let at = at.index(body.len());
        body[at] = byte;
        match check_event(&body) {
            Ok(other) => prop_assert!(serde_json::to_vec(&other).is_ok()),
            Err(problems) => bounded(Err(problems)),
        }
    }

    /// What passes the schema, our type reads: no fact is lost between the two.
    #[test]
    fn what_passes_is_read(mut event in strategies::event(), field in 0..29_usize, value in any::<ProbeValue>()) {
        event.sequence = tocsin_protocol::EventNumber::FIRST;
        let mut body = serde_json::to_value(&event).unwrap();
        let fields = body.as_object_mut().unwrap();
        let name = FIELDS[field];
        fields.insert(name.to_owned(), value.0);
        let body = body.to_string();
        if check(Kind::Event, body.as_bytes()).is_ok() {
            prop_assert!(check_event(body.as_bytes()).is_ok(), "{}", body);
        }
    }
}

const FIELDS: [&str; 31] = [
    "incident",
    "sequence",
    "kind",
    "status",
    "publisher",
    "category",
    "services",
    "headline",
    "areas",
    "description",
    "instruction",
    "public_advice",
    "public_advice_in",
    "severity",
    "urgency",
    "certainty",
    "began_at",
    "detected_at",
    "aware_at",
    "discovered_at",
    "classified_at",
    "restored_at",
    "expected_restoration_at",
    "next_update_by",
    "platform",
    "impact",
    "recontact",
    "contact",
    "marking",
    "by_rule",
    "unknown",
];

/// A value that a field might be given.
#[derive(Debug, Clone)]
struct ProbeValue(serde_json::Value);

impl Arbitrary for ProbeValue {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let time = "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?(Z|[+-][0-2][0-9]:[0-5][0-9])";
        let scalar = prop_oneof![
            time.prop_map(|text| json!(text)),
            Just(json!("9999-12-31T23:59:59.999999999-23:59")),
            Just(json!("2999-12-31T23:59:60Z")),
            Just(json!("1000-01-01T00:00:00+23:59")),
            "[a-z0-9-]{1,66}".prop_map(|text| json!(text)),
            "\\PC{0,40}".prop_map(|text| json!(text)),
            any::<u64>().prop_map(|number| json!(number)),
            any::<i64>().prop_map(|number| json!(number)),
            any::<f64>().prop_map(|number| json!(number)),
            any::<bool>().prop_map(|word| json!(word)),
            Just(json!(null)),
        ];
        let field = "(calls_unsuccessful|by_area|as_of|source|provisional|reached|role|name|email|kent)";
        scalar
            .prop_recursive(3, 12, 4, move |inner| {
                prop_oneof![
                    proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
                    proptest::collection::btree_map(field, inner, 0..4).prop_map(|object| json!(object)),
                ]
            })
            .prop_map(ProbeValue)
            .boxed()
    }
}
