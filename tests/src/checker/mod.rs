//! A second opinion: both streams and the mails, held against the promises by plain logic of its own.
//!
//! It shares the words on the wire with the rest and none of the rules: what follows from what is worked out here anew,
//! slowly and simply, over all entries at once. It knows policies whose clock is `published` and whose rules owe
//! `anywhere`, which is all that these tests use, and says so of any other.

mod duties;
mod mails;
mod owed;
mod said;
mod written;

use std::collections::BTreeMap;

use tocsin_protocol::{Entry, IncidentId, Stream};

pub use self::duties::{Row, Standing};
use self::{said::Heard, written::Log};
use crate::mail::Mail;

/// Everything that a test left behind.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// All of `TOCSIN_SAID`.
    pub said: Vec<Entry>,
    /// All of `TOCSIN_LOG`.
    pub log: Vec<Entry>,
    /// What every relay took.
    pub mails: Vec<Mail>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Opinion {
    /// Every broken promise, and everything that is not finished.
    pub faults: Vec<String>,
    /// How each recipient stood to each event.
    pub rows: BTreeMap<IncidentId, Vec<Row>>,
    /// How many mails may have arrived again.
    pub repeated: usize,
}

/// Holds the evidence against the promises, as of the end: every window has closed and every mail has come to its end.
pub fn check(evidence: &Evidence) -> Opinion {
    let mut faults = Vec::new();
    let log = Log::read(&evidence.log, &mut faults);
    let heard = Heard::read(&evidence.said, &log, &mut faults);
    written::whole(&log, &heard, &mut faults);
    written::proposed(&log, &heard, &mut faults);
    let rows = duties::judge(&log, &heard, &mut faults);
    owed::told(&log, &mut faults);
    let repeated = mails::judge(&log, &heard, &evidence.mails, &mut faults);
    Opinion { faults, rows, repeated }
}

/// An entry as it is named in a fault.
fn name(entry: &Entry) -> String {
    let stream = if entry.stream == Stream::Said { "said" } else { "log" };
    format!("{stream} {} {}", entry.sequence, entry.subject)
}

#[cfg(test)]
mod tests;
