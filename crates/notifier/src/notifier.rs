//! The loop: takes work, keeps a bounded number of items under way, and stops cleanly.

use std::{
    collections::HashSet,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use futures_util::future::join_all;
use tocsin_duty::Pin;
use tocsin_ledger::{Item, Ledger, Progress, Work, WorkOptions};
use tocsin_protocol::{Escalation, TraceId, from_body};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use crate::{
    attempt::Which,
    config::{Config, Settings},
    error::Error,
    events::Events,
    gate::Gate,
    gathering::{PutOff, READS_AT_A_TIME},
    metrics,
    order::Lane,
    post::{Post, Then},
    relay::Relay,
    standing::Standing,
    token::Tokens,
    trusted::Trusted,
    writer::Writer,
};

/// The pause after the ledger gave no work because it failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Items under way for each connection: most are being written down, at some 20 ms each way, while others are sent.
const PER_CONNECTION: usize = 128;
/// The fewest and the most items of a lane under way. The fewest are more than may wait for one domain.
const UNDER_WAY: (usize, usize) = (512, 1024);
/// Between two looks for a durable that is not there, and after how many it is warned of again.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS_A_WARNING: u32 = 60;
/// Digests in hand for each connection, and the fewest: as many are made up or written down as are sent.
const DIGESTS: (usize, usize) = (2, 8);

/// Works off escalations. Any number may run at once, on any number of machines: they share the work.
pub struct Notifier {
    ledger: Ledger,
    settings: Settings,
    relays: Vec<Relay>,
    progress: Progress,
    pin: Option<Pin>,
}

impl Notifier {
    /// Makes a notifier ready. Nothing is sent or written yet.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::File`], with the field and what to write, when the configuration cannot be used.
    pub fn new(ledger: Ledger, config: &Config) -> Result<Self, Error> {
        let settings = config.check()?;
        for warning in config.shared_fate() {
            tracing::warn!("escalation shares fate: {warning}");
        }
        let relays = settings.relays.iter().cloned().map(Relay::new).collect::<Result<_, _>>()?;
        Ok(Self { ledger, settings, relays, progress: Progress::default(), pin: None })
    }

    /// Tells here how far it has come. It is ready once it takes work, knowing who has acknowledged.
    #[must_use]
    pub fn telling(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// Works only while the directory in force stands under this key: see [`tocsin_duty::Pin`]. Under another it says so, is
    /// not ready, and takes no work. Without one, any directory in force will do.
    #[must_use]
    pub fn trusting(self, pin: Option<Pin>) -> Self {
        Self { pin, ..self }
    }

    /// Works until `shutdown` is ready; then takes no more work, lets what is being sent come to its end, writes that
    /// down, and leaves the rest to others.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the work cannot be had at all: wrong permissions, no streams, streams with other settings
    /// than ours. What merely fails for a time is tried again, and durables that a router has yet to make are waited for.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let mut shutdown = pin!(shutdown);
        self.ledger.verify().await?;
        let mut work = Vec::new();
        for (lane, options) in Lane::ALL.into_iter().zip(WorkOptions::of_notifiers()) {
            let options = WorkOptions { ack_wait: self.settings.takeover, ..options };
            tokio::select! {
                share = share(&self.ledger, &options) => work.push((lane, share?)),
                () = &mut shutdown => return Ok(()),
            }
        }
        let connections: usize =
            self.settings.relays.iter().map(|relay| relay.connections).max().unwrap_or(1);
        let digests = (connections * DIGESTS.0).max(DIGESTS.1);
        let slowest = self.settings.relays.iter().map(|relay| relay.timeout).max().unwrap_or_default();
        let (stop, stopping) = watch::channel(false);
        let post = Arc::new(Post {
            writer: Writer::start(self.ledger.clone()),
            events: Events::new(self.ledger.clone()),
            reads: Semaphore::new(READS_AT_A_TIME),
            digests: Semaphore::new(digests),
            again: Semaphore::new(digests),
            standing: Standing::follow(self.ledger.clone(), self.settings.digest),
            trusted: Trusted::under(self.pin),
            tokens: Tokens::new(),
            put_off: PutOff::default(),
            told_of_no_links: AtomicBool::new(false),
            ledger: self.ledger,
            letterhead: self.settings.letterhead,
            retry: self.settings.retry,
            gate: Gate::new(&self.settings.relays, &self.settings.domains),
            relays: self.relays,
            stopping,
        });
        let under_way = Arc::default();
        let (mut desks, work): (Vec<_>, Vec<_>) = work
            .into_iter()
            .map(|(lane, work)| {
                let slots = (connections * PER_CONNECTION).clamp(UNDER_WAY.0, UNDER_WAY.1);
                let desk = Desk {
                    lane,
                    post: Arc::clone(&post),
                    slots: Arc::new(Semaphore::new(slots)),
                    under_way: Arc::clone(&under_way),
                    beat: work.ack_wait() / 3,
                    tasks: JoinSet::new(),
                    progress: self.progress.clone(),
                };
                (desk, work)
            })
            .unzip();
        let at_work = async {
            post.wait_for_what_is_known().await;
            post.trusted.until_so(&post.standing, &self.progress).await;
            self.progress.ready();
            join_all(desks.iter_mut().zip(work).map(|(desk, work)| desk.take(work))).await
        };
        tokio::select! {
            () = &mut shutdown => {}
            _ = at_work => {}
            () = metrics::tell(&post.gate, self.settings.metrics.as_deref()) => {}
        }
        // A send outlives its relay's timeout at most three times over, and its end is then to be written.
        stop.send_replace(true);
        post.gate.close();
        post.digests.close();
        post.again.close();
        post.relays.iter().for_each(Relay::close_to_new);
        let within = slowest.saturating_mul(3) + Duration::from_secs(5);
        join_all(desks.iter_mut().map(|desk| desk.finish(within))).await;
        for relay in &post.relays {
            relay.close().await;
        }
        Ok(())
    }
}

/// A share in this work. Where a notifier may not make the durable, the router does once a directory is in force: a service
/// that starts before that waits for it.
async fn share(ledger: &Ledger, options: &WorkOptions) -> Result<Work, Error> {
    let mut looks = 0_u32;
    loop {
        match ledger.work(options).await {
            Err(why @ tocsin_ledger::Error::NoConsumer { .. }) => {
                if looks.is_multiple_of(LOOKS_A_WARNING) {
                    tracing::warn!("waiting for work: {why}");
                }
                looks = looks.wrapping_add(1);
                tokio::time::sleep(LOOK).await;
            }
            had => return Ok(had?),
        }
    }
}

/// The lane of an item; none of what is no escalation, which is the first lane's to put aside. What an escalation's body
/// does not tell is taken for actual.
fn lane(item: &Item) -> Lane {
    let status =
        from_body::<Escalation>("escalation", &item.entry.body).ok().map(|escalation| escalation.status);
    Which::of(&item.entry.subject).map_or(Lane::Actual, |which| Lane::of(status, which.step))
}

/// The items of a lane under way.
struct Desk {
    lane: Lane,
    post: Arc<Post>,
    slots: Arc<Semaphore>,
    under_way: Arc<Mutex<HashSet<u64>>>,
    beat: Duration,
    tasks: JoinSet<()>,
    progress: Progress,
}

impl Desk {
    /// Takes work for ever.
    async fn take(&mut self, mut work: Work) {
        loop {
            while self.tasks.try_join_next().is_some() {}
            self.post.trusted.until_so(&self.post.standing, &self.progress).await;
            // The first slot is waited for; then as many as are free.
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            let mut slots = vec![slot];
            while let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
                slots.push(slot);
            }
            match work.next(slots.len()).await {
                Ok(items) => {
                    self.progress.turned();
                    let mut slots = slots.into_iter();
                    for item in items {
                        if !self.post.trusted.is_so(&self.post.standing) {
                            // It came while another directory did; not heard, it is given out again when its time is up.
                            let _ = item.later(Duration::ZERO).await;
                        } else if lane(&item) != self.lane {
                            // Not heard, it is passed over once more.
                            let _ = item.pass_over().await;
                        } else if let Some(slot) = slots.next() {
                            self.start(item, slot);
                        }
                    }
                }
                Err(why) => {
                    tracing::warn!(error = %why, "no work can be taken; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn start(&mut self, item: Item, slot: OwnedSemaphorePermit) {
        let sequence = item.entry.sequence;
        let Some(mine) = Mine::new(&self.under_way, sequence) else {
            tracing::debug!(sequence, "handed out again while it is under way here");
            return;
        };
        let (post, beat, lane) = (Arc::clone(&self.post), self.beat, self.lane);
        let progress = self.progress.clone();
        self.tasks.spawn(async move {
            work_off(&post, &item, lane, beat).await;
            progress.turned();
            drop((mine, slot));
        });
    }

    async fn finish(&mut self, within: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!(
                items = self.tasks.len(),
                "some items did not come to an end in time; they are taken up again, their attempts marked unknown"
            );
            self.tasks.shutdown().await;
        }
    }
}

async fn work_off(post: &Post, item: &Item, lane: Lane, beat: Duration) {
    // A slow relay must not look like a dead notifier.
    let signs_of_life = async {
        loop {
            tokio::time::sleep(beat).await;
            if let Err(why) = item.still_busy().await {
                tracing::debug!(error = %why, "the broker could not be told that an item is still under way");
            }
        }
    };
    let then = tokio::select! {
        then = post.work_off(item, lane) => then,
        () = signs_of_life => Then::Leave,
    };
    let told = match then {
        Then::Done => item.done().await,
        Then::Later(pause) | Then::PutOff(pause) => item.later(pause).await,
        Then::Leave => Ok(()),
    };
    if let Err(why) = told {
        tracing::warn!(trace_id = TraceId::on(&item.entry.subject).map(tracing::field::display), subject = %item.entry.subject, error = %why, "the broker could not be told what became of an item; it is handed out again, and the record tells");
    }
}

/// The mark of an item that is under way in this process, for as long as it lives.
struct Mine {
    under_way: Arc<Mutex<HashSet<u64>>>,
    sequence: u64,
}

impl Mine {
    fn new(under_way: &Arc<Mutex<HashSet<u64>>>, sequence: u64) -> Option<Self> {
        let fresh = under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(sequence);
        fresh.then(|| Self { under_way: Arc::clone(under_way), sequence })
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.sequence);
    }
}
