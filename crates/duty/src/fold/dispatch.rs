//! Who is owed an event, by when: the dispatch, its windows and its notices.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::value::RawValue;
use tocsin_protocol::{
    AreaId, ClockStart, Dispatch, DispatchStep, Due, Error, Event, EventKind, EventNumber, NewFact, Notice,
    Owed, PolicyDocument, PolicyId, PolicyInForce, Recipient, RecipientId, RecontactFigures, Requirement,
    Schedule, Status, StepDocument, StepNumber, Subject, Timestamp, Trigger, to_body,
};

use super::{
    Fold, duties,
    incident::{EventState, Incident, Open},
};
use crate::directory::{Directory, policy_applies};

/// Whether the policies ask for an event's acknowledgement of all whom they require: by its kind, or because it is a
/// worsening. What is asked of single forces (a handover) is no measure for the others.
pub(super) fn needs_acknowledgement(directory: &Directory, event: &Event, open: &Open) -> bool {
    applying(directory, open)
        .any(|policy| policy.trigger == Trigger::Failure && acknowledges(policy, event, &open.worsened))
}

fn applying<'d>(directory: &'d Directory, open: &Open) -> impl Iterator<Item = &'d PolicyDocument> {
    directory.policies().iter().filter(|policy| {
        policy_applies(policy, &open.services)
            && (policy.trigger == Trigger::Failure || !open.handed_over.is_empty())
    })
}

/// Nobody acknowledges a technical test, whatever the policy asks: it shows that notices reach every desk's system, by
/// day and by night, and wakes no person. An exercise is for people.
fn acknowledges(policy: &PolicyDocument, event: &Event, worsened: &[String]) -> bool {
    event.status != Status::Test
        && (policy.trigger == Trigger::Handover
            || policy.acknowledge.contains(&event.kind)
            || !worsened.is_empty())
}

/// Whom an event goes to, of those whom the policies owe it.
enum Audience<'d> {
    /// All of them.
    All,
    /// A cancellation, or that it was sent in error: those who have had anything.
    Told(HashSet<&'d RecipientId>),
    /// A correction: those who had what it corrects, and those who have had nothing yet, whom its areas bring in.
    Corrected { had: HashSet<&'d RecipientId>, told: HashSet<&'d RecipientId> },
}

impl<'d> Audience<'d> {
    fn of(event: &Event, earlier: &'d [Arc<Dispatch>]) -> Self {
        let those = |wanted: &dyn Fn(&Dispatch) -> bool| -> HashSet<&'d RecipientId> {
            let wanted = earlier.iter().filter(|dispatch| wanted(dispatch));
            wanted.flat_map(|dispatch| &dispatch.owed).flat_map(|owed| &owed.recipients).collect()
        };
        match event.kind {
            EventKind::Initial | EventKind::Update | EventKind::Resolved => Self::All,
            EventKind::Cancelled | EventKind::SentInError => Self::Told(those(&|_| true)),
            EventKind::Correction => Self::Corrected {
                had: those(&|dispatch| Some(dispatch.event) == event.corrects),
                told: those(&|_| true),
            },
        }
    }

    fn has(&self, recipient: &RecipientId) -> bool {
        match self {
            Self::All => true,
            Self::Told(told) => told.contains(recipient),
            Self::Corrected { had, told } => had.contains(recipient) || !told.contains(recipient),
        }
    }
}

/// The dispatches of an incident's events before one, as they are written or will be. Each rests on those before it, so
/// that they are made in order.
pub(super) fn before(fold: &Fold, incident: &Incident, number: EventNumber) -> Vec<Arc<Dispatch>> {
    let mut earlier = Vec::new();
    for (at, state) in incident.numbered().take_while(|(at, _)| *at < number) {
        let written = state.dispatch.clone();
        let dispatch = written.or_else(|| {
            let directory = fold.directory_at(state.published_at)?;
            Some(Arc::new(plan(directory, incident, at, state, state.open.as_ref()?, &earlier)))
        });
        earlier.extend(dispatch);
    }
    earlier
}

