//! A desk's end: the notices owed to one recipient.
//!
//! Two ways lead here. The durable is what nothing is lost by: it is pulled from at the start, after each break, and now
//! and then. The wake, which is the broker's own repetition of each notice as it is stored, is what makes it quick: ten
//! thousand desks that all waited in pulls would take seconds to be served. A notice that came both ways is given once.
//!
//! What a durable gives out and is told costs the broker a disk sync each. So no desk looks at its own while notices
//! come: thousands of looks in the midst of a dispatch hold up the rest of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use async_nats::Subscriber;
use futures_util::StreamExt;
use tocsin_protocol::{Entry, RecipientId, Stream};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::{
    Error,
    desks::desk_name,
    presence::{BEAT, present_subject},
    pull::{Pull, Pulled},
    shared::Shared,
    streams::wake_filter,
    wire::placed_entry,
};

/// Notices asked for at a time.
const BATCH: usize = 100;
/// The most notices taken in and not yet given to the caller.
const AHEAD: usize = 64;
/// The pause before a durable that did not answer is pulled from again.
const GONE: Duration = Duration::from_millis(200);
/// How many settled notices are remembered, so that none is given twice.
const SETTLED: usize = 10_000;
/// The durable is looked at this often even when nothing wakes us, in case a wake was lost: this long for one desk, and
/// longer where many share a connection.
const LOOK: Duration = Duration::from_secs(10);
const LOOK_EACH: Duration = Duration::from_millis(5);
/// After a new connection the durable is looked at within this time. Spread, so that not all desks look at once.
const AFTER_RECONNECT: Duration = Duration::from_millis(200);
/// A look waits until nothing has come for this long, though not for longer than it would have been from one to the
/// next.
const CALM: Duration = Duration::from_secs(2);

/// The notices owed to one recipient, each given once in a session, in the order in which they were stored.
#[derive(Debug)]
pub struct Notices {
    shared: Arc<Shared>,
    incoming: mpsc::Receiver<Result<Held, Error>>,
    taking: JoinHandle<()>,
}

/// A notice in hand.
#[derive(Debug)]
pub struct Held {
    /// The notice.
    pub entry: Entry,
    shared: Arc<Shared>,
    known: Arc<Known>,
}

/// What has been given in this session.
#[derive(Debug, Default)]
struct Known(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    /// Not yet settled at the durable.
    open: BTreeMap<u64, Open>,
    /// Settled there, the latest of them: a wake may still come, or the broker may give one out again.
    settled: BTreeSet<u64>,
}

impl Given {
    fn settle(&mut self, sequence: u64) {
        self.open.remove(&sequence);
        self.settled.insert(sequence);
        if self.settled.len() > SETTLED {
            self.settled.pop_first();
        }
    }
}

