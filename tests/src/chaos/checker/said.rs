//! What was said, and which of it counts: the first validly signed on its subject. All who speak here are honest, so
//! anything else is a second word on a subject: it is refused, and no fact of it stands.
//!
//! Each is stored on condition of what stands last on its subject, which the servers must keep. Whoever was not told that
//! its word is stored, and then finds another's there, says it again behind that one.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    Checked, Entry, Promise,
    log::{Log, list},
    owed::stage,
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

impl Event {
    /// Whether it is a report of a stage, as event `number` of its incident. The first event alone is the first word, and
    /// no update.
    pub(super) fn does(&self, number: u64, wanted: u64) -> bool {
        let own = self.fact["stage"].as_str().map_or(u64::from(number > 1), stage);
        match wanted {
            0 => number == 1,
            1 => number > 1 && own >= 1,
            _ => own >= wanted,
        }
    }

    /// Whether nothing can follow it.
    pub(super) fn withdraws(&self) -> bool {
        self.fact["kind"] == "cancelled" || self.fact["kind"] == "sent-in-error"
    }

    /// Whether it goes to some alone of those whom the policies owe it.
    pub(super) fn is_for_some(&self) -> bool {
        self.withdraws() || self.fact["kind"] == "correction"
    }
}

/// What counts.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) events: BTreeMap<EventKey, Event>,
    /// The telephone calls that publishers logged: to whom, about which event of which incident, when.
    calls: BTreeMap<(String, String), Vec<(u64, Timestamp)>>,
    /// The acknowledgements of an incident by a recipient: of which event, when.
    acknowledged: BTreeMap<(String, String), Vec<(u64, Timestamp)>>,
    /// When a recipient's system said that it holds a notice.
    pub(super) delivered: BTreeMap<(EventKey, String), Timestamp>,
}