/// The dispatch of an event: a function of the incident's events up to it, their broker times, and the directories then
/// in force. Nothing else goes in, so that every router writes the same.
pub(super) fn plan(
    directory: &Directory,
    incident: &Incident,
    number: EventNumber,
    state: &EventState,
    open: &Open,
    earlier: &[Arc<Dispatch>],
) -> Dispatch {
    let event = &open.event;
    let mut policies = Vec::new();
    let mut owed = Vec::new();
    let mut windows: Vec<(Timestamp, PolicyId, &StepDocument)> = Vec::new();
    let audience = Audience::of(event, earlier);
    for policy in applying(directory, open) {
        let mut by_requirement: BTreeMap<Requirement, Vec<RecipientId>> = BTreeMap::new();
        for (recipient, requirement) in directory.owed(policy, &open.areas, &open.handed_over) {
            if audience.has(&recipient.id) {
                by_requirement.entry(requirement).or_default().push(recipient.id.clone());
            }
        }
        if by_requirement.is_empty() {
            continue;
        }
        let told = state.moments.of(policy.clock);
        let clock_at = told.unwrap_or(state.published_at);
        policies.push(PolicyInForce {
            policy: policy.id.clone(),
            clock: policy.clock,
            clock_at,
            // Where the event does not tell it, the broker's time of the event stands in.
            clock_assumed: told.is_none() && policy.clock != ClockStart::Published,
        });
        if acknowledges(policy, event, &open.worsened) && by_requirement.contains_key(&Requirement::Required)
        {
            windows.extend(policy.steps.iter().map(|step| {
                let due_at = clock_at.checked_add(step.within.0).unwrap_or(Timestamp::MAX);
                (due_at, policy.id.clone(), step)
            }));
        }
        owed.extend(by_requirement.into_iter().map(|(requirement, recipients)| Owed {
            policy: policy.id.clone(),
            requirement,
            recipients,
        }));
    }
    // Stable: steps of one policy keep their order, and policies that of the directory.
    windows.sort_by_key(|(due_at, _, _)| *due_at);
    let mut step = StepNumber::FIRST;
    let steps: Vec<_> = windows
        .into_iter()
        .map(|(due_at, policy, StepDocument { contact, reach, .. })| {
            let numbered = DispatchStep { step, policy, due_at, contact: contact.clone(), reach: *reach };
            step = step.next();
            numbered
        })
        .collect();
    let next_update_by = event.next_update_by;
    let duties = duties::Plan { directory, incident, number, state, earlier, next_update_by };
    let in_force = |policy: &&PolicyDocument| policies.iter().any(|one| one.policy == policy.id);
    let duties = duties.duties(directory.policies().iter().filter(in_force), &owed, step);
    Dispatch {
        incident: event.incident.clone(),
        event: number,
        kind: event.kind,
        status: event.status,
        publisher: event.publisher.clone(),
        said: state.said,
        published_at: state.published_at,
        directory: directory.version(),
        acknowledge: !steps.is_empty(),
        worsened: open.worsened.clone(),
        policies,
        steps,
        owed,
        duties,
    }
}

/// The facts of a dispatch: the record, its windows, and every notice. The record and the windows come first, so that
/// they are in the first atomic batch however many the notices are.
pub(super) fn facts(dispatch: &Dispatch, directory: &Directory, open: &Open) -> Result<Vec<NewFact>, Error> {
    let mut facts =
        vec![NewFact { subject: dispatch.subject(), body: to_body("dispatch", dispatch)?, schedule: None }];
    let steps = dispatch.steps.iter().map(|step| (step.step, step.due_at));
    let duties = dispatch.duties.iter().filter_map(|duty| Some((duty.step?, duty.due_at)));
    for (step, due_at) in steps.chain(duties) {
        facts.push(window(dispatch, step, due_at)?);
    }
    facts.extend(notices(dispatch, directory, open, |_| true)?);
    Ok(facts)
}

/// A window, to be held by the broker.
pub(super) fn window(dispatch: &Dispatch, step: StepNumber, due_at: Timestamp) -> Result<NewFact, Error> {
    let (incident, event) = (dispatch.incident.clone(), dispatch.event);
    let due = Due { incident: incident.clone(), event, step, due_at };
    Ok(NewFact {
        body: to_body("window", &due)?,
        subject: Subject::Window { incident: incident.clone(), event, step },
        schedule: Some(Schedule { at: due_at, target: Subject::Due { incident, event, step } }),
    })
}

