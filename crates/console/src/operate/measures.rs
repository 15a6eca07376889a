//! What is measured: kept up to date with every entry, so that asking costs no more than what is open now.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};
use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::{
    AttemptEnded, AttemptPhase, Entry, EventNumber, IncidentId, Outcome, PublisherId, ReceiptStage,
    RecipientId, RefusalCode, SignedDuration, Status, StepNumber, Stream, Subject, Timestamp, from_body,
};

use super::talk::Talk;
use crate::model::Incident;

/// How many different words one label may have; the rest are `other`. Both come from what our own administrators write,
/// which is no reason to trust it with a monitoring system's memory.
const WORDS: usize = 64;

/// The bounds of how late an acknowledgement is, in seconds. The first is in time.
const LATENESS: [f64; 9] = [0.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0];
/// The bounds of how long a notice takes to a desk, in seconds.
const DELIVERY: [f64; 9] = [0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0];

/// Of which event.
pub(crate) type EventKey = (IncidentId, EventNumber);
/// Of which mail.
pub(crate) type MailKey = (RecipientId, IncidentId, EventNumber, StepNumber);

/// What an entry counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// An event, a receipt or a fact of the log, the first on its subject.
    Fact,
    /// Said, and does not count.
    Refused(RefusalCode),
    /// A retry, or something foreign.
    Nothing,
}

impl Counted {
    pub(crate) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Event(_)
            | Verdict::Call(_)
            | Verdict::Receipt(_)
            | Verdict::Report(_)
            | Verdict::Link(_)
            | Verdict::Recorded(_) => Self::Fact,
            Verdict::Refused(refusal) => Self::Refused(refusal.code),
            Verdict::Repeated | Verdict::Trusted | Verdict::NotInForce { .. } | Verdict::Foreign => {
                Self::Nothing
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfStatus {
    pub(super) status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) status: &'static str,
    pub(super) kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfEvent {
    status: &'static str,
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfAttempt {
    status: &'static str,
    relay: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfCode {
    code: &'static str,
}

/// A mail that is owed and has not come to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(super) since: Timestamp,
    pub(super) status: Status,
}

/// What a recipient's desk has taken in last.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(super) of: EventKey,
    /// When the event was stored.
    pub(super) published_at: Timestamp,
    /// When its receipt was.
    pub(super) delivered_at: Timestamp,
}

/// All that is measured.
#[derive(Debug)]
pub struct Measures {
    pub(super) events: Family<OfEvent, Counter>,
    pub(super) refusals: Family<OfCode, Counter>,
    pub(super) escalations: Family<OfStatus, Counter>,
    pub(super) attempts: Family<OfAttempt, Counter>,
    pub(super) lateness: Family<OfKind, Histogram>,
    pub(super) delivery: Family<OfStatus, Histogram>,
    /// How much each body says.
    pub(super) talk: Talk,
    kinds: Words,
    relays: Words,
    /// Incidents that are not over. A test never is under way.
    pub(super) open: BTreeSet<IncidentId>,
    /// Events without a dispatch, and when each was stored.
    pub(super) undispatched: BTreeMap<EventKey, Timestamp>,
    /// Windows that have closed and of which nothing was found yet, and when each closed.
    pub(super) unfound: BTreeMap<(IncidentId, EventNumber, StepNumber), Timestamp>,
    /// Mails that are owed.
    pub(super) mails: BTreeMap<MailKey, Waiting>,
    /// Mails that a relay refused for good, as long as nobody there is known to have been reached otherwise.
    refused: BTreeMap<MailKey, Waiting>,
    /// How each relay answered last.
    pub(super) answers: BTreeMap<String, (Timestamp, Outcome)>,
    /// When the oldest entry that no checkpoint can cover was stored.
    pub(super) unsigned_since: Option<Timestamp>,
    /// The last test of each publisher.
    pub(super) tests: BTreeMap<PublisherId, EventKey>,
    /// What each desk has taken in last, and which test.
    pub(super) taken: HashMap<RecipientId, Taken>,
    pub(super) passed: HashMap<RecipientId, Taken>,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            events: Family::default(),
            refusals: Family::default(),
            escalations: Family::default(),
            attempts: Family::default(),
            lateness: Family::new_with_constructor(|| Histogram::new(LATENESS)),
            delivery: Family::new_with_constructor(|| Histogram::new(DELIVERY)),
            talk: Talk::default(),
            kinds: Words::default(),
            relays: Words::default(),
            open: BTreeSet::new(),
            undispatched: BTreeMap::new(),
            unfound: BTreeMap::new(),
            mails: BTreeMap::new(),
            refused: BTreeMap::new(),
            answers: BTreeMap::new(),
            unsigned_since: None,
            tests: BTreeMap::new(),
            taken: HashMap::new(),
            passed: HashMap::new(),
        }
    }
}

