//! Public advice of actual incidents: CAP 1.2 and Atom.

use axum::Router;

use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
}
