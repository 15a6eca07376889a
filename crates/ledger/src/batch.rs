//! JetStream atomic batches (ADR-50), shaped as in `jetstream-extra`: add messages, then commit with the last one.
//!
//! To be replaced by that crate when it stands on the async-nats that we use.

use async_nats::HeaderMap;
use bytes::Bytes;

use crate::{
    Error,
    api::{ApiError, PubAck},
    patience::Patience,
    shared::Shared,
};

const BATCH_ID: &str = "Nats-Batch-Id";
const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// The most messages of one batch: nats-server's limit.
pub(crate) const BATCH_MOST: usize = 1000;

/// A batch under way. Nothing of it is stored until it is committed; dropped, it is forgotten after ten seconds.
#[derive(Debug)]
pub(crate) struct BatchPublish<'a> {
    shared: &'a Shared,
    id: String,
    sequence: u64,
}

impl<'a> BatchPublish<'a> {
    /// Begins a batch.
    pub(crate) fn new(shared: &'a Shared) -> Self {
        // An inbox name is unique, and its last word is within the 64 characters that an id may have.
        let inbox = shared.client.new_inbox();
        let id = inbox.rsplit('.').next().unwrap_or_default().to_owned();
        Self { shared, id, sequence: 0 }
    }

    fn mark(&mut self, headers: &mut HeaderMap) {
        self.sequence += 1;
        headers.insert(BATCH_ID, self.id.as_str());
        headers.insert(BATCH_SEQUENCE, self.sequence.to_string());
    }

    /// Adds a message.
    pub(crate) async fn add_message(
        &mut self,
        subject: String,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<(), Error> {
        self.mark(&mut headers);
        let (size, most) = (body.len(), self.shared.client.max_payload());
        let sent = self.shared.client.publish_with_headers(subject.clone(), headers, body).await;
        sent.map_err(|error| match error.kind() {
            async_nats::PublishErrorKind::MaxPayloadExceeded => Error::TooLarge { subject, size, most },
            _ => Error::Closed { why: error.to_string() },
        })
    }

    /// Adds the last message and commits all. One try: when its answer is lost, the batch is either stored whole or
    /// not at all.
    pub(crate) async fn commit_message(
        mut self,
        subject: &str,
        mut headers: HeaderMap,
        body: Bytes,
        patience: &Patience,
    ) -> Result<Result<PubAck, ApiError>, crate::shared::NoAnswer> {
        self.mark(&mut headers);
        headers.insert(BATCH_COMMIT, "1");
        let message = self.shared.ask(subject, Some(headers), body, patience.answer_within()).await?;
        crate::api::read_message(subject, &message).map_err(crate::shared::NoAnswer::Never)
    }
}
