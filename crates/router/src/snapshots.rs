//! Snapshots of the fold: when one is due, and keeping it.
//!
//! A start reads both streams from their beginning, which takes seconds once they hold a million entries. So now and then
//! a router keeps its fold as bytes (see `ledger::snapshot`), and the next start folds only what came since. It is an
//! optimisation: nothing rests on it, and where one is in any doubt everything is read.
//!
//! It is kept behind a checkpoint that states exactly what was folded, and so only when the streams have been quiet for a
//! moment: the loop stands still while the fold is written out, a quarter of a second for a million entries. A router
//! without the directory's key keeps none.

use tocsin_duty::{Fold, Trust};
use tocsin_ledger::{Error, Follow, Ledger};
use tocsin_protocol::{Entry, Snapshot};
use tokio::task::JoinHandle;

use crate::checkpoints::Checkpoints;

/// After so many entries one is due. They are folded in a quarter of a second, and in some seconds by whoever checks every
/// signature.
pub(crate) const EVERY: u64 = 50_000;

/// The snapshots that this router keeps.
pub(crate) struct Snapshots {
    every: u64,
    /// How many entries the newest is of, as far as is known here.
    newest: u64,
    keeping: Option<JoinHandle<()>>,
}

impl Snapshots {
    pub(crate) fn new(every: u64) -> Self {
        Self { every, newest: 0, keeping: None }
    }

    /// Begins behind the newest that can be believed; with a fold that has read nothing where there is none.
    pub(crate) async fn begin(
        &mut self,
        ledger: &Ledger,
        trust: Trust,
    ) -> Result<(Fold, Option<Snapshot>, Follow), Error> {
        let read = |snapshot: &Snapshot, bytes: &[u8], directories: &[Entry]| {
            Fold::begun(snapshot, bytes, directories, trust.clone())
        };
        let (state, follow) =
            ledger.follow_from_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await?;
        // What becomes of a window rests on the order of what was said and its close.
        let follow = follow.sounding();
        Ok(match state {
            Some((fold, snapshot)) => {
                self.newest = snapshot.entries();
                (fold, Some(snapshot), follow)
            }
            None => (Fold::trusting(trust), None, follow),
        })
    }

    /// Whether one is to be kept at the next quiet moment.
    pub(crate) fn is_due(&self, fold: &Fold) -> bool {
        let under_way = self.keeping.as_ref().is_some_and(|keeping| !keeping.is_finished());
        !under_way && entries(fold) >= self.newest.saturating_add(self.every)
    }

    /// Keeps one, if it is due and a checkpoint states what was folded. Whatever prevents it harms nothing: the next quiet
    /// moment will do as well.
    pub(crate) async fn keep(&mut self, ledger: &Ledger, fold: &Fold, checkpoints: &Checkpoints) {
        if !self.is_due(fold) {
            return;
        }
        let (Some((key, public)), Some((said, log))) = (checkpoints.key(), checkpoints.stated()) else {
            return;
        };
        if (said.through, log.through) != (fold.said_through(), fold.log_through()) {
            return;
        }
        let form = Fold::form();
        // Another router may have kept one meanwhile.
        match ledger.newest_snapshot(&form, public).await {
            Ok(there) => self.newest = self.newest.max(there.unwrap_or(0).min(entries(fold))),
            Err(why) => return cannot(&why),
        }
        if !self.is_due(fold) {
            return;
        }
        let body = match fold.snapshot() {
            Ok(body) => body,
            Err(why) => return cannot(&why),
        };
        let snapshot = Snapshot::of(&body, form, said.clone(), log.clone());
        let (head, signed) = match snapshot.signed(key) {
            Ok(signed) => signed,
            Err(why) => return cannot(&why),
        };
        // Tried again after as many entries, whatever comes of it.
        self.newest = snapshot.entries();
        let ledger = ledger.clone();
        self.keeping = Some(tokio::spawn(async move {
            match ledger.keep_snapshot(head, &signed, body).await {
                Ok(true) => tracing::info!(
                    entries = snapshot.entries(),
                    bytes = snapshot.bytes,
                    "a snapshot of the fold was kept"
                ),
                Ok(false) => tracing::debug!("another router is keeping a snapshot of the fold"),
                Err(why) => cannot(&why),
            }
        }));
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        if let Some(keeping) = &self.keeping {
            keeping.abort();
        }
    }
}

fn entries(fold: &Fold) -> u64 {
    fold.said_through().saturating_add(fold.log_through())
}

fn cannot(why: &dyn std::fmt::Display) {
    tracing::warn!(
        error = %why,
        "no snapshot of the fold can be kept, so that the next start reads more: make the bus's configuration anew with `tocsin provision` and run `tocsin setup`, if that was not done since Tocsin was upgraded"
    );
}
