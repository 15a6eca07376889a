//! Entries against the newest checkpoint, checkpoints against each other, and what is missing between them.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_protocol::{
    AuthorKey, Checkpoint, Dispatch, Finding, Stream, Subject, from_body, leaf,
    tree::{Head, is_consistent, is_included},
};

use super::{
    counted,
    fault::{FaultCode, Faults},
};
use crate::bundle::{Bundle, Proven, checkpoint, is_checkpoint};

/// So many gaps are told one by one; each may be wide.
const GAPS_MAX: usize = 100;

pub(super) fn judge(
    bundle: &Bundle,
    entries: &[&Proven],
    checkpoints: &BTreeMap<u64, Checkpoint>,
    faults: &mut Faults,
    proven: &mut Vec<String>,
) {
    let newest = checkpoints.last_key_value().map(|(_, checkpoint)| *checkpoint);
    let Some(newest) = newest else {
        faults.add(
            FaultCode::NoCheckpoint,
            "There is no checkpoint that is signed with the key: what was said is signed by its authors, and nothing \
             else is proven. Routers write checkpoints when the directory has a checkpoint_key and they are given it."
                .to_owned(),
        );
        return;
    };
    if bundle.newest != Some(newest.number()) {
        faults.add(
            FaultCode::BadCheckpoint,
            format!(
                "The bundle says that its proofs are held against checkpoint {}, and the newest in it is {}.",
                bundle.newest.map_or_else(|| "none".to_owned(), |number| number.to_string()),
                newest.number()
            ),
        );
    }
    let included = included(entries, &newest, faults);
    if bundle.incident.is_none() {
        whole(entries, &newest, faults);
        gaps(entries, faults);
    }
    let linked = linked(bundle, checkpoints, faults);
    if included > 0 {
        proven.push(format!(
            "{} stand in the log exactly as checkpoint {} states it: subject, time, place, author and words.",
            if included == 1 { "1 entry".to_owned() } else { format!("{included} entries") },
            newest.number()
        ));
    }
    if linked {
        proven.push(format!(
            "{} signed with the key; the history that each states begins with that of the one before.",
            if checkpoints.len() == 1 {
                "1 checkpoint is".to_owned()
            } else {
                format!("{} checkpoints are", checkpoints.len())
            }
        ));
    }
}

/// The checkpoints that hold, by their number.
pub(super) fn checkpoints(
    entries: &[&Proven],
    keys: &[AuthorKey],
    faults: &mut Faults,
) -> BTreeMap<u64, Checkpoint> {
    let mut checkpoints = BTreeMap::new();
    for proven in entries.iter().filter(|proven| is_checkpoint(&proven.entry)) {
        let read = checkpoint(&proven.entry);
        let signed = read.as_ref().filter(|read| keys.iter().any(|key| read.verify(key).is_ok()));
        match signed {
            None => {
                faults.of(
                    FaultCode::BadCheckpoint,
                    &proven.entry,
                    "is no checkpoint that is signed with the key.",
                );
            }
            // It stands behind all that it states.
            Some(read) if read.checkpoint.number() > proven.leaf => {
                faults.of(FaultCode::BadCheckpoint, &proven.entry, "states entries that come after it.");
            }
            Some(read) => _ = checkpoints.insert(read.checkpoint.number(), read.checkpoint),
        }
    }
    checkpoints
}

/// Holds each entry against the newest checkpoint, and counts those that stand there.
fn included(entries: &[&Proven], newest: &Checkpoint, faults: &mut Faults) -> usize {
    let (mut included, mut uncovered) = (0, Vec::new());
    for Proven { entry, leaf: place, proof } in entries {
        let head = newest.head(entry.stream);
        let Some(hash) = leaf(entry) else {
            faults.of(FaultCode::Altered, entry, "is a window, which no bundle holds.");
            continue;
        };
        match proof {
            Some(proof) if is_included(&hash, *place, &head, proof) => included += 1,
            Some(_) => faults.of(
                FaultCode::Altered,
                entry,
                "is not in the log as the newest checkpoint states it: it was altered, moved, or put in.",
            ),
            None if *place < head.size => {
                faults.of(
                    FaultCode::Altered,
                    entry,
                    "has no proof that it is in the log: it was altered, or put in.",
                );
            }
            // A checkpoint is newer than what it states; what it states is proven by its signature.
            None if is_checkpoint(entry) => {}
            None => uncovered.push(entry),
        }
    }
    for entry in uncovered {
        faults.of(
            FaultCode::Uncovered,
            entry,
            "is newer than the newest checkpoint: nothing vouches for it yet. Make the bundle again in a moment.",
        );
    }
    included
}

