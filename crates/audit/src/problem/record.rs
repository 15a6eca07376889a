//! What is missing from the record, or contradicts itself.

use std::collections::BTreeSet;

use tocsin_protocol::{Dispatch, DispatchStep, Finding, RecipientId, StepNumber, Timestamp};

use super::{Case, Problem, ProblemCode, counted};
use crate::{
    compute::JudgedEvent,
    facts::{At, KEPT},
    judge,
    words::{plain, utc},
};

pub(super) fn find(case: &Case) -> Vec<Problem> {
    let mut problems = Vec::new();
    for event in case.events {
        problems.extend(neither(case, event));
        match case.facts.dispatches.get(&event.report.event) {
            None => problems.push(missing_dispatch(event)),
            Some(at) => {
                let dispatch = &at.fact.dispatch;
                problems.extend(differing_dispatch(event, dispatch));
                problems.extend(notices(case, event, dispatch));
                for step in &dispatch.steps {
                    problems.extend(window(case, dispatch, step));
                }
            }
        }
    }
    problems.extend(faulty(case));
    problems
}

fn neither(case: &Case, event: &JudgedEvent) -> Option<Problem> {
    let recipients: Vec<RecipientId> =
        event.judged.iter().filter(|judged| judged.neither).map(|judged| judged.row.id.clone()).collect();
    (!recipients.is_empty()).then(|| Problem {
        code: ProblemCode::Neither,
        event: Some(event.report.event),
        text: format!(
            "Event {}: the window closed on {} who had not acknowledged in time and to whom no e-mail is owed in the \
             record: {}.",
            event.report.event,
            counted(recipients.len(), "required recipient"),
            case.names(&recipients)
        ),
        recipients,
    })
}

fn missing_dispatch(event: &JudgedEvent) -> Problem {
    let (number, at) = (event.report.event, utc(event.report.published_at));
    Problem {
        code: ProblemCode::MissingDispatch,
        event: Some(number),
        recipients: Vec::new(),
        text: format!(
            "Event {number} was published at {at} and has no dispatch: nobody is shown to have been told of it."
        ),
    }
}

fn differing_dispatch(event: &JudgedEvent, dispatch: &Dispatch) -> Option<Problem> {
    let report = &event.report;
    (dispatch.published_at != report.published_at).then(|| Problem {
        code: ProblemCode::DifferingDispatch,
        event: Some(report.event),
        recipients: Vec::new(),
        text: format!(
            "The dispatch of event {} says that it was published at {}; the broker stored it at {}, which is what counts \
             here. The windows may rest on the wrong time.",
            report.event, dispatch.published_at, report.published_at
        ),
    })
}

fn notices(case: &Case, event: &JudgedEvent, dispatch: &Dispatch) -> Vec<Problem> {
    let number = dispatch.event;
    let (mut missing, mut altered) = (Vec::new(), Vec::new());
    let said = case.facts.events.get(&number).map(|said| said.fact.body.trim_ascii());
    for judged in &event.judged {
        let id = &judged.row.id;
        match case.facts.notices.get(&(id.clone(), number)) {
            None => missing.push(id.clone()),
            Some(notice) if said != Some(&*notice.fact) => altered.push(id.clone()),
            Some(_) => {}
        }
    }
    let problem = |code, recipients: Vec<RecipientId>, what: &str| {
        (!recipients.is_empty()).then(|| Problem {
            code,
            event: Some(number),
            text: format!(
                "Event {number}: the notice to {} {what}: {}.",
                counted(recipients.len(), "recipient"),
                case.names(&recipients)
            ),
            recipients,
        })
    };
    let missing =
        problem(ProblemCode::MissingNotice, missing, "is owed by the dispatch and not in the record");
    let altered =
        problem(ProblemCode::AlteredNotice, altered, "does not carry the bytes that the publisher signed");
    missing.into_iter().chain(altered).collect()
}

