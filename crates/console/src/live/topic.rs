//! What changes on one page, for everyone who has it open and sees the same of it.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tocsin_protocol::{IncidentId, Timestamp};
use tokio::sync::watch;

use crate::{
    model::State,
    page::{BoardView, IncidentView, fragment::Fragment, words::Zone},
    session::Sees,
};

/// Which page, as whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Board(Sees),
    /// Whoever sees all of an incident sees the same, operator or regulator: it is kept under [`Sees::Everything`].
    Incident(IncidentId, Sees),
}

/// What changed between two revisions, as it goes to every page that was up to date with the first.
#[derive(Debug, Default)]
pub(super) struct Patch {
    from: u64,
    to: u64,
    bytes: Bytes,
}

/// A page that somebody has open. Each piece of it is made once, however many have it open.
pub(super) struct Topic {
    key: Key,
    cache: Mutex<Cache>,
    newest: watch::Sender<Arc<Patch>>,
}

struct Cache {
    /// Every piece that changed after this is kept.
    floor: u64,
    /// Up to here every change has been made into pieces.
    made: u64,
    pieces: HashMap<String, Piece>,
}

struct Piece {
    changed: u64,
    html: Arc<str>,
}

impl Topic {
    pub(super) fn new(key: Key, since: u64) -> Self {
        let cache = Cache { floor: since, made: since, pieces: HashMap::new() };
        let newest = Patch { from: since, to: since, bytes: Bytes::new() };
        Self { key, cache: Mutex::new(cache), newest: watch::Sender::new(Arc::new(newest)) }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Patch>> {
        self.newest.subscribe()
    }

    pub(super) fn is_open(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // What a panic left undone is made again by the next change.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fragments(&self, state: &State, zone: &Zone, now: Timestamp, since: u64) -> Vec<Fragment> {
        match &self.key {
            Key::Board(sees) => BoardView::of(state, sees, zone, now).fragments(since),
            Key::Incident(id, sees) => IncidentView::of(state, sees, id, zone, now)
                .map(|view| view.fragments(since))
                .unwrap_or_default(),
        }
    }

    /// Makes what has changed since the last time, and hands it to every page that is open.
    pub(super) fn make(&self, state: &State, zone: &Zone, now: Timestamp) {
        let revision = state.revision();
        let mut cache = self.cache();
        if revision <= cache.made {
            return;
        }
        let fragments = self.fragments(state, zone, now, cache.made);
        cache.made = revision;
        if fragments.is_empty() {
            return;
        }
        let mut fresh = cache.take(fragments);
        let from = self.newest.borrow().to;
        let patch = Patch { from, to: revision, bytes: patch(revision, &mut fresh) };
        self.newest.send_replace(Arc::new(patch));
    }

    /// Makes sure that everything that changed after `since` is kept: for a page that is older than all others.
    pub(super) fn reach_back(&self, state: &State, zone: &Zone, now: Timestamp, since: u64) {
        let mut cache = self.cache();
        if since < cache.floor {
            let fragments = self.fragments(state, zone, now, since);
            cache.take(fragments);
            cache.floor = since;
        }
    }

    /// What a page that is up to date with `last` lacks, and how far it is up to date then. Nothing where it lacks none.
    pub(super) fn lacking(&self, last: u64, newest: &Patch) -> Option<(u64, Bytes)> {
        if newest.to <= last {
            return None;
        }
        // Nothing changed between the patch before and this one's beginning.
        if last >= newest.from {
            return Some((newest.to, newest.bytes.clone()));
        }
        self.since(last)
    }

    /// Everything that changed after `last`.
    pub(super) fn since(&self, last: u64) -> Option<(u64, Bytes)> {
        let cache = self.cache();
        let mut lacking: Vec<_> = cache
            .pieces
            .values()
            .filter(|piece| piece.changed > last)
            .map(|piece| (piece.changed, Arc::clone(&piece.html)))
            .collect();
        let to = lacking.iter().map(|(changed, _)| *changed).max()?.max(cache.made);
        Some((to, patch(to, &mut lacking)))
    }
}

impl Cache {
    /// Keeps pieces, and gives them back.
    fn take(&mut self, fragments: Vec<Fragment>) -> Vec<(u64, Arc<str>)> {
        if let Some(whole) = fragments.iter().find(|fragment| fragment.whole) {
            let parts = if whole.key == "wall" { ["r-", "g-"] } else { ["i-", "i-"] };
            self.pieces.retain(|key, _| !parts.iter().any(|part| key.starts_with(part)));
        }
        fragments
            .into_iter()
            .map(|fragment| {
                let html: Arc<str> = fragment.html.into();
                let piece = Piece { changed: fragment.changed, html: Arc::clone(&html) };
                self.pieces.insert(fragment.key, piece);
                (fragment.changed, html)
            })
            .collect()
    }
}

/// Pieces as one message of the stream, in the order in which they changed.
fn patch(to: u64, pieces: &mut [(u64, Arc<str>)]) -> Bytes {
    pieces.sort_by_key(|(changed, _)| *changed);
    let mut text = format!("id: {to}\nevent: patch\n");
    for (_, html) in pieces {
        for line in html.lines().filter(|line| !line.trim().is_empty()) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "data: {line}");
        }
    }
    text.push('\n');
    text.into()
}
