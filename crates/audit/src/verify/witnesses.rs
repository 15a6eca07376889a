//! The checkpoints that recipients signed for, against those that the log has.

use std::collections::BTreeMap;

use tocsin_duty::Fold;
use tocsin_protocol::{
    AuthorKey, Checkpoint, Entry, Receipt, RecipientId, SignedCheckpoint, Stream, Subject, from_body,
};

use super::{
    counted,
    fault::{FaultCode, Faults},
};
use crate::{
    bundle::{Bundle, Proven},
    words::utc,
};

/// The newest checkpoint of this log that some recipient signed for.
pub(super) fn judge(
    bundle: &Bundle,
    entries: &[&Proven],
    keys: &[AuthorKey],
    checkpoints: &BTreeMap<u64, Checkpoint>,
    faults: &mut Faults,
    proven: &mut Vec<String>,
    limits: &mut Vec<String>,
) -> Option<u64> {
    let newest = checkpoints.last_key_value().map_or(0, |(number, _)| *number);
    let (mut witnesses, mut strange) = (BTreeMap::<RecipientId, u64>::new(), 0);
    for (entry, recipient, note) in signed(entries) {
        let read = SignedCheckpoint::read(note.as_bytes()).ok();
        let Some(read) = read.filter(|read| keys.iter().any(|key| read.verify(key).is_ok())) else {
            strange += 1;
            continue;
        };
        let seen = read.checkpoint;
        if checkpoints.get(&seen.number()) == Some(&seen) {
            let most = witnesses.entry(recipient).or_default();
            *most = seen.number().max(*most);
        } else {
            faults.of(
                FaultCode::Erased,
                entry,
                &contradiction(bundle, entry, &recipient, &seen, checkpoints, newest),
            );
        }
    }
    let newest_seen = witnesses.values().max().copied();
    if let Some(most) = newest_seen {
        proven.push(format!(
            "{} signed for checkpoints of this log, up to {most}: what stood then stands here still.",
            counted(witnesses.len(), "recipient")
        ));
        let own = checkpoints[&most].subject().to_string();
        let after = |proven: &&&Proven| {
            proven.leaf >= checkpoints[&most].head(proven.entry.stream).size && proven.entry.subject != own
        };
        let since = entries.iter().filter(after).count();
        if since > 0 {
            limits.push(format!(
                "No recipient has signed yet for what came after checkpoint {most} ({}): of that there is only the word \
                 of whoever holds the key of the checkpoints.",
                if since == 1 { "1 entry".to_owned() } else { format!("{since} entries") }
            ));
        }
    }
    if strange > 0 {
        limits.push(format!(
            "{} repeat something that is no checkpoint of this key: they witness nothing.",
            counted(strange, "receipt")
        ));
    }
    newest_seen
}

/// The receipts that repeat something, and are signed by the recipient whose they are.
fn signed<'e>(entries: &[&'e Proven]) -> Vec<(&'e Entry, RecipientId, String)> {
    let mut fold = Fold::new();
    let mut found = Vec::new();
    for proven in entries {
        let entry = &proven.entry;
        let recipient = match (entry.stream, entry.subject.parse::<Subject>()) {
            (Stream::Log, Ok(Subject::Directory { .. })) => {
                fold.apply(entry);
                continue;
            }
            (Stream::Said, Ok(Subject::Receipt { recipient, .. })) => recipient,
            _ => continue,
        };
        let receipt = from_body::<Receipt>("receipt", &entry.body).ok();
        let Some(note) = receipt.and_then(|receipt| receipt.checkpoint) else { continue };
        let directory = fold.directory_at(entry.time);
        let key = directory.and_then(|directory| directory.recipient(&recipient)?.key.as_ref());
        if let (Some(key), Some(signed)) = (key, &entry.signed)
            && key.verify(&entry.subject, &entry.body, signed).is_ok()
        {
            found.push((entry, recipient, note));
        }
    }
    found
}

fn contradiction(
    bundle: &Bundle,
    entry: &Entry,
    recipient: &RecipientId,
    seen: &Checkpoint,
    checkpoints: &BTreeMap<u64, Checkpoint>,
    newest: u64,
) -> String {
    let (number, at) = (seen.number(), utc(entry.time));
    let words = if checkpoints.contains_key(&number) {
        format!("and the log has another checkpoint {number} now: history was rewritten")
    } else if number > newest {
        format!("and the log ends at checkpoint {newest} now: its end was erased, or history was rewritten")
    } else if bundle.incident.is_some() {
        "and the bundle does not hold it: it was left out, or history was rewritten".to_owned()
    } else {
        "and the log has no such checkpoint now: history was rewritten".to_owned()
    };
    format!("is {recipient}'s signed word that checkpoint {number} stood there by {at}, {words}.")
}
