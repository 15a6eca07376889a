//! What the publisher owes: what was done in time is never called overdue, what was not is, once for each who waits for
//! it, and its publisher is reminded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checked, Evidence, Promise,
    duties::{Sent, sent},
    log::{Log, Written, list, time},
    owed::{Duty, Owed},
    said::{Event, Said},
    words::{EventKey, MailKey},
};

/// How one thing that the publisher owed stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Debt {
    /// The first event that made it due.
    pub(in super::super) event: u64,
    pub(in super::super) name: String,
    pub(in super::super) policy: Option<String>,
    pub(in super::super) target: bool,
    pub(in super::super) due_at: Timestamp,
    /// In the report's words.
    pub(in super::super) state: &'static str,
    pub(in super::super) met_by: Option<u64>,
    /// How many were told that it did not come.
    pub(in super::super) told: u64,
    /// The mail that reminds its publisher.
    pub(in super::super) reminder: Option<Sent>,
}

/// What may stand in the log because something was overdue.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    pub(super) reminders: BTreeSet<MailKey>,
    told: BTreeSet<MailKey>,
}

pub(super) fn judge(
    log: &Log,
    said: &Said,
    all: &BTreeMap<EventKey, Owed>,
    checked: &mut Checked,
) -> Allowed {
    let mut allowed = Allowed::default();
    for (key, owed) in all.iter().filter(|(key, _)| log.dispatches.contains_key(*key)) {
        let event = &said.events[key];
        for duty in owed.debts() {
            if let Some(step) = duty.step {
                window(log, said, all, (key, event, duty, step), &mut allowed, checked);
            }
        }
    }
    debts(log, said, all, checked);
    checked.held(Promise::Overdue, log.overdue.len());
    for key in log.overdue.keys().filter(|key| !allowed.told.contains(*key)) {
        checked.broken(Promise::Overdue, format!("{key:?} is told without need that something is overdue"));
    }
    allowed
}

/// What became of a duty, by what the broker had at a time.
struct Became {
    met: Option<(u64, Timestamp)>,
    not_called: BTreeSet<String>,
    /// The event that told another start of its clock before it was due.
    superseded: Option<u64>,
    /// The event that withdrew the incident before it was due.
    withdrawn: Option<u64>,
}

impl Became {
    fn of(
        said: &Said,
        all: &BTreeMap<EventKey, Owed>,
        key: &EventKey,
        duty: &Duty,
        by: Option<Timestamp>,
    ) -> Self {
        let itself = duty.met_at.map(|at| (key.1, at));
        let later = all.range((key.0.clone(), key.1 + 1)..=(key.0.clone(), u64::MAX));
        let superseded = later
            .filter(|(later, owed)| {
                said.events[*later].at <= duty.due_at
                    && owed.duties.iter().any(|other| other.is(duty) && other.due_at != duty.due_at)
            })
            .map(|((_, number), _)| *number)
            .next();
        Self {
            met: itself.or_else(|| said.first(&key.0, duty.stage, key.1 + 1, by)),
            not_called: duty
                .telephone
                .iter()
                .filter(|r| !said.called(key, r, duty.due_at))
                .cloned()
                .collect(),
            superseded,
            withdrawn: said.withdrawn(key, duty.due_at),
        }
    }

    fn is_late(&self, duty: &Duty) -> bool {
        self.met.is_none_or(|(_, at)| at > duty.due_at) || !self.not_called.is_empty()
    }

    /// Whether what did it in time makes it due again.
    fn is_promised_anew(&self, all: &BTreeMap<EventKey, Owed>, key: &EventKey, duty: &Duty) -> bool {
        let kept = self.met.filter(|(_, at)| *at <= duty.due_at).map(|(by, _)| (key.0.clone(), by));
        let owed = kept.and_then(|by| all.get(&by));
        owed.is_some_and(|owed| owed.duties.iter().any(|other| other.is(duty)))
    }

    /// In the report's words, once its time is over.
    fn state(&self, duty: &Duty) -> &'static str {
        match self.met {
            Some((_, at)) if at <= duty.due_at && self.not_called.is_empty() => "in-time",
            Some((_, at)) if at <= duty.due_at => "not-called",
            _ if self.superseded.is_some() => "superseded",
            _ if self.withdrawn.is_some() => "lifted",
            Some(_) => "late",
            None => "overdue",
        }
    }
}

