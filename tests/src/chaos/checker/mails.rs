//! The mails that relays accepted, held against the record of attempts.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Checked, Mail, Promise,
    log::{Attempt, Log, Written},
    promises::said_since,
    said::Said,
    words::MailKey,
};

/// An escalation that goes in a letter.
struct Named<'a> {
    key: &'a MailKey,
    owed: &'a Written,
    attempts: &'a BTreeMap<u64, Attempt>,
}

pub(super) fn judge(log: &Log, said: &Said, mails: &[Mail], checked: &mut Checked) {
    let mut arrived: BTreeMap<&str, Vec<&Mail>> = BTreeMap::new();
    for mail in mails {
        arrived.entry(&mail.message_id).or_default().push(mail);
    }
    for key in log.attempts.keys().filter(|key| !log.escalations.contains_key(*key)) {
        checked.broken(Promise::Mail, format!("attempts of a mail that nobody is owed: {key:?}"));
    }
    let mut letters: BTreeMap<&str, Vec<Named>> = BTreeMap::new();
    let none = BTreeMap::new();
    for (key, owed) in &log.escalations {
        let attempts = log.attempts.get(key).unwrap_or(&none);
        if let Some(id) = record(said, key, owed, attempts, checked) {
            letters.entry(id).or_default().push(Named { key, owed, attempts });
        }
    }
    let mut repeated = 0;
    for (id, named) in &letters {
        let there = arrived.get(id).map_or(&[][..], Vec::as_slice);
        if named.len() > 1 {
            checked.count("digests", 1);
            if named.iter().any(|named| named.owed.fact["reason"] == "overdue") {
                checked.broken(Promise::Mail, format!("{id} reminds a publisher, and says other things too"));
            }
            digest(id, named, checked);
        }
        letter(id, named, there, checked);
        repeated += there.len().saturating_sub(1);
    }
    for (id, mails) in arrived.iter().filter(|(id, _)| !letters.contains_key(*id)) {
        checked
            .broken(Promise::Mail, format!("{} mails that nobody is owed: {id} {:?}", mails.len(), mails[0]));
    }
    let reminders = log.escalations.values().filter(|owed| owed.fact["reason"] == "overdue").count();
    checked.count("reminders owed to publishers", reminders);
    checked.held(Promise::Ended, log.escalations.len());
    checked.held(Promise::Mail, mails.len());
    checked.count("mails accepted", mails.len());
    checked.count("mails accepted again after an unknown", repeated);
}

/// Several escalations have one Message-ID: their attempts must say that they go together, and the first which they are.
fn digest(id: &str, named: &[Named], checked: &mut Checked) {
    let mut sequences: Vec<u64> = named.iter().map(|named| named.owed.sequence).collect();
    sequences.sort_unstable();
    let begun = named.iter().flat_map(|named| {
        named.attempts.values().filter_map(|attempt| Some((named.owed.sequence, attempt.begun.as_ref()?)))
    });
    for (own, begun) in begun {
        let digest = &begun.fact["digest"];
        let lists = digest["lead"] == own;
        let agrees = digest["of"] == sequences.len()
            && digest["lead"].as_u64().is_some_and(|lead| sequences.contains(&lead))
            && (!lists || digest["escalations"] == serde_json::json!(sequences));
        if !agrees {
            let what = format!("{id} is of {sequences:?} by their attempts, one of which says {digest}");
            checked.broken(Promise::Mail, what);
        }
    }
}

/// Holds the mails of one letter against the record of all that it names.
fn letter(id: &str, named: &[Named], there: &[&Mail], checked: &mut Checked) {
    let ends = |named: &Named, wanted: &str| {
        let ends = named.attempts.values().filter_map(|attempt| attempt.ended.as_ref());
        ends.filter(|end| end.fact["outcome"] == wanted).count()
    };
    // An attempt under way may have been taken, and is told of when it has ended.
    let open = |named: &Named| named.attempts.values().filter(|attempt| attempt.ended.is_none()).count();
    let accepted = named.iter().map(|named| ends(named, "accepted")).max().unwrap_or_default();
    // A relay that keeps a mail and says that it does not is sent it again, and not by a fault of ours.
    let kept = |named: &Named| {
        let ends = named.attempts.values().filter_map(|attempt| attempt.ended.as_ref());
        let says = |reply: &str| reply.contains("taken all the same");
        ends.filter(|end| end.fact["reply"].as_str().is_some_and(says)).count()
    };
    let possible = named
        .iter()
        .map(|named| ends(named, "accepted") + ends(named, "unknown") + kept(named) + open(named));
    let possible = possible.max().unwrap_or_default();
    let keys: Vec<&MailKey> = named.iter().map(|named| named.key).collect();
    if there.len() < accepted || there.len() > possible {
        let what = format!(
            "{id} of {keys:?}: {} accepted by the relays; by the record {accepted}, and at most {possible}",
            there.len()
        );
        checked.broken(Promise::Mail, what);
    }
    let all = |status: &str| named.iter().all(|named| named.owed.fact["status"] == status);
    for mail in there {
        let begins = |word: &str| mail.subject.starts_with(word);
        let marked = begins("EXERCISE") == all("exercise") && begins("TEST") == all("test");
        let owed = |named: &Named| {
            named.owed.fact["to"]["email"] == mail.to[0].as_str() && mail.text.contains(&named.key.1)
        };
        if mail.to.len() != 1 || !marked || !named.iter().all(owed) {
            checked.broken(Promise::Mail, format!("{id} of {keys:?} is another mail: {mail:?}"));
        }
    }
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
        let needless = if owed.fact["reason"] == "overdue" {
            said_since(said, key, &owed.fact, end.at)
        } else {
            [said.acknowledged(&event, &key.0), said.ended_at(&event)]
                .into_iter()
                .flatten()
                .any(|at| at <= end.at)
        };
        if outcome == "stood-down" && !needless {
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
