//! Notices for tests.

use std::collections::BTreeMap;

use tocsin_duty::Course;
use tocsin_protocol::{
    Category, Entry, Event, EventContact, EventKind, EventNumber, Impact, Notice, Overdue, Platform,
    Recontact, RecontactFigures, Requirement, Service, Severity, SigningKey, Status, Stream, Subject,
    Timestamp, to_body,
};

use crate::{
    arrivals::{Arrived, Delivered},
    read::{ReadNotice, read_notice},
};

pub(crate) const RECIPIENT: &str = "pol-kent";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The first minute's words.
pub(crate) fn event() -> Event {
    serde_json::from_value(serde_json::json!({
        "incident": "bt-cha-2023-06-25-0624", "sequence": 1, "kind": "initial", "status": "actual",
        "publisher": "bt-cha", "category": "outage", "services": ["999-voice", "112-voice"],
        "headline": "999 and 112 calls are not being connected", "areas": ["kent"],
    }))
    .unwrap()
}

/// Everything that an event can tell.
pub(crate) fn in_full(event: &mut Event) {
    *event = Event {
        sequence: EventNumber::new(2).unwrap(),
        kind: EventKind::Update,
        status: Status::Exercise,
        category: Category::Failover,
        services: vec![Service::Voice999, Service::EmergencySms],
        description: Some(
            "The transfer to the backup platform failed.\nPartial loss has become total loss.".to_owned(),
        ),
        instruction: Some(
            "Staff your own published numbers. Log calls that come in by other ways.".to_owned(),
        ),
        public_advice: Some("If you cannot reach 999, call 101.".to_owned()),
        severity: Some(Severity::Extreme),
        began_at: Some(at("2023-06-25T05:24:00Z")),
        detected_at: Some(at("2023-06-25T05:31:00Z")),
        expected_restoration_at: Some(at("2023-06-25T23:30:00Z")),
        next_update_by: Some(at("2023-06-25T06:00:00Z")),
        platform: Some(Platform::None),
        impact: Some(Impact {
            calls_unsuccessful: Some(11_470),
            as_of: Some(at("2023-06-25T05:30:00Z")),
            source: Some("network statistics".to_owned()),
            provisional: Some(true),
            ..Impact::default()
        }),
        recontact: Some(Recontact {
            total: RecontactFigures {
                reached: Some(7_001),
                outstanding: Some(4_469),
                handed_to_police: None,
            },
            ..Recontact::default()
        }),
        contact: Some(EventContact {
            role: "999 incident desk".to_owned(),
            name: None,
            phone: Some("+44 1632 960 999".to_owned()),
            email: Some("incident-desk@operator.example".to_owned()),
            bridge: None,
        }),
        marking: Some("OFFICIAL".to_owned()),
        ..event.clone()
    };
}

/// A notice of this event, as the router would write it, signed by a key of its own.
pub(crate) fn notice(event: &Event, key: &SigningKey) -> Notice {
    let body = to_body("event", event).unwrap();
    let signed = key.sign(&event.subject().to_string(), &body).unwrap();
    Notice {
        recontact_here: None,
        incident: event.incident.clone(),
        event: event.sequence,
        recipient: RECIPIENT.parse().unwrap(),
        status: event.status,
        requirement: Requirement::Required,
        acknowledge: true,
        due_at: Some(at("2023-06-25T05:48:00Z")),
        policies: vec!["uk-999".parse().unwrap()],
        directory: 1,
        said: 17,
        published_at: at("2023-06-25T05:33:00Z"),
        calls_unsuccessful_here: event.impact.as_ref().map(|_| 312),
        key: signed.key,
        signature: signed.signature,
        said_body: serde_json::from_slice(&body).unwrap(),
    }
}

pub(crate) fn entry(notice: &Notice) -> Entry {
    Entry {
        stream: Stream::Log,
        sequence: 40,
        time: at("2023-06-25T05:33:00.5Z"),
        subject: Subject::Notice {
            recipient: notice.recipient.clone(),
            incident: notice.incident.clone(),
            event: notice.event,
        }
        .to_string(),
        signed: None,
        said_through: Some(17),
        body: to_body("notice", notice).unwrap(),
    }
}

/// That an update did not come, as the router would write it on this subject.
pub(crate) fn overdue(subject: &str) -> Entry {
    let overdue = Overdue {
        incident: "bt-999".parse().unwrap(),
        event: "1".parse().unwrap(),
        step: "3".parse().unwrap(),
        recipient: RECIPIENT.parse().unwrap(),
        status: Status::Exercise,
        publisher: "bt-cha".parse().unwrap(),
        promised_by: at("2023-06-25T06:15:00Z"),
    };
    Entry {
        stream: Stream::Log,
        sequence: 7,
        time: at("2023-06-25T06:15:00.001Z"),
        subject: subject.to_owned(),
        signed: None,
        said_through: None,
        body: to_body("overdue", &overdue).unwrap(),
    }
}

/// A notice in hand, of an event as changed by the caller.
pub(crate) fn arrived(change: impl FnOnce(&mut Event)) -> Arrived {
    let mut event = event();
    change(&mut event);
    let read: ReadNotice = read_notice(
        &entry(&notice(&event, &SigningKey::generate())),
        &RECIPIENT.parse().unwrap(),
        &BTreeMap::new(),
    )
    .unwrap();
    Arrived {
        read,
        delivered: Delivered::Said(at("2023-06-25T05:33:01Z")),
        superseded_by: None,
        before: Course::Open,
    }
}
