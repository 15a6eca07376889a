//! A small world for tests: a broker's clock, two streams, a router that is the real fold, and authors with real keys.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tocsin_duty::Fold;
use tocsin_protocol::{
    Area, AreaScope, AttemptBegun, AttemptEnded, AttemptPhase, Category, ClockStart, Confidence,
    ConsoleDoors, Contact, DirectoryDocument, Entry, Event, EventKind, EventNumber, Impact, IncidentId,
    Outcome, OwedRule, Person, Platform, PolicyDocument, Publisher, Receipt, ReceiptMethod, ReceiptStage,
    Recipient, RecipientId, Requirement, Service, Signed, SignedDuration, SigningKey, Status, StepDocument,
    StepNumber, Stream, Subject, Timestamp, Where, Window, to_body,
};

use super::State;

/// A few of the United Kingdom: identifier, name, kind and nation. Resilience forums are informed, all others required.
pub(crate) const SMALL: [(&str, &str, &str, &str); 5] = [
    ("ofcom", "Ofcom", "regulator", "UK"),
    ("pol-kent", "Kent Police", "police-territorial", "England"),
    ("pol-gwent", "Gwent Police", "police-territorial", "Wales"),
    ("fire-kent", "Kent Fire and Rescue Service", "fire", "England"),
    ("lrf-kent", "Kent Resilience Forum", "lrf", "England"),
];

pub(crate) const INCIDENT: &str = "bt-999";

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) entries: Vec<Entry>,
    sequences: BTreeMap<Stream, u64>,
    written: BTreeSet<String>,
    router: Fold,
    windows: Vec<(Timestamp, Subject, Bytes)>,
    publisher: SigningKey,
    keys: BTreeMap<RecipientId, SigningKey>,
    said: BTreeMap<IncidentId, u32>,
}

pub(crate) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub(crate) fn id(id: &str) -> RecipientId {
    id.parse().unwrap()
}

pub(crate) fn incident(id: &str) -> IncidentId {
    id.parse().unwrap()
}

impl World {
    pub(crate) fn small() -> Self {
        Self::of(&SMALL)
    }

    pub(crate) fn of(recipients: &[(&str, &str, &str, &str)]) -> Self {
        let publisher = SigningKey::generate();
        let keys: BTreeMap<_, _> = recipients.iter().map(|r| (id(r.0), SigningKey::generate())).collect();
        let mut world = Self {
            state: State::default(),
            now: "2023-06-25T05:26:00Z".parse().unwrap(),
            entries: Vec::new(),
            sequences: BTreeMap::new(),
            written: BTreeSet::new(),
            router: Fold::new(),
            windows: Vec::new(),
            publisher,
            keys,
            said: BTreeMap::new(),
        };
        let document = world.document(recipients);
        let body = to_body("directory", &document).unwrap();
        world.write(Stream::Log, Subject::Directory { version: 1 }.to_string(), None, body);
        world
    }

