//! What was said, and which of it counts: the first validly signed on its subject that can stand there.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tocsin_protocol::{
    AreaId, AreaScope, AuthorKey, ConsoleDoors, DirectoryDocument, Entry, Event, EventKind, EventNumber,
    IncidentId, Receipt, ReceiptMethod, ReceiptStage, Recipient, RecipientId, Report, ReportSource, Subject,
    Timestamp, Trail, schema,
};

use super::{
    name,
    written::{EventKey, Log},
};

/// An event that counts.
#[derive(Debug)]
pub(super) struct SaidEvent {
    pub(super) fact: Event,
    pub(super) sequence: u64,
    pub(super) time: Timestamp,
    pub(super) body: Bytes,
    pub(super) key: String,
    signature: String,
}

/// An acknowledgement that counts.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) event: EventNumber,
    pub(super) time: Timestamp,
    pub(super) by_console: bool,
}

/// What counts.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) events: BTreeMap<EventKey, SaidEvent>,
    pub(super) acknowledged: BTreeMap<(IncidentId, RecipientId), Vec<Acknowledged>>,
    pub(super) delivered: BTreeMap<(IncidentId, EventNumber, RecipientId), Timestamp>,
    pub(super) calls: Vec<Called>,
    receipts: BTreeMap<String, String>,
    /// By subject: the signature, and what it says.
    pub(super) reports: BTreeMap<String, (String, SaidReport)>,
    links: BTreeMap<String, String>,
}

/// A report that counts.
#[derive(Debug)]
pub(super) struct SaidReport {
    pub(super) fact: Report,
    pub(super) sequence: u64,
    pub(super) time: Timestamp,
}

/// A telephone call that counts.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) incident: IncidentId,
    pub(super) event: EventNumber,
    pub(super) recipient: RecipientId,
    pub(super) time: Timestamp,
    signature: String,
}

enum Judged {
    Counts,
    Repeats,
    Refused(&'static str),
}

impl Heard {
    /// Reads SAID, and holds the refusals against it: one for everything that does not count, none for what does.
    pub(super) fn read(entries: &[Entry], log: &Log, faults: &mut Vec<String>) -> Self {
        let mut heard = Self::default();
        for entry in entries {
            let judged = heard.judge(entry, log);
            match (judged, log.refusals.get(&entry.sequence)) {
                (Judged::Refused(why), None) => faults.push(format!("not refused: {} ({why})", name(entry))),
                (Judged::Counts | Judged::Repeats, Some(refusal)) => {
                    faults.push(format!("refused, and counts: {}: {:?}", name(entry), refusal.fact));
                }
                (_, Some(refusal)) if refusal.fact.said != entry.sequence => {
                    faults.push(format!("a refusal of another: {}: {:?}", name(entry), refusal.fact));
                }
                _ => {}
            }
        }
        let sequences: BTreeSet<u64> = entries.iter().map(|entry| entry.sequence).collect();
        for (said, refusal) in &log.refusals {
            if !sequences.contains(said) {
                faults.push(format!("a refusal of nothing: {said}: {:?}", refusal.fact));
            }
        }
        heard
    }

    fn judge(&mut self, entry: &Entry, log: &Log) -> Judged {
        let Ok(subject) = entry.subject.parse::<Subject>() else { return Judged::Refused("subject") };
        let Some((_, directory)) = log.directory_at(entry.time) else {
            return Judged::Refused("no directory");
        };
        match &subject {
            Subject::Incident { .. } => self.event(entry, &subject, directory),
            Subject::Receipt { .. } => self.receipt(entry, &subject, log, directory),
            Subject::Report { .. } => self.report(entry, &subject, directory),
            Subject::Link { .. } => self.link(entry, &subject, directory),
            Subject::Called { .. } => self.call(entry, &subject, directory),
            _ => Judged::Refused("subject"),
        }
    }

