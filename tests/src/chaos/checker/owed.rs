//! What each event owes, worked out from the directory then in force and from what was said up to it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    log::{Log, list, time},
    said::{Event, Said},
    words::EventKey,
};

/// One step of a dispatch, as directory and policies have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) number: u64,
    pub(super) policy: String,
    pub(super) due_at: Timestamp,
    pub(super) contact: String,
    /// Who must acknowledge by then.
    pub(super) required: BTreeSet<String>,
}

/// Something that the publisher owes: under a policy, or because it promised to say more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duty {
    pub(super) name: String,
    pub(super) policy: Option<String>,
    /// Whether its time is the publisher's own aim.
    pub(super) target: bool,
    /// The least report that does it.
    pub(super) stage: u64,
    pub(super) clock_at: Timestamp,
    pub(super) due_at: Timestamp,
    /// Who must be telephoned by then too.
    pub(super) telephone: BTreeSet<String>,
    /// When it was done, where the event itself does it.
    pub(super) met_at: Option<Timestamp>,
    pub(super) step: Option<u64>,
    /// Where it is owed again and again.
    pub(super) rhythm: Option<Rhythm>,
}

/// How often something is owed, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rhythm {
    every: SignedDuration,
    until: Option<Timestamp>,
}

impl Duty {
    /// Whether another event's speaks of the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.policy, &self.name, self.target) == (&other.policy, &other.name, other.target)
    }
}

/// What an event owes.
#[derive(Debug, Default)]
pub(super) struct Owed {
    pub(super) version: u64,
    /// Everybody who is told, and whether they are required by any policy.
    pub(super) told: BTreeMap<String, bool>,
    pub(super) asks: bool,
    pub(super) steps: Vec<Step>,
    pub(super) duties: Vec<Duty>,
    /// The same, each time that they are owed again because nobody did them.
    pub(super) again: Vec<Duty>,
}

impl Owed {
    /// How many windows it has from the first.
    fn windows(&self) -> u64 {
        (self.steps.len() + self.duties.iter().filter(|duty| duty.step.is_some()).count()) as u64
    }

    /// What the publisher owes because of it, each time.
    pub(super) fn debts(&self) -> impl Iterator<Item = &Duty> {
        self.duties.iter().chain(&self.again)
    }

    /// When what this window is of is owed next.
    pub(super) fn next(&self, step: u64) -> Option<(u64, Timestamp)> {
        let next = self.again.iter().find(|duty| duty.step == Some(step + self.windows()))?;
        Some((next.step?, next.due_at))
    }
}

/// What every event owes that was said when a directory was in force.
pub(super) fn all(log: &Log, said: &Said) -> BTreeMap<EventKey, Owed> {
    let mut all = BTreeMap::new();
    // In order: whom a correction reaches, and what is due anew, rests on what earlier events owed.
    for (key, event) in &said.events {
        if let Some(owed) = one(log, said, key, event, &all) {
            all.insert(key.clone(), owed);
        }
    }
    for (key, owed) in &mut all {
        let rhythms = owed.duties.iter().filter_map(|duty| Some((duty, duty.step?, duty.rhythm?)));
        owed.again = rhythms
            .flat_map(|(duty, step, rhythm)| again(log, said, key, owed, (duty, step, rhythm)))
            .collect();
    }
    all
}

/// Each time that something is owed again: nobody had done it when the window before it closed, the incident was not over
/// then, and its time is not later than the end.
fn again(
    log: &Log,
    said: &Said,
    key: &EventKey,
    owed: &Owed,
    (duty, first, Rhythm { every, until }): (&Duty, u64, Rhythm),
) -> Vec<Duty> {
    let mut all = Vec::new();
    // What was over before the event was said is not made up for.
    let mut due_at = duty.due_at.max(said.events[key].at);
    let mut step = first;
    while let Some(closed) = log.dues.get(&(key.0.clone(), key.1, step)) {
        let done = said.first(&key.0, duty.stage, key.1 + 1, Some(closed.at)).is_some();
        due_at += every;
        step += owed.windows();
        if done || said.over(&key.0, closed.at) || until.is_some_and(|until| due_at > until) {
            break;
        }
        all.push(Duty { due_at, step: Some(step), ..duty.clone() });
    }
    all
}

/// The earlier events of the same incident.
fn before<'a>(all: &'a BTreeMap<EventKey, Owed>, key: &EventKey) -> impl Iterator<Item = (u64, &'a Owed)> {
    all.range((key.0.clone(), 0)..key.clone()).map(|((_, number), owed)| (*number, owed))
}