    fn document(&self, recipients: &[(&str, &str, &str, &str)]) -> DirectoryDocument {
        let area = |id: &str, name: &str, within: Option<&str>| Area {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            within: within.map(|within| within.parse().unwrap()),
            population: None,
        };
        let contact = |role: &str, id: &str| Contact {
            role: role.to_owned(),
            email: format!("{role}@{id}.example"),
            phone: None,
        };
        let rule = |kinds: &[&str], requirement| OwedRule {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            recipients: Vec::new(),
            place: Where::Affected,
            requirement,
        };
        let step = |minutes_within, contact: &str| StepDocument {
            within: Window(minutes(minutes_within)),
            contact: contact.to_owned(),
            reach: tocsin_protocol::Reach::Own,
        };
        DirectoryDocument {
            name: "A small picture".to_owned(),
            time_zone: "Europe/London".to_owned(),
            directory_key: None,
            checkpoint_key: None,
            console_key: Some(SigningKey::generate().public()),
            link_key: None,
            areas: vec![
                area("uk", "United Kingdom", None),
                area("kent", "Kent", Some("uk")),
                area("gwent", "Gwent", Some("uk")),
            ],
            monitors: Vec::new(),
            exercises: Vec::new(),
            publishers: ["bt-cha", "other-op"]
                .into_iter()
                .map(|id| Publisher {
                    contacts: std::collections::BTreeMap::new(),
                    id: id.parse().unwrap(),
                    name: format!("Operator {id}"),
                    key: (id == "bt-cha").then(|| self.publisher.public()),
                    areas: AreaScope::All,
                })
                .collect(),
            recipients: recipients
                .iter()
                .map(|(id, name, kind, nation)| Recipient {
                    buddy: None,
                    coordinating_body: None,
                    control_rooms: Vec::new(),
                    id: id.parse().unwrap(),
                    name: (*name).to_owned(),
                    kind: (*kind).to_owned(),
                    nation: Some((*nation).to_owned()),
                    areas: vec![match id.rsplit('-').next() {
                        Some("kent") => "kent".parse().unwrap(),
                        Some("gwent") => "gwent".parse().unwrap(),
                        _ => "uk".parse().unwrap(),
                    }],
                    neighbours: Vec::new(),
                    key: Some(self.keys[*id].public()),
                    contacts: [("duty", "duty"), ("senior", "senior")]
                        .map(|(word, role)| (word.to_owned(), contact(role, id)))
                        .into(),
                    valid_from: None,
                    valid_to: None,
                    last_verified_at: None,
                    console: ConsoleDoors::Open,
                })
                .collect(),
            policies: vec![PolicyDocument {
                source: None,
                in_force_from: None,
                trigger: tocsin_protocol::Trigger::Failure,
                duties: Vec::new(),
                id: "uk-999".parse().unwrap(),
                name: "999 notification".to_owned(),
                basis: "Our own windows".to_owned(),
                as_of: None,
                confidence: Confidence::Assumption,
                clock: ClockStart::Published,
                services: Vec::new(),
                acknowledge: vec![EventKind::Initial, EventKind::Resolved],
                owed: vec![rule(&["lrf"], Requirement::Informed), rule(&[], Requirement::Required)],
                steps: vec![step(15, "duty"), step(30, "senior")],
            }],
        }
    }

    fn write(&mut self, stream: Stream, subject: String, signed: Option<Signed>, body: Bytes) {
        let sequence = self.sequences.entry(stream).or_default();
        *sequence += 1;
        let entry =
            Entry { stream, sequence: *sequence, time: self.now, subject, signed, said_through: None, body };
        self.router.apply(&entry);
        if stream == Stream::Log {
            self.written.insert(entry.subject.clone());
        }
        self.state.take([&entry]);
        self.entries.push(entry);
    }

    /// The router writes what follows.
    fn route(&mut self) {
        loop {
            let follows = self.router.follows().into_iter().flat_map(|batch| batch.facts);
            let facts: Vec<_> =
                follows.filter(|fact| !self.written.contains(&fact.subject.to_string())).collect();
            if facts.is_empty() {
                return;
            }
            for fact in facts {
                let subject = fact.subject.to_string();
                match fact.schedule {
                    Some(schedule) => {
                        self.written.insert(subject);
                        self.windows.push((schedule.at, schedule.target, fact.body));
                    }
                    None => self.write(Stream::Log, subject, None, fact.body),
                }
            }
        }
    }

    /// Time passes, and the broker closes what falls due.
    pub(crate) fn pass(&mut self, by: SignedDuration) -> &mut Self {
        let until = self.now + by;
        while let Some(at) =
            (0..self.windows.len()).min_by_key(|n| self.windows[*n].0).filter(|n| self.windows[*n].0 < until)
        {
            let (due_at, subject, body) = self.windows.remove(at);
            self.now = self.now.max(due_at);
            self.write(Stream::Log, subject.to_string(), None, body);
            self.route();
        }
        self.now = until;
        self
    }