impl Said {
    pub(super) fn read(entries: &[Entry], log: &Log, checked: &mut Checked) -> Self {
        let mut said = Self::default();
        let mut standing: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
        let (mut beside, mut again) = (0, 0);
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
            let stood = on_subject.last().map_or(0, |(_, sequence)| *sequence);
            if entry.upon != Some(stood) {
                checked
                    .broken(Promise::Once, format!("{name}: stored upon {:?}, behind {stood}", entry.upon));
            }
            let repeats = on_subject.iter().position(|(word, _)| *word == signature);
            let last = on_subject.len().checked_sub(1);
            on_subject.push((signature, entry.sequence));
            if repeats.is_some() && repeats == last {
                checked.broken(Promise::Once, format!("{name} stands there already"));
                continue;
            }
            if repeats == Some(0) {
                again += 1;
                if let Some((_, refusal)) = refused {
                    checked.broken(Promise::Judged, format!("{name} counts, and is refused: {refusal}"));
                }
                continue;
            }
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
        checked.count("words said again behind another's, which changes nothing", again);
        checked.held(Promise::Once, entries.len());
        checked.count("events", said.events.len());
        checked.count("telephone calls", said.calls.values().map(Vec::len).sum());
        checked.held(Promise::Judged, entries.len());
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
            Some(Words::Called { recipient, event: (incident, number), .. }) => {
                self.calls.entry((incident, recipient)).or_default().push((number, entry.at));
            }
            _ => {}
        }
    }

    /// The events of an incident, the first first.
    pub(super) fn of(&self, incident: &str) -> impl Iterator<Item = (u64, &Event)> {
        let all = self.events.range((incident.to_owned(), 0)..=(incident.to_owned(), u64::MAX));
        all.map(|((_, number), event)| (*number, event))
    }

    /// The first event, from one on, that is a report of a stage and that the broker had by then.
    pub(super) fn first(
        &self,
        incident: &str,
        wanted: u64,
        from: u64,
        by: Option<Timestamp>,
    ) -> Option<(u64, Timestamp)> {
        let mut of =
            self.of(incident).filter(|(number, event)| *number >= from && by.is_none_or(|by| event.at <= by));
        of.find(|(number, event)| event.does(*number, wanted)).map(|(number, event)| (number, event.at))
    }

    /// Whether a call to a recipient about an event, or about a later one, was logged by a time.
    pub(super) fn called(&self, (incident, number): &EventKey, recipient: &str, by: Timestamp) -> bool {
        let all = self.calls.get(&(incident.clone(), recipient.to_owned()));
        all.into_iter().flatten().any(|(of, at)| of >= number && *at <= by)
    }

    /// Every service that the events up to this one name.
    pub(super) fn services(&self, (incident, number): &EventKey) -> BTreeSet<String> {
        let so_far = self.of(incident).take_while(|(of, _)| of <= number);
        so_far.flat_map(|(_, event)| list(&event.fact["services"])).map(str::to_owned).collect()
    }

    /// Whether the service is restored as of an event: one up to it says so, and none since that it is not.
    pub(super) fn restored(&self, (incident, number): &EventKey) -> bool {
        let so_far = self.of(incident).take_while(|(of, _)| of <= number);
        let words: Vec<_> = so_far.map(|(_, event)| (&event.fact["kind"], &event.fact["platform"])).collect();
        let resolved = words.iter().rposition(|(kind, _)| **kind == "resolved");
        resolved.is_some_and(|last| {
            words[last + 1..].iter().all(|(_, platform)| platform.is_null() || **platform == "primary")
        })
    }

    /// Whether an incident was over by a time: restored, or withdrawn.
    pub(super) fn over(&self, incident: &str, by: Timestamp) -> bool {
        let so_far: Vec<_> = self.of(incident).filter(|(_, event)| event.at <= by).collect();
        let last = so_far.last().map(|(number, _)| (incident.to_owned(), *number));
        so_far.iter().any(|(_, event)| event.withdraws()) || last.is_some_and(|last| self.restored(&last))
    }

    /// The withdrawal of an incident that came after this event, had the broker it by then.
    pub(super) fn withdrawn(&self, (incident, number): &EventKey, by: Timestamp) -> Option<u64> {
        let mut later = self.of(incident).filter(|(of, event)| of > number && event.at <= by);
        later.find(|(_, event)| event.withdraws()).map(|(number, _)| number)
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
            .filter(|(_, event)| event.fact["kind"] == "resolved" || event.withdraws())
            .find(|(_, event)| by.is_none_or(|by| event.at <= by))
            .map(|((_, number), _)| *number)
    }

    /// When the incident was first ended after this event.
    pub(super) fn ended_at(&self, key: &EventKey) -> Option<Timestamp> {
        let number = self.ended(key, None)?;
        self.events.get(&(key.0.clone(), number)).map(|event| event.at)
    }

    /// Whether this event is worse than the one before it: by its severity, by the services that it adds, because the
    /// service was restored and is not, or because the publisher says so. The suite makes nothing else worse.
    pub(super) fn worse(&self, (incident, number): &EventKey) -> bool {
        let event = |number: u64| self.events.get(&(incident.clone(), number)).map(|event| &event.fact);
        let Some((now, before)) = event(*number).zip(event(number - 1)) else { return false };
        if now["kind"] != "update" && now["kind"] != "correction" {
            return false;
        }
        let severity = |fact: &Value| {
            let rank = ["minor", "moderate", "severe", "extreme"];
            rank.iter().position(|word| fact["severity"] == *word)
        };
        let adds = list(&now["services"]).iter().any(|service| !list(&before["services"]).contains(service));
        let relapse = self.restored(&(incident.clone(), number - 1))
            && ["backup", "none"].iter().any(|word| now["platform"] == *word);
        now["material"] == true || severity(now) > severity(before) || adds || relapse
    }
}

/// The signature, if it is the author's over exactly this.
fn signed<'a>(entry: &'a Entry, log: &Log) -> Option<&'a str> {
    let (_, directory) = log.directory_at(entry.at)?;
    let (list, author) = match words(&entry.subject)? {
        Words::Incident { publisher, .. } | Words::Called { publisher, .. } => ("publishers", publisher),
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
