//! The log: each fact once, each dispatch whole.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, ClockStart, DirectoryDocument, Dispatch, DispatchDuty, Due,
    Entry, Escalation, EventKind, EventNumber, Finding, IncidentId, Notice, Proposal, RecipientId, Refusal,
    ReportSays, ReportSource, Requirement, Status, StepNumber, Subject, Timestamp, Where, from_body,
};

use super::{
    name,
    said::{Heard, may_speak_of},
};

pub(super) type EventKey = (IncidentId, EventNumber);
pub(super) type StepKey = (IncidentId, EventNumber, StepNumber);
pub(super) type MailKey = (RecipientId, IncidentId, EventNumber, StepNumber);

/// A fact with where and when it stands.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) fact: T,
    pub(super) sequence: u64,
    pub(super) time: Timestamp,
}

/// One attempt, by its two ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    pub(super) begun: Option<At<AttemptBegun>>,
    pub(super) ended: Option<At<AttemptEnded>>,
}

/// The log, sorted by what its facts are about.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) directories: Vec<(u64, At<DirectoryDocument>)>,
    pub(super) refusals: BTreeMap<u64, At<Refusal>>,
    pub(super) dispatches: BTreeMap<EventKey, At<Dispatch>>,
    pub(super) notices: BTreeMap<(IncidentId, EventNumber, RecipientId), At<Notice>>,
    pub(super) windows: BTreeSet<StepKey>,
    pub(super) dues: BTreeMap<StepKey, At<Due>>,
    pub(super) findings: BTreeMap<StepKey, At<Finding>>,
    pub(super) escalations: BTreeMap<MailKey, At<Escalation>>,
    pub(super) attempts: BTreeMap<MailKey, BTreeMap<u32, Attempt>>,
    pub(super) proposals: Vec<Proposal>,
    /// Who was told that what was promised did not come.
    pub(super) overdue: BTreeSet<MailKey>,
}

impl Log {
    pub(super) fn read(entries: &[Entry], faults: &mut Vec<String>) -> Self {
        let mut log = Self::default();
        let mut seen = BTreeSet::new();
        for entry in entries {
            if !seen.insert(&entry.subject) {
                if log.closes_again(entry) {
                    continue;
                }
                faults.push(format!("twice on the log: {}", name(entry)));
                continue;
            }
            if let Err(why) = log.take(entry) {
                faults.push(format!("no fact of ours: {}: {why}", name(entry)));
            }
        }
        log
    }

    /// Whether the broker closes a window once more. It does when it is killed just as it closed one (seen on 2.15.1: the
    /// `due` is kept, and that the schedule is done with is not). Nothing may follow from the second.
    fn closes_again(&self, entry: &Entry) -> bool {
        let Ok(Subject::Due { incident, event, step }) = entry.subject.parse() else { return false };
        let first = self.dues.get(&(incident, event, step));
        first.is_some_and(|first| from_body("due", &entry.body).is_ok_and(|again: Due| again == first.fact))
    }

    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        fn at<T: for<'de> serde::Deserialize<'de>>(entry: &Entry) -> Result<At<T>, String> {
            let fact = from_body("fact", &entry.body).map_err(|why| why.to_string())?;
            Ok(At { fact, sequence: entry.sequence, time: entry.time })
        }
        match entry.subject.parse::<Subject>().map_err(|why| why.to_string())? {
            Subject::Directory { version } => self.directories.push((version, at(entry)?)),
            Subject::Refusal { said, .. } => _ = self.refusals.insert(said, at(entry)?),
            Subject::Dispatch { incident, event, .. } => {
                _ = self.dispatches.insert((incident, event), at(entry)?);
            }
            Subject::Notice { recipient, incident, event } => {
                _ = self.notices.insert((incident, event, recipient), at(entry)?);
            }
            Subject::Window { incident, event, step } => _ = self.windows.insert((incident, event, step)),
            Subject::Due { incident, event, step } => {
                _ = self.dues.insert((incident, event, step), at(entry)?);
            }
            Subject::Finding { incident, event, step } => {
                _ = self.findings.insert((incident, event, step), at(entry)?);
            }
            Subject::Escalation { recipient, incident, event, step } => {
                _ = self.escalations.insert((recipient, incident, event, step), at(entry)?);
            }
            Subject::Attempt { recipient, incident, event, step, attempt, phase } => {
                let attempts = self.attempts.entry((recipient, incident, event, step)).or_default();
                let attempt = attempts.entry(attempt).or_default();
                match phase {
                    AttemptPhase::Begun => attempt.begun = Some(at(entry)?),
                    AttemptPhase::Ended => attempt.ended = Some(at(entry)?),
                }
            }
            Subject::Proposal { publisher, said } => {
                let proposal: Proposal = at(entry)?.fact;
                if proposal.publisher != publisher || proposal.of.said != said {
                    return Err("it is of another".to_owned());
                }
                self.proposals.push(proposal);
            }
            Subject::Overdue { recipient, incident, event, step } => {
                _ = self.overdue.insert((recipient, incident, event, step));
            }
            Subject::Checkpoint { .. } => {}
            Subject::Incident { .. }
            | Subject::Called { .. }
            | Subject::Receipt { .. }
            | Subject::Report { .. }
            | Subject::Link { .. } => return Err("it belongs in SAID".to_owned()),
        }
        Ok(())
    }

    /// The directory in force at a time.
    pub(super) fn directory_at(&self, time: Timestamp) -> Option<(u64, &DirectoryDocument)> {
        let in_force = |(_, at): &&(u64, At<DirectoryDocument>)| at.time <= time;
        self.directories.iter().rev().find(in_force).map(|(version, at)| (*version, &at.fact))
    }
}

