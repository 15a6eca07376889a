//! The call list: who is still silent, whom to telephone first, and by which number. It needs no mail to have worked.
//!
//! On it is whoever must acknowledge an event that nothing has lifted, and has not, whether the window is open or
//! closed. What has ended asks for no telephone call of its own: only its last word does, where that must be acknowledged.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    EventKind, EventNumber, IncidentId, Outcome, PublisherId, RecipientId, Status, Timestamp,
};

use crate::{
    compute::mails,
    facts::{Dispatched, Facts},
    judge::{self, Window},
    register::{Register, Who},
    report::{EscalationReport, StreamRead},
};

/// Which silences are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallListRequest {
    /// Of this incident alone.
    pub incident: Option<IncidentId>,
    /// Of the incidents that this publisher published alone.
    pub publisher: Option<PublisherId>,
    /// The moment at which the streams were read, by the reader's clock; without it, the broker's time of the last entry.
    pub as_of: Option<Timestamp>,
}

/// Who is still silent, the most urgent first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallList {
    /// The moment for which it holds.
    pub as_of: Timestamp,
    /// The zone of the local times shown beside UTC.
    pub time_zone: String,
    /// The one incident that it is of, where it is of one.
    pub incident: Option<IncidentId>,
    /// What the directory calls itself that the numbers are from: the one in force now.
    pub directory_name: Option<String>,
    /// Its version.
    pub directory_version: Option<u64>,
    /// What was read of `TOCSIN_SAID`.
    pub said: StreamRead,
    /// What was read of `TOCSIN_LOG`.
    pub log: StreamRead,
    /// Each body once for each incident: the most urgent first.
    pub calls: Vec<CallListEntry>,
}

/// One body that has not acknowledged what it must.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallListEntry {
    /// Who.
    pub recipient: RecipientId,
    /// Its name, as the directory has it now.
    pub name: String,
    /// What sort of body.
    pub kind: String,
    /// Of which incident.
    pub incident: IncidentId,
    /// Who published it.
    pub publisher: PublisherId,
    /// Actual or exercise; nobody is asked to acknowledge a test.
    pub status: Status,
    /// What the incident says last.
    pub headline: String,
    /// The events that it has not acknowledged, in order. One acknowledgement of the last covers all.
    pub unanswered: Vec<Unanswered>,
    /// Since when the earliest of them waits for it: the notice was stored, or where there is none the event.
    pub since: Timestamp,
    /// The earliest moment by which it had to acknowledge one of them.
    pub due_at: Timestamp,
    /// Whether a window has closed on it.
    pub window_closed: bool,
    /// How far mail has come: the best that any of its mails came to.
    pub mail: MailFate,
    /// Every e-mail owed to it because of these events.
    pub mails: Vec<EscalationReport>,
    /// How it is reached by telephone, from the directory in force now.
    pub numbers: Vec<CallNumber>,
}

/// An event that a body must acknowledge and has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// Its number.
    pub event: EventNumber,
    /// Initial, update, resolved or cancelled.
    pub kind: EventKind,
    /// When its notice was stored; absent where it is not there.
    pub noticed_at: Option<Timestamp>,
    /// Whether its system has said that it holds the notice: a desk that is there is another call than one that is dead.
    pub delivered: bool,
    /// The last moment that is in time.
    pub due_at: Timestamp,
    /// Whether that window has closed.
    pub closed: bool,
}

/// A telephone number and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNumber {
    /// The contact's word in the directory, such as `duty` or `senior`, or which control room it is.
    pub contact: String,
    /// The role that answers, or the control room's name.
    pub role: String,
    /// The number as dialled; absent where the directory has none.
    pub phone: Option<String>,
}

/// How far mail has come at one body, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailFate {
    /// It was tried, and no relay has taken one.
    Failed,
    /// None is owed: the window is open, or nothing was written down as owed.
    NoneOwed,
    /// One is owed, and none was tried yet.
    Waiting,
    /// Nobody knows whether a relay took one.
    Unknown,
    /// A relay took one: that is hand-over, not reading.
    Accepted,
}

impl MailFate {
    /// The words that people read.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed => "mail FAILED",
            Self::NoneOwed => "no mail owed",
            Self::Waiting => "mail not tried yet",
            Self::Unknown => "mail UNKNOWN",
            Self::Accepted => "mail taken by a relay",
        }
    }

    fn of(mail: &EscalationReport) -> Self {
        match mail.outcome {
            Some(Outcome::Accepted) => Self::Accepted,
            Some(Outcome::StoodDown) => Self::NoneOwed,
            _ if mail.unknown > 0 => Self::Unknown,
            Some(Outcome::Unknown) => Self::Unknown,
            Some(Outcome::Temporary | Outcome::RelayFault | Outcome::Permanent) => Self::Failed,
            None => Self::Waiting,
        }
    }
}

/// What was read, and the directory in force.
pub(crate) struct Source<'a> {
    pub(crate) registers: &'a BTreeMap<u64, Arc<Register>>,
    pub(crate) as_of: Timestamp,
    pub(crate) said: StreamRead,
    pub(crate) log: StreamRead,
}

