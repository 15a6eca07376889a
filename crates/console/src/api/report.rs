//! Reports as files, each with as much in it as the caller may see.

use axum::{
    extract::{Path, State as Ours},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::Deserialize;
use tocsin_protocol::{IncidentId, Status};

use super::{
    problem::{Asked, Problem},
    read::{heard, id},
};
use crate::{
    app::App,
    hands::{Document, Form, NoReport, Wanted},
    session::Visitor,
};

/// In which form a file of this name is, if it is one of these.
fn form(file: &str, name: &str) -> Option<Form> {
    match file.strip_prefix(name)? {
        ".json" => Some(Form::Json),
        ".csv" => Some(Form::Csv),
        ".pdf" => Some(Form::Pdf),
        ".html" => Some(Form::Html),
        _ => None,
    }
}

/// Of an incident: who was told what, when; or what its record proves.
pub(super) async fn of_incident(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path((incident, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let incident: IncidentId = id(&incident)?;
    let (wanted, form) = match (form(&file, "report"), file.as_str()) {
        (Some(form), _) => (Wanted::Incident(incident.clone()), form),
        (None, "verdict.json") => (Wanted::Verdict(Some(incident.clone())), Form::Json),
        (None, _) => return Err(Problem::absent()),
    };
    app.model().read().seen(&visitor.sees, &incident).ok_or_else(Problem::absent)?;
    file_of(&app, &visitor, wanted, form).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    from: Date,
    to: Date,
    status: Option<Status>,
}

/// Of the incidents of a period.
pub(super) async fn of_period(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path(file): Path<String>,
    Asked(days): Asked<Days>,
) -> Result<Response, Problem> {
    let form = form(&file, "period").ok_or_else(Problem::absent)?;
    let wanted = Wanted::Period(days.from, days.to, days.status.unwrap_or(Status::Actual));
    file_of(&app, &visitor, wanted, form).await
}

async fn file_of(app: &App, visitor: &Visitor, wanted: Wanted, form: Form) -> Result<Response, Problem> {
    heard(app)?;
    let reports = app.hands().reports.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_IMPLEMENTED, "this console computes no reports: use `tocsin report`")
    })?;
    let Document { body, media_type, name } =
        reports.report(wanted, visitor.sees.clone(), form).await.map_err(|why| match why {
            NoReport::Absent => Problem::absent(),
            NoReport::Wrong(words) => Problem::new(StatusCode::BAD_REQUEST, words),
            NoReport::Failed(words) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, words).after(10),
        })?;
    let mut response = ([(CONTENT_TYPE, media_type)], body).into_response();
    let plain: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
