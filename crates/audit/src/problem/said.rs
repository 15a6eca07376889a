//! What was said and does not count, and what the publisher said of its own clock.

use std::collections::BTreeMap;

use tocsin_protocol::{RecipientId, RefusalCode, SignedDuration, Subject, Timestamp};

use super::{Case, Problem, ProblemCode, counted};
use crate::{
    facts::{Refused, SaidEvent},
    words::{length, plain, utc},
};

/// A first event later than this after the failure began or was noticed is told as late. Our own figure; the shortest
/// of the duties read gives 30 minutes (47 CFR 4.9(h)), and the operator cannot use all of it.
const LATE_ENTRY: SignedDuration = SignedDuration::from_mins(15);

pub(super) fn find(case: &Case) -> Vec<Problem> {
    let mut problems = refusals(case);
    problems.extend(links(case));
    problems.extend(late_entry(case));
    problems.extend(revised(case, "began", |said| said.event.began_at));
    problems.extend(revised(case, "was noticed", |said| said.event.detected_at));
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

fn late_entry(case: &Case) -> Vec<Problem> {
    let published_at = case.incident.published_at;
    let late = |moment: Option<Timestamp>, what: &str| {
        let delay = published_at.duration_since(moment?);
        (delay > LATE_ENTRY).then(|| {
            problem(
                ProblemCode::LateEntry,
                format!(
                    "The first event was published {} after the failure {what}, by the publisher's own word. That is the \
                     operator's delay, not the recipients'.",
                    length(delay.as_secs_f64())
                ),
            )
        })
    };
    let incident = case.incident;
    late(incident.began_at, "began").into_iter().chain(late(incident.detected_at, "was noticed")).collect()
}

/// The publisher changed its word on a moment.
fn revised(case: &Case, what: &str, moment: fn(&SaidEvent) -> Option<Timestamp>) -> Vec<Problem> {
    let mut stated: Option<Timestamp> = None;
    let mut problems = Vec::new();
    for (number, said) in &case.facts.events {
        let Some(now) = moment(&said.fact) else { continue };
        if let Some(before) = stated.replace(now).filter(|before| *before != now) {
            problems.push(Problem {
                event: Some(*number),
                ..problem(
                    ProblemCode::RevisedStart,
                    format!(
                        "Event {number} says that the failure {what} at {}; before it was {}.",
                        utc(now),
                        utc(before)
                    ),
                )
            });
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
