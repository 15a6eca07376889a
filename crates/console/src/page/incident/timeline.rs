//! What happened, in words.

use std::fmt::Write as _;

use askama::Template;
use tocsin_protocol::{DispatchDuty, DutyFinding, EscalationReason, Finding, Outcome};

use super::{View, part};
use crate::{
    model::{Moment, Sight, What},
    page::{fragment::Fragment, words},
};

#[derive(Template)]
#[template(path = "incident/moment.html")]
struct Line {
    key: String,
    class: &'static str,
    at: String,
    clock: String,
    words: String,
}

/// The moments after `since` that they see, the newest first.
pub(super) fn fragments(view: &View<'_>, since: u64) -> impl Iterator<Item = Fragment> {
    told(view, since).map(|moment| line(view, moment))
}

/// What a page shows of it: the newest, the milestones of before, and how many more there are.
pub(super) fn shown(view: &View<'_>, newest: usize) -> (Vec<String>, usize) {
    let all: Vec<_> = told(view, 0).collect();
    let shown: Vec<_> =
        all.iter().enumerate().filter(|(at, moment)| *at < newest || is_milestone(moment)).collect();
    let left_out = all.len() - shown.len();
    (shown.into_iter().map(|(_, moment)| line(view, moment).html).collect(), left_out)
}

fn told<'a>(view: &'a View<'_>, since: u64) -> impl Iterator<Item = &'a Moment> {
    view.incident
        .moments
        .iter()
        .rev()
        .take_while(move |moment| moment.revision > since)
        .filter(|moment| view.sight.takes_in_moment(moment) && is_told(view, moment))
}

/// Whether it is told at all: to whoever sees everyone's part, that so many are escalated to stands in the finding, and that
/// their mails were taken stands on their tiles.
fn is_told(view: &View<'_>, moment: &Moment) -> bool {
    match (&moment.what, view.sight) {
        (What::Escalated(recipient, event, step), Sight::Whole) => view
            .incident
            .standing(recipient)
            .and_then(|standing| standing.mail(*event, *step))
            .is_some_and(|mail| mail.escalation.reason == EscalationReason::Unreachable),
        (What::Mailed(.., Outcome::Accepted | Outcome::StoodDown), Sight::Whole) => false,
        _ => true,
    }
}

/// Whether a page shows it however long ago it was.
fn is_milestone(moment: &Moment) -> bool {
    matches!(moment.what, What::Said(_) | What::Dispatched(_) | What::Found(..))
}

fn line(view: &View<'_>, moment: &Moment) -> Fragment {
    let key = format!("m-{}", moment.revision);
    let (class, words) = tell(view, moment);
    let line = Line {
        key: key.clone(),
        class,
        at: moment.at.to_string(),
        clock: view.zone.second(moment.at, view.now),
        words,
    };
    Fragment::new(key, moment.revision, &line)
}

