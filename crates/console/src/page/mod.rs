//! The pages.

pub(crate) mod acknowledge;
mod audit;
mod board;
pub(crate) mod fragment;
pub(crate) mod frame;
mod incident;
mod mails;
pub(crate) mod names;
pub(crate) mod publish;
pub(crate) mod reports;
pub(crate) mod words;

use askama::Template;
use axum::{Router, http::StatusCode, response::Response, routing::get};

use self::frame::Frame;
use crate::{app::App, session::Visitor};

pub(crate) use board::View as BoardView;
pub(crate) use incident::View as IncidentView;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(board::show))
        .route("/incidents/{id}", get(incident::show))
        .merge(mails::routes())
        .merge(publish::routes())
        .merge(reports::routes())
        .merge(audit::routes())
        .merge(acknowledge::routes())
}

#[derive(Template)]
#[template(path = "absent.html")]
struct Absent {
    frame: Frame,
}

/// What somebody is told who asks for what is not there, or not there for them: the two are told alike.
pub(crate) fn absent(app: &App, visitor: &Visitor) -> Response {
    frame::answer(StatusCode::NOT_FOUND, &Absent { frame: Frame::of(app, visitor, "") })
}
