//! The newest checkpoint that a desk has seen.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tocsin_ledger::{Error, Ledger};
use tocsin_protocol::{SignedCheckpoint, Stream};

const FILTER: &str = "tocsin.checkpoint.*";

/// For so long what was read is taken as the newest: a flood of notices asks no more often.
const FRESH: Duration = Duration::from_secs(1);

/// How long a receipt waits for it at most. It matters more that the receipt is said.
const WAIT: Duration = Duration::from_secs(1);

/// After it could not be read it is not asked for again for so long.
const PAUSE: Duration = Duration::from_mins(1);

/// What one desk has seen.
#[derive(Debug, Default)]
pub(crate) struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    number: u64,
    note: Option<String>,
    not_before: Option<Instant>,
}

impl Witness {
    /// The newest checkpoint, as its note stands on the bus: read now, or the last that was seen. None where there is
    /// none, or this desk may not read them.
    pub(crate) async fn newest(&self, ledger: &Ledger) -> Option<String> {
        let now = Instant::now();
        {
            let mut seen = self.seen();
            if seen.not_before.is_some_and(|not_before| now < not_before) {
                return seen.note.clone();
            }
            // Others need not ask at the same time.
            seen.not_before = Some(now + FRESH);
        }
        let read = tokio::time::timeout(WAIT, ledger.newest(Stream::Log, FILTER)).await;
        let mut seen = self.seen();
        match read {
            Ok(Ok(Some(entry))) => seen.take(&entry.body),
            Ok(Ok(None)) => {}
            Ok(Err(why)) => {
                if !matches!(why, Error::Denied { .. }) {
                    tracing::debug!("the newest checkpoint could not be read: {why}");
                }
                seen.not_before = Some(now + PAUSE);
            }
            Err(_) => seen.not_before = Some(now + PAUSE),
        }
        seen.note.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Takes what stands on the bus, if it is a checkpoint and later than the last. Whose key it is signed with is for
    /// whoever audits: the desk says what it saw.
    fn take(&mut self, note: &[u8]) {
        let Ok(read) = SignedCheckpoint::read(note) else { return };
        let number = read.checkpoint.number();
        if (self.note.is_none() || number > self.number)
            && let Ok(note) = std::str::from_utf8(note)
        {
            self.number = number;
            self.note = Some(note.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{
        Checkpoint, SigningKey,
        tree::{Hash, Head},
    };

    use super::*;

    fn note(size: u64) -> String {
        let log = Head { size, root: Hash::of_leaf(b"log") };
        Checkpoint { log, said: Head::of_nothing() }.note(&SigningKey::generate()).unwrap()
    }

    #[test]
    fn only_a_later_checkpoint_takes_the_place_of_one_that_was_seen() {
        let mut seen = Seen::default();
        let (first, later, earlier) = (note(10), note(12), note(11));
        for (given, kept) in [
            ("no note", None),
            (first.as_str(), Some(&first)),
            (later.as_str(), Some(&later)),
            (earlier.as_str(), Some(&later)),
            ("", Some(&later)),
        ] {
            seen.take(given.as_bytes());
            assert_eq!(seen.note.as_ref(), kept);
        }
    }
}
