//! A small world: a broker's clock, two streams, a router that is the real fold, and authors with real keys.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses what it needs of the world")]

pub(crate) mod owing;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tocsin_audit::{Report, Request, gather};
use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::{
    Area, AreaId, AreaScope, AttemptBegun, AttemptEnded, AttemptPhase, Call, Category, Checkpoint,
    ClockStart, Confidence, ConsoleDoors, Contact, DirectoryDocument, Entry, Event, EventKind, EventNumber,
    IncidentId, Link, Outcome, OwedRule, Person, Platform, PolicyDocument, Publisher, Receipt, ReceiptMethod,
    ReceiptStage, Recipient, RecipientId, Requirement, Service, Signed, SignedDuration, SignedIn, SigningKey,
    Status, StepDocument, StepNumber, Stream, Subject, Timestamp, Where, Window, leaf, to_body,
    tree::Frontier,
};

pub(crate) const INCIDENT: &str = "bt-999-2023-06-25";

/// A few of the United Kingdom: identifier, name and kind.
pub(crate) const SMALL: [(&str, &str, &str); 6] = [
    ("ofcom", "Ofcom", "regulator"),
    ("dsit", "Department for Science, Innovation and Technology", "government"),
    ("pol-west-mercia", "West Mercia Police", "police-territorial"),
    ("pol-gwent", "Gwent Police", "police-territorial"),
    ("fire-kent", "Kent Fire and Rescue Service", "fire"),
    ("lrf-kent", "Kent Resilience Forum", "resilience-forum"),
];

pub(crate) struct World {
    now: Timestamp,
    pub(crate) entries: Vec<Entry>,
    sequences: BTreeMap<Stream, u64>,
    /// The subjects of the log that have a fact: each is written once.
    log: BTreeSet<String>,
    router: Fold,
    /// Facts of the log that this router fails to write.
    pub(crate) withheld: fn(&Subject) -> bool,
    windows: Vec<(Timestamp, Subject, Bytes)>,
    publisher: SigningKey,
    keys: BTreeMap<RecipientId, SigningKey>,
    said: u32,
    /// Of which incident is said what is said.
    pub(crate) incident: String,
    /// The newest checkpoint, which desks repeat.
    pub(crate) seen: Option<String>,
    pub(crate) status: Status,
}

fn contact(role: &str, id: &str) -> Contact {
    let phone = (role == "duty").then(|| "01632 960001".to_owned());
    Contact { role: role.to_owned(), email: format!("{role}@{id}.example"), phone }
}

fn seed(number: u8) -> SigningKey {
    // Keys are the same in every run, so that what is pictured is the same.
    SigningKey::from_seed(&encoded(number)).unwrap()
}

/// The key with which the router signs checkpoints.
pub(crate) fn checkpoint_key() -> SigningKey {
    seed(2)
}

/// The key with which the console signs.
pub(crate) fn console_key() -> SigningKey {
    seed(3)
}

/// The key with which the notifier signs the links of its mails.
pub(crate) fn link_key() -> SigningKey {
    seed(4)
}

fn encoded(number: u8) -> String {
    nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, [number; 32]).unwrap().seed().unwrap()
}

pub(crate) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub(crate) fn id(id: &str) -> RecipientId {
    RecipientId::new(id).unwrap()
}

pub(crate) fn number(n: u32) -> EventNumber {
    EventNumber::new(n).unwrap()
}

/// 06:26 on 25 June 2023 by the clock on the wall.
pub(crate) fn start() -> Timestamp {
    "2023-06-25T05:26:00Z".parse().unwrap()
}

