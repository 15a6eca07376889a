use bytes::Bytes;
use tocsin_protocol::{Escalation, EscalationReason, EventKind, Finding, NewFact, Subject};

use crate::story::{Story, read, subjects};

const FIRST: i64 = 15 * 60;
const SECOND: i64 = 30 * 60;

fn finding(facts: &[NewFact]) -> Finding {
    read(facts, |subject| matches!(subject, Subject::Finding { .. }))
}

fn silent(finding: &Finding) -> Vec<&str> {
    finding.silent.iter().map(tocsin_protocol::RecipientId::as_str).collect()
}

/// An event that Ofcom, Kent's police and fire must acknowledge.
fn begun() -> Story {
    let mut story = Story::new();
    story.event(0, "");
    story.follow(1);
    story
}

#[test]
fn the_silent_are_escalated_to_and_nobody_else() {
    let mut story = begun();
    story.acknowledge(10, "ofcom", 1);
    let facts = story.close(FIRST + 1, 1, 1);
    assert_eq!(
        subjects(&facts),
        ["tocsin.finding.x.1.1", "tocsin.escalation.kent-police.x.1.1", "tocsin.escalation.kent-fire.x.1.1"]
    );
    let found = finding(&facts);
    assert_eq!(
        (found.required, found.acknowledged, silent(&found)),
        (3, 1, vec!["kent-police", "kent-fire"])
    );
    let escalation: Escalation = read(&facts, |subject| matches!(subject, Subject::Escalation { .. }));
    assert_eq!(
        (escalation.contact.as_str(), escalation.to.email.as_str()),
        ("duty", "duty@kent-police.example")
    );
    assert_eq!(escalation.reason, EscalationReason::Silent);
}

#[test]
fn the_last_moment_of_a_window_is_in_time_and_the_next_is_late() {
    let mut story = begun();
    story.acknowledge(FIRST, "ofcom", 1);
    story.acknowledge(FIRST + 1, "kent-fire", 1);
    let found = finding(&story.close(FIRST + 2, 1, 1));
    assert_eq!(silent(&found), ["kent-police", "kent-fire"]);
    let [late] = &found.late[..] else { panic!("{:?}", found.late) };
    assert_eq!((late.recipient.as_str(), late.acknowledged_at), ("kent-fire", story.at(FIRST + 1)));
}

#[test]
fn a_window_that_the_broker_cannot_have_closed_yet_is_not_believed() {
    let mut story = begun();
    assert!(story.close(FIRST - 1, 1, 1).is_empty());
    assert!(!story.close(FIRST + 1, 1, 1).is_empty(), "the true one still counts");
}

#[test]
fn an_acknowledgement_stops_every_later_step_at_once_and_for_good() {
    let mut story = begun();
    story.close(FIRST + 1, 1, 1);
    for recipient in ["ofcom", "kent-police", "kent-fire"] {
        story.acknowledge(FIRST + 60, recipient, 1);
    }
    assert_eq!(subjects(&story.close(SECOND + 1, 1, 2)), ["tocsin.finding.x.1.2"]);
}

