//! What a mail says, before it is laid out: sentences, sections, rows. All text from outside passes [`super::text`].

use std::borrow::Cow;

use tocsin_duty::Directory;
use tocsin_protocol::{
    AreaId, Escalation, EscalationReason, Event, EventContact, EventKind, Impact, Platform, Reach, Recontact,
    RecontactFigures, Status, Via,
};

use super::{
    Told,
    text::{figure, lines, one_line},
    when::Zone,
};
use crate::config::{Letterhead, MailLink};

/// The longest name, role or other single value shown, in characters.
pub(super) const VALUE: usize = 200;
/// The longest description, instruction or advice shown, in characters.
const TEXT: usize = 6_000;
/// What the mail is, for those who never had one.
pub(super) const WHAT_THIS_IS: &str = "Tocsin tells those who must know when an emergency call service fails. \
    It writes to you as nobody at your desk has acknowledged.";
/// The most areas listed.
pub(super) const AREAS: usize = 40;

/// A heading with what stands under it.
pub(super) struct Section {
    pub(super) title: Cow<'static, str>,
    pub(super) text: Vec<String>,
    pub(super) link: Option<LinkLine>,
    pub(super) rows: Vec<Row>,
}

/// An address with what it does.
pub(super) struct LinkLine {
    pub(super) sentence: String,
    /// What stands in its place where it can be pressed.
    pub(super) label: String,
    pub(super) url: String,
}

/// One fact with its label.
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) lines: Vec<String>,
}

/// What the two templates lay out.
pub(super) struct View {
    pub(super) subject: String,
    pub(super) banner: Option<&'static str>,
    pub(super) marking: Option<String>,
    pub(super) opening: Vec<String>,
    pub(super) sections: Vec<Section>,
}

/// How much of the event may be said in a mail.
enum Detail<'a> {
    /// All of it.
    Whole(&'a Event),
    /// That there is one: its marking forbids the rest.
    Withheld(&'a Event),
    /// Nothing: the record holds no event that can be read. The silence must be told all the same.
    Unreadable,
}

/// What stands before the subject, so that nobody takes an exercise for the real thing, or the other way round.
pub(super) fn prefix(status: Status) -> &'static str {
    match status {
        Status::Actual => "",
        Status::Exercise => "EXERCISE EXERCISE EXERCISE - ",
        Status::Test => "TEST - ",
    }
}

pub(super) fn banner(status: Status) -> Option<&'static str> {
    match status {
        Status::Actual => None,
        Status::Exercise => Some("EXERCISE EXERCISE EXERCISE - this is not a real incident"),
        Status::Test => Some("TEST - this is not a real incident"),
    }
}

/// Decides what the mail of an escalation says.
pub(super) fn view(told: &Told<'_>, letterhead: &Letterhead) -> View {
    let escalation = told.escalation;
    let zone = Zone::named(&escalation.time_zone);
    let name = one_line(&escalation.recipient_name, VALUE);
    let marking = told.event.and_then(|event| event.marking.as_deref()).map(|marking| one_line(marking, 80));
    let marking = marking.filter(|marking| !marking.is_empty());
    let detail = match told.event {
        Some(event) if event.is_sensitive() => Detail::Withheld(event),
        Some(event) => Detail::Whole(event),
        None => Detail::Unreadable,
    };
    let contact = told.event.and_then(|event| event.contact.as_ref());
    let mut sections = vec![acknowledge(told, contact, letterhead, &name, &zone)];
    match &detail {
        Detail::Whole(event) => {
            sections.extend(happened(event));
            sections.push(facts(told, event, &zone));
        }
        Detail::Withheld(event) => sections.push(Section {
            title: "WHAT HAPPENED".into(),
            text: vec![format!(
                "Its marking ({}) does not let it travel by e-mail. Read the notice at your desk, or telephone.",
                marking.as_deref().unwrap_or_default()
            )],
            link: None,
            rows: vec![row("Incident", identity(escalation, event.kind))],
        }),
        Detail::Unreadable => sections.push(Section {
            title: "WHAT HAPPENED".into(),
            text: vec!["The record of this event could not be read. Telephone, or read the notice at your desk.".to_owned()],
            link: None,
            rows: vec![row("Incident", format!("{}, event {}", escalation.incident, escalation.event))],
        }),
    }
    sections.extend(contact.map(|contact| contact_now(contact, matches!(detail, Detail::Withheld(_)))));
    sections.push(why_you(told, &name));
    View {
        subject: subject(escalation, &detail, marking.as_deref(), &name),
        banner: banner(escalation.status),
        marking,
        opening: opening(told, &name, &zone),
        sections,
    }
}

