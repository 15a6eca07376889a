//! Pulling from one consumer.
//!
//! Not by the client library's own iterator: it takes a stored message whose headers begin with a status line, which
//! any stranger can write, for a message of the server, and pulls it for ever.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use tocsin_protocol::Stream;
use tokio::sync::watch;

use crate::{Error, shared::Shared, wire::Delivered};

/// For how long a request to be told of new messages stands.
const EXPIRES: Duration = Duration::from_secs(30);
/// The server says at these intervals that it still knows of the request.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Without a word for this long, the request is taken to be forgotten.
const SILENT: Duration = Duration::from_secs(12);

/// What the server says of a request for what is there, while one before it stands.
const REQUESTS_PENDING: &str = "Requests Pending";

/// What a consumer gave.
#[derive(Debug)]
pub(crate) enum Pulled {
    /// A stored message and its place.
    Message(Message, Delivered),
    /// A stored message that the client library cannot have read rightly: it has a status line of its own.
    Disguised,
    /// The request has ended: nothing more for now.
    Ended,
    /// There is no such consumer any more, or nobody leads it for the moment.
    Gone(String),
    /// The connection was made anew, or no heartbeat came: what was asked for may be forgotten.
    Forgotten,
    /// An earlier request stands there still, and was asked for as much as there is: it is to be asked again.
    Busy,
}

/// A subscription to what one consumer gives.
#[derive(Debug)]
pub(crate) struct Pull {
    shared: Arc<Shared>,
    api: String,
    inbox: String,
    subscriber: Subscriber,
    connected: watch::Receiver<u64>,
    /// Which requests are waited for. What the server tells of an earlier one, which was given up and may stand all the
    /// same, ends none of these.
    asking: u64,
    outstanding: usize,
    heard: Instant,
}

impl Pull {
    /// Subscribes. Nothing is given before it is requested.
    pub(crate) async fn new(shared: &Arc<Shared>, stream: Stream, consumer: &str) -> Result<Self, Error> {
        let inbox = shared.client.new_inbox();
        let subscriber = shared
            .client
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(|error| Error::Closed { why: error.to_string() })?;
        let mut connected = shared.signals.connected();
        connected.mark_unchanged();
        Ok(Self {
            shared: Arc::clone(shared),
            api: shared.api_subject(&format!("CONSUMER.MSG.NEXT.{}.{consumer}", stream.name())),
            inbox,
            subscriber,
            connected,
            asking: 0,
            outstanding: 0,
            heard: Instant::now(),
        })
    }

    /// How many messages are asked for and have not come.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Asks for messages, those to come among them.
    pub(crate) async fn request(&mut self, batch: usize) -> Result<(), Error> {
        let nanoseconds = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let request = json!({
            "batch": batch, "expires": nanoseconds(EXPIRES), "idle_heartbeat": nanoseconds(HEARTBEAT),
        });
        self.send(batch, &request).await
    }

    /// Asks for messages that are there already. [`Pulled::Ended`] follows the last.
    pub(crate) async fn request_present(&mut self, batch: usize) -> Result<(), Error> {
        self.send(batch, &json!({"batch": batch, "no_wait": true})).await
    }

    async fn send(&mut self, batch: usize, request: &serde_json::Value) -> Result<(), Error> {
        self.outstanding += batch;
        self.heard = Instant::now();
        self.shared
            .client
            .publish_with_reply(self.api.clone(), self.reply(), request.to_string().into())
            .await
            .map_err(|error| Error::Closed { why: error.to_string() })
    }

    fn reply(&self) -> String {
        format!("{}.{}", self.inbox, self.asking)
    }

    /// Nothing that was asked for is waited for any more, though what comes of it all the same is taken in.
    fn give_up(&mut self) {
        self.asking += 1;
        self.outstanding = 0;
    }

    /// The next message, or why none comes. Cancelled, it loses nothing.
    pub(crate) async fn next(&mut self) -> Pulled {
        loop {
            let silent = tokio::time::Instant::from_std(self.heard + SILENT);
            let message = tokio::select! {
                biased;
                message = self.subscriber.next() => message,
                Ok(()) = self.connected.changed() => {
                    self.give_up();
                    return Pulled::Forgotten;
                }
                () = tokio::time::sleep_until(silent) => {
                    self.give_up();
                    self.heard = Instant::now();
                    return Pulled::Forgotten;
                }
            };
            let Some(message) = message else {
                // The client ends its subscriptions only when it ends itself.
                self.give_up();
                return Pulled::Gone("the connection to NATS is closed".to_owned());
            };
            if let Some(pulled) = self.read(message) {
                return pulled;
            }
        }
    }

    /// What comes while nothing is asked for, of a request that was given up; none when the connection is made anew.
    pub(crate) async fn late(&mut self) -> Option<Pulled> {
        loop {
            let message = tokio::select! {
                message = self.subscriber.next() => message,
                Ok(()) = self.connected.changed() => {
                    self.give_up();
                    return None;
                }
            };
            match message {
                Some(message) => {
                    if let Some(pulled) = self.read(message) {
                        return Some(pulled);
                    }
                }
                // The connection is closed, for good.
                None => std::future::pending().await,
            }
        }
    }

    /// A message that is here already.
    pub(crate) fn next_here(&mut self) -> Option<Pulled> {
        loop {
            let message = futures_util::FutureExt::now_or_never(self.subscriber.next())??;
            if let Some(pulled) = self.read(message) {
                return Some(pulled);
            }
        }
    }

    fn read(&mut self, message: Message) -> Option<Pulled> {
        self.heard = Instant::now();
        if let Some(delivered) = message.reply.as_deref().and_then(Delivered::parse) {
            self.outstanding = self.outstanding.saturating_sub(1);
            return Some(if message.status.is_none() {
                Pulled::Message(message, delivered)
            } else {
                Pulled::Disguised
            });
        }
        if message.subject.as_str() != self.reply() {
            return None;
        }
        let left = || {
            let headers = message.headers.as_ref()?;
            headers.get("Nats-Pending-Messages")?.as_str().parse::<usize>().ok()
        };
        match message.status.map(|status| status.as_u16()) {
            Some(408) if message.description.as_deref() == Some(REQUESTS_PENDING) => {
                self.give_up();
                Some(Pulled::Busy)
            }
            Some(404 | 408) => {
                self.outstanding = self.outstanding.saturating_sub(left().unwrap_or(usize::MAX));
                Some(Pulled::Ended)
            }
            Some(status) if status != 100 => {
                self.give_up();
                let why = message.description.unwrap_or_default();
                Some(Pulled::Gone(format!("{why} ({status})")))
            }
            // A heartbeat; or whatever it is, no delivery: nobody but the server writes to this inbox.
            _ => None,
        }
    }
}
