//! The raw limit: the client library alone, in the fastest way that still stores durably.

use async_nats::{Client, HeaderMap};
use bytes::Bytes;

use crate::error::{Attempt, Error};

/// The most messages of one atomic batch.
const BATCH: usize = 1000;

/// One message to store.
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Stores messages as atomic batches (ADR-50), one disk sync each, and waits for the acknowledgement of each batch.
pub(super) async fn store(client: &Client, batch: &str, messages: Vec<Message>) -> Result<(), Error> {
    let mut messages = messages.into_iter().peekable();
    let mut number = 0;
    while messages.peek().is_some() {
        number += 1;
        let id = format!("{batch}-{number}");
        let mut sequence = 0;
        while let Some(Message { subject, mut headers, body }) = messages.next() {
            sequence += 1;
            headers.insert("Nats-Batch-Id", id.as_str());
            headers.insert("Nats-Batch-Sequence", sequence.to_string());
            if sequence < BATCH && messages.peek().is_some() {
                // The first is answered too, to no avail here: the commit's answer tells all.
                client.publish_with_headers(subject, headers, body).await.attempt("store a batch")?;
                continue;
            }
            headers.insert("Nats-Batch-Commit", "1");
            let answer =
                client.request_with_headers(subject, headers, body).await.attempt("store a batch")?;
            let answer: serde_json::Value =
                serde_json::from_slice(&answer.payload).attempt("read the answer to a batch")?;
            if let Some(error) = answer.get("error") {
                return Err(Error::told(format!("the broker refused a raw batch: {error}")));
            }
            break;
        }
    }
    Ok(())
}
