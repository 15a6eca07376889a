//! What a digest says: of each notice what it is, what is to be done, by when, and how it is acknowledged.

use tocsin_protocol::{Event, Status};

use super::{
    Told,
    text::{lines, one_line},
    view::{self, AREAS, LinkLine, Row, Section, VALUE, View, row},
    when::Zone,
};
use crate::config::{Letterhead, MailLink};

/// The longest instruction shown, in characters. The whole stands in the notice.
const INSTRUCTION: usize = 600;
/// The most notices that the subject names.
const IN_SUBJECT: usize = 3;

/// Decides what the one mail of several escalations says.
pub(super) fn view(all: &[Told<'_>], lead: &Told<'_>, letterhead: &Letterhead) -> View {
    let escalation = lead.escalation;
    let name = one_line(&escalation.recipient_name, VALUE);
    let marking = marking(all);
    let mut sections = vec![how(lead, letterhead, &name)];
    sections
        .extend(all.iter().enumerate().map(|(place, told)| notice(told, (place + 1, all.len()), letterhead)));
    let contact = one_line(&escalation.contact, 64);
    let role = one_line(&escalation.to.role, VALUE);
    sections.push(Section {
        title: "WHY YOU GET THIS MAIL".into(),
        text: vec![
            view::WHAT_THIS_IS.to_owned(),
            format!("You are the {contact} contact ({role}) of {name}."),
            "So much is owed to you at once that it is gathered: one mail now, the next in a minute at the earliest.".to_owned(),
        ],
        link: None,
        rows: Vec::new(),
    });
    View {
        subject: subject(all, marking.as_deref(), &name),
        banner: view::banner(escalation.status),
        marking,
        opening: vec![
            format!("{name} has NOT acknowledged the {} notices below.", all.len()),
            "Each is acknowledged by itself.".to_owned(),
        ],
        sections,
    }
}

/// Every marking that any of them has: what stands above a mail holds for the whole of it.
fn marking(all: &[Told<'_>]) -> Option<String> {
    let mut markings: Vec<String> = Vec::new();
    for marking in all.iter().filter_map(|told| told.event?.marking.as_deref()) {
        let marking = one_line(marking, 80);
        if !marking.is_empty() && !markings.contains(&marking) && markings.len() < IN_SUBJECT {
            markings.push(marking);
        }
    }
    (!markings.is_empty()).then(|| markings.join("; "))
}

/// What of an event may be said in a mail.
fn shown<'a>(told: &Told<'a>) -> Option<&'a Event> {
    told.event.filter(|event| !event.is_sensitive())
}

fn headline(told: &Told<'_>) -> String {
    match (shown(told), told.event) {
        (Some(event), _) => one_line(&event.headline, 120),
        (None, Some(_)) => "Incident notice (details withheld)".to_owned(),
        (None, None) => "Incident notice (details unreadable)".to_owned(),
    }
}

fn subject(all: &[Told<'_>], marking: Option<&str>, name: &str) -> String {
    let status = all.first().map_or(Status::Actual, |told| told.escalation.status);
    let marked = marking.map(|marking| format!("{marking} - ")).unwrap_or_default();
    let named: Vec<_> = all
        .iter()
        .take(IN_SUBJECT)
        .map(|told| format!("{}/{}", told.escalation.incident, told.escalation.event))
        .collect();
    let more = match all.len().saturating_sub(IN_SUBJECT) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{}{marked}{} notices - not acknowledged by {} [{}{more}]",
        view::prefix(status),
        all.len(),
        one_line(name, 80),
        named.join(", ")
    )
}

fn how(lead: &Told<'_>, letterhead: &Letterhead, name: &str) -> Section {
    let mut text = vec![
        match lead.escalation.status {
            Status::Actual => "See to it that each is in hand there.".to_owned(),
            Status::Exercise | Status::Test => "Do as you would in real incidents.".to_owned(),
        },
        format!(
            "Then acknowledge each for {name}: by its link where it has one, at your desk, or with its command."
        ),
    ];
    if let Some(phone) = &letterhead.phone {
        text.push(format!(
            "Or telephone {}: it is written down there under your name and role.",
            one_line(phone, VALUE)
        ));
    }
    text.extend(letterhead.instructions.as_deref().map(|more| one_line(more, VALUE * 2)));
    text.push("Only that stops them from going further.".to_owned());
    Section { title: "ACKNOWLEDGE NOW".into(), text, link: None, rows: Vec::new() }
}

fn notice(told: &Told<'_>, (place, of): (usize, usize), letterhead: &Letterhead) -> Section {
    let escalation = told.escalation;
    let zone = Zone::named(&escalation.time_zone);
    let name = one_line(&escalation.recipient_name, VALUE);
    let links = letterhead.links.as_ref();
    let link = links.and_then(|links| links.of(escalation, told.escalated_at, told.directory));
    let link = link.map(|MailLink { url, expires_at }| LinkLine {
        sentence: format!("Acknowledge it for {name} alone by this link, until {}:", zone.show(expires_at)),
        label: format!("Acknowledge notice {place} for {name}"),
        url,
    });
    let tense = if escalation.due_at <= told.escalated_at { "Was due by" } else { "Is due by" };
    let mut rows = Vec::new();
    if let Some(event) = shown(told) {
        if let Some(instruction) = &event.instruction {
            rows.push(Row { label: "What to do", lines: lines(instruction, INSTRUCTION) });
        }
        rows.push(row("What", event.category.to_string()));
        rows.push(row("Services", view::join(event.services.iter().take(AREAS))));
        rows.push(row("Areas", view::areas(told.directory, &event.areas)));
        rows.push(row("Told by", view::publisher(told.directory, event)));
    } else {
        let why = match told.event {
            Some(_) => {
                "Its marking does not let it travel by e-mail. Read the notice at your desk, or telephone."
            }
            None => "The record of this event could not be read. Telephone, or read the notice at your desk.",
        };
        rows.push(row("What to do", why.to_owned()));
    }
    rows.push(match told.event {
        Some(event) => row("Incident", view::identity(escalation, event.kind)),
        None => row("Incident", format!("{}, event {}", escalation.incident, escalation.event)),
    });
    rows.extend(told.published_at.map(|at| row("Published", zone.show(at))));
    rows.push(row(tense, zone.show(escalation.due_at)));
    rows.push(row(
        "Step",
        match &escalation.policy {
            Some(policy) => format!("{} under policy {policy}", escalation.step),
            None => escalation.step.to_string(),
        },
    ));
    rows.push(row(
        "Command",
        format!(
            "tocsin ack {} --as {} --by \"YOUR NAME\" --role \"YOUR ROLE\"",
            escalation.incident, escalation.recipient
        ),
    ));
    Section { title: format!("{place} OF {of}: {}", headline(told)).into(), text: Vec::new(), link, rows }
}
