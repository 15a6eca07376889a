//! An event of ours as CAP says it, and a receipt as CAP's acknowledgement.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use tocsin_protocol::{
    AreaId, Category, Certainty, Event, EventContact, EventKind, EventNumber, PublisherId, Receipt,
    ReceiptStage, RecipientId, Severity, Status, Subject, Urgency,
};

use super::{Alert, Area, CapStatus, CapTime, Info, LANGUAGE, MessageType, Scope, flat};

/// The most earlier messages that one refers to, the newest ones: each takes the place of those before it.
const REFERENCES: usize = 50;
/// The list of places that our geocodes are of: the directory's.
pub(super) const AREA: &str = "tocsin:area";
/// The fields of an event that CAP has an element for which holds just that.
pub(super) const ELSEWHERE: [&str; 8] =
    ["incident", "sequence", "publisher", "status", "headline", "description", "instruction", "areas"];
/// For whom a message is that is addressed to nobody by name.
const RESTRICTION: &str =
    "For the bodies that answer emergency calls or respond to them, and those over them; not for the public";

/// For whom a message is. What is for the public is none of an event but its agreed words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Those with an operational need, by the event's marking.
    Restricted,
    /// These bodies alone.
    Private(Vec<RecipientId>),
}

/// An event that was said, and when the broker had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Which event of the incident.
    pub event: EventNumber,
    /// The broker's time.
    pub at: Timestamp,
}

/// What those in a message are called.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// In which zone times are written.
    pub zone: &'a TimeZone,
    /// What makes a sender's name unique in the world: `bt-cha` becomes `bt-cha@DOMAIN`.
    pub domain: Option<&'a str>,
    /// A publisher's name.
    pub publisher: &'a dyn Fn(&PublisherId) -> String,
    /// An area's name.
    pub area: &'a dyn Fn(&AreaId) -> String,
}

impl Named<'_> {
    /// A body as a sender.
    pub fn sender(&self, id: &str) -> String {
        self.domain.map_or_else(|| id.to_owned(), |domain| format!("{id}@{domain}"))
    }

    /// An event as other messages refer to it (CAP 3.2.1): `sender,identifier,sent`.
    fn reference(&self, of: &Event, told: Told) -> String {
        let (publisher, incident) = (of.publisher.clone(), of.incident.clone());
        let subject = Subject::Incident { publisher, incident, event: told.event };
        let sent = CapTime::of(told.at, self.zone);
        format!("{},{subject},{}", self.sender(of.publisher.as_str()), sent.as_str())
    }
}

/// An event that the broker had at that time, whole: what CAP has no element for goes as parameters. `earlier` are the
/// events of the incident before it, oldest first.
pub fn export(event: &Event, at: Timestamp, earlier: &[Told], audience: &Audience, named: &Named) -> Alert {
    let from = earlier.len().saturating_sub(REFERENCES);
    let references = match event.kind {
        EventKind::Initial => Vec::new(),
        _ => earlier[from..].iter().map(|told| named.reference(event, *told)).collect(),
    };
    let scope = match audience {
        Audience::Private(recipients) if !recipients.is_empty() => {
            Scope::Private(recipients.iter().map(ToString::to_string).collect())
        }
        _ => Scope::Restricted(event.marking.clone().unwrap_or_else(|| RESTRICTION.to_owned())),
    };
    Alert {
        identifier: event.subject().to_string(),
        sender: named.sender(event.publisher.as_str()),
        sent: CapTime::of(at, named.zone),
        status: status(event.status),
        message_type: message_type(event.kind),
        scope,
        note: note(event),
        references,
        incidents: vec![event.incident.to_string()],
        info: vec![info(event, named)],
    }
}

/// That a person has acknowledged an event: `None` for a receipt that says no more than that a system holds it, as
/// CAP's `Ack` is a person's.
pub fn acknowledgement(
    receipt: &Receipt,
    at: Timestamp,
    of: &Event,
    told: Told,
    named: &Named,
) -> Option<Alert> {
    if receipt.stage != ReceiptStage::Acknowledged {
        return None;
    }
    let who = receipt.by.as_ref().map_or_else(String::new, |by| format!(" by {}, {}", by.name, by.role));
    let how = receipt.method.map_or_else(String::new, |method| format!(" ({})", method.as_str()));
    let room = receipt.control_room.as_ref().map_or_else(String::new, |room| format!(", at {room}"));
    let behalf = receipt.on_behalf_of.as_ref().map_or_else(String::new, |body| format!(", for {body}"));
    let more = receipt.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
    Some(Alert {
        identifier: receipt.subject().to_string(),
        sender: named.sender(receipt.recipient.as_str()),
        sent: CapTime::of(at, named.zone),
        status: status(of.status),
        message_type: MessageType::Ack,
        scope: Scope::Private(vec![of.publisher.to_string()]),
        note: Some(format!("Acknowledged{who}{room}{behalf}{how}{more}")),
        references: vec![named.reference(of, told)],
        incidents: vec![of.incident.to_string()],
        info: Vec::new(),
    })
}

