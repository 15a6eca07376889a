//! The log: each fact once, each dispatch whole.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checked, Entry, Promise,
    owed::{Duty, Owed, stage},
    said::{Event, Said},
    words::{EventKey, MailKey, StepKey, Words, words},
};

/// A fact with where and when it stands.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) fact: Value,
    /// Its exact bytes.
    pub(super) body: bytes::Bytes,
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
}

/// One attempt, by its two ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    pub(super) begun: Option<Written>,
    pub(super) ended: Option<Written>,
}

/// The log, sorted by what its facts are about.
#[derive(Debug, Default)]
pub(super) struct Log {
    directories: Vec<(u64, Written)>,
    /// By the place of what was refused: in whose name it stands, and what it says.
    pub(super) refusals: BTreeMap<u64, (String, Value)>,
    pub(super) dispatches: BTreeMap<EventKey, Written>,
    pub(super) notices: BTreeMap<(EventKey, String), Written>,
    pub(super) windows: BTreeSet<StepKey>,
    pub(super) dues: BTreeMap<StepKey, Written>,
    pub(super) findings: BTreeMap<StepKey, Written>,
    pub(super) overdue: BTreeMap<MailKey, Written>,
    pub(super) escalations: BTreeMap<MailKey, Written>,
    pub(super) attempts: BTreeMap<MailKey, BTreeMap<u64, Attempt>>,
}

impl Log {
    pub(super) fn read(entries: &[Entry], checked: &mut Checked) -> Self {
        let mut log = Self::default();
        let mut seen: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut again = 0;
        for entry in entries {
            let name = format!("log {} {}", entry.sequence, entry.subject);
            let Some(words) = words(&entry.subject) else {
                checked.broken(Promise::Once, format!("{name} is no fact of ours"));
                continue;
            };
            if let Some(first) = seen.insert(&entry.subject, entry) {
                // The broker closes a window once more when it dies just as it closed it: the same due again, from
                // which nothing may follow. Everything else stands once.
                if matches!(words, Words::Due { .. }) && first.body == entry.body {
                    again += 1;
                } else {
                    checked.broken(Promise::Once, format!("{name} stands at {} already", first.sequence));
                }
                seen.insert(&entry.subject, first);
                continue;
            }
            if words == Words::Checkpoint {
                continue;
            }
            match serde_json::from_slice(&entry.body) {
                Ok(fact) => {
                    let at =
                        Written { fact, body: entry.body.clone(), sequence: entry.sequence, at: entry.at };
                    log.take(words, at, checked);
                }
                Err(why) => checked.broken(Promise::Whole, format!("{name} is no JSON: {why}")),
            }
        }
        checked.count("windows that the broker closed again", again);
        checked.count("windows closed", log.dues.len());
        checked.count("notices", log.notices.len());
        checked.count("escalations", log.escalations.len());
        checked.held(Promise::Once, entries.len());
        log
    }

    fn take(&mut self, words: Words, at: Written, checked: &mut Checked) {
        // A fact is about what its subject says.
        let about = |key: &EventKey| at.fact["incident"] == key.0.as_str() && at.fact["event"] == key.1;
        let agrees = match &words {
            Words::Dispatch { publisher, event } => {
                about(event) && at.fact["publisher"] == publisher.as_str()
            }
            Words::Notice { recipient, event } => about(event) && at.fact["recipient"] == recipient.as_str(),
            Words::Due { step: (i, e, s) } | Words::Finding { step: (i, e, s) } => {
                about(&(i.clone(), *e)) && at.fact["step"] == *s
            }
            Words::Escalation { mail: (to, i, e, s) } | Words::Overdue { told: (to, i, e, s) } => {
                about(&(i.clone(), *e)) && at.fact["step"] == *s && at.fact["recipient"] == to.as_str()
            }
            Words::Refusal { said, .. } => at.fact["said"] == *said,
            Words::Proposal { publisher, said } => {
                at.fact["of"]["said"] == *said && at.fact["publisher"] == publisher.as_str()
            }
            _ => true,
        };
        if !agrees {
            let what = format!("log {}: {words:?} speaks of something else: {}", at.sequence, at.fact);
            checked.broken(Promise::Whole, what);
        }
        match words {
            Words::Directory { version } => self.directories.push((version, at)),
            Words::Refusal { body, said } => _ = self.refusals.insert(said, (body, at.fact)),
            Words::Dispatch { event, .. } => _ = self.dispatches.insert(event, at),
            Words::Notice { recipient, event } => _ = self.notices.insert((event, recipient), at),
            Words::Window { step } => _ = self.windows.insert(step),
            Words::Due { step } => _ = self.dues.insert(step, at),
            Words::Finding { step } => _ = self.findings.insert(step, at),
            Words::Overdue { told } => _ = self.overdue.insert(told, at),
            Words::Escalation { mail } => _ = self.escalations.insert(mail, at),
            Words::Attempt { mail, attempt, ended } => {
                let attempt = self.attempts.entry(mail).or_default().entry(attempt).or_default();
                *(if ended { &mut attempt.ended } else { &mut attempt.begun }) = Some(at);
            }
            // Nothing follows from one but what a person says.
            Words::Proposal { .. } | Words::Checkpoint => {}
            Words::Incident { .. } | Words::Called { .. } | Words::Receipt { .. } => {
                checked.broken(Promise::Once, format!("{words:?} stands in the log"));
            }
        }
    }

