//! One recipient's part in an incident: its tile on the wall, and its own panel.

use askama::Template;
use tocsin_protocol::{EscalationReason, EventNumber, Outcome, ReceiptMethod, Timestamp};

use super::View;
use crate::{
    model::{Acknowledgement, DutyState, Glance, Incident, Mail, Post, Standing},
    page::{
        acknowledge::shut,
        fragment::{Count, Fragment},
        words,
    },
};

/// The tile on the wall.
#[derive(Debug, Clone, Template)]
#[template(path = "incident/tile.html")]
pub(super) struct Tile {
    key: String,
    pub(super) name: String,
    class: &'static str,
    missing: bool,
    shape: &'static str,
    word: String,
    by: Option<String>,
    course: String,
    notes: Vec<String>,
    mail: Option<Mailed>,
}

/// The same for the recipient itself, with what to do.
#[derive(Debug, Clone, Template)]
#[template(path = "incident/own.html")]
struct Own {
    class: &'static str,
    name: String,
    tile_class: &'static str,
    shape: &'static str,
    word: String,
    by: Option<String>,
    window: Option<WindowWords>,
    acknowledge: Option<String>,
    /// Why there is no button, and what to do instead.
    shut: Option<String>,
    course: String,
    notes: Vec<String>,
    mail: Option<Mailed>,
    announce: String,
}

/// What became of the mails.
#[derive(Debug, Clone)]
pub(super) struct Mailed {
    class: &'static str,
    shape: &'static str,
    word: &'static str,
    summary: String,
    lines: Vec<String>,
}

/// A window that is open.
#[derive(Debug, Clone)]
pub(super) struct WindowWords {
    pub(super) words: String,
    pub(super) at: String,
    pub(super) clock: String,
    pub(super) count: Count,
}

pub(super) fn tile_key(standing: &Standing) -> String {
    format!("r-{}", standing.recipient)
}

pub(super) fn tile(view: &View<'_>, standing: &Standing) -> Tile {
    let incident = view.incident;
    let glance = incident.glance(standing);
    let (class, shape, word) = state(view, standing, &glance);
    Tile {
        key: tile_key(standing),
        name: view.names.name(&standing.recipient),
        class,
        missing: glance.state.is_missing(),
        shape,
        word,
        by: glance.acknowledgement.map(|a| by(a, glance.duty.map(|duty| duty.event))),
        course: course(view, standing, &glance),
        notes: notes(incident, standing),
        mail: mail(view, standing),
    }
}

pub(super) fn own(view: &View<'_>, standing: &Standing) -> Fragment {
    let tile = tile(view, standing);
    let glance = view.incident.glance(standing);
    let window = glance.duty.and_then(|duty| duty.asked).filter(|_| glance.state == DutyState::Waiting);
    let class = match glance.state {
        DutyState::Silent => "act",
        DutyState::Waiting => "wait",
        DutyState::InTime | DutyState::Late(_) => "done",
        DutyState::Told | DutyState::Lifted => "",
    };
    let is_missing = glance.state.is_missing();
    let shut = view.directory.and_then(|directory| shut(directory, &standing.recipient, ReceiptMethod::Page));
    let panel = Own {
        announce: format!("{}: {}", tile.name, tile.word),
        class,
        name: tile.name,
        tile_class: tile.class,
        shape: tile.shape,
        word: tile.word,
        by: tile.by,
        window: window.map(|(_, at)| WindowWords {
            words: "Acknowledge by".to_owned(),
            at: at.to_string(),
            clock: view.zone.second(at, view.now),
            count: Count::closing(at, view.now),
        }),
        acknowledge: (is_missing && shut.is_none())
            .then(|| format!("/incidents/{}/acknowledge", view.incident.id)),
        shut: shut.filter(|_| is_missing),
        course: tile.course,
        notes: tile.notes,
        mail: tile.mail,
    };
    Fragment::new("own", standing.changed.max(view.incident.shared_changed), &panel)
}

/// A class, a shape and words: each tells the state without the other two.
fn state(view: &View<'_>, standing: &Standing, glance: &Glance<'_>) -> (&'static str, &'static str, String) {
    let clock = |at: Timestamp| view.zone.second(at, view.now);
    let due = glance.duty.and_then(|duty| duty.asked).map(|(_, at)| clock(at)).unwrap_or_default();
    let at = glance.acknowledgement.map(|a| clock(a.at)).unwrap_or_default();
    match glance.state {
        DutyState::InTime => ("acknowledged", "\u{2714}", format!("Acknowledged {at}")),
        DutyState::Late(by) => {
            ("late", "\u{25b2}", format!("Acknowledged late, {at}: {} after the window", words::length(by)))
        }
        DutyState::Silent => ("silent", "\u{2716}", format!("Silent: the window closed {due}")),
        DutyState::Waiting if standing.is_delivered() => {
            ("waiting", "\u{25d1}", format!("Delivered, to acknowledge by {due}"))
        }
        DutyState::Waiting => ("waiting", "\u{25cb}", format!("Notified, to acknowledge by {due}")),
        DutyState::Lifted => ("lifted", "\u{2013}", "Not acknowledged, no longer needed".to_owned()),
        DutyState::Told if glance.acknowledgement.is_some() => {
            ("acknowledged", "\u{2714}", format!("Acknowledged {at} (not asked to)"))
        }
        DutyState::Told if standing.is_delivered() => {
            ("told", "\u{25d1}", "Delivered, for information".to_owned())
        }
        DutyState::Told => ("told", "\u{25cb}", "Notified, for information".to_owned()),
    }
}

