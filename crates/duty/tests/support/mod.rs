//! The world that the fold is tested in: a broker, its clock and schedules, and routers that are nothing but folds.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::LazyLock,
};

use bytes::Bytes;
use tocsin_duty::{Fold, Trust, Verdict};
use tocsin_protocol::{
    AreaId, AreaScope, AttemptBegun, AttemptEnded, AttemptPhase, Category, ClockStart, Confidence,
    ConsoleDoors, Contact, DirectoryDocument, Entry, Event, EventKind, EventNumber, IncidentId, NewFact,
    Outcome, OwedRule, Person, Platform, PolicyDocument, PolicyId, Publisher, PublisherId, Receipt,
    ReceiptStage, Recipient, RecipientId, Requirement, Schedule, Service, SignedDuration, SigningKey, Status,
    StepDocument, Stream, Subject, Timestamp, Where, Window, to_body,
};

/// Something that others do.
#[derive(Debug, Clone)]
pub(crate) enum Outside {
    Publish { incident: u8, kind: u8 },
    Forge { incident: u8 },
    Acknowledge { incident: u8, event: u8, recipient: u8 },
    Deliver { incident: u8, event: u8, recipient: u8 },
    Impersonate { incident: u8, event: u8, recipient: u8 },
    SayAgain,
    Junk(u8),
    Wait(u8),
}

/// A router: a fold, how far it has read, and what it is about to write.
struct Router {
    fold: Fold,
    read: usize,
    writing: VecDeque<VecDeque<NewFact>>,
}

pub(crate) struct World {
    pub(crate) all: Vec<Entry>,
    now: Timestamp,
    tick: i64,
    said: u64,
    logged: u64,
    standing: BTreeSet<String>,
    schedules: Vec<(Timestamp, Subject, Bytes)>,
    routers: Vec<Router>,
    next: BTreeMap<u8, u32>,
    mails: BTreeMap<String, u32>,
}

/// The same in every world of a run, so that two worlds can be held against each other.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    publisher: SigningKey::generate(),
    recipients: (0..5).map(|_| SigningKey::generate()).collect(),
    stranger: SigningKey::generate(),
});

struct Keys {
    publisher: SigningKey,
    recipients: Vec<SigningKey>,
    stranger: SigningKey,
}

pub(crate) fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no identifier"))
}

fn recipient_id(n: u8) -> RecipientId {
    RecipientId::new(&format!("force-{n}")).unwrap()
}

fn incident_id(n: u8) -> IncidentId {
    IncidentId::new(&format!("incident-{n}")).unwrap()
}

/// Four required recipients and one informed; steps after 10 and 20 seconds.
fn document(keys: &Keys) -> DirectoryDocument {
    let contact = |role: &str, n: usize| Contact {
        role: role.to_owned(),
        email: format!("{role}@force-{n}.example"),
        phone: None,
    };
    DirectoryDocument {
        name: "a world".into(),
        time_zone: "Europe/London".into(),
        directory_key: None,
        checkpoint_key: None,
        console_key: None,
        link_key: None,
        areas: vec![tocsin_protocol::Area {
            id: id::<AreaId>("here"),
            name: "Here".into(),
            within: None,
            population: None,
        }],
        monitors: Vec::new(),
        exercises: Vec::new(),
        publishers: vec![Publisher {
            contacts: std::collections::BTreeMap::new(),
            id: id::<PublisherId>("operator"),
            name: "Operator".into(),
            key: Some(keys.publisher.public()),
            areas: AreaScope::All,
        }],
        recipients: keys
            .recipients
            .iter()
            .enumerate()
            .map(|(n, key)| Recipient {
                buddy: None,
                coordinating_body: None,
                control_rooms: Vec::new(),
                id: id::<RecipientId>(&format!("force-{n}")),
                name: format!("Force {n}"),
                kind: if n == 4 { "lrf".into() } else { "police-territorial".into() },
                nation: None,
                areas: vec![id::<AreaId>("here")],
                neighbours: vec![],
                key: Some(key.public()),
                console: ConsoleDoors::Open,
                contacts: [("duty", contact("duty", n)), ("senior", contact("senior", n))]
                    .map(|(word, contact)| (word.to_owned(), contact))
                    .into(),
                valid_from: None,
                valid_to: None,
                last_verified_at: None,
            })
            .collect(),
        policies: vec![PolicyDocument {
            source: None,
            in_force_from: None,
            trigger: tocsin_protocol::Trigger::Failure,
            duties: Vec::new(),
            id: id::<PolicyId>("uk-999"),
            name: "policy".into(),
            basis: "none".into(),
            as_of: None,
            confidence: Confidence::Assumption,
            clock: ClockStart::Published,
            services: vec![],
            acknowledge: vec![EventKind::Initial],
            owed: vec![
                OwedRule {
                    kinds: vec!["police-territorial".into()],
                    recipients: vec![],
                    place: Where::Affected,
                    requirement: Requirement::Required,
                },
                OwedRule {
                    kinds: vec![],
                    recipients: vec![],
                    place: Where::Affected,
                    requirement: Requirement::Informed,
                },
            ],
            steps: vec![step(10, "duty"), step(20, "senior")],
        }],
    }
}

