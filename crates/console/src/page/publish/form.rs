//! The form: four choices and a headline, and whatever more is known.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use tocsin_duty::Directory;
use tocsin_protocol::{Event, PublisherId};

use super::{
    Operator,
    field::{Field, Maker},
    filled::Filled,
};
use crate::{
    hands::Fault,
    page::frame::{Frame, answer},
};

#[derive(Template)]
#[template(path = "publish/form.html")]
struct Page {
    frame: Frame,
    title: &'static str,
    about: Option<String>,
    intro: &'static str,
    /// What is wrong, and where: a link to the field.
    summary: Vec<(String, String)>,
    csrf: String,
    draft: String,
    /// Whether it comes filled in, so that what a browser kept of it is older.
    filled: bool,
    hidden: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    more: Vec<Field>,
    more_summary: &'static str,
    more_open: bool,
    back: String,
}

pub(super) fn page(
    operator: &Operator,
    filled: &Filled,
    faults: &[Fault],
    before: Option<&Event>,
    directory: Option<&Directory>,
) -> Response {
    let frame = operator.frame(before.map(|event| event.status));
    let zone = frame.zone().clone();
    let make = Maker { filled, faults, before, zone: &zone };
    let says = filled.text("says").unwrap_or("begins").to_owned();
    let (title, intro) = match says.as_str() {
        "update" => (
            "Say what has changed",
            "Give only what is new. What you leave as it is stays so, and each notice tells the whole.",
        ),
        "resolved" => (
            "Say that the service is restored",
            "The old instructions and public advice are not carried over: say what holds now.",
        ),
        "cancelled" => {
            ("Cancel this incident", "For what was no incident. Nothing can follow a cancellation.")
        }
        "correction" => (
            "Correct what was said",
            "It goes to those who had the notice that was wrong. Say what is right: each notice tells the whole.",
        ),
        "sent-in-error" => (
            "Withdraw: sent in error",
            "For what should not have been sent, or not as real. It goes to all who had any of it, and nothing can follow it.",
        ),
        _ => (
            "Tell everyone who must know",
            "Four choices and a headline are enough. All else may follow in an update: a missing detail must not delay the first notice.",
        ),
    };
    let fields = asked(&make, &says, directory, &operator.publisher);
    let more = more(&make, &says, &fields, directory, &operator.publisher);
    let more_open = more
        .iter()
        .any(|field| field.fault.is_some() || (before.is_none() && filled.text(field.name).is_some()));
    let summary = summary(faults, fields.iter().chain(&more));
    let incident = before.map(|event| event.incident.clone());
    let page = Page {
        title,
        about: before.map(|event| event.headline.clone()),
        intro,
        summary,
        csrf: operator.visitor.csrf(),
        draft: format!("{}:{}", operator.visitor.account, filled.draft_key()),
        filled: filled.carried().iter().any(|(name, _)| name != "says" && name != "incident"),
        hidden: [("says", Some(says)), ("incident", incident.as_ref().map(ToString::to_string))]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
        fields,
        more,
        more_summary: if before.is_some() {
            "Anything else that has changed"
        } else {
            "Whatever more is known"
        },
        more_open,
        back: incident.map_or_else(|| "/".to_owned(), |id| format!("/incidents/{id}")),
        frame,
    };
    answer(if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &page)
}

/// What the four choices are: of these, of an incident that goes on, only what has changed.
fn first(make: &Maker<'_>, directory: Option<&Directory>, publisher: &PublisherId) -> [Field; 3] {
    [make.category(), make.services(directory), make.areas(directory, publisher)]
}

/// What is asked for at once.
fn asked(make: &Maker<'_>, says: &str, directory: Option<&Directory>, publisher: &PublisherId) -> Vec<Field> {
    match says {
        "cancelled" => vec![make.headline(), make.lines("description", "Why it is cancelled", "", 4000)],
        "sent-in-error" => {
            vec![make.headline(), make.lines("description", "Why it should not have been sent", "", 4000)]
        }
        "correction" => vec![
            make.corrects(),
            make.platform(),
            make.headline(),
            make.lines("description", "What was wrong, and what is right", "", 4000),
        ],
        "resolved" => vec![
            make.time("restored_at", "When was the service restored?", "By the clock here."),
            make.headline(),
            make.lines("instruction", "What those who are told should do now", "", 4000),
            make.lines("description", "What happened, as far as it is known", "", 4000),
        ],
        "update" => vec![
            make.platform(),
            make.headline(),
            make.lines("description", "What is new", "", 4000),
            make.time("next_update_by", "By when will you have said more?", "By the clock here."),
        ],
        _ => [make.status()]
            .into_iter()
            .chain(first(make, directory, publisher))
            .chain([make.headline()])
            .collect(),
    }
}

/// What else may be told.
fn more(
    make: &Maker<'_>,
    says: &str,
    fields: &[Field],
    directory: Option<&Directory>,
    publisher: &PublisherId,
) -> Vec<Field> {
    if matches!(says, "cancelled" | "sent-in-error") {
        return Vec::new();
    }
    let shown: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let mut all = Vec::new();
    if make.before.is_some() {
        all.extend(first(make, directory, publisher));
        all.push(make.material());
    }
    all.extend([
        make.platform(),
        make.severity(),
        make.lines("description", "More about it", "", 4000),
        make.lines("instruction", "What those who are told should do", "", 4000),
        make.lines(
            "public_advice",
            "Agreed words for the public",
            "Everybody is shown these, so that each need not find its own.",
            4000,
        ),
        make.lines(
            "public_advice_cy",
            "The same words in Welsh (Cymraeg)",
            "Where there are none, English is shown.",
            4000,
        ),
        make.time(
            "began_at",
            "When did it begin?",
            "By the clock here. The windows of some duties run from it.",
        ),
        make.time(
            "detected_at",
            "When was it noticed?",
            "By the clock here. The windows of some duties run from it.",
        ),
        make.time("expected_restoration_at", "When is restoration expected?", "By the clock here."),
        make.time("next_update_by", "By when will you have said more?", "By the clock here."),
        make.line("calls", "How many calls did not get through?", "A number.", 20),
        make.line(
            "calls_by_area",
            "The same by area",
            "As in: kent=312, essex=290. Each force gets its own figure.",
            4000,
        ),
        make.provisional(),
        make.line("contact_role", "Who answers questions now?", "The role or desk.", 200),
        make.line("contact_phone", "On which number?", "", 40),
    ]);
    all.retain(|field| !shown.contains(&field.name));
    all
}

fn summary<'a>(faults: &[Fault], fields: impl Iterator<Item = &'a Field>) -> Vec<(String, String)> {
    let fields: Vec<_> = fields.collect();
    let place = |fault: &Fault| {
        let name = fault.field.as_deref()?;
        fields.iter().find(|field| field.name == name).map(|field| field.first())
    };
    faults.iter().map(|fault| (place(fault).unwrap_or_default(), fault.words.clone())).collect()
}
