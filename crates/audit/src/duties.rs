//! What the publisher owed and what became of it, held against what was said: its reports, calls, promises and handovers.

use std::collections::BTreeSet;

use tocsin_duty::{Course, serves};
use tocsin_protocol::{
    Again, ClockStart, Dispatch, DispatchDuty, DutyStart, Event, EventKind, EventNumber, PolicyDocument,
    RecipientId, RecontactFigures, SignedDuration, Stage, StepNumber, Timestamp, Trigger,
};

use crate::{
    compute::{JudgedEvent, count, mail, seconds},
    facts::{At, Dispatched, Facts, SaidEvent},
    judge,
    report::{CallReport, DutyReport, DutyState, DutyTally, DutyTotals, HandoverReport, RecipientReport},
};

/// Every duty of an incident, each time that it was owed, in the order of their windows. A recipient is told of the
/// promises of what it was owed alone: a duty under a policy is between the publisher and the law.
pub(crate) fn duties(facts: &Facts, as_of: Timestamp, only: Option<&RecipientId>) -> Vec<DutyReport> {
    let mut all: Vec<DutyReport> = Vec::new();
    for at in facts.dispatches.values() {
        let dispatch = &at.fact.dispatch;
        let is_told = only.is_none_or(|only| dispatch.recipients().contains_key(only));
        let told = |duty: &DispatchDuty| is_told && (only.is_none() || duty.policy.is_none());
        for duty in owed(facts, dispatch).into_iter().filter(told) {
            let report = duty_report(facts, &at.fact, &duty, as_of, only);
            // What a later event met was owed from an earlier one: that it was met stands with that.
            let known = all.iter_mut().find(|known| {
                (&known.policy, &known.duty, known.target, known.due_at)
                    == (&report.policy, &report.duty, report.target, report.due_at)
            });
            match known {
                Some(known) if duty.met_at.is_some() => meet(known, report),
                Some(_) => {}
                None => all.push(report),
            }
        }
    }
    all.sort_by_key(|duty| (duty.due_at, duty.event));
    all
}

/// What an event's dispatch owes of its publisher, and each time that it was owed again, as the findings have it.
pub(crate) fn owed(facts: &Facts, dispatch: &Dispatch) -> Vec<DispatchDuty> {
    let next = |duty: &DispatchDuty| {
        let step = duty.step?;
        let again = facts.findings.get(&(dispatch.event, step))?.fact.duty.as_ref()?.again?;
        // Only a stolen service key writes what leads back.
        (again.step > step).then(|| duty.again(again))
    };
    let times = |first: &DispatchDuty| std::iter::successors(Some(first.clone()), next);
    dispatch.duties.iter().flat_map(times).collect()
}

/// When a duty is owed next that nobody had met as its window closed; none where it is not repeated, or is over.
pub(crate) fn again(
    facts: &Facts,
    Dispatched { dispatch, register }: &Dispatched,
    (duty, step): (&DispatchDuty, StepNumber),
    closed_at: Timestamp,
) -> Option<Again> {
    let directory = register.as_ref()?.directory.as_ref()?;
    let policy = directory.policies().iter().find(|policy| Some(&policy.id) == duty.policy.as_ref())?;
    let rule = policy.duties.iter().find(|rule| rule.id == duty.duty)?;
    let by_then = facts.events.values().take_while(|said| said.time <= closed_at);
    if !Course::of(by_then.map(|said| &said.fact.event)).is_open() {
        return None;
    }
    let (all, zone) = (u32::try_from(dispatch.windows()).ok()?, directory.zone());
    let times = (step.get() - 1) / all;
    let own = |first: &&DispatchDuty| first.step.is_some_and(|own| own.get() == step.get() - times * all);
    let first = dispatch.duties.iter().find(own)?.due_at.max(dispatch.published_at);
    let due_at = rule.repeat?.times_after(times.checked_add(1)?, first, &zone);
    let within = match rule.lasting {
        Some(lasting) => due_at <= lasting.after(began(facts, policy, &rule.from, dispatch.event)?, &zone),
        None => true,
    };
    let step = StepNumber::new(step.get().checked_add(all)?)?;
    (within && due_at > duty.due_at).then_some(Again { step, due_at })
}