#[test]
fn an_acknowledgement_of_a_later_event_covers_the_earlier_ones() {
    let mut story = begun();
    story.event(60, r#""sequence": 2, "kind": "update", "platform": "none""#);
    story.follow(61);
    story.acknowledge(120, "ofcom", 2);
    story.acknowledge(121, "kent-police", 1);
    assert_eq!(silent(&finding(&story.close(FIRST + 1, 1, 1))), ["kent-fire"]);
    assert_eq!(
        silent(&finding(&story.close(FIRST + 61, 2, 1))),
        ["kent-police", "kent-fire"],
        "and one of the earlier does not cover the later"
    );
}

#[test]
fn what_ends_an_incident_stops_escalation_and_the_finding_says_so() {
    for kind in ["resolved", "cancelled"] {
        let mut story = begun();
        story.event(60, &format!(r#""sequence": 2, "kind": "{kind}""#));
        story.follow(61);
        let facts = story.close(FIRST + 1, 1, 1);
        assert_eq!(subjects(&facts), ["tocsin.finding.x.1.1"], "{kind}");
        let stopped = finding(&facts).stopped_by.unwrap();
        assert_eq!((stopped.event.get(), stopped.kind.as_str()), (2, kind));
    }
}

#[test]
fn what_ends_an_incident_after_the_window_excuses_nobody() {
    let mut story = begun();
    story.event(FIRST + 1, r#""sequence": 2, "kind": "resolved""#);
    let found = story.follow(FIRST + 2);
    assert!(found.iter().any(|fact| fact.subject.to_string() == "tocsin.dispatch.bt.x.2"));
    let facts = story.close(FIRST + 3, 1, 1);
    assert_eq!(facts.len(), 4, "a finding and three escalations");
    assert!(finding(&facts).stopped_by.is_none());
}

#[test]
fn a_contact_that_cannot_be_reached_is_followed_by_the_next_at_once() {
    let mut story = begun();
    story.close(FIRST + 1, 1, 1);
    let ended = |outcome: &str| {
        Bytes::from(format!(r#"{{"relay": "a", "outcome": "{outcome}", "reply": "550 no such user"}}"#))
    };
    story.log(FIRST + 2, "tocsin.attempt.ofcom.x.1.1.1.ended", ended("temporary"));
    assert!(story.follow(FIRST + 2).is_empty());
    story.log(FIRST + 3, "tocsin.attempt.ofcom.x.1.1.2.ended", ended("permanent"));
    let facts = story.follow(FIRST + 3);
    assert_eq!(subjects(&facts), ["tocsin.escalation.ofcom.x.1.2"]);
    let escalation: Escalation = read(&facts, |_| true);
    assert_eq!((escalation.contact.as_str(), escalation.reason), ("senior", EscalationReason::Unreachable));
    let second = subjects(&story.close(SECOND + 1, 1, 2));
    assert!(!second.contains(&"tocsin.escalation.ofcom.x.1.2".to_owned()), "once: {second:?}");
}

#[test]
fn whoever_is_informed_is_never_escalated_to() {
    let mut story = begun();
    let (first, second) = (story.close(FIRST + 1, 1, 1), story.close(SECOND + 1, 1, 2));
    let informed = |facts: &[NewFact]| {
        subjects(facts).iter().any(|subject| subject.contains("essex-police") || subject.contains("kent-lrf"))
    };
    assert!(!informed(&first) && !informed(&second));
}

#[test]
fn two_incidents_do_not_touch_each_other_and_an_exercise_covers_nothing_actual() {
    let mut story = begun();
    story.event(5, r#""incident": "y", "status": "exercise""#);
    story.follow(6);
    let receipt = r#"{"incident": "y", "event": 1, "recipient": "ofcom", "stage": "acknowledged",
        "at": "2023-06-25T06:30:00+01:00", "by": {"name": "A", "role": "supervisor"}}"#;
    story.say(10, Some("ofcom"), "tocsin.receipt.ofcom.y.1.acknowledged", receipt);
    story.event(11, r#""incident": "y", "sequence": 2, "kind": "cancelled", "status": "exercise""#);
    story.follow(12);
    let found = finding(&story.close(FIRST + 1, 1, 1));
    assert_eq!(silent(&found), ["ofcom", "kent-police", "kent-fire"]);
    assert!(found.stopped_by.is_none());
    assert_eq!(found.status, tocsin_protocol::Status::Actual);
}

#[test]
fn a_cancelled_incident_needs_no_acknowledgement_of_its_end_and_reaches_all_who_were_told() {
    let mut story = begun();
    story.event(60, r#""sequence": 2, "kind": "cancelled""#);
    let facts = story.follow(61);
    assert_eq!(facts.len(), 6, "the record and a notice for each of five: {:?}", subjects(&facts));
    let dispatch: tocsin_protocol::Dispatch =
        read(&facts, |subject| matches!(subject, Subject::Dispatch { .. }));
    assert_eq!((dispatch.kind, dispatch.acknowledge), (EventKind::Cancelled, false));
}
