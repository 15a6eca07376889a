//! The reports: of one incident, over a period, and what the record proves. Who sees which incident is
//! settled by what is known, and how much of it by [`Reports`](crate::Reports).

mod list;

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use tocsin_protocol::{IncidentId, Status};

use super::{
    absent,
    frame::{Frame, answer, html},
};
use crate::{
    app::App,
    hands::{Document, Form, NoReport, Wanted},
    session::{Sees, Visitor},
};
use list::Asked;

/// Where the style sheet of the reports is.
const STYLE: &str = "/assets/report.css";

pub(super) fn routes() -> Router<App> {
    // No incident's name has a dot, so that none is taken for a file.
    Router::new()
        .route("/audit", get(list::show))
        .route("/audit/verdict.html", get(whole_verdict))
        .route("/audit/{name}", get(incident_or_file))
        .route("/audit/{incident}/{file}", get(incident_file))
        .route(STYLE, get(style))
}

#[derive(Template)]
#[template(path = "audit/report.html")]
struct Page {
    frame: Frame,
    title: String,
    style: &'static str,
    /// The incident that it is of.
    about: Option<IncidentId>,
    /// The incident whose record they may have verified.
    verify: Option<IncidentId>,
    downloads: Vec<Download>,
    part: String,
}

#[derive(Template)]
#[template(path = "audit/told.html")]
struct Told {
    frame: Frame,
    words: String,
}

/// A file to keep.
struct Download {
    name: &'static str,
    href: String,
}

/// The files that a report is kept as, under names that begin so.
fn downloads(begin: &str, query: &str) -> Vec<Download> {
    let of = |(name, ending)| Download { name, href: format!("{begin}.{ending}{query}") };
    [("Page (HTML)", "html"), ("Print (PDF)", "pdf"), ("Table (CSV)", "csv"), ("Data (JSON)", "json")]
        .map(of)
        .into()
}

/// The form that a file's ending means.
fn form(ending: &str) -> Option<Form> {
    Some(match ending {
        "html" => Form::Html,
        "csv" => Form::Csv,
        "json" => Form::Json,
        "pdf" => Form::Pdf,
        _ => return None,
    })
}

async fn style(State(app): State<App>) -> Response {
    let style = app.hands().reports.as_ref().map_or("", |reports| reports.style());
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "no-cache")], style).into_response()
}

/// An incident's report, or with a dot in it a period's file.
async fn incident_or_file(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    if let Some(ending) = name.strip_prefix("period.") {
        return match (asked.period(), form(ending)) {
            (Ok(Some(wanted)), Some(form)) => file(&app, &visitor, wanted, form).await,
            (Err(words), Some(_)) => told(&app, &visitor, StatusCode::BAD_REQUEST, words),
            _ => absent(&app, &visitor),
        };
    }
    if let Some(ending) = name.strip_prefix("calls.") {
        return calls(&app, &visitor, ending, None).await;
    }
    if name == "verdict.json" {
        return file(&app, &visitor, Wanted::Verdict(None), Form::Json).await;
    }
    let Some((id, status, headline)) = seen(&app, &visitor, &name) else { return absent(&app, &visitor) };
    let part = match report(&app, &visitor, Wanted::Incident(id.clone()), Form::Part).await {
        Ok(document) => text(&document),
        Err(why) => return refused(&app, &visitor, why),
    };
    html(&Page {
        frame: Frame::of(&app, &visitor, "audit").about(status),
        title: format!("Report: {headline}"),
        style: STYLE,
        downloads: downloads(&format!("/audit/{id}/report"), ""),
        verify: (!matches!(visitor.sees, Sees::Recipient(_))).then(|| id.clone()),
        about: Some(id),
        part,
    })
}

async fn incident_file(
    State(app): State<App>,
    visitor: Visitor,
    Path((incident, name)): Path<(String, String)>,
) -> Response {
    let Some((id, status, headline)) = seen(&app, &visitor, &incident) else { return absent(&app, &visitor) };
    let wanted = Wanted::Verdict(Some(id.clone()));
    match name.as_str() {
        "verdict.html" => verdict(&app, &visitor, wanted, Some((id, status, headline))).await,
        "verdict.json" => file(&app, &visitor, wanted, Form::Json).await,
        "calls.html" | "calls.pdf" | "calls.json" => {
            let ending = name.strip_prefix("calls.").unwrap_or_default();
            calls(&app, &visitor, ending, Some((id, status, headline))).await
        }
        _ => match name.strip_prefix("report.").and_then(form) {
            Some(form) => file(&app, &visitor, Wanted::Incident(id), form).await,
            None => absent(&app, &visitor),
        },
    }
}

