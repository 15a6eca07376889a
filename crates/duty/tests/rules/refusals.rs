use tocsin_duty::Verdict;
use tocsin_protocol::RefusalCode;

use crate::story::{Story, event};

fn refusal(verdict: Verdict) -> (RefusalCode, String) {
    match verdict {
        Verdict::Refused(refusal) => (refusal.code, refusal.reasons.join("; ")),
        other => panic!("not refused: {other:?}"),
    }
}

const EVENT: &str = "tocsin.incident.bt.x.1";
const RECEIPT: &str = "tocsin.receipt.ofcom.x.1.acknowledged";

fn acknowledgement(recipient: &str) -> String {
    format!(
        r#"{{"incident": "x", "event": 1, "recipient": "{recipient}", "stage": "acknowledged",
            "at": "2023-06-25T06:30:00+01:00", "by": {{"name": "A", "role": "supervisor"}}}}"#
    )
}

/// Its name, who signs it, under which subject, which bytes, and the code that follows.
type Case<'c> = (&'c str, Option<&'c str>, &'c str, String, RefusalCode);

#[test]
fn whatever_does_not_count_is_refused_by_a_code_and_in_words() {
    let valid = event("bt", "").to_string();
    let cases: Vec<Case<'_>> = vec![
        (
            "no such publisher",
            Some("stranger"),
            "tocsin.incident.kcom.x.1",
            valid.clone(),
            RefusalCode::UnknownPublisher,
        ),
        ("unsigned", None, EVENT, valid.clone(), RefusalCode::BadSignature),
        ("signed by another", Some("kent-police"), EVENT, valid.clone(), RefusalCode::BadSignature),
        ("no event at all", Some("bt"), EVENT, "{".to_owned(), RefusalCode::BadSchema),
        (
            "no headline",
            Some("bt"),
            EVENT,
            event("bt", r#""headline": """#).to_string(),
            RefusalCode::BadSchema,
        ),
        (
            "huge",
            Some("bt"),
            EVENT,
            event("bt", &format!(r#""description": "{}""#, "x".repeat(60_000))).to_string(),
            RefusalCode::TooLarge,
        ),
        (
            "another subject",
            Some("bt"),
            "tocsin.incident.bt.y.1",
            valid.clone(),
            RefusalCode::SubjectMismatch,
        ),
        (
            "no such area",
            Some("bt"),
            EVENT,
            event("bt", r#""areas": ["atlantis"]"#).to_string(),
            RefusalCode::UnknownArea,
        ),
        (
            "not its area",
            Some("kent-police"),
            "tocsin.incident.kent-police.x.1",
            event("kent-police", r#""areas": ["essex"]"#).to_string(),
            RefusalCode::AreaNotAllowed,
        ),
        (
            "second first",
            Some("bt"),
            "tocsin.incident.bt.x.2",
            event("bt", r#""sequence": 2, "kind": "update""#).to_string(),
            RefusalCode::WrongSequence,
        ),
        (
            "no such recipient",
            Some("stranger"),
            "tocsin.receipt.nobody.x.1.acknowledged",
            acknowledgement("nobody"),
            RefusalCode::UnknownRecipient,
        ),
        ("no such event", Some("ofcom"), RECEIPT, acknowledgement("ofcom"), RefusalCode::UnknownEvent),
        (
            "no subject of ours",
            Some("bt"),
            "tocsin.dispatch.bt.x.1",
            valid.clone(),
            RefusalCode::UnknownSubject,
        ),
        ("junk", None, "tocsin.incident.*", valid.clone(), RefusalCode::UnknownSubject),
    ];
    for (name, author, subject, body, expected) in cases {
        let (code, words) = refusal(Story::new().say(0, author, subject, &body));
        assert_eq!(code, expected, "{name}: {words}");
        assert!(!words.is_empty(), "{name}");
    }
}

#[test]
fn an_incident_refuses_what_does_not_fit_its_past() {
    let mut story = Story::new();
    story.event(0, "");
    story.follow(1);
    let cases = [
        ("said otherwise", r#""headline": "other words""#, RefusalCode::AlreadySaid),
        ("one left out", r#""sequence": 3, "kind": "update""#, RefusalCode::WrongSequence),
        (
            "now an exercise",
            r#""sequence": 2, "kind": "update", "status": "exercise""#,
            RefusalCode::StatusChanged,
        ),
    ];
    for (name, fields, expected) in cases {
        let (code, words) = refusal(story.event(2, fields));
        assert_eq!(code, expected, "{name}: {words}");
    }
    let others = event("kent-police", r#""sequence": 2, "kind": "update""#).to_string();
    let (code, words) =
        refusal(story.say(3, Some("kent-police"), "tocsin.incident.kent-police.x.2", &others));
    assert_eq!(code, RefusalCode::AnothersIncident, "{words}");

    story.event(4, r#""sequence": 2, "kind": "cancelled""#);
    let (code, _) = refusal(story.event(5, r#""sequence": 3, "kind": "update""#));
    assert_eq!(code, RefusalCode::IncidentClosed);
}

#[test]
fn the_same_words_said_again_are_a_retry_and_no_refusal() {
    let mut story = Story::new();
    assert!(matches!(story.event(0, ""), Verdict::Event(_)));
    assert_eq!(story.event(1, ""), Verdict::Repeated);
    story.follow(2);
    assert!(matches!(story.acknowledge(3, "ofcom", 1), Verdict::Receipt(_)));
    let (code, _) = refusal(story.acknowledge(4, "ofcom", 1));
    assert_eq!(code, RefusalCode::AlreadySaid, "at another time: other words");
}

#[test]
fn a_receipt_written_by_another_body_does_not_count_and_keeps_nobody_out() {
    let mut story = Story::new();
    story.event(0, "");
    story.follow(1);
    let (code, _) = refusal(story.say(2, Some("kent-police"), RECEIPT, &acknowledgement("ofcom")));
    assert_eq!(code, RefusalCode::BadSignature);
    assert!(matches!(story.acknowledge(3, "ofcom", 1), Verdict::Receipt(_)));
}

#[test]
fn whoever_was_not_owed_an_event_cannot_acknowledge_it() {
    let mut story = Story::new();
    story.event(0, r#""areas": ["essex"]"#);
    story.follow(1);
    let (code, _) = refusal(story.acknowledge(2, "kent-fire", 1));
    assert_eq!(code, RefusalCode::NotOwed);
}
