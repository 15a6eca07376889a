//! Many entries by one request, for those who may make no consumer.
//!
//! A consumer could be told to deliver onto any subject, so an auditor, a console and a notifier may make none. To ask the
//! stream's leader for entry after entry takes a request each, and the leader answers all of them one by one. A direct get
//! of many is answered by any server, from what it has stored: in order, without a gap, and at most short of the newest.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tocsin_protocol::{Entry, Stream};

use crate::{Error, shared::Shared, wire::placed_entry};

/// The most entries of one.
const MOST: usize = 500;
/// Without a word for so long, the rest is not waited for.
const SILENT: Duration = Duration::from_secs(2);

/// What one request brought: entries in order, from where it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) entries: Vec<Entry>,
    pub(crate) end: End,
}

/// Why it ended there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is as long as one may be, or that server has no more.
    #[default]
    Whole,
    /// The line broke, or what comes next cannot be read by the client library: that is to be fetched by itself.
    Broken,
    /// This user may not ask so: a bus provisioned before it was let.
    Denied,
}

impl Shared {
    /// Reads a stretch of what matches, from a sequence on.
    pub(crate) async fn stretch(&self, stream: Stream, from: u64, filter: &str) -> Result<Stretch, Error> {
        let closed = |why: String| Error::Closed { why };
        let api = self.api_subject(&format!("DIRECT.GET.{}", stream.name()));
        let inbox = self.client.new_inbox();
        let (mut denied, mut connected) = (self.signals.denied(), self.signals.connected());
        let before = *denied.borrow_and_update();
        connected.mark_unchanged();
        let answers = self.client.subscribe(inbox.clone()).await;
        let mut answers = answers.map_err(|why| closed(why.to_string()))?;
        let request = json!({"seq": from, "batch": MOST, "next_by_subj": filter}).to_string();
        let asked = self.client.publish_with_reply(api.clone(), inbox, request.into()).await;
        asked.map_err(|why| closed(why.to_string()))?;
        let mut stretch = Stretch::default();
        let mut next = from;
        stretch.end = loop {
            let message = tokio::select! {
                biased;
                Some(message) = answers.next() => message,
                Ok(()) = denied.changed() => match self.denial(before, &api) {
                    Some(_) => break End::Denied,
                    None => continue,
                },
                Ok(()) = connected.changed() => break End::Broken,
                () = tokio::time::sleep(SILENT) => break End::Broken,
            };
            let has_status = message.status.is_some();
            match placed_entry(stream, message) {
                // What is stored may have a status line too, and it then has a place.
                Some(entry) if !has_status && entry.sequence >= next => {
                    next = entry.sequence + 1;
                    stretch.entries.push(entry);
                }
                None if has_status => break End::Whole,
                _ => break End::Broken,
            }
        };
        Ok(stretch)
    }
}
