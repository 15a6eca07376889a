//! A small day, entry by entry.

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tocsin_protocol::{ConsoleDoors, Contact, Recipient, Stream};

use super::*;

/// When event 1 is published, by the machine.
pub(crate) const PUBLISHED: &str = "2026-01-01T00:00:00Z";

/// Entries as the bus would hold them, told to a progress.
pub(crate) struct Told {
    pub(crate) progress: Progress,
    sequence: u64,
}

impl Told {
    /// A regulator and three fire services that must answer, one forum that is informed.
    pub(crate) fn new() -> Self {
        let contacts = || {
            [("duty".to_owned(), Contact { role: "Duty".into(), email: "d@a.example".into(), phone: None })]
                .into()
        };
        let recipient = |id: &str, name: &str, kind: &str| Recipient {
            buddy: None,
            coordinating_body: None,
            control_rooms: Vec::new(),
            id: id.parse().unwrap(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            nation: None,
            areas: Vec::new(),
            neighbours: Vec::new(),
            key: None,
            contacts: contacts(),
            valid_from: None,
            valid_to: None,
            console: ConsoleDoors::Open,
            last_verified_at: None,
        };
        let document = DirectoryDocument {
            name: "Test".to_owned(),
            time_zone: "Europe/London".to_owned(),
            directory_key: None,
            checkpoint_key: None,
            console_key: None,
            link_key: None,
            areas: Vec::new(),
            monitors: Vec::new(),
            exercises: Vec::new(),
            publishers: Vec::new(),
            recipients: vec![
                recipient("ofcom", "Ofcom", "regulator"),
                recipient("fire-a", "Fire A", "fire"),
                recipient("fire-b", "Fire B", "fire"),
                recipient("fire-c", "Fire C", "fire"),
                recipient("lrf-a", "Forum A", "lrf"),
            ],
            policies: Vec::new(),
        };
        Self { progress: Progress::of(&document), sequence: 0 }
    }

    /// What stands under this subject, this many milliseconds after event 1.
    pub(crate) fn at(&mut self, ms: i64, subject: &str, body: &Value) -> &mut Self {
        self.sequence += 1;
        let entry = Entry {
            stream: Stream::Log,
            sequence: self.sequence,
            time: time(ms),
            subject: format!("tocsin.{subject}"),
            signed: None,
            said_through: None,
            body: Bytes::from(body.to_string()),
        };
        self.progress.take(&entry);
        self
    }

    /// Event 1, dispatched, noticed and delivered.
    pub(crate) fn event_1(&mut self) -> &mut Self {
        self.at(0, "incident.bt.x.1", &json!({
            "incident": "x", "sequence": 1, "kind": "initial", "status": "exercise", "publisher": "bt",
            "category": "outage", "services": ["999-voice"], "headline": "999 calls are failing", "areas": ["uk"],
        }));
        self.at(9, "dispatch.operator.x.1", &json!({
            "incident": "x", "event": 1, "kind": "initial", "status": "exercise", "publisher": "bt", "said": 1,
            "published_at": PUBLISHED, "directory": 1, "acknowledge": true,
            "policies": [{"policy": "uk-999", "clock": "published", "clock_at": PUBLISHED}],
            "steps": [
                {"step": 1, "policy": "uk-999", "due_at": time(5_000).to_string(), "contact": "duty"},
                {"step": 2, "policy": "uk-999", "due_at": time(10_000).to_string(), "contact": "senior"},
            ],
            "owed": [
                {"policy": "uk-999", "requirement": "required", "recipients": ["ofcom", "fire-a", "fire-b", "fire-c"]},
                {"policy": "uk-999", "requirement": "informed", "recipients": ["lrf-a"]},
            ],
        }));
        for (at, id) in ["ofcom", "fire-a", "fire-b", "fire-c", "lrf-a"].iter().enumerate() {
            let at = i64::try_from(at).unwrap();
            self.at(10 + at, &format!("notice.{id}.x.1"), &Value::Null);
            self.at(20 + at, &format!("receipt.{id}.x.1.delivered"), &Value::Null);
        }
        self
    }

    pub(crate) fn acknowledges(&mut self, ms: i64, id: &str) -> &mut Self {
        self.at(
            ms,
            &format!("receipt.{id}.x.1.acknowledged"),
            &json!({
                "incident": "x", "event": 1, "recipient": id, "stage": "acknowledged", "at": PUBLISHED,
                "by": {"name": "Supervisor 2 (invented)", "role": "supervisor"},
            }),
        )
    }

    /// The first window closes on these.
    pub(crate) fn window_1(&mut self, silent: &[&str]) -> &mut Self {
        self.at(5_001, "due.x.1.1", &Value::Null);
        self.at(
            5_002,
            "finding.x.1.1",
            &json!({
                "incident": "x", "event": 1, "step": 1, "policy": "uk-999", "status": "exercise",
                "due_at": time(5_000).to_string(), "closed_at": time(5_001).to_string(),
                "required": 4, "acknowledged": 4 - silent.len(), "silent": silent,
            }),
        );
        for id in silent {
            self.at(5_002, &format!("escalation.{id}.x.1.1"), &Value::Null);
        }
        self
    }

    pub(crate) fn mailed(&mut self, ms: i64, id: &str, outcome: &str) -> &mut Self {
        self.at(
            ms,
            &format!("attempt.{id}.x.1.1.1.ended"),
            &json!({
                "relay": "drill", "outcome": outcome, "code": 250, "reply": "as it went",
            }),
        )
    }

    pub(crate) fn news(&mut self) -> Vec<String> {
        self.progress.news().into_iter().map(|line| line.text).collect()
    }
}

pub(crate) fn time(ms: i64) -> Timestamp {
    PUBLISHED.parse::<Timestamp>().unwrap() + SignedDuration::from_millis(ms)
}

#[test]
fn an_event_is_told_and_how_fast_it_came_to_everybody() {
    let mut told = Told::new();
    told.event_1();
    insta::assert_snapshot!(told.news().join("\n"));
    assert!(!told.progress.is_settled(), "a window is open");
}

#[test]
fn who_is_silent_is_written_to_and_may_be_late() {
    let mut told = Told::new();
    told.event_1().acknowledges(2_000, "ofcom").acknowledges(3_000, "fire-a").news();
    told.window_1(&["fire-b", "fire-c"])
        .mailed(5_030, "fire-b", "temporary")
        .mailed(5_040, "fire-b", "accepted");
    assert_eq!(told.progress.mails, Mails { owed: 2, accepted: 1, given_up: 0 });
    told.mailed(5_050, "fire-c", "accepted").acknowledges(6_000, "fire-c");
    insta::assert_snapshot!(told.news().join("\n"));
    let counts = told.progress.asking().unwrap().1.counts(|_| true);
    assert_eq!(counts, event::Counts { required: 4, in_time: 2, late: 1 });
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    let mut told = Told::new();
    for subject in [
        "dispatch.operator.x.1",
        "finding.x.9.1",
        "attempt.a.x.1.1.1.ended",
        "nonsense",
        "receipt.a.x.1.acknowledged",
    ] {
        told.at(0, subject, &Value::Null);
    }
    assert_eq!(told.news(), Vec::<String>::new());
}
