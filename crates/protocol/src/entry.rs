//! A fact as the bus holds it, and a fact that is yet to be written.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{sign::Signed, subject::Subject};

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Stream {
    /// `TOCSIN_SAID`: what others say.
    #[serde(rename = "TOCSIN_SAID")]
    Said,
    /// `TOCSIN_LOG`: what follows from it.
    #[serde(rename = "TOCSIN_LOG")]
    Log,
}

impl Stream {
    /// The stream's name at the broker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Said => "TOCSIN_SAID",
            Self::Log => "TOCSIN_LOG",
        }
    }
}

/// One stored message. Nothing about it has been believed yet: the subject is as it came, the body may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stream that holds it.
    pub stream: Stream,
    /// Its sequence there.
    pub sequence: u64,
    /// The broker's timestamp: the one clock by which everything is judged.
    pub time: Timestamp,
    /// The subject as it came.
    pub subject: String,
    /// The author's key and signature, as they came.
    pub signed: Option<Signed>,
    /// The last sequence of `TOCSIN_SAID` that the router had judged when it wrote this.
    pub said_through: Option<u64>,
    /// The exact bytes.
    pub body: Bytes,
}

/// A fact of ours that is yet to be written to `TOCSIN_LOG`, once, under its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFact {
    /// Its identity.
    pub subject: Subject,
    /// The exact bytes.
    pub body: Bytes,
    /// For a window: when the broker is to close it, and what it is to write then.
    pub schedule: Option<Schedule>,
}

/// A JetStream schedule (ADR-51): at this time the broker itself writes the body under the target subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// When.
    pub at: Timestamp,
    /// Under which subject of the same stream.
    pub target: Subject,
}
