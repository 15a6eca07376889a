//! What holds for every request and every answer.

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{place::From, refusal::Refusal, sessions::bearer};
use crate::app::App;

/// Nothing is loaded, framed or posted but from and to the console itself; no script or style stands in a page.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Refuses what another site makes a browser send, and adds to every answer what keeps a page to itself. Where a handler
/// has set one of these headers, its own stays: a report as a file has its style in it, and the page behind a mail's link
/// must send no referrer at all.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let place = &app.sessions().place;
    // A browser never sends one by itself, so with it there is nothing to forge. (A password of HTTP's own it does send.)
    let by_token = bearer(&parts.headers).is_some();
    let mut response =
        if !parts.method.is_safe() && !by_token && place.from(&parts.headers) == From::Elsewhere {
            Refusal::elsewhere(&parts).into_response()
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