/// The notices of a dispatch that are wanted: all of them at first, the missing ones after a crash.
pub(super) fn notices(
    dispatch: &Dispatch,
    directory: &Directory,
    open: &Open,
    wanted: impl Fn(&RecipientId) -> bool,
) -> Result<Vec<NewFact>, Error> {
    let said_body = raw(&open.body)?;
    let mut facts = Vec::new();
    for (recipient, due) in dues(dispatch) {
        if !wanted(recipient) {
            continue;
        }
        let known = directory.recipient(recipient).map(|known| &known.entry);
        let notice = Notice {
            incident: dispatch.incident.clone(),
            event: dispatch.event,
            recipient: recipient.clone(),
            status: dispatch.status,
            requirement: due.requirement,
            acknowledge: due.at.is_some(),
            due_at: due.at,
            policies: due.policies,
            directory: dispatch.directory,
            said: dispatch.said,
            published_at: dispatch.published_at,
            calls_unsuccessful_here: known.and_then(|known| calls_here(directory, known, &open.event)),
            recontact_here: known.and_then(|known| recontact_here(directory, known, &open.event)),
            key: open.signed.key.clone(),
            signature: open.signed.signature.clone(),
            said_body: said_body.clone(),
        };
        facts.push(NewFact {
            subject: Subject::Notice {
                recipient: recipient.clone(),
                incident: dispatch.incident.clone(),
                event: dispatch.event,
            },
            body: to_body("notice", &notice)?,
            schedule: None,
        });
    }
    Ok(facts)
}

/// What one recipient is owed under all policies together.
struct Dues {
    requirement: Requirement,
    policies: Vec<PolicyId>,
    at: Option<Timestamp>,
}

fn dues(dispatch: &Dispatch) -> BTreeMap<&RecipientId, Dues> {
    let mut all: BTreeMap<&RecipientId, Dues> = BTreeMap::new();
    for owed in &dispatch.owed {
        let first_step =
            dispatch.steps.iter().find(|step| step.policy == owed.policy).map(|step| step.due_at);
        let at = first_step.filter(|_| owed.requirement == Requirement::Required);
        for recipient in &owed.recipients {
            let due = all.entry(recipient).or_insert(Dues {
                requirement: owed.requirement,
                policies: Vec::new(),
                at,
            });
            due.requirement = due.requirement.min(owed.requirement);
            due.policies.push(owed.policy.clone());
            due.at = [due.at, at].into_iter().flatten().min();
        }
    }
    all
}

/// The event's bytes, to stand in a notice exactly as they were signed.
fn raw(body: &Bytes) -> Result<Box<RawValue>, Error> {
    let unreadable = |why: String| Error::Body { what: "event", why };
    let text = std::str::from_utf8(body).map_err(|why| unreadable(why.to_string()))?;
    RawValue::from_string(text.to_owned()).map_err(|why| unreadable(why.to_string()))
}

/// The calls lost in the areas that a recipient serves: those areas' own figures and those of areas within them.
fn calls_here(directory: &Directory, recipient: &Recipient, event: &Event) -> Option<u64> {
    let by_area = &event.impact.as_ref()?.by_area;
    let mut here =
        by_area.iter().filter(|(area, _)| serves(directory, recipient, area)).map(|(_, calls)| *calls);
    let first = here.next()?;
    Some(here.fold(first, u64::saturating_add))
}

/// What has become of the lost callers of the areas that a recipient serves.
fn recontact_here(directory: &Directory, recipient: &Recipient, event: &Event) -> Option<RecontactFigures> {
    let by_area = &event.recontact.as_ref()?.by_area;
    let mut here = by_area.iter().filter(|(area, _)| serves(directory, recipient, area)).map(|(_, at)| *at);
    let first = here.next()?;
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    };
    Some(here.fold(first, |so_far, at| RecontactFigures {
        reached: sum(so_far.reached, at.reached),
        outstanding: sum(so_far.outstanding, at.outstanding),
        handed_to_police: sum(so_far.handed_to_police, at.handed_to_police),
    }))
}

/// Whether an area is one that a recipient serves, or within one.
pub fn serves(directory: &Directory, recipient: &Recipient, area: &AreaId) -> bool {
    let mut at = Some(area);
    while let Some(here) = at {
        if recipient.areas.contains(here) {
            return true;
        }
        at = directory.area(here).and_then(|area| area.within.as_ref());
    }
    false
}