/// Whether every leaf is there, where everything should be.
fn whole(entries: &[&Proven], newest: &Checkpoint, faults: &mut Faults) {
    for stream in [Stream::Said, Stream::Log] {
        let of_stream: Vec<_> = entries.iter().filter(|proven| proven.entry.stream == stream).collect();
        let there: BTreeSet<u64> = of_stream.iter().map(|proven| proven.leaf).collect();
        let size = newest.head(stream).size;
        let (mut next, mut told) = (0, 0);
        for place in there.into_iter().filter(|place| *place < size).chain([size]) {
            if place > next && told < GAPS_MAX {
                let after = of_stream.iter().rev().find(|proven| proven.leaf < next);
                let after = after.map_or_else(
                    || "at its beginning".to_owned(),
                    |proven| format!("after {}", super::fault::named(&proven.entry)),
                );
                let missing = usize::try_from(place - next).unwrap_or(usize::MAX);
                let what = if missing == 1 { "1 entry".to_owned() } else { format!("{missing} entries") };
                faults.add(
                    FaultCode::Missing,
                    format!(
                        "{}: {what} that the newest checkpoint counts {} missing, {after}.",
                        stream.name(),
                        are(missing)
                    ),
                );
                told += 1;
            }
            next = place.saturating_add(1);
        }
    }
}

fn are(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

/// Sequences that are missing where no window stood. It shows even what no checkpoint has counted.
fn gaps(entries: &[&Proven], faults: &mut Faults) {
    for stream in [Stream::Said, Stream::Log] {
        let (mut next, mut told) = (1, 0);
        // Behind a dispatch stand its windows, which the broker removes as they close, and behind a finding the one that
        // it made due.
        let mut windows = 0;
        for proven in entries.iter().filter(|proven| proven.entry.stream == stream) {
            let sequence = proven.entry.sequence;
            let missing = sequence.saturating_sub(next);
            if missing > windows && told < GAPS_MAX {
                let last = sequence - 1;
                let (which, are) = if missing == 1 {
                    (last.to_string(), "is")
                } else {
                    (format!("{next} to {last}"), "are")
                };
                let why = match windows {
                    0 => "and no window stood there".to_owned(),
                    n => {
                        format!("and only {} stood there", counted(usize::try_from(n).unwrap_or(0), "window"))
                    }
                };
                faults.add(FaultCode::Missing, format!("{} {which} {are} missing, {why}.", stream.name()));
                told += 1;
            }
            windows = windows_of(proven);
            next = sequence.saturating_add(1);
        }
    }
}

fn windows_of(proven: &Proven) -> u64 {
    let body = &proven.entry.body;
    match proven.entry.subject.parse() {
        Ok(Subject::Dispatch { .. }) => {
            from_body::<Dispatch>("dispatch", body).map_or(0, |dispatch| dispatch.windows() as u64)
        }
        Ok(Subject::Finding { .. }) => from_body::<Finding>("finding", body)
            .is_ok_and(|finding| finding.duty.is_some_and(|duty| duty.again.is_some()))
            .into(),
        _ => 0,
    }
}

/// Whether the trees of each stream, from checkpoint to checkpoint, are one history.
fn linked(bundle: &Bundle, checkpoints: &BTreeMap<u64, Checkpoint>, faults: &mut Faults) -> bool {
    let links: BTreeMap<_, _> =
        bundle.links.iter().map(|link| ((link.stream, link.from, link.to), &link.proof)).collect();
    let mut linked = true;
    for stream in [Stream::Said, Stream::Log] {
        let mut heads: BTreeMap<u64, (Head, u64)> = BTreeMap::new();
        for (number, checkpoint) in checkpoints {
            let head = checkpoint.head(stream);
            let (first, other) = heads.entry(head.size).or_insert((head, *number));
            if *first != head {
                linked = false;
                faults.add(
                    FaultCode::Rewritten,
                    format!("Checkpoints {other} and {number} state two histories of {}.", stream.name()),
                );
            }
        }
        for ((earlier, before), (later, after)) in heads.values().zip(heads.values().skip(1)) {
            let proof = links.get(&(stream, earlier.size, later.size));
            if !proof.is_some_and(|proof| is_consistent(earlier, later, proof)) {
                linked = false;
                let what = if proof.is_some() { "was rewritten" } else { "is not shown to be one history" };
                faults.add(
                    FaultCode::Rewritten,
                    format!("{} {what} between checkpoint {before} and checkpoint {after}.", stream.name()),
                );
            }
        }
    }
    linked
}
