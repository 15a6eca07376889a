//! What the publisher owes: which report by when, as far as an event meets it or makes it due, and what became of it
//! when its window closed. A recipient's silence is another matter, see [`super::finding`].

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    Again, BodyId, Channel, ClockStart, Contact, Dispatch, DispatchDuty, DutyDocument, DutyFinding, DutyId,
    DutyStart, Error, Escalation, EscalationReason, Event, EventKind, EventNumber, Finding, NewFact, Overdue,
    Owed, PolicyDocument, PolicyId, RecipientId, Requirement, Stage, Status, StepNumber, StoppedBy, Subject,
    Term, Timestamp, to_body,
};

use super::{
    finding::contact,
    incident::{EventState, Incident, Repeated},
};
use crate::directory::Directory;

/// The moments that events tell, as far as a clock starts from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moments {
    occurred: Option<Timestamp>,
    detected: Option<Timestamp>,
    aware: Option<Timestamp>,
    discovered: Option<Timestamp>,
    classified: Option<Timestamp>,
    restored: Option<Timestamp>,
}

impl Moments {
    pub(super) fn told(event: &Event) -> Self {
        Self {
            occurred: event.began_at,
            detected: event.detected_at,
            aware: event.aware_at,
            discovered: event.discovered_at,
            classified: event.classified_at,
            restored: event.restored_at,
        }
    }

    /// The moment from which a clock runs; none of the one that starts with the event itself.
    pub(super) fn of(self, clock: ClockStart) -> Option<Timestamp> {
        match clock {
            ClockStart::Occurred => self.occurred,
            ClockStart::Detected => self.detected,
            ClockStart::Aware => self.aware,
            ClockStart::Discovered => self.discovered,
            ClockStart::Classified => self.classified,
            ClockStart::Restored => self.restored,
            ClockStart::Published => None,
        }
    }
}

/// Whether an event is a report of a stage. An update is none that is the first word.
fn meets(number: EventNumber, event: &EventState, stage: Stage) -> bool {
    match stage {
        Stage::Initial => number == EventNumber::FIRST,
        Stage::Update => number > EventNumber::FIRST && event.stage >= stage,
        Stage::Full | Stage::Final => event.stage >= stage,
    }
}

/// The first event, up to and with one, that is a report of a stage.
fn met(incident: &Incident, stage: Stage, through: EventNumber) -> Option<(EventNumber, Timestamp)> {
    incident
        .numbered()
        .take_while(|(number, _)| *number <= through)
        .find(|(number, state)| meets(*number, state, stage))
        .map(|(number, state)| (number, state.published_at))
}

/// When a duty began to run, as the events up to and with one tell it (the last that tells it, as a later one may be
/// right where an earlier one was not), and whether the broker's time of an event stands in for it. `None` while it
/// has not begun.
fn start(
    incident: &Incident,
    policy: &PolicyDocument,
    from: &DutyStart,
    through: EventNumber,
) -> Option<(Timestamp, bool)> {
    let so_far = || incident.numbered().take_while(|(number, _)| *number <= through).map(|(_, state)| state);
    match from {
        DutyStart::Duty(duty) => {
            let earlier = policy.duties.iter().find(|earlier| earlier.id == *duty)?;
            met(incident, earlier.stage, through).map(|(_, at)| (at, false))
        }
        DutyStart::Clock(ClockStart::Published) => so_far().next().map(|first| (first.published_at, false)),
        DutyStart::Clock(clock) => {
            if let Some(told) = so_far().filter_map(|state| state.moments.of(*clock)).last() {
                return Some((told, false));
            }
            let stands_in = match clock {
                ClockStart::Restored => so_far().filter(|state| state.kind == EventKind::Resolved).last(),
                _ => so_far().next(),
            };
            stands_in.map(|state| (state.published_at, true))
        }
    }
}

/// What an event's dispatch says of what the publisher owes. `earlier` are the dispatches of the events before it.
pub(super) struct Plan<'a> {
    pub(super) directory: &'a Directory,
    pub(super) incident: &'a Incident,
    pub(super) number: EventNumber,
    pub(super) state: &'a EventState,
    pub(super) earlier: &'a [Arc<Dispatch>],
    /// By when the event says that more will be said.
    pub(super) next_update_by: Option<Timestamp>,
}

