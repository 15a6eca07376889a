//! The ledger's front door.

use std::time::Duration;

use bytes::Bytes;
use tocsin_protocol::{Entry, NewFact, RecipientId, Signed, Stream, Subject};

use crate::{Appended, Connection, Error, Follow, Notices, Said, Shape, Work, WorkOptions};

/// Both streams, over one connection. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger {}

impl Ledger {
    /// Connects.
    ///
    /// # Errors
    /// x
    pub async fn connect(connection: &Connection) -> Result<Self, Error> {
        todo!()
    }
    /// Creates.
    ///
    /// # Errors
    /// x
    pub async fn set_up(&self, shape: &Shape) -> Result<(), Error> {
        todo!()
    }
    /// Verifies.
    ///
    /// # Errors
    /// x
    pub async fn verify(&self) -> Result<(), Error> {
        todo!()
    }
    /// Says.
    ///
    /// # Errors
    /// x
    pub async fn say(&self, subject: &Subject, signed: &Signed, body: Bytes) -> Result<Said, Error> {
        todo!()
    }
    /// Appends.
    ///
    /// # Errors
    /// x
    pub async fn append(&self, fact: &NewFact, said_through: Option<u64>) -> Result<Appended, Error> {
        todo!()
    }
    /// Appends all.
    ///
    /// # Errors
    /// x
    pub async fn append_all(
        &self,
        facts: &[NewFact],
        said_through: Option<u64>,
    ) -> Result<Vec<Appended>, Error> {
        todo!()
    }
    /// Last.
    ///
    /// # Errors
    /// x
    pub async fn last(&self, subject: &Subject) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// The last entry whose subject matches `filter`.
    ///
    /// # Errors
    /// x
    pub async fn last_matching(&self, stream: Stream, filter: &str) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// The first entry at or after `sequence` whose subject matches `filter`.
    ///
    /// # Errors
    /// x
    pub async fn first(&self, stream: Stream, filter: &str, sequence: u64) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// Read.
    ///
    /// # Errors
    /// x
    pub async fn read(&self, stream: Stream, sequence: u64) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// Entries.
    ///
    /// # Errors
    /// x
    pub async fn entries(&self, stream: Stream, filters: &[String]) -> Result<Vec<Entry>, Error> {
        todo!()
    }
    /// Wait.
    ///
    /// # Errors
    /// x
    pub async fn wait_for(&self, subjects: &[Subject], within: Duration) -> Result<Option<Entry>, Error> {
        todo!()
    }
    /// Follow.
    ///
    /// # Errors
    /// x
    pub async fn follow(&self) -> Result<Follow, Error> {
        todo!()
    }
    /// Desks.
    ///
    /// # Errors
    /// x
    pub async fn ensure_desks(&self, recipients: &[RecipientId]) -> Result<(), Error> {
        todo!()
    }
    /// Notices.
    ///
    /// # Errors
    /// x
    pub async fn notices(&self, recipient: &RecipientId) -> Result<Notices, Error> {
        todo!()
    }
    /// Work.
    ///
    /// # Errors
    /// x
    pub async fn work(&self, options: &WorkOptions) -> Result<Work, Error> {
        todo!()
    }
}
