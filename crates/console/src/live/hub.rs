//! Who has which page open, and the one task that makes what changes on them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::Serialize;
use tocsin_protocol::Timestamp;
use tokio::sync::watch;

use super::topic::{Key, Patch, Topic};
use crate::{
    app::App,
    page::{
        frame::{deaf_words, failing_words},
        words::Zone,
    },
};

/// Changes within this time go to a page as one.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often a page hears that it still hears.
const BEAT_EVERY: Duration = Duration::from_millis(1_900);
/// The most pages that may be open.
const OPEN_MOST: usize = 10_000;

/// Everyone who has a page open.
#[derive(Default)]
pub(crate) struct Hub {
    topics: Mutex<HashMap<Key, Arc<Topic>>>,
    beat: watch::Sender<Bytes>,
    open: AtomicUsize,
}

/// A page that is open. Dropping it closes it.
pub(super) struct Open {
    app: App,
    pub(super) topic: Arc<Topic>,
    pub(super) patches: watch::Receiver<Arc<Patch>>,
    pub(super) beats: watch::Receiver<Bytes>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.live().open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct Beat {
    now: Timestamp,
    /// Why the page cannot be believed; empty when it can.
    deaf: String,
    /// That escalation itself fails; empty when it does not.
    failing: String,
}

impl Hub {
    fn topics(&self) -> MutexGuard<'_, HashMap<Key, Arc<Topic>>> {
        // The map is never left half changed.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many pages are open.
    pub(crate) fn open_pages(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Opens a page that is up to date with `since`; none when too many are open.
    pub(super) fn open(app: &App, key: Key, since: u64) -> Option<Open> {
        let hub = app.live();
        if hub.open.fetch_add(1, Ordering::Relaxed) >= OPEN_MOST {
            hub.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // A page may know more than this console has read, or claim to. What others lack is made all the same.
        let made = since.min(app.model().read().revision());
        let (topic, patches, is_new) = {
            let mut topics = hub.topics();
            let known = topics.len();
            let topic = topics.entry(key).or_insert_with_key(|key| Arc::new(Topic::new(key.clone(), made)));
            let topic = Arc::clone(topic);
            (Arc::clone(&topic), topic.subscribe(), topics.len() > known)
        };
        {
            let (state, now) = (app.model().read(), app.model().now());
            let zone = Zone::of(&state);
            if is_new {
                // What changed since the page was made would else wait for the next change.
                topic.make(&state, &zone, now);
            }
            topic.reach_back(&state, &zone, now, since);
        }
        Some(Open { app: app.clone(), topic, patches, beats: hub.beat.subscribe() })
    }

    /// Makes what changes, for as long as the console runs.
    pub(crate) async fn run(app: App) {
        let mut changes = app.model().changes();
        let mut ears = app.model().ears();
        let mut last_beat: Option<(Instant, String, String)> = None;
        loop {
            tokio::select! {
                come = changes.changed() => {
                    if come.is_err() { return }
                    tokio::time::sleep(TOGETHER).await;
                    changes.mark_unchanged();
                    Self::make(&app);
                }
                heard = ears.changed() => {
                    if heard.is_err() { return }
                    let ear = *ears.borrow_and_update();
                    let (deaf, failing) = words(&app);
                    let due = last_beat.as_ref().is_none_or(|(at, was, failed)| {
                        at.elapsed() >= BEAT_EVERY || *was != deaf || failed.is_empty() != failing.is_empty()
                    });
                    if due {
                        app.live().beat.send_replace(beat(ear.now(), deaf.clone(), failing.clone()));
                        last_beat = Some((Instant::now(), deaf, failing));
                    }
                }
            }
        }
    }

    fn make(app: &App) {
        let topics: Vec<_> = {
            let mut topics = app.live().topics();
            topics.retain(|_, topic| topic.is_open());
            topics.values().cloned().collect()
        };
        let now = app.model().now();
        for topic in topics {
            // Taken anew for each, so that whoever reads the streams is held up by no more than one.
            let state = app.model().read();
            topic.make(&state, &Zone::of(&state), now);
        }
    }
}

/// Why no page can be believed, and that escalation fails; each empty where that is not so.
pub(super) fn words(app: &App) -> (String, String) {
    let ear = app.model().ear();
    let state = app.model().read();
    let failing = failing_words(&state, app.config().mail_within, ear.now());
    (deaf_words(ear.hearing, &Zone::of(&state)), failing)
}

/// What a page hears from time to time.
pub(super) fn beat(now: Timestamp, deaf: String, failing: String) -> Bytes {
    let data = serde_json::to_string(&Beat { now, deaf, failing }).unwrap_or_default();
    format!("event: beat\ndata: {data}\n\n").into()
}
