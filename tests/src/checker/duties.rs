//! The duties: acknowledged in time or escalated, never neither, never both.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_protocol::{
    Dispatch, DispatchStep, EscalationReason, EventNumber, Finding, IncidentId, Outcome, RecipientId,
    Requirement, StepNumber, Timestamp,
};

use super::{
    owed,
    said::Heard,
    written::{self, At, Log, MailKey},
};

/// How a recipient stood to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No acknowledgement was asked.
    NotAsked,
    /// Acknowledged not after the first window's end.
    InTime,
    /// Acknowledged after it.
    Late,
    /// Never acknowledged.
    Silent,
    /// Never acknowledged, and the incident was over before the window closed.
    Excused,
}

/// One recipient of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which event.
    pub event: EventNumber,
    /// Who.
    pub recipient: RecipientId,
    /// Required or informed.
    pub requirement: Requirement,
    /// How it stood.
    pub standing: Standing,
    /// When its system said that it holds the notice.
    pub delivered_at: Option<Timestamp>,
    /// When it acknowledged this event or a later one.
    pub acknowledged_at: Option<Timestamp>,
    /// Whether the console signed that.
    pub by_console: bool,
    /// The steps at which a mail was owed to it, with the attempts begun, those unknown, and whether one was accepted.
    pub escalations: BTreeMap<StepNumber, (usize, usize, bool)>,
}

pub(super) fn judge(log: &Log, heard: &Heard, faults: &mut Vec<String>) -> BTreeMap<IncidentId, Vec<Row>> {
    let mut rows: BTreeMap<IncidentId, Vec<Row>> = BTreeMap::new();
    let mut allowed = BTreeSet::new();
    for at in log.dispatches.values() {
        for step in &at.fact.steps {
            allowed.extend(window(log, heard, &at.fact, step, faults));
        }
        for duty in &written::owed(log, &at.fact) {
            let Some(step) = duty.step else { continue };
            let reminder = owed::window(log, heard, (&at.fact, duty, step), faults);
            allowed.extend(reminder);
        }
        rows.entry(at.fact.incident.clone()).or_default().extend(rows_of(log, heard, &at.fact));
    }
    for (key, finding) in &log.findings {
        match log.dues.get(key) {
            None => faults.push(format!("a finding of a window that has not closed: {key:?}")),
            Some(due) if due.sequence >= finding.sequence => {
                faults.push(format!("found before it closed: {key:?}"));
            }
            Some(_) => {}
        }
    }
    for key in log.escalations.keys().filter(|key| !allowed.contains(*key)) {
        faults.push(format!("escalated without need: {key:?}"));
    }
    rows
}

/// Works out what a window must have found, and gives the escalations that may stand because of it.
fn window(
    log: &Log,
    heard: &Heard,
    dispatch: &Dispatch,
    step: &DispatchStep,
    faults: &mut Vec<String>,
) -> BTreeSet<MailKey> {
    let Dispatch { incident, event, .. } = dispatch;
    let key = (incident.clone(), *event, step.step);
    let mut owed = BTreeSet::new();
    let Some(due) = log.dues.get(&key) else { return owed };
    let Some(At { fact: finding, .. }) = log.findings.get(&key) else {
        faults.push(format!("unfinished: nothing was found at {key:?}"));
        return owed;
    };
    let required: Vec<_> = dispatch.required(step.step).collect();
    let in_time =
        |r: &RecipientId| heard.acknowledged_at(incident, *event, r).is_some_and(|at| at <= step.due_at);
    let silent: Vec<RecipientId> = required.iter().filter(|r| !in_time(r)).map(|r| (*r).clone()).collect();
    let stopped = heard.ended(incident, *event, step.due_at);
    let late: Vec<_> = silent
        .iter()
        .filter_map(|r| heard.acknowledged_at(incident, *event, r).map(|at| (r.clone(), at)))
        .filter(|(_, at)| *at <= due.time)
        .collect();
    let same = finding.silent == silent
        && finding.late.iter().map(|l| (l.recipient.clone(), l.acknowledged_at)).eq(late)
        && finding.required as usize == required.len()
        && finding.acknowledged as usize == required.len() - silent.len()
        && finding.stopped_by.as_ref().map(|by| by.event) == stopped.map(|(number, _)| number)
        && finding.closed_at == due.time
        && finding.status == dispatch.status;
    if !same {
        faults.push(format!("{key:?} should have found {silent:?} silent, stopped {stopped:?}: {finding:?}"));
    }
    if stopped.is_none() {
        for recipient in silent {
            let mail = (recipient.clone(), incident.clone(), *event, step.step);
            match log.escalations.get(&mail) {
                None => faults.push(format!("neither in time nor escalated: {mail:?}")),
                Some(at) => faults.extend(differs(dispatch, step, finding, &at.fact)),
            }
            owed.insert(mail);
        }
    }
    owed.extend(unreachable(log, heard, dispatch, step, faults));
    owed
}

