//! From facts to report: pure, so that whoever reads the same streams gets the same figures.

use std::collections::BTreeMap;

use tocsin_duty::Course;
use tocsin_protocol::{
    AttemptEnded, DispatchStep, Escalation, EscalationReason, EventNumber, IncidentId, Outcome, RecipientId,
    Requirement, SignedDuration, StepNumber, Subject, Timestamp,
};

use crate::{
    duties,
    evidence::Request,
    facts::{At, Attempt, Dispatched, Facts, Refused, SaidEvent},
    judge::{self, Window},
    linked::LinkedReport,
    moved, operator,
    problem::{self, Problem},
    report::{
        DutyReport, EscalationReport, EventReport, IncidentReport, OperatorDelay, OperatorTimeliness,
        Provenance, RecipientReport, RefusalReport, Report, SCHEMA_VERSION, State, StepReport, Totals,
    },
    timeliness,
};

/// One recipient, judged: at one event, or over all of them.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) row: RecipientReport,
    /// Nobody can be shown to have cared.
    pub(crate) neither: bool,
    /// Its system said that it holds the notice: of this event, or of all of them.
    pub(crate) delivered: bool,
    mails: Mails,
    /// How late the acknowledgement was.
    late_by: SignedDuration,
    /// Its place in the directory.
    pub(crate) place: usize,
}

/// What became of the mails owed to a recipient.
#[derive(Debug, Clone, Copy, Default)]
struct Mails {
    accepted: u32,
    unknown: u32,
    repeated: u32,
}

impl Judged {
    /// The larger, the worse.
    fn badness(&self) -> (State, bool, SignedDuration) {
        (self.row.state, self.neither, self.late_by)
    }
}

/// One event, judged.
#[derive(Debug)]
pub(crate) struct JudgedEvent {
    pub(crate) report: EventReport,
    pub(crate) judged: Vec<Judged>,
}

/// An incident, judged: each event, and each recipient over all of them.
#[derive(Debug)]
pub(crate) struct JudgedIncident {
    pub(crate) incident: IncidentReport,
    pub(crate) operator: OperatorTimeliness,
    pub(crate) duties: Vec<DutyReport>,
    pub(crate) events: Vec<JudgedEvent>,
    pub(crate) whole: Vec<Judged>,
    pub(crate) problems: Vec<Problem>,
}

/// Judges an incident, of everyone or of one recipient alone; none when no event of it counts, or that recipient was
/// owed none.
pub(crate) fn judge(
    id: &IncidentId,
    facts: &Facts,
    as_of: Timestamp,
    only: Option<&RecipientId>,
) -> Option<JudgedIncident> {
    let first = facts.events.values().next()?;
    let events: Vec<JudgedEvent> =
        facts.events.values().map(|said| event(facts, said, as_of, only)).collect();
    let whole = summary(&events);
    if only.is_some() && whole.is_empty() {
        return None;
    }
    let incident = incident(id, facts, first, only);
    let operator = operator::of(facts, first, &events, &whole);
    let duties = duties::duties(facts, as_of, only);
    let mut problems = problem::find(facts, &operator, &events, &whole, as_of);
    problems.retain(|problem| only.is_none_or(|only| problem.is_for(only)));
    Some(JudgedIncident { incident, operator, duties, events, whole, problems })
}

/// Makes the report of an incident; none when no event of it counts.
pub(crate) fn report(
    id: &IncidentId,
    facts: &Facts,
    linked: Vec<LinkedReport>,
    provenance: Provenance,
    request: Request,
) -> Option<Report> {
    let only = request.only.as_ref();
    let JudgedIncident { incident, operator, duties, events, whole, problems } =
        judge(id, facts, provenance.as_of, only)?;
    let refusals = refusals(facts, only);
    let timeliness = timeliness::of(&events, &whole);
    let totals = totals(&whole);
    Some(Report {
        schema_version: SCHEMA_VERSION,
        incident,
        totals,
        operator: Some(operator),
        timeliness,
        duty_totals: duties::totals(&duties),
        duties,
        calls: duties::calls(facts, only),
        handovers: duties::handovers(facts, &events, provenance.as_of),
        figures: moved::figures(facts, only),
        anew: moved::anew(facts, &events),
        recipients: whole.into_iter().map(|judged| judged.row).collect(),
        events: events.into_iter().map(|event| event.report).collect(),
        linked,
        refusals,
        problems,
        comparison: request.comparison,
        provenance,
    })
}

