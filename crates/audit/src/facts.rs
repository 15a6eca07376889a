//! The counted facts of one incident, with the broker's times: the evidence that a report is computed from.
//!
//! Whether a fact counts was decided before it comes here (by `tocsin_duty::Fold`). Of two facts under one subject the
//! first counts, here as there.

use std::{
    collections::{BTreeMap, btree_map::Entry as Slot},
    sync::Arc,
};

use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Call, Dispatch, Entry, Error as Unreadable, Escalation, Event,
    EventNumber, Finding, Notice, Overdue, Receipt, ReceiptStage, RecipientId, Refusal, SignedLink, Signer,
    StepNumber, Subject, Timestamp, from_body,
};

use crate::register::Register;

/// A fact and the broker's time of it.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) time: Timestamp,
    pub(crate) fact: T,
}

/// An event as it was said.
#[derive(Debug, Clone)]
pub(crate) struct SaidEvent {
    pub(crate) event: Event,
    /// The exact bytes, to hold the notices against.
    pub(crate) body: bytes::Bytes,
}

/// An acknowledgement, with whose key it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) receipt: Receipt,
    /// Whose key signed it. None where the directory does not tell, which for what counts it does.
    pub(crate) signer: Option<Signer>,
    /// The public key that did.
    pub(crate) key: Option<String>,
    /// The step from whose mail it came, when it carries a link that held.
    pub(crate) step: Option<StepNumber>,
}

/// A dispatch and the directory that it was made under.
#[derive(Debug, Clone)]
pub(crate) struct Dispatched {
    pub(crate) dispatch: Dispatch,
    pub(crate) register: Option<Arc<Register>>,
}

/// The event's bytes as a notice carries them. Every notice of an event should share one.
pub(crate) type Carried = Arc<[u8]>;

/// An attempt to send: either end may be missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempt {
    pub(crate) begun: Option<At<AttemptBegun>>,
    pub(crate) ended: Option<At<AttemptEnded>>,
}

/// A refusal as we judged it, as the router recorded it, or both.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The broker's time of what was said; known when we judged it.
    pub(crate) said_at: Option<Timestamp>,
    pub(crate) refusal: Refusal,
    pub(crate) judged: bool,
    pub(crate) recorded: bool,
}

/// How many refusals of one incident are kept, and how many faulty records: strangers can cause any number.
pub(crate) const KEPT: usize = 1_000;

pub(crate) type Step = (EventNumber, StepNumber);

/// The facts of one incident.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) events: BTreeMap<EventNumber, At<SaidEvent>>,
    pub(crate) dispatches: BTreeMap<EventNumber, At<Dispatched>>,
    pub(crate) notices: BTreeMap<(RecipientId, EventNumber), At<Carried>>,
    carried: BTreeMap<EventNumber, Carried>,
    pub(crate) delivered: BTreeMap<(RecipientId, EventNumber), Timestamp>,
    pub(crate) acknowledged: BTreeMap<(RecipientId, EventNumber), At<Acknowledged>>,
    /// The first call that was logged about an event to a recipient.
    pub(crate) calls: BTreeMap<(RecipientId, EventNumber), At<Call>>,
    /// Who was told that what an event promised did not come.
    pub(crate) overdue: BTreeMap<(RecipientId, EventNumber, StepNumber), Timestamp>,
    pub(crate) dues: BTreeMap<Step, Timestamp>,
    pub(crate) findings: BTreeMap<Step, At<Finding>>,
    pub(crate) escalations: BTreeMap<(RecipientId, EventNumber, StepNumber), At<Escalation>>,
    pub(crate) attempts: BTreeMap<(RecipientId, EventNumber, StepNumber), BTreeMap<u32, Attempt>>,
    pub(crate) refusals: BTreeMap<u64, Refused>,
    /// Subjects of `TOCSIN_LOG` that were written again, or whose body is not the fact it should be.
    pub(crate) faulty: Vec<Faulty>,
    /// Refusals and faulty records beyond what is kept of each.
    pub(crate) untold: u64,
}

/// A fact of the log that cannot be used.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) why: String,
}

impl Facts {
    /// An event that counts.
    pub(crate) fn event(&mut self, entry: &Entry, event: Event) {
        let said = SaidEvent { body: entry.body.clone(), event };
        self.events.entry(said.event.sequence).or_insert(At { time: entry.time, fact: said });
    }

    /// A call that counts.
    pub(crate) fn call(&mut self, entry: &Entry, call: Call) {
        let key = (call.recipient.clone(), call.event);
        self.calls.entry(key).or_insert(At { time: entry.time, fact: call });
    }

    /// When a call to a recipient was first logged about an event, or about a later one.
    pub(crate) fn called(&self, recipient: &RecipientId, event: EventNumber) -> Option<Timestamp> {
        let about = self.calls.range((recipient.clone(), event)..);
        about.take_while(|((who, _), _)| who == recipient).map(|(_, at)| at.time).min()
    }

    /// A receipt that counts.
    pub(crate) fn receipt(&mut self, entry: &Entry, receipt: Receipt, signer: Option<Signer>) {
        let time = entry.time;
        let key = (receipt.recipient.clone(), receipt.event);
        match receipt.stage {
            ReceiptStage::Delivered => {
                self.delivered.entry(key).or_insert(time);
            }
            ReceiptStage::Acknowledged => {
                let link = receipt.link.as_deref().and_then(|token| SignedLink::read(token).ok());
                let fact = Acknowledged {
                    signer,
                    key: entry.signed.as_ref().map(|signed| signed.key.clone()),
                    step: link.map(|signed| signed.link.step),
                    receipt,
                };
                self.acknowledged.entry(key).or_insert(At { time, fact });
            }
        }
    }