/// What a window must have found, who is to be told because of it, and that the publisher is to be reminded.
fn window(
    log: &Log,
    said: &Said,
    all: &BTreeMap<EventKey, Owed>,
    (key, event, duty, step): (&EventKey, &Event, &Duty, u64),
    allowed: &mut Allowed,
    checked: &mut Checked,
) {
    let at = (key.0.clone(), key.1, step);
    let Some(due) = log.dues.get(&at) else { return };
    checked.held(Promise::Overdue, 1);
    let became = Became::of(said, all, key, duty, Some(due.at));
    let late = became.is_late(duty);
    let superseded = became.superseded.filter(|_| late);
    let next = all[key].next(step);
    match log.findings.get(&at) {
        None => checked.unfinished(Promise::Found, format!("nothing was found at {at:?}")),
        Some(Written { fact, .. }) => {
            let found = &fact["duty"];
            let same = found["duty"] == duty.name.as_str()
                && found["overdue"] == late
                && found["target"].as_bool().unwrap_or_default() == duty.target
                && found["met_by"].as_u64() == became.met.map(|(number, _)| number)
                && time(&found["met_at"]) == became.met.map(|(_, at)| at)
                && list(&found["not_called"]).into_iter().eq(became.not_called.iter())
                && found["superseded_by"].as_u64() == superseded
                && found["repeated"].as_bool().unwrap_or_default() == duty.rhythm.is_some()
                && found["again"]["step"].as_u64().zip(time(&found["again"]["due_at"])) == next
                && fact["stopped_by"]["event"].as_u64() == became.withdrawn
                && fact["policy"].as_str() == duty.policy.as_deref()
                && fact["required"] == 0
                && list(&fact["silent"]).is_empty()
                && fact["status"] == event.fact["status"]
                && time(&fact["due_at"]) == Some(duty.due_at)
                && time(&fact["closed_at"]) == Some(due.at);
            if !same {
                let what = format!(
                    "{at:?} ({}) should find it {}, done by {:?}, {:?} not called, superseded by {superseded:?}, withdrawn \
                     by {:?}, and owed again at {next:?}: {fact}",
                    duty.name,
                    if late { "overdue" } else { "in time" },
                    became.met,
                    became.not_called,
                    became.withdrawn
                );
                checked.broken(Promise::Overdue, what);
            }
        }
    }
    if !late || superseded.is_some() || became.withdrawn.is_some() {
        return;
    }
    reminded(log, said, (key, event, duty, step), allowed, checked);
    if duty.policy.is_some() || became.met.is_some() {
        return;
    }
    // Whoever had the event waits for what it promised.
    for recipient in all[key].told.keys() {
        let told = (recipient.clone(), key.0.clone(), key.1, step);
        match log.overdue.get(&told) {
            None => checked.unfinished(Promise::Overdue, format!("{told:?} is not told that nothing came")),
            Some(Written { fact, sequence, .. }) => {
                let same = fact["status"] == event.fact["status"]
                    && fact["publisher"] == event.fact["publisher"]
                    && time(&fact["promised_by"]) == Some(duty.due_at)
                    && *sequence > due.sequence;
                if !same {
                    checked.broken(Promise::Overdue, format!("{told:?} is told of another promise: {fact}"));
                }
            }
        }
        allowed.told.insert(told);
    }
}

/// The mail that is owed to the publisher itself.
fn reminded(
    log: &Log,
    said: &Said,
    (key, event, duty, step): (&EventKey, &Event, &Duty, u64),
    allowed: &mut Allowed,
    checked: &mut Checked,
) {
    let publisher = event.fact["publisher"].as_str().unwrap_or_default();
    let mail = (publisher.to_owned(), key.0.clone(), key.1, step);
    match log.escalations.get(&mail) {
        None => checked.unfinished(Promise::Overdue, format!("{mail:?} is overdue, and it is not reminded")),
        Some(Written { fact, .. }) => {
            let contact = log.directory_at(said.events[key].at).and_then(|(_, directory)| {
                let known =
                    directory["publishers"].as_array()?.iter().find(|known| known["id"] == publisher)?;
                known["contacts"]["duty"]["email"].as_str()
            });
            let name = duty.policy.as_ref().map(|_| duty.name.as_str());
            let same = fact["reason"] == "overdue"
                && fact["status"] == event.fact["status"]
                && fact["policy"].as_str() == duty.policy.as_deref()
                && fact["duty"].as_str() == name
                && fact["to"]["email"].as_str() == contact
                && time(&fact["due_at"]) == Some(duty.due_at);
            if !same {
                checked.broken(Promise::Overdue, format!("{mail:?} reminds of another duty: {fact}"));
            }
        }
    }
    allowed.reminders.insert(mail);
}

