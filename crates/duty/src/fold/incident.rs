//! What the fold remembers of one incident.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use bytes::Bytes;
use tocsin_protocol::{
    AreaId, Dispatch, Event, EventKind, EventNumber, PublisherId, ReceiptStage, RecipientId, Signed, Status,
    StepNumber, StoppedBy, Timestamp,
};

/// One incident, from its first event to its last.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) publisher: PublisherId,
    pub(super) status: Status,
    /// Event `n` stands at `n - 1`.
    pub(super) events: Vec<EventState>,
    /// Every area that any event so far has named: who was told stays told.
    pub(super) areas: Vec<AreaId>,
    /// The newest event, and the newest that needed an acknowledgement: what a worsening is measured against.
    pub(super) newest: Arc<Event>,
    pub(super) baseline: Arc<Event>,
    roster: HashMap<RecipientId, u32>,
    standings: Vec<Standing>,
}

/// One event of an incident.
#[derive(Debug)]
pub(super) struct EventState {
    pub(super) kind: EventKind,
    pub(super) said: u64,
    pub(super) published_at: Timestamp,
    pub(super) voice: u64,
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
#[derive(Debug)]
pub(super) struct Open {
    pub(super) event: Arc<Event>,
    pub(super) body: Bytes,
    pub(super) signed: Signed,
    pub(super) worsened: Vec<String>,
    /// Every area named up to and with this event.
    pub(super) areas: Vec<AreaId>,
}

/// What became of one window.
#[derive(Debug, Default)]
pub(super) struct StepState {
    pub(super) found: bool,
    /// The escalations that stand in the log.
    pub(super) escalated: Bits,
}

/// What one recipient has said in an incident.
#[derive(Debug, Default)]
struct Standing {
    heard: Vec<Heard>,
}

/// One valid receipt, the first on its subject.
#[derive(Debug, Clone, Copy)]
struct Heard {
    event: EventNumber,
    stage: ReceiptStage,
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
            newest: Arc::clone(event),
            baseline: Arc::clone(event),
            roster: HashMap::new(),
            standings: Vec::new(),
        }
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

    pub(super) fn is_cancelled(&self) -> bool {
        self.events.last().is_some_and(|event| event.kind == EventKind::Cancelled)
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

    /// The event that makes escalation of an earlier one pointless: the first resolved or cancelled one after it that
    /// the broker had by then.
    pub(super) fn stopped(&self, event: EventNumber, by: Timestamp) -> Option<StoppedBy> {
        (event.get() as usize..self.events.len()).find_map(|at| {
            let later = self.events.get(at)?;
            let ends =
                matches!(later.kind, EventKind::Resolved | EventKind::Cancelled) && later.published_at <= by;
            let number = EventNumber::new(u32::try_from(at).ok()?.checked_add(1)?)?;
            ends.then_some(StoppedBy { event: number, kind: later.kind, published_at: later.published_at })
        })
    }
}

/// A set of small numbers.
#[derive(Debug, Default)]
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
