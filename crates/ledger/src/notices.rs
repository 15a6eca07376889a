//! A desk's end: the notices owed to one recipient.
//!
//! Two ways lead here. The durable is what nothing is lost by: it is pulled from at the start, after each break, and now
//! and then. The wake, which is the broker's own repetition of each notice as it is stored, is what makes it quick: ten
//! thousand desks that all waited in pulls would take seconds to be served. A notice that came both ways is given once.
//!
//! What a durable gives out and is told costs the broker disk syncs. So no desk looks at its own while notices come, and
//! what came by the wake alone is settled at leisure: thousands of looks hold up a dispatch. When a desk looks, and how,
//! is the business of `pace`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tocsin_protocol::{Entry, RecipientId, Stream, Subject};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::{
    Error,
    desks::desk_name,
    pace::{Look, Pace, Times},
    patience::Patience,
    presence::{BEAT, present_subject},
    pull::{Pull, Pulled},
    shared::Shared,
    streams::wake_filter,
    wire::{Delivered, placed_entry},
};

/// Notices asked for at a time.
const BATCH: usize = 100;
/// The most notices taken in and not yet given to the caller.
const AHEAD: usize = 64;
/// The pause before a durable that did not answer is pulled from again.
const GONE: Duration = Duration::from_millis(200);
/// The pause before a durable where an earlier request stands is asked again, and for how long that is tried.
const BUSY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How many settled notices are remembered, so that none is given twice.
const SETTLED: usize = 10_000;

/// The notices owed to one recipient, each given once in a session, in the order in which they were stored. One that the
/// durable gave out into a line that broke may come after later ones, within a minute or so.
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

    /// How many came by their wakes alone, so that the durable has yet to be told of them.
    fn by_wake(&self) -> usize {
        self.open.values().filter(|open| open.reply.is_none()).count()
    }

    fn holds(&self, sequence: u64) -> bool {
        self.open.contains_key(&sequence) || self.settled.contains(&sequence)
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
        Self::at_pace(shared, recipient, Times::USUAL).await
    }

    async fn at_pace(shared: &Arc<Shared>, recipient: &RecipientId, times: Times) -> Result<Self, Error> {
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
            before: None,
            pace: Pace::new(times, spread(recipient), Instant::now()),
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
    /// the broker within about a minute.
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
    pace: Pace,
    /// The newest notice that stood there when the session began: what is newer is of this session. Unknown until it could
    /// be asked for.
    before: Option<u64>,
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
        loop {
            if self.beat.at <= Instant::now() {
                self.beat.send(&self.shared).await;
            }
            let by_wake = self.known.lock().by_wake();
            if let Some(look) = self.pace.due(Instant::now(), by_wake) {
                match self.look(look).await {
                    Ok(true) => continue,
                    Ok(false) => return,
                    Err(error) => {
                        // An error means that the desk is gone.
                        let _ = self.give.send(Err(error)).await;
                        return;
                    }
                }
            }
            let wake = tokio::select! {
                wake = self.wakes.next() => wake,
                late = self.pull.late() => {
                    match late {
                        Some(Pulled::Message(message, delivered)) => {
                            if !self.pulled(message, &delivered).await {
                                return;
                            }
                        }
                        Some(_) => {}
                        None => {
                            self.pace.missed(Instant::now());
                            self.beat.anew(self.pace.after_reconnect());
                        }
                    }
                    continue;
                }
                () = tokio::time::sleep_until(self.pace.next().min(self.beat.at)) => continue,
            };
            let Some(wake) = wake else { return };
            if !self.woken(wake).await {
                return;
            }
        }
    }

    /// Takes in a wake. False when the desk is gone.
    async fn woken(&mut self, wake: Message) -> bool {
        let Some(entry) = placed_entry(Stream::Log, wake) else { return true };
        self.pace.woken(Instant::now());
        self.give(entry, None).await
    }

    /// Takes in the wakes that are here. False when the desk is gone.
    async fn woken_so_far(&mut self) -> bool {
        while let Some(Some(wake)) = self.wakes.next().now_or_never() {
            if !self.woken(wake).await {
                return false;
            }
        }
        true
    }

    /// Takes in what the durable gave. False when the desk is gone.
    async fn pulled(&self, message: Message, delivered: &Delivered) -> bool {
        let reply = message.reply.as_deref().map(str::to_owned);
        self.give(delivered.entry(Stream::Log, message), reply).await
    }

    /// Looks at the durable. False when the desk is gone.
    async fn look(&mut self, look: Look) -> Result<bool, Error> {
        match look {
            Look::Pull => {
                if !self.take_in().await? || self.pace.in_doubt() && !self.take_in_newest().await {
                    return Ok(false);
                }
            }
            Look::Glance => {
                let newest = self.newest().await;
                // It may have come while it was asked for.
                if !self.woken_so_far().await {
                    return Ok(false);
                }
                if !self.is_here(newest) {
                    self.pace.lost(Instant::now());
                    return Ok(true);
                }
            }
        }
        self.pace.looked(look, Instant::now(), self.shared.desks.load(Ordering::Relaxed));
        Ok(true)
    }

    /// The newest notice that stands there.
    async fn newest(&self) -> Result<Option<Entry>, Error> {
        let notices = format!("{}.notice.{}.>", Subject::ROOT, self.recipient);
        self.shared.direct(Stream::Log, &notices, &mut Patience::up_to(self.pace.glance())).await
    }

    /// Whether what a glance found has come. One whose wake was lost before another's that came is found when that one is
    /// settled.
    fn is_here(&self, newest: Result<Option<Entry>, Error>) -> bool {
        match newest {
            Ok(newest) => newest.is_none_or(|newest| self.known.lock().holds(newest.sequence)),
            // The bus is busy, or away; a new connection is a doubt by itself.
            Err(Error::Unknown { .. }) => true,
            Err(error) => {
                tracing::debug!(%error, "whether a wake was lost cannot be seen: the durable is asked");
                false
            }
        }
    }

    /// Takes in the newest notice of this session, should neither way have brought it: what the durable gave out into a
    /// line that broke it gives out again only after a minute. False when the desk is gone.
    async fn take_in_newest(&mut self) -> bool {
        let newest = match self.newest().await {
            Ok(newest) => newest,
            Err(error) => {
                tracing::debug!(%error, "the newest notice cannot be read: it comes by the durable");
                return true;
            }
        };
        let sequence = newest.as_ref().map_or(0, |newest| newest.sequence);
        if !self.woken_so_far().await {
            return false;
        }
        match newest {
            Some(newest) if self.before.is_some_and(|before| sequence > before) => {
                self.pace.woken(Instant::now());
                self.give(newest, None).await
            }
            _ => {
                self.before.get_or_insert(sequence);
                true
            }
        }
    }

    /// Takes in what the durable holds. False when the desk is gone.
    async fn take_in(&mut self) -> Result<bool, Error> {
        let (pause, long) = BUSY;
        let until = Instant::now() + long;
        loop {
            if self.pull.outstanding() == 0 {
                self.pull.request_present(BATCH).await?;
            }
            match self.pull.next().await {
                Pulled::Message(message, delivered) => {
                    if !self.pulled(message, &delivered).await {
                        return Ok(false);
                    }
                }
                Pulled::Ended => return Ok(true),
                // Whatever that request brings is taken in as it comes.
                Pulled::Busy if Instant::now() >= until => return Ok(true),
                Pulled::Busy => tokio::time::sleep(pause).await,
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

#[cfg(test)]
mod tests;
