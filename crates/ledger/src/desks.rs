//! The durable consumers that recipients pull from. A recipient may not make one.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_protocol::{RecipientId, Stream};

use crate::{
    Error, consumers,
    shared::{NoAnswer, Shared},
};

/// How many are made at a time.
const AT_A_TIME: usize = 32;
/// A notice that a desk took and did not settle is given out again after this.
const ACK_WAIT: Duration = Duration::from_mins(1);
/// The most notices that one recipient's desks may hold and not have settled.
const MAX_ACK_PENDING: i64 = 10_000;

/// How long nobody answers for a durable that has no leader for the moment.
const ELECTION: Duration = Duration::from_secs(3);

/// The name of a recipient's durable.
pub fn desk_name(recipient: &RecipientId) -> String {
    format!("desk_{recipient}")
}

impl Shared {
    /// Fails when a recipient's durable is not there. It is asked for a notice of no more than one byte, which there
    /// is none of: that needs no right but to pull, takes nothing, and is answered by a durable alone.
    pub(crate) async fn desk_is_there(&self, recipient: &RecipientId) -> Result<(), Error> {
        let consumer = desk_name(recipient);
        let subject = self.api_subject(&format!("CONSUMER.MSG.NEXT.{}.{consumer}", Stream::Log.name()));
        let attempted = format!("looking for consumer {consumer}");
        let request = Bytes::from_static(br#"{"batch": 1, "no_wait": true, "max_bytes": 1}"#);
        let mut patience = self.patience();
        let until = Instant::now() + ELECTION;
        loop {
            let why = match self.ask(&subject, None, request.clone(), patience.answer_within()).await {
                Ok(_) => return Ok(()),
                Err(NoAnswer::Never(error)) => return Err(error),
                Err(NoAnswer::NobodyThere) if Instant::now() >= until => break,
                Err(NoAnswer::NobodyThere) => "no consumer answers there".to_owned(),
                Err(NoAnswer::Lost(why)) => why,
            };
            patience.pause(&attempted, &why).await?;
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
