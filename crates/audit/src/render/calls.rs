//! The call list, as people and programs read it.

use askama::Template;
use tocsin_protocol::{Status, Timestamp};

use super::{page::page, text::Text};
use crate::{
    CallList, CallListEntry, Error, MailFate, Unanswered,
    report::EscalationReport,
    words::{Zone, kind, outcome, plain, rough, utc},
};

/// The list as JSON, with no newline at its end.
///
/// # Errors
/// [`Error::Render`] when it cannot be serialised.
pub fn call_list_json(list: &CallList) -> Result<String, Error> {
    serde_json::to_string_pretty(list).map_err(|why| failed("JSON", why.to_string()))
}

/// The list for a terminal, or a printer that takes text.
pub fn call_list_text(list: &CallList) -> String {
    let story = CallStory::of(list);
    let mut text = Text::default();
    if let Some(marking) = story.marking {
        text.line(marking);
    }
    text.line(&story.title);
    text.wrapped("", &story.verdict);
    story.notes.iter().for_each(|note| text.wrapped("", note));
    for row in &story.rows {
        text.line("");
        text.wrapped(
            &format!("{:>3}. ", row.number),
            &format!("{} ({}): {}", row.name, row.kind, row.urgency),
        );
        let named = |text: &mut Text, name: &str, words: &[String]| {
            for (n, words) in words.iter().enumerate() {
                text.wrapped(&format!("     {:<9} ", if n == 0 { name } else { "" }), words);
            }
        };
        named(&mut text, "call", &row.call);
        named(&mut text, "about", std::slice::from_ref(&row.incident));
        named(&mut text, "", &row.about);
        named(&mut text, "mail", &row.mail);
        text.line(
            "     spoke to  ______________________________ role ____________________ at _______ by ________",
        );
    }
    text.line("");
    text.wrapped("", &story.source);
    text.text
}

#[derive(Template)]
#[template(path = "calls-body.html")]
struct Body<'a> {
    story: &'a CallStory,
}

/// The list as one HTML file that a browser shows without anything else. Everything that came from outside is escaped.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn call_list_html(list: &CallList) -> Result<String, Error> {
    let story = CallStory::of(list);
    let cannot = |why: askama::Error| failed("HTML", why.to_string());
    let body = Body { story: &story }.render().map_err(cannot)?;
    page(&story.title, story.marking, &body).map_err(cannot)
}

/// The same without the page around it, to stand in another page that has the style sheet [`STYLE`](super::STYLE).
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn call_list_fragment(list: &CallList) -> Result<String, Error> {
    let story = CallStory::of(list);
    Body { story: &story }.render().map_err(|why| failed("HTML", why.to_string()))
}

pub(super) fn failed(form: &'static str, why: String) -> Error {
    Error::Render { what: "the call list".to_owned(), form, why }
}

/// The list in words.
pub(super) struct CallStory {
    /// That all of it is an exercise.
    pub(super) marking: Option<&'static str>,
    pub(super) title: String,
    pub(super) verdict: String,
    pub(super) notes: Vec<String>,
    pub(super) rows: Vec<CallRow>,
    pub(super) source: String,
}

/// One body to be telephoned.
pub(super) struct CallRow {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) kind: String,
    /// `WINDOW CLOSED 12 min ago`, or when it closes.
    pub(super) urgency: String,
    pub(super) closed: bool,
    /// The numbers, each with whose it is.
    pub(super) call: Vec<String>,
    /// What the incident is, and whether it is real.
    pub(super) incident: String,
    /// The events that it has not acknowledged.
    pub(super) about: Vec<String>,
    /// What became of its mails.
    pub(super) mail: Vec<String>,
}

