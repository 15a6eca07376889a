//! For those who run it: whether it lives, is ready, and what it measures; and whose desks are at work.
//!
//! `/livez`, `/readyz` and `/metrics` ask for no sign-in. They name no incident and tell no word of one; the proxy in front
//! of the console need not pass them on.

mod desks;
pub(crate) mod measures;
pub(crate) mod presence;
mod ready;
mod scrape;
pub(crate) mod talk;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use crate::app::App;

pub(crate) use ready::Readiness;

/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(desks::routes())
}

fn plain(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], text).into_response()
}

/// Whether this process serves at all. What restarts a console or sends people to it should ask this: one that cannot reach
/// its bus must still be served, as it says so.
async fn livez(State(app): State<App>) -> Response {
    // A reader of the model that hangs would hold this up too.
    let revision = app.model().read().revision();
    plain(StatusCode::OK, format!("alive, {revision} entries read\n"))
}

/// Whether the whole path stands: what monitoring should ask.
async fn readyz(State(app): State<App>) -> Response {
    let found = app.readiness().look(&app).await;
    let status = if found.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    plain(status, found.to_string())
}

async fn metrics(State(app): State<App>) -> Response {
    match scrape::text(&app) {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text)
            .into_response(),
        // Writing to a String cannot fail.
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