fn subject(escalation: &Escalation, detail: &Detail<'_>, marking: Option<&str>, name: &str) -> String {
    let marked = marking.map(|marking| format!("{marking} - ")).unwrap_or_default();
    let what = match detail {
        Detail::Whole(event) => {
            let kind = match event.kind {
                EventKind::Initial => "",
                EventKind::Update => "Update: ",
                EventKind::Resolved => "Resolved: ",
                EventKind::Correction => "Correction: ",
                EventKind::Cancelled => "Cancelled: ",
                EventKind::SentInError => "Sent in error: ",
            };
            format!("{kind}{}", one_line(&event.headline, 120))
        }
        Detail::Withheld(_) => "Incident notice (details withheld)".to_owned(),
        Detail::Unreadable => "Incident notice (details unreadable)".to_owned(),
    };
    format!(
        "{}{marked}{what} - not acknowledged by {} [{}/{} step {}]",
        prefix(escalation.status),
        one_line(name, 80),
        escalation.incident,
        escalation.event,
        escalation.step
    )
}

fn opening(told: &Told<'_>, name: &str, zone: &Zone) -> Vec<String> {
    let escalation = told.escalation;
    let mut opening = vec![format!("{name} has NOT acknowledged the notice below.")];
    if let Some(via) = &escalation.via {
        opening.push(format!("You are written to in its stead, as {}.", stands_for(via)));
    }
    if escalation.reason == EscalationReason::Unreachable {
        opening.push(
            "The contact of the step before cannot be reached by e-mail, so you are written to at once."
                .to_owned(),
        );
    }
    if let Some(published_at) = told.published_at {
        opening.push(format!("It was published on {}.", zone.show(published_at)));
    }
    let tense = if escalation.due_at <= told.escalated_at { "was" } else { "is" };
    opening.push(format!("An acknowledgement {tense} due by {}.", zone.show(escalation.due_at)));
    opening
}

/// What a body is to the silent one, for which it is written to.
fn stands_for(via: &Via) -> &'static str {
    match via.reach {
        Reach::Own => "itself",
        Reach::Buddy => "its buddy authority, which takes its calls when it cannot",
        Reach::CoordinatingBody => "the body that coordinates those of its kind",
    }
}

fn acknowledge(
    told: &Told<'_>,
    contact: Option<&EventContact>,
    letterhead: &Letterhead,
    name: &str,
    zone: &Zone,
) -> Section {
    let escalation = told.escalation;
    let first = match escalation.status {
        Status::Actual => "See to it that it is in hand there.",
        Status::Exercise | Status::Test => "Do as you would in a real incident.",
    };
    let links = letterhead.links.as_ref();
    let link = links.and_then(|links| links.of(escalation, told.escalated_at, told.directory));
    let link = link.map(|MailLink { url, expires_at }| LinkLine {
        sentence: format!(
            "{first} Then open this link and give your name and role there: it acknowledges this notice for {name} alone, \
             until {}.",
            zone.show(expires_at)
        ),
        label: format!("Acknowledge for {name}"),
        url,
    });
    let mut text = vec![
        if link.is_some() {
            "Or acknowledge at your desk, or with this command:".to_owned()
        } else if escalation.status == Status::Actual {
            format!("{first} Then acknowledge at your desk, or with this command:")
        } else {
            format!("{first} Acknowledge at your desk, or with this command:")
        },
        format!(
            "tocsin ack {} --as {} --by \"YOUR NAME\" --role \"YOUR ROLE\"",
            escalation.incident, escalation.recipient
        ),
    ];
    let phone = letterhead.phone.as_deref().or(contact.and_then(|contact| contact.phone.as_deref()));
    if let Some(phone) = phone {
        text.push(format!(
            "Or telephone {}: it is written down there under your name and role.",
            one_line(phone, VALUE)
        ));
    }
    text.extend(letterhead.instructions.as_deref().map(|more| one_line(more, VALUE * 2)));
    text.push("Only that stops this from going further.".to_owned());
    Section { title: "ACKNOWLEDGE NOW".into(), text, link, rows: Vec::new() }
}

