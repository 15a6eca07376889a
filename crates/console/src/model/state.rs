//! Both streams, folded into what is shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::{Dispatch, Entry, EventNumber, IncidentId, Subject, Timestamp, from_body};

use super::{incident::Incident, trails::Trails};
use crate::operate::{
    measures::{Counted, Measures},
    presence::Presence,
};

/// What is known at one moment.
#[derive(Default)]
pub struct State {
    /// Both streams, folded: the rules, the directory in force, and what counts.
    pub fold: Fold,
    /// What is measured, of all of it.
    pub measures: Measures,
    /// Whose desk is at work now: heard, and on no record.
    pub presence: Presence,
    /// What was reported, proposed and linked.
    pub trails: Trails,
    incidents: BTreeMap<IncidentId, Incident>,
    /// Dispatches that the skew of two brokers' clocks put before their event.
    early: HashMap<(IncidentId, EventNumber), (Timestamp, Dispatch)>,
    /// Those whose counts are to be made anew.
    stale: BTreeSet<IncidentId>,
}

impl State {
    /// Nothing is known yet; who is heard will be told there.
    pub(super) fn hearing(presence: Presence) -> Self {
        Self { presence, ..Self::default() }
    }

    /// How much of both streams is known: it only grows, and is the same for every console that has read the same.
    pub fn revision(&self) -> u64 {
        self.fold.said_through() + self.fold.log_through()
    }

    /// An incident.
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    /// Every incident, by identifier.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// Takes in entries in the order of the ledger.
    pub fn take<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) {
        for entry in entries {
            self.apply(entry);
        }
        for id in std::mem::take(&mut self.stale) {
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.count();
            }
        }
    }

    fn apply(&mut self, entry: &Entry) {
        let verdict = self.fold.apply(entry);
        let counted = Counted::of(&verdict);
        self.show(entry, verdict);
        self.measures.take(entry, counted, &self.incidents, &self.fold);
    }

    fn show(&mut self, entry: &Entry, verdict: Verdict) {
        let revision = self.revision();
        match verdict {
            Verdict::Event(event) => {
                let id = event.incident.clone();
                let number = event.sequence;
                let incident = self.incidents.entry(id.clone()).or_insert_with(|| Incident::new(&event));
                incident.said(*event, entry.sequence, entry.time, revision);
                if let Some((at, dispatch)) = self.early.remove(&(id.clone(), number)) {
                    incident.dispatched(dispatch, at, revision);
                }
                self.stale.insert(id);
            }
            Verdict::Receipt(receipt) => {
                let id = receipt.incident.clone();
                if let Some(incident) = self.incidents.get_mut(&id) {
                    incident.receipt(*receipt, entry.time, revision);
                    self.stale.insert(id);
                }
            }
            Verdict::Refused(refusal) => {
                let Ok(subject) = entry.subject.parse::<Subject>() else { return };
                if matches!(subject, Subject::Report { .. } | Subject::Link { .. }) {
                    return self.trails.refused(refusal);
                }
                if let Some(incident) = subject.incident().and_then(|id| self.incidents.get_mut(id)) {
                    incident.refused(&subject, refusal, entry.time, revision);
                }
            }
            Verdict::Recorded(Subject::Dispatch { incident, event, .. }) => {
                let Ok(dispatch) = from_body::<Dispatch>("dispatch", &entry.body) else { return };
                match self.incidents.get_mut(&incident) {
                    Some(known) if known.event(event).is_some() => {
                        known.dispatched(dispatch, entry.time, revision);
                        self.stale.insert(incident);
                    }
                    _ => {
                        self.early.entry((incident, event)).or_insert((entry.time, dispatch));
                    }
                }
            }
            Verdict::Recorded(Subject::Proposal { .. }) => {
                if let Ok(proposal) = from_body("proposal", &entry.body) {
                    self.trails.proposed(proposal);
                }
            }
            Verdict::Recorded(subject) => {
                let Some(id) = subject.incident().cloned() else { return };
                if let Some(incident) = self.incidents.get_mut(&id)
                    && incident.log(subject, &entry.body, entry.time, revision).is_some()
                {
                    self.stale.insert(id);
                }
            }
            Verdict::Report(report) => self.trails.report(entry.time, *report),
            Verdict::Link(linking) => self.trails.link(entry.time, *linking),
            Verdict::Call(_)
            | Verdict::Repeated
            | Verdict::Trusted
            | Verdict::NotInForce { .. }
            | Verdict::Foreign => {}
        }
    }
}
