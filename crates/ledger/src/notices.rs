//! A desk's end.
use tocsin_protocol::Entry;

use crate::Error;

/// The notices owed to one recipient, each given once in a session.
#[derive(Debug)]
pub struct Notices {}

/// A notice in hand.
#[derive(Debug)]
pub struct Held {
    /// The notice.
    pub entry: Entry,
}

impl Notices {
    /// Next.
    ///
    /// # Errors
    /// x
    pub async fn next(&mut self) -> Result<Held, Error> {
        todo!()
    }
}
impl Held {
    /// Settles.
    ///
    /// # Errors
    /// x
    pub async fn settle(&self) -> Result<(), Error> {
        todo!()
    }
}