fn one(
    log: &Log,
    said: &Said,
    key: &EventKey,
    event: &Event,
    all: &BTreeMap<EventKey, Owed>,
) -> Option<Owed> {
    let (version, directory) = log.directory_at(event.at)?;
    let mut owed = Owed { version, ..Owed::default() };
    let handed = handed_over(said, key);
    let services = said.services(key);
    let mut in_force = Vec::new();
    for policy in directory["policies"].as_array()? {
        let of_handover = policy["trigger"] == "handover";
        let about = list(&policy["services"]);
        let applies = about.is_empty() || services.iter().any(|s| about.contains(&s.as_str()));
        if !applies || (of_handover && handed.is_empty()) {
            continue;
        }
        // A test is for systems; nobody is asked.
        let asks = event.fact["status"] != "test"
            && (of_handover
                || list(&policy["acknowledge"]).contains(&event.fact["kind"].as_str()?)
                || said.worse(key));
        let mut holds = BTreeMap::new();
        for recipient in directory["recipients"].as_array()? {
            let rule = policy["owed"].as_array()?.iter().find(|rule| {
                let kinds = list(&rule["kinds"]);
                let kind = kinds.is_empty() || recipient["kind"].as_str().is_some_and(|k| kinds.contains(&k));
                let own = list(&recipient["areas"]);
                let meets = |area: &String| own.iter().any(|own| touch(directory, own, area));
                kind && (rule["where"] != "handed-over" || handed.iter().any(meets))
            });
            let (Some(rule), Some(id)) = (rule, recipient["id"].as_str()) else { continue };
            if reaches(event, id, || before(all, key)) {
                holds.insert(id, rule["requirement"] == "required");
            }
        }
        if holds.is_empty() {
            continue;
        }
        for (id, must) in &holds {
            *owed.told.entry((*id).to_owned()).or_default() |= must;
        }
        let required: BTreeSet<String> =
            holds.iter().filter(|(_, must)| **must).map(|(id, _)| (*id).to_owned()).collect();
        if asks && !required.is_empty() {
            owed.asks = true;
            for step in policy["steps"].as_array()? {
                owed.steps.push(Step {
                    number: 0,
                    policy: policy["id"].as_str()?.to_owned(),
                    due_at: event.at + length(&step["within"])?,
                    contact: step["contact"].as_str()?.to_owned(),
                    required: required.clone(),
                });
            }
        }
        in_force.push((policy, holds));
    }
    owed.steps.sort_by_key(|step| step.due_at);
    let mut free = 1..;
    for (step, number) in owed.steps.iter_mut().zip(&mut free) {
        step.number = number;
    }
    if event.fact["status"] != "test" {
        let earlier: Vec<&Owed> = before(all, key).map(|(_, owed)| owed).collect();
        for (policy, holds) in in_force {
            for duty in policy["duties"].as_array().into_iter().flatten() {
                for (term, target) in [("within", false), ("target", true)] {
                    let within = (length(&duty[term]), target);
                    owed.duties.extend(of_policy(
                        directory,
                        said,
                        key,
                        event,
                        (policy, duty),
                        within,
                        &holds,
                        &earlier,
                    ));
                }
            }
        }
        owed.duties.extend(promise(event));
    }
    for duty in owed.duties.iter_mut().filter(|duty| duty.met_at.is_none() || !duty.telephone.is_empty()) {
        duty.step = free.next();
    }
    Some(owed)
}

/// Whether an event goes to somebody whom the policies owe it: a withdrawal to those who had anything, a correction to
/// those who had what it corrects, and to those who have had nothing yet.
fn reaches<'a, I: Iterator<Item = (u64, &'a Owed)>>(event: &Event, id: &str, before: impl Fn() -> I) -> bool {
    let had = |of: Option<u64>| {
        before().any(|(number, owed)| of.is_none_or(|of| of == number) && owed.told.contains_key(id))
    };
    match event.fact["kind"].as_str() {
        Some("cancelled" | "sent-in-error") => had(None),
        Some("correction") => !had(None) || had(Some(event.fact["corrects"].as_u64().unwrap_or_default())),
        _ => true,
    }
}

/// The areas of whose lost callers more are handed to the police with this event than any before it told last.
fn handed_over(said: &Said, (incident, number): &EventKey) -> Vec<String> {
    let figures = |number: u64| -> BTreeMap<&str, u64> {
        let event = said.events.get(&(incident.clone(), number));
        let by_area = event.and_then(|event| event.fact["recontact"]["by_area"].as_object());
        by_area
            .into_iter()
            .flatten()
            .filter_map(|(area, at)| Some((area.as_str(), at["handed_to_police"].as_u64()?)))
            .collect()
    };
    let before = |area: &str| (1..*number).rev().find_map(|earlier| figures(earlier).get(area).copied());
    let more = |(area, many): &(&str, u64)| *many > before(area).unwrap_or_default();
    figures(*number).into_iter().filter(more).map(|(area, _)| area.to_owned()).collect()
}

/// Whether one area is the other, or one lies within the other.
fn touch(directory: &Value, one: &str, other: &str) -> bool {
    let up = |area: &str| -> BTreeSet<String> {
        let within = |area: &String| {
            let known = directory["areas"].as_array()?.iter().find(|known| known["id"] == area.as_str())?;
            known["within"].as_str().map(str::to_owned)
        };
        std::iter::successors(Some(area.to_owned()), within).collect()
    };
    up(one).contains(other) || up(other).contains(one)
}

