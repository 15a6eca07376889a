//! Up and across: what bodies report, what the router proposes for linking, and a person's word on it.
//!
//! An operator says whether two trails are of one outage, with its own key; an agency reports what it sees, with the
//! console's. Nothing is merged: a link is a fact beside the two.

mod link;
mod list;
mod report;
mod say;

use axum::{Router, routing::get, routing::post};

pub(crate) use self::{
    list::others,
    say::{Became, say_agencys, say_publishers},
};
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/reports", get(list::show))
        .route("/reports/new", get(report::show).post(report::post))
        .route("/reports/link", post(link::post).get(link::again))
}
