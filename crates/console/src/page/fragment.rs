//! Pieces of a page, each of which can take the place of an earlier one on a page that is open.

use askama::Template;
use tocsin_protocol::Timestamp;

use super::words;

/// A piece of a page. Its markup is one element whose `id` is the key; a page that is open puts it in the place of the
/// element of that `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// The element's `id`.
    pub(crate) key: String,
    /// The revision at which what it shows last changed.
    pub(crate) changed: u64,
    /// Its markup.
    pub(crate) html: String,
    /// Whether it holds all others, so that none of before needs to be kept beside it.
    pub(crate) whole: bool,
}

impl Fragment {
    /// Makes a piece.
    pub(crate) fn new(key: impl Into<String>, changed: u64, piece: &impl Template) -> Self {
        // Templates fail by what they show failing to be shown, and nothing here does.
        let html = piece.render().unwrap_or_default();
        Self { key: key.into(), changed, html, whole: false }
    }
}

/// A moment, and how far off it is: told when the page is made, and counted by the script from then on.
#[derive(Debug, Clone, Template)]
#[template(path = "count.html")]
pub(crate) struct Count {
    at: Timestamp,
    now: Timestamp,
    before: &'static str,
    after: &'static str,
    /// Whether to be past it is a failing.
    overdue: bool,
}

impl Count {
    /// To the closing of a window.
    pub(crate) fn closing(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now, before: "in ", after: "closing, due for ", overdue: false }
    }

    /// To something that was promised.
    pub(crate) fn promised(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now, before: "in ", after: "overdue by ", overdue: true }
    }

    fn is_over(&self) -> bool {
        self.at <= self.now
    }

    fn words(&self) -> String {
        let side = if self.is_over() { self.after } else { self.before };
        format!("{side}{}", words::length(self.at.duration_since(self.now)))
    }
}