/// Who acknowledged, through which door.
pub(super) fn by(acknowledgement: &Acknowledgement, of: Option<EventNumber>) -> String {
    let receipt = &acknowledgement.receipt;
    let mut words = vec![match &receipt.by {
        Some(person) => format!("by {}, {}", person.name, person.role),
        None => "by nobody named".to_owned(),
    }];
    words.extend(receipt.control_room.clone());
    words.extend(receipt.on_behalf_of.as_ref().map(|whom| format!("for {whom}")));
    words.extend(receipt.method.map(|method| words::door(method).to_owned()));
    words.extend(of.filter(|of| receipt.event > *of).map(|_| format!("with event {}", receipt.event)));
    let note = receipt.note.as_ref().map(|note| format!(". Note: {note}")).unwrap_or_default();
    words.join(", ") + &note
}

/// How the notice came to it.
fn course(view: &View<'_>, standing: &Standing, glance: &Glance<'_>) -> String {
    let Some(duty) = glance.duty else { return String::new() };
    let clock = |at: Timestamp| view.zone.second(at, view.now);
    let noticed =
        duty.noticed_at.map_or("Notice being written".to_owned(), |at| format!("Notified {}", clock(at)));
    let delivered = match duty.delivered_at {
        Some(at) => format!("held by its system {}", clock(at)),
        None if glance.acknowledgement.is_some() => "acknowledged without a system's receipt".to_owned(),
        None if view.presence.of(&standing.recipient).is_absent() => {
            "not taken in: its desk is not connected".to_owned()
        }
        None => "not yet taken in by its system".to_owned(),
    };
    let event =
        if view.incident.events.len() > 1 { format!("Event {}: ", duty.event) } else { String::new() };
    format!("{event}{noticed}, {delivered}")
}

/// Where it failed before.
fn notes(incident: &Incident, standing: &Standing) -> Vec<String> {
    let failing = |(duty, state): (&crate::model::Duty, DutyState)| match state {
        DutyState::Late(by) => format!("Late with event {}, by {}", duty.event, words::length(by)),
        _ => format!("Silent at event {}", duty.event),
    };
    incident.earlier_failings(standing).map(failing).collect()
}

fn mail(view: &View<'_>, standing: &Standing) -> Option<Mailed> {
    let (class, shape, word) = match standing.post() {
        Post::None => return None,
        Post::Owed => ("escalated", "\u{21e7}", "Escalated, mail being sent"),
        Post::Accepted => ("accepted", "\u{2709}", "Escalated, mail accepted by the relay"),
        Post::Failed => ("failed", "\u{26a0}", "Escalated, mail failed"),
    };
    let count = standing.mails.len();
    let summary = if count == 1 { "1 mail".to_owned() } else { format!("{count} mails") };
    let lines = standing.mails.iter().map(|mail| mail_line(view, mail)).collect();
    Some(Mailed { class, shape, word, summary, lines })
}

fn mail_line(view: &View<'_>, mail: &Mail) -> String {
    let clock = |at: Timestamp| view.zone.second(at, view.now);
    let escalation = &mail.escalation;
    let why = match escalation.reason {
        EscalationReason::Silent => "silent",
        EscalationReason::Unreachable => "the contact before cannot be reached",
        EscalationReason::Overdue => "what the publisher owes is overdue",
    };
    let mut words = vec![format!(
        "{} owed to {} ({}), event {} step {}: {why}.",
        clock(mail.owed_at),
        escalation.to.role,
        escalation.to.email,
        escalation.event,
        escalation.step,
    )];
    if mail.attempts.is_empty() {
        words.push("No attempt yet.".to_owned());
    }
    for attempt in &mail.attempts {
        let digest = attempt.digest.map(|of| format!(", in one mail of {of} notices")).unwrap_or_default();
        words.push(match &attempt.ended {
            Some((_, ended)) if ended.outcome == Outcome::StoodDown => {
                format!("Stood down: {}.", ended.reply)
            }
            Some((at, ended)) => {
                let code = ended.code.map(|code| format!(" {code}")).unwrap_or_default();
                format!(
                    "Attempt {} by {}{digest}: {} {}, reply{code} \u{201c}{}\u{201d}.",
                    attempt.number,
                    ended.relay,
                    words::outcome(ended.outcome),
                    clock(*at),
                    ended.reply
                )
            }
            None => {
                format!(
                    "Attempt {} by {}{digest} begun {}.",
                    attempt.number,
                    attempt.relay,
                    clock(attempt.begun_at)
                )
            }
        });
    }
    words.join(" ")
}
