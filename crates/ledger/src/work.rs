//! Work that any number of processes share: each item is given to one of them until one says that it is done.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tocsin_protocol::{Entry, Stream};

use crate::{
    Error,
    api::code,
    consumers,
    patience::Patience,
    pull::{Pull, Pulled},
    shared::{NoAnswer, Shared},
    wire::Delivered,
};

/// The durables of the notifiers' work, the most urgent first: the first step of actual incidents, the steps after it, and
/// both of exercises and tests. Each is its own, so that what is urgent waits behind nothing that is not.
pub const NOTIFIER_WORK: [&str; 4] =
    ["notifier", "notifier-later", "notifier-rehearsed", "notifier-rehearsed-later"];

/// Which work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkOptions {
    /// The durable's name, shared by all who do this work.
    pub name: String,
    /// Which subjects of `TOCSIN_LOG` are the work.
    pub filter: String,
    /// An item not done, put off or called busy within this time is given out again.
    pub ack_wait: Duration,
    /// The most items that may be given out and not done.
    pub max_ack_pending: i64,
}

impl WorkOptions {
    /// Those of [`NOTIFIER_WORK`], in its order. What is after the first step is told by what it is not, so all of it is
    /// given there and some passed over.
    pub fn of_notifiers() -> [Self; 4] {
        let filters = ["tocsin.escalation.*.*.*.1", "tocsin.escalation.>"];
        std::array::from_fn(|place| Self {
            name: NOTIFIER_WORK[place].to_owned(),
            filter: filters[place % 2].to_owned(),
            ..Self::default()
        })
    }
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            name: NOTIFIER_WORK[0].to_owned(),
            filter: "tocsin.escalation.>".to_owned(),
            ack_wait: Duration::from_mins(1),
            max_ack_pending: 50_000,
        }
    }
}

/// A share in the work.
#[derive(Debug)]
pub struct Work {
    shared: Arc<Shared>,
    options: WorkOptions,
    pull: Pull,
}

/// One piece of work.
#[derive(Debug)]
pub struct Item {
    /// The fact that asks for it.
    pub entry: Entry,
    /// How often it was given out, this time included.
    pub deliveries: u64,
    shared: Arc<Shared>,
    reply: String,
}

impl Work {
    pub(crate) async fn new(shared: &Arc<Shared>, options: &WorkOptions) -> Result<Self, Error> {
        let ack_wait = have(shared, options).await?;
        let pull = Pull::new(shared, Stream::Log, &options.name).await?;
        Ok(Self { shared: Arc::clone(shared), options: WorkOptions { ack_wait, ..options.clone() }, pull })
    }

    /// An item not done, put off or called busy within this time is given out again. Where this user may not make the
    /// durable, it is as whoever made it said.
    pub fn ack_wait(&self) -> Duration {
        self.options.ack_wait
    }

    /// The next items, at most so many; waits until there is one. Cancelled, it loses nothing.
    ///
    /// # Errors
    /// When the work cannot be had at all: no stream, no permission. Breaks of the connection are waited out.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Item>, Error> {
        let most = most.max(1);
        loop {
            if self.pull.outstanding() < most {
                self.pull.request(most - self.pull.outstanding()).await?;
            }
            let mut items = Vec::new();
            match self.pull.next().await {
                Pulled::Message(message, delivered) => items.push(self.item(message, delivered)),
                // Nobody but our services writes to LOG.
                Pulled::Disguised | Pulled::Ended | Pulled::Forgotten | Pulled::Busy => {}
                Pulled::Gone(why) => {
                    tracing::warn!(consumer = self.options.name, why, "the durable is gone: making it again");
                    have(&self.shared, &self.options).await?;
                }
            }
            while items.len() < most
                && let Some(pulled) = self.pull.next_here()
            {
                if let Pulled::Message(message, delivered) = pulled {
                    items.push(self.item(message, delivered));
                }
            }
            if !items.is_empty() {
                return Ok(items);
            }
        }
    }

    fn item(&self, message: async_nats::Message, delivered: Delivered) -> Item {
        let reply = message.reply.as_deref().unwrap_or_default().to_owned();
        let entry = delivered.entry(Stream::Log, message);
        Item { entry, deliveries: delivered.deliveries, shared: Arc::clone(&self.shared), reply }
    }
}

