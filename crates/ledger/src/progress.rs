//! Whether a service gets on: told by the service's own loop, held against what the bus has for it.
//!
//! A timer that goes round says nothing about the work beside it. So what is looked at is the work: whether something has
//! been waiting on the bus since the last look, and the service has not turned meanwhile. A bus that does not answer is
//! nothing that a service could be blamed for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{Error, Ledger, NOTIFIER_WORK};

/// How long the bus may take to tell what it has. Slower, and nothing is known.
const ANSWER: Duration = Duration::from_secs(5);

/// How far a service has come. Clones are one.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Marks>);

#[derive(Debug)]
struct Marks {
    turns: AtomicU64,
    said: AtomicU64,
    log: AtomicU64,
    ready: watch::Sender<bool>,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Marks {
            turns: AtomicU64::new(0),
            said: AtomicU64::new(0),
            log: AtomicU64::new(0),
            ready: watch::Sender::new(false),
        }))
    }
}

impl Progress {
    /// The service has come to the end of a piece of its work.
    pub fn turned(&self) {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The service has taken in both streams up to these sequences.
    pub fn read_through(&self, said: u64, log: u64) {
        self.0.said.fetch_max(said, Ordering::Relaxed);
        self.0.log.fetch_max(log, Ordering::Relaxed);
        self.turned();
    }

    /// Whether the service has taken in both streams up to these sequences.
    pub fn has_read(&self, said: u64, log: u64) -> bool {
        let marks = self.marks();
        marks.said >= said && marks.log >= log
    }

    /// The service does now what it is there for.
    pub fn ready(&self) {
        self.0.ready.send_replace(true);
    }

    /// Ready once the service is.
    pub async fn until_ready(&self) {
        let mut ready = self.0.ready.subscribe();
        // The sender lives in this very value.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    fn marks(&self) -> Marked {
        Marked {
            turns: self.0.turns.load(Ordering::Relaxed),
            said: self.0.said.load(Ordering::Relaxed),
            log: self.0.log.load(Ordering::Relaxed),
        }
    }
}

/// What a service is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// To take in both streams.
    Reading,
    /// To work off what no other has in hand.
    Working,
}

/// What a look at a service shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It gets on, or has nothing to do.
    GetsOn,
    /// Something has been waiting since the last look, and it has not turned.
    Stands,
    /// The bus does not say.
    Unknown,
}

/// Looks at one service, from time to time.
#[derive(Debug)]
pub struct Watch {
    ledger: Ledger,
    progress: Progress,
    job: Job,
    /// The turns at the last look, if something waited then.
    waited: Option<Waited>,
}

#[derive(Debug, Clone, Copy)]
struct Marked {
    turns: u64,
    said: u64,
    log: u64,
}

/// What waited at a look.
#[derive(Debug, Clone, Copy)]
struct Waited {
    turns: u64,
    /// The ends of both streams, where reading them is the duty.
    ends: (u64, u64),
}

impl Watch {
    /// Watches over a service by a connection of the watcher's own.
    pub fn new(ledger: Ledger, progress: Progress, job: Job) -> Self {
        Self { ledger, progress, job, waited: None }
    }

    /// Looks.
    pub async fn look(&mut self) -> Seen {
        let ends = match self.job {
            Job::Reading => {
                self.ledger.touch(ANSWER).await.map(|touch| Some((touch.said_end, touch.log_end)))
            }
            Job::Working => self.work_waits().await.map(|waits| waits.then_some((u64::MAX, u64::MAX))),
        };
        match ends {
            Ok(ends) => self.judge(ends.unwrap_or_default()),
            Err(why) => {
                tracing::debug!(error = %why, "whether this service gets on is not known");
                self.waited = None;
                Seen::Unknown
            }
        }
    }

    async fn work_waits(&self) -> Result<bool, Error> {
        for name in NOTIFIER_WORK {
            if self.ledger.work_waits(name, ANSWER).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn judge(&mut self, ends: (u64, u64)) -> Seen {
        let Marked { turns, said, log } = self.progress.marks();
        let is_behind = |ends: (u64, u64)| said < ends.0 || log < ends.1;
        let then = self.waited.take().filter(|then| then.turns == turns && is_behind(then.ends));
        self.waited = is_behind(ends).then_some(Waited { turns, ends });
        // Work that waited then may have been taken by another since.
        if then.is_some() && self.waited.is_some() { Seen::Stands } else { Seen::GetsOn }
    }
}