fn window(case: &Case, dispatch: &Dispatch, step: &DispatchStep) -> Vec<Problem> {
    let named = format!("Event {}, step {} ({})", dispatch.event, step.step, step.policy);
    let Some(finding) = case.facts.findings.get(&(dispatch.event, step.step)) else {
        return unfound(case, dispatch, (step.step, step.due_at), &named).into_iter().collect();
    };
    let mut problems = Vec::new();
    problems.extend(differing_finding(case, dispatch, step, finding, &named));
    problems.extend(missing_escalations(case, finding, &named));
    problems
}

/// A window of which no finding is there, and should be.
pub(super) fn unfound(
    case: &Case,
    dispatch: &Dispatch,
    (step, due_at): (StepNumber, Timestamp),
    named: &str,
) -> Option<Problem> {
    let problem = |code, text| Problem { code, event: Some(dispatch.event), recipients: Vec::new(), text };
    match case.facts.dues.get(&(dispatch.event, step)) {
        Some(closed) => Some(problem(
            ProblemCode::MissingFinding,
            format!(
                "{named}: the broker closed the window at {}, and the router has written no finding.",
                utc(*closed)
            ),
        )),
        None if judge::overdue(due_at, case.as_of) => Some(problem(
            ProblemCode::OverdueWindow,
            format!(
                "{named}: the window was due to close at {}, and the broker has not closed it.",
                utc(due_at)
            ),
        )),
        None => None,
    }
}

/// Holds a finding against the receipts: who was silent at `due_at` is a matter of fact.
fn differing_finding(
    case: &Case,
    dispatch: &Dispatch,
    step: &DispatchStep,
    finding: &At<Finding>,
    named: &str,
) -> Option<Problem> {
    let in_time = |id: &&RecipientId| {
        case.facts.acknowledgement(id, dispatch.event).is_some_and(|at| at.time <= step.due_at)
    };
    let silent: BTreeSet<&RecipientId> = dispatch.required(step.step).filter(|id| !in_time(id)).collect();
    let found: BTreeSet<&RecipientId> = finding.fact.silent.iter().collect();
    let differ: Vec<RecipientId> = silent.symmetric_difference(&found).map(|id| (*id).clone()).collect();
    (!differ.is_empty()).then(|| Problem {
        code: ProblemCode::DifferingFinding,
        event: Some(dispatch.event),
        text: format!(
            "{named}: the finding and the receipts differ on who was silent: {}. This report goes by the receipts.",
            case.names(&differ)
        ),
        recipients: differ,
    })
}

fn missing_escalations(case: &Case, finding: &At<Finding>, named: &str) -> Option<Problem> {
    if finding.fact.stopped_by.is_some() {
        return None;
    }
    let owed = |id: &RecipientId| (id.clone(), finding.fact.event, finding.fact.step);
    let missing: Vec<RecipientId> = finding
        .fact
        .silent
        .iter()
        .filter(|id| !case.facts.escalations.contains_key(&owed(id)))
        .cloned()
        .collect();
    (!missing.is_empty()).then(|| Problem {
        code: ProblemCode::MissingEscalation,
        event: Some(finding.fact.event),
        text: format!(
            "{named}: the finding names {} as silent, and no e-mail is owed in the record: {}.",
            counted(missing.len(), "recipient"),
            case.names(&missing)
        ),
        recipients: missing,
    })
}

fn faulty(case: &Case) -> Vec<Problem> {
    let problem = |code, text| Problem { code, event: None, recipients: Vec::new(), text };
    let mut problems: Vec<Problem> = case
        .facts
        .faulty
        .iter()
        .map(|faulty| {
            let (sequence, subject, why) = (faulty.sequence, plain(&faulty.subject), plain(&faulty.why));
            problem(
                ProblemCode::FaultyRecord,
                format!("TOCSIN_LOG {sequence} ({subject}) is left out of account: {why}."),
            )
        })
        .collect();
    if case.facts.untold > 0 {
        problems.push(problem(
            ProblemCode::NotAllTold,
            format!(
                "{} more refusals or faulty records of this incident are not listed: {KEPT} of each are kept.",
                case.facts.untold
            ),
        ));
    }
    problems
}
