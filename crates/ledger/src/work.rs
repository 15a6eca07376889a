//! Shared work.
use std::time::Duration;

use tocsin_protocol::Entry;

use crate::Error;

/// Which work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkOptions {
    /// The durable's name, shared by all who do this work.
    pub name: String,
    /// Which subjects of `TOCSIN_LOG` are the work.
    pub filter: String,
    /// An item not done, put off or called busy within this time is given out again.
    pub ack_wait: Duration,
    /// The most items that may be given out and not done.
    pub max_ack_pending: i64,
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            name: "notifier".to_owned(),
            filter: "tocsin.escalation.>".to_owned(),
            ack_wait: Duration::from_secs(60),
            max_ack_pending: 50_000,
        }
    }
}

/// A share in the work.
#[derive(Debug)]
pub struct Work {}

/// One piece of work.
#[derive(Debug)]
pub struct Item {
    /// The fact that asks for it.
    pub entry: Entry,
    /// How often it was given out, this time included.
    pub deliveries: u64,
}

impl Work {
    /// Next.
    ///
    /// # Errors
    /// x
    pub async fn next(&mut self, most: usize) -> Result<Vec<Item>, Error> {
        todo!()
    }
}
impl Item {
    /// Done.
    ///
    /// # Errors
    /// x
    pub async fn done(&self) -> Result<(), Error> {
        todo!()
    }
    /// Later.
    ///
    /// # Errors
    /// x
    pub async fn later(&self, after: Duration) -> Result<(), Error> {
        todo!()
    }
    /// Busy.
    ///
    /// # Errors
    /// x
    pub async fn still_busy(&self) -> Result<(), Error> {
        todo!()
    }
}
