//! What was said, and which of it counts: the first validly signed on its subject. All who speak here are honest, so
//! anything else is a second word on a subject: it is refused, and no fact of it stands.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checked, Entry, Promise,
    log::Log,
    words::{EventKey, Words, words},
};

/// An event that counts.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
    pub(super) fact: Value,
    pub(super) body: bytes::Bytes,
    pub(super) signature: String,
}

/// What counts.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) events: BTreeMap<EventKey, Event>,
    /// The acknowledgements of an incident by a recipient: of which event, when.
    acknowledged: BTreeMap<(String, String), Vec<(u64, Timestamp)>>,
    /// When a recipient's system said that it holds a notice.
    pub(super) delivered: BTreeMap<(EventKey, String), Timestamp>,
}

impl Said {
    pub(super) fn read(entries: &[Entry], log: &Log, checked: &mut Checked) -> Self {
        let mut said = Self::default();
        let mut standing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut beside = 0;
        for entry in entries {
            let name = format!("said {} {}", entry.sequence, entry.subject);
            let refused = log.refusals.get(&entry.sequence);
            let Some(signature) = signed(entry, log) else {
                checked.broken(Promise::Judged, format!("{name}: nobody who may signed it"));
                continue;
            };
            if let Some((body, _)) = refused
                && entry.subject.split('.').nth(2) != Some(body.as_str())
            {
                checked.broken(Promise::Judged, format!("{name} is refused in {body}'s name"));
            }
            let on_subject = standing.entry(&entry.subject).or_default();
            if on_subject.contains(&signature) {
                checked.broken(Promise::Once, format!("{name} stands there already"));
                continue;
            }
            on_subject.push(signature);
            if on_subject.len() > 1 {
                beside += 1;
                if refused.is_none() {
                    checked.unfinished(Promise::Judged, format!("{name}: a second word that is not refused"));
                }
                continue;
            }
            if let Some((_, refusal)) = refused {
                checked.broken(Promise::Judged, format!("{name} counts, and is refused: {refusal}"));
            }
            said.take(entry, signature, checked);
        }
        let last = entries.last().map_or(0, |entry| entry.sequence);
        for of in log.refusals.keys().filter(|of| **of == 0 || **of > last) {
            checked.broken(Promise::Judged, format!("a refusal of nothing: {of}"));
        }
        checked.count("second words on a subject, refused", beside);
        checked.count("events", said.events.len());
        said
    }

    fn take(&mut self, entry: &Entry, signature: &str, checked: &mut Checked) {
        let name = format!("said {} {}", entry.sequence, entry.subject);
        let Ok(fact) = serde_json::from_slice::<Value>(&entry.body) else {
            checked.broken(Promise::Judged, format!("{name} is no JSON"));
            return;
        };
        match words(&entry.subject) {
            Some(Words::Incident { event, .. }) => {
                let event_said = Event {
                    sequence: entry.sequence,
                    at: entry.at,
                    fact,
                    body: entry.body.clone(),
                    signature: signature.to_owned(),
                };
                self.events.insert(event, event_said);
            }
            Some(Words::Receipt { recipient, event: (incident, number), acknowledged }) => {
                if acknowledged {
                    self.acknowledged.entry((incident, recipient)).or_default().push((number, entry.at));
                } else {
                    self.delivered.insert(((incident, number), recipient), entry.at);
                }
            }
            _ => {}
        }
    }

    /// When a recipient first acknowledged an event, or a later one of its incident, which covers it.
    pub(super) fn acknowledged(&self, (incident, number): &EventKey, recipient: &str) -> Option<Timestamp> {
        let all = self.acknowledged.get(&(incident.clone(), recipient.to_owned()))?;
        all.iter().filter(|(of, _)| of >= number).map(|(_, at)| *at).min()
    }

    /// The number of the later event that ended the incident, had the broker it by then.
    pub(super) fn ended(&self, (incident, number): &EventKey, by: Option<Timestamp>) -> Option<u64> {
        let later = self.events.iter().filter(|((of, later), _)| of == incident && later > number);
        later
            .filter(|(_, event)| event.fact["kind"] == "resolved" || event.fact["kind"] == "cancelled")
            .find(|(_, event)| by.is_none_or(|by| event.at <= by))
            .map(|((_, number), _)| *number)
    }

    /// When the incident was first ended after this event.
    pub(super) fn ended_at(&self, key: &EventKey) -> Option<Timestamp> {
        let number = self.ended(key, None)?;
        self.events.get(&(key.0.clone(), number)).map(|event| event.at)
    }

    /// Whether this event is worse than the one before it. The suite changes nothing but the severity.
    pub(super) fn worse(&self, (incident, number): &EventKey) -> bool {
        let severity = |number: u64| {
            let event = self.events.get(&(incident.clone(), number))?;
            let rank = ["minor", "moderate", "severe", "extreme"];
            rank.iter().position(|word| event.fact["severity"] == *word)
        };
        match (number.checked_sub(1).and_then(severity), severity(*number)) {
            (Some(before), Some(now)) => now > before,
            _ => false,
        }
    }
}

/// The signature, if it is the author's over exactly this.
fn signed<'a>(entry: &'a Entry, log: &Log) -> Option<&'a str> {
    let (_, directory) = log.directory_at(entry.at)?;
    let (list, author) = match words(&entry.subject)? {
        Words::Incident { publisher, .. } => ("publishers", publisher),
        Words::Receipt { recipient, .. } => ("recipients", recipient),
        _ => return None,
    };
    let known = directory[list].as_array()?.iter().find(|known| known["id"] == author.as_str())?;
    let (key, signature) = entry.signed.as_ref()?;
    if known["key"] != key.as_str() {
        return None;
    }
    let bytes = [entry.subject.as_bytes(), b"\n", &entry.body[..]].concat();
    let raw = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    nkeys::KeyPair::from_public_key(key).ok()?.verify(&bytes, &raw).ok()?;
    Some(signature)
}