    /// The directory in force at a time.
    pub(super) fn directory_at(&self, time: Timestamp) -> Option<(u64, &Value)> {
        let newest = self.directories.iter().rev().find(|(_, at)| at.at <= time);
        newest.map(|(version, at)| (*version, &at.fact))
    }
}

/// The words of a list.
pub(super) fn list(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A time in a fact.
pub(super) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Every event that counts has its dispatch, every dispatch all that it owes, and nothing else is there.
pub(super) fn whole(log: &Log, said: &Said, all: &BTreeMap<EventKey, Owed>, checked: &mut Checked) {
    for (key, event) in &said.events {
        let Some(owed) = all.get(key) else {
            checked.broken(Promise::Whole, format!("no directory was in force for {key:?}"));
            continue;
        };
        match log.dispatches.get(key) {
            None => checked.unfinished(Promise::Whole, format!("{key:?} is not dispatched")),
            Some(dispatch) => {
                dispatched(dispatch, event, owed, key, checked);
                notices(log, said, dispatch, event, owed, key, checked);
                windows(log, owed, key, checked);
            }
        }
    }
    for key in log.dispatches.keys().filter(|key| !said.events.contains_key(*key)) {
        checked.broken(Promise::Whole, format!("{key:?} is dispatched, and was not said"));
    }
    for key in log.notices.keys().filter(|(key, _)| !log.dispatches.contains_key(key)) {
        checked.broken(Promise::Whole, format!("a notice of no dispatch: {key:?}"));
    }
    for key in log.windows.iter().chain(log.dues.keys()) {
        let event = (key.0.clone(), key.1);
        let dispatch = log.dispatches.get(&event).map(|at| &at.fact);
        let lists = dispatch.into_iter().flat_map(|fact| [&fact["steps"], &fact["duties"]]);
        let again =
            all.get(&event).is_some_and(|owed| owed.again.iter().any(|duty| duty.step == Some(key.2)));
        if !again && !lists.filter_map(Value::as_array).flatten().any(|step| step["step"] == key.2) {
            checked.broken(Promise::Whole, format!("a window of no dispatch: {key:?}"));
        }
    }
}

fn dispatched(dispatch: &Written, event: &Event, owed: &Owed, key: &EventKey, checked: &mut Checked) {
    let fact = &dispatch.fact;
    let same = fact["said"] == event.sequence
        && time(&fact["published_at"]) == Some(event.at)
        && ["kind", "status", "publisher"].iter().all(|name| fact[name] == event.fact[name])
        && fact["directory"] == owed.version
        && fact["acknowledge"].as_bool().unwrap_or(false) == owed.asks;
    if !same {
        checked.broken(Promise::Whole, format!("the dispatch of {key:?} speaks of another event: {fact}"));
    }
    let steps: Vec<_> =
        owed.steps.iter().map(|s| (s.number, &s.policy[..], Some(s.due_at), &s.contact[..])).collect();
    let there: Vec<_> = fact["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| {
            Some((s["step"].as_u64()?, s["policy"].as_str()?, time(&s["due_at"]), s["contact"].as_str()?))
        })
        .collect();
    if steps != there {
        checked
            .broken(Promise::Whole, format!("{key:?} has the windows {there:?} and should have {steps:?}"));
    }
    let mut told = BTreeMap::new();
    for part in fact["owed"].as_array().into_iter().flatten() {
        for recipient in list(&part["recipients"]) {
            *told.entry(recipient.to_owned()).or_default() |= part["requirement"] == "required";
        }
    }
    checked.held(if event.is_for_some() { Promise::Corrected } else { Promise::Whole }, 1);
    if told != owed.told {
        let promise = if event.is_for_some() { Promise::Corrected } else { Promise::Whole };
        checked.broken(promise, format!("{key:?} owes {told:?} and should owe {:?}", owed.told));
    }
    let there: Option<Vec<Duty>> =
        fact["duties"].as_array().map_or(Some(Vec::new()), |all| all.iter().map(duty).collect());
    let due: Vec<_> = owed.duties.iter().map(|duty| Duty { rhythm: None, ..duty.clone() }).collect();
    if there.as_ref() != Some(&due) {
        let what = format!("{key:?} has the duties {there:?} and should have {:?}", owed.duties);
        checked.broken(Promise::Overdue, what);
    }
}

