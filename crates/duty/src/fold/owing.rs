//! What is owed to the log and not there yet. Kept small (keys, not bodies), as a replay owes and settles everything
//! that ever happened.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    Error, EscalationReason, EventNumber, IncidentId, NewFact, Proposal, PublisherId, Refusal, StepNumber,
    Subject, Timestamp, to_body,
};

use super::{Batch, Fold, dispatch, duties, finding, snapshot};

/// Refusals in one append. They are small; a flood of them is written in pieces.
const REFUSALS_AT_ONCE: usize = 500;

/// Proposals in one append: each may be as large as twenty candidates are.
const PROPOSALS_AT_ONCE: usize = 50;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Owing {
    refusals: BTreeMap<u64, Refusal>,
    /// By the event's sequence in SAID.
    dispatches: BTreeMap<u64, (IncidentId, EventNumber)>,
    /// Dispatched, some notices missing: by the event's sequence in SAID.
    notices: BTreeMap<u64, (IncidentId, EventNumber)>,
    /// Windows that have closed, and when.
    #[serde(with = "snapshot::pairs")]
    findings: BTreeMap<(IncidentId, EventNumber, StepNumber), Timestamp>,
    #[serde(with = "snapshot::by_subject")]
    escalations: BTreeMap<Subject, EscalationReason>,
    #[serde(with = "snapshot::pairs")]
    proposals: BTreeMap<(u64, PublisherId), Proposal>,
    /// Who is to be told that what was promised did not come.
    #[serde(with = "snapshot::subjects")]
    overdue: BTreeSet<Subject>,
}

impl Owing {
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.insert(refusal.said, refusal);
    }

    pub(super) fn refused(&mut self, said: u64) {
        self.refusals.remove(&said);
    }

    pub(super) fn dispatch(&mut self, said: u64, incident: IncidentId, event: EventNumber) {
        self.dispatches.insert(said, (incident, event));
    }

    pub(super) fn dispatched(&mut self, said: u64) {
        self.dispatches.remove(&said);
    }

    pub(super) fn notices(&mut self, said: u64, incident: IncidentId, event: EventNumber) {
        self.notices.insert(said, (incident, event));
    }

    pub(super) fn all_noticed(&mut self, said: u64) {
        self.notices.remove(&said);
    }

    pub(super) fn find(
        &mut self,
        incident: IncidentId,
        event: EventNumber,
        step: StepNumber,
        closed_at: Timestamp,
    ) {
        self.findings.entry((incident, event, step)).or_insert(closed_at);
    }

    pub(super) fn found(&mut self, incident: &IncidentId, event: EventNumber, step: StepNumber) {
        self.findings.remove(&(incident.clone(), event, step));
    }

    pub(super) fn escalate(&mut self, subject: Subject, reason: EscalationReason) {
        self.escalations.entry(subject).or_insert(reason);
    }

    pub(super) fn escalated(&mut self, subject: &Subject) {
        self.escalations.remove(subject);
    }

    pub(super) fn propose(&mut self, proposal: Proposal) {
        self.proposals.insert((proposal.of.said, proposal.publisher.clone()), proposal);
    }

    pub(super) fn proposed(&mut self, publisher: &PublisherId, said: u64) {
        self.proposals.remove(&(said, publisher.clone()));
    }

    pub(super) fn tell_overdue(&mut self, subject: Subject) {
        self.overdue.insert(subject);
    }

    pub(super) fn overdue_told(&mut self, subject: &Subject) {
        self.overdue.remove(subject);
    }

    /// Everything owed, as facts. A fact that cannot be made (its parts are not in the state) is left owed: the state
    /// will tell when asked again.
    pub(super) fn batches(&self, fold: &Fold) -> Vec<Batch> {
        let refusals: Vec<_> =
            self.refusals.values().filter_map(|refusal| refusal_fact(refusal).ok()).collect();
        let refusals = refusals.chunks(REFUSALS_AT_ONCE).map(<[NewFact]>::to_vec);
        let dispatches = self.dispatches.values().filter_map(|(i, n)| dispatch_facts(fold, i, *n));
        let notices = self.notices.values().filter_map(|(i, n)| missing_notices(fold, i, *n));
        let findings =
            self.findings.iter().filter_map(|((i, n, step), at)| finding_facts(fold, i, *n, *step, *at));
        let escalations: Vec<_> = self
            .escalations
            .iter()
            .filter_map(|(subject, reason)| match subject {
                Subject::Escalation { recipient, incident, event, step } => {
                    let state = fold.incidents.get(incident)?.event(*event)?;
                    let dispatch = state.dispatch.as_ref()?;
                    let directory = fold.directory_version(dispatch.directory)?;
                    if *reason == EscalationReason::Overdue {
                        let duty = duties::of_step(state, *step)?;
                        return duties::reminder(dispatch, &duty, directory).ok()?;
                    }
                    finding::escalation(dispatch, *step, recipient, *reason, directory).ok()?
                }
                _ => None,
            })
            .collect();
        let proposals: Vec<_> =
            self.proposals.values().filter_map(|proposal| proposal_fact(proposal).ok()).collect();
        let proposals = proposals.chunks(PROPOSALS_AT_ONCE).map(<[NewFact]>::to_vec);
        let overdue: Vec<_> = self
            .overdue
            .iter()
            .filter_map(|subject| match subject {
                Subject::Overdue { recipient, incident, event, step } => {
                    let state = fold.incidents.get(incident)?.event(*event)?;
                    let duty = duties::of_step(state, *step)?;
                    duties::overdue(state.dispatch.as_ref()?, &duty, recipient).ok()?
                }
                _ => None,
            })
            .collect();
        refusals
            .chain(dispatches)
            .chain(notices)
            .chain(findings)
            .chain([escalations, overdue])
            .chain(proposals)
            .filter(|facts| !facts.is_empty())
            .map(|facts| Batch { facts })
            .collect()
    }
}

