//! What a bundle fails to prove.

use serde::{Deserialize, Serialize};
use tocsin_protocol::{Entry, Stream};

/// So many faults are told one by one.
const FAULTS_MAX: usize = 1_000;

/// Which sort of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCode {
    /// A line of the file cannot be read.
    Unreadable,
    /// There is no checkpoint: nothing vouches for the log.
    NoCheckpoint,
    /// What stands where checkpoints do is none, or is not signed with the key.
    BadCheckpoint,
    /// The entry is not in the log as the checkpoint states it: it was altered, or put in.
    Altered,
    /// The same place of a stream is taken twice.
    Twice,
    /// An entry is not where the one order puts it.
    Order,
    /// The log has an entry that the bundle has not.
    Missing,
    /// No checkpoint covers the entry yet.
    Uncovered,
    /// Two checkpoints do not state one history.
    Rewritten,
    /// A recipient signed for a checkpoint that the log no longer has: its end was erased, or it was rewritten.
    Erased,
    /// The directory in force does not stand under the key that is trusted.
    Untrusted,
    /// The record contradicts what was said, or the rules.
    Record,
    /// There are more faults than are told.
    More,
}

/// Something that a bundle fails to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which sort.
    pub code: FaultCode,
    /// The stream and sequence that it is about, if it is about an entry.
    pub entry: Option<(Stream, u64)>,
    /// In words, with what it is about.
    pub text: String,
}

/// The faults found, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<Fault>,
    more: usize,
}

impl Faults {
    pub(super) fn add(&mut self, code: FaultCode, text: String) {
        self.put(Fault { code, entry: None, text });
    }

    pub(super) fn of(&mut self, code: FaultCode, entry: &Entry, text: &str) {
        let named = named(entry);
        let place = Some((entry.stream, entry.sequence));
        self.put(Fault { code, entry: place, text: format!("{named} {text}") });
    }

    fn put(&mut self, fault: Fault) {
        if self.found.len() < FAULTS_MAX {
            self.found.push(fault);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn finish(mut self) -> Vec<Fault> {
        if self.more > 0 {
            let text = format!("{} more faults are not listed.", self.more);
            self.found.push(Fault { code: FaultCode::More, entry: None, text });
        }
        self.found
    }
}

/// An entry by its stream, sequence and subject.
pub(super) fn named(entry: &Entry) -> String {
    let subject: String = crate::words::plain(&entry.subject).chars().take(200).collect();
    format!("{} {} ({subject})", entry.stream.name(), entry.sequence)
}