/// A duty, as a dispatch has it.
fn duty(fact: &Value) -> Option<Duty> {
    Some(Duty {
        name: fact["duty"].as_str()?.to_owned(),
        policy: fact["policy"].as_str().map(str::to_owned),
        target: fact["target"] == true,
        stage: stage(fact["stage"].as_str()?),
        clock_at: time(&fact["clock_at"])?,
        due_at: time(&fact["due_at"])?,
        telephone: list(&fact["telephone"]).into_iter().map(str::to_owned).collect(),
        met_at: time(&fact["met_at"]),
        step: fact["step"].as_u64(),
        rhythm: None,
    })
}

fn notices(
    log: &Log,
    said: &Said,
    dispatch: &Written,
    event: &Event,
    owed: &Owed,
    key: &EventKey,
    checked: &mut Checked,
) {
    for (recipient, required) in &owed.told {
        let Some(notice) = log.notices.get(&(key.clone(), recipient.clone())) else {
            checked.unfinished(Promise::Whole, format!("{recipient} has no notice of {key:?}"));
            continue;
        };
        checked.held(Promise::Whole, 1);
        checked.held(Promise::Delivered, 1);
        if !said.delivered.contains_key(&(key.clone(), recipient.clone())) {
            checked.unfinished(Promise::Delivered, format!("{recipient} has not taken in {key:?}"));
        }
        let fact = &notice.fact;
        let first =
            owed.steps.iter().filter(|step| step.required.contains(recipient)).map(|s| s.due_at).min();
        let requirement = if *required { "required" } else { "informed" };
        let exact = contains(&notice.body, &event.body)
            && fact["signature"] == event.signature.as_str()
            && fact["said"] == event.sequence
            && time(&fact["published_at"]) == Some(event.at)
            && fact["status"] == event.fact["status"]
            && fact["requirement"] == requirement
            && fact["acknowledge"].as_bool().unwrap_or(false) == first.is_some()
            && time(&fact["due_at"]) == first
            && notice.sequence > dispatch.sequence;
        if !exact {
            let what = format!("the notice of {key:?} to {recipient} is not what it should be: {fact}");
            checked.broken(Promise::Whole, what);
        }
    }
    let told = log.notices.range((key.clone(), String::new())..).take_while(|((of, _), _)| of == key);
    for ((_, recipient), _) in told.filter(|((_, recipient), _)| !owed.told.contains_key(recipient)) {
        checked.broken(Promise::Whole, format!("{recipient} has a notice of {key:?} that it is not owed"));
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

fn windows(log: &Log, owed: &Owed, key: &EventKey, checked: &mut Checked) {
    let steps = owed.steps.iter().map(|step| (step.number, step.due_at));
    let duties = owed.debts().filter_map(|duty| Some((duty.step?, duty.due_at)));
    for (number, due_at) in steps.chain(duties) {
        let key = (key.0.clone(), key.1, number);
        let armed = log.windows.contains(&key);
        match log.dues.get(&key) {
            None if armed => checked.unfinished(Promise::Found, format!("{key:?} is still open")),
            None => checked.unfinished(Promise::Whole, format!("{key:?} is neither armed nor closed")),
            Some(due) => {
                if armed {
                    checked.unfinished(Promise::Found, format!("{key:?} has closed, and is still armed"));
                }
                if due.at < due_at || time(&due.fact["due_at"]) != Some(due_at) {
                    let what = format!("{key:?} closed at {} and was due {due_at}", due.at);
                    checked.broken(Promise::Found, what);
                }
            }
        }
    }
}
