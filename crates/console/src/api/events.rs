//! What changes, as it does: server-sent events for programs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::State as Ours,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tocsin_protocol::{IncidentId, Timestamp};
use tokio::{sync::watch, time::Instant};

use super::{
    problem::{Asked, Problem},
    view::Heard,
};
use crate::{
    app::App,
    live::{event_stream, last_event_id},
    model::{Incident, Sight},
    session::Visitor,
};

/// Changes within this time are told as one.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often it is told that it is still heard, and looked whether they may still hear it.
const BEAT: Duration = Duration::from_secs(10);
/// The most streams that may be open.
const OPEN_MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    since: Option<u64>,
}

/// How many streams are open.
#[derive(Clone, Default)]
pub(super) struct Open(Arc<AtomicUsize>);

/// One of them. Dropping it closes it.
struct One(Arc<AtomicUsize>);

impl Open {
    fn one(&self) -> Option<One> {
        let one = One(Arc::clone(&self.0));
        (self.0.fetch_add(1, Ordering::Relaxed) < OPEN_MOST).then_some(one)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct Changed {
    revision: u64,
    incidents: Vec<IncidentId>,
}

#[derive(Serialize)]
struct Beat {
    hearing: Heard,
    now: Timestamp,
}

struct Line {
    app: App,
    visitor: Visitor,
    changes: watch::Receiver<u64>,
    last: u64,
    beat_at: Instant,
    _open: One,
}

pub(super) fn events(
    open: &Open,
    Ours(app): Ours<App>,
    visitor: Visitor,
    headers: &HeaderMap,
    Asked(since): Asked<Since>,
) -> Result<Response, Problem> {
    let Some(open) = open.one() else {
        let detail = "too many event streams are open: ask for /notices or /incidents from time to time";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).after(30));
    };
    let last = last_event_id(headers).or(since.since).unwrap_or_else(|| app.model().read().revision());
    let mut changes = app.model().changes();
    // What changed before it was opened is told at once.
    changes.mark_changed();
    let line = Line { app, visitor, changes, last, beat_at: Instant::now(), _open: open };
    Ok(event_stream(stream::unfold(line, async |mut line| Some((line.next().await?, line)))))
}

impl Line {
    /// The next message; none when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.beat_at <= Instant::now() {
                self.beat_at = Instant::now() + BEAT;
                if !self.visitor.still(&self.app) {
                    return None;
                }
                let ear = self.app.model().ear();
                return Some(message("beat", None, &Beat { hearing: ear.hearing.into(), now: ear.now() }));
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.beat_at) => {}
                changed = self.changes.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(TOGETHER).await;
                    self.changes.mark_unchanged();
                    let changed = self.changed();
                    self.last = self.last.max(changed.revision);
                    if !changed.incidents.is_empty() {
                        return Some(message("changed", Some(changed.revision), &changed));
                    }
                }
            }
        }
    }

    fn changed(&self) -> Changed {
        let state = self.app.model().read();
        let since = self.last;
        let incidents = state
            .seen_by(&self.visitor.sees)
            .filter(|(incident, sight)| last_change(incident, *sight) > since)
            .map(|(incident, _)| incident.id.clone());
        Changed { incidents: incidents.collect(), revision: state.revision() }
    }
}

/// The revision at which what they see of an incident last changed.
fn last_change(incident: &Incident, sight: Sight<'_>) -> u64 {
    match sight {
        Sight::Whole => incident.changed.max(incident.shared_changed).max(incident.windows_changed),
        Sight::Own(standing) => incident.shared_changed.max(standing.changed),
    }
}

fn message(event: &str, id: Option<u64>, data: &impl Serialize) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("{id}event: {event}\ndata: {data}\n\n").into()
}