impl Plan<'_> {
    /// The duties of these policies and of the publisher's own promise; windows are numbered on from `free`.
    pub(super) fn duties<'p>(
        &self,
        policies: impl Iterator<Item = &'p PolicyDocument>,
        owed: &[Owed],
        mut free: StepNumber,
    ) -> Vec<DispatchDuty> {
        let mut all = Vec::new();
        // A technical test is owed to nobody.
        if self.incident.status == Status::Test {
            return all;
        }
        let zone = self.directory.zone();
        for policy in policies {
            for duty in &policy.duties {
                let terms = [(duty.within, false), (duty.target, true)];
                all.extend(
                    terms
                        .into_iter()
                        .filter_map(|(term, target)| self.duty(policy, duty, (term?, target), owed, &zone)),
                );
            }
        }
        if let Some(promised) = self.next_update_by.filter(|by| *by > self.state.published_at)
            && !self.state.kind.ends_incident()
            && let Ok(duty) = DutyId::new(DispatchDuty::NEXT_UPDATE)
        {
            all.push(DispatchDuty {
                duty,
                policy: None,
                stage: Stage::Update,
                from: DutyStart::Clock(ClockStart::Published),
                clock_at: self.state.published_at,
                clock_assumed: false,
                due_at: promised,
                target: false,
                telephone: Vec::new(),
                step: None,
                met_at: None,
            });
        }
        for duty in all.iter_mut().filter(|duty| duty.met_at.is_none() || !duty.telephone.is_empty()) {
            duty.step = Some(free);
            free = free.next();
        }
        all
    }

    fn duty(
        &self,
        policy: &PolicyDocument,
        duty: &DutyDocument,
        (term, target): (Term, bool),
        owed: &[Owed],
        zone: &TimeZone,
    ) -> Option<DispatchDuty> {
        let (clock_at, clock_assumed) = start(self.incident, policy, &duty.from, self.number)?;
        let whole = DispatchDuty {
            duty: duty.id.clone(),
            policy: Some(policy.id.clone()),
            stage: duty.stage,
            from: duty.from.clone(),
            clock_at,
            clock_assumed,
            due_at: term.after(clock_at, zone),
            target,
            telephone: Vec::new(),
            step: None,
            met_at: None,
        };
        let told =
            || self.earlier.iter().flat_map(|dispatch| &dispatch.duties).filter(|old| same(old, &whole));
        if let Some(repeat) = duty.repeat {
            let due = if !self.incident.course(self.number).is_open() {
                return None;
            } else if meets(self.number, self.state, duty.stage) {
                let from = self.state.published_at;
                DispatchDuty {
                    clock_at: from,
                    clock_assumed: false,
                    due_at: repeat.after(from, zone),
                    ..whole.clone()
                }
            } else if told().next().is_none() {
                whole.clone()
            } else {
                return None;
            };
            let ends = duty.lasting.map_or(Timestamp::MAX, |lasting| lasting.after(clock_at, zone));
            return (due.due_at <= ends).then_some(due);
        }
        match met(self.incident, duty.stage, self.number) {
            Some((number, at)) if number == self.number => {
                let telephone = if duty.channels.contains(&Channel::Telephone) {
                    callees(self.directory, policy, duty, owed)
                } else {
                    Vec::new()
                };
                Some(DispatchDuty { met_at: Some(at), telephone, ..whole })
            }
            Some(_) => None,
            None if self.state.kind.ends_incident() => None,
            None => told().all(|old| old.due_at != whole.due_at).then_some(whole),
        }
    }
}

/// Whom a duty is owed to by telephone: the recipients of its kinds, or all whom the policy requires, or, where it
/// requires nobody, all whom it is owed to.
fn callees(
    directory: &Directory,
    policy: &PolicyDocument,
    duty: &DutyDocument,
    owed: &[Owed],
) -> Vec<RecipientId> {
    let of_policy = || owed.iter().filter(|owed| owed.policy == policy.id);
    let requires = of_policy().any(|owed| owed.requirement == Requirement::Required);
    of_policy()
        .filter(|owed| !duty.kinds.is_empty() || !requires || owed.requirement == Requirement::Required)
        .flat_map(|owed| &owed.recipients)
        .filter(|id| {
            duty.kinds.is_empty()
                || directory.recipient(id).is_some_and(|known| duty.kinds.contains(&known.entry.kind))
        })
        .cloned()
        .collect()
}