fn incident(
    id: &IncidentId,
    facts: &Facts,
    first: &At<SaidEvent>,
    only: Option<&RecipientId>,
) -> IncidentReport {
    let last_stated = |moment: fn(&SaidEvent) -> Option<Timestamp>| {
        facts.events.values().rev().find_map(|said| moment(&said.fact))
    };
    let began_at = last_stated(|said| said.event.began_at);
    let detected_at = last_stated(|said| said.event.detected_at);
    let mut first_notices: BTreeMap<&RecipientId, Timestamp> = BTreeMap::new();
    let notices = facts.notices.iter().filter(|((who, _), _)| only.is_none_or(|only| only == who));
    for ((recipient, _), notice) in notices {
        let earliest = first_notices.entry(recipient).or_insert(notice.time);
        *earliest = (*earliest).min(notice.time);
    }
    let until = |moment: Option<Timestamp>| moment.map(|moment| seconds(first.time.duration_since(moment)));
    IncidentReport {
        id: id.clone(),
        publisher: first.fact.event.publisher.clone(),
        status: first.fact.event.status,
        headline: first.fact.event.headline.clone(),
        course: Some(Course::of(facts.events.values().map(|said| &said.fact.event))),
        began_at,
        detected_at,
        published_at: first.time,
        first_noticed_at: first_notices.values().min().copied(),
        last_noticed_at: first_notices.values().max().copied(),
        operator_delay_seconds: OperatorDelay {
            from_began: until(began_at),
            from_detected: until(detected_at),
        },
    }
}

fn event(facts: &Facts, said: &At<SaidEvent>, as_of: Timestamp, only: Option<&RecipientId>) -> JudgedEvent {
    let number = said.fact.event.sequence;
    let dispatched = facts.dispatches.get(&number);
    let mut judged = dispatched.map_or_else(Vec::new, |at| recipients(facts, &at.fact, as_of));
    judged.retain(|judged| only.is_none_or(|only| *only == judged.row.id));
    judged.sort_by(|a, b| (a.place, &a.row.id).cmp(&(b.place, &b.row.id)));
    let dispatch = dispatched.map(|at| &at.fact.dispatch);
    let report = EventReport {
        event: number,
        kind: said.fact.event.kind,
        stage: Some(said.fact.event.report_stage()),
        corrects: said.fact.event.corrects,
        next_update_by: said.fact.event.next_update_by,
        headline: said.fact.event.headline.clone(),
        published_at: said.time,
        dispatched_at: dispatched.map(|at| at.time),
        directory: dispatch.map(|d| d.directory),
        acknowledge: dispatch.is_some_and(|d| d.acknowledge),
        worsened: dispatch.map(|d| d.worsened.clone()).unwrap_or_default(),
        by_rule: said.fact.event.by_rule.as_deref().cloned(),
        steps: dispatch
            .map(|d| d.steps.iter().map(|s| step(facts, number, s, only.is_none())).collect())
            .unwrap_or_default(),
        totals: totals(&judged),
        recipients: judged.iter().map(|j| j.row.clone()).collect(),
    };
    JudgedEvent { report, judged }
}

/// A window; `counted` with how many it was found to be about.
fn step(facts: &Facts, event: EventNumber, step: &DispatchStep, counted: bool) -> StepReport {
    let finding = facts.findings.get(&(event, step.step));
    StepReport {
        step: step.step,
        policy: step.policy.clone(),
        contact: step.contact.clone(),
        reach: step.reach,
        due_at: step.due_at,
        closed_at: facts.dues.get(&(event, step.step)).copied(),
        found_at: finding.map(|f| f.time),
        required: finding.filter(|_| counted).map(|f| f.fact.required),
        silent: finding.filter(|_| counted).map(|f| count(f.fact.silent.len())),
        stopped_by: finding.and_then(|f| f.fact.stopped_by.clone()),
    }
}

fn recipients(facts: &Facts, dispatched: &Dispatched, as_of: Timestamp) -> Vec<Judged> {
    let dispatch = &dispatched.dispatch;
    let asked = judge::asked(dispatch);
    dispatch
        .recipients()
        .into_iter()
        .map(|(id, requirement)| recipient(facts, dispatched, id, requirement, asked.get(id).copied(), as_of))
        .collect()
}

