//! The same reads and posts as JSON, for programs. `schemas/openapi.json` is what they are written against.
//!
//! A program is known by an account's API token and sees what that account sees. What it puts, it puts at the address
//! that is its identity, so that it may try again as often as it likes. Whatever is not served is told as problem+json.

mod acknowledge;
mod cap;
mod events;
mod notices;
mod problem;
mod publish;
mod read;
mod report;
mod reports;
#[cfg(test)]
mod tests;
mod view;

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post, put},
};
use tocsin_protocol::schema::{Kind, common_schema_text, schema_text};

pub(crate) use self::problem::Problem;
use crate::app::App;

/// The document that says all of it.
const OPENAPI: &str = include_str!("../../../../schemas/openapi.json");

pub(crate) fn routes() -> Router<App> {
    table()
        .into_iter()
        .fold(Router::new(), |router, (path, served)| router.route(path, served))
        .fallback(async || {
            Problem::new(StatusCode::NOT_FOUND, "there is no such address: see /api/v1/openapi.json")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "see /api/v1/openapi.json for what may be done here")
        })
}

/// Every address, and what is done there.
fn table() -> Vec<(&'static str, MethodRouter<App>)> {
    let open = events::Open::default();
    let stream =
        async move |app, visitor, headers, since| events::events(&open, app, visitor, &headers, since);
    vec![
        ("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI))),
        ("/schemas/{file}", get(schema)),
        ("/me", get(read::me)),
        ("/desks", get(read::desks)),
        ("/events", get(stream)),
        ("/notices", get(notices::notices)),
        ("/notices/{incident}/{event}", get(notices::notice)),
        ("/incidents", get(read::incidents)),
        ("/incidents/{incident}", get(read::incident)),
        ("/incidents/{incident}/wall", get(read::wall)),
        ("/incidents/{incident}/timeline", get(read::timeline)),
        ("/incidents/{incident}/{report}", get(report::of_incident)),
        ("/incidents/{incident}/events/{event}", put(publish::say)),
        ("/incidents/{incident}/events/{event}/cap.xml", get(cap::event)),
        ("/incidents/{incident}/events/{event}/acknowledgement", put(acknowledge::acknowledge)),
        ("/reports", post(reports::say)),
        ("/monitoring/alertmanager", post(reports::alertmanager)),
        ("/reports/{period}", get(report::of_period)),
        ("/drafts", post(publish::draft)),
    ]
}

/// A schema that the document refers to.
async fn schema(Path(file): Path<String>) -> Result<Response, Problem> {
    let name = file.strip_suffix(".schema.json").ok_or_else(Problem::absent)?;
    let kind = Kind::ALL.iter().find(|kind| kind.to_string() == name).map(|kind| schema_text(*kind));
    let text = kind.or((name == "common").then(common_schema_text)).ok_or_else(Problem::absent)?;
    Ok(([(CONTENT_TYPE, "application/schema+json")], text).into_response())
}
