//! What the log says: what has been written of what was owed, and what follows from that.

use std::sync::Arc;

use tocsin_protocol::{
    Again, AttemptEnded, AttemptPhase, Dispatch, DutyFinding, Entry, EscalationReason, EventNumber, Finding,
    IncidentId, Outcome, Proposal, RecipientId, StepNumber, Subject, Timestamp, from_body,
};

use super::{Fold, Verdict, duties, finding, incident, snapshot};
use crate::directory::{self, NotInForce};

impl Fold {
    pub(super) fn log(&mut self, entry: &Entry) -> Verdict {
        let Ok(subject) = entry.subject.parse::<Subject>() else {
            return Verdict::Foreign;
        };
        if let Subject::Directory { version } = subject {
            return match self.proclaimed(version, entry) {
                Ok(()) => Verdict::Recorded(subject),
                Err(why) => Verdict::NotInForce { version, why },
            };
        }
        if self.record(&subject, entry).is_some() { Verdict::Recorded(subject) } else { Verdict::Foreign }
    }

    /// `None` when the body is not what the subject says: only a stolen service key writes such a thing.
    pub(super) fn record(&mut self, subject: &Subject, entry: &Entry) -> Option<()> {
        match subject {
            Subject::Incident { .. }
            | Subject::Called { .. }
            | Subject::Receipt { .. }
            | Subject::Report { .. }
            | Subject::Link { .. } => return None,
            Subject::Proposal { publisher, said } => {
                let proposal: Proposal = from_body("proposal", &entry.body).ok()?;
                if proposal.subject() != *subject {
                    return None;
                }
                self.owing.proposed(publisher, *said);
            }
            Subject::Directory { version } => self.proclaimed(*version, entry).ok()?,
            Subject::Refusal { said, .. } => self.owing.refused(*said),
            Subject::Dispatch { .. } => {
                let dispatch: Dispatch = from_body("dispatch", &entry.body).ok()?;
                if dispatch.subject() != *subject {
                    return None;
                }
                self.dispatched(&Arc::new(self.sharing_names(dispatch)));
            }
            Subject::Notice { recipient, incident, event } => self.noticed(recipient, incident, *event),
            Subject::Overdue { recipient, incident, event, step } => {
                self.owing.overdue_told(subject);
                let incident = self.incidents.get_mut(incident)?;
                let place = incident.place(recipient);
                incident.event_mut(*event)?.steps.entry(*step).or_default().told.add(place);
            }
            Subject::Due { incident, event, step } => self.closed(incident, *event, *step, entry.time)?,
            Subject::Finding { .. } => {
                let finding: Finding = from_body("finding", &entry.body).ok()?;
                self.found(&finding);
            }
            Subject::Escalation { recipient, incident, event, step } => {
                self.owing.escalated(subject);
                let incident = self.incidents.get_mut(incident)?;
                let place = incident.place(recipient);
                incident.event_mut(*event)?.steps.entry(*step).or_default().escalated.add(place);
            }
            Subject::Attempt { recipient, incident, event, step, phase: AttemptPhase::Ended, .. } => {
                let ended: AttemptEnded = from_body("attempt", &entry.body).ok()?;
                if ended.outcome == Outcome::Permanent {
                    self.unreachable(recipient, incident, *event, *step);
                }
            }
            Subject::Window { .. } | Subject::Attempt { .. } | Subject::Checkpoint { .. } => {}
        }
        Some(())
    }

    /// A directory is in force from here on, unless the one that is does not let it.
    fn proclaimed(&mut self, version: u64, entry: &Entry) -> Result<(), NotInForce> {
        let directory = directory::follows(self.directory().map(Arc::as_ref), version, entry)?;
        self.directories.push((entry.time, Arc::new(directory)));
        Ok(())
    }

    /// The same dispatch, its recipients' names shared with the directory: there are as many of them as duties.
    fn sharing_names(&self, mut dispatch: Dispatch) -> Dispatch {
        let directory = self.directory_version(dispatch.directory).map(Arc::as_ref);
        snapshot::share_names(&mut dispatch, directory);
        dispatch
    }

    pub(super) fn dispatched(&mut self, dispatch: &Arc<Dispatch>) {
        let key = (dispatch.incident.clone(), dispatch.event);
        let Some(incident) =
            self.incidents.get_mut(&dispatch.incident).filter(|i| i.event(dispatch.event).is_some())
        else {
            self.early.insert(key, Arc::clone(dispatch));
            return;
        };
        let mut owed = incident::Bits::default();
        for recipient in dispatch.owed.iter().flat_map(|owed| &owed.recipients) {
            owed.add(incident.place(recipient));
        }
        let Some(state) = incident.event_mut(dispatch.event) else {
            return;
        };
        self.owing.dispatched(state.said);
        state.owed = owed;
        state.dispatch = Some(Arc::clone(dispatch));
        if state.noticed.count() < state.owed.count() {
            self.owing.notices(state.said, dispatch.incident.clone(), dispatch.event);
        } else {
            state.open = None;
        }
    }

