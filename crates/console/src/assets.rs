//! The style sheet and the script, part of the program.

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(
            "/assets/console.css",
            get(async || file("text/css; charset=utf-8", include_str!("../assets/console.css"))),
        )
        .route(
            "/assets/console.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("../assets/console.js"))),
        )
        // Where browsers look by themselves.
        .route("/favicon.ico", get(async || file("image/svg+xml", include_str!("../assets/icon.svg"))))
        .route("/assets/icon.svg", get(async || file("image/svg+xml", include_str!("../assets/icon.svg"))))
}

fn file(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-cache")], text)
}
