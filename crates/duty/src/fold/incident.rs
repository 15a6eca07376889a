//! What the fold remembers of one incident.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    AreaId, Dispatch, Event, EventKind, EventNumber, Platform, PublisherId, ReceiptStage, RecipientId,
    Service, Signed, Stage, Status, StepNumber, StoppedBy, Timestamp,
};

use super::{
    duties::Moments,
    snapshot::{self, Row},
};
use crate::{course::Course, directory::Directory, worsening::HandedToPolice};

/// One incident, from its first event to its last.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    pub(super) publisher: PublisherId,
    pub(super) status: Status,
    /// Event `n` stands at `n - 1`.
    pub(super) events: Vec<EventState>,
    /// Every area and service that any event so far has named: who was told stays told.
    pub(super) areas: Vec<AreaId>,
    pub(super) services: Vec<Service>,
    /// The newest event, and the newest that needed an acknowledgement: what a worsening is measured against.
    #[serde(with = "snapshot::held")]
    pub(super) newest: Arc<Event>,
    #[serde(with = "snapshot::held")]
    pub(super) baseline: Arc<Event>,
    pub(super) handed_over: HandedToPolice,
    #[serde(with = "snapshot::roster")]
    roster: HashMap<RecipientId, u32>,
    standings: Vec<Standing>,
    /// The telephone calls that the publisher logged.
    calls: Vec<Called>,
}

/// One event of an incident.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EventState {
    pub(super) kind: EventKind,
    pub(super) stage: Stage,
    pub(super) moments: Moments,
    /// What carries the service, where the event says so.
    pub(super) platform: Option<Platform>,
    pub(super) said: u64,
    pub(super) published_at: Timestamp,
    pub(super) voice: u64,
    #[serde(with = "snapshot::maybe_held")]
    pub(super) dispatch: Option<Arc<Dispatch>>,
    /// What is needed until every notice is in the log; dropped then.
    pub(super) open: Option<Open>,
    /// The places of those owed it, once the dispatch is in the log.
    pub(super) owed: Bits,
    /// The places of those whose notice is in the log.
    pub(super) noticed: Bits,
    pub(super) steps: BTreeMap<StepNumber, StepState>,
}

/// What an event's dispatch and notices are made of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    #[serde(with = "snapshot::held")]
    pub(super) event: Arc<Event>,
    #[serde(with = "snapshot::text")]
    pub(super) body: Bytes,
    pub(super) signed: Signed,
    pub(super) worsened: Vec<String>,
    /// Every area and service named up to and with this event.
    pub(super) areas: Vec<AreaId>,
    pub(super) services: Vec<Service>,
    /// The areas of whose lost callers more were handed to the police with it.
    pub(super) handed_over: Vec<AreaId>,
}

/// What became of one window.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StepState {
    pub(super) found: bool,
    /// The escalations that stand in the log.
    pub(super) escalated: Bits,
    /// Those who have been told in the log that what was promised did not come.
    pub(super) told: Bits,
    /// Where it is none of the dispatch's own.
    pub(super) repeats: Option<Repeated>,
}

/// A window that the finding of one before made due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Repeated {
    /// The step of the dispatch whose duty is owed again.
    pub(super) of: StepNumber,
    pub(super) due_at: Timestamp,
}

/// What one recipient has said in an incident.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Standing {
    heard: Vec<Heard>,
}

/// One valid receipt, the first on its subject.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Row", into = "Row")]
struct Heard {
    event: EventNumber,
    stage: ReceiptStage,
    time: Timestamp,
    voice: u64,
}

impl From<Heard> for Row {
    fn from(Heard { event, stage, time, voice }: Heard) -> Self {
        Self(event, stage == ReceiptStage::Acknowledged, time.as_nanosecond(), voice)
    }
}

impl TryFrom<Row> for Heard {
    type Error = jiff::Error;

    fn try_from(Row(event, acknowledged, at, voice): Row) -> Result<Self, jiff::Error> {
        let stage = if acknowledged { ReceiptStage::Acknowledged } else { ReceiptStage::Delivered };
        Ok(Self { event, stage, time: Timestamp::from_nanosecond(at)?, voice })
    }
}

/// One valid call, the first on its subject.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Called {
    recipient: u32,
    event: EventNumber,
    time: Timestamp,
    voice: u64,
}

/// Whether a valid fact was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// The first on its subject.
    First,
    /// The same fact said again: a retry.
    Again,
    /// Another fact stands there, since this time.
    Other(Timestamp),
}

/// Ed25519 signatures are deterministic, so the same fact said again carries the same one.
pub(super) fn voice(signed: &Signed) -> u64 {
    let mut hasher = DefaultHasher::new();
    signed.signature.hash(&mut hasher);
    hasher.finish()
}

