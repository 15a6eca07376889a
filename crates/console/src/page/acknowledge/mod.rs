//! Acknowledgement by a person: on an incident's page by somebody who has signed in for an agency, and by the link of a
//! mail by whoever has that mail.
//!
//! The console signs with its own key and holds no agency's. What it says is a receipt like any other, which names its door
//! and counts by the rules of `tocsin_duty`: so nobody is told that it counts before this console has read that it does.

mod by_link;
mod on_page;
mod say;
#[cfg(test)]
mod tests;
mod view;
mod voice;

use axum::{Router, routing::get};

pub(crate) use self::{
    say::{Fate, say_receipt},
    voice::{Voice, shut},
};
use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/incidents/{id}/acknowledge", get(on_page::show).post(on_page::post))
        .route("/a/{token}", get(by_link::show).post(by_link::post))
}
