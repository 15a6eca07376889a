//! The incidents with their headline figures, and the form for a period; the figures of a period once it is asked for.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    extract::{Query, State as Extracted},
    http::StatusCode,
    response::Response,
};
use jiff::{ToSpan as _, civil::Date};
use serde::Deserialize;
use tocsin_protocol::{Status, Timestamp};

use super::{Download, STYLE, downloads, refused, report, text};
use crate::{
    app::App,
    hands::{Form, NoReport, Wanted},
    model::{DutyState, Incident, Sight},
    page::{
        frame::{Frame, answer},
        names::Names,
        words,
    },
    session::{Sees, Visitor},
};

/// How many incidents are listed.
const LISTED: usize = 200;

#[derive(Template)]
#[template(path = "audit/list.html")]
struct Page {
    frame: Frame,
    style: &'static str,
    lead: &'static str,
    /// What is wrong with the days that were asked for; empty where nothing is.
    wrong: String,
    /// The figures of the period that was asked for.
    part: Option<String>,
    downloads: Vec<Download>,
    from: String,
    to: String,
    /// Each status, its name, and whether it is chosen.
    statuses: Vec<(&'static str, &'static str, bool)>,
    /// Whether they may have the whole record verified.
    verdict: bool,
    /// Whether they may see whom to telephone.
    calls: bool,
    stood: &'static str,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    id: String,
    headline: String,
    status: &'static str,
    status_class: &'static str,
    published: String,
    publisher: String,
    standing: String,
}

/// A period, as a form sends it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    status: Option<String>,
}

impl Asked {
    /// The period that is meant; none where none is asked for.
    pub(super) fn period(&self) -> Result<Option<Wanted>, String> {
        let (from, to) = match (&self.from, &self.to) {
            (None, None) => return Ok(None),
            (from, to) => (from.as_deref().unwrap_or_default(), to.as_deref().unwrap_or_default()),
        };
        let day = |text: &str, which: &str| {
            let read = text.trim().parse::<Date>();
            read.map_err(|_| format!("Give the {which} day as a date, such as 2026-01-31"))
        };
        Ok(Some(Wanted::Period(day(from, "first")?, day(to, "last")?, self.status()?)))
    }

    fn status(&self) -> Result<Status, String> {
        let word = self.status.as_deref().unwrap_or(Status::Actual.as_str());
        word.parse().map_err(|_| "Choose actual incidents, exercises or tests".to_owned())
    }

    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("from", &self.from), ("to", &self.to), ("status", &self.status)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        format!("?{}", query.finish())
    }
}

pub(super) async fn show(
    Extracted(app): Extracted<App>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Response {
    let mut page = page(&app, &visitor, &asked);
    match asked.period() {
        Ok(None) => {}
        Ok(Some(wanted)) => match report(&app, &visitor, wanted, Form::Part).await {
            Ok(document) => {
                page.part = Some(text(&document));
                page.downloads = downloads("/audit/period", &asked.query());
            }
            Err(NoReport::Wrong(words)) => page.wrong = words,
            Err(why) => return refused(&app, &visitor, why),
        },
        Err(words) => page.wrong = words,
    }
    answer(if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page)
}

fn page(app: &App, visitor: &Visitor, asked: &Asked) -> Page {
    let state = app.model().read();
    let frame = Frame::on(&state, app, visitor, "audit");
    let mut seen: Vec<_> = state.seen_by(&visitor.sees).collect();
    seen.sort_by_key(|(incident, _)| std::cmp::Reverse(published(incident)));
    let more = seen.len().saturating_sub(LISTED);
    let row = |(incident, sight): (&Incident, Sight<'_>)| Row {
        id: incident.id.to_string(),
        headline: incident.newest().map(|said| said.event.headline.clone()).unwrap_or_default(),
        status: words::status(incident.status),
        status_class: incident.status.as_str(),
        published: published(incident).map(|at| frame.zone().whole(at)).unwrap_or_default(),
        publisher: Names::of(&state, incident).publisher(&incident.publisher),
        standing: standing(incident, sight),
    };
    let rows = seen.into_iter().take(LISTED).map(row).collect();
    let today = frame.zone().day(frame.now());
    // Half a year, from the first day of a month.
    let since = today.first_of_month().checked_sub(5.months()).unwrap_or(today);
    let chosen = asked.status().unwrap_or(Status::Actual);
    let statuses =
        [(Status::Actual, "Actual incidents"), (Status::Exercise, "Exercises"), (Status::Test, "Tests")];
    let (lead, stood) = match visitor.sees {
        Sees::Recipient(_) => {
            ("How timely you were: your own figures of every incident that you were told of.", "You")
        }
        Sees::Publisher(_) => {
            ("Who knew what, when, of your incidents, and how timely everybody was.", "Acknowledged now")
        }
        Sees::Everything => ("Who knew what, when, and how timely everybody was.", "Acknowledged now"),
    };
    Page {
        style: STYLE,
        lead,
        wrong: String::new(),
        part: None,
        downloads: Vec::new(),
        from: asked.from.clone().unwrap_or_else(|| since.to_string()),
        to: asked.to.clone().unwrap_or_else(|| today.to_string()),
        statuses: statuses.map(|(status, name)| (status.as_str(), name, status == chosen)).into(),
        verdict: visitor.sees == Sees::Everything,
        calls: !matches!(visitor.sees, Sees::Recipient(_)),
        stood,
        rows,
        more,
        frame,
    }
}

fn published(incident: &Incident) -> Option<Timestamp> {
    incident.events.first().map(|said| said.published_at)
}

/// How everyone stands, or one to itself.
fn standing(incident: &Incident, sight: Sight<'_>) -> String {
    let tally = &incident.tally;
    match sight {
        Sight::Own(standing) => match incident.glance(standing).state {
            DutyState::Told => "told, not asked to acknowledge",
            DutyState::Waiting => "not acknowledged, window open",
            DutyState::Silent => "not acknowledged when due",
            DutyState::InTime => "in time",
            DutyState::Late(_) => "late",
            DutyState::Lifted => "excused: it ended first",
        }
        .to_owned(),
        Sight::Whole if tally.asked == 0 => {
            format!("none asked; {} of {} hold the notice", tally.delivered, tally.told)
        }
        Sight::Whole => {
            let mut words = format!("{} of {}", tally.acknowledged, tally.asked);
            for (count, what) in [(tally.late, "late"), (tally.silent, "silent"), (tally.waiting, "open")] {
                if count > 0 {
                    let _ = write!(words, ", {count} {what}");
                }
            }
            words
        }
    }
}