impl Measures {
    /// Takes in an entry that is in the model already.
    pub(crate) fn take(
        &mut self,
        entry: &Entry,
        counted: Counted,
        known: &BTreeMap<IncidentId, Incident>,
        fold: &Fold,
    ) {
        if entry.stream == Stream::Said {
            self.talk.take(&entry.subject, entry.time, fold.directory().map(AsRef::as_ref));
        }
        let subject = entry.subject.parse::<Subject>().ok();
        if matches!(subject, Some(Subject::Checkpoint { .. })) && counted == Counted::Fact {
            self.unsigned_since = None;
        } else {
            self.unsigned_since.get_or_insert(entry.time);
        }
        match (counted, subject) {
            (Counted::Refused(code), _) => {
                self.refusals.get_or_create(&OfCode { code: code.as_str() }).inc();
            }
            (Counted::Fact, Some(subject)) => {
                if let Some(incident) = subject.incident().and_then(|id| known.get(id)) {
                    self.fact(entry, subject, incident, fold);
                }
            }
            _ => {}
        }
    }

    fn fact(&mut self, entry: &Entry, subject: Subject, incident: &Incident, fold: &Fold) {
        let (at, status) = (entry.time, incident.status);
        match subject {
            Subject::Incident { incident: id, event, .. } => self.event(incident, (id, event), at),
            Subject::Dispatch { incident: id, event, .. } => {
                self.undispatched.remove(&(id.clone(), event));
                self.tested(incident, (id, event));
            }
            Subject::Due { incident: id, event, step } => {
                let found = incident
                    .event(event)
                    .and_then(|said| said.windows.get(&step))
                    .is_some_and(|w| w.finding.is_some());
                if !found {
                    self.unfound.insert((id, event, step), at);
                }
            }
            Subject::Finding { incident: id, event, step } => {
                self.unfound.remove(&(id, event, step));
            }
            Subject::Receipt { recipient, incident: id, event, stage: ReceiptStage::Delivered } => {
                self.delivered(recipient, incident, (id, event), at);
            }
            Subject::Receipt { recipient, incident: id, event, stage: ReceiptStage::Acknowledged } => {
                settle(&mut self.mails, (&recipient, &id), EventNumber::FIRST..=event);
                settle(&mut self.refused, (&recipient, &id), EventNumber::FIRST..=event);
                let standing = incident.standing(&recipient);
                let due_at = standing.and_then(|s| s.duty(event)).and_then(|duty| duty.asked);
                if let Some((_, due_at)) = due_at {
                    let kind = self.kind(&recipient, fold);
                    let late = at.duration_since(due_at).max(SignedDuration::ZERO);
                    let of = OfKind { status: status.as_str(), kind };
                    self.lateness.get_or_create(&of).observe(late.as_secs_f64());
                }
            }
            Subject::Escalation { recipient, incident: id, event, step } => {
                self.escalations.get_or_create(&OfStatus { status: status.as_str() }).inc();
                self.mails.insert((recipient, id, event, step), Waiting { since: at, status });
            }
            Subject::Attempt { recipient, incident: id, event, step, phase: AttemptPhase::Ended, .. } => {
                let Ok(ended) = from_body::<AttemptEnded>("attempt", &entry.body) else { return };
                let key = (recipient, id, event, step);
                match ended.outcome {
                    Outcome::Permanent => {
                        self.refused.extend(self.mails.remove(&key).map(|mail| (key, mail)));
                    }
                    Outcome::Accepted => {
                        self.mails.remove(&key);
                        // Somebody there was reached.
                        settle(&mut self.refused, (&key.0, &key.1), event..=event);
                    }
                    Outcome::StoodDown => {
                        self.mails.remove(&key);
                    }
                    Outcome::Temporary | Outcome::RelayFault | Outcome::Unknown => {}
                }
                self.attempt(status, &ended, at);
            }
            _ => {}
        }
    }

    fn event(&mut self, incident: &Incident, key: EventKey, at: Timestamp) {
        let Some(said) = incident.event(key.1) else { return };
        let of = OfEvent { status: incident.status.as_str(), event: said.event.kind.as_str() };
        self.events.get_or_create(&of).inc();
        if incident.is_open() {
            self.open.insert(key.0.clone());
        } else {
            self.open.remove(&key.0);
            self.refused.retain(|(_, of, ..), _| *of != key.0);
        }
        if said.dispatch.is_none() {
            self.undispatched.insert(key, at);
        } else {
            self.tested(incident, key);
        }
    }

    fn tested(&mut self, incident: &Incident, key: EventKey) {
        if incident.status == Status::Test {
            self.tests.insert(incident.publisher.clone(), key);
        }
    }