fn happened(event: &Event) -> Vec<Section> {
    let mut what = vec![one_line(&event.headline, VALUE * 2)];
    if let Some(description) = &event.description {
        what.push(String::new());
        what.extend(lines(description, TEXT));
    }
    let mut sections =
        vec![Section { title: "WHAT HAPPENED".into(), text: what, link: None, rows: Vec::new() }];
    let public = "WHAT TO TELL THE PUBLIC";
    let others = event.public_advice_in.iter().map(|(tag, words)| (format!("{public} ({tag})"), words));
    let plain = [("WHAT TO DO", &event.instruction), (public, &event.public_advice)];
    let plain = plain.into_iter().filter_map(|(title, text)| Some((title.to_owned(), text.as_ref()?)));
    for (title, text) in plain.chain(others) {
        sections.push(Section { title: title.into(), text: lines(text, TEXT), link: None, rows: Vec::new() });
    }
    sections
}

fn facts(told: &Told<'_>, event: &Event, zone: &Zone) -> Section {
    let mut rows = vec![
        row("Incident", identity(told.escalation, event.kind)),
        row("Told by", publisher(told.directory, event)),
        row("What", event.category.to_string()),
        row("Services", join(event.services.iter().take(AREAS))),
    ];
    let grades = [
        event.severity.map(|word| format!("severity {word}")),
        event.urgency.map(|word| format!("urgency {word}")),
        event.certainty.map(|word| format!("certainty {word}")),
    ];
    let grades: Vec<_> = grades.into_iter().flatten().collect();
    if !grades.is_empty() {
        rows.push(row("Graded", grades.join(", ")));
    }
    if let Some(platform) = event.platform {
        let words = match platform {
            Platform::Primary => "the primary platform",
            Platform::Backup => "the backup platform",
            Platform::None => "none: total loss",
        };
        rows.push(row("Carried by", words.to_owned()));
    }
    rows.push(row("Areas", areas(told.directory, &event.areas)));
    for (label, at) in [
        ("Began", event.began_at),
        ("Noticed", event.detected_at),
        ("Restored", event.restored_at),
        ("Restoration expected", event.expected_restoration_at),
        ("Next update by", event.next_update_by),
    ] {
        rows.extend(at.map(|at| row(label, zone.show(at))));
    }
    rows.extend(event.impact.as_ref().map(|impact| calls_lost(told.directory, impact, zone)));
    rows.extend(event.recontact.as_ref().and_then(called_back));
    Section { title: "FACTS".into(), text: Vec::new(), link: None, rows }
}

pub(super) fn identity(escalation: &Escalation, kind: EventKind) -> String {
    format!("{}, event {} ({kind}), {}", escalation.incident, escalation.event, escalation.status)
}

pub(super) fn publisher(directory: Option<&Directory>, event: &Event) -> String {
    let known = directory.and_then(|directory| directory.publisher(&event.publisher));
    known.map_or_else(
        || event.publisher.to_string(),
        |known| format!("{} ({})", one_line(&known.name, VALUE), known.id),
    )
}

fn area(directory: Option<&Directory>, id: &AreaId) -> String {
    let known = directory.and_then(|directory| directory.area(id));
    known.map_or_else(|| id.to_string(), |known| one_line(&known.name, VALUE))
}

