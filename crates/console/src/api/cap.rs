//! An event as CAP 1.2, for systems that speak that: seen by whoever sees its JSON.

use axum::{
    extract::{Path, State as Ours},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use tocsin_exchange::cap::{self, Audience, Named, Told};

use super::{
    problem::Problem,
    read::{heard, id},
};
use crate::{app::App, feed, model::Sight, page::names::Names, session::Visitor};

/// One event. It is addressed to those who are owed it; what a recipient reads names no other.
pub(super) async fn event(
    Ours(app): Ours<App>,
    visitor: Visitor,
    Path((incident, event)): Path<(String, String)>,
) -> Result<Response, Problem> {
    heard(&app)?;
    let state = app.model().read();
    let (incident, sight) = state.seen(&visitor.sees, &id(&incident)?).ok_or_else(Problem::absent)?;
    let said = incident.event(id(&event)?).ok_or_else(Problem::absent)?;
    let audience = match (sight, &said.dispatch) {
        (Sight::Own(standing), _) => Audience::Private(vec![standing.recipient.clone()]),
        (Sight::Whole, Some((_, dispatch))) => {
            Audience::Private(dispatch.recipients().into_keys().cloned().collect())
        }
        (Sight::Whole, None) => Audience::Restricted,
    };
    let earlier: Vec<Told> = incident
        .events
        .iter()
        .take_while(|earlier| earlier.event.sequence < said.event.sequence)
        .map(|earlier| Told { event: earlier.event.sequence, at: earlier.published_at })
        .collect();
    let names = Names::of(&state, incident);
    let zone = names.directory().and_then(|directory| TimeZone::get(directory.time_zone()).ok());
    let called = Named {
        zone: &zone.unwrap_or(TimeZone::UTC),
        domain: feed::place(&app).1,
        publisher: &|id| names.publisher(id),
        area: &|id| names.area(id),
    };
    let alert = cap::export(&said.event, said.published_at, &earlier, &audience, &called);
    Ok(([(CONTENT_TYPE, "application/cap+xml")], alert.to_xml()).into_response())
}