    /// A refusal as this reader judged it.
    pub(crate) fn judged(&mut self, time: Timestamp, refusal: Refusal) {
        if let Some(refused) = self.refused(refusal) {
            refused.said_at = Some(time);
            refused.judged = true;
        } else {
            self.untold += 1;
        }
    }

    /// A refusal as the router recorded it.
    pub(crate) fn recorded(&mut self, refusal: Refusal) {
        if let Some(refused) = self.refused(refusal) {
            refused.recorded = true;
        }
    }

    fn refused(&mut self, refusal: Refusal) -> Option<&mut Refused> {
        let full = self.refusals.len() >= KEPT;
        match self.refusals.entry(refusal.said) {
            Slot::Occupied(slot) => Some(slot.into_mut()),
            Slot::Vacant(_) if full => None,
            Slot::Vacant(slot) => {
                Some(slot.insert(Refused { said_at: None, refusal, judged: false, recorded: false }))
            }
        }
    }

    /// A fact of the log that cannot be used.
    pub(crate) fn fault(&mut self, entry: &Entry, why: String) {
        if self.faulty.len() < KEPT {
            self.faulty.push(Faulty { subject: entry.subject.clone(), sequence: entry.sequence, why });
        } else {
            self.untold += 1;
        }
    }

    /// A fact of the log about this incident.
    pub(crate) fn log(
        &mut self,
        subject: &Subject,
        entry: &Entry,
        register: impl Fn(u64) -> Option<Arc<Register>>,
    ) {
        match self.try_log(subject, entry, register) {
            Ok(true) => {}
            Ok(false) => {
                self.fault(entry, "the subject had a fact already, which is the one that counts".to_owned());
            }
            Err(why) => self.fault(entry, why.to_string()),
        }
    }

    /// False when the subject had a fact already.
    fn try_log(
        &mut self,
        subject: &Subject,
        entry: &Entry,
        register: impl Fn(u64) -> Option<Arc<Register>>,
    ) -> Result<bool, Unreadable> {
        let (time, body) = (entry.time, &entry.body);
        Ok(match subject.clone() {
            Subject::Dispatch { event, .. } => {
                let dispatch: Dispatch = from_body("dispatch", body)?;
                let register = register(dispatch.directory);
                put(&mut self.dispatches, event, At { time, fact: Dispatched { dispatch, register } })
            }
            Subject::Notice { recipient, event, .. } => {
                let notice: Notice = from_body("notice", body)?;
                let fact = self.carried(event, notice.said_body.get());
                put(&mut self.notices, (recipient, event), At { time, fact })
            }
            // A broker that is killed just as it closes a window closes it again: the first counts, and it is no fault.
            Subject::Due { event, step, .. } => {
                self.dues.entry((event, step)).or_insert(time);
                true
            }
            Subject::Finding { event, step, .. } => {
                put(&mut self.findings, (event, step), At { time, fact: from_body("finding", body)? })
            }
            Subject::Escalation { recipient, event, step, .. } => put(
                &mut self.escalations,
                (recipient, event, step),
                At { time, fact: from_body("escalation", body)? },
            ),
            Subject::Attempt { recipient, event, step, attempt, phase, .. } => {
                let attempts = self.attempts.entry((recipient, event, step)).or_default();
                let slot = attempts.entry(attempt).or_default();
                match phase {
                    AttemptPhase::Begun => {
                        let fact = At { time, fact: from_body("attempt begun", body)? };
                        slot.begun.is_none() && slot.begun.replace(fact).is_none()
                    }
                    AttemptPhase::Ended => {
                        let fact = At { time, fact: from_body("attempt ended", body)? };
                        slot.ended.is_none() && slot.ended.replace(fact).is_none()
                    }
                }
            }
            Subject::Overdue { recipient, event, step, .. } => {
                let _: Overdue = from_body("overdue", body)?;
                put(&mut self.overdue, (recipient, event, step), time)
            }
            Subject::Window { .. }
            | Subject::Incident { .. }
            | Subject::Called { .. }
            | Subject::Receipt { .. }
            | Subject::Report { .. }
            | Subject::Link { .. }
            | Subject::Proposal { .. }
            | Subject::Directory { .. }
            | Subject::Refusal { .. }
            | Subject::Checkpoint { .. } => true,
        })
    }

    /// The bytes that a notice carries, held once however many notices carry the same.
    fn carried(&mut self, event: EventNumber, body: &str) -> Carried {
        let body = body.trim().as_bytes();
        match self.carried.get(&event) {
            Some(first) if **first == *body => Arc::clone(first),
            Some(_) => body.into(),
            None => Arc::clone(self.carried.entry(event).or_insert_with(|| body.into())),
        }
    }

    /// The earliest acknowledgement that covers an event: its own, or a later event's.
    pub(crate) fn acknowledgement(
        &self,
        recipient: &RecipientId,
        event: EventNumber,
    ) -> Option<&At<Acknowledged>> {
        self.acknowledged
            .range((recipient.clone(), event)..)
            .take_while(|((who, _), _)| who == recipient)
            .map(|(_, at)| at)
            .min_by_key(|at| at.time)
    }
}

/// Puts a fact where none is; false when there is one.
fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> bool {
    match map.entry(key) {
        Slot::Vacant(slot) => {
            slot.insert(value);
            true
        }
        Slot::Occupied(_) => false,
    }
}