/// How everything stood that publishers owed, for the report: what two events speak of with one time is one.
fn debts(log: &Log, said: &Said, all: &BTreeMap<EventKey, Owed>, checked: &mut Checked) {
    let mut anew = 0;
    for (key, owed) in all.iter().filter(|(key, _)| log.dispatches.contains_key(*key)) {
        for duty in owed.debts() {
            let became = Became::of(said, all, key, duty, None);
            let debts = checked.debts.entry(key.0.clone()).or_default();
            let known = debts.iter_mut().find(|known| {
                (&known.policy, &known.name, known.target, known.due_at)
                    == (&duty.policy, &duty.name, duty.target, duty.due_at)
            });
            let at = |who: &str| duty.step.map(|step| (who.to_owned(), key.0.clone(), key.1, step));
            let publisher = said.events[key].fact["publisher"].as_str().unwrap_or_default();
            let reminder = at(publisher).filter(|mail| log.escalations.contains_key(mail));
            let reminder = reminder.map(|mail| sent(log, &mail));
            if let Some(known) = known {
                known.reminder = known.reminder.or(reminder);
                continue;
            }
            let told =
                owed.told.keys().filter_map(|who| at(who)).filter(|told| log.overdue.contains_key(told));
            anew += usize::from(duty.policy.is_none() && became.is_promised_anew(all, key, duty));
            debts.push(Debt {
                event: key.1,
                name: duty.name.clone(),
                policy: duty.policy.clone(),
                target: duty.target,
                due_at: duty.due_at,
                state: became.state(duty),
                met_by: became.met.map(|(number, _)| number),
                told: told.count() as u64,
                reminder,
            });
        }
    }
    checked.count("promises in the update that kept the one before", anew);
    checked.count("duties owed again as nobody did them", all.values().map(|owed| owed.again.len()).sum());
    let states: Vec<_> =
        checked.debts.values().flatten().map(|debt| (debt.policy.is_some(), debt.state)).collect();
    for (duty, state) in states {
        checked.count(
            match (duty, state) {
                (true, "in-time") => "duties done in time",
                (true, "late" | "overdue") => "duties done late or never",
                (true, "not-called") => "duties whose calls are missing",
                (true, _) => "duties lifted or superseded",
                (false, "in-time") => "promised updates that came in time",
                (false, "late") => "promised updates that came late",
                (false, "overdue") => "promised updates that never came",
                (false, "superseded") => "promised updates that were promised for another time",
                (false, _) => "promised updates of what was withdrawn",
            },
            1,
        );
    }
}

/// Whoever is told that a promise was not kept is shown it at its desk, and nobody else is.
pub(super) fn shown(log: &Log, evidence: &Evidence, checked: &mut Checked) {
    for key in log.overdue.keys().filter(|key| evidence.telling.contains(&key.0)) {
        checked.held(Promise::Delivered, 1);
        if !evidence.shown.contains(key) {
            checked.unfinished(Promise::Delivered, format!("{key:?} is told, and its desk has not shown it"));
        }
    }
    for key in evidence.shown.iter().filter(|key| !log.overdue.contains_key(*key)) {
        checked.broken(Promise::Overdue, format!("{key:?} is shown at its desk, and nobody wrote it"));
    }
}

/// Why a publisher need not be reminded any more, as of a time: it has said more. A report that a law wants is owed
/// however much else is said.
pub(super) fn said_since(said: &Said, mail: &MailKey, reminder: &Value, by: Timestamp) -> bool {
    reminder["policy"].is_null() && said.of(&mail.1).any(|(number, event)| number > mail.2 && event.at <= by)
}