/// Makes the list.
pub(crate) fn list(
    incidents: &BTreeMap<IncidentId, Facts>,
    source: &Source<'_>,
    request: &CallListRequest,
) -> CallList {
    let newest = source.registers.last_key_value();
    let mut calls: Vec<(usize, CallListEntry)> = incidents
        .iter()
        .filter(|(id, _)| request.incident.as_ref().is_none_or(|wanted| wanted == *id))
        .flat_map(|(id, facts)| of_incident(id, facts, newest.map(|(_, register)| &**register), source.as_of))
        .filter(|(_, call)| request.publisher.as_ref().is_none_or(|wanted| *wanted == call.publisher))
        .collect();
    calls.sort_by(|(place, call), (other_place, other)| {
        urgency(call).cmp(&urgency(other)).then_with(|| {
            (place, &call.recipient, &call.incident).cmp(&(other_place, &other.recipient, &other.incident))
        })
    });
    CallList {
        as_of: source.as_of,
        time_zone: newest.map_or_else(|| "UTC".to_owned(), |(_, register)| register.time_zone.clone()),
        incident: request.incident.clone(),
        directory_name: newest.map(|(_, register)| register.name.clone()),
        directory_version: newest.map(|(version, _)| *version),
        said: source.said,
        log: source.log,
        calls: calls.into_iter().map(|(_, call)| call).collect(),
    }
}

/// The smaller, the sooner: what is real, then whose window has closed, then whom no mail has reached, then who was due
/// first.
fn urgency(call: &CallListEntry) -> (bool, Reverse<bool>, MailFate, Timestamp) {
    (call.status != Status::Actual, Reverse(call.window_closed), call.mail, call.due_at)
}

fn of_incident(
    id: &IncidentId,
    facts: &Facts,
    newest: Option<&Register>,
    as_of: Timestamp,
) -> Vec<(usize, CallListEntry)> {
    let (Some(first), Some(last)) = (facts.events.values().next(), facts.events.values().next_back()) else {
        return Vec::new();
    };
    // What is over is not rung up about: its ending word is, where that asks for an acknowledgement.
    let from = facts
        .events
        .iter()
        .rev()
        .find(|(_, said)| said.fact.event.kind.lifts_duties())
        .map_or(EventNumber::FIRST, |(number, _)| *number);
    let mut silent: BTreeMap<&RecipientId, (Vec<Unanswered>, &Dispatched)> = BTreeMap::new();
    for (number, dispatched) in facts.dispatches.range(from..) {
        let Some(said) = facts.events.get(number) else { continue };
        let dispatched = &dispatched.fact;
        for (recipient, step) in judge::asked(&dispatched.dispatch) {
            if facts.acknowledgement(recipient, *number).is_some() {
                continue;
            }
            let window = judge::window(facts, &dispatched.dispatch, step, as_of);
            if window == Window::Lifted {
                continue;
            }
            let key = (recipient.clone(), *number);
            let unanswered = Unanswered {
                event: *number,
                kind: said.fact.event.kind,
                noticed_at: facts.notices.get(&key).map(|notice| notice.time),
                delivered: facts.delivered.contains_key(&key),
                due_at: step.due_at,
                closed: window == Window::Closed || step.due_at < as_of,
            };
            let entry = silent.entry(recipient).or_insert_with(|| (Vec::new(), dispatched));
            entry.0.push(unanswered);
            entry.1 = dispatched;
        }
    }
    silent
        .into_iter()
        .filter_map(|(recipient, (unanswered, dispatched))| {
            // There is one at least: the list is begun with one.
            let first_of = unanswered.first()?;
            let published = facts.events.get(&first_of.event).map(|said| said.time)?;
            let then = dispatched.register.as_ref().and_then(|register| register.who(recipient));
            let who = newest.and_then(|register| register.who(recipient)).or(then);
            let events: BTreeSet<EventNumber> = unanswered.iter().map(|one| one.event).collect();
            let mails: Vec<_> = events.iter().flat_map(|event| mails(facts, recipient, *event)).collect();
            let entry = CallListEntry {
                recipient: recipient.clone(),
                name: who.map_or_else(|| recipient.to_string(), |who| who.name.clone()),
                kind: who.map_or_else(|| "unknown".to_owned(), |who| who.kind.clone()),
                incident: id.clone(),
                publisher: first.fact.event.publisher.clone(),
                status: first.fact.event.status,
                headline: last.fact.event.headline.clone(),
                since: first_of.noticed_at.unwrap_or(published),
                due_at: unanswered.iter().map(|one| one.due_at).min()?,
                window_closed: unanswered.iter().any(|one| one.closed),
                mail: mails.iter().map(MailFate::of).max().unwrap_or(MailFate::NoneOwed),
                mails,
                numbers: who.map(numbers).unwrap_or_default(),
                unanswered,
            };
            Some((who.map_or(usize::MAX, |who| who.place), entry))
        })
        .collect()
}

fn numbers(who: &Who) -> Vec<CallNumber> {
    let rooms = who.control_rooms.iter().map(|room| CallNumber {
        contact: format!("control room {}", room.id),
        role: room.name.clone(),
        phone: Some(room.critical_contact_number.clone()),
    });
    let contacts = who.contacts.iter().map(|(word, contact)| CallNumber {
        contact: word.clone(),
        role: contact.role.clone(),
        phone: contact.phone.clone(),
    });
    let mut numbers: Vec<CallNumber> = rooms.chain(contacts).collect();
    // Those that can be dialled first, control rooms before all; otherwise in the order of their words, in which duty comes before senior.
    numbers.sort_by_key(|number| number.phone.is_none());
    numbers
}