/// Every report that begins a trail is proposed to each other body that may speak of one of its areas, and what is proposed
/// counts.
pub(super) fn proposed(log: &Log, heard: &Heard, faults: &mut Vec<String>) {
    for (subject, (_, said)) in &heard.reports {
        let report = &said.fact;
        if report.says == ReportSays::Restored || report.adds_to.is_some() {
            continue;
        }
        let Some((_, directory)) = log.directory_at(said.time) else { continue };
        for publisher in &directory.publishers {
            let its_people =
                publisher.id.as_str() == report.body.as_str() && report.source != ReportSource::Monitoring;
            let concerned = !its_people
                && report.areas.iter().any(|area| may_speak_of(directory, &publisher.areas, area));
            let to = |one: &&Proposal| one.publisher == publisher.id && one.of.said == said.sequence;
            if concerned != log.proposals.iter().any(|one| to(&one)) {
                faults.push(format!("{subject} proposed to {}: {}", publisher.id, !concerned));
            }
        }
    }
    let counts: BTreeSet<u64> = heard
        .events
        .values()
        .map(|event| event.sequence)
        .chain(heard.reports.values().map(|(_, said)| said.sequence))
        .collect();
    for proposal in &log.proposals {
        let all = proposal.candidates.iter().map(|one| &one.seen).chain([&proposal.of]);
        if all.into_iter().any(|seen| !counts.contains(&seen.said) || seen.status != proposal.of.status) {
            faults.push(format!("proposed and does not count, or is of another status: {proposal:?}"));
        }
    }
}

/// Every event that counts has its dispatch, every dispatch all that it names, and nothing else is there.
pub(super) fn whole(log: &Log, heard: &Heard, faults: &mut Vec<String>) {
    for (key, event) in &heard.events {
        match log.dispatches.get(key) {
            None => faults.push(format!("no dispatch of {key:?}")),
            Some(at) => {
                let dispatch = &at.fact;
                let same = dispatch.said == event.sequence
                    && dispatch.published_at == event.time
                    && dispatch.kind == event.fact.kind
                    && dispatch.status == event.fact.status
                    && dispatch.publisher == event.fact.publisher;
                if !same {
                    faults.push(format!("the dispatch of {key:?} speaks of another event: {dispatch:?}"));
                }
                owes_as_the_directory_says(log, at, event, faults);
            }
        }
    }
    for (key, at) in &log.dispatches {
        if !heard.events.contains_key(key) {
            faults.push(format!("a dispatch of no event that counts: {key:?}"));
        }
        notices(log, heard, at, faults);
        for (step, due_at) in windows(log, &at.fact) {
            let key = (key.0.clone(), key.1, step);
            match log.dues.get(&key) {
                None if log.windows.contains(&key) => {
                    faults.push(format!("unfinished: {key:?} is still open"));
                }
                None => faults.push(format!("neither window nor due: {key:?}")),
                Some(due) => {
                    if log.windows.contains(&key) {
                        faults.push(format!("{key:?} has closed and is still armed"));
                    }
                    if due.time < due_at || due.fact.due_at != due_at {
                        faults.push(format!("{key:?} closed at {} but was due {due_at}", due.time));
                    }
                }
            }
        }
    }
    for key in log.dues.keys().chain(&log.windows) {
        let of = log.dispatches.get(&(key.0.clone(), key.1));
        if !of.is_some_and(|at| windows(log, &at.fact).any(|(step, _)| step == key.2)) {
            faults.push(format!("a window of no dispatch: {key:?}"));
        }
    }
}

/// What the broker holds because of a dispatch: the windows on recipients, and those on the publisher, each time.
fn windows(log: &Log, dispatch: &Dispatch) -> impl Iterator<Item = (StepNumber, Timestamp)> {
    let duties = owed(log, dispatch).into_iter().filter_map(|duty| Some((duty.step?, duty.due_at)));
    dispatch.steps.iter().map(|step| (step.step, step.due_at)).chain(duties)
}

/// What the publisher owes because of a dispatch, each time: again where the finding of the last says so.
pub(super) fn owed(log: &Log, dispatch: &Dispatch) -> Vec<DispatchDuty> {
    let mut all = dispatch.duties.clone();
    let mut at = 0;
    while let Some(duty) = all.get(at) {
        let key = duty.step.map(|step| (dispatch.incident.clone(), dispatch.event, step));
        let found = key.and_then(|key| log.findings.get(&key));
        let again = found.and_then(|found| found.fact.duty.as_ref()?.again);
        let next = again.filter(|again| again.due_at > duty.due_at).map(|again| DispatchDuty {
            step: Some(again.step),
            due_at: again.due_at,
            ..duty.clone()
        });
        all.extend(next);
        at += 1;
    }
    all
}

