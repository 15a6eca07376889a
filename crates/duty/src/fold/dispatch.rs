//! Who is owed an event, by when: the dispatch, its windows and its notices.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;
use tocsin_protocol::{
    AreaId, ClockStart, Dispatch, DispatchStep, Due, Error, Event, EventNumber, NewFact, Notice, Owed,
    PolicyDocument, PolicyId, PolicyInForce, Recipient, RecipientId, Requirement, Schedule, Status,
    StepNumber, Subject, Timestamp, to_body,
};

use super::incident::{EventState, Open};
use crate::directory::{Directory, policy_applies};

/// The policies that apply to an event need its acknowledgement: by its kind, or because it is a worsening.
pub(super) fn needs_acknowledgement(directory: &Directory, event: &Event, worsened: &[String]) -> bool {
    applying(directory, event).any(|policy| acknowledges(policy, event, worsened))
}

fn applying<'d>(directory: &'d Directory, event: &'d Event) -> impl Iterator<Item = &'d PolicyDocument> {
    directory.policies().iter().filter(|policy| policy_applies(policy, &event.services))
}

/// Nobody acknowledges a technical test, whatever the policy asks: it shows that notices reach every desk's system, by
/// day and by night, and wakes no person. An exercise is for people.
fn acknowledges(policy: &PolicyDocument, event: &Event, worsened: &[String]) -> bool {
    event.status != Status::Test && (policy.acknowledge.contains(&event.kind) || !worsened.is_empty())
}

/// The moment from which a policy's windows run, and whether the broker's time of the event stands in for it.
fn clock(policy: &PolicyDocument, event: &Event, published_at: Timestamp) -> (Timestamp, bool) {
    let told = match policy.clock {
        ClockStart::Published => return (published_at, false),
        ClockStart::Occurred => event.began_at,
        ClockStart::Detected => event.detected_at,
        ClockStart::Aware => event.aware_at,
        ClockStart::Discovered => event.discovered_at,
        ClockStart::Classified => event.classified_at,
        ClockStart::Restored => event.restored_at,
    };
    told.map_or((published_at, true), |at| (at, false))
}

/// The dispatch of an event: a function of the event, its broker time, and the directory then in force. Nothing else
/// goes in, so that every router writes the same.
pub(super) fn plan(directory: &Directory, state: &EventState, number: EventNumber, open: &Open) -> Dispatch {
    let event = &open.event;
    let mut policies = Vec::new();
    let mut owed = Vec::new();
    let mut windows: Vec<(Timestamp, PolicyId, String)> = Vec::new();
    for policy in applying(directory, event) {
        let mut by_requirement: BTreeMap<Requirement, Vec<RecipientId>> = BTreeMap::new();
        for (recipient, requirement) in directory.owed(policy, &open.areas) {
            by_requirement.entry(requirement).or_default().push(recipient.id.clone());
        }
        if by_requirement.is_empty() {
            continue;
        }
        let (clock_at, clock_assumed) = clock(policy, event, state.published_at);
        policies.push(PolicyInForce {
            policy: policy.id.clone(),
            clock: policy.clock,
            clock_at,
            clock_assumed,
        });
        if acknowledges(policy, event, &open.worsened) && by_requirement.contains_key(&Requirement::Required)
        {
            windows.extend(policy.steps.iter().map(|step| {
                let due_at = clock_at.checked_add(step.within.0).unwrap_or(Timestamp::MAX);
                (due_at, policy.id.clone(), step.contact.clone())
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
        .map(|(due_at, policy, contact)| {
            let numbered = DispatchStep { step, policy, due_at, contact };
            step = step.next();
            numbered
        })
        .collect();
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
    }
}

/// The facts of a dispatch: the record, its windows, and every notice. The record and the windows come first, so that
/// they are in the first atomic batch however many the notices are.
pub(super) fn facts(dispatch: &Dispatch, directory: &Directory, open: &Open) -> Result<Vec<NewFact>, Error> {
    let (incident, event) = (&dispatch.incident, dispatch.event);
    let mut facts =
        vec![NewFact { subject: dispatch.subject(), body: to_body("dispatch", dispatch)?, schedule: None }];
    for step in &dispatch.steps {
        let due = Due { incident: incident.clone(), event, step: step.step, due_at: step.due_at };
        facts.push(NewFact {
            subject: Subject::Window { incident: incident.clone(), event, step: step.step },
            body: to_body("window", &due)?,
            schedule: Some(Schedule {
                at: step.due_at,
                target: Subject::Due { incident: incident.clone(), event, step: step.step },
            }),
        });
    }
    facts.extend(notices(dispatch, directory, open, |_| true)?);
    Ok(facts)
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
            calls_unsuccessful_here: directory
                .recipient(recipient)
                .and_then(|known| calls_here(directory, &known.entry, &open.event)),
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