fn recipient(
    facts: &Facts,
    dispatched: &Dispatched,
    id: &RecipientId,
    requirement: Requirement,
    asked: Option<&DispatchStep>,
    as_of: Timestamp,
) -> Judged {
    let dispatch = &dispatched.dispatch;
    let key = (id.clone(), dispatch.event);
    let who = dispatched.register.as_ref().and_then(|register| register.who(id));
    let acknowledged = facts.acknowledgement(id, dispatch.event);
    let acknowledged_at = acknowledged.map(|at| at.time);
    let window = asked.map_or(Window::Open, |step| judge::window(facts, dispatch, step, as_of));
    let state = asked.map_or(State::NotAsked, |step| judge::state(step.due_at, acknowledged_at, window));
    let late_by = match (state, asked, acknowledged_at) {
        (State::Late, Some(step), Some(at)) => at.duration_since(step.due_at),
        _ => SignedDuration::ZERO,
    };
    let (escalations, mails) = escalations(facts, id, dispatch.event);
    let signed_in = acknowledged.and_then(|at| at.fact.receipt.signed_in.as_ref());
    let row = RecipientReport {
        id: id.clone(),
        name: who.map_or_else(|| id.to_string(), |who| who.name.clone()),
        kind: who.map_or_else(|| "unknown".to_owned(), |who| who.kind.clone()),
        requirement,
        event: dispatch.event,
        state,
        noticed_at: facts.notices.get(&key).map(|notice| notice.time),
        delivered_at: facts.delivered.get(&key).copied(),
        acknowledged_at,
        acknowledged_by: acknowledged.and_then(|at| at.fact.receipt.by.clone()),
        acknowledged_event: acknowledged.map(|at| at.fact.receipt.event),
        acknowledged_method: acknowledged.and_then(|at| at.fact.receipt.method),
        acknowledged_control_room: acknowledged.and_then(|at| at.fact.receipt.control_room.clone()),
        acknowledged_on_behalf_of: acknowledged.and_then(|at| at.fact.receipt.on_behalf_of.clone()),
        acknowledged_signer: acknowledged.and_then(|at| at.fact.signer),
        acknowledged_key: acknowledged.and_then(|at| at.fact.key.clone()),
        acknowledged_account: signed_in.map(|by| by.account.clone()),
        acknowledged_session: signed_in.map(|by| by.session.clone()),
        acknowledged_step: acknowledged.and_then(|at| at.fact.step),
        acknowledged_claimed_at: acknowledged.map(|at| at.fact.receipt.at),
        due_at: asked.map(|step| step.due_at),
        in_time: match state {
            State::InTime => Some(true),
            State::Late | State::Silent => Some(false),
            State::NotAsked | State::Open | State::Excused => None,
        },
        late_by_seconds: (state == State::Late).then(|| seconds(late_by)),
        escalations,
    };
    let neither = asked.is_some() && judge::neither(state, window, row.escalations.len());
    Judged {
        neither,
        delivered: row.delivered_at.is_some(),
        mails,
        late_by,
        place: who.map_or(usize::MAX, |who| who.place),
        row,
    }
}

/// The e-mails owed to a recipient because of an event, and what became of them.
pub(crate) fn mails(facts: &Facts, recipient: &RecipientId, event: EventNumber) -> Vec<EscalationReport> {
    escalations(facts, recipient, event).0
}

/// The mails by which a publisher is reminded of what it owes are none of a recipient's, whoever that is besides.
fn escalations(facts: &Facts, recipient: &RecipientId, event: EventNumber) -> (Vec<EscalationReport>, Mails) {
    let mut mails = Mails::default();
    let owed = facts
        .escalations
        .range((recipient.clone(), event, StepNumber::FIRST)..)
        .take_while(|((who, number, _), _)| who == recipient && *number == event)
        .filter(|(_, owed)| owed.fact.reason != EscalationReason::Overdue);
    let rows = owed.map(|(key, owed)| {
        let row = mail_of(facts, key, owed);
        let attempts = facts.attempts.get(key).into_iter().flat_map(BTreeMap::values);
        let is_accepted = |end: &At<AttemptEnded>| end.fact.outcome == Outcome::Accepted;
        let accepted = attempts.filter(|attempt| attempt.ended.as_ref().is_some_and(is_accepted)).count();
        mails.accepted += count(accepted);
        mails.unknown += row.unknown;
        mails.repeated += (count(accepted) + row.unknown).saturating_sub(1);
        row
    });
    (rows.collect(), mails)
}

/// An e-mail, by whom it was owed to, because of which event, at which step.
pub(crate) fn mail(facts: &Facts, key: &(RecipientId, EventNumber, StepNumber)) -> Option<EscalationReport> {
    facts.escalations.get(key).map(|owed| mail_of(facts, key, owed))
}

fn mail_of(
    facts: &Facts,
    key: &(RecipientId, EventNumber, StepNumber),
    owed: &At<Escalation>,
) -> EscalationReport {
    let (_, event, step) = key;
    let attempts: Vec<&Attempt> = facts.attempts.get(key).into_iter().flat_map(BTreeMap::values).collect();
    let ended = || attempts.iter().filter_map(|attempt| attempt.ended.as_ref());
    let first_accepted = ended().find(|end| end.fact.outcome == Outcome::Accepted);
    let last_tried = ended().rfind(|end| !end.fact.relay.is_empty());
    EscalationReport {
        event: *event,
        step: *step,
        contact: owed.fact.contact.clone(),
        address: owed.fact.to.email.clone(),
        via: owed.fact.via.clone(),
        reason: owed.fact.reason,
        due_at: owed.fact.due_at,
        closed_at: facts.dues.get(&(*event, *step)).copied(),
        owed_at: owed.time,
        accepted_at: first_accepted.map(|end| end.time),
        relay: first_accepted.or(last_tried).map(|end| end.fact.relay.clone()),
        attempts: count(attempts.iter().filter(|attempt| attempt.begun.is_some()).count()),
        outcome: first_accepted.or_else(|| ended().next_back()).map(|end| end.fact.outcome),
        unknown: count(attempts.iter().filter(|attempt| is_unknown(attempt)).count()),
        digest: attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.begun.as_ref()?.fact.digest.as_ref())
            .map(|digest| digest.of),
    }
}

