//! The duties: acknowledged in time or escalated, never neither, never both.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checked, Promise,
    log::{Log, Written, time},
    owed::{Owed, Step},
    promises::Allowed,
    said::Said,
    words::{EventKey, MailKey},
};

/// What the record says of the mail owed at one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Sent {
    pub(in super::super) attempts: u64,
    pub(in super::super) unknown: u64,
    pub(in super::super) accepted: bool,
}

/// How one recipient stood to one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Row {
    pub(in super::super) event: u64,
    pub(in super::super) recipient: String,
    /// In the report's words.
    pub(in super::super) state: &'static str,
    pub(in super::super) delivered_at: Option<Timestamp>,
    pub(in super::super) acknowledged_at: Option<Timestamp>,
    /// By the step at which a mail was owed.
    pub(in super::super) mails: BTreeMap<u64, Sent>,
}

pub(super) fn judge(
    log: &Log,
    said: &Said,
    all: &BTreeMap<EventKey, Owed>,
    overdue: Allowed,
    checked: &mut Checked,
) {
    let mut allowed: BTreeSet<MailKey> = overdue.reminders;
    for (key, owed) in all.iter().filter(|(key, _)| log.dispatches.contains_key(*key)) {
        let event = &said.events[key];
        checked.held(Promise::NeverNeither, owed.steps.iter().map(|step| step.required.len()).sum());
        for step in &owed.steps {
            window(log, said, key, step, &event.fact, &mut allowed, checked);
            unreachable(log, said, key, step, &owed.steps, &mut allowed, checked);
        }
        let rows = owed.told.keys().map(|recipient| row(log, said, key, recipient, &owed.steps));
        let rows: Vec<Row> = rows.collect();
        for row in &rows {
            checked.count(
                match row.state {
                    "in-time" => "acknowledged in time",
                    "late" => "acknowledged late",
                    "silent" => "never acknowledged",
                    "excused" => "excused, as the incident was over",
                    _ => "told and not asked",
                },
                1,
            );
        }
        checked.rows.entry(key.0.clone()).or_default().extend(rows);
    }
    for (key, finding) in &log.findings {
        if log.dues.get(key).is_none_or(|due| due.sequence >= finding.sequence) {
            checked.broken(Promise::Found, format!("{key:?} was found before it closed"));
        }
    }
    checked.held(Promise::Found, log.findings.len());
    checked.held(Promise::NeverBoth, log.escalations.len());
    for key in log.escalations.keys().filter(|key| !allowed.contains(*key)) {
        checked.broken(Promise::NeverBoth, format!("{key:?} is escalated without need"));
    }
}

/// What a window must have found, and who is to be written to because of it.
fn window(
    log: &Log,
    said: &Said,
    key: &EventKey,
    step: &Step,
    event: &Value,
    allowed: &mut BTreeSet<MailKey>,
    checked: &mut Checked,
) {
    let at = (key.0.clone(), key.1, step.number);
    let Some(due) = log.dues.get(&at) else { return };
    let in_time = |r: &&String| said.acknowledged(key, r).is_some_and(|at| at <= step.due_at);
    let silent: Vec<&str> = step.required.iter().filter(|r| !in_time(r)).map(String::as_str).collect();
    let late: BTreeMap<&str, Timestamp> = silent
        .iter()
        .filter_map(|r| said.acknowledged(key, r).filter(|at| *at <= due.at).map(|at| (*r, at)))
        .collect();
    let stopped = said.ended(key, Some(step.due_at));
    match log.findings.get(&at) {
        None => checked.unfinished(Promise::Found, format!("nothing was found at {at:?}")),
        Some(Written { fact, .. }) => {
            let told = |name: &str| -> BTreeSet<&str> {
                fact[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
            };
            let found_late: BTreeMap<&str, Timestamp> = fact["late"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|l| Some((l["recipient"].as_str()?, time(&l["acknowledged_at"])?)))
                .collect();
            let same = told("silent") == silent.iter().copied().collect()
                && found_late == late
                && fact["required"] == step.required.len()
                && fact["acknowledged"] == step.required.len() - silent.len()
                && fact["stopped_by"]["event"].as_u64() == stopped
                && time(&fact["closed_at"]) == Some(due.at)
                && time(&fact["due_at"]) == Some(step.due_at)
                && fact["policy"] == step.policy.as_str()
                && fact["status"] == event["status"];
            if !same {
                let what = format!(
                    "{at:?} should find {silent:?} silent, {late:?} late, stopped by {stopped:?}: {fact}"
                );
                checked.broken(Promise::Found, what);
            }
        }
    }
    if stopped.is_some() {
        return;
    }
    for recipient in silent {
        let mail = (recipient.to_owned(), key.0.clone(), key.1, step.number);
        match log.escalations.get(&mail) {
            None => {
                let what = format!("{mail:?} is neither in time nor escalated");
                checked.unfinished(Promise::NeverNeither, what);
            }
            Some(Written { fact, .. }) => {
                let address = address(log, said, key, recipient, &step.contact);
                let same = fact["status"] == event["status"]
                    && fact["policy"] == step.policy.as_str()
                    && fact["contact"] == step.contact.as_str()
                    && fact["to"]["email"].as_str() == address
                    && time(&fact["due_at"]) == Some(step.due_at);
                if !same {
                    let what = format!("{mail:?} speaks of another duty: {fact}");
                    checked.broken(Promise::NeverNeither, what);
                }
            }
        }
        allowed.insert(mail);
    }
}

fn address<'a>(log: &'a Log, said: &Said, key: &EventKey, recipient: &str, contact: &str) -> Option<&'a str> {
    let (_, directory) = log.directory_at(said.events.get(key)?.at)?;
    let known = directory["recipients"].as_array()?.iter().find(|known| known["id"] == recipient)?;
    known["contacts"][contact]["email"].as_str()
}