/// Whether two dispatches speak of the same duty.
fn same(one: &DispatchDuty, other: &DispatchDuty) -> bool {
    (&one.policy, &one.duty, one.target) == (&other.policy, &other.duty, other.target)
}

/// What was found of a duty when its window, this step, closed. `later` are the dispatches of the events after its own.
pub(super) fn find(
    directory: &Directory,
    incident: &Incident,
    dispatch: &Dispatch,
    (duty, step): (&DispatchDuty, StepNumber),
    later: &[Arc<Dispatch>],
    closed_at: Timestamp,
) -> Finding {
    let after = || {
        incident
            .numbered()
            .filter(|(number, state)| *number > dispatch.event && state.published_at <= closed_at)
    };
    let met = duty.met_at.map(|at| (dispatch.event, at)).or_else(|| {
        after()
            .find(|(number, state)| meets(*number, state, duty.stage))
            .map(|(number, state)| (number, state.published_at))
    });
    let not_called: Vec<_> = duty
        .telephone
        .iter()
        .filter(|recipient| incident.called(recipient, dispatch.event).is_none_or(|at| at > duty.due_at))
        .cloned()
        .collect();
    let overdue = met.is_none_or(|(_, at)| at > duty.due_at) || !not_called.is_empty();
    let superseded_by = later
        .iter()
        .filter(|other| other.published_at <= duty.due_at)
        .find(|other| other.duties.iter().any(|other| same(other, duty) && other.due_at != duty.due_at))
        .map(|other| other.event);
    let stopped_by = after()
        .find(|(_, state)| state.kind.ends_incident() && state.published_at <= duty.due_at)
        .map(|(event, state)| StoppedBy { event, kind: state.kind, published_at: state.published_at });
    let superseded_by = superseded_by.filter(|_| overdue);
    let rule = Rule::of(directory, duty).filter(|rule| rule.duty.repeat.is_some());
    let again = rule
        .as_ref()
        .filter(|_| met.is_none() && superseded_by.is_none())
        .and_then(|rule| rule.again(directory, incident, dispatch, (duty, step), closed_at));
    Finding {
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        step,
        policy: duty.policy.clone(),
        status: dispatch.status,
        due_at: duty.due_at,
        closed_at,
        required: 0,
        acknowledged: 0,
        silent: Vec::new(),
        late: Vec::new(),
        stopped_by,
        duty: Some(DutyFinding {
            duty: duty.duty.clone(),
            overdue,
            target: duty.target,
            met_by: met.map(|(number, _)| number),
            met_at: met.map(|(_, at)| at),
            not_called,
            superseded_by,
            repeated: rule.is_some(),
            again,
        }),
    }
}

/// The words of a policy that a duty stands on.
struct Rule<'d> {
    policy: &'d PolicyDocument,
    duty: &'d DutyDocument,
}

impl<'d> Rule<'d> {
    fn of(directory: &'d Directory, duty: &DispatchDuty) -> Option<Self> {
        let policy = directory.policies().iter().find(|policy| Some(&policy.id) == duty.policy.as_ref())?;
        let duty = policy.duties.iter().find(|known| known.id == duty.duty)?;
        Some(Self { policy, duty })
    }

    /// When a duty that nobody has met is owed next: where its incident is not over as of the close of its window, and
    /// its repetition does not end before.
    ///
    /// The times lie on a grid from the first, so that they do not drift; where that was over before the event was
    /// published, from its publication. So no more is ever owed than time has passed since, whatever moments an event
    /// tells, and that needs no other limit: each time arises from the finding of the one before, one window is held.
    fn again(
        &self,
        directory: &Directory,
        incident: &Incident,
        dispatch: &Dispatch,
        (duty, step): (&DispatchDuty, StepNumber),
        closed_at: Timestamp,
    ) -> Option<Again> {
        let by_then = incident.numbered().take_while(|(_, state)| state.published_at <= closed_at);
        if !by_then.last().is_some_and(|(newest, _)| incident.course(newest).is_open()) {
            return None;
        }
        let (zone, repeat) = (directory.zone(), self.duty.repeat?);
        let windows = u32::try_from(dispatch.windows()).ok()?;
        let (times, place) = ((step.get() - 1) / windows, (step.get() - 1) % windows);
        let first = dispatch.duties.iter().find(|first| first.step.is_some_and(|s| s.get() == place + 1))?;
        let grid = first.due_at.max(dispatch.published_at);
        let due_at = repeat.times_after(times.checked_add(1)?, grid, &zone);
        let ends = match self.duty.lasting {
            Some(lasting) => {
                let (clock_at, _) = start(incident, self.policy, &self.duty.from, dispatch.event)?;
                lasting.after(clock_at, &zone)
            }
            None => Timestamp::MAX,
        };
        let step = StepNumber::new(step.get().checked_add(windows)?)?;
        (due_at > duty.due_at && due_at <= ends).then_some(Again { step, due_at })
    }
}

