//! The mails: none lost, and one twice only where an attempt is unknown.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_protocol::{Outcome, Status, Timestamp};

use super::{
    said::Heard,
    written::{Attempt, Log, MailKey},
};
use crate::mail::Mail;

/// Holds attempts and mails against the escalations, and gives how many mails may have arrived again.
pub(super) fn judge(log: &Log, heard: &Heard, mails: &[Mail], faults: &mut Vec<String>) -> usize {
    let mut taken: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in mails {
        taken.entry(&mail.message_id).or_default().push(mail);
    }
    let mut known: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    let mut repeated = 0;
    for key in log.attempts.keys().filter(|key| !log.escalations.contains_key(*key)) {
        faults.push(format!("attempts of a mail that nobody is owed: {key:?}"));
    }
    let none = BTreeMap::new();
    for (key, owed) in &log.escalations {
        let attempts = log.attempts.get(key).unwrap_or(&none);
        let Some(id) = record(log, heard, key, attempts, faults) else { continue };
        let digest = digest(attempts);
        if known.insert(id, digest).is_some_and(|other| other.is_none() || other != digest) {
            faults.push(format!("one Message-ID for two escalations: {id}"));
        }
        let arrived = taken.get(id).map_or(&[][..], Vec::as_slice);
        let (accepted, unknown) = (count(attempts, Outcome::Accepted), count(attempts, Outcome::Unknown));
        if arrived.len() < accepted {
            faults.push(format!("{key:?}: {accepted} taken by the record and {} there", arrived.len()));
        }
        if arrived.len() > accepted + unknown {
            faults.push(format!(
                "{key:?}: {} there, {accepted} taken and {unknown} unknown by the record",
                arrived.len()
            ));
        }
        // A digest that arrived again is one mail, however many it names.
        if digest.is_none_or(|lead| lead == owed.sequence) {
            repeated += arrived.len().saturating_sub(1);
        }
        for mail in arrived {
            if digest.is_some() && !mail.text.contains(key.1.as_str()) {
                faults.push(format!("{key:?}: the digest {id} does not name it"));
            }
            if mail.to != [owed.fact.to.email.clone()] {
                faults.push(format!("{key:?}: the mail went to {:?}", mail.to));
            }
            if !is_marked(mail, owed.fact.status) {
                faults.push(format!(
                    "{key:?}: an {} mail has the subject {:?}",
                    owed.fact.status, mail.subject
                ));
            }
        }
    }
    for (id, mails) in taken {
        if !known.contains_key(id) {
            faults.push(format!("{} mails that nobody owed: {id} to {:?}", mails.len(), mails[0].to));
        }
    }
    repeated
}

/// Holds one escalation's attempts against the rules of the record, and gives the Message-ID that they used.
fn record<'a>(
    log: &'a Log,
    heard: &Heard,
    key: &MailKey,
    attempts: &'a BTreeMap<u32, Attempt>,
    faults: &mut Vec<String>,
) -> Option<&'a str> {
    let owed = &log.escalations[key];
    let (recipient, incident, event, _) = key;
    if !attempts.keys().copied().eq((1..).take(attempts.len())) {
        faults.push(format!("{key:?}: attempts are missing: {:?}", attempts.keys().collect::<Vec<_>>()));
    }
    let mut ids = BTreeSet::new();
    let mut settled = None;
    for (number, attempt) in attempts {
        if let Some(before) = settled {
            faults.push(format!("{key:?}: attempt {number} after it was {before:?}"));
        }
        if let Some(begun) = &attempt.begun {
            ids.insert(begun.fact.message_id.as_str());
            if begun.fact.to != owed.fact.to.email || begun.sequence <= owed.sequence {
                faults.push(format!("{key:?}: attempt {number} is of another mail: {:?}", begun.fact));
            }
        }
        let Some(end) = &attempt.ended else {
            faults.push(format!("unfinished: {key:?}: attempt {number} has not ended"));
            continue;
        };
        if attempt.begun.as_ref().map_or(!end.fact.relay.is_empty(), |begun| begun.sequence >= end.sequence) {
            faults.push(format!("{key:?}: attempt {number} ended before it began"));
        }
        if matches!(end.fact.outcome, Outcome::Accepted | Outcome::Permanent | Outcome::StoodDown) {
            settled = Some(end.fact.outcome);
        }
        let needless = heard.acknowledged_at(incident, *event, recipient).is_some_and(|at| at <= end.time)
            || heard.ended(incident, *event, Timestamp::MAX).is_some_and(|(_, said)| said.time <= end.time);
        if end.fact.outcome == Outcome::StoodDown && !needless {
            faults.push(format!("{key:?}: stood down without a reason: {:?}", end.fact));
        }
    }
    if settled.is_none() {
        faults.push(format!("unfinished: the mail of {key:?} has not come to its end"));
    }
    if ids.len() > 1 {
        faults.push(format!("{key:?}: sent under several Message-IDs: {ids:?}"));
    }
    ids.into_iter().next()
}

/// The lead of the digest in which an escalation went.
fn digest(attempts: &BTreeMap<u32, Attempt>) -> Option<u64> {
    let begun = attempts.values().filter_map(|attempt| attempt.begun.as_ref());
    begun.filter_map(|begun| begun.fact.digest.as_ref()).map(|digest| digest.lead).next()
}

fn count(attempts: &BTreeMap<u32, Attempt>, outcome: Outcome) -> usize {
    attempts.values().filter(|a| a.ended.as_ref().is_some_and(|end| end.fact.outcome == outcome)).count()
}

/// Whether a mail's subject says what it is about: EXERCISE or TEST, or neither.
fn is_marked(mail: &Mail, status: Status) -> bool {
    let begins = |word: &str| mail.subject.starts_with(word);
    match status {
        Status::Actual => !begins("EXERCISE") && !begins("TEST"),
        Status::Exercise => begins("EXERCISE"),
        Status::Test => begins("TEST"),
    }
}
