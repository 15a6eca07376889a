//! Keeping a snapshot of the streams, as a router does, as far behind their end as a router lets one be.

use std::time::Instant;

use tocsin_duty::Fold;
use tocsin_ledger::Ledger;
use tocsin_protocol::{Checkpoint, Cut, SigningKey, Snapshot, Stream};

use super::trusting;
use crate::error::{Attempt, Error};

/// How far behind a snapshot may be: after so many entries a router keeps another.
const BEHIND: u64 = 50_000;

/// Keeps one, with the checkpoint that states what it is of. Gives its size in bytes, and the seconds that it took to write
/// the fold out.
pub(super) async fn keep(ledger: &Ledger, ends: (u64, u64), key: &SigningKey) -> Result<(u64, f64), Error> {
    const WHAT: &str = "keep a snapshot of the fold";
    let total = ends.0 + ends.1;
    let upto = total.saturating_sub(BEHIND).max(total / 2);
    let mut follow = ledger.follow().await.attempt(WHAT)?;
    let (mut fold, mut said, mut log) = (Fold::trusting(trusting(ends)), Cut::default(), Cut::default());
    'reading: loop {
        for entry in &follow.next().await.attempt(WHAT)?.entries {
            if said.through + log.through >= upto {
                break 'reading;
            }
            fold.apply(entry);
            match entry.stream {
                Stream::Said => said.take(entry),
                Stream::Log => log.take(entry),
            }
        }
    }
    let checkpoint = Checkpoint { log: log.tree.head(), said: said.tree.head() };
    ledger.append(&checkpoint.fact(key).attempt(WHAT)?, None).await.attempt(WHAT)?;
    let start = Instant::now();
    let body = fold.snapshot().attempt(WHAT)?;
    let snapshot = Snapshot::of(&body, Fold::form(), said, log);
    let taken = start.elapsed().as_secs_f64();
    let (head, signed) = snapshot.signed(key).attempt(WHAT)?;
    if ledger.keep_snapshot(head, &signed, body).await.attempt(WHAT)? {
        Ok((snapshot.bytes, taken))
    } else {
        Err(Error::told("somebody else keeps a snapshot of the bench's streams"))
    }
}
