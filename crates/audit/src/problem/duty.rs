//! What is missing of what the publisher owed, or contradicts what was said.

use tocsin_protocol::{Dispatch, DispatchDuty, DutyFinding, Finding, RecipientId, StepNumber};

use super::{Case, Problem, ProblemCode, counted, record::unfound};
use crate::{
    duties::{again, found, owed, publisher},
    facts::Dispatched,
};

pub(super) fn find(case: &Case) -> Vec<Problem> {
    let mut problems = Vec::new();
    for at in case.facts.dispatches.values() {
        for duty in owed(case.facts, &at.fact.dispatch) {
            if let Some(step) = duty.step {
                problems.extend(window(case, &at.fact, &duty, step));
            }
        }
    }
    problems
}

fn window(case: &Case, dispatched: &Dispatched, duty: &DispatchDuty, step: StepNumber) -> Vec<Problem> {
    let dispatch = &dispatched.dispatch;
    let of = duty.policy.as_ref().map_or("the publisher's promise", |policy| policy.as_str());
    let named = format!("Event {}, step {step} ({of}, {})", dispatch.event, duty.duty);
    let Some(finding) = case.facts.findings.get(&(dispatch.event, step)) else {
        return unfound(case, dispatch, (step, duty.due_at), &named).into_iter().collect();
    };
    let Some(said) = &finding.fact.duty else {
        return vec![problem(
            ProblemCode::DifferingFinding,
            dispatch,
            format!("{named}: the finding is of no duty, and the window is one's."),
        )];
    };
    let mut problems = Vec::new();
    problems.extend(differing(case, dispatched, (duty, step), (&finding.fact, said), &named));
    if said.reminds() && finding.fact.stopped_by.is_none() {
        problems.extend(not_told(case, dispatched, (duty, step), said, &named));
    }
    problems
}

/// Holds a finding against what was said: by the moment at which the window closed, as the router had it.
fn differing(
    case: &Case,
    dispatched: &Dispatched,
    (duty, step): (&DispatchDuty, StepNumber),
    (finding, said): (&Finding, &DutyFinding),
    named: &str,
) -> Option<Problem> {
    let dispatch = &dispatched.dispatch;
    let found = found(case.facts, dispatch, duty, finding.closed_at);
    let met = found.met.filter(|(_, at)| *at <= finding.closed_at);
    let overdue = met.is_none_or(|(_, at)| at > duty.due_at) || !found.not_called.is_empty();
    let superseded = found.superseded_by.filter(|_| overdue);
    // Where the record has not the directory, nothing tells.
    let known = dispatched.register.as_ref().is_some_and(|register| register.directory.is_some());
    let next = if known && said.repeated && met.is_none() && superseded.is_none() {
        again(case.facts, dispatched, (duty, step), finding.closed_at)
    } else {
        said.again.filter(|_| !known)
    };
    let agrees = said.overdue == overdue
        && said.again == next
        && said.met_by == met.map(|(event, _)| event)
        && said.superseded_by == superseded
        && said.not_called == found.not_called;
    (!agrees).then(|| {
        problem(
            ProblemCode::DifferingFinding,
            dispatch,
            format!(
                "{named}: the finding and what was said differ on whether it was done, by which event, who was not \
                 telephoned, or when it is owed again. This report goes by what was said."
            ),
        )
    })
}

/// An overdue that the publisher was not reminded of, or that those who were promised more were not told of.
fn not_told(
    case: &Case,
    dispatched: &Dispatched,
    (duty, step): (&DispatchDuty, StepNumber),
    said: &DutyFinding,
    named: &str,
) -> Vec<Problem> {
    let dispatch = &dispatched.dispatch;
    let mut problems = Vec::new();
    let reminded = publisher(dispatch)
        .is_some_and(|publisher| case.facts.escalations.contains_key(&(publisher, dispatch.event, step)));
    if !reminded {
        problems.push(problem(
            ProblemCode::OverdueNotTold,
            dispatch,
            format!(
                "{named}: it was found overdue, and no e-mail that reminds the publisher is owed in the record. Give the \
                 publisher contacts in the directory."
            ),
        ));
    }
    if duty.policy.is_none() && said.met_by.is_none() {
        let untold: Vec<RecipientId> = dispatch
            .recipients()
            .into_keys()
            .filter(|id| !case.facts.overdue.contains_key(&((*id).clone(), dispatch.event, step)))
            .cloned()
            .collect();
        if !untold.is_empty() {
            problems.push(Problem {
                text: format!(
                    "{named}: what was promised did not come, and {} who had the promise were not told: {}.",
                    counted(untold.len(), "recipient"),
                    case.names(&untold)
                ),
                recipients: untold,
                ..problem(ProblemCode::OverdueNotTold, dispatch, String::new())
            });
        }
    }
    problems
}

fn problem(code: ProblemCode, dispatch: &Dispatch, text: String) -> Problem {
    Problem { code, event: Some(dispatch.event), recipients: Vec::new(), text }
}