    fn event(&mut self, entry: &Entry, subject: &Subject, directory: &DirectoryDocument) -> Judged {
        let Subject::Incident { publisher, incident, event: number } = subject else {
            return Judged::Refused("subject");
        };
        let Some(known) = directory.publishers.iter().find(|known| known.id == *publisher) else {
            return Judged::Refused("publisher");
        };
        let Some(signature) = signed(entry, known.key.as_deref()) else {
            return Judged::Refused("signature");
        };
        let Ok(event) = schema::check_event(&entry.body) else { return Judged::Refused("schema") };
        if event.subject() != *subject {
            return Judged::Refused("mismatch");
        }
        if !event.areas.iter().all(|area| may_speak_of(directory, &known.areas, area)) {
            return Judged::Refused("area");
        }
        let key = (incident.clone(), *number);
        if let Some(there) = self.events.get(&key) {
            let same = there.signature == signature && there.fact.publisher == *publisher;
            return if same { Judged::Repeats } else { Judged::Refused("said already") };
        }
        let earlier: Vec<&SaidEvent> =
            self.events.iter().filter(|((of, _), _)| of == incident).map(|(_, event)| event).collect();
        let fits = match earlier.last() {
            None => number.get() == 1 && event.kind == EventKind::Initial,
            Some(last) => {
                last.fact.publisher == *publisher
                    && last.fact.status == event.status
                    && !last.fact.kind.ends_incident()
                    && event.kind != EventKind::Initial
                    && number.get() as usize == earlier.len() + 1
            }
        };
        if !fits {
            return Judged::Refused("cannot stand there");
        }
        let said = SaidEvent {
            fact: event,
            sequence: entry.sequence,
            time: entry.time,
            body: entry.body.clone(),
            key: entry.signed.as_ref().map(|signed| signed.key.clone()).unwrap_or_default(),
            signature,
        };
        self.events.insert(key, said);
        Judged::Counts
    }

    fn receipt(
        &mut self,
        entry: &Entry,
        subject: &Subject,
        log: &Log,
        directory: &DirectoryDocument,
    ) -> Judged {
        let Subject::Receipt { recipient, incident, event, stage } = subject else {
            return Judged::Refused("subject");
        };
        let Some(known) = directory.recipients.iter().find(|known| known.id == *recipient) else {
            return Judged::Refused("recipient");
        };
        let own = signed(entry, known.key.as_deref());
        let console = signed(entry, directory.console_key.as_deref());
        let Some(signature) = own.clone().or(console) else { return Judged::Refused("signature") };
        let Ok(receipt): Result<Receipt, _> = schema::check_receipt(&entry.body) else {
            return Judged::Refused("schema");
        };
        if receipt.subject() != *subject {
            return Judged::Refused("mismatch");
        }
        if own.is_none() && !console_may(known, &receipt) {
            return Judged::Refused("door");
        }
        if receipt.link.as_deref().is_some_and(|link| !link_holds(directory, &receipt, link, entry.time)) {
            return Judged::Refused("link");
        }
        let said_before =
            self.events.get(&(incident.clone(), *event)).is_some_and(|event| event.sequence < entry.sequence);
        let owed = log
            .dispatches
            .get(&(incident.clone(), *event))
            .is_some_and(|at| at.fact.recipients().contains_key(recipient));
        if !said_before || !owed {
            return Judged::Refused("not owed");
        }
        if let Some(there) = self.receipts.get(&entry.subject) {
            return if *there == signature { Judged::Repeats } else { Judged::Refused("said already") };
        }
        self.receipts.insert(entry.subject.clone(), signature);
        match stage {
            ReceiptStage::Acknowledged => {
                let all = self.acknowledged.entry((incident.clone(), recipient.clone())).or_default();
                all.push(Acknowledged { event: *event, time: entry.time, by_console: own.is_none() });
            }
            ReceiptStage::Delivered => {
                self.delivered.insert((incident.clone(), *event, recipient.clone()), entry.time);
            }
        }
        Judged::Counts
    }