/// When a duty began to run, as the events up to and with one tell it.
fn began(
    facts: &Facts,
    policy: &PolicyDocument,
    from: &DutyStart,
    through: EventNumber,
) -> Option<Timestamp> {
    let so_far = || facts.events.range(..=through).map(|(number, said)| (*number, said));
    let first = || so_far().next().map(|(_, said)| said.time);
    let told =
        |of: fn(&Event) -> Option<Timestamp>| so_far().filter_map(|(_, said)| of(&said.fact.event)).last();
    let clock = match from {
        DutyStart::Duty(earlier) => {
            let stage = policy.duties.iter().find(|duty| duty.id == *earlier)?.stage;
            return so_far()
                .find(|(at, said)| meets(*at, &said.fact.event, stage))
                .map(|(_, said)| said.time);
        }
        DutyStart::Clock(clock) => *clock,
    };
    match clock {
        ClockStart::Published => first(),
        ClockStart::Occurred => told(|event| event.began_at).or_else(first),
        ClockStart::Detected => told(|event| event.detected_at).or_else(first),
        ClockStart::Aware => told(|event| event.aware_at).or_else(first),
        ClockStart::Discovered => told(|event| event.discovered_at).or_else(first),
        ClockStart::Classified => told(|event| event.classified_at).or_else(first),
        ClockStart::Restored => told(|event| event.restored_at).or_else(|| {
            let resolved = so_far().filter(|(_, said)| said.fact.event.kind == EventKind::Resolved);
            resolved.last().map(|(_, said)| said.time)
        }),
    }
}

/// A duty that stands already is met by this event: its calls are asked for by the event that met it.
fn meet(known: &mut DutyReport, by: DutyReport) {
    known.telephone = by.telephone;
    known.not_called = by.not_called;
    if known.superseded_by.is_none() {
        known.state = by.state;
    }
    known.late_by_seconds = by.late_by_seconds;
    known.closed_at = by.closed_at.or(known.closed_at);
    known.found_at = by.found_at.or(known.found_at);
    known.reminder = known.reminder.take().or(by.reminder);
}

fn duty_report(
    facts: &Facts,
    dispatched: &Dispatched,
    duty: &DispatchDuty,
    as_of: Timestamp,
    only: Option<&RecipientId>,
) -> DutyReport {
    let dispatch = &dispatched.dispatch;
    let policy = duty.policy.as_ref().and_then(|id| {
        let directory = dispatched.register.as_ref()?.directory.as_ref()?;
        directory.policies().iter().find(|policy| policy.id == *id)
    });
    let step = duty.step.map(|step| (dispatch.event, step));
    let closed_at = step.and_then(|step| facts.dues.get(&step).copied());
    let found = found(facts, dispatch, duty, as_of);
    let late_by = found.met.map(|(_, at)| at.duration_since(duty.due_at)).filter(SignedDuration::is_positive);
    DutyReport {
        event: dispatch.event,
        duty: duty.duty.clone(),
        policy: duty.policy.clone(),
        what: policy.and_then(|policy| what(policy, duty)),
        basis: policy.map(|policy| policy.basis.clone()),
        confidence: policy.map(|policy| policy.confidence),
        stage: duty.stage,
        from: duty.from.clone(),
        clock_at: duty.clock_at,
        clock_assumed: duty.clock_assumed,
        due_at: duty.due_at,
        target: duty.target,
        state: found.state,
        met_by: found.met.map(|(event, _)| event),
        met_at: found.met.map(|(_, at)| at),
        late_by_seconds: late_by.map(seconds),
        telephone: duty.telephone.clone(),
        not_called: found.not_called,
        superseded_by: found.superseded_by.filter(|_| found.state == DutyState::Superseded),
        lifted_by: found.lifted_by.filter(|_| found.state == DutyState::Lifted),
        step: duty.step,
        closed_at,
        found_at: step.and_then(|step| facts.findings.get(&step)).map(|finding| finding.time),
        reminder: step.filter(|_| only.is_none()).and_then(|(event, step)| {
            let publisher = publisher(dispatch)?;
            mail(facts, &(publisher, event, step))
        }),
        told_overdue: step.map_or(0, |(event, step)| {
            let told = facts.overdue.keys().filter(|(who, of, window)| {
                (*of, *window) == (event, step) && only.is_none_or(|only| only == who)
            });
            count(told.count())
        }),
    }
}

/// The publisher, as one who is written to.
pub(crate) fn publisher(dispatch: &Dispatch) -> Option<RecipientId> {
    RecipientId::new(dispatch.publisher.as_str()).ok()
}