/// Kinds `resilience-forum` are informed, all others required, with this window for the first step and twice that for the
/// second.
fn policy(window: SignedDuration) -> PolicyDocument {
    PolicyDocument {
        source: None,
        in_force_from: None,
        trigger: tocsin_protocol::Trigger::Failure,
        duties: Vec::new(),
        id: "uk-999".parse().unwrap(),
        name: "999 notification protocol".to_owned(),
        basis: "Our own windows".to_owned(),
        as_of: None,
        confidence: Confidence::Assumption,
        clock: ClockStart::Published,
        services: Vec::new(),
        acknowledge: vec![EventKind::Initial, EventKind::Resolved],
        owed: vec![
            OwedRule {
                kinds: vec!["resilience-forum".to_owned()],
                recipients: Vec::new(),
                place: Where::Anywhere,
                requirement: Requirement::Informed,
            },
            OwedRule {
                kinds: Vec::new(),
                recipients: Vec::new(),
                place: Where::Anywhere,
                requirement: Requirement::Required,
            },
        ],
        steps: vec![
            StepDocument {
                within: Window(window),
                contact: "duty".to_owned(),
                reach: tocsin_protocol::Reach::Own,
            },
            StepDocument {
                within: Window(window * 2),
                contact: "senior".to_owned(),
                reach: tocsin_protocol::Reach::Own,
            },
        ],
    }
}

impl World {
    /// A world of these recipients (id, name, kind); kinds `resilience-forum` are informed, all others required.
    pub(crate) fn of(recipients: &[(&str, &str, &str)]) -> Self {
        Self::with_window(recipients, minutes(15))
    }

    /// The same with this window for the first step, and twice that for the second.
    pub(crate) fn with_window(recipients: &[(&str, &str, &str)], window: SignedDuration) -> Self {
        let keys: BTreeMap<RecipientId, SigningKey> = recipients
            .iter()
            .enumerate()
            .map(|(n, r)| (id(r.0), seed(10 + u8::try_from(n).unwrap())))
            .collect();
        let publisher = seed(1);
        let area = AreaId::new("uk").unwrap();
        let document = DirectoryDocument {
            name: "999 notification, a small picture of it".to_owned(),
            time_zone: "Europe/London".to_owned(),
            directory_key: None,
            checkpoint_key: Some(checkpoint_key().public()),
            console_key: Some(console_key().public()),
            link_key: Some(link_key().public()),
            areas: vec![Area {
                id: area.clone(),
                name: "United Kingdom".to_owned(),
                within: None,
                population: None,
            }],
            monitors: Vec::new(),
            exercises: Vec::new(),
            publishers: vec![Publisher {
                contacts: std::collections::BTreeMap::new(),
                id: "bt-cha".parse().unwrap(),
                name: "BT 999 call handling".to_owned(),
                key: Some(publisher.public()),
                areas: AreaScope::All,
            }],
            recipients: recipients
                .iter()
                .map(|(id, name, kind)| Recipient {
                    buddy: None,
                    coordinating_body: None,
                    control_rooms: Vec::new(),
                    id: id.parse().unwrap(),
                    name: (*name).to_owned(),
                    kind: (*kind).to_owned(),
                    nation: None,
                    areas: vec![area.clone()],
                    neighbours: Vec::new(),
                    key: Some(keys[*id].public()),
                    contacts: [("duty", "duty"), ("senior", "senior")]
                        .map(|(word, role)| (word.to_owned(), contact(role, id)))
                        .into(),
                    valid_from: None,
                    valid_to: None,
                    console: ConsoleDoors::Open,
                    last_verified_at: None,
                })
                .collect(),
            policies: vec![policy(window)],
        };
        let mut world = Self {
            now: start() - minutes(60),
            entries: Vec::new(),
            sequences: BTreeMap::new(),
            log: BTreeSet::new(),
            router: Fold::new(),
            withheld: |_| false,
            windows: Vec::new(),
            publisher,
            keys,
            said: 0,
            incident: INCIDENT.to_owned(),
            seen: None,
            status: Status::Actual,
        };
        let body = to_body("directory", &document).unwrap();
        world.write(Stream::Log, Subject::Directory { version: 1 }.to_string(), None, body);
        world.now = start();
        world
    }

    /// Goes over to another incident, so long after the first.
    pub(crate) fn another(&mut self, incident: &str, after: SignedDuration) -> &mut Self {
        (self.incident, self.said) = (incident.to_owned(), 0);
        self.at(after)
    }

    /// A small picture of the United Kingdom.
    pub(crate) fn small() -> Self {
        Self::of(&SMALL)
    }