fn tell(view: &View<'_>, moment: &Moment) -> (&'static str, String) {
    let incident = view.incident;
    match &moment.what {
        What::Said(number) => {
            let event = incident.event(*number).map(|said| &said.event);
            let kind = event.map_or("Said", |event| words::kind(event.kind));
            let headline = event.map(|event| event.headline.as_str()).unwrap_or_default();
            ("event", format!("{kind} (event {number}): {headline}"))
        }
        What::Dispatched(number) => {
            let said = incident.event(*number);
            let Some((said, (_, dispatch))) = said.and_then(|said| Some((said, said.dispatch.as_ref()?)))
            else {
                return ("", format!("Event {number} dispatched"));
            };
            let asked = if dispatch.acknowledge { "" } else { "; no acknowledgement is needed" };
            let anew = if dispatch.worsened.is_empty() {
                String::new()
            } else {
                format!("; an acknowledgement is needed anew: {}", dispatch.worsened.join(", "))
            };
            ("", format!("Event {number} dispatched to {} recipients{asked}{anew}", said.owed))
        }
        What::AllNoticed(number) => {
            let owed = incident.event(*number).map_or(0, |said| said.owed);
            ("", format!("All {owed} notices of event {number} are on the bus"))
        }
        What::Acknowledged(recipient, number) => {
            let name = view.names.name(recipient);
            let standing = incident.standing(recipient);
            let acknowledgement =
                standing.and_then(|s| s.acknowledgements.iter().find(|a| a.receipt.event == *number));
            let by = acknowledgement.map(|a| part::by(a, None)).unwrap_or_default();
            ("", format!("{name} acknowledged event {number}, {by}"))
        }
        What::Found(number, step) => {
            let window = incident.event(*number).and_then(|said| said.windows.get(step));
            let Some((_, finding)) = window.and_then(|window| window.finding.as_ref()) else {
                return ("", format!("Window {step} of event {number} closed"));
            };
            if let Some(duty) = &finding.duty {
                return owed(view, finding, duty);
            }
            let silent: Vec<_> = finding.silent.iter().map(|id| view.names.name(id)).collect();
            if silent.is_empty() {
                let words = format!(
                    "Window {step} of event {number} closed: all {} had acknowledged in time",
                    finding.required
                );
                return ("", words);
            }
            let then = match &finding.stopped_by {
                Some(_) => "; the incident had ended, so nobody is escalated to",
                None => "; each is escalated to",
            };
            let words = format!(
                "Window {step} of event {number} closed: {} of {} had acknowledged in time; silent: {}{then}",
                finding.acknowledged,
                finding.required,
                some(&silent)
            );
            (if finding.stopped_by.is_some() { "" } else { "bad" }, words)
        }
        What::Escalated(recipient, number, step) => {
            let name = view.names.name(recipient);
            let role = incident
                .standing(recipient)
                .and_then(|standing| standing.mail(*number, *step))
                .map(|mail| mail.escalation.to.role.clone())
                .unwrap_or_default();
            ("", format!("{name} escalated to, event {number} step {step}: mail owed to {role}"))
        }
        What::Mailed(recipient, number, step, attempt, outcome) => {
            let name = view.names.name(recipient);
            let bad = !matches!(outcome, Outcome::Accepted | Outcome::StoodDown);
            let words = format!(
                "Mail to {name}, event {number} step {step}, attempt {attempt}: {}",
                words::outcome(*outcome)
            );
            (if bad { "bad" } else { "" }, words)
        }
        What::Refused(said, _) => {
            let refused = incident.refusals.iter().find(|refused| refused.refusal.said == *said);
            let words = refused.map_or_else(String::new, |refused| {
                format!(
                    "Refused, does not count: {} ({}): {}",
                    refused.refusal.subject,
                    refused.refusal.code.as_str(),
                    refused.refusal.reasons.join("; ")
                )
            });
            ("bad", words)
        }
    }
}

/// What was found of what the publisher owes.
fn owed(view: &View<'_>, finding: &Finding, duty: &DutyFinding) -> (&'static str, String) {
    let by = view.zone.minute(finding.due_at, view.now);
    let what = match duty.duty.as_str() {
        DispatchDuty::NEXT_UPDATE => format!("The update that was promised by {by}"),
        name => {
            let target = if duty.target { ", a target of its own" } else { "" };
            format!("What the publisher owed by {by} ({name}{target})")
        }
    };
    let not_called: Vec<_> = duty.not_called.iter().map(|id| view.names.name(id)).collect();
    let mut became = match (duty.met_by, duty.superseded_by, &finding.stopped_by) {
        (Some(event), ..) if !duty.overdue => format!("came in time, with event {event}"),
        (_, Some(event), _) => format!("is owed by another time, as event {event} tells"),
        (_, _, Some(over)) => format!("was no longer owed: the incident ended with event {}", over.event),
        (Some(event), ..) if not_called.is_empty() => format!("came late, with event {event}"),
        (Some(event), ..) => {
            format!("came with event {event}, but not by telephone to {}", some(&not_called))
        }
        (None, ..) => "did not come".to_owned(),
    };
    if let Some(again) = duty.again {
        // Writing to a String cannot fail.
        let _ = write!(became, "; it is owed again by {}", view.zone.minute(again.due_at, view.now));
    }
    let bad = duty.reminds() && !duty.target && finding.stopped_by.is_none();
    (if bad { "bad" } else { "" }, format!("{what} {became}"))
}

/// Some of a list, and how many more.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names.len() {
        0..=SHOWN => names.join(", "),
        all => format!("{} and {} more", names[..SHOWN].join(", "), all - SHOWN),
    }
}