    fn report(&mut self, entry: &Entry, subject: &Subject, directory: &DirectoryDocument) -> Judged {
        let Subject::Report { body, .. } = subject else { return Judged::Refused("subject") };
        let recipient = directory.recipients.iter().find(|known| known.id.as_str() == body.as_str());
        let publisher = directory.publishers.iter().find(|known| known.id.as_str() == body.as_str());
        let monitor = directory.monitors.iter().find(|known| known.id == *body);
        if recipient.is_none() && publisher.is_none() && monitor.is_none() {
            return Judged::Refused("body");
        }
        let by_recipient = recipient.and_then(|known| signed(entry, known.key.as_deref()));
        let by_publisher = publisher.and_then(|known| signed(entry, known.key.as_deref()));
        let by_monitor = monitor.and_then(|known| signed(entry, known.key.as_deref()));
        let by_console = recipient
            .filter(|known| known.console == ConsoleDoors::Open)
            .and_then(|_| signed(entry, directory.console_key.as_deref()));
        let all = [&by_recipient, &by_publisher, &by_monitor, &by_console];
        let Some(signature) = all.into_iter().flatten().next().cloned() else {
            return Judged::Refused("signature");
        };
        let Ok(report) = schema::check_report(&entry.body) else { return Judged::Refused("schema") };
        if report.subject() != *subject {
            return Judged::Refused("mismatch");
        }
        let may = match report.source {
            ReportSource::Agency => by_recipient.is_some() || by_console.is_some(),
            ReportSource::Operator => by_publisher.is_some(),
            ReportSource::Monitoring => {
                by_recipient.is_some() || by_publisher.is_some() || by_monitor.is_some()
            }
        };
        if !may {
            return Judged::Refused("source");
        }
        let scopes = [publisher.map(|known| &known.areas), monitor.map(|known| &known.areas)];
        let served = recipient.map(|known| AreaScope::These(known.areas.clone()));
        let its = |area| {
            let scopes = scopes.into_iter().flatten().chain(&served);
            scopes.into_iter().any(|scope| may_speak_of(directory, scope, area))
        };
        if !report.areas.iter().all(its) {
            return Judged::Refused("area");
        }
        if let Some((there, _)) = self.reports.get(&entry.subject) {
            return if *there == signature { Judged::Repeats } else { Judged::Refused("said already") };
        }
        if let Some(earlier) = &report.adds_to {
            let earlier = Subject::Report { body: body.clone(), report: earlier.clone() }.to_string();
            let there = self.reports.get(&earlier);
            if there.is_none_or(|(_, there)| there.fact.status != report.status) {
                return Judged::Refused("adds to nothing");
            }
        }
        let said = SaidReport { fact: report, sequence: entry.sequence, time: entry.time };
        self.reports.insert(entry.subject.clone(), (signature, said));
        Judged::Counts
    }

    fn link(&mut self, entry: &Entry, subject: &Subject, directory: &DirectoryDocument) -> Judged {
        let Subject::Link { publisher, .. } = subject else { return Judged::Refused("subject") };
        let known = directory.publishers.iter().find(|known| known.id == *publisher);
        let Some(known) = known else { return Judged::Refused("publisher") };
        let Some(signature) = signed(entry, known.key.as_deref()) else {
            return Judged::Refused("signature");
        };
        let Ok(link) = schema::check_link(&entry.body) else { return Judged::Refused("schema") };
        if link.subject() != *subject {
            return Judged::Refused("mismatch");
        }
        if let Some(there) = self.links.get(&entry.subject) {
            return if *there == signature { Judged::Repeats } else { Judged::Refused("said already") };
        }
        let first = |incident: &IncidentId| {
            self.events.get(&(incident.clone(), EventNumber::FIRST)).map(|said| &said.fact)
        };
        let own = first(&link.incident).filter(|own| own.publisher == *publisher);
        let other = match &link.with {
            Trail::Incident(trail) => first(&trail.incident)
                .filter(|other| other.publisher == trail.publisher && trail.incident != link.incident)
                .map(|other| other.status),
            Trail::Report(trail) => {
                let subject = Subject::Report { body: trail.body.clone(), report: trail.report.clone() };
                self.reports.get(&subject.to_string()).map(|(_, said)| said.fact.status)
            }
        };
        match (own, other) {
            (Some(own), Some(other)) if own.status == other => {}
            _ => return Judged::Refused("trail"),
        }
        self.links.insert(entry.subject.clone(), signature);
        Judged::Counts
    }

    fn call(&mut self, entry: &Entry, subject: &Subject, directory: &DirectoryDocument) -> Judged {
        let Subject::Called { publisher, incident, event, recipient } = subject else {
            return Judged::Refused("subject");
        };
        let Some(known) = directory.publishers.iter().find(|known| known.id == *publisher) else {
            return Judged::Refused("publisher");
        };
        let Some(signature) = signed(entry, known.key.as_deref()) else {
            return Judged::Refused("signature");
        };
        let Ok(call) = schema::check_call(&entry.body) else { return Judged::Refused("schema") };
        if call.subject() != *subject {
            return Judged::Refused("mismatch");
        }
        if !directory.recipients.iter().any(|known| known.id == *recipient) {
            return Judged::Refused("recipient");
        }
        let about = self.events.get(&(incident.clone(), *event));
        if about.is_none_or(|said| said.fact.publisher != *publisher) {
            return Judged::Refused("event");
        }
        let same =
            |one: &&Called| one.incident == *incident && one.event == *event && one.recipient == *recipient;
        if let Some(there) = self.calls.iter().find(same) {
            return if there.signature == signature {
                Judged::Repeats
            } else {
                Judged::Refused("said already")
            };
        }
        self.calls.push(Called {
            incident: incident.clone(),
            event: *event,
            recipient: recipient.clone(),
            time: entry.time,
            signature,
        });
        Judged::Counts
    }