pub(super) fn areas(directory: Option<&Directory>, ids: &[AreaId]) -> String {
    let shown = join(ids.iter().take(AREAS).map(|id| area(directory, id)));
    if ids.len() > AREAS {
        format!("{shown}, and {} more", figure((ids.len() - AREAS) as u64))
    } else {
        shown
    }
}

fn calls_lost(directory: Option<&Directory>, impact: &Impact, zone: &Zone) -> Row {
    let total = impact.calls_unsuccessful.map_or_else(|| "no figure yet".to_owned(), figure);
    let mut about = Vec::new();
    if impact.provisional == Some(true) {
        about.push("provisional".to_owned());
    }
    about.extend(impact.as_of.map(|at| format!("as of {}", zone.show(at))));
    about.extend(impact.source.as_deref().map(|source| format!("by {}", one_line(source, VALUE))));
    let mut lines = vec![if about.is_empty() { total } else { format!("{total} ({})", about.join("; ")) }];
    lines.extend(
        impact
            .by_area
            .iter()
            .take(AREAS)
            .map(|(id, calls)| format!("{}: {}", area(directory, id), figure(*calls))),
    );
    if impact.by_area.len() > AREAS {
        lines.push(format!("and {} more areas", impact.by_area.len() - AREAS));
    }
    Row { label: "Calls lost", lines }
}

fn called_back(recontact: &Recontact) -> Option<Row> {
    let RecontactFigures { reached, outstanding, handed_to_police } = recontact.total;
    let parts = [
        reached.map(|callers| format!("{} reached", figure(callers))),
        outstanding.map(|callers| format!("{} outstanding", figure(callers))),
        handed_to_police.map(|callers| format!("{} handed to the police", figure(callers))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| row("Callers called back", parts.join(", ")))
}

fn contact_now(contact: &EventContact, withheld: bool) -> Section {
    let mut rows = vec![row("Role", one_line(&contact.role, VALUE))];
    let value = |text: &Option<String>| text.as_deref().map(|text| one_line(text, VALUE));
    rows.extend(value(&contact.phone).map(|text| row("Telephone", text)));
    if !withheld {
        rows.extend(value(&contact.name).map(|text| row("Name", text)));
        rows.extend(value(&contact.email).map(|text| row("E-mail", text)));
        rows.extend(value(&contact.bridge).map(|text| row("Bridge", text)));
    }
    Section { title: "WHO ANSWERS NOW".into(), text: Vec::new(), link: None, rows }
}

fn why_you(told: &Told<'_>, name: &str) -> Section {
    let escalation = told.escalation;
    let policy = told.directory.and_then(|directory| {
        directory.policies().iter().find(|known| Some(&known.id) == escalation.policy.as_ref())
    });
    let known = policy.map(|policy| format!("{} ({})", one_line(&policy.name, VALUE), policy.id));
    let mut text = vec![
        WHAT_THIS_IS.to_owned(),
        format!(
            "You are the {} contact ({}) of {}. This is step {} under policy {}.",
            one_line(&escalation.contact, 64),
            one_line(&escalation.to.role, VALUE),
            escalation.via.as_ref().map_or_else(
                || name.to_owned(),
                |via| format!("{}, which is written to for {name}", one_line(&via.name, VALUE))
            ),
            escalation.step,
            known.or_else(|| escalation.policy.as_ref().map(ToString::to_string)).unwrap_or_default()
        ),
    ];
    if let Some(policy) = policy {
        let windows: Vec<_> = policy
            .steps
            .iter()
            .take(8)
            .map(|step| format!("{:#}, then the {} contact", step.within.0, one_line(&step.contact, 64)))
            .collect();
        text.push(format!("Its windows: {}.", windows.join("; ")));
    }
    Section { title: "WHY YOU GET THIS MAIL".into(), text, link: None, rows: Vec::new() }
}

pub(super) fn row(label: &'static str, line: String) -> Row {
    Row { label, lines: vec![line] }
}

pub(super) fn join<T: ToString>(words: impl Iterator<Item = T>) -> String {
    words.map(|word| word.to_string()).collect::<Vec<_>>().join(", ")
}