fn info(event: &Event, named: &Named) -> Info {
    let over = event.kind.lifts_duties();
    let mut responses = Vec::new();
    if event.instruction.is_some() {
        responses.push("Execute");
    }
    if over {
        responses.push("AllClear");
    }
    let parameters = match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => flat::flatten(&fields, &ELSEWHERE),
        // An event is an object, always.
        _ => Vec::new(),
    };
    Info {
        language: LANGUAGE.to_owned(),
        categories: categories(event.category).to_vec(),
        event: format!("Emergency call service: {}", event.category),
        responses,
        urgency: urgency(event.urgency, over),
        severity: severity(event.severity),
        certainty: certainty(event.certainty),
        onset: event.began_at.map(|at| CapTime::of(at, named.zone)),
        sender_name: Some((named.publisher)(&event.publisher)),
        headline: Some(event.headline.clone()),
        description: event.description.clone(),
        instruction: event.instruction.clone(),
        contact: event.contact.as_ref().map(contact),
        parameters,
        areas: event
            .areas
            .iter()
            .map(|id| Area { name: (named.area)(id), geocodes: vec![(AREA.to_owned(), id.to_string())] })
            .collect(),
    }
}

fn contact(contact: &EventContact) -> String {
    let parts = [&contact.name, &contact.phone, &contact.email, &contact.bridge];
    let all = [Some(&contact.role)].into_iter().chain(parts.into_iter().map(Option::as_ref)).flatten();
    all.map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// CAP's word for a status of ours.
pub fn status(status: Status) -> CapStatus {
    match status {
        Status::Actual => CapStatus::Actual,
        Status::Exercise => CapStatus::Exercise,
        Status::Test => CapStatus::Test,
    }
}

/// What is said again, for a reader who does not look at status and type.
fn note(event: &Event) -> Option<String> {
    let status = match event.status {
        Status::Actual => None,
        Status::Exercise => Some("EXERCISE: nothing has failed"),
        Status::Test => Some("TEST: nothing has failed"),
    };
    let kind = match event.kind {
        EventKind::Correction => Some("This corrects what an earlier message said"),
        EventKind::SentInError => Some("The earlier messages should not have been sent"),
        EventKind::Initial | EventKind::Update | EventKind::Resolved | EventKind::Cancelled => None,
    };
    let all: Vec<&str> = status.into_iter().chain(kind).collect();
    (!all.is_empty()).then(|| all.join(". "))
}

/// CAP's `Error` is a refusal by who received a message, so no event of ours is one: what was sent in error is a
/// `Cancel`, and its note says why.
fn message_type(kind: EventKind) -> MessageType {
    match kind {
        EventKind::Initial => MessageType::Alert,
        EventKind::Update | EventKind::Correction | EventKind::Resolved => MessageType::Update,
        EventKind::Cancelled | EventKind::SentInError => MessageType::Cancel,
    }
}

fn categories(category: Category) -> &'static [&'static str] {
    match category {
        Category::CyberAttack => &["Infra", "Security"],
        Category::NaturalHazard => &["Infra", "Safety"],
        Category::Outage
        | Category::Degradation
        | Category::Failover
        | Category::CallSurge
        | Category::PlannedWork => &["Infra"],
    }
}

/// CAP's word; `Past` for what is over and does not say.
pub fn urgency(urgency: Option<Urgency>, over: bool) -> &'static str {
    match urgency {
        Some(Urgency::Immediate) => "Immediate",
        Some(Urgency::Expected) => "Expected",
        Some(Urgency::Future) => "Future",
        Some(Urgency::Past) => "Past",
        None if over => "Past",
        Some(Urgency::Unknown) | None => "Unknown",
    }
}

/// CAP's word.
pub fn severity(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Extreme) => "Extreme",
        Some(Severity::Severe) => "Severe",
        Some(Severity::Moderate) => "Moderate",
        Some(Severity::Minor) => "Minor",
        Some(Severity::Unknown) | None => "Unknown",
    }
}

/// CAP's word.
pub fn certainty(certainty: Option<Certainty>) -> &'static str {
    match certainty {
        Some(Certainty::Observed) => "Observed",
        Some(Certainty::Likely) => "Likely",
        Some(Certainty::Possible) => "Possible",
        Some(Certainty::Unlikely) => "Unlikely",
        Some(Certainty::Unknown) | None => "Unknown",
    }
}
