//! The events that mails tell of. A fan-out asks for one event a thousand times: it is read once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tocsin_ledger::Ledger;
use tocsin_protocol::{Event, Stream, Timestamp, from_body};
use tokio::sync::OnceCell;

/// The most events remembered, and the most bytes that their bodies have together: those of a storm, each of which every
/// recipient's digest names. An event of some kilobytes is the rule, and one of many times that no breach of it.
const KEPT: usize = 4096;
const KEPT_BYTES: usize = 16 << 20;

/// An event as the record holds it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// When the broker stored it; `None` where it is not there.
    pub(crate) at: Option<Timestamp>,
    /// The event; `None` where it is not there, or cannot be read.
    pub(crate) event: Option<Arc<Event>>,
}

type Slot = Arc<OnceCell<Heard>>;

/// A small memory of events by their sequence in `TOCSIN_SAID`.
pub(crate) struct Events {
    ledger: Ledger,
    kept: Mutex<Kept>,
}

impl Events {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger, kept: Mutex::default() }
    }

    /// The event at a sequence.
    ///
    /// # Errors
    /// The ledger could not be asked. That it holds no such event is no error: the mail is sent without.
    pub(crate) async fn get(&self, said: u64) -> Result<Heard, tocsin_ledger::Error> {
        let slot = self.lock().slot(said);
        let heard = slot.get_or_try_init(|| self.read(said)).await;
        if heard.is_err() {
            self.lock().forget(said);
        }
        heard.cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, said: u64) -> Result<Heard, tocsin_ledger::Error> {
        let Some(entry) = self.ledger.read(Stream::Said, said).await? else {
            tracing::error!(
                said,
                "there is no event at this sequence of TOCSIN_SAID; its mails go out without details"
            );
            self.lock().read(said, 0);
            return Ok(Heard { at: None, event: None });
        };
        let event = from_body::<Event>("event", &entry.body).map(Arc::new);
        if let Err(why) = &event {
            tracing::error!(said, error = %why, "an event cannot be read; its mails go out without details");
        }
        self.lock().read(said, entry.body.len());
        Ok(Heard { at: Some(entry.time), event: event.ok() })
    }
}

/// What is remembered: the oldest goes first.
#[derive(Default)]
struct Kept {
    slots: HashMap<u64, Slot>,
    /// Those that were read, with the bytes of each.
    read: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Kept {
    /// The place of an event, which whoever comes first fills.
    fn slot(&mut self, said: u64) -> Slot {
        Arc::clone(self.slots.entry(said).or_default())
    }

    /// It could not be read: whoever comes next tries anew.
    fn forget(&mut self, said: u64) {
        if self.slots.get(&said).is_some_and(|slot| !slot.initialized()) {
            self.slots.remove(&said);
        }
    }

    /// An event of so many bytes was read.
    fn read(&mut self, said: u64, bytes: usize) {
        self.read.push_back((said, bytes));
        self.bytes += bytes;
        while (self.read.len() > KEPT || self.bytes > KEPT_BYTES)
            && let Some((oldest, bytes)) = self.read.pop_front()
        {
            self.bytes -= bytes;
            self.slots.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_storm_are_all_remembered_and_no_more_than_fit() {
        let mut kept = Kept::default();
        for (bytes, events, wanted) in [(1 << 10, 1000, 1000), (1 << 10, 10_000, KEPT), (1 << 20, 100, 16)] {
            for said in 0..events {
                kept.slot(said);
                kept.read(said, bytes);
            }
            assert_eq!((kept.slots.len(), kept.read.len()), (wanted, wanted), "{events} of {bytes} bytes");
            assert!(kept.slots.contains_key(&(events - 1)), "the newest is there");
            kept = Kept::default();
        }
        kept.slot(7);
        kept.forget(7);
        assert!(kept.slots.is_empty(), "what could not be read leaves nothing");
    }
}