/// The duty whose window a step is: one of its dispatch, or the same, owed again.
pub(super) fn of_step(state: &EventState, step: StepNumber) -> Option<Cow<'_, DispatchDuty>> {
    let duties = &state.dispatch.as_ref()?.duties;
    let own = |step| duties.iter().find(|duty| duty.step == Some(step));
    own(step).map(Cow::Borrowed).or_else(|| {
        let Repeated { of, due_at } = state.steps.get(&step)?.repeats?;
        own(of).map(|first| Cow::Owned(first.again(Again { step, due_at })))
    })
}

/// The publisher, as one who is written to.
pub(super) fn publisher(dispatch: &Dispatch) -> RecipientId {
    BodyId::from(&dispatch.publisher).as_recipient()
}

/// The contact of a publisher who is to be reminded: its own, or, where it is a recipient too, that one's.
fn reminded<'d>(dispatch: &Dispatch, directory: &'d Directory) -> Option<(&'d str, &'d String, &'d Contact)> {
    const FIRST: &str = "duty";
    let of = |contacts: &'d BTreeMap<String, Contact>| contact(contacts.iter(), FIRST);
    let known = directory.publisher(&dispatch.publisher)?;
    let (word, to) = of(&known.contacts)
        .or_else(|| directory.recipient(&publisher(dispatch)).and_then(|same| of(&same.entry.contacts)))?;
    Some((&known.name, word, to))
}

/// The mail that reminds a publisher of what is overdue, or none where the directory knows no way to reach it (which
/// `directory check` warns of).
pub(super) fn reminder(
    dispatch: &Dispatch,
    duty: &DispatchDuty,
    directory: &Directory,
) -> Result<Option<NewFact>, Error> {
    let (Some(step), Some((name, word, to))) = (duty.step, reminded(dispatch, directory)) else {
        return Ok(None);
    };
    let escalation = Escalation {
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        step,
        recipient: publisher(dispatch),
        recipient_name: name.to_owned(),
        policy: duty.policy.clone(),
        duty: duty.policy.is_some().then(|| duty.duty.clone()),
        status: dispatch.status,
        said: dispatch.said,
        due_at: duty.due_at,
        reason: EscalationReason::Overdue,
        contact: word.clone(),
        to: to.clone(),
        via: None,
        time_zone: directory.document().time_zone.clone(),
    };
    Ok(Some(NewFact {
        subject: Subject::Escalation {
            recipient: escalation.recipient.clone(),
            incident: dispatch.incident.clone(),
            event: dispatch.event,
            step,
        },
        body: to_body("escalation", &escalation)?,
        schedule: None,
    }))
}

/// Those who are told that what an event promised did not come: all who were owed that event. A duty under a policy is
/// between the publisher and the law.
pub(super) fn told<'d>(dispatch: &'d Dispatch, policy: Option<&PolicyId>) -> Vec<&'d RecipientId> {
    if policy.is_some() { Vec::new() } else { dispatch.recipients().into_keys().collect() }
}

/// That what an event promised did not come, for one recipient.
pub(super) fn overdue(
    dispatch: &Dispatch,
    duty: &DispatchDuty,
    recipient: &RecipientId,
) -> Result<Option<NewFact>, Error> {
    let Some(step) = duty.step else { return Ok(None) };
    let overdue = Overdue {
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        step,
        recipient: recipient.clone(),
        status: dispatch.status,
        publisher: dispatch.publisher.clone(),
        promised_by: duty.due_at,
    };
    let subject = Subject::Overdue {
        recipient: recipient.clone(),
        incident: dispatch.incident.clone(),
        event: dispatch.event,
        step,
    };
    Ok(Some(NewFact { subject, body: to_body("overdue", &overdue)?, schedule: None }))
}