/// The next contact of whoever takes no mail at this step.
fn unreachable(
    log: &Log,
    said: &Said,
    key: &EventKey,
    step: &Step,
    steps: &[Step],
    allowed: &mut BTreeSet<MailKey>,
    checked: &mut Checked,
) {
    let Some(next) = steps.iter().find(|s| s.number > step.number && s.policy == step.policy) else { return };
    for recipient in &step.required {
        let mail = |number| (recipient.clone(), key.0.clone(), key.1, number);
        let attempts = log.attempts.get(&mail(step.number)).into_iter().flat_map(BTreeMap::values);
        let refused =
            attempts.filter_map(|a| a.ended.as_ref()).find(|end| end.fact["outcome"] == "permanent");
        let Some(refused) = refused else { continue };
        let there = mail(next.number);
        let no_need = said.acknowledged(key, recipient).is_some() || said.ended(key, None).is_some();
        match log.escalations.get(&there) {
            None if !no_need => checked.unfinished(
                Promise::NeverNeither,
                format!(
                    "{recipient} takes no mail at {key:?} step {}, and nobody else is written to",
                    step.number
                ),
            ),
            Some(at) if at.fact["reason"] == "unreachable" && at.sequence < refused.sequence => {
                checked.broken(
                    Promise::NeverBoth,
                    format!("{there:?} was written to before it was known that it must be"),
                );
            }
            _ => {}
        }
        allowed.insert(there);
    }
}

fn row(log: &Log, said: &Said, key: &EventKey, recipient: &str, steps: &[Step]) -> Row {
    let first =
        steps.iter().filter(|step| step.required.contains(recipient)).min_by_key(|s| (s.due_at, s.number));
    let acknowledged_at = said.acknowledged(key, recipient);
    let state = match (first, acknowledged_at) {
        (None, _) => "not-asked",
        (Some(step), Some(at)) if at <= step.due_at => "in-time",
        (Some(_), Some(_)) => "late",
        (Some(step), None) if said.ended(key, Some(step.due_at)).is_some() => "excused",
        (Some(_), None) => "silent",
    };
    let mails = steps.iter().filter_map(|step| {
        let mail = (recipient.to_owned(), key.0.clone(), key.1, step.number);
        log.escalations.contains_key(&mail).then(|| (step.number, sent(log, &mail)))
    });
    Row {
        event: key.1,
        recipient: recipient.to_owned(),
        state,
        delivered_at: said.delivered.get(&(key.clone(), recipient.to_owned())).copied(),
        acknowledged_at,
        mails: mails.collect(),
    }
}

/// What became of a mail.
pub(super) fn sent(log: &Log, mail: &MailKey) -> Sent {
    let mut sent = Sent::default();
    for attempt in log.attempts.get(mail).into_iter().flat_map(BTreeMap::values) {
        let outcome = attempt.ended.as_ref().map(|end| &end.fact["outcome"]);
        sent.attempts += u64::from(attempt.begun.is_some());
        sent.unknown += u64::from(outcome.is_some_and(|outcome| outcome == "unknown"));
        sent.accepted |= outcome.is_some_and(|outcome| outcome == "accepted");
    }
    sent
}
