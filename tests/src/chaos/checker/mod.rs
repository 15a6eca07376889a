//! An independent checker: both streams and the mails, held against the promises.
//!
//! It shares no code with anything of ours: not with `duty`, not with `audit`, and not the types of `protocol`. Facts are
//! plain JSON to it, read by the names that `schemas/` gives them; subjects are taken apart in [`words`] alone; signatures
//! are verified by the NKeys library itself. What follows from what is worked out anew over everything at once. It knows
//! policies whose clock is `published`, rules that owe `anywhere` and to those to whom callers are `handed-over`, duties
//! whose times are lengths, and the worsenings that [`said`] names, which is all that the suite uses.

mod duties;
mod log;
mod mails;
mod owed;
mod promises;
mod report;
mod said;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

pub(super) use self::{duties::Row, promises::Debt, report::differences};
use self::{log::Log, said::Said};

/// One message of a stream, as the broker has it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    /// The broker's time.
    pub(super) at: Timestamp,
    pub(super) subject: String,
    /// The author's key and signature, where it carries them.
    pub(super) signed: Option<(String, String)>,
    /// The last sequence on its subject, on condition of which it was to be stored.
    pub(super) upon: Option<u64>,
    pub(super) body: Bytes,
}

/// A mail that a relay accepted.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    pub(super) to: Vec<String>,
    pub(super) message_id: String,
    pub(super) subject: String,
    pub(super) text: String,
}

/// A fact whose author was told that it stands.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) subject: String,
    /// Where it stands, when that was told.
    pub(super) sequence: Option<u64>,
    /// The fact itself, where the suite knows it.
    pub(super) fact: Option<Value>,
}

/// All that a run left behind.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    pub(super) said: Vec<Entry>,
    pub(super) log: Vec<Entry>,
    pub(super) mails: Vec<Mail>,
    pub(super) told: Vec<Told>,
    /// Of which promises that were not kept which desks were shown that: recipient, incident, event, step.
    pub(super) shown: BTreeSet<(String, String, u64, u64)>,
    /// The recipients whose desks tell what they were shown.
    pub(super) telling: BTreeSet<String>,
}

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// No fact that was acknowledged to its author is lost.
    NothingLost,
    /// No fact stands twice.
    Once,
    /// Everything that was said is judged, and rightly.
    Judged,
    /// Each dispatch is whole, and owes what directory and policies say.
    Whole,
    /// A correction reaches those who had what it corrects, and a withdrawal those who had anything; nobody else does.
    Corrected,
    /// Each notice reaches its recipient's system, which says so.
    Delivered,
    /// Each window closes, not before its time, and what was found is true.
    Found,
    /// Each required recipient is in time, or escalated at every step at which it stayed silent.
    NeverNeither,
    /// Nobody is escalated without need.
    NeverBoth,
    /// What a publisher owed and did in time is never called overdue; what it did not do is, once for each who waits for
    /// it, and its publisher is reminded.
    Overdue,
    /// Each escalation comes to its end, by the rules of the record.
    Ended,
    /// Every mail is owed and told of, and goes again only after an unknown.
    Mail,
    /// The report says the same.
    Report,
}

/// A promise that is broken, and by what. What is not finished is told as that: as long as the services work, it may yet be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) promise: Promise,
    pub(super) unfinished: bool,
    pub(super) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unfinished = if self.unfinished { " (unfinished)" } else { "" };
        write!(f, "{:?}{unfinished}: {}", self.promise, self.what)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) findings: Vec<Finding>,
    /// How each recipient stood to each event, by incident.
    pub(super) rows: BTreeMap<String, Vec<Row>>,
    /// How everything that publishers owed stood, by incident.
    pub(super) debts: BTreeMap<String, Vec<Debt>>,
    /// How often each promise was held against something.
    pub(super) held: BTreeMap<Promise, u64>,
    /// What is no fault and worth to be counted.
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Checked {
    fn broken(&mut self, promise: Promise, what: impl Into<String>) {
        self.findings.push(Finding { promise, unfinished: false, what: what.into() });
    }

    pub(super) fn unfinished(&mut self, promise: Promise, what: impl Into<String>) {
        self.findings.push(Finding { promise, unfinished: true, what: what.into() });
    }

    fn held(&mut self, promise: Promise, often: usize) {
        *self.held.entry(promise).or_default() += often as u64;
    }

    fn count(&mut self, what: &'static str, many: usize) {
        *self.counts.entry(what).or_default() += many as u64;
    }
}

/// Holds the evidence against the promises.
pub(super) fn check(evidence: &Evidence) -> Checked {
    let mut checked = Checked::default();
    nothing_lost(evidence, &mut checked);
    let log = Log::read(&evidence.log, &mut checked);
    let said = Said::read(&evidence.said, &log, &mut checked);
    let all = owed::all(&log, &said);
    log::whole(&log, &said, &all, &mut checked);
    let overdue = promises::judge(&log, &said, &all, &mut checked);
    duties::judge(&log, &said, &all, overdue, &mut checked);
    promises::shown(&log, evidence, &mut checked);
    mails::judge(&log, &said, &evidence.mails, &mut checked);
    checked
}

/// What an author was told of stands, as it was said.
fn nothing_lost(evidence: &Evidence, checked: &mut Checked) {
    let mut standing: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in &evidence.said {
        standing.entry(&entry.subject).or_default().push(entry);
    }
    checked.held(Promise::NothingLost, evidence.told.len());
    for told in &evidence.told {
        let there = standing.get(told.subject.as_str()).map_or(&[][..], Vec::as_slice);
        let stands = there.iter().any(|entry| {
            told.sequence.is_none_or(|sequence| sequence == entry.sequence)
                && told.fact.as_ref().is_none_or(|fact| {
                    serde_json::from_slice::<Value>(&entry.body).is_ok_and(|body| body == *fact)
                })
        });
        if !stands {
            let what = format!(
                "{} (at {:?}) was acknowledged to its author, and there is {:?}",
                told.subject,
                told.sequence,
                there.iter().map(|entry| entry.sequence).collect::<Vec<_>>()
            );
            checked.broken(Promise::NothingLost, what);
        }
    }
}

#[cfg(test)]
mod tests;
