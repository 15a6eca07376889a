//! Who there is: two publishers, and over a hundred bodies of four kinds under two policies.

use std::time::Duration;

use tocsin_protocol::{
    AreaScope, ClockStart, OwedRule, PolicyDocument, Requirement, Service, StepDocument, Where, Window,
};

use super::chance::Chance;
use crate::{Cast, PUBLISHER, seconds};

/// The publishers.
pub(super) const PUBLISHERS: [&str; 2] = [PUBLISHER, "backup-operator"];

/// How many bodies of each kind, and whether they must acknowledge.
const KINDS: [(&str, usize, Requirement); 4] = [
    ("police", 42, Requirement::Required),
    ("fire", 32, Requirement::Required),
    ("ambulance", 16, Requirement::Required),
    ("utility", 14, Requirement::Informed),
];

/// The windows of the policy that owes everybody, and of the one that owes ambulance services and utilities.
pub(super) const WIDE: [f64; 2] = [7.0, 12.0];
pub(super) const NARROW: [f64; 2] = [4.0, 8.0];

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
    let policy = cast.document.policies.remove(0);
    cast.document.policies = vec![
        owing(&policy, "wide", WIDE_SERVICE, &KINDS, WIDE),
        owing(&policy, "narrow", NARROW_SERVICE, &KINDS[2..], NARROW),
    ];
    cast
}

fn owing(
    like: &PolicyDocument,
    id: &str,
    service: Service,
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
        services: vec![service],
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