    /// When a recipient first acknowledged an event, or a later one of its incident.
    pub(super) fn acknowledged_at(
        &self,
        incident: &IncidentId,
        event: EventNumber,
        recipient: &RecipientId,
    ) -> Option<Timestamp> {
        self.acknowledged(incident, event, recipient).map(|said| said.time)
    }

    /// The first acknowledgement of an event, or of a later one of its incident.
    pub(super) fn acknowledged(
        &self,
        incident: &IncidentId,
        event: EventNumber,
        recipient: &RecipientId,
    ) -> Option<&Acknowledged> {
        let all = self.acknowledged.get(&(incident.clone(), recipient.clone()))?;
        all.iter().filter(|said| said.event >= event).min_by_key(|said| said.time)
    }

    /// The later event that ended the incident, had the broker it by then.
    pub(super) fn ended(
        &self,
        incident: &IncidentId,
        event: EventNumber,
        by: Timestamp,
    ) -> Option<(EventNumber, &SaidEvent)> {
        let later = self.events.iter().filter(|((of, number), _)| of == incident && *number > event);
        later
            .filter(|(_, said)| said.fact.kind.lifts_duties())
            .find(|(_, said)| said.time <= by)
            .map(|((_, number), said)| (*number, said))
    }
}

fn signed(entry: &Entry, key: Option<&str>) -> Option<String> {
    let signed = entry.signed.as_ref()?;
    let key = AuthorKey::new(key?).ok()?;
    key.verify(&entry.subject, &entry.body, signed).ok()?;
    Some(signed.signature.clone())
}

/// Whether this is something that the console says, of somebody who lets it.
fn console_may(known: &Recipient, receipt: &Receipt) -> bool {
    let by_link = receipt.method == Some(ReceiptMethod::Link) && receipt.link.is_some();
    let vouched = matches!(receipt.method, Some(ReceiptMethod::Page | ReceiptMethod::Program));
    let door = match known.console {
        ConsoleDoors::Open => vouched || by_link,
        ConsoleDoors::Links => by_link,
        ConsoleDoors::Shut => false,
    };
    receipt.stage == ReceiptStage::Acknowledged && door
}

/// Reads a link by its form alone: `1.<signature>.<recipient>.<incident>.<event>.<step>.<expires>`.
fn link_holds(directory: &DirectoryDocument, receipt: &Receipt, link: &str, at: Timestamp) -> bool {
    let words: Vec<&str> = link.split('.').collect();
    let [version, signature, recipient, incident, event, step, expires] = words[..] else { return false };
    let Some(key) = directory.link_key.as_deref().and_then(|key| nkeys::KeyPair::from_public_key(key).ok())
    else {
        return false;
    };
    let Ok(signature) = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()) else { return false };
    let text = format!("tocsin-link/1\n{recipient}\n{incident}\n{event}\n{step}\n{expires}\n");
    version == "1"
        && key.verify(text.as_bytes(), &signature).is_ok()
        && recipient == receipt.recipient.as_str()
        && incident == receipt.incident.as_str()
        && event == receipt.event.to_string()
        && expires.parse().is_ok_and(|end: i64| Timestamp::from_second(end).is_ok_and(|end| at <= end))
}

pub(super) fn may_speak_of(directory: &DirectoryDocument, scope: &AreaScope, area: &AreaId) -> bool {
    let mut at = Some(area);
    let mut known = false;
    let mut within = *scope == AreaScope::All;
    while let Some(here) = at {
        let Some(found) = directory.areas.iter().find(|known| known.id == *here) else { break };
        known = true;
        within |= matches!(scope, AreaScope::These(areas) if areas.contains(here));
        at = found.within.as_ref();
    }
    known && within
}
