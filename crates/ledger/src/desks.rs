//! The durable consumers that recipients pull from. A recipient may not make one.

use std::{collections::HashSet, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_protocol::{RecipientId, Stream};

use crate::{Error, consumers, shared::Shared};

/// How many are made at a time.
const AT_A_TIME: usize = 32;
/// A notice that a desk took and did not settle is given out again after this.
const ACK_WAIT: Duration = Duration::from_mins(1);
/// The most notices that one recipient's desks may hold and not have settled.
const MAX_ACK_PENDING: i64 = 10_000;

/// The name of a recipient's durable.
pub(crate) fn desk_name(recipient: &RecipientId) -> String {
    format!("desk_{recipient}")
}

impl Shared {
    /// Fails when a recipient's durable is not there.
    pub(crate) async fn desk_is_there(&self, recipient: &RecipientId) -> Result<(), Error> {
        let consumer = desk_name(recipient);
        if self.has_consumer(Stream::Log, &consumer).await? {
            return Ok(());
        }
        let mend = format!(
            "the router makes it when {recipient} is in the directory: see that it is (`tocsin directory show`) and that `tocsin router` runs"
        );
        Err(Error::NoConsumer { consumer, stream: Stream::Log.name(), mend })
    }

    /// Makes the durables that are not there.
    pub(crate) async fn ensure_desks(&self, recipients: &[RecipientId]) -> Result<(), Error> {
        let there: HashSet<String> = self.consumer_names(Stream::Log).await?.into_iter().collect();
        let missing = recipients.iter().filter(|recipient| !there.contains(&desk_name(recipient)));
        let making: Vec<_> = missing.map(|recipient| self.make_desk(recipient)).collect();
        stream::iter(making).buffer_unordered(AT_A_TIME).try_collect().await
    }

    async fn make_desk(&self, recipient: &RecipientId) -> Result<(), Error> {
        let name = desk_name(recipient);
        let filter = format!("tocsin.notice.{recipient}.>");
        let config = consumers::durable(&name, &filter, ACK_WAIT, MAX_ACK_PENDING);
        self.make_consumer(Stream::Log, &name, &config).await
    }
}
