//! For those who run it: whether it lives, is ready, and what it measures.

use axum::Router;

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}