fn notices(log: &Log, heard: &Heard, dispatch: &At<Dispatch>, faults: &mut Vec<String>) {
    let Dispatch { incident, event, .. } = &dispatch.fact;
    let owed: BTreeSet<&RecipientId> = dispatch.fact.owed.iter().flat_map(|owed| &owed.recipients).collect();
    let told: BTreeSet<&RecipientId> = log
        .notices
        .keys()
        .filter(|(of, number, _)| of == incident && number == event)
        .map(|(_, _, recipient)| recipient)
        .collect();
    for recipient in owed.symmetric_difference(&told) {
        faults.push(format!("{incident}/{event}: owed and told differ about {recipient}"));
    }
    let Some(said) = heard.events.get(&(incident.clone(), *event)) else { return };
    for recipient in told {
        let at = &log.notices[&(incident.clone(), *event, recipient.clone())];
        let notice = &at.fact;
        let exact = notice.said_body.get().as_bytes() == &said.body[..]
            && notice.said == said.sequence
            && notice.key == said.key
            && notice.status == said.fact.status
            && notice.published_at == said.time;
        if !exact {
            faults.push(format!(
                "the notice of {incident}/{event} to {recipient} does not carry what was said"
            ));
        }
        if at.sequence <= dispatch.sequence {
            faults.push(format!("{incident}/{event}: {recipient} was told before the dispatch"));
        }
    }
}

/// Who is owed the event, and the windows, worked out from the directory.
fn owes_as_the_directory_says(
    log: &Log,
    dispatch: &At<Dispatch>,
    event: &super::said::SaidEvent,
    faults: &mut Vec<String>,
) {
    let at = &dispatch.fact;
    let key = format!("{}/{}", at.incident, at.event);
    let Some((version, directory)) = log.directory_at(event.time) else {
        faults.push(format!("{key} was dispatched without a directory"));
        return;
    };
    if version != at.directory {
        faults.push(format!(
            "{key} was dispatched under directory {} and {version} was in force",
            at.directory
        ));
    }
    let mut windows = Vec::new();
    let mut owed: BTreeMap<&RecipientId, Requirement> = BTreeMap::new();
    for policy in &directory.policies {
        let simple = policy.clock == ClockStart::Published
            && policy.owed.iter().all(|rule| rule.place == Where::Anywhere);
        if !simple {
            faults.push(format!("this checker does not know policies such as {}", policy.id));
            return;
        }
        if !policy.services.is_empty() && !policy.services.iter().any(|s| event.fact.services.contains(s)) {
            continue;
        }
        let mut required = false;
        for recipient in &directory.recipients {
            let fits = policy.owed.iter().find(|rule| {
                (rule.kinds.is_empty() || rule.kinds.contains(&recipient.kind))
                    && (rule.recipients.is_empty() || rule.recipients.contains(&recipient.id))
            });
            if let Some(rule) = fits {
                required |= rule.requirement == Requirement::Required;
                let strictest = owed.entry(&recipient.id).or_insert(rule.requirement);
                *strictest = (*strictest).min(rule.requirement);
            }
        }
        // A test is for systems; nobody is asked.
        let asks = event.fact.status != Status::Test
            && (policy.acknowledge.contains(&event.fact.kind) || !at.worsened.is_empty());
        if required && asks {
            windows.extend(policy.steps.iter().map(|s| (event.time + s.within.0, s.contact.clone())));
        }
    }
    windows.sort_by_key(|(due_at, _)| *due_at);
    let stands: Vec<_> = at.steps.iter().map(|step| (step.due_at, step.contact.clone())).collect();
    if windows != stands {
        faults.push(format!("{key}: its windows are {stands:?} and should be {windows:?}"));
    }
    let had = |recipient: &RecipientId, of: &dyn Fn(EventNumber) -> bool| {
        log.dispatches.iter().any(|((incident, number), earlier)| {
            *incident == at.incident
                && *number < at.event
                && of(*number)
                && earlier.fact.recipients().contains_key(recipient)
        })
    };
    let any = |_: EventNumber| true;
    match event.fact.kind {
        EventKind::Correction => owed.retain(|recipient, _| {
            had(recipient, &|number| Some(number) == event.fact.corrects) || !had(recipient, &any)
        }),
        kind if kind.ends_incident() => owed.retain(|recipient, _| had(recipient, &any)),
        _ => {}
    }
    let promised = event.fact.next_update_by.filter(|by| {
        *by > event.time && !event.fact.kind.ends_incident() && event.fact.status != Status::Test
    });
    let held = at.duties.iter().find(|duty| duty.policy.is_none()).map(|duty| duty.due_at);
    if promised != held {
        faults.push(format!("{key}: it holds the publisher to {held:?} and should to {promised:?}"));
    }
    if owed != at.recipients() {
        faults.push(format!("{key}: it owes {:?} and should owe {owed:?}", at.recipients()));
    }
}