impl CallStory {
    pub(super) fn of(list: &CallList) -> Self {
        let zone = Zone::named(&list.time_zone);
        let exercise = |call: &CallListEntry| call.status != Status::Actual;
        let all_exercise = !list.calls.is_empty() && list.calls.iter().all(exercise);
        let of = list.incident.as_ref().map_or_else(|| "all incidents".to_owned(), ToString::to_string);
        let closed = list.calls.iter().filter(|call| call.window_closed).count();
        let verdict = match list.calls.len() {
            0 => "Nobody to telephone: whoever had to acknowledge has, or what they were to acknowledge is over."
                .to_owned(),
            many => format!(
                "{many} to telephone: the window has closed on {closed}, and is open for {}.",
                many - closed
            ),
        };
        let mut notes = Vec::new();
        if !list.calls.is_empty() {
            notes.push(
                "Say that an incident is on the bus, its name, and that it must be acknowledged: at their desk, on the \
                 console's page, or by you for them. Write down who answered, in which role, and when."
                    .to_owned(),
            );
        }
        Self {
            marking: all_exercise.then_some("EXERCISE - no real failure"),
            title: format!("Call list, {of}, as of {}", zone.both(list.as_of)),
            verdict,
            notes,
            rows: (1..).zip(&list.calls).map(|(n, call)| row(n, call, &zone, list.as_of)).collect(),
            source: format!(
                "As of {}, by the broker's clock. Read: {} entries of TOCSIN_SAID through sequence {}, {} of TOCSIN_LOG \
                 through sequence {}. Numbers: directory {}, version {}. A mail that a relay took was handed over, which \
                 is not that anybody read it.",
                utc(list.as_of),
                list.said.entries,
                list.said.last_sequence,
                list.log.entries,
                list.log.last_sequence,
                list.directory_name.as_deref().map_or_else(|| "none".to_owned(), plain),
                list.directory_version.map_or_else(|| "none".to_owned(), |version| version.to_string()),
            ),
        }
    }
}

fn row(number: usize, call: &CallListEntry, zone: &Zone, as_of: Timestamp) -> CallRow {
    let away = as_of.duration_since(call.due_at).as_secs_f64();
    let urgency = if call.window_closed {
        format!("WINDOW CLOSED {} ago", rough(away.max(0.0)))
    } else {
        format!("window closes in {}", rough((-away).max(0.0)))
    };
    let marking = match call.status {
        Status::Actual => "",
        Status::Exercise | Status::Test => "EXERCISE, ",
    };
    let mut mail: Vec<String> = call.mails.iter().map(|mail| one_mail(mail, zone)).collect();
    if mail.is_empty() {
        mail.push(MailFate::NoneOwed.words().to_owned());
    }
    CallRow {
        number,
        name: plain(&call.name),
        kind: kind(&call.kind),
        urgency,
        closed: call.window_closed,
        call: numbers(call),
        incident: format!("{marking}{} of {}: {}", call.incident, call.publisher, plain(&call.headline)),
        about: call.unanswered.iter().map(|one| unanswered(one, zone)).collect(),
        mail,
    }
}

fn numbers(call: &CallListEntry) -> Vec<String> {
    if call.numbers.is_empty() {
        return vec!["NO NUMBER: it is not in the directory any more".to_owned()];
    }
    call.numbers
        .iter()
        .map(|number| {
            let phone = number.phone.as_deref().map_or_else(|| "NO NUMBER".to_owned(), plain);
            format!("{phone}: {} ({})", plain(&number.role), plain(&number.contact))
        })
        .collect()
}

fn unanswered(one: &Unanswered, zone: &Zone) -> String {
    let since = one.noticed_at.map_or_else(
        || "NO NOTICE in the log".to_owned(),
        |at| {
            let held = if one.delivered { ", held by its system" } else { ", its system has not taken it" };
            format!("there since {}{held}", zone.both(at))
        },
    );
    let due = if one.closed { "was due" } else { "due" };
    format!("event {} ({}), {since}, {due} {}", one.event, one.kind.as_str(), zone.minute(one.due_at))
}

fn one_mail(mail: &EscalationReport, zone: &Zone) -> String {
    let what = match (mail.accepted_at, mail.outcome) {
        (Some(at), _) => format!("taken by a relay {}", zone.minute(at)),
        (None, Some(ended)) => outcome(ended).to_owned(),
        (None, None) if mail.attempts > 0 => "begun, and not ended".to_owned(),
        (None, None) => "not tried yet".to_owned(),
    };
    let failed = matches!(
        mail.outcome,
        Some(
            tocsin_protocol::Outcome::Temporary
                | tocsin_protocol::Outcome::RelayFault
                | tocsin_protocol::Outcome::Permanent
        )
    );
    let mark = if failed && mail.accepted_at.is_none() { "FAILED: " } else { "" };
    format!(
        "{} at {}, owed {}: {mark}{what}",
        plain(&mail.contact),
        plain(&mail.address),
        zone.minute(mail.owed_at)
    )
}