    fn delivered(&mut self, recipient: RecipientId, incident: &Incident, of: EventKey, at: Timestamp) {
        let Some(said) = incident.event(of.1) else { return };
        let taken = Taken { of, published_at: said.published_at, delivered_at: at };
        let seconds = at.duration_since(said.published_at).max(SignedDuration::ZERO).as_secs_f64();
        self.delivery.get_or_create(&OfStatus { status: incident.status.as_str() }).observe(seconds);
        if incident.status == Status::Test {
            self.passed.insert(recipient.clone(), taken.clone());
        }
        self.taken.insert(recipient, taken);
    }

    fn attempt(&mut self, status: Status, ended: &AttemptEnded, at: Timestamp) {
        // None was asked where the mail was stood down, or could not be made.
        let relay =
            if ended.relay.is_empty() { "none".to_owned() } else { self.relays.bounded(&ended.relay) };
        let of = OfAttempt { status: status.as_str(), relay: relay.clone(), result: ended.outcome.as_str() };
        self.attempts.get_or_create(&of).inc();
        if !ended.relay.is_empty() {
            self.answers.insert(relay, (at, ended.outcome));
        }
    }

    fn kind(&mut self, recipient: &RecipientId, fold: &Fold) -> String {
        let known = fold.directory().and_then(|directory| directory.recipient(recipient));
        self.kinds.bounded(known.map_or("none", |known| known.entry.kind.as_str()))
    }

    /// How many dispatches and findings are owed, and for how long the oldest.
    pub(super) fn router(&self, now: Timestamp) -> (usize, SignedDuration) {
        let oldest = self.undispatched.values().chain(self.unfound.values()).min();
        let behind = oldest.map_or(SignedDuration::ZERO, |since| now.duration_since(*since));
        (self.undispatched.len() + self.unfound.len(), behind.max(SignedDuration::ZERO))
    }

    /// Mails of incidents of this status that no relay has taken within so long, or that one refused for good: how many,
    /// and since when the oldest is owed.
    pub(crate) fn untaken(
        &self,
        status: Status,
        within: SignedDuration,
        now: Timestamp,
    ) -> (usize, Option<Timestamp>) {
        let late = self.mails.values().filter(|mail| now.duration_since(mail.since) > within);
        let untaken: Vec<Timestamp> = late
            .chain(self.refused.values())
            .filter(|mail| mail.status == status)
            .map(|mail| mail.since)
            .collect();
        (untaken.len(), untaken.into_iter().min())
    }

    /// The relays, where every one that was used failed last and a mail waits.
    pub(crate) fn failing_relays(&self) -> Option<Vec<&str>> {
        let fails = |outcome: &Outcome| {
            matches!(outcome, Outcome::Temporary | Outcome::RelayFault | Outcome::Unknown)
        };
        let all_fail = !self.answers.is_empty() && self.answers.values().all(|(_, outcome)| fails(outcome));
        (all_fail && !self.mails.is_empty()).then(|| self.answers.keys().map(String::as_str).collect())
    }

    /// A recipient's kind as a label.
    pub(super) fn kind_word<'a>(&self, kind: &'a str) -> &'a str {
        self.kinds.word(kind)
    }
}

/// Takes out what one recipient is owed of these events of an incident.
fn settle(
    mails: &mut BTreeMap<MailKey, Waiting>,
    (recipient, incident): (&RecipientId, &IncidentId),
    events: RangeInclusive<EventNumber>,
) {
    let from = (recipient.clone(), incident.clone(), *events.start(), StepNumber::FIRST);
    let settled: Vec<MailKey> = mails
        .range(from..)
        .map(|(key, _)| key)
        .take_while(|key| key.0 == *recipient && key.1 == *incident && key.2 <= *events.end())
        .cloned()
        .collect();
    for key in settled {
        mails.remove(&key);
    }
}

/// A bounded set of words.
#[derive(Debug, Default)]
struct Words(BTreeSet<String>);

impl Words {
    fn bounded(&mut self, word: &str) -> String {
        if self.0.len() < WORDS && !self.0.contains(word) {
            self.0.insert(word.to_owned());
        }
        self.word(word).to_owned()
    }

    fn word<'a>(&self, word: &'a str) -> &'a str {
        if self.0.contains(word) || self.0.len() < WORDS { word } else { "other" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_no_more_words_than_it_may() {
        let mut words = Words::default();
        for number in 0..1000 {
            words.bounded(&format!("relay-{number}"));
        }
        assert_eq!(words.bounded("relay-3"), "relay-3");
        assert_eq!(words.bounded("relay-999"), "other");
        assert_eq!(words.0.len(), WORDS);
    }
}
