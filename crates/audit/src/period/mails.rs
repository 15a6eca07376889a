//! Mails, and the contacts for which they failed.

use std::collections::BTreeMap;

use tocsin_protocol::{AttemptEnded, Outcome, RecipientId, Timestamp};

use super::figures::{Contact, Failed, MailFigures};
use crate::{
    compute::is_unknown,
    facts::{At, Attempt, Facts},
};

/// What a relay said, cut to a length that can be read.
const REPLY_KEPT: usize = 300;

/// A recipient, the word in its contacts, and the address.
type Key = (RecipientId, String, String);

#[derive(Debug, Default)]
pub(super) struct Mails {
    figures: MailFigures,
    contacts: BTreeMap<Key, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    mails: u32,
    taken: u32,
    attempts: u32,
    failed: BTreeMap<(Outcome, Option<u16>), Last>,
}

/// How many attempts failed alike, and the last of them.
#[derive(Debug)]
struct Last {
    attempts: u32,
    at: Timestamp,
    reply: String,
}

impl Mails {
    /// Takes in the mails of an incident.
    pub(super) fn take(&mut self, facts: &Facts, only: Option<&RecipientId>) {
        for (key, owed) in facts.escalations.iter().filter(|(key, _)| only.is_none_or(|only| *only == key.0))
        {
            let none = BTreeMap::new();
            let attempts = facts.attempts.get(key).unwrap_or(&none);
            let contact = (key.0.clone(), owed.fact.contact.clone(), owed.fact.to.email.clone());
            let counts = self.contacts.entry(contact).or_default();
            counts.mails += 1;
            self.figures.owed += 1;
            let mut taken = false;
            for attempt in attempts.values() {
                taken |= self.figures.attempt(attempt, counts);
            }
            counts.taken += u32::from(taken);
            self.figures.taken += u32::from(taken);
        }
    }

    pub(super) fn figures(&self) -> MailFigures {
        self.figures
    }

    /// The contacts of which any attempt failed, or nobody knows how it ended; the most failures first.
    pub(super) fn contacts(&self, names: &BTreeMap<&RecipientId, &str>) -> Vec<Contact> {
        let mut contacts: Vec<Contact> = self
            .contacts
            .iter()
            .filter(|(_, counts)| !counts.failed.is_empty())
            .map(|((recipient, contact, address), counts)| Contact {
                recipient: recipient.clone(),
                name: names.get(recipient).map_or_else(|| recipient.to_string(), |name| (*name).to_owned()),
                contact: contact.clone(),
                address: address.clone(),
                mails: counts.mails,
                taken: counts.taken,
                attempts: counts.attempts,
                failed: counts
                    .failed
                    .iter()
                    .map(|((outcome, code), last)| Failed {
                        outcome: *outcome,
                        code: *code,
                        attempts: last.attempts,
                        last_at: last.at,
                        last_reply: last.reply.clone(),
                    })
                    .collect(),
            })
            .collect();
        let refused = |contact: &Contact| contact.failed.iter().any(|f| f.outcome == Outcome::Permanent);
        let failures = |contact: &Contact| contact.failed.iter().map(|failed| failed.attempts).sum::<u32>();
        contacts.sort_by(|a, b| {
            (refused(b), failures(b))
                .cmp(&(refused(a), failures(a)))
                .then_with(|| a.recipient.cmp(&b.recipient))
        });
        contacts
    }
}

impl MailFigures {
    /// Counts an attempt; true when the relay took the mail.
    fn attempt(&mut self, attempt: &Attempt, counts: &mut Counts) -> bool {
        let begun = attempt.begun.is_some();
        self.attempts += u32::from(begun);
        counts.attempts += u32::from(begun);
        if is_unknown(attempt) {
            self.unknown += 1;
            let at =
                attempt.ended.as_ref().map(|end| end.time).or(attempt.begun.as_ref().map(|begun| begun.time));
            let end = attempt.ended.as_ref().map(|end| &end.fact);
            counts.failed(Outcome::Unknown, end, at.unwrap_or(Timestamp::UNIX_EPOCH));
            return false;
        }
        let Some(At { time, fact }) = &attempt.ended else { return false };
        match fact.outcome {
            Outcome::Accepted => {
                self.accepted += 1;
                return true;
            }
            Outcome::Temporary => self.temporary += 1,
            Outcome::Permanent => self.permanent += 1,
            // The operator's own to mend: no contact has failed.
            Outcome::RelayFault => {
                self.relay_fault += 1;
                return false;
            }
            Outcome::StoodDown => {
                self.stood_down += 1;
                return false;
            }
            Outcome::Unknown => {}
        }
        counts.failed(fact.outcome, Some(fact), *time);
        false
    }
}

impl Counts {
    fn failed(&mut self, outcome: Outcome, end: Option<&AttemptEnded>, at: Timestamp) {
        let reply = || end.map_or("", |end| end.reply.as_str()).chars().take(REPLY_KEPT).collect::<String>();
        let code = end.and_then(|end| end.code);
        let last =
            self.failed.entry((outcome, code)).or_insert_with(|| Last { attempts: 0, at, reply: reply() });
        last.attempts += 1;
        if at >= last.at {
            (last.at, last.reply) = (at, reply());
        }
    }
}
