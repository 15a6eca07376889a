//! Both streams as one sequence.
use tocsin_protocol::Entry;

use crate::Error;

/// What one call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Next entries in the one order; may be none.
    pub entries: Vec<Entry>,
    /// Both streams were read to their end as of this call.
    pub caught_up: bool,
}

/// Both streams, read as one sequence from their beginning.
#[derive(Debug)]
pub struct Follow {}

impl Follow {
    /// Next.
    ///
    /// # Errors
    /// x
    pub async fn next(&mut self) -> Result<Read, Error> {
        todo!()
    }
}
