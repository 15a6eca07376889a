//! The preview: what would be said, who would be told, and by when.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{http::StatusCode, response::Response};
use tocsin_protocol::{Event, EventKind, Requirement, Status};

use super::{Operator, filled::Filled};
use crate::{
    hands::{Foreseen, WhoIsTold},
    page::{
        frame::{Frame, answer},
        names::Names,
        words::{self, Zone},
    },
};

#[derive(Template)]
#[template(path = "publish/preview.html")]
struct Page {
    frame: Frame,
    title: String,
    problems_title: &'static str,
    problems: Vec<String>,
    worsened: Vec<String>,
    deaf: Option<&'static str>,
    said_title: &'static str,
    headline: String,
    facts: Vec<Fact>,
    unchanged: bool,
    told: Option<String>,
    windows: Vec<Window>,
    notes: Vec<String>,
    rows: Vec<Row>,
    names: Vec<String>,
    csrf: String,
    hidden: Vec<(String, String)>,
    event: String,
    confirm: Option<String>,
    confirm_class: &'static str,
    back: String,
}

struct Fact {
    name: &'static str,
    before: Option<String>,
    words: String,
}

struct Window {
    at: String,
    clock: String,
    contact: String,
    policy: String,
    step: String,
}

struct Row {
    nation: String,
    kind: String,
    required: usize,
    informed: usize,
}

pub(super) fn page(operator: &Operator, filled: &Filled, foreseen: Foreseen, notes: Vec<String>) -> Response {
    let Foreseen { event, body, before, told } = foreseen;
    let frame = operator.frame(Some(event.status));
    let zone = frame.zone().clone();
    let names = Names::in_force(&operator.app.model().read());
    let is_heard = operator.app.model().ear().hearing.is_well();
    let refused = told.as_ref().map(|told| told.problems.clone()).unwrap_or_default();
    let total = told.as_ref().map(|told| told.recipients.len());
    let status = if refused.is_empty() && notes.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let confirm = refused.is_empty().then(|| confirm_words(&event, total));
    let (problems_title, problems) = if refused.is_empty() {
        ("Check this again. Nothing was sent.", notes)
    } else {
        ("This cannot be published: it would be refused", notes.into_iter().chain(refused).collect())
    };
    let facts = facts(&event, before.as_ref(), &names, &zone);
    let mut page = Page {
        title: title(&event, confirm.is_some()),
        problems_title,
        problems,
        worsened: Vec::new(),
        deaf: (!is_heard).then_some(
            "The bus does not answer now. If you confirm, this is kept on this console's disk and is NOT sent at once; it goes out by itself when the bus is back. Use the telephone as well.",
        ),
        said_title: if before.is_some() { "What changes" } else { "What will be said" },
        headline: event.headline.clone(),
        unchanged: before.is_some(),
        facts,
        told: None,
        windows: Vec::new(),
        notes: Vec::new(),
        rows: Vec::new(),
        names: Vec::new(),
        csrf: operator.visitor.csrf(),
        hidden: filled.carried(),
        event: String::from_utf8_lossy(&body).into_owned(),
        confirm,
        confirm_class: if event.status == Status::Actual { "danger" } else { "" },
        back: before.map_or_else(|| "/".to_owned(), |event| format!("/incidents/{}", event.incident)),
        frame,
    };
    match told {
        Some(told) => fill_in(&mut page, told, &names, &zone),
        None => page
            .notes
            .push("The console has read no directory yet, so who would be told cannot be shown.".to_owned()),
    }
    answer(status, &page)
}

fn fill_in(page: &mut Page, told: WhoIsTold, names: &Names, zone: &Zone) {
    let count = |requirement| told.recipients.iter().filter(|(_, of)| *of == requirement).count();
    let (required, informed) = (count(Requirement::Required), count(Requirement::Informed));
    page.told = Some(match told.recipients.len() {
        0 => "Nobody: no policy of the directory owes this to anyone.".to_owned(),
        total => {
            format!("{}: {required} must acknowledge, {informed} for information.", bodies(total))
        }
    });
    let mut rows: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for (id, requirement) in &told.recipients {
        let entry = names.recipient(id);
        page.names.push(names.name(id));
        let nation = entry.and_then(|entry| entry.nation.clone()).unwrap_or_else(|| "\u{2013}".to_owned());
        let kind = entry.map(|entry| words::kinds(&entry.kind)).unwrap_or_default();
        let row = rows.entry((nation, kind)).or_default();
        match requirement {
            Requirement::Required => row.0 += 1,
            Requirement::Informed => row.1 += 1,
        }
    }
    page.names.sort();
    page.rows = rows
        .into_iter()
        .map(|((nation, kind), (required, informed))| Row { nation, kind, required, informed })
        .collect();
    let policies = names.directory().map(|directory| directory.policies()).unwrap_or_default();
    page.windows = told
        .windows
        .iter()
        .map(|window| Window {
            at: window.due_at.to_string(),
            clock: zone.second(window.due_at, page.frame.now()),
            contact: window.contact.clone(),
            policy: policies
                .iter()
                .find(|policy| policy.id == window.policy)
                .map_or_else(|| window.policy.to_string(), |policy| policy.name.clone()),
            step: window.step.to_string(),
        })
        .collect();
    if told.windows.is_empty() && required > 0 {
        page.notes.push("Nobody has to acknowledge this one: it is told for information.".to_owned());
    }
    if told.without_history {
        page.notes.push(
            "The events before this one are not all at hand: if it is a worsening, those who must acknowledge have to do so again.".to_owned(),
        );
    }
    page.worsened = told.worsened;
}