fn refusal_fact(refusal: &Refusal) -> Result<NewFact, Error> {
    Ok(NewFact {
        // The subject that the refusal repeats may be cut, but not within the name of a body.
        subject: Subject::refusal(&refusal.subject, refusal.said),
        body: to_body("refusal", refusal)?,
        schedule: None,
    })
}

fn proposal_fact(proposal: &Proposal) -> Result<NewFact, Error> {
    Ok(NewFact { subject: proposal.subject(), body: to_body("proposal", proposal)?, schedule: None })
}

fn dispatch_facts(fold: &Fold, incident: &IncidentId, event: EventNumber) -> Option<Vec<NewFact>> {
    let known = fold.incidents.get(incident)?;
    let state = known.event(event)?;
    let open = state.open.as_ref()?;
    let directory = fold.directory_at(state.published_at)?;
    let earlier = dispatch::before(fold, known, event);
    let dispatch = dispatch::plan(directory, known, event, state, open, &earlier);
    dispatch::facts(&dispatch, directory, open).ok()
}

fn missing_notices(fold: &Fold, incident: &IncidentId, event: EventNumber) -> Option<Vec<NewFact>> {
    let known = fold.incidents.get(incident)?;
    let state = known.event(event)?;
    let dispatch = state.dispatch.as_ref()?;
    let directory = fold.directory_version(dispatch.directory)?;
    let missing = |recipient: &_| known.known_place(recipient).is_none_or(|place| !state.noticed.has(place));
    dispatch::notices(dispatch, directory, state.open.as_ref()?, missing).ok()
}

fn finding_facts(
    fold: &Fold,
    incident: &IncidentId,
    event: EventNumber,
    step: StepNumber,
    closed_at: Timestamp,
) -> Option<Vec<NewFact>> {
    let known = fold.incidents.get(incident)?;
    let state = known.event(event)?;
    let dispatch = state.dispatch.as_ref()?;
    let directory = fold.directory_version(dispatch.directory)?;
    if let Some(duty) = duties::of_step(state, step) {
        let mut later = dispatch::before(fold, known, known.next_number());
        later.retain(|other| other.event > event);
        let finding = duties::find(directory, known, dispatch, (&duty, step), &later, closed_at);
        let mut facts = vec![finding::fact(&finding).ok()?];
        // With its finding, in one append: so it is armed once, and never left out.
        if let Some(again) = finding.duty.as_ref().and_then(|duty| duty.again) {
            facts.push(dispatch::window(dispatch, again.step, again.due_at).ok()?);
        }
        if let Some(found) = finding.duty.filter(|found| found.reminds() && finding.stopped_by.is_none()) {
            facts.extend(duties::reminder(dispatch, &duty, directory).ok()?);
            if found.met_by.is_none() {
                for recipient in duties::told(dispatch, duty.policy.as_ref()) {
                    facts.extend(duties::overdue(dispatch, &duty, recipient).ok()?);
                }
            }
        }
        return Some(facts);
    }
    let window = dispatch.steps.iter().find(|s| s.step == step)?;
    let finding = finding::find(known, dispatch, window, closed_at);
    let mut facts = vec![finding::fact(&finding).ok()?];
    if finding.stopped_by.is_none() {
        let stands = |recipient: &_| {
            let place = known.known_place(recipient);
            place.is_some_and(|place| state.steps.get(&step).is_some_and(|s| s.escalated.has(place)))
        };
        for recipient in finding.silent.iter().filter(|recipient| !stands(recipient)) {
            facts.extend(
                finding::escalation(dispatch, step, recipient, EscalationReason::Silent, directory).ok()?,
            );
        }
    }
    Some(facts)
}
