//! What became of a write.

use tocsin_protocol::{Entry, Timestamp};

/// Where a fact stands in `TOCSIN_SAID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its sequence there.
    pub sequence: u64,
    /// The broker's timestamp, read back from the broker.
    pub time: Timestamp,
}

/// What became of a fact that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is the first on its subject.
    Stored(Position),
    /// The same bytes stood there already, by an earlier try or another process of ours.
    Already(Position),
    /// Something else stood there, so it was stored beside it: the first *validly signed* fact is the one that counts.
    Beside(Position),
}

impl Said {
    /// Where our fact stands, however it came there.
    pub fn position(self) -> Position {
        match self {
            Self::Stored(position) | Self::Already(position) | Self::Beside(position) => position,
        }
    }
}

/// What became of a fact that was appended to `TOCSIN_LOG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// This call wrote it, at this sequence.
    Written(u64),
    /// It was there already; this is what the first writer wrote. For a window that has closed since, this is its
    /// `due`, because the broker deletes a schedule as it fires.
    Already(Entry),
}