impl Incident {
    pub(super) fn new(event: &Arc<Event>) -> Self {
        Self {
            publisher: event.publisher.clone(),
            status: event.status,
            events: Vec::new(),
            areas: Vec::new(),
            services: Vec::new(),
            newest: Arc::clone(event),
            baseline: Arc::clone(event),
            handed_over: HandedToPolice::default(),
            roster: HashMap::new(),
            standings: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Has names stand in memory once, by this directory, and an event that is the newest in two ways too, where the state
    /// was read back.
    pub(super) fn share(&mut self, directory: Option<&Directory>) {
        if self.baseline == self.newest {
            self.baseline = Arc::clone(&self.newest);
        }
        if let Some(directory) = directory {
            let roster = std::mem::take(&mut self.roster).into_iter();
            self.roster = roster.map(|(name, place)| (snapshot::shared(&name, directory), place)).collect();
        }
        self.standings.iter_mut().for_each(|standing| standing.heard.shrink_to_fit());
    }

    /// The events with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (EventNumber, &EventState)> {
        (1..).filter_map(EventNumber::new).zip(&self.events)
    }

    pub(super) fn event(&self, number: EventNumber) -> Option<&EventState> {
        self.events.get(number.get() as usize - 1)
    }

    pub(super) fn event_mut(&mut self, number: EventNumber) -> Option<&mut EventState> {
        self.events.get_mut(number.get() as usize - 1)
    }

    pub(super) fn next_number(&self) -> EventNumber {
        u32::try_from(self.events.len())
            .ok()
            .and_then(EventNumber::new)
            .map_or(EventNumber::FIRST, EventNumber::next)
    }

    /// How it goes as of an event.
    pub(super) fn course(&self, through: EventNumber) -> Course {
        let said = self.numbered().take_while(|(number, _)| *number <= through);
        said.fold(Course::default(), |course, (_, event)| course.after(event.kind, event.platform))
    }

    /// The recipient's place in this incident's bit sets.
    pub(super) fn place(&mut self, recipient: &RecipientId) -> u32 {
        if let Some(place) = self.roster.get(recipient) {
            return *place;
        }
        let place = u32::try_from(self.standings.len()).unwrap_or(u32::MAX);
        self.roster.insert(recipient.clone(), place);
        self.standings.push(Standing::default());
        place
    }

    pub(super) fn known_place(&self, recipient: &RecipientId) -> Option<u32> {
        self.roster.get(recipient).copied()
    }

    /// Takes in a receipt whose signature and words are in order.
    pub(super) fn hear(
        &mut self,
        recipient: &RecipientId,
        event: EventNumber,
        stage: ReceiptStage,
        time: Timestamp,
        voice: u64,
    ) -> Hearing {
        let place = self.place(recipient) as usize;
        let Some(standing) = self.standings.get_mut(place) else {
            return Hearing::Other(time);
        };
        match standing.heard.iter().find(|heard| heard.event == event && heard.stage == stage) {
            Some(heard) if heard.voice == voice => Hearing::Again,
            Some(heard) => Hearing::Other(heard.time),
            None => {
                // Two are what most ever say; a vector would make room for four.
                if standing.heard.len() == standing.heard.capacity() {
                    standing.heard.reserve_exact(2);
                }
                standing.heard.push(Heard { event, stage, time, voice });
                Hearing::First
            }
        }
    }

    /// Takes in a call whose signature and words are in order.
    pub(super) fn hear_call(
        &mut self,
        recipient: &RecipientId,
        event: EventNumber,
        time: Timestamp,
        voice: u64,
    ) -> Hearing {
        let recipient = self.place(recipient);
        match self.calls.iter().find(|call| call.event == event && call.recipient == recipient) {
            Some(call) if call.voice == voice => Hearing::Again,
            Some(call) => Hearing::Other(call.time),
            None => {
                self.calls.push(Called { recipient, event, time, voice });
                Hearing::First
            }
        }
    }

    /// When a call to a recipient was first logged about an event, or about a later one.
    pub(super) fn called(&self, recipient: &RecipientId, event: EventNumber) -> Option<Timestamp> {
        let place = self.known_place(recipient)?;
        self.calls
            .iter()
            .filter(|call| call.recipient == place && call.event >= event)
            .map(|call| call.time)
            .min()
    }

    /// The earliest acknowledgement that covers an event: of it, or of a later one.
    pub(super) fn acknowledged(&self, recipient: &RecipientId, event: EventNumber) -> Option<Timestamp> {
        let standing = self.standings.get(*self.roster.get(recipient)? as usize)?;
        standing
            .heard
            .iter()
            .filter(|heard| heard.stage == ReceiptStage::Acknowledged && heard.event >= event)
            .map(|heard| heard.time)
            .min()
    }

    /// The event that makes escalation of an earlier one pointless: the first after it that lifts duties and that the
    /// broker had by then.
    pub(super) fn stopped(&self, event: EventNumber, by: Timestamp) -> Option<StoppedBy> {
        (event.get() as usize..self.events.len()).find_map(|at| {
            let later = self.events.get(at)?;
            let ends = later.kind.lifts_duties() && later.published_at <= by;
            let number = EventNumber::new(u32::try_from(at).ok()?.checked_add(1)?)?;
            ends.then_some(StoppedBy { event: number, kind: later.kind, published_at: later.published_at })
        })
    }
}

/// A set of small numbers.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn add(&mut self, bit: u32) {
        let word = bit as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (bit % 64);
        }
    }

    pub(super) fn has(&self, bit: u32) -> bool {
        self.0.get(bit as usize / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}