fn differs(
    dispatch: &Dispatch,
    step: &DispatchStep,
    finding: &Finding,
    owed: &tocsin_protocol::Escalation,
) -> Option<String> {
    let same = owed.said == dispatch.said
        && owed.status == dispatch.status
        && owed.due_at == step.due_at
        && owed.policy == finding.policy
        && owed.contact == step.contact;
    (!same).then(|| format!("an escalation speaks of another duty: {owed:?}"))
}

/// The next contact of those whose contact at this step takes no mail.
fn unreachable(
    log: &Log,
    heard: &Heard,
    dispatch: &Dispatch,
    step: &DispatchStep,
    faults: &mut Vec<String>,
) -> Vec<MailKey> {
    let Dispatch { incident, event, .. } = dispatch;
    let Some(next) = dispatch.steps.iter().find(|s| s.step > step.step && s.policy == step.policy) else {
        return Vec::new();
    };
    let mut owed = Vec::new();
    for recipient in dispatch.required(step.step) {
        let here = (recipient.clone(), incident.clone(), *event, step.step);
        let ends =
            log.attempts.get(&here).into_iter().flat_map(BTreeMap::values).filter_map(|a| a.ended.as_ref());
        let Some(refused) = ends.into_iter().find(|end| end.fact.outcome == Outcome::Permanent) else {
            continue;
        };
        let there = (recipient.clone(), incident.clone(), *event, next.step);
        let no_need = heard.acknowledged_at(incident, *event, recipient).is_some()
            || heard.ended(incident, *event, Timestamp::MAX).is_some();
        match log.escalations.get(&there) {
            None if !no_need => {
                faults.push(format!("{here:?} takes no mail, and nobody else was written to"));
            }
            Some(at) if at.fact.reason == EscalationReason::Unreachable && at.sequence < refused.sequence => {
                faults
                    .push(format!("{there:?} was written to before its first contact was known unreachable"));
            }
            _ => {}
        }
        owed.push(there);
    }
    owed
}

fn rows_of(log: &Log, heard: &Heard, dispatch: &Dispatch) -> Vec<Row> {
    let Dispatch { incident, event, .. } = dispatch;
    let row = |(recipient, requirement): (&RecipientId, Requirement)| {
        let asked = dispatch.steps.iter().filter(|s| dispatch.required(s.step).any(|r| r == recipient));
        let first = asked.min_by_key(|step| (step.due_at, step.step));
        let acknowledged = heard.acknowledged(incident, *event, recipient);
        let acknowledged_at = acknowledged.map(|said| said.time);
        let standing = match (first, acknowledged_at) {
            (None, _) => Standing::NotAsked,
            (Some(step), Some(at)) if at <= step.due_at => Standing::InTime,
            (Some(_), Some(_)) => Standing::Late,
            (Some(step), None) if heard.ended(incident, *event, step.due_at).is_some() => Standing::Excused,
            (Some(_), None) => Standing::Silent,
        };
        let mails = log
            .escalations
            .keys()
            .filter(|key| key.0 == *recipient && key.1 == *incident && key.2 == *event)
            .map(|key| (key.3, attempts(log, key)));
        Row {
            event: *event,
            recipient: recipient.clone(),
            requirement,
            standing,
            delivered_at: heard.delivered.get(&(incident.clone(), *event, recipient.clone())).copied(),
            acknowledged_at,
            by_console: acknowledged.is_some_and(|said| said.by_console),
            escalations: mails.collect(),
        }
    };
    dispatch.recipients().into_iter().map(row).collect()
}

fn attempts(log: &Log, key: &MailKey) -> (usize, usize, bool) {
    let all: Vec<_> = log.attempts.get(key).into_iter().flat_map(BTreeMap::values).collect();
    let outcome = |wanted| {
        all.iter().filter(|a| a.ended.as_ref().is_some_and(|end| end.fact.outcome == wanted)).count()
    };
    (
        all.iter().filter(|attempt| attempt.begun.is_some()).count(),
        outcome(Outcome::Unknown),
        outcome(Outcome::Accepted) > 0,
    )
}