#[derive(Debug, Default)]
struct Open {
    /// Where to acknowledge it, once the durable has given it out.
    reply: Option<String>,
    settled: bool,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, Given> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notices {
    pub(crate) async fn new(shared: &Arc<Shared>, recipient: &RecipientId) -> Result<Self, Error> {
        shared.desk_is_there(recipient).await?;
        let wakes = shared
            .client
            .subscribe(wake_filter(recipient.as_str()))
            .await
            .map_err(|error| Error::Closed { why: error.to_string() })?;
        let pull = Pull::new(shared, Stream::Log, &desk_name(recipient)).await?;
        let (give, incoming) = mpsc::channel(AHEAD);
        shared.desks.fetch_add(1, Ordering::Relaxed);
        let taker = Taker {
            shared: Arc::clone(shared),
            beat: Beat::new(shared, recipient),
            recipient: recipient.clone(),
            known: Arc::default(),
            wakes,
            pull,
            give,
            spread: spread(recipient),
        };
        Ok(Self { shared: Arc::clone(shared), incoming, taking: tokio::spawn(taker.take()) })
    }

    /// The next notice; waits for one. Cancelled, it loses nothing.
    ///
    /// # Errors
    /// When the notices cannot be had at all any more: the durable is gone, or permissions deny it.
    pub async fn next(&mut self) -> Result<Held, Error> {
        match self.incoming.recv().await {
            Some(held) => held,
            None => Err(Error::Closed { why: "this desk's notices are read no more".to_owned() }),
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.taking.abort();
        self.shared.desks.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Held {
    /// Tells that this notice need not be given out again in a later session. What came by the wake alone is told to
    /// the broker when the durable is looked at next, mostly within ten seconds.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the broker did not answer; the notice may then be given out again.
    pub async fn settle(&self) -> Result<(), Error> {
        let reply = {
            let mut given = self.known.lock();
            let Some(open) = given.open.get_mut(&self.entry.sequence) else { return Ok(()) };
            open.settled = true;
            match open.reply.clone() {
                Some(reply) => {
                    given.settle(self.entry.sequence);
                    reply
                }
                None => return Ok(()),
            }
        };
        self.shared.settle(&reply, &self.entry.subject).await
    }
}

/// A number from 0 to 999 that differs between recipients.
fn spread(recipient: &RecipientId) -> u32 {
    recipient.as_str().bytes().fold(7, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 1000
}

/// Takes notices in, by both ways.
struct Taker {
    shared: Arc<Shared>,
    recipient: RecipientId,
    known: Arc<Known>,
    wakes: Subscriber,
    pull: Pull,
    give: mpsc::Sender<Result<Held, Error>>,
    beat: Beat,
    spread: u32,
}

/// What tells that this desk is at work: it takes in what comes.
struct Beat {
    subject: String,
    at: Instant,
    /// The newest denial known when the last one was sent.
    denied: u64,
    /// Permissions deny it: a bus provisioned before there was any. It is not tried again on this connection.
    silent: bool,
}

impl Beat {
    fn new(shared: &Shared, recipient: &RecipientId) -> Self {
        let denied = *shared.signals.denied().borrow();
        Self { subject: present_subject(recipient.as_str()), at: Instant::now(), denied, silent: false }
    }

    async fn send(&mut self, shared: &Shared) {
        self.at = Instant::now() + BEAT;
        self.silent |= shared.denial(self.denied, &self.subject).is_some();
        if !self.silent && shared.is_connected() {
            self.denied = *shared.signals.denied().borrow();
            // An error means that the connection is closed, and with it the desk.
            let _ = shared.client.publish(self.subject.clone(), bytes::Bytes::new()).await;
        }
    }

    fn anew(&mut self, within: Duration) {
        self.silent = false;
        self.at = Instant::now() + within;
    }
}

impl Taker {
    async fn take(mut self) {
        let mut look_at = Instant::now();
        let mut look_by = look_at;
        loop {
            if self.beat.at <= Instant::now() {
                self.beat.send(&self.shared).await;
            }
            if look_at <= Instant::now() {
                match self.look().await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        // An error means that the desk is gone.
                        let _ = self.give.send(Err(error)).await;
                        return;
                    }
                }
                let pause = self.pause();
                look_at = Instant::now() + pause;
                look_by = look_at + pause;
            }
            let wake = tokio::select! {
                wake = self.wakes.next() => wake,
                () = self.pull.reconnected() => {
                    look_at = Instant::now() + self.within(Duration::ZERO, AFTER_RECONNECT);
                    // Wakes may have been missed: none that comes now puts this off.
                    look_by = look_at;
                    self.beat.anew(self.within(Duration::ZERO, AFTER_RECONNECT));
                    continue;
                }
                () = tokio::time::sleep_until(look_at.min(self.beat.at)) => continue,
            };
            let Some(wake) = wake else { return };
            let Some(entry) = placed_entry(Stream::Log, wake) else { continue };
            look_at = look_at.max(Instant::now() + CALM).min(look_by);
            if !self.give(entry, None).await {
                return;
            }
        }
    }

    fn within(&self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least) * self.spread / 1000
    }

    fn pause(&self) -> Duration {
        let desks = u32::try_from(self.shared.desks.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let look = LOOK.max(LOOK_EACH.saturating_mul(desks));
        self.within(look / 2, look)
    }

    /// Takes in what the durable holds. False when the desk is gone.
    async fn look(&mut self) -> Result<bool, Error> {
        loop {
            if self.pull.outstanding() == 0 {
                self.pull.request_present(BATCH).await?;
            }
            match self.pull.next().await {
                Pulled::Message(message, delivered) => {
                    let reply = message.reply.as_deref().map(str::to_owned);
                    if !self.give(delivered.entry(Stream::Log, message), reply).await {
                        return Ok(false);
                    }
                }
                Pulled::Ended => return Ok(true),
                Pulled::Disguised | Pulled::Forgotten => {}
                Pulled::Gone(why) => {
                    tracing::debug!(why, "the durable does not answer; asking whether it is there");
                    self.shared.desk_is_there(&self.recipient).await?;
                    tokio::time::sleep(GONE).await;
                }
            }
        }
    }

    /// Gives a notice to the desk unless it has it. False when the desk is gone.
    async fn give(&self, entry: Entry, reply: Option<String>) -> bool {
        let sequence = entry.sequence;
        let settled = {
            let mut given = self.known.lock();
            let settled = given.settled.contains(&sequence);
            match given.open.get_mut(&sequence) {
                Some(open) if open.settled && reply.is_some() => {
                    given.settle(sequence);
                    true
                }
                Some(open) => {
                    open.reply = reply.or(open.reply.take());
                    return true;
                }
                None if settled => true,
                None => {
                    given.open.insert(sequence, Open { reply: reply.clone(), settled: false });
                    false
                }
            }
        };
        if settled {
            if let Some(reply) = reply
                && let Err(error) = self.shared.settle(&reply, &entry.subject).await
            {
                tracing::debug!(%error, "a notice is settled when it comes again");
            }
            return true;
        }
        let held = Held { entry, shared: Arc::clone(&self.shared), known: Arc::clone(&self.known) };
        self.give.send(Ok(held)).await.is_ok()
    }
}
