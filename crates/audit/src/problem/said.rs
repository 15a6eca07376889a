//! What was said and does not count, and what the publisher said of its own clock.

use std::collections::BTreeMap;

use tocsin_protocol::{ClockStart, RecipientId, RefusalCode, Subject};

use super::{Case, Problem, ProblemCode, counted};
use crate::{
    compute::seconds,
    facts::Refused,
    report::Statement,
    words::{happened, length, plain, since, utc},
};

pub(super) fn find(case: &Case) -> Vec<Problem> {
    let mut problems = refusals(case);
    problems.extend(links(case));
    problems.extend(moments(case));
    problems.extend(clocks(case));
    problems
}

/// One problem for each code; the list of refusals has each.
fn refusals(case: &Case) -> Vec<Problem> {
    let mut by_code: BTreeMap<RefusalCode, Vec<&Refused>> = BTreeMap::new();
    let mut problems = Vec::new();
    for refused in case.facts.refusals.values() {
        let (said, subject) = (refused.refusal.said, plain(&refused.refusal.subject));
        let reason = plain(refused.refusal.reasons.first().map_or("", String::as_str));
        if refused.judged {
            by_code.entry(refused.refusal.code).or_default().push(refused);
        } else {
            problems.push(problem(
                ProblemCode::DisputedRefusal,
                format!(
                    "The router refused TOCSIN_SAID {said} ({subject}: {reason}); by the rules, read again here, it is not \
                     refused. This report goes by the rules."
                ),
            ));
        }
        if !refused.recorded {
            problems.push(problem(
                ProblemCode::UnrecordedRefusal,
                format!("TOCSIN_SAID {said} ({subject}) does not count ({reason}), and the router has not recorded that."),
            ));
        }
    }
    for (code, refused) in by_code {
        problems.push(refused_by_code(case, code, &refused));
    }
    problems
}

fn refused_by_code(case: &Case, code: RefusalCode, refused: &[&Refused]) -> Problem {
    let mut recipients: Vec<RecipientId> = refused
        .iter()
        .filter_map(|refused| match refused.refusal.subject.parse() {
            Ok(Subject::Receipt { recipient, .. }) => Some(recipient),
            _ => None,
        })
        .collect();
    recipients.sort();
    recipients.dedup();
    let receipts = refused.iter().filter(|r| r.refusal.subject.starts_with("tocsin.receipt.")).count();
    let what = match (receipts, refused.len() - receipts) {
        (receipts, 0) => counted(receipts, "receipt"),
        (0, events) => counted(events, "event"),
        (receipts, events) => format!("{} and {}", counted(receipts, "receipt"), counted(events, "event")),
    };
    let word = serde_json::to_value(code).ok();
    let word = word.as_ref().and_then(serde_json::Value::as_str).unwrap_or("unknown");
    let whose = if recipients.is_empty() {
        String::new()
    } else {
        format!(", in the name of {}", case.names(&recipients))
    };
    let (code, text) = match code {
        RefusalCode::BadSignature => (
            ProblemCode::Forged,
            format!(
                "Not signed by the author that the subject names: {what}{whose}. Nobody is counted by them."
            ),
        ),
        _ => (ProblemCode::Refused, format!("Refused ({word}): {what}{whose}. Nobody is counted by them.")),
    };
    Problem { recipients, ..problem(code, text) }
}

/// Links that hold by their signature, and belong to no mail that was owed before they were used.
fn links(case: &Case) -> Vec<Problem> {
    let mut problems = Vec::new();
    for ((recipient, event), at) in &case.facts.acknowledged {
        let Some(step) = at.fact.step else { continue };
        let owed = case.facts.escalations.get(&(recipient.clone(), *event, step));
        if owed.is_none_or(|owed| owed.time > at.time) {
            problems.push(Problem {
                event: Some(*event),
                recipients: vec![recipient.clone()],
                ..problem(
                    ProblemCode::LinkOfNoMail,
                    format!(
                        "{} acknowledged event {event} by the link of step {step}'s mail, and no such mail was owed by then: \
                         whoever has the key that signs links may have made it. Give the notifier another link_key.",
                        case.name(recipient)
                    ),
                )
            });
        }
    }
    problems
}

/// A moment that was stated long after it, and words on it that changed. Both stand as they were said.
fn moments(case: &Case) -> Vec<Problem> {
    let operator = case.operator;
    let mut problems = Vec::new();
    for clock in &operator.clocks {
        let what = happened(clock.clock);
        let of = if clock.clock == ClockStart::Restored { operator.restoration.as_ref() } else { None };
        let of = of.unwrap_or(&operator.failure);
        let mut before: Option<&Statement> = None;
        for stated in &clock.stated {
            let about = |code, text| Problem { event: Some(stated.event), ..problem(code, text) };
            if let Some(before) = before.replace(stated) {
                problems.push(about(
                    ProblemCode::RevisedStart,
                    format!(
                        "Event {} says that {what} at {}; before it was {} (event {}).",
                        stated.event,
                        utc(stated.at),
                        utc(before.at),
                        before.event
                    ),
                ));
            }
            if !stated.late_entry {
                continue;
            }
            let own = "That is the operator's delay, not the recipients'.";
            let text = if stated.event == of.event {
                format!(
                    "The first event of it was published {} after {what}, by the publisher's own word. {own}",
                    length(stated.after_seconds)
                )
            } else {
                format!(
                    "Event {} states, {} after it, that {what} at {}: by that the first event of it, {}, was published {}. \
                     {own} The figures stand by the first statement and by the last.",
                    stated.event,
                    length(stated.after_seconds),
                    utc(stated.at),
                    of.event,
                    since(seconds(of.recorded_at.duration_since(stated.at)))
                )
            };
            problems.push(about(ProblemCode::LateEntry, text));
        }
    }
    problems
}

/// Windows that could not be kept, and windows that run from an assumed moment.
fn clocks(case: &Case) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, at) in &case.facts.dispatches {
        let dispatch = &at.fact.dispatch;
        for step in dispatch.steps.iter().filter(|step| step.due_at < at.time) {
            problems.push(Problem {
                event: Some(*number),
                ..problem(
                    ProblemCode::ClosedBeforeNotice,
                    format!(
                        "Event {number}, step {} ({}): the window closed at {}, before the notices were there at {}: no \
                         recipient could be in time. That is not the recipients' delay.",
                        step.step,
                        step.policy,
                        utc(step.due_at),
                        utc(at.time)
                    ),
                )
            });
        }
        for policy in dispatch.policies.iter().filter(|policy| policy.clock_assumed) {
            problems.push(Problem {
                event: Some(*number),
                ..problem(
                    ProblemCode::AssumedClock,
                    format!(
                        "Event {number}: policy {} runs from the moment \"{}\", which the event does not tell; its time of \
                         publication, {}, stands in for it.",
                        policy.policy,
                        policy.clock,
                        utc(policy.clock_at)
                    ),
                )
            });
        }
    }
    problems
}

fn problem(code: ProblemCode, text: String) -> Problem {
    Problem { code, event: None, recipients: Vec::new(), text }
}