fn what(policy: &PolicyDocument, duty: &DispatchDuty) -> Option<String> {
    policy.duties.iter().find(|known| known.id == duty.duty).map(|known| known.what.clone())
}

/// What became of a duty, by what was said: the router's finding is held against this.
pub(crate) struct Found {
    pub(crate) state: DutyState,
    pub(crate) met: Option<(EventNumber, Timestamp)>,
    pub(crate) not_called: Vec<RecipientId>,
    pub(crate) superseded_by: Option<EventNumber>,
    pub(crate) lifted_by: Option<EventNumber>,
}

pub(crate) fn found(facts: &Facts, dispatch: &Dispatch, duty: &DispatchDuty, as_of: Timestamp) -> Found {
    let met = met(facts, dispatch, duty);
    let called = |who: &&RecipientId| facts.called(who, dispatch.event).is_some_and(|at| at <= duty.due_at);
    // Nobody is to be called about what was not written.
    let not_called: Vec<RecipientId> = duty.telephone.iter().filter(|who| !called(who)).cloned().collect();
    let closed = duty.step.is_some_and(|step| facts.dues.contains_key(&(dispatch.event, step)));
    let over = closed || as_of > duty.due_at;
    let in_time = met.is_some_and(|(_, at)| at <= duty.due_at);
    let lifted_by = lifted(facts, dispatch, duty);
    let superseded_by = superseded(facts, dispatch, duty);
    let state = if in_time {
        match not_called.is_empty() {
            true => DutyState::InTime,
            false if over => DutyState::NotCalled,
            false => DutyState::Open,
        }
    } else if superseded_by.is_some() {
        DutyState::Superseded
    } else if lifted_by.is_some() {
        DutyState::Lifted
    } else if met.is_some() {
        DutyState::Late
    } else if over {
        DutyState::Overdue
    } else {
        DutyState::Open
    };
    Found { state, met, not_called, superseded_by, lifted_by }
}

/// The first report that meets a duty: the event itself, or the first after it.
fn met(facts: &Facts, dispatch: &Dispatch, duty: &DispatchDuty) -> Option<(EventNumber, Timestamp)> {
    let mut from = facts.events.range(dispatch.event..);
    // What an event makes due anew is met by one that follows.
    let itself = duty.met_at.is_some();
    from.find(|(number, said)| {
        (itself || **number > dispatch.event) && meets(**number, &said.fact.event, duty.stage)
    })
    .map(|(number, said)| (*number, said.time))
}

/// Whether an event is a report of a stage. An update is none that is the first word.
fn meets(number: EventNumber, event: &Event, stage: Stage) -> bool {
    let is = event.report_stage();
    match stage {
        Stage::Initial => number == EventNumber::FIRST,
        Stage::Update => number > EventNumber::FIRST && is >= stage,
        Stage::Full | Stage::Final => is >= stage,
    }
}

/// The event by which the incident had ended when the duty was due.
fn lifted(facts: &Facts, dispatch: &Dispatch, duty: &DispatchDuty) -> Option<EventNumber> {
    let ends = |said: &At<SaidEvent>| said.fact.event.kind.ends_incident() && said.time <= duty.due_at;
    let mut after = facts.events.iter().filter(|(number, _)| **number > dispatch.event);
    after.find(|(_, said)| ends(said)).map(|(number, _)| *number)
}

/// The event that told another start of the duty's clock before it was due.
fn superseded(facts: &Facts, dispatch: &Dispatch, duty: &DispatchDuty) -> Option<EventNumber> {
    let same = |other: &DispatchDuty| {
        (&other.policy, &other.duty, other.target) == (&duty.policy, &duty.duty, duty.target)
            && other.due_at != duty.due_at
    };
    let mut later = facts.dispatches.iter().filter(|(number, _)| **number > dispatch.event);
    later
        .find(|(_, at)| {
            let other = &at.fact.dispatch;
            other.published_at <= duty.due_at && other.duties.iter().any(same)
        })
        .map(|(number, _)| *number)
}

/// The counts of what is told.
pub(crate) fn totals(duties: &[DutyReport]) -> DutyTotals {
    let mut totals = DutyTotals::default();
    for duty in duties {
        let tally = match (duty.target, &duty.policy) {
            (true, _) => &mut totals.targets,
            (false, Some(_)) => &mut totals.duties,
            (false, None) => &mut totals.promises,
        };
        tally.count(duty.state);
    }
    totals
}