fn bodies(total: usize) -> String {
    if total == 1 { "1 body".to_owned() } else { format!("{total} bodies") }
}

fn title(event: &Event, may: bool) -> String {
    let what = match event.kind {
        EventKind::Initial => "a new incident",
        EventKind::Update => "an update",
        EventKind::Resolved => "the end of an incident",
        EventKind::Correction => "a correction",
        EventKind::Cancelled => "a cancellation",
        EventKind::SentInError => "a withdrawal",
    };
    match (event.status, may) {
        (_, false) => format!("Not ready to send: {what}"),
        (Status::Actual, _) => format!("Check before it is sent: {what}, and it is real"),
        (Status::Exercise, _) => format!("Check before it is sent: {what}, for exercise"),
        (Status::Test, _) => format!("Check before it is sent: {what}, for test"),
    }
}

fn confirm_words(event: &Event, total: Option<usize>) -> String {
    let mark = match event.status {
        Status::Actual => "",
        Status::Exercise => "EXERCISE: ",
        Status::Test => "TEST: ",
    };
    match total {
        Some(0) => format!("{mark}Publish it all the same"),
        Some(total) => format!("{mark}Tell {} now", bodies(total)),
        None => format!("{mark}Publish now"),
    }
}

/// What is said, in words; of an event that follows another, what is different.
fn facts(event: &Event, before: Option<&Event>, names: &Names, zone: &Zone) -> Vec<Fact> {
    let follows = before.is_some();
    let now = described(event, names, zone, follows);
    let then = before.map(|before| described(before, names, zone, follows)).unwrap_or_default();
    let fields: BTreeSet<_> = now.keys().chain(then.keys()).copied().collect();
    fields
        .into_iter()
        .filter_map(|(place, name)| {
            let (new, old) = (now.get(&(place, name)), then.get(&(place, name)));
            if before.is_some() && new == old {
                return None;
            }
            let words = new.cloned().unwrap_or_else(|| "not said any more".to_owned());
            Some(Fact { name, before: old.cloned(), words })
        })
        .collect()
}

/// An event's fields by their place and name; with its headline where that does not stand above them.
fn described(
    event: &Event,
    names: &Names,
    zone: &Zone,
    with_headline: bool,
) -> BTreeMap<(u8, &'static str), String> {
    let join = |all: Vec<String>| all.join(", ");
    let impact = event.impact.as_ref();
    let calls = impact.and_then(|impact| {
        let calls = impact.calls_unsuccessful?;
        Some(if impact.provisional == Some(true) {
            format!("{calls}, may still change")
        } else {
            calls.to_string()
        })
    });
    let by_area = impact.filter(|impact| !impact.by_area.is_empty());
    let all = [
        ("Status", Some(words::status(event.status).to_owned())),
        ("What", Some(words::category(event.category).to_owned())),
        ("Services", Some(join(event.services.iter().map(|one| words::service(*one).to_owned()).collect()))),
        ("Where", Some(join(event.areas.iter().map(|id| names.area(id)).collect()))),
        ("Headline", with_headline.then(|| event.headline.clone())),
        ("Platform", event.platform.map(|platform| words::platform(platform).to_owned())),
        ("Severity", event.severity.map(|severity| words::severity(severity).to_owned())),
        ("More about it", event.description.clone()),
        ("What to do", event.instruction.clone()),
        ("Words for the public", event.public_advice.clone()),
        (
            "The same in other languages",
            (!event.public_advice_in.is_empty()).then(|| {
                let each =
                    event.public_advice_in.iter().map(|(language, words)| format!("{language}: {words}"));
                each.collect::<Vec<_>>().join("\n")
            }),
        ),
        ("Began", event.began_at.map(|at| zone.whole(at))),
        ("Noticed", event.detected_at.map(|at| zone.whole(at))),
        ("Restored", event.restored_at.map(|at| zone.whole(at))),
        ("Restoration expected", event.expected_restoration_at.map(|at| zone.whole(at))),
        ("Next update by", event.next_update_by.map(|at| zone.whole(at))),
        ("Calls lost", calls),
        (
            "Calls lost by area",
            by_area.map(|impact| {
                join(
                    impact.by_area.iter().map(|(id, calls)| format!("{}: {calls}", names.area(id))).collect(),
                )
            }),
        ),
        (
            "Questions to",
            event.contact.as_ref().map(|contact| {
                join([Some(contact.role.clone()), contact.phone.clone()].into_iter().flatten().collect())
            }),
        ),
        ("Incident", Some(event.incident.to_string())),
    ];
    all.into_iter().zip(0..).filter_map(|((name, words), place)| Some(((place, name), words?))).collect()
}
