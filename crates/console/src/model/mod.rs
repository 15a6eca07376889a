//! What is known: both streams, folded into what the pages show.
//!
//! Whether something counts is judged by [`tocsin_duty::Fold`] alone; what is kept beside it here is what people read.
//! Nothing here reads a clock to decide: a window is closed when the broker has closed it.

mod hearing;
mod incident;
mod moment;
mod sight;
mod standing;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod trails;
#[cfg(test)]
pub(crate) mod world;

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};

use tocsin_ledger::{Ledger, Progress};
use tocsin_protocol::Timestamp;
use tokio::sync::watch;

use crate::{error::Error, operate::presence::Presence};

pub use hearing::{Ear, Hearing};
pub use incident::{Closed, Incident, Refused, Said};
pub use moment::{Moment, What};
pub use sight::Sight;
pub use standing::{Acknowledgement, Attempt, Duty, Glance, Mail, Post, Standing, State as DutyState};
pub use state::State;
pub use tally::Tally;
pub use trails::{SaidLink, SaidReport, Trails};

/// How often the bus is asked whether it is there.
const TOUCH_EVERY: Duration = Duration::from_secs(1);
/// How long its answer is waited for. A broker that makes two hundred consumers answers late, and is there.
const TOUCH_WITHIN: Duration = Duration::from_secs(4);
/// How long a connection may be gone: most are back at once.
const GONE: Duration = Duration::from_secs(1);

/// What is known, for as many readers as there are pages.
#[derive(Clone)]
pub struct Model {
    state: Arc<RwLock<State>>,
    revision: watch::Receiver<u64>,
    ear: watch::Receiver<Ear>,
    presence: Presence,
}

/// Keeps a model up to date.
pub struct Follower {
    ledger: Ledger,
    state: Arc<RwLock<State>>,
    revision: watch::Sender<u64>,
    ear: watch::Sender<Ear>,
    presence: Presence,
    pub(crate) progress: Progress,
}

impl Model {
    /// A model that knows nothing yet, and who keeps it up to date.
    pub fn new(ledger: Ledger) -> (Self, Follower) {
        let presence = Presence::default();
        let state = Arc::new(RwLock::new(State::hearing(presence.clone())));
        let (revision, revisions) = watch::channel(0);
        let (ear, ears) = watch::channel(Ear::new(Instant::now()));
        let model =
            Self { state: Arc::clone(&state), revision: revisions, ear: ears, presence: presence.clone() };
        let progress = Progress::default();
        (model, Follower { ledger, state, revision, ear, presence, progress })
    }

    /// What is known now. Hold it briefly and never across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        // A reader that panicked has changed nothing, and the follower's panic ends the console.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells each time that something has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.revision.clone()
    }

    /// Whether the bus is heard.
    pub fn ear(&self) -> Ear {
        *self.ear.borrow()
    }

    /// Tells, once a second, whether the bus is heard.
    pub fn ears(&self) -> watch::Receiver<Ear> {
        self.ear.clone()
    }

    /// Whose desk is at work now.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The broker's time now: the one clock.
    pub fn now(&self) -> Timestamp {
        self.ear().now()
    }
}

impl Follower {
    pub(crate) async fn run(self) -> Result<(), Error> {
        tokio::try_join!(
            self.follow(),
            self.listen(),
            self.presence.listen(&self.ledger, self.ear.subscribe())
        )?;
        Ok(())
    }

    async fn follow(&self) -> Result<(), Error> {
        let mut follow = self.ledger.follow().await?;
        loop {
            let read = follow.next().await?;
            self.progress.turned();
            if !read.entries.is_empty() {
                let revision = {
                    let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                    state.take(&read.entries);
                    self.progress.read_through(state.fold.said_through(), state.fold.log_through());
                    state.revision()
                };
                self.revision.send_replace(revision);
            }
            if read.caught_up {
                self.progress.ready();
            }
        }
    }

    /// An open connection proves little: a broker may be held up behind it. So it is asked.
    async fn listen(&self) -> Result<(), Error> {
        loop {
            let asked_at = Instant::now();
            let touched = tokio::select! {
                touched = self.ledger.touch(TOUCH_WITHIN) => touched.map_err(|error| error.to_string()),
                () = self.gone() => Err("the connection is lost".to_owned()),
            };
            let read = {
                let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
                (state.fold.said_through(), state.fold.log_through())
            };
            self.ear.send_modify(|ear| match &touched {
                Ok(touch) => ear.heard(touch, read, asked_at, Instant::now()),
                Err(_) => ear.not_heard(),
            });
            if let Err(error) = touched {
                tracing::warn!("the bus does not answer, and every page says so: {error}");
            }
            tokio::time::sleep(TOUCH_EVERY.saturating_sub(asked_at.elapsed())).await;
        }
    }

    /// Ready once there has been no connection for a while.
    async fn gone(&self) {
        let mut since = None;
        loop {
            if self.ledger.is_connected() {
                since = None;
            } else if since.get_or_insert_with(Instant::now).elapsed() >= GONE {
                return;
            }
            tokio::time::sleep(GONE / 10).await;
        }
    }
}
