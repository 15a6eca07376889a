//! Who there is: two publishers who owe reports, and over a hundred bodies of five kinds under three policies.

use std::time::Duration;

use serde_json::{Value, json};
use tocsin_protocol::{
    AreaScope, ClockStart, Contact, OwedRule, PolicyDocument, Requirement, Service, StepDocument, Trigger,
    Where, Window,
};

use super::chance::Chance;
use crate::{Cast, PUBLISHER, seconds};

/// The publishers.
pub(super) const PUBLISHERS: [&str; 2] = [PUBLISHER, "backup-operator"];

/// How many bodies of each kind, and whether they must acknowledge.
const KINDS: [(&str, usize, Requirement); 5] = [
    ("police", 42, Requirement::Required),
    ("fire", 32, Requirement::Required),
    ("ambulance", 16, Requirement::Required),
    ("utility", 14, Requirement::Informed),
    ("regulator", 2, Requirement::Required),
];

/// Whom a publisher must telephone too.
pub(super) const REGULATORS: [&str; 2] = ["regulator-1", "regulator-2"];

/// The windows of the policy that owes everybody, of the one that owes ambulance services, utilities and regulators, and
/// of the one that owes a list of lost callers to the police of its area.
pub(super) const WIDE: [f64; 2] = [7.0, 12.0];
pub(super) const NARROW: [f64; 2] = [4.0, 8.0];
const HANDOVER: [f64; 2] = [5.0, 9.0];

/// When the first of what publishers owe is due: the first word by telephone, and an update.
pub(super) const OWED: [f64; 2] = [5.0, 4.5];

/// The areas of the police, and of the lists that they are handed.
pub(super) const AREAS: [&str; 2] = ["north", "south"];

/// The service under the wide policy, and the one under the narrow one. An event may be of both.
pub(super) const WIDE_SERVICE: Service = Service::Voice999;
pub(super) const NARROW_SERVICE: Service = Service::Ecall;

/// All of them, with fresh keys.
pub(super) fn cast() -> Cast {
    let mut cast = Cast::new(&[seconds(1.0)]).publisher(PUBLISHERS[1], AreaScope::All).signing();
    let ids: Vec<String> =
        KINDS.iter().flat_map(|(kind, many, _)| (1..=*many).map(move |n| format!("{kind}-{n}"))).collect();
    cast = cast.required(&ids);
    for recipient in &mut cast.document.recipients {
        let (kind, _) = recipient.id.as_str().split_once('-').unwrap();
        recipient.kind = kind.to_owned();
    }
    for (number, force) in
        cast.document.recipients.iter_mut().filter(|known| known.kind == "police").enumerate()
    {
        force.areas = vec![AREAS[number % 2].parse().unwrap()];
    }
    for publisher in &mut cast.document.publishers {
        let email = format!("duty@{}.example", publisher.id);
        let contact = Contact { role: "Duty manager".to_owned(), email, phone: None };
        publisher.contacts.insert("duty".to_owned(), contact);
    }
    let policy = cast.document.policies.remove(0);
    let [mut wide, mut narrow, mut handover] = [
        owing(&policy, "wide", &[WIDE_SERVICE], &KINDS, WIDE),
        owing(&policy, "narrow", &[NARROW_SERVICE], &KINDS[2..], NARROW),
        owing(&policy, "handover", &[], &KINDS[..1], HANDOVER),
    ];
    let [first, again] = OWED.map(|seconds| format!("{}ms", seconds * 1_000.0));
    wide.duties = duties(&[
        json!({"id": "first-word", "stage": "initial", "from": "published", "within": first, "kinds": ["regulator"],
            "channels": ["telephone", "writing"]}),
        json!({"id": "hourly", "stage": "update", "from": "published", "within": again, "repeat": again, "for": "12s"}),
    ]);
    narrow.duties = duties(&[
        json!({"id": "notification", "stage": "full", "from": "detected", "within": "11s", "target": "7s"}),
        json!({"id": "after-restoration", "stage": "final", "from": "restored", "within": "6s"}),
        json!({"id": "final-report", "stage": "final", "from": "notification", "within": "8s"}),
    ]);
    handover.trigger = Trigger::Handover;
    handover.acknowledge = Vec::new();
    handover.owed.iter_mut().for_each(|rule| rule.place = Where::HandedOver);
    cast.document.policies = vec![wide, narrow, handover];
    cast
}

fn duties(all: &[Value]) -> Vec<tocsin_protocol::DutyDocument> {
    let named = |duty: &Value| {
        let mut duty = duty.clone();
        duty["what"] = format!("What {} asks for", duty["id"]).into();
        serde_json::from_value(duty).unwrap()
    };
    all.iter().map(named).collect()
}

fn owing(
    like: &PolicyDocument,
    id: &str,
    services: &[Service],
    kinds: &[(&str, usize, Requirement)],
    windows: [f64; 2],
) -> PolicyDocument {
    let rule = |(kind, _, requirement): &(&str, usize, Requirement)| OwedRule {
        kinds: vec![(*kind).to_owned()],
        recipients: Vec::new(),
        place: Where::Anywhere,
        requirement: *requirement,
    };
    let step = |(within, contact): (f64, &str)| StepDocument {
        within: Window(seconds(within)),
        contact: contact.to_owned(),
        reach: tocsin_protocol::Reach::Own,
    };
    PolicyDocument {
        id: id.parse().unwrap(),
        clock: ClockStart::Published,
        services: services.to_vec(),
        owed: kinds.iter().map(rule).collect(),
        steps: windows.into_iter().zip(["duty", "senior"]).map(step).collect(),
        ..like.clone()
    }
}

/// What a body does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It acknowledges after this time.
    After(Duration),
    /// It never acknowledges.
    Silent,
}

/// What a body does with an event, always the same for a seed.
pub(super) fn manner(seed: u64, recipient: &str, incident: &str, event: u32) -> Manner {
    let mut chance = Chance::of(seed, &format!("{recipient} {incident} {event}"));
    match chance.below(100) {
        0..55 => Manner::After(chance.millis(0..300)),
        55..80 => Manner::After(chance.millis(500..13_000)),
        _ => Manner::Silent,
    }
}