fn step(seconds: i64, contact: &str) -> StepDocument {
    StepDocument {
        within: Window(SignedDuration::from_secs(seconds)),
        contact: contact.to_owned(),
        reach: tocsin_protocol::Reach::Own,
    }
}

impl World {
    pub(crate) fn new(routers: usize) -> Self {
        let mut world = Self {
            all: Vec::new(),
            now: "2023-06-25T05:24:00Z".parse().unwrap(),
            tick: 0,
            said: 0,
            logged: 0,
            standing: BTreeSet::new(),
            schedules: Vec::new(),
            routers: (0..routers)
                .map(|_| Router { fold: Fold::new(), read: 0, writing: VecDeque::new() })
                .collect(),
            next: BTreeMap::new(),
            mails: BTreeMap::new(),
        };
        let directory = to_body("directory", &document(&KEYS)).unwrap();
        world.append(
            &[NewFact { subject: Subject::Directory { version: 1 }, body: directory, schedule: None }],
            None,
        );
        world
    }

    /// Things from outside come on the second; what the routers write falls between, so that their order does not
    /// move what others do.
    pub(crate) fn outside(&mut self, outside: &Outside) {
        self.pass(SignedDuration::from_secs(1));
        match *outside {
            Outside::Publish { incident, kind } => {
                let number = *self.next.get(&incident).unwrap_or(&1);
                let kind = match (number, kind) {
                    (1, _) => EventKind::Initial,
                    (_, 0 | 1) => EventKind::Update,
                    (_, 2) => EventKind::Resolved,
                    _ => EventKind::Cancelled,
                };
                let platform = if number.is_multiple_of(2) { Platform::None } else { Platform::Backup };
                let event = event(&incident_id(incident), number, kind, platform);
                let body = to_body("event", &event).unwrap();
                let before = self.valid_events();
                self.say(&event.subject(), body, Author::Publisher);
                if self.valid_events() > before {
                    self.next.insert(incident, number + 1);
                }
            }
            Outside::Forge { incident } => {
                let number = *self.next.get(&incident).unwrap_or(&1);
                let event = event(&incident_id(incident), number, EventKind::Cancelled, Platform::Primary);
                self.say(&event.subject(), to_body("event", &event).unwrap(), Author::Stranger);
            }
            Outside::Acknowledge { incident, event, recipient } => {
                self.receipt(
                    incident,
                    event,
                    recipient,
                    ReceiptStage::Acknowledged,
                    Author::Recipient(recipient),
                );
            }
            Outside::Deliver { incident, event, recipient } => {
                self.receipt(
                    incident,
                    event,
                    recipient,
                    ReceiptStage::Delivered,
                    Author::Recipient(recipient),
                );
            }
            Outside::Impersonate { incident, event, recipient } => {
                let neighbour = Author::Recipient((recipient + 1) % 5);
                self.receipt(incident, event, recipient, ReceiptStage::Acknowledged, neighbour);
            }
            Outside::SayAgain => {
                if let Some(again) = self.all.iter().rev().find(|e| e.stream == Stream::Said).cloned() {
                    self.said += 1;
                    self.store(Entry { sequence: self.said, ..again });
                }
            }
            Outside::Junk(byte) => {
                let subject = [
                    "tocsin.incident.operator.incident-0.1",
                    "tocsin.receipt.x",
                    "tocsin.receipt.force-0.incident-0.1.acknowledged",
                ];
                self.said += 1;
                let junk = Entry {
                    stream: Stream::Said,
                    sequence: self.said,
                    time: self.now,
                    subject: subject[usize::from(byte) % 3].to_owned(),
                    signed: None,
                    said_through: None,
                    body: Bytes::from(vec![byte; usize::from(byte)]),
                };
                self.store(junk);
            }
            Outside::Wait(seconds) => self.pass(SignedDuration::from_secs(seconds.into())),
        }
    }

