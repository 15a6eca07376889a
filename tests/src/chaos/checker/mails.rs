//! The mails that relays accepted, held against the record of attempts.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Checked, Mail, Promise,
    log::{Attempt, Log, Written},
    said::Said,
    words::MailKey,
};

pub(super) fn judge(log: &Log, said: &Said, mails: &[Mail], checked: &mut Checked) {
    let mut arrived: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in mails {
        arrived.entry(&mail.message_id).or_default().push(mail);
    }
    for key in log.attempts.keys().filter(|key| !log.escalations.contains_key(*key)) {
        checked.broken(Promise::Mail, format!("attempts of a mail that nobody is owed: {key:?}"));
    }
    let mut known = BTreeSet::new();
    let mut repeated = 0;
    let none = BTreeMap::new();
    for (key, owed) in &log.escalations {
        let attempts = log.attempts.get(key).unwrap_or(&none);
        let Some(id) = record(said, key, owed, attempts, checked) else { continue };
        if !known.insert(id) {
            checked.broken(Promise::Mail, format!("{key:?}: its Message-ID is another's too: {id}"));
        }
        let there = arrived.get(id).map_or(&[][..], Vec::as_slice);
        let outcomes = |wanted: &str| {
            let ends = attempts.values().filter_map(|attempt| attempt.ended.as_ref());
            ends.filter(|end| end.fact["outcome"] == wanted).count()
        };
        let (accepted, unknown) = (outcomes("accepted"), outcomes("unknown"));
        // An attempt under way may have been taken, and is told of when it has ended.
        let open = attempts.values().filter(|attempt| attempt.ended.is_none()).count();
        if there.len() < accepted {
            let what = format!("{key:?}: {accepted} accepted by the record, {} by the relays", there.len());
            checked.broken(Promise::Mail, what);
        }
        if there.len() > accepted + unknown + open {
            let what = format!(
                "{key:?}: {} accepted by the relays; by the record {accepted}, and {unknown} unknown",
                there.len()
            );
            checked.broken(Promise::Mail, what);
        }
        repeated += there.len().saturating_sub(1);
        for mail in there {
            let marked = match owed.fact["status"].as_str() {
                Some("exercise") => mail.subject.starts_with("EXERCISE"),
                Some("test") => mail.subject.starts_with("TEST"),
                _ => !mail.subject.starts_with("EXERCISE") && !mail.subject.starts_with("TEST"),
            };
            if mail.to.len() != 1 || owed.fact["to"]["email"] != mail.to[0].as_str() || !marked {
                checked.broken(Promise::Mail, format!("{key:?}: it is owed another mail than {mail:?}"));
            }
        }
    }
    for (id, mails) in arrived.iter().filter(|(id, _)| !known.contains(*id)) {
        checked
            .broken(Promise::Mail, format!("{} mails that nobody is owed: {id} {:?}", mails.len(), mails[0]));
    }
    checked.count("mails accepted", mails.len());
    checked.count("mails accepted again after an unknown", repeated);
}

/// Holds one escalation's attempts against the rules of the record, and gives the Message-ID that they used.
fn record<'a>(
    said: &Said,
    key: &MailKey,
    owed: &Written,
    attempts: &'a BTreeMap<u64, Attempt>,
    checked: &mut Checked,
) -> Option<&'a str> {
    let event = (key.1.clone(), key.2);
    let mut broken = |what: String| checked.broken(Promise::Ended, format!("{key:?}: {what}"));
    if !attempts.keys().copied().eq((1..).take(attempts.len())) {
        broken(format!("attempts are missing: {:?}", attempts.keys().collect::<Vec<_>>()));
    }
    let mut ids = BTreeSet::new();
    let mut settled = false;
    let mut open = None;
    for (number, attempt) in attempts {
        if settled {
            broken(format!("attempt {number} comes after its end"));
        }
        if let Some(begun) = &attempt.begun {
            ids.extend(begun.fact["message_id"].as_str());
            if begun.fact["to"] != owed.fact["to"]["email"] || begun.sequence <= owed.sequence {
                broken(format!("attempt {number} is of another mail: {}", begun.fact));
            }
        }
        let Some(end) = &attempt.ended else {
            open = Some(*number);
            continue;
        };
        let before =
            attempt.begun.as_ref().map_or(end.fact["relay"] != "", |begun| begun.sequence >= end.sequence);
        if before {
            broken(format!("attempt {number} ended before it began"));
        }
        let outcome = end.fact["outcome"].as_str().unwrap_or_default();
        settled |= ["accepted", "permanent", "stood-down"].contains(&outcome);
        let needless = [said.acknowledged(&event, &key.0), said.ended_at(&event)];
        if outcome == "stood-down" && !needless.into_iter().flatten().any(|at| at <= end.at) {
            broken(format!("it was stood down without a reason: {}", end.fact));
        }
    }
    if ids.len() > 1 {
        broken(format!("it was sent under several Message-IDs: {ids:?}"));
    }
    if let Some(number) = open {
        checked.unfinished(Promise::Ended, format!("{key:?}: attempt {number} has not ended"));
    } else if !settled {
        checked.unfinished(Promise::Ended, format!("{key:?}: its mail has not come to its end"));
    }
    ids.into_iter().next()
}
