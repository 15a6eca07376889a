//! The events that mails tell of. A fan-out asks for one event a thousand times: it is read once.

use std::{collections::VecDeque, sync::Arc};

use tocsin_ledger::Ledger;
use tocsin_protocol::{Event, Stream, Timestamp, from_body};
use tokio::sync::{Mutex, OnceCell};

/// The most events remembered: those of a storm, which each recipient's digest names. Each is a few kilobytes.
const KEPT: usize = 512;

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
    kept: Mutex<VecDeque<(u64, Slot)>>,
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
        let slot = self.slot(said).await;
        slot.get_or_try_init(|| self.read(said)).await.cloned()
    }

    async fn slot(&self, said: u64) -> Slot {
        let mut kept = self.kept.lock().await;
        if let Some((_, slot)) = kept.iter().find(|(sequence, _)| *sequence == said) {
            return Arc::clone(slot);
        }
        while kept.len() >= KEPT {
            kept.pop_front();
        }
        let slot = Slot::default();
        kept.push_back((said, Arc::clone(&slot)));
        slot
    }

    async fn read(&self, said: u64) -> Result<Heard, tocsin_ledger::Error> {
        let Some(entry) = self.ledger.read(Stream::Said, said).await? else {
            tracing::error!(
                said,
                "there is no event at this sequence of TOCSIN_SAID; its mails go out without details"
            );
            return Ok(Heard { at: None, event: None });
        };
        let event = from_body::<Event>("event", &entry.body).map(Arc::new);
        if let Err(why) = &event {
            tracing::error!(said, error = %why, "an event cannot be read; its mails go out without details");
        }
        Ok(Heard { at: Some(entry.time), event: event.ok() })
    }
}
