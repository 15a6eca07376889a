//! Verifying a bundle: without a bus, and trusting nobody who made it.
//!
//! What is held against what:
//!
//! - Each entry, by its leaf, against the tree that the newest checkpoint states: a change of any part of it, or one put
//!   in, fails there and is named. In a bundle of everything no leaf may be missing, nor a sequence where no window
//!   stood.
//! - Each checkpoint against the key, and its trees against those of the one before: history between two of them
//!   cannot have changed.
//! - Each checkpoint that a receipt repeats against those of the log. The recipient signed for it, and nobody else
//!   holds that key: a log that no longer has it had its end erased, or was written anew.
//! - Everything said against its author's key in the directory in force, and what the router wrote against the rules,
//!   by the same fold and report as on the bus.

mod fault;
mod record;
mod told;
mod trees;
mod witnesses;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tocsin_duty::Pin;
use tocsin_protocol::{AuthorKey, Entry, Stream};

pub use fault::{Fault, FaultCode};
pub use told::{Told, ToldFault, ToldIncident};

use crate::{
    bundle::{Bundle, Proven, merged},
    evidence::{Evidence, Request, gather},
    report::Report,
};
use fault::Faults;

/// What is proven by a bundle, and what is not.
#[derive(Debug)]
pub struct Verdict {
    /// What is proven, for people.
    pub proven: Vec<String>,
    /// What is not.
    pub faults: Vec<Fault>,
    /// The newest checkpoint that some recipient signed for and the log has; none where nobody's word is left.
    pub witnessed: Option<u64>,
    /// What a bundle of this sort cannot prove, whatever is in it.
    pub limits: Vec<String>,
    /// The evidence gathered anew from the entries.
    pub evidence: Evidence,
    /// The report of each incident, computed from that.
    pub reports: Vec<Report>,
}

/// What a bundle comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// All is proven that a bundle of this sort can.
    Proven,
    /// Nothing contradicts it, and nobody but the holder of the checkpoints' key vouches for it: an honest record and one
    /// that was written anew from its beginning look the same. By itself it proves nothing.
    Unwitnessed,
    /// Something was altered, put in, taken out or written anew, or is not covered.
    NotProven,
}

impl Standing {
    /// What it means, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Proven => "All is proven.",
            Self::Unwitnessed => {
                "It proves nothing by itself: no recipient's receipt vouches for a checkpoint of this log, so whoever \
                 holds the key of the checkpoints could have written all of it anew, and nobody's word would contradict \
                 it. Hold it against a bundle made earlier, or against what the recipients know."
            }
            Self::NotProven => "Not all is proven.",
        }
    }
}

impl Verdict {
    /// What it comes to.
    pub fn standing(&self) -> Standing {
        match (self.faults.is_empty(), self.witnessed) {
            (false, _) => Standing::NotProven,
            (true, None) => Standing::Unwitnessed,
            (true, Some(_)) => Standing::Proven,
        }
    }
}

/// Verifies a bundle as [`verify`] does, and whether the newest directory of it that is in force stands under the
/// `directory_key` that the reader knows from elsewhere.
pub fn verify_under(bundle: &Bundle, keys: &[AuthorKey], pin: &Pin) -> Verdict {
    judge(bundle, keys, Some(pin))
}

/// Verifies a bundle. `keys` are those with which checkpoints may be signed, as the reader knows them from elsewhere;
/// without any, those that the bundle's own directories name are taken.
pub fn verify(bundle: &Bundle, keys: &[AuthorKey]) -> Verdict {
    judge(bundle, keys, None)
}

fn judge(bundle: &Bundle, keys: &[AuthorKey], pin: Option<&Pin>) -> Verdict {
    let mut faults = Faults::default();
    let (mut proven, mut limits) = (Vec::new(), Vec::new());
    for (line, why) in &bundle.unreadable {
        faults.add(FaultCode::Unreadable, format!("Line {line} of the file cannot be read: {why}"));
    }
    let own_keys;
    let keys = if keys.is_empty() {
        own_keys = crate::bundle::keys(bundle.entries.iter().map(|proven| &proven.entry));
        limits.push(
            "The key of the checkpoints is the bundle's own word: give it with --key as you know it from elsewhere."
                .to_owned(),
        );
        &own_keys
    } else {
        keys
    };
    let ordered = in_order(bundle, &mut faults);
    let checkpoints = trees::checkpoints(&ordered, keys, &mut faults);
    trees::judge(bundle, &ordered, &checkpoints, &mut faults, &mut proven);
    let witnessed =
        witnesses::judge(bundle, &ordered, keys, &checkpoints, &mut faults, &mut proven, &mut limits);
    let entries: Vec<&Entry> = ordered.iter().map(|proven| &proven.entry).collect();
    let evidence = gather(entries.iter().copied(), bundle.incident.as_ref());
    let reports: Vec<Report> =
        evidence.incidents().filter_map(|of| evidence.report(of, Request::default()).ok()).collect();
    let directories = (evidence.directories_told(), pin);
    record::judge(&entries, directories, &reports, &mut faults, &mut proven, &mut limits);
    if bundle.newest.is_some() {
        limits.push(
            "When the newest checkpoint itself was written nothing vouches for yet; what it states is signed."
                .to_owned(),
        );
    }
    if bundle.incident.is_some() {
        limits.push(
            "That nothing of this incident was left out is not proven by a bundle of one incident: that takes --all."
                .to_owned(),
        );
    }
    limits.push(
        "The authors' keys are those of the directories in the bundle: hold them against what you know of them."
            .to_owned(),
    );
    Verdict { proven, faults: faults.finish(), witnessed, limits, evidence, reports }
}

/// The entries in their one order, each place once.
fn in_order<'b>(bundle: &'b Bundle, faults: &mut Faults) -> Vec<&'b Proven> {
    let mut streams = [Stream::Said, Stream::Log].map(|stream| {
        bundle.entries.iter().filter(|proven| proven.entry.stream == stream).collect::<Vec<_>>()
    });
    for of_stream in &mut streams {
        of_stream.sort_by_key(|proven| proven.entry.sequence);
        let mut seen = BTreeSet::new();
        of_stream.retain(|proven| {
            let first = seen.insert(proven.entry.sequence);
            if !first {
                faults.of(FaultCode::Twice, &proven.entry, "takes a place that another line has taken.");
            }
            first
        });
    }
    let [said, log] = streams;
    let ordered = merged(said, log, |proven| &proven.entry);
    let mut wanted = ordered.iter();
    let misplaced = bundle.entries.iter().find(|found| {
        let next = wanted.next();
        next.is_none_or(|next| !std::ptr::eq(*next, *found))
    });
    // Where a place is taken twice all that follows is shifted, and that has been told.
    if let Some(found) = misplaced.filter(|_| ordered.len() == bundle.entries.len()) {
        faults.of(FaultCode::Order, &found.entry, "is not where the order of the streams puts it.");
    }
    ordered
}

/// How many of something, in words.
fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
