//! What follows when a window closes: who was silent, and the escalations owed to them.

use tocsin_protocol::{
    Contact, Dispatch, DispatchStep, Error, Escalation, EscalationReason, Finding, Late, NewFact, Reach,
    RecipientId, StepNumber, Subject, Timestamp, Via, to_body,
};

use super::incident::Incident;
use crate::directory::{Directory, KnownRecipient};

/// What a step's window found. In time is: the broker's time of the acknowledgement is not after `due_at`. So the
/// finding is the same whenever it is worked out, once everything said by then has been folded.
pub(super) fn find(
    incident: &Incident,
    dispatch: &Dispatch,
    step: &DispatchStep,
    closed_at: Timestamp,
) -> Finding {
    let (mut required, mut silent, mut late) = (0_u32, Vec::new(), Vec::new());
    for recipient in dispatch.required(step.step) {
        required += 1;
        let acknowledged = incident.acknowledged(recipient, dispatch.event);
        if acknowledged.is_some_and(|at| at <= step.due_at) {
            continue;
        }
        silent.push(recipient.clone());
        if let Some(acknowledged_at) = acknowledged.filter(|at| *at <= closed_at) {
            late.push(Late { recipient: recipient.clone(), acknowledged_at });
        }
    }
    let acknowledged = required - u32::try_from(silent.len()).unwrap_or(required);
    Finding {
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        step: step.step,
        policy: Some(step.policy.clone()),
        status: dispatch.status,
        due_at: step.due_at,
        closed_at,
        required,
        acknowledged,
        silent,
        late,
        stopped_by: incident.stopped(dispatch.event, step.due_at),
        duty: None,
    }
}

/// The finding's own fact.
pub(super) fn fact(finding: &Finding) -> Result<NewFact, Error> {
    Ok(NewFact {
        subject: Subject::Finding {
            incident: finding.incident.clone(),
            event: finding.event,
            step: finding.step,
        },
        body: to_body("finding", finding)?,
        schedule: None,
    })
}

/// The escalation owed to one recipient at one step, or none where the directory knows no way to reach it (which
/// `directory apply` refuses).
pub(super) fn escalation(
    dispatch: &Dispatch,
    step: StepNumber,
    recipient: &RecipientId,
    reason: EscalationReason,
    directory: &Directory,
) -> Result<Option<NewFact>, Error> {
    let Some(step) = dispatch.steps.iter().find(|s| s.step == step) else {
        return Ok(None);
    };
    let Some(known) = directory.recipient(recipient) else {
        return Ok(None);
    };
    let (reached, via) = reached(known, step.reach, directory);
    let Some((contact, to)) = contact(reached.entry.contacts.iter(), &step.contact) else {
        return Ok(None);
    };
    let escalation = Escalation {
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        step: step.step,
        recipient: recipient.clone(),
        recipient_name: known.entry.name.clone(),
        policy: Some(step.policy.clone()),
        duty: None,
        status: dispatch.status,
        said: dispatch.said,
        due_at: step.due_at,
        reason,
        contact: contact.clone(),
        to: to.clone(),
        via,
        time_zone: directory.document().time_zone.clone(),
    };
    Ok(Some(NewFact {
        subject: Subject::Escalation {
            recipient: recipient.clone(),
            incident: dispatch.incident.clone(),
            event: dispatch.event,
            step: step.step,
        },
        body: to_body("escalation", &escalation)?,
        schedule: None,
    }))
}

/// Whose contact is written to for a silent recipient. Better the right body itself again than nobody, where it has no
/// buddy or coordinating body.
fn reached<'d>(
    silent: &'d KnownRecipient,
    reach: Reach,
    directory: &'d Directory,
) -> (&'d KnownRecipient, Option<Via>) {
    let other = match reach {
        Reach::Own => None,
        Reach::Buddy => silent.entry.buddy.as_ref(),
        Reach::CoordinatingBody => silent.entry.coordinating_body.as_ref(),
    };
    match other.and_then(|id| directory.recipient(id)).filter(|other| !other.entry.contacts.is_empty()) {
        Some(other) => {
            let via = Via { recipient: other.entry.id.clone(), name: other.entry.name.clone(), reach };
            (other, Some(via))
        }
        None => (silent, None),
    }
}

/// The contact that the step names, else any: better the wrong desk of the right body than nobody.
pub(super) fn contact<'d>(
    mut contacts: impl Iterator<Item = (&'d String, &'d Contact)> + Clone,
    wanted: &str,
) -> Option<(&'d String, &'d Contact)> {
    contacts.clone().find(|(word, _)| *word == wanted).or_else(|| contacts.next())
}

/// The step after this one of the same policy.
pub(super) fn next_step(dispatch: &Dispatch, step: StepNumber) -> Option<&DispatchStep> {
    let policy = &dispatch.steps.iter().find(|s| s.step == step)?.policy;
    dispatch.steps.iter().find(|later| later.step > step && later.policy == *policy)
}