    fn receipt(&mut self, incident: u8, event: u8, recipient: u8, stage: ReceiptStage, author: Author) {
        let receipt = Receipt {
            stage,
            by: (stage == ReceiptStage::Acknowledged).then(|| Person {
                name: "Supervisor on duty".into(),
                role: "control room supervisor".into(),
            }),
            ..Receipt::delivered(
                recipient_id(recipient),
                incident_id(incident),
                EventNumber::new(event.into()).unwrap(),
                self.now,
            )
        };
        self.say(&receipt.subject(), to_body("receipt", &receipt).unwrap(), author);
    }

    fn say(&mut self, subject: &Subject, body: Bytes, author: Author) {
        let key = match author {
            Author::Publisher => &KEYS.publisher,
            Author::Recipient(n) => &KEYS.recipients[usize::from(n)],
            Author::Stranger => &KEYS.stranger,
        };
        let subject = subject.to_string();
        let signed = Some(key.sign(&subject, &body).unwrap());
        self.said += 1;
        self.store(Entry {
            stream: Stream::Said,
            sequence: self.said,
            time: self.now,
            subject,
            signed,
            said_through: None,
            body,
        });
    }

    fn store(&mut self, mut entry: Entry) {
        self.tick += 1;
        entry.time = self.now + SignedDuration::from_nanos(self.tick);
        self.all.push(entry);
    }

    /// Time passes, and the broker closes windows as it does.
    fn pass(&mut self, by: SignedDuration) {
        let until = self.now + by;
        self.schedules.sort_by_key(|(at, _, _)| *at);
        while self.schedules.first().is_some_and(|(at, _, _)| *at <= until) {
            let (at, target, body) = self.schedules.remove(0);
            self.now = self.now.max(at);
            self.tick = 0;
            self.log_entry(target.to_string(), body, None);
        }
        self.now = until;
        self.tick = 0;
    }

    fn log_entry(&mut self, subject: String, body: Bytes, said_through: Option<u64>) {
        self.standing.insert(subject.clone());
        self.logged += 1;
        let entry = Entry {
            stream: Stream::Log,
            sequence: self.logged,
            time: self.now,
            subject,
            signed: None,
            said_through,
            body,
        };
        self.store(entry);
    }

    /// Written once: whole when nothing of it stands, else what is missing.
    fn append(&mut self, facts: &[NewFact], said_through: Option<u64>) {
        for fact in facts {
            let subject = fact.subject.to_string();
            if self.standing.contains(&subject) {
                continue;
            }
            match &fact.schedule {
                Some(Schedule { at, target }) => {
                    self.standing.insert(subject);
                    self.schedules.push((*at, target.clone(), fact.body.clone()));
                }
                None => self.log_entry(subject, fact.body.clone(), said_through),
            }
        }
        self.pass(SignedDuration::ZERO);
    }

    pub(crate) fn read(&mut self, router: usize) {
        let router = &mut self.routers[router];
        for entry in &self.all[router.read..] {
            router.fold.apply(entry);
        }
        router.read = self.all.len();
        router.writing = router.fold.follows().into_iter().map(|batch| batch.facts.into()).collect();
    }

    /// Writes some of what the router found when it last read. The head of a batch is atomic; the rest may be cut.
    pub(crate) fn write(&mut self, router: usize, facts: usize) {
        const HEAD: usize = 4;
        let mut left = facts;
        while left > 0 {
            let Some(batch) = self.routers[router].writing.front_mut() else {
                return;
            };
            let take = batch.len().min(HEAD);
            let head: Vec<_> = batch.drain(..take).collect();
            if batch.is_empty() {
                self.routers[router].writing.pop_front();
            }
            left = left.saturating_sub(take);
            let refusals = matches!(head.first(), Some(NewFact { subject: Subject::Refusal { .. }, .. }));
            let said_through = (!refusals).then(|| self.routers[router].fold.said_through());
            self.append(&head, said_through);
        }
    }

    pub(crate) fn crash(&mut self, router: usize) {
        // A restart trusts what was judged before, as far as the log tells.
        let refused = self.refusals_written();
        let through = self.all.iter().filter_map(|entry| entry.said_through).max().unwrap_or(0);
        let router = &mut self.routers[router];
        router.fold = Fold::trusting(Trust { through, refused });
        router.read = 0;
        router.writing.clear();
    }

