//! What holds for every request and every answer.

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
            X_CONTENT_TYPE_OPTIONS,
        },
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tocsin_duty::NotUnder;

use super::{place::From, refusal::Refusal, sessions::bearer};
use crate::{app::App, model::Hearing};

/// Nothing is loaded, framed or posted but from and to the console itself; no script or style stands in a page.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Why this may not be served. While the record is first read, what was in force before the key was taken on passes by: no
/// page says then that it is not to be trusted, but nothing is taken either.
fn untrusted(app: &App, parts: &Parts) -> Option<NotUnder> {
    let why = app.untrusted().filter(|_| !is_of_the_process(parts.uri.path()))?;
    let is_read = !matches!(app.model().ear().hearing, Hearing::Reading(_));
    (is_read || !parts.method.is_safe()).then_some(why)
}

/// What tells of this process, or is a part of it, and nothing that the record holds.
fn is_of_the_process(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/metrics" | "/favicon.ico") || path.starts_with("/assets/")
}

/// Refuses what another site makes a browser send, and everything while the directory in force is not to be trusted; adds
/// to every answer what keeps a page to itself. Where a handler has set one of these headers, its own stays: a report as a
/// file has its style in it, and the page behind a mail's link must send no referrer at all.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let place = &app.sessions().place;
    // A browser never sends one by itself, so with it there is nothing to forge. (A password of HTTP's own it does send.)
    let by_token = bearer(&parts.headers).is_some();
    let mut response =
        if !parts.method.is_safe() && !by_token && place.from(&parts.headers) == From::Elsewhere {
            Refusal::elsewhere(&parts).into_response()
        } else if let Some(why) = untrusted(&app, &parts) {
            Refusal::untrusted(&parts, &why).into_response()
        } else {
            next.run(Request::from_parts(parts, body)).await
        };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(CACHE_CONTROL, "no-store");
    if place.https {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
