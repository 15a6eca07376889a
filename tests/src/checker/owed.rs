//! What the publisher owes: found overdue when it is, and told to those whom it concerns.

use std::collections::BTreeSet;

use tocsin_protocol::{
    Dispatch, DispatchDuty, DutyFinding, EventNumber, RecipientId, Stage, StepNumber, Timestamp,
};

use super::{
    said::{Heard, SaidEvent},
    written::{At, Log, MailKey},
};

/// Works out what a duty's window must have found, and gives the reminder and what may have been told because of it.
pub(super) fn window(
    log: &Log,
    heard: &Heard,
    (dispatch, duty, step): (&Dispatch, &DispatchDuty, StepNumber),
    faults: &mut Vec<String>,
) -> BTreeSet<MailKey> {
    let Dispatch { incident, event, .. } = dispatch;
    let key = (incident.clone(), *event, step);
    let Some(due) = log.dues.get(&key) else { return BTreeSet::new() };
    let Some(At { fact: finding, .. }) = log.findings.get(&key) else {
        faults.push(format!("unfinished: nothing was found at {key:?}"));
        return BTreeSet::new();
    };
    let Some(found) = &finding.duty else {
        faults.push(format!("{key:?} is the window of a duty, and a silence was found: {finding:?}"));
        return BTreeSet::new();
    };
    let done = done(heard, dispatch, duty, due.time);
    let called = |who: &&RecipientId| {
        heard.calls.iter().any(|call| {
            call.incident == *incident
                && call.event >= *event
                && call.recipient == **who
                && call.time <= duty.due_at
        })
    };
    let not_called: Vec<RecipientId> = duty.telephone.iter().filter(|who| !called(who)).cloned().collect();
    let overdue = done.is_none_or(|(_, at)| at > duty.due_at) || !not_called.is_empty();
    let same = found.overdue == overdue
        && found.met_by == done.map(|(number, _)| number)
        && found.not_called == not_called
        && finding.silent.is_empty()
        && finding.required == 0
        && finding.closed_at == due.time;
    if !same {
        faults
            .push(format!("{key:?} should have found {done:?} done, {not_called:?} not called: {finding:?}"));
    }
    if found.again.is_some_and(|again| !found.repeated || done.is_some() || again.due_at <= duty.due_at) {
        faults.push(format!(
            "{key:?} makes its duty due again, and {done:?} did it, or it is not repeated: {finding:?}"
        ));
    }
    if !takes_its_place(log, dispatch, duty, found) {
        faults.push(format!("{key:?} was superseded by nothing: {finding:?}"));
    }
    if !overdue || found.superseded_by.is_some() || finding.stopped_by.is_some() {
        return BTreeSet::new();
    }
    let recipients =
        if duty.policy.is_none() && done.is_none() { dispatch.recipients() } else { <_>::default() };
    for who in recipients.into_keys() {
        if !log.overdue.contains(&(who.clone(), incident.clone(), *event, step)) {
            faults.push(format!("{key:?}: {who} was not told that what was promised did not come"));
        }
    }
    let publisher = RecipientId::new(dispatch.publisher.as_str()).ok();
    publisher.map(|publisher| (publisher, incident.clone(), *event, step)).into_iter().collect()
}

/// The first report that does it, had the broker it by then.
fn done(
    heard: &Heard,
    dispatch: &Dispatch,
    duty: &DispatchDuty,
    by: Timestamp,
) -> Option<(EventNumber, Timestamp)> {
    let from = dispatch.event.get() + u32::from(duty.met_at.is_none());
    heard
        .events
        .iter()
        .filter(|((of, number), said)| *of == dispatch.incident && number.get() >= from && said.time <= by)
        .find(|((_, number), said)| {
            rank(number.get(), said) >= wanted(duty.stage) && fits(number.get(), duty.stage)
        })
        .map(|((_, number), said)| (*number, said.time))
}

fn rank(number: u32, said: &SaidEvent) -> u8 {
    said.fact.stage.map_or(u8::from(number > 1), wanted)
}

fn wanted(stage: Stage) -> u8 {
    match stage {
        Stage::Initial => 0,
        Stage::Update => 1,
        Stage::Full => 2,
        Stage::Final => 3,
    }
}

/// The first word is the first event; an update is any later one.
fn fits(number: u32, stage: Stage) -> bool {
    match stage {
        Stage::Initial => number == 1,
        Stage::Update => number > 1,
        Stage::Full | Stage::Final => true,
    }
}

/// Whether what is said to have taken a window's place is there, with another time.
fn takes_its_place(log: &Log, dispatch: &Dispatch, duty: &DispatchDuty, found: &DutyFinding) -> bool {
    let Some(by) = found.superseded_by else { return true };
    let Some(other) = log.dispatches.get(&(dispatch.incident.clone(), by)) else { return false };
    let named = |other: &&DispatchDuty| other.policy == duty.policy && other.duty == duty.duty;
    other.fact.duties.iter().filter(named).any(|other| other.due_at != duty.due_at)
}

/// Nobody is told of an overdue that is none.
pub(super) fn told(log: &Log, faults: &mut Vec<String>) {
    for (who, incident, event, step) in &log.overdue {
        let found = log.findings.get(&(incident.clone(), *event, *step));
        let duty = found.and_then(|finding| finding.fact.duty.as_ref());
        if !duty.is_some_and(|duty| duty.overdue && duty.met_by.is_none() && duty.superseded_by.is_none()) {
            faults.push(format!("{who} was told without need that {incident}/{event}/{step} is overdue"));
        }
    }
}