    /// The notifier takes one escalation that has no attempt yet.
    pub(crate) fn send(&mut self, outcome: Outcome) {
        let waiting =
            self.all.iter().filter(|e| e.stream == Stream::Log).find_map(|e| match e.subject.parse() {
                Ok(Subject::Escalation { recipient, incident, event, step })
                    if !self.mails.contains_key(&e.subject) =>
                {
                    Some((e.subject.clone(), recipient, incident, event, step))
                }
                _ => None,
            });
        let Some((subject, recipient, incident, event, step)) = waiting else {
            return;
        };
        self.mails.insert(subject, 1);
        let attempt = |phase| Subject::Attempt {
            recipient: recipient.clone(),
            incident: incident.clone(),
            event,
            step,
            attempt: 1,
            phase,
        };
        let begun = AttemptBegun {
            relay: "one".into(),
            to: "duty@force.example".into(),
            message_id: "<x@example>".into(),
            token: None,
            digest: None,
        };
        let ended =
            AttemptEnded { relay: "one".into(), outcome, code: Some(550), reply: "as scripted".into() };
        self.append(
            &[
                NewFact {
                    subject: attempt(AttemptPhase::Begun),
                    body: to_body("x", &begun).unwrap(),
                    schedule: None,
                },
                NewFact {
                    subject: attempt(AttemptPhase::Ended),
                    body: to_body("x", &ended).unwrap(),
                    schedule: None,
                },
            ],
            None,
        );
    }

    /// Every window closes, every router catches up, until nothing is owed.
    pub(crate) fn settle(&mut self) {
        for round in 0..100 {
            self.pass(SignedDuration::from_secs(if round == 0 { 1 } else { 60 }));
            for router in 0..self.routers.len() {
                self.read(router);
                self.write(router, usize::MAX);
            }
            for router in 0..self.routers.len() {
                self.read(router);
            }
            let owed = self.routers.iter().any(|r| !r.writing.is_empty());
            if !owed && self.schedules.is_empty() {
                return;
            }
        }
        panic!("something stays owed: {:?}", self.routers[0].fold.follows());
    }

    fn refusals_written(&self) -> BTreeSet<u64> {
        self.all
            .iter()
            .filter(|e| e.stream == Stream::Log)
            .filter_map(|e| match e.subject.parse() {
                Ok(Subject::Refusal { said, .. }) => Some(said),
                _ => None,
            })
            .collect()
    }

    fn audit(&self) -> (Fold, Vec<(u64, Verdict)>) {
        let mut fold = Fold::new();
        let mut verdicts = Vec::new();
        for entry in &self.all {
            let verdict = fold.apply(entry);
            if entry.stream == Stream::Said {
                verdicts.push((entry.sequence, verdict));
            }
        }
        (fold, verdicts)
    }

    pub(crate) fn judged_refused(&self) -> BTreeSet<u64> {
        let refused = |(said, verdict)| matches!(verdict, Verdict::Refused(_)).then_some(said);
        self.audit().1.into_iter().filter_map(refused).collect()
    }

    pub(crate) fn valid_events(&self) -> usize {
        self.audit().1.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Event(_))).count()
    }

    /// Worked out from what was said alone, not by the fold: the first acknowledgement of this or a later event that
    /// the recipient itself signed.
    pub(crate) fn acknowledged(
        &self,
        recipient: &RecipientId,
        incident: &IncidentId,
        event: EventNumber,
    ) -> Option<Timestamp> {
        let counted: BTreeSet<u64> = self
            .audit()
            .1
            .into_iter()
            .filter_map(|(said, verdict)| matches!(verdict, Verdict::Receipt(_)).then_some(said))
            .collect();
        self.all
            .iter()
            .filter(|e| e.stream == Stream::Said && counted.contains(&e.sequence))
            .filter_map(|e| match e.subject.parse() {
                Ok(Subject::Receipt {
                    recipient: r,
                    incident: i,
                    event: n,
                    stage: ReceiptStage::Acknowledged,
                }) if r == *recipient && i == *incident && n >= event => Some(e.time),
                _ => None,
            })
            .min()
    }
}

#[derive(Clone, Copy)]
enum Author {
    Publisher,
    Recipient(u8),
    Stranger,
}

fn event(incident: &IncidentId, number: u32, kind: EventKind, platform: Platform) -> Event {
    Event {
        sequence: EventNumber::new(number).unwrap(),
        kind,
        platform: Some(platform),
        ..Event::initial(
            id::<PublisherId>("operator"),
            incident.clone(),
            Status::Actual,
            Category::Outage,
            vec![Service::Voice999],
            "999 voice calls are failing",
            vec![id::<AreaId>("here")],
        )
    }
}