    /// Lets time pass to so long after the first event; the broker closes what falls due.
    pub(crate) fn at(&mut self, after: SignedDuration) -> &mut Self {
        let until = start() + after;
        while let Some(at) =
            (0..self.windows.len()).min_by_key(|n| self.windows[*n].0).filter(|n| self.windows[*n].0 < until)
        {
            let (due_at, subject, body) = self.windows.remove(at);
            self.now = self.now.max(due_at + SignedDuration::from_millis(1));
            if !(self.withheld)(&subject) {
                self.write(Stream::Log, subject.to_string(), None, body);
            }
            self.route();
        }
        self.now = self.now.max(until);
        self
    }

    /// A further directory, in another time zone.
    pub(crate) fn document_zone(&mut self, zone: &str) -> &mut Self {
        self.change_directory(2, |document| zone.clone_into(&mut document.time_zone))
    }

    /// A further version of the directory: the newest with a change.
    pub(crate) fn change_directory(
        &mut self,
        version: u64,
        change: impl FnOnce(&mut DirectoryDocument),
    ) -> &mut Self {
        self.directory(version, None, change)
    }

    /// The same, signed by this key, which is the `directory_key` from then on.
    pub(crate) fn sign_directory(&mut self, version: u64, key: &SigningKey) -> &mut Self {
        self.directory(version, Some(key), |document| document.directory_key = Some(key.public()))
    }

    fn directory(
        &mut self,
        version: u64,
        key: Option<&SigningKey>,
        change: impl FnOnce(&mut DirectoryDocument),
    ) -> &mut Self {
        let of = |entry: &&Entry| entry.subject.starts_with("tocsin.directory.");
        let newest = self.entries.iter().rfind(of).unwrap();
        let mut document: DirectoryDocument = serde_json::from_slice(&newest.body).unwrap();
        change(&mut document);
        let (subject, body) =
            (Subject::Directory { version }.to_string(), to_body("directory", &document).unwrap());
        let signed = key.map(|key| key.sign(&subject, &body).unwrap());
        self.write(Stream::Log, subject, signed, body);
        self
    }

    fn write(&mut self, stream: Stream, subject: String, signed: Option<Signed>, body: Bytes) -> Verdict {
        let sequence = self.sequences.entry(stream).or_default();
        *sequence += 1;
        let entry =
            Entry { stream, sequence: *sequence, time: self.now, subject, signed, said_through: None, body };
        let verdict = self.router.apply(&entry);
        if stream == Stream::Log {
            self.log.insert(entry.subject.clone());
        }
        self.entries.push(entry);
        verdict
    }

    /// The router writes what follows, each batch a millisecond later; what is withheld stays owed for ever.
    fn route(&mut self) {
        loop {
            let (withheld, log) = (self.withheld, &self.log);
            let wanted = |subject: &Subject| !withheld(subject) && !log.contains(&subject.to_string());
            let follows = self.router.follows().into_iter().flat_map(|batch| batch.facts);
            let facts: Vec<_> = follows.filter(|fact| wanted(&fact.subject)).collect();
            if facts.is_empty() {
                return;
            }
            self.now += SignedDuration::from_millis(1);
            for fact in facts {
                if let Some(schedule) = fact.schedule {
                    self.windows.push((schedule.at, schedule.target, fact.body.clone()));
                }
                self.write(Stream::Log, fact.subject.to_string(), None, fact.body);
            }
        }
    }

    pub(crate) fn say(&mut self, kind: EventKind, change: impl FnOnce(&mut Event)) -> &mut Self {
        self.said += 1;
        let mut event = Event {
            sequence: number(self.said),
            kind,
            began_at: Some(start() - minutes(2)),
            platform: Some(Platform::Primary),
            ..Event::initial(
                "bt-cha".parse().unwrap(),
                self.incident.parse().unwrap(),
                self.status,
                Category::Outage,
                vec![Service::Voice999],
                "999 calls are failing",
                vec![AreaId::new("uk").unwrap()],
            )
        };
        change(&mut event);
        let body = to_body("event", &event).unwrap();
        let subject = event.subject().to_string();
        let signed = self.publisher.sign(&subject, &body).unwrap();
        let verdict = self.write(Stream::Said, subject, Some(signed), body);
        assert!(matches!(verdict, Verdict::Event(_)), "{verdict:?}");
        self.route();
        self
    }