    fn noticed(&mut self, recipient: &RecipientId, incident: &IncidentId, event: EventNumber) {
        let Some(incident) = self.incidents.get_mut(incident) else {
            return;
        };
        let place = incident.place(recipient);
        let Some(state) = incident.event_mut(event) else {
            return;
        };
        state.noticed.add(place);
        if state.dispatch.is_some() && state.noticed.count() >= state.owed.count() {
            self.owing.all_noticed(state.said);
            state.open = None;
        }
    }

    fn closed(
        &mut self,
        incident: &IncidentId,
        event: EventNumber,
        step: StepNumber,
        at: Timestamp,
    ) -> Option<()> {
        let state = self.incidents.get(incident)?.event(event)?;
        let dispatch = state.dispatch.as_ref()?;
        let of_duty = || duties::of_step(state, step).map(|duty| duty.due_at);
        let due_at = dispatch.steps.iter().find(|s| s.step == step).map(|s| s.due_at).or_else(of_duty)?;
        // The broker is never early. Whoever wrote this was not the broker, and the true one is still to come.
        if at < due_at {
            return None;
        }
        if !state.steps.get(&step).is_some_and(|s| s.found) {
            self.owing.find(incident.clone(), event, step, at);
        }
        Some(())
    }

    fn found(&mut self, finding: &Finding) {
        let (event, step) = (finding.event, finding.step);
        self.owing.found(&finding.incident, event, step);
        let Some(incident) = self.incidents.get_mut(&finding.incident) else {
            return;
        };
        if let Some(state) = incident.event_mut(event) {
            let found = state.steps.entry(step).or_default();
            found.found = true;
            let of = found.repeats.map_or(step, |repeated| repeated.of);
            if let Some(Again { step, due_at }) = finding.duty.as_ref().and_then(|duty| duty.again) {
                state.steps.entry(step).or_default().repeats = Some(incident::Repeated { of, due_at });
            }
        }
        if finding.stopped_by.is_some() {
            return;
        }
        if let Some(duty) = &finding.duty {
            if duty.reminds() {
                self.remind(finding, duty);
            }
            return;
        }
        for recipient in &finding.silent {
            let place = incident.place(recipient);
            let stands = incident
                .event(event)
                .and_then(|s| s.steps.get(&step))
                .is_some_and(|s| s.escalated.has(place));
            if !stands {
                let incident = finding.incident.clone();
                let subject = Subject::Escalation { recipient: recipient.clone(), incident, event, step };
                self.owing.escalate(subject, EscalationReason::Silent);
            }
        }
    }

    /// A duty was found overdue: whoever was to be reminded or told of it, and is not in the log yet, is owed that.
    fn remind(&mut self, finding: &Finding, duty: &DutyFinding) {
        let (event, step) = (finding.event, finding.step);
        let Some(known) = self.incidents.get(&finding.incident) else { return };
        let Some(state) = known.event(event) else { return };
        let Some(dispatch) = &state.dispatch else { return };
        let Some(owed) = duties::of_step(state, step) else { return };
        let Some(directory) = self.directory_version(dispatch.directory) else { return };
        let has = |bits: fn(&incident::StepState) -> &incident::Bits, recipient: &RecipientId| {
            known
                .known_place(recipient)
                .is_some_and(|at| state.steps.get(&step).is_some_and(|s| bits(s).has(at)))
        };
        let recipient = duties::publisher(dispatch);
        if !has(|step| &step.escalated, &recipient)
            && let Ok(Some(reminder)) = duties::reminder(dispatch, &owed, directory)
        {
            self.owing.escalate(reminder.subject, EscalationReason::Overdue);
        }
        if duty.met_by.is_none() {
            for recipient in duties::told(dispatch, finding.policy.as_ref()) {
                if !has(|step| &step.told, recipient) {
                    let (recipient, incident) = (recipient.clone(), finding.incident.clone());
                    self.owing.tell_overdue(Subject::Overdue { recipient, incident, event, step });
                }
            }
        }
    }

    /// A contact cannot be reached by mail, for good: the next step's is written to at once, unless there is no need.
    fn unreachable(
        &mut self,
        recipient: &RecipientId,
        incident: &IncidentId,
        event: EventNumber,
        step: StepNumber,
    ) {
        let Some(known) = self.incidents.get(incident) else {
            return;
        };
        let Some(state) = known.event(event) else {
            return;
        };
        let Some(next) = state.dispatch.as_ref().and_then(|d| finding::next_step(d, step)) else {
            return;
        };
        let stands = known
            .known_place(recipient)
            .is_some_and(|place| state.steps.get(&next.step).is_some_and(|s| s.escalated.has(place)));
        let no_need =
            known.acknowledged(recipient, event).is_some() || known.stopped(event, Timestamp::MAX).is_some();
        if stands || no_need {
            return;
        }
        let subject = Subject::Escalation {
            recipient: recipient.clone(),
            incident: incident.clone(),
            event,
            step: next.step,
        };
        self.owing.escalate(subject, EscalationReason::Unreachable);
    }
}
