//! What is known: both streams, folded into what the pages show.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tocsin_duty::Fold;
use tocsin_ledger::Ledger;
use tokio::sync::watch;

use crate::error::Error;

/// What is known, for as many readers as there are pages.
#[derive(Clone)]
pub struct Model {
    state: Arc<RwLock<State>>,
    revision: watch::Receiver<u64>,
}

/// What is known at one moment.
#[derive(Default)]
pub struct State {
    /// Both streams, folded.
    pub fold: Fold,
}

/// Keeps a model up to date.
pub struct Follower {
    ledger: Ledger,
    state: Arc<RwLock<State>>,
    revision: watch::Sender<u64>,
}

impl Model {
    /// A model that knows nothing yet, and who keeps it up to date.
    pub fn new(ledger: Ledger) -> (Self, Follower) {
        let state = Arc::new(RwLock::new(State::default()));
        let (sender, receiver) = watch::channel(0);
        (Self { state: Arc::clone(&state), revision: receiver }, Follower { ledger, state, revision: sender })
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
}

impl Follower {
    pub(crate) async fn run(self) -> Result<(), Error> {
        let mut follow = self.ledger.follow().await?;
        loop {
            let read = follow.next().await?;
            if read.entries.is_empty() {
                continue;
            }
            {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                for entry in &read.entries {
                    state.fold.apply(entry);
                }
            }
            self.revision.send_modify(|revision| *revision += 1);
        }
    }
}