impl DutyTally {
    fn count(&mut self, state: DutyState) {
        let counted = match state {
            DutyState::InTime => &mut self.in_time,
            DutyState::Late => &mut self.late,
            DutyState::NotCalled => &mut self.not_called,
            DutyState::Overdue => &mut self.overdue,
            DutyState::Open => &mut self.open,
            DutyState::Superseded => &mut self.superseded,
            DutyState::Lifted => &mut self.lifted,
        };
        *counted += 1;
        self.owed = self.in_time + self.late + self.not_called + self.overdue;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.owed += other.owed;
        self.in_time += other.in_time;
        self.late += other.late;
        self.not_called += other.not_called;
        self.overdue += other.overdue;
        self.open += other.open;
        self.superseded += other.superseded;
        self.lifted += other.lifted;
    }
}

/// The telephone calls that were logged, in the order in which they were.
pub(crate) fn calls(facts: &Facts, only: Option<&RecipientId>) -> Vec<CallReport> {
    let mut all: Vec<CallReport> = facts
        .calls
        .iter()
        .filter(|((recipient, _), _)| only.is_none_or(|only| only == recipient))
        .map(|((recipient, event), at)| {
            let register = facts.dispatches.get(event).and_then(|at| at.fact.register.as_ref());
            let who = register.and_then(|register| register.who(recipient));
            let call = &at.fact;
            CallReport {
                event: *event,
                recipient: recipient.clone(),
                name: who.map_or_else(|| recipient.to_string(), |who| who.name.clone()),
                logged_at: at.time,
                claimed_at: call.at,
                by: call.by.clone(),
                spoke_to: call.spoke_to.clone(),
                number: call.number.clone(),
                control_room: call.control_room.clone(),
            }
        })
        .collect();
    all.sort_by(|a, b| (a.logged_at, &a.recipient).cmp(&(b.logged_at, &b.recipient)));
    all
}

/// The lists of lost callers that were handed to forces, and each one's taking it in.
pub(crate) fn handovers(facts: &Facts, events: &[JudgedEvent], as_of: Timestamp) -> Vec<HandoverReport> {
    let mut all = Vec::new();
    for event in events {
        let Some(at) = facts.dispatches.get(&event.report.event) else { continue };
        for row in event.judged.iter().map(|judged| &judged.row) {
            all.extend(handover(facts, &at.fact, row, as_of));
        }
    }
    all
}

fn handover(
    facts: &Facts,
    dispatched: &Dispatched,
    row: &RecipientReport,
    as_of: Timestamp,
) -> Option<HandoverReport> {
    let (dispatch, directory) = (&dispatched.dispatch, dispatched.register.as_ref()?.directory.as_ref()?);
    let of_handover: BTreeSet<_> = directory
        .policies()
        .iter()
        .filter(|policy| policy.trigger == Trigger::Handover)
        .map(|policy| &policy.id)
        .collect();
    let owed = dispatch
        .owed
        .iter()
        .find(|owed| of_handover.contains(&owed.policy) && owed.recipients.contains(&row.id))?;
    let step = dispatch
        .steps
        .iter()
        .filter(|step| step.policy == owed.policy && dispatch.required(step.step).any(|id| *id == row.id))
        .min_by_key(|step| (step.due_at, step.step));
    let state = step.map_or(crate::report::State::NotAsked, |step| {
        judge::state(step.due_at, row.acknowledged_at, judge::window(facts, dispatch, step, as_of))
    });
    let entry = &directory.recipient(&row.id)?.entry;
    let by_area = facts.events.get(&dispatch.event)?.fact.event.recontact.as_ref().map(|list| &list.by_area);
    let here = by_area.into_iter().flatten().filter(|(area, _)| serves(directory, entry, area));
    let list = here.fold(RecontactFigures::default(), |sum, (_, list)| RecontactFigures {
        reached: added(sum.reached, list.reached),
        outstanding: added(sum.outstanding, list.outstanding),
        handed_to_police: added(sum.handed_to_police, list.handed_to_police),
    });
    Some(HandoverReport {
        event: dispatch.event,
        policy: owed.policy.clone(),
        recipient: row.id.clone(),
        name: row.name.clone(),
        list,
        noticed_at: row.noticed_at,
        due_at: step.map(|step| step.due_at),
        state,
        acknowledged_at: row.acknowledged_at,
        acknowledged_by: row.acknowledged_by.clone(),
    })
}

fn added(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