/// The call list, of one incident or of all, as a page or as a file. It has other bodies' numbers, so it is not for an
/// agency.
async fn calls(
    app: &App,
    visitor: &Visitor,
    ending: &str,
    of: Option<(IncidentId, Status, String)>,
) -> Response {
    if matches!(visitor.sees, Sees::Recipient(_)) {
        return absent(app, visitor);
    }
    let wanted = Wanted::CallList(of.as_ref().map(|(id, ..)| id.clone()));
    let form = match ending {
        "html" => Form::Part,
        "pdf" => Form::Pdf,
        "json" => Form::Json,
        _ => return absent(app, visitor),
    };
    if form != Form::Part {
        return file(app, visitor, wanted, form).await;
    }
    let part = match report(app, visitor, wanted, form).await {
        Ok(document) => text(&document),
        Err(why) => return refused(app, visitor, why),
    };
    let frame = Frame::of(app, visitor, "audit");
    let (frame, about, title) = match of {
        Some((id, status, headline)) => (frame.about(status), Some(id), format!("Call list: {headline}")),
        None => (frame, None, "Call list".to_owned()),
    };
    let begin = about.as_ref().map_or_else(|| "/audit/calls".to_owned(), |id| format!("/audit/{id}/calls"));
    let of = |(name, ending)| Download { name, href: format!("{begin}.{ending}") };
    let downloads = [("Print (PDF)", "pdf"), ("Data (JSON)", "json")].map(of).into();
    html(&Page { frame, title, style: STYLE, about, verify: None, downloads, part })
}

async fn whole_verdict(State(app): State<App>, visitor: Visitor) -> Response {
    verdict(&app, &visitor, Wanted::Verdict(None), None).await
}

async fn verdict(
    app: &App,
    visitor: &Visitor,
    wanted: Wanted,
    of: Option<(IncidentId, Status, String)>,
) -> Response {
    let part = match report(app, visitor, wanted, Form::Part).await {
        Ok(document) => text(&document),
        Err(why) => return refused(app, visitor, why),
    };
    let frame = Frame::of(app, visitor, "audit");
    let (frame, about, title) = match of {
        Some((id, status, headline)) => (frame.about(status), Some(id), format!("Verified: {headline}")),
        None => (frame, None, "The record, verified".to_owned()),
    };
    let begin = about.as_ref().map_or_else(|| "/audit".to_owned(), |id| format!("/audit/{id}"));
    let downloads = vec![Download { name: "Verdict (JSON)", href: format!("{begin}/verdict.json") }];
    html(&Page { frame, title, style: STYLE, about, verify: None, downloads, part })
}

/// An incident that they see: its name, status and newest headline.
fn seen(app: &App, visitor: &Visitor, name: &str) -> Option<(IncidentId, Status, String)> {
    let id: IncidentId = name.parse().ok()?;
    let state = app.model().read();
    let (incident, _) = state.seen(&visitor.sees, &id)?;
    let headline = incident.newest()?.event.headline.clone();
    Some((id, incident.status, headline))
}

async fn report(app: &App, visitor: &Visitor, wanted: Wanted, form: Form) -> Result<Document, NoReport> {
    let reports = app.hands().reports.clone();
    let none = || {
        NoReport::Failed(
            "This console was started without what computes reports. Whoever runs it can: tocsin report --help"
                .to_owned(),
        )
    };
    reports.ok_or_else(none)?.report(wanted, visitor.sees.clone(), form).await
}

/// A report as a file to keep. It is somebody's own and of this moment, so nothing between may keep it; nor is it shown
/// in place of one of our pages.
async fn file(app: &App, visitor: &Visitor, wanted: Wanted, form: Form) -> Response {
    let Document { body, media_type, name } = match report(app, visitor, wanted, form).await {
        Ok(document) => document,
        Err(why) => return refused(app, visitor, why),
    };
    let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let name: String = name.chars().filter(safe).collect();
    let Ok(kept) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_DISPOSITION, kept),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}

fn text(document: &Document) -> String {
    String::from_utf8_lossy(&document.body).into_owned()
}

fn refused(app: &App, visitor: &Visitor, why: NoReport) -> Response {
    match why {
        NoReport::Absent => absent(app, visitor),
        NoReport::Wrong(words) => told(app, visitor, StatusCode::BAD_REQUEST, words),
        NoReport::Failed(words) => told(app, visitor, StatusCode::SERVICE_UNAVAILABLE, words),
    }
}

fn told(app: &App, visitor: &Visitor, status: StatusCode, words: String) -> Response {
    answer(status, &Told { frame: Frame::of(app, visitor, "audit"), words })
}