    /// A person of the publisher telephones, and logs it.
    pub(crate) fn called(&mut self, who: &str, event: u32) -> &mut Self {
        let person = |name: &str, role: &str| Person { name: name.to_owned(), role: role.to_owned() };
        let call = Call {
            incident: self.incident.parse().unwrap(),
            event: number(event),
            publisher: "bt-cha".parse().unwrap(),
            recipient: id(who),
            at: self.now - seconds(90),
            by: person("C. Aller", "duty manager"),
            spoke_to: person(&format!("A. Person of {who}"), "control room supervisor"),
            number: Some("+44 20 7946 0999".to_owned()),
            control_room: None,
            note: None,
        };
        let body = to_body("call", &call).unwrap();
        let subject = call.subject().to_string();
        let signed = self.publisher.sign(&subject, &body).unwrap();
        let verdict = self.write(Stream::Said, subject, Some(signed), body);
        assert!(matches!(verdict, Verdict::Call(_)), "{verdict:?}");
        self.route();
        self
    }

    fn receipt(&self, who: &str, event: u32, stage: ReceiptStage) -> Receipt {
        let by = Person { name: format!("A. Person of {who}"), role: "control room supervisor".to_owned() };
        Receipt {
            stage,
            by: (stage == ReceiptStage::Acknowledged).then_some(by),
            method: (stage == ReceiptStage::Acknowledged).then_some(ReceiptMethod::Desk),
            checkpoint: self.seen.clone(),
            ..Receipt::delivered(
                id(who),
                self.incident.parse().unwrap(),
                number(event),
                self.now - seconds(1),
            )
        }
    }

    pub(crate) fn delivered(&mut self, who: &str, event: u32) -> &mut Self {
        let receipt = self.receipt(who, event, ReceiptStage::Delivered);
        self.sign_as(who, &receipt)
    }

    pub(crate) fn acknowledged(&mut self, who: &str, event: u32) -> &mut Self {
        let receipt = self.receipt(who, event, ReceiptStage::Acknowledged);
        self.sign_as(who, &receipt)
    }

    /// An acknowledgement in one recipient's name, signed with another's key.
    pub(crate) fn forged(&mut self, whose: &str, event: u32, by: &str) -> &mut Self {
        let receipt = self.receipt(whose, event, ReceiptStage::Acknowledged);
        self.sign_as(by, &receipt)
    }

    /// Somebody signed in for a recipient acknowledges on the console's page.
    pub(crate) fn on_the_page(&mut self, who: &str, event: u32) -> &mut Self {
        let method = Some(ReceiptMethod::Page);
        let signed_in = SignedIn { account: format!("{who}.control"), session: "0123456789abcdef".repeat(2) };
        let receipt = Receipt {
            method,
            checkpoint: None,
            signed_in: Some(signed_in),
            ..self.receipt(who, event, ReceiptStage::Acknowledged)
        };
        self.sign_with(&console_key(), &receipt)
    }

    /// Somebody acknowledges by the link in the mail of a step, which is good for an hour from now.
    pub(crate) fn by_the_link(&mut self, who: &str, event: u32, step: u32) -> &mut Self {
        let link = Link {
            recipient: id(who),
            incident: INCIDENT.parse().unwrap(),
            event: number(event),
            step: StepNumber::new(step).unwrap(),
            expires_at: self.now + minutes(60),
        };
        let receipt = Receipt {
            method: Some(ReceiptMethod::Link),
            link: Some(link.token(&link_key()).unwrap()),
            checkpoint: None,
            ..self.receipt(who, event, ReceiptStage::Acknowledged)
        };
        self.sign_with(&console_key(), &receipt)
    }

    fn sign_as(&mut self, who: &str, receipt: &Receipt) -> &mut Self {
        let key = SigningKey::from_seed(&self.keys[who].seed().unwrap()).unwrap();
        self.sign_with(&key, receipt)
    }