/// Nobody knows whether a relay took it: the end says so, or there is none.
pub(crate) fn is_unknown(attempt: &Attempt) -> bool {
    match &attempt.ended {
        Some(end) => end.fact.outcome == Outcome::Unknown,
        None => attempt.begun.is_some(),
    }
}

/// Every recipient once, by its worst event (the earliest of equals); the e-mails of every event with it.
fn summary(events: &[JudgedEvent]) -> Vec<Judged> {
    let mut by_recipient: BTreeMap<&RecipientId, Vec<&Judged>> = BTreeMap::new();
    for judged in events.iter().flat_map(|event| &event.judged) {
        by_recipient.entry(&judged.row.id).or_default().push(judged);
    }
    let mut whole: Vec<Judged> = by_recipient.into_values().filter_map(|all| over_all(&all)).collect();
    whole.sort_by(|a, b| (a.place, &a.row.id).cmp(&(b.place, &b.row.id)));
    whole
}

fn over_all(all: &[&Judged]) -> Option<Judged> {
    let worst = all
        .iter()
        .copied()
        .reduce(|worst, next| if next.badness() > worst.badness() { next } else { worst })?;
    let mut judged = worst.clone();
    judged.neither = all.iter().any(|j| j.neither);
    judged.delivered = all.iter().all(|j| j.delivered);
    judged.place = all.iter().map(|j| j.place).min().unwrap_or(usize::MAX);
    judged.row.requirement = all.iter().map(|j| j.row.requirement).min().unwrap_or(Requirement::Informed);
    judged.row.escalations = all.iter().flat_map(|j| j.row.escalations.iter().cloned()).collect();
    judged.mails = all.iter().fold(Mails::default(), |sum, j| Mails {
        accepted: sum.accepted + j.mails.accepted,
        unknown: sum.unknown + j.mails.unknown,
        repeated: sum.repeated + j.mails.repeated,
    });
    Some(judged)
}

fn totals(all: &[Judged]) -> Totals {
    let of = |test: &dyn Fn(&Judged) -> bool| count(all.iter().filter(|judged| test(judged)).count());
    let in_state = |state: State| of(&|judged| judged.row.state == state);
    let (open, excused) = (in_state(State::Open), in_state(State::Excused));
    Totals {
        required: of(&|judged| judged.row.requirement == Requirement::Required),
        informed: of(&|judged| judged.row.requirement == Requirement::Informed),
        asked: of(&|judged| judged.row.state != State::NotAsked),
        delivered: of(&|judged| judged.delivered),
        acknowledged_in_time: in_state(State::InTime),
        acknowledged_late: in_state(State::Late),
        never: in_state(State::Silent) + open + excused,
        open,
        excused,
        escalated: of(&|judged| !judged.row.escalations.is_empty()),
        neither: of(&|judged| judged.neither),
        mails_accepted: all.iter().map(|judged| judged.mails.accepted).sum(),
        mails_unknown: all.iter().map(|judged| judged.mails.unknown).sum(),
        mails_repeated: all.iter().map(|judged| judged.mails.repeated).sum(),
    }
}

fn refusals(facts: &Facts, only: Option<&RecipientId>) -> Vec<RefusalReport> {
    let whose = |refused: &Refused| {
        only.is_none_or(|only| {
            matches!(refused.refusal.subject.parse(), Ok(Subject::Receipt { recipient, .. }) if recipient == *only)
        })
    };
    let report = |(said, refused): (&u64, &Refused)| RefusalReport {
        said: *said,
        at: refused.said_at,
        subject: refused.refusal.subject.clone(),
        code: refused.refusal.code,
        reasons: refused.refusal.reasons.clone(),
        recorded: refused.recorded,
    };
    // What only the router refused counts by the rules; a problem tells of it.
    facts.refusals.iter().filter(|(_, refused)| refused.judged && whose(refused)).map(report).collect()
}

/// A count as the report has it. There are fewer recipients, and attempts, than `u32` can tell.
pub(crate) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A length of time as the report has it.
pub(crate) fn seconds(length: SignedDuration) -> f64 {
    length.as_secs_f64()
}
