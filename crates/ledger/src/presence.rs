//! Which recipients have a desk at work now.
//!
//! A desk tells it with a beat on a plain subject: no fact, in no stream, and gone once it is heard. A beat has no words:
//! who may publish there is the permissions' business (see `deploy/nats`), so nothing in it needs to be believed.

use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt;
use tocsin_protocol::{RecipientId, Subject};

use crate::{Error, shared::Shared};

/// How often a desk at work tells that it is there.
pub const BEAT: Duration = Duration::from_secs(10);

/// Where a recipient's desks tell that they are there; of `*`, where all do.
pub fn present_subject(recipient: &str) -> String {
    format!("{}.present.{recipient}", Subject::ROOT)
}

/// The beats of all desks.
#[derive(Debug)]
pub struct Presence {
    subscriber: Subscriber,
}

impl Presence {
    pub(crate) async fn new(shared: &Shared) -> Result<Self, Error> {
        let subscriber = shared.client.subscribe(present_subject("*")).await;
        let subscriber = subscriber.map_err(|error| Error::Closed { why: error.to_string() })?;
        Ok(Self { subscriber })
    }

    /// The recipient whose desk is heard next; `None` when the connection is closed for good. One desk is heard once in
    /// each [`BEAT`]. While the bus is away none is heard, which says nothing of the desks. Cancelled, it loses nothing.
    pub async fn next(&mut self) -> Option<RecipientId> {
        loop {
            let beat = self.subscriber.next().await?;
            let recipient = beat.subject.rsplit('.').next().and_then(|id| RecipientId::new(id).ok());
            if recipient.is_some() {
                return recipient;
            }
        }
    }
}