fn length(value: &Value) -> Option<SignedDuration> {
    value.as_str()?.parse().ok()
}

/// What the publisher itself promised in an event.
fn promise(event: &Event) -> Option<Duty> {
    let due_at = time(&event.fact["next_update_by"]).filter(|by| *by > event.at && !event.withdraws())?;
    Some(Duty {
        name: "next-update".to_owned(),
        policy: None,
        target: false,
        stage: stage("update"),
        clock_at: event.at,
        due_at,
        telephone: BTreeSet::new(),
        met_at: None,
        step: None,
        rhythm: None,
    })
}

/// How much of a report a word stands for.
pub(super) fn stage(word: &str) -> u64 {
    ["initial", "update", "full", "final"].iter().position(|known| *known == word).unwrap_or_default() as u64
}

/// A duty under a policy, as far as an event does it or makes it due.
#[expect(clippy::too_many_arguments, reason = "it is all that a duty rests on")]
fn of_policy(
    directory: &Value,
    said: &Said,
    key: &EventKey,
    event: &Event,
    (policy, duty): (&Value, &Value),
    (within, target): (Option<SignedDuration>, bool),
    holds: &BTreeMap<&str, bool>,
    earlier: &[&Owed],
) -> Option<Duty> {
    let within = within?;
    let wanted = stage(duty["stage"].as_str()?);
    let clock_at = start(said, key, policy, duty["from"].as_str()?)?;
    let whole = Duty {
        name: duty["id"].as_str()?.to_owned(),
        policy: Some(policy["id"].as_str()?.to_owned()),
        target,
        stage: wanted,
        clock_at,
        due_at: clock_at + within,
        telephone: BTreeSet::new(),
        met_at: None,
        step: None,
        rhythm: None,
    };
    let told = || earlier.iter().flat_map(|owed| &owed.duties).filter(|old| old.is(&whole));
    if let Some(again) = length(&duty["repeat"]) {
        let owed = match (event.does(key.1, wanted), told().next()) {
            _ if event.withdraws() || said.restored(key) => return None,
            (true, _) => Duty { clock_at: event.at, due_at: event.at + again, ..whole.clone() },
            (false, None) => whole.clone(),
            (false, Some(_)) => return None,
        };
        let until = length(&duty["for"]).map(|lasting| clock_at + lasting);
        let lasts = until.is_none_or(|until| owed.due_at <= until);
        return lasts.then_some(Duty { rhythm: Some(Rhythm { every: again, until }), ..owed });
    }
    match said.first(&key.0, wanted, 1, None).filter(|(number, _)| *number <= key.1) {
        Some((number, at)) if number == key.1 => {
            let by_telephone = list(&duty["channels"]).contains(&"telephone");
            let telephone = if by_telephone { callees(directory, duty, holds) } else { BTreeSet::new() };
            Some(Duty { met_at: Some(at), telephone, ..whole })
        }
        Some(_) => None,
        None if event.withdraws() => None,
        None => told().all(|old| old.due_at != whole.due_at).then_some(whole),
    }
}

/// When a duty began to run: as the last event that tells it has it, and where none does, with the event that stands in.
fn start(said: &Said, (incident, number): &EventKey, policy: &Value, from: &str) -> Option<Timestamp> {
    let so_far = || said.of(incident).take_while(|(of, _)| of <= number).map(|(_, event)| event);
    let told = |name: &str| so_far().filter_map(|event| time(&event.fact[name])).last();
    let first = || so_far().next().map(|event| event.at);
    match from {
        "published" => first(),
        "occurred" => told("began_at").or_else(first),
        "detected" => told("detected_at").or_else(first),
        "restored" => told("restored_at").or_else(|| {
            so_far().filter(|event| event.fact["kind"] == "resolved").last().map(|event| event.at)
        }),
        duty => {
            let other = policy["duties"].as_array()?.iter().find(|other| other["id"] == duty)?;
            let done = said.first(incident, stage(other["stage"].as_str()?), 1, None);
            done.filter(|(of, _)| of <= number).map(|(_, at)| at)
        }
    }
}

/// Whom a duty is owed to by telephone: those of its kinds, or else those whom the policy requires, or else all.
fn callees(directory: &Value, duty: &Value, holds: &BTreeMap<&str, bool>) -> BTreeSet<String> {
    let kinds = list(&duty["kinds"]);
    let is_of_kind = |id: &str| {
        let known = directory["recipients"].as_array().into_iter().flatten().find(|known| known["id"] == id);
        known.and_then(|known| known["kind"].as_str()).is_some_and(|kind| kinds.contains(&kind))
    };
    let requires = holds.values().any(|must| *must);
    let wanted = |(id, must): &(&&str, &bool)| {
        if kinds.is_empty() { **must || !requires } else { is_of_kind(id) }
    };
    holds.iter().filter(wanted).map(|(id, _)| (*id).to_owned()).collect()
}