    fn sign_with(&mut self, key: &SigningKey, receipt: &Receipt) -> &mut Self {
        let body = to_body("receipt", receipt).unwrap();
        let subject = receipt.subject().to_string();
        let signed = key.sign(&subject, &body).unwrap();
        self.write(Stream::Said, subject, Some(signed), body);
        self.route();
        self
    }

    /// Every required recipient but these takes the notice in and acknowledges, a second after each other.
    pub(crate) fn all_but(&mut self, silent: &[&str], event: u32) -> &mut Self {
        for who in self.keys.keys().map(ToString::to_string).collect::<Vec<_>>() {
            if !silent.contains(&who.as_str()) {
                let now = self.now.duration_since(start());
                self.delivered(&who, event).at(now + seconds(1)).acknowledged(&who, event);
            }
        }
        self
    }

    /// A notifier's attempt: begun now, and ended unless it died.
    pub(crate) fn attempt(
        &mut self,
        who: &str,
        (event, step): (u32, u32),
        attempt: u32,
        end: Option<Outcome>,
    ) -> &mut Self {
        self.attempt_said(who, (event, step), attempt, end, None)
    }

    /// The same with a reply code.
    pub(crate) fn attempt_said(
        &mut self,
        who: &str,
        (event, step): (u32, u32),
        attempt: u32,
        end: Option<Outcome>,
        code: Option<u16>,
    ) -> &mut Self {
        let incident: IncidentId = self.incident.parse().unwrap();
        let subject = |phase| Subject::Attempt {
            recipient: id(who),
            incident: incident.clone(),
            event: number(event),
            step: StepNumber::new(step).unwrap(),
            attempt,
            phase,
        };
        let begun = AttemptBegun {
            relay: "primary".to_owned(),
            to: format!("duty@{who}.example"),
            message_id: format!("<{who}.{event}.{step}@tocsin.example>"),
            token: None,
            digest: None,
        };
        let body = to_body("attempt", &begun).unwrap();
        self.write(Stream::Log, subject(AttemptPhase::Begun).to_string(), None, body);
        if let Some(outcome) = end {
            let ended = AttemptEnded {
                relay: if outcome == Outcome::StoodDown { String::new() } else { "primary".to_owned() },
                outcome,
                code,
                reply: format!("the relay's words for {}", serde_json::to_string(&outcome).unwrap()),
            };
            let body = to_body("attempt", &ended).unwrap();
            self.now += SignedDuration::from_millis(200);
            self.write(Stream::Log, subject(AttemptPhase::Ended).to_string(), None, body);
        }
        self.route();
        self
    }

    /// Something on the log under any subject.
    pub(crate) fn log(&mut self, subject: &str, body: &'static [u8]) -> &mut Self {
        self.write(Stream::Log, subject.to_owned(), None, Bytes::from_static(body));
        self
    }

    /// The router signs what both streams hold.
    pub(crate) fn checkpoint(&mut self) -> &mut Self {
        let fact = stated(&self.entries).fact(&checkpoint_key()).unwrap();
        self.seen = Some(String::from_utf8(fact.body.to_vec()).unwrap());
        self.write(Stream::Log, fact.subject.to_string(), None, fact.body);
        self
    }

    pub(crate) fn report(&self) -> Report {
        self.report_with(Request::default())
    }

    pub(crate) fn report_with(&self, request: Request) -> Report {
        let incident = IncidentId::new(INCIDENT).unwrap();
        let one = gather(&self.entries, Some(&incident));
        let report = one.report(&incident, request.clone()).unwrap();
        let all = gather(&self.entries, None).report(&incident, request).unwrap();
        assert_eq!(report, all, "the report of one incident is the same when all are gathered");
        report
    }
}

/// What a checkpoint states after these entries.
pub(crate) fn stated(entries: &[Entry]) -> Checkpoint {
    let of = |stream| {
        let mut tree = Frontier::new();
        entries.iter().filter(|e| e.stream == stream).filter_map(leaf).for_each(|leaf| tree.push(leaf));
        tree.head()
    };
    Checkpoint { log: of(Stream::Log), said: of(Stream::Said) }
}