    /// The next event of [`INCIDENT`].
    pub(crate) fn say(&mut self, kind: EventKind, change: impl FnOnce(&mut Event)) -> &mut Self {
        self.say_of(INCIDENT, kind, change)
    }

    pub(crate) fn say_of(&mut self, id: &str, kind: EventKind, change: impl FnOnce(&mut Event)) -> &mut Self {
        let number = self.said.entry(incident(id)).or_default();
        *number += 1;
        let mut event = event(id, *number, kind);
        change(&mut event);
        let body = to_body("event", &event).unwrap();
        let subject = event.subject().to_string();
        let signed = self.publisher.sign(&subject, &body).unwrap();
        self.write(Stream::Said, subject, Some(signed), body);
        self.route();
        self
    }

    fn receipt(&mut self, who: &str, event: u32, stage: ReceiptStage, by: &str) {
        let person = Person { name: format!("A. Person of {who}"), role: "supervisor".to_owned() };
        let acknowledged = stage == ReceiptStage::Acknowledged;
        let receipt = Receipt {
            stage,
            by: acknowledged.then_some(person),
            method: acknowledged.then_some(ReceiptMethod::Desk),
            ..Receipt::delivered(id(who), incident(INCIDENT), EventNumber::new(event).unwrap(), self.now)
        };
        let body = to_body("receipt", &receipt).unwrap();
        let subject = receipt.subject().to_string();
        let signed = self.keys[by].sign(&subject, &body).unwrap();
        self.write(Stream::Said, subject, Some(signed), body);
        self.route();
    }

    pub(crate) fn delivered(&mut self, who: &str, event: u32) -> &mut Self {
        self.receipt(who, event, ReceiptStage::Delivered, who);
        self
    }

    pub(crate) fn acknowledged(&mut self, who: &str, event: u32) -> &mut Self {
        self.receipt(who, event, ReceiptStage::Acknowledged, who);
        self
    }

    /// An acknowledgement in one recipient's name, signed with another's key.
    pub(crate) fn forged(&mut self, whose: &str, event: u32, by: &str) -> &mut Self {
        self.receipt(whose, event, ReceiptStage::Acknowledged, by);
        self
    }

    /// The notifier tries to send a mail owed at the first event.
    pub(crate) fn mailed(&mut self, who: &str, step: u32, attempt: u32, outcome: Outcome) -> &mut Self {
        let subject = |phase| {
            Subject::Attempt {
                recipient: id(who),
                incident: incident(INCIDENT),
                event: EventNumber::FIRST,
                step: StepNumber::new(step).unwrap(),
                attempt,
                phase,
            }
            .to_string()
        };
        let begun = AttemptBegun {
            relay: "own".to_owned(),
            to: format!("duty@{who}.example"),
            message_id: "<1@tocsin.example>".to_owned(),
            token: None,
            digest: None,
        };
        let ended = AttemptEnded {
            relay: "own".to_owned(),
            outcome,
            code: Some(250),
            reply: "as scripted".to_owned(),
        };
        self.write(Stream::Log, subject(AttemptPhase::Begun), None, to_body("attempt", &begun).unwrap());
        self.write(Stream::Log, subject(AttemptPhase::Ended), None, to_body("attempt", &ended).unwrap());
        self.route();
        self
    }
}

fn event(id: &str, number: u32, kind: EventKind) -> Event {
    Event {
        sequence: EventNumber::new(number).unwrap(),
        kind,
        platform: Some(Platform::Primary),
        impact: (number == 1).then(|| Impact {
            calls_unsuccessful: Some(1_000),
            by_area: [("kent".parse().unwrap(), 240), ("gwent".parse().unwrap(), 60)].into(),
            ..Impact::default()
        }),
        ..Event::initial(
            "bt-cha".parse().unwrap(),
            incident(id),
            Status::Actual,
            Category::Outage,
            vec![Service::Voice999],
            "999 calls are failing",
            vec!["uk".parse().unwrap()],
        )
    }
}