/// Sees that the durable is there, and gives its `ack_wait`. A consumer could be told to deliver onto any subject, so a
/// user may be barred from making one; the router then has made it.
async fn have(shared: &Shared, options: &WorkOptions) -> Result<Duration, Error> {
    #[derive(serde::Deserialize)]
    struct Info {
        config: Config,
    }
    #[derive(serde::Deserialize)]
    struct Config {
        /// In nanoseconds.
        ack_wait: u64,
    }
    match shared.make_work(options).await {
        Ok(()) => return Ok(options.ack_wait),
        Err(Error::Denied { .. }) => {}
        Err(error) => return Err(error),
    }
    let attempted = format!("looking at consumer {}", options.name);
    let verb = format!("CONSUMER.INFO.{}.{}", Stream::Log.name(), options.name);
    match shared.api::<Info>(&attempted, &verb, &serde_json::json!({})).await? {
        Ok(info) => Ok(Duration::from_nanos(info.config.ack_wait)),
        Err(error) if error.err_code == code::CONSUMER_NOT_FOUND => Err(Error::NoConsumer {
            consumer: options.name.clone(),
            stream: Stream::Log.name(),
            mend: "the router makes it once a directory is in force: see that `tocsin router` runs, or `tocsin directory apply FILE`".to_owned(),
        }),
        Err(error) => Err(error.told(&attempted, Stream::Log, shared)),
    }
}

impl Item {
    /// It has come to its end. Returns when the broker has said that it knows.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the broker did not answer; the item is then given out again.
    pub async fn done(&self) -> Result<(), Error> {
        self.shared.settle(&self.reply, &self.entry.subject).await
    }

    /// It is the work of others, who have it from a durable of their own. Nothing is waited for: should the broker not hear
    /// it, it is given out once more and passed over once more.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn pass_over(&self) -> Result<(), Error> {
        self.tell(Bytes::from_static(b"+ACK")).await
    }

    /// It is to be given out again after this time, to whoever is free.
    ///
    /// # Errors
    /// When the connection is closed; the item is given out again when its time is up.
    pub async fn later(&self, after: Duration) -> Result<(), Error> {
        let delay = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.tell(format!("-NAK {{\"delay\": {delay}}}").into()).await
    }

    /// It takes longer: its time begins anew.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn still_busy(&self) -> Result<(), Error> {
        self.tell(Bytes::from_static(b"+WPI")).await
    }

    async fn tell(&self, what: Bytes) -> Result<(), Error> {
        let told = self.shared.client.publish(self.reply.clone(), what).await;
        told.map_err(|error| Error::Closed { why: error.to_string() })
    }
}

impl Shared {
    /// Makes the durables of the notifiers' work where they are not there.
    pub(crate) async fn ensure_work(&self) -> Result<(), Error> {
        let there = self.consumer_names(Stream::Log).await?;
        for work in WorkOptions::of_notifiers() {
            // One that a notifier made is left as it made it.
            if !there.contains(&work.name) {
                self.make_work(&work).await?;
            }
        }
        Ok(())
    }

    /// Makes the durable of this work, or changes it to be so.
    async fn make_work(&self, options: &WorkOptions) -> Result<(), Error> {
        let WorkOptions { name, filter, ack_wait, max_ack_pending } = options;
        let config = consumers::durable(name, filter, *ack_wait, *max_ack_pending);
        self.make_consumer(Stream::Log, name, &config).await
    }

    /// Whether something waits that has been given to nobody.
    pub(crate) async fn work_waits(&self, name: &str, within: Duration) -> Result<bool, Error> {
        #[derive(serde::Deserialize)]
        struct Info {
            num_pending: u64,
        }
        let attempted = format!("looking at consumer {name}");
        let verb = format!("CONSUMER.INFO.{}.{name}", Stream::Log.name());
        let info: Info = self
            .api_within(&attempted, &verb, &serde_json::json!({}), &mut Patience::up_to(within))
            .await?
            .map_err(|error| error.told(&attempted, Stream::Log, self))?;
        Ok(info.num_pending > 0)
    }

    /// Acknowledges a delivery and waits until the broker says that it knows. One that does not answer in its time has
    /// lost the consumer's leader: giving the message out again does no harm, and waiting longer would.
    pub(crate) async fn settle(&self, reply: &str, subject: &str) -> Result<(), Error> {
        let within = Duration::from_secs(5);
        let attempted = format!("settling {subject}");
        match self.ask(reply, None, Bytes::from_static(b"+ACK"), within).await {
            Ok(_) => Ok(()),
            Err(NoAnswer::Never(error)) => Err(error),
            Err(NoAnswer::Lost(why)) => Err(Error::Unknown { attempted, within, why }),
            Err(NoAnswer::NobodyThere) => {
                Err(Error::Unknown { attempted, within, why: "no consumer answers there".to_owned() })
            }
        }
    }
}
