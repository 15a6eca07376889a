//! What keeps an open page up to date: server-sent events.
//!
//! A page says how far it is up to date (`since`, or `Last-Event-ID` after a break) and is sent the pieces that have changed
//! after that, as markup, each with the `id` of the element whose place it takes. The id of a message is a revision of the
//! model: how much of both streams is known. It means the same to every console, so that a page goes on where it was after
//! a restart, or at another console.
//!
//! Nothing is queued for a page: it is sent what it lacks when it can take it. So a slow one holds no more than one message,
//! and what it missed comes as one.

mod hub;
#[cfg(test)]
mod tests;
mod topic;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio::time::Instant;

use self::{hub::Open, topic::Key};
use crate::{
    app::App,
    model::Sight,
    page::absent,
    session::{Sees, Visitor},
};

pub(crate) use self::hub::Hub;

/// How often it is looked whether somebody may still see what they have open.
const STILL_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/live/board", get(board)).route("/live/incidents/{id}", get(incident))
}

#[derive(Debug, Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

impl Since {
    /// After a break the browser tells how far it came since.
    fn or_last(&self, headers: &HeaderMap) -> u64 {
        last_event_id(headers).unwrap_or(self.since)
    }
}

/// The revision that whoever comes again after a break has heard last.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok())
}

/// Messages as an event stream.
pub(crate) fn event_stream(messages: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    // Told to proxies that would wait for more of it before they pass it on.
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(messages.map(Ok::<_, Infallible>))).into_response()
}

async fn board(
    State(app): State<App>,
    visitor: Visitor,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Response {
    let key = Key::Board(visitor.sees.clone());
    serve(app, visitor, key, since.or_last(&headers))
}

async fn incident(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Response {
    let key = id.parse().ok().and_then(|id| {
        let state = app.model().read();
        let (_, sight) = state.seen(&visitor.sees, &id)?;
        let sees = match sight {
            Sight::Whole => Sees::Everything,
            Sight::Own(standing) => Sees::Recipient(standing.recipient.clone()),
        };
        Some(Key::Incident(id, sees))
    });
    match key {
        Some(key) => serve(app, visitor, key, since.or_last(&headers)),
        None => absent(&app, &visitor),
    }
}

fn serve(app: App, visitor: Visitor, key: Key, since: u64) -> Response {
    let Some(open) = Hub::open(&app, key, since) else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")], "too many pages are open")
            .into_response();
    };
    let line = Line { app, visitor, open, last: since, begun: false, looked: Instant::now() };
    event_stream(stream::unfold(line, async |mut line| Some((line.next().await?, line))))
}

/// The way to one open page.
struct Line {
    app: App,
    visitor: Visitor,
    open: Open,
    /// How far the page is up to date.
    last: u64,
    begun: bool,
    looked: Instant,
}

impl Line {
    /// The next message; none when the page is to come again, if it still may.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            return Some(self.begin());
        }
        loop {
            tokio::select! {
                biased;
                changed = self.open.patches.changed() => {
                    changed.ok()?;
                    let newest = Arc::clone(&self.open.patches.borrow_and_update());
                    if let Some((to, bytes)) = self.open.topic.lacking(self.last, &newest) {
                        self.last = to;
                        return Some(bytes);
                    }
                }
                beat = self.open.beats.changed() => {
                    beat.ok()?;
                    let bytes = self.open.beats.borrow_and_update().clone();
                    if self.looked.elapsed() >= STILL_EVERY {
                        self.looked = Instant::now();
                        if !self.visitor.still(&self.app) {
                            return None;
                        }
                        if self.is_astray() {
                            return Some(Bytes::from_static(b"event: reload\ndata: \n\n"));
                        }
                    }
                    return Some(bytes);
                }
            }
        }
    }

    /// What it hears at once: how long to wait before it comes again, the time, and what it lacks.
    fn begin(&mut self) -> Bytes {
        let ear = self.app.model().ear();
        let (deaf, failing) = hub::words(&self.app);
        // Spread, as all come again at the same time when a console restarts.
        let mut first = format!("retry: {}\n", rand::random_range(500..2_500)).into_bytes();
        first.extend_from_slice(&hub::beat(ear.now(), deaf, failing));
        if self.is_astray() {
            first.extend_from_slice(b"event: reload\ndata: \n\n");
        } else if let Some((to, bytes)) = self.open.topic.since(self.last) {
            self.last = to;
            first.extend_from_slice(&bytes);
        }
        first.into()
    }

    /// Whether the page knows more than there is: it is of another bus, or of this one before its store was lost.
    fn is_astray(&self) -> bool {
        let model = self.app.model();
        model.ear().hearing.is_well() && self.last > model.read().revision()
    }
}
