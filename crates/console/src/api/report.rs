//! The timeliness report of an incident, as a file.

use axum::{
    extract::{Path, State as Ours},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use tocsin_protocol::IncidentId;

use super::{
    problem::Problem,
    read::{heard, id},
};
use crate::{
    app::App,
    hands::{Document, Form, NoReport, Wanted},
    model::Sight,
    session::Visitor,
};

pub(super) async fn report(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path((incident, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let form = match file.as_str() {
        "report.json" => Form::Json,
        "report.csv" => Form::Csv,
        "report.pdf" => Form::Pdf,
        "report.html" => Form::Html,
        _ => return Err(Problem::absent()),
    };
    heard(&app)?;
    let incident: IncidentId = id(&incident)?;
    // A report tells of everyone's part.
    let whole = {
        let state = app.model().read();
        let (_, sight) = state.seen(&visitor.sees, &incident).ok_or_else(Problem::absent)?;
        matches!(sight, Sight::Whole)
    };
    if !whole {
        let detail =
            "a report tells of everyone's part: it is for the incident's operator and for a regulator";
        return Err(Problem::forbidden(detail));
    }
    let reports = app.hands().reports.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_IMPLEMENTED, "this console computes no reports: use `tocsin report`")
    })?;
    let Document { body, media_type, name } = reports
        .report(Wanted::Incident(incident), visitor.sees.clone(), form)
        .await
        .map_err(|why| match why {
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
