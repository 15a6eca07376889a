//! Two streams made out of bytes: publishers and recipients who say what they may and may not, a router that writes
//! what follows or some of it, a broker whose clock jumps, and a stolen key that writes to the log.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use tocsin_duty::{Fold, Verdict};
use tocsin_fuzz::{Choices, files};
use tocsin_protocol::{
    DirectoryDocument, Entry, Event, Link, Person, Receipt, ReceiptMethod, ReceiptStage, Schedule, Signed,
    SignedDuration, SigningKey, StepNumber, Stream, Subject, Timestamp, to_body,
};

/// What no page may show as it is.
pub(crate) const MARKUP: &str = "<script>";

/// The most steps of one story.
const STEPS: usize = 60;

pub(crate) fn begin() -> Timestamp {
    "2023-06-25T05:24:00Z".parse().unwrap()
}

struct World {
    keys: [SigningKey; 6],
    directory: DirectoryDocument,
    /// Bodies of every kind, for the log of a thief.
    examples: Vec<Vec<u8>>,
    events: Vec<Event>,
}

const PUBLISHERS: [&str; 2] = ["bt-cha", "pol-kent"];
const RECIPIENTS: [&str; 3] = ["ofcom", "pol-kent", "fire-kent"];

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let keys = [(); 6].map(|()| SigningKey::generate());
    let contacts = serde_json::json!({
        "duty": { "role": "duty", "email": "duty@body.example" },
        "senior": { "role": "senior", "email": "senior@body.example" },
    });
    let directory = serde_json::from_value(serde_json::json!({
        "name": "a county", "time_zone": "Europe/London",
        "console_key": keys[4].public(), "link_key": keys[5].public(),
        "areas": [{ "id": "uk", "name": "UK" }, { "id": "kent", "name": "Kent", "within": "uk" }],
        "publishers": [
            { "id": PUBLISHERS[0], "name": "BT", "key": keys[0].public(), "areas": "all" },
            { "id": PUBLISHERS[1], "name": "Kent", "key": keys[1].public(), "areas": ["kent"] },
        ],
        "recipients": [
            { "id": RECIPIENTS[0], "name": "Ofcom <script>", "kind": "regulator", "areas": ["uk"],
              "key": keys[2].public(), "contacts": contacts },
            { "id": RECIPIENTS[1], "name": "Kent Police", "kind": "police", "areas": ["kent"],
              "neighbours": ["fire-kent"], "key": keys[1].public(), "contacts": contacts },
            { "id": RECIPIENTS[2], "name": "Kent Fire", "kind": "fire", "areas": ["kent"], "contacts": contacts },
        ],
        "policies": [
            { "id": "uk-999", "name": "999", "basis": "ours", "confidence": "assumption", "clock": "published",
              "acknowledge": ["initial", "resolved"],
              "owed": [{ "kinds": ["fire"], "where": "affected", "requirement": "informed" },
                       { "where": "anywhere", "requirement": "required" }],
              "steps": [{ "within": "15m", "contact": "duty" }, { "within": "30m", "contact": "senior" }] },
            { "id": "occurred", "name": "by the failure", "basis": "ours", "confidence": "assumption",
              "clock": "occurred", "acknowledge": ["initial"],
              "owed": [{ "kinds": ["regulator"], "where": "anywhere", "requirement": "required" }],
              "steps": [{ "within": "3h", "contact": "duty" }] },
        ],
    }))
    .unwrap();
    let events = files("schemas/examples/valid", "event-", ".json")
        .iter()
        .map(|body| serde_json::from_slice(body).unwrap())
        .collect();
    World { keys, directory, examples: files("schemas/examples/valid", "", ".json"), events }
});

/// Both streams as they came to be, and the router that wrote some of it.
pub(crate) struct Story {
    pub(crate) fold: Fold,
    pub(crate) entries: Vec<Entry>,
    pub(crate) verdicts: Vec<Verdict>,
    now: Timestamp,
    said: u64,
    logged: u64,
    standing: BTreeMap<String, Entry>,
    windows: Vec<(Timestamp, Subject, Bytes)>,
}

/// Stories that go far: an event, its notices, receipts, windows that close.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let event = |kind: u8| vec![0, 0, 0, kind, kind, 0, 0, 0];
    let wait = |minutes: u8| vec![5, minutes, 0];
    let receipt = |who: u8, stage: u8| vec![1, who, 0, 0, stage, 0, 0, 0];
    let by_door = |who: u8, door: u8| vec![1, who, 0, 0, 1, 0, door, 0];
    vec![
        [
            event(0),
            vec![2, 255],
            receipt(0, 0),
            receipt(1, 1),
            wait(16),
            vec![2, 255],
            wait(200),
            vec![2, 255],
        ]
        .concat(),
        [event(0), vec![2, 2], event(1), vec![2, 255], receipt(0, 1), event(2), vec![2, 255], wait(60)]
            .concat(),
        [event(0), vec![2, 255], by_door(0, 1), by_door(1, 2), by_door(2, 2), wait(31), vec![2, 255]]
            .concat(),
        [event(0), vec![2, 255, 3, 1, 0, 3, 2, 0, 4, 1, 1], wait(16), vec![2, 255, 6, 1, 2, 255]].concat(),
    ]
}

impl Story {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut story = Self {
            fold: Fold::new(),
            entries: Vec::new(),
            verdicts: Vec::new(),
            now: begin(),
            said: 0,
            logged: 0,
            standing: BTreeMap::new(),
            windows: Vec::new(),
        };
        let choices = &mut Choices::new(bytes);
        // One in sixteen begins without a directory.
        if bytes.first().is_none_or(|byte| byte % 16 != 15) {
            let body = to_body("directory", &WORLD.directory).unwrap();
            story.log("tocsin.directory.1".to_owned(), body);
        }
        for _ in 0..STEPS {
            if choices.is_empty() {
                break;
            }
            story.step(choices);
        }
        story
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() % 10 {
            0 => self.event(choices),
            1 => self.receipt(choices),
            2 => {
                let most = usize::from(choices.byte());
                self.write(most);
            }
            3 => self.stolen(choices),
            4 => self.again(choices),
            5 => {
                let minutes = i64::from(choices.byte());
                let back = choices.below(8) == 1;
                self.pass(SignedDuration::from_mins(if back { -minutes } else { minutes }));
            }
            6 => self.directory(choices),
            7 => self.attempt(choices),
            8 => self.junk(choices),
            _ => {
                let edge = *choices.of(&[Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH, begin()]);
                self.now = edge;
            }
        }
    }

    fn incident(choices: &mut Choices<'_>) -> String {
        format!("incident-{}", choices.below(2))
    }

    fn event(&mut self, choices: &mut Choices<'_>) {
        let publisher = choices.below(PUBLISHERS.len());
        let incident = Self::incident(choices);
        let number = self.entries.iter().filter(|entry| entry.subject.contains(&incident)).count();
        let mut event = choices.of(&WORLD.events).clone();
        let kind = choices.below(5);
        event.incident = incident.parse().unwrap();
        event.publisher = PUBLISHERS[publisher].parse().unwrap();
        event.areas = vec![["kent", "uk", "nowhere"][choices.below(3)].parse().unwrap()];
        event.headline = format!("{MARKUP}alert(1)</script>\u{1b}[2J calls fail");
        event.status = tocsin_protocol::Status::Actual;
        let next = self
            .verdicts
            .iter()
            .filter(|verdict| matches!(verdict, Verdict::Event(known) if known.incident == event.incident));
        let next = u32::try_from(next.count() + 1).unwrap();
        event.sequence = tocsin_protocol::EventNumber::new(next).unwrap();
        event.kind = match (next, kind) {
            (1, _) => tocsin_protocol::EventKind::Initial,
            (_, 0 | 1) => tocsin_protocol::EventKind::Update,
            (_, 2) => tocsin_protocol::EventKind::Resolved,
            (_, 3) => tocsin_protocol::EventKind::Cancelled,
            _ => event.kind,
        };
        if choices.below(8) == 1 {
            event.sequence = event.sequence.next();
        }
        if number % 3 == 2 {
            event.began_at = Some(Timestamp::MAX);
        }
        self.say(&event.subject().to_string(), &to_body("event", &event).unwrap(), publisher, choices);
    }

    fn receipt(&mut self, choices: &mut Choices<'_>) {
        let who = choices.below(RECIPIENTS.len());
        let incident = Self::incident(choices);
        let event = u32::from(choices.byte() % 4) + 1;
        let stage = [ReceiptStage::Delivered, ReceiptStage::Acknowledged][choices.below(2)];
        let by = Person { name: format!("{MARKUP}A. Person"), role: "supervisor".to_owned() };
        let receipt = Receipt {
            stage,
            by: (stage == ReceiptStage::Acknowledged).then_some(by),
            checkpoint: (choices.below(4) == 1).then(|| MARKUP.to_owned()),
            ..Receipt::delivered(
                RECIPIENTS[who].parse().unwrap(),
                incident.parse().unwrap(),
                tocsin_protocol::EventNumber::new(event).unwrap(),
                self.now,
            )
        };
        let (receipt, key) = through_a_door(receipt, [2, 1, 3][who], choices);
        self.say(&receipt.subject().to_string(), &to_body("receipt", &receipt).unwrap(), key, choices);
    }

    /// Says it, mostly as it is; now and then with another's key, unsigned, changed before it is signed or after.
    fn say(&mut self, subject: &str, body: &[u8], key: usize, choices: &mut Choices<'_>) {
        let way = choices.below(16);
        let body = if way == 9 { choices.changed(body) } else { body.to_vec() };
        let key = &WORLD.keys[if way == 10 { choices.below(6) } else { key }];
        let mut signed = Some(key.sign(subject, &body).unwrap());
        let mut subject = subject.to_owned();
        match way {
            11 => signed = None,
            12 => subject = String::from_utf8_lossy(&choices.changed(subject.as_bytes())).into_owned(),
            13 => {
                let text = String::from_utf8_lossy(choices.take(8)).into_owned();
                signed = Some(Signed { key: text.clone(), signature: text });
            }
            _ => {}
        }
        self.said += 1;
        self.store(Entry {
            stream: Stream::Said,
            sequence: self.said,
            time: self.now,
            subject,
            signed,
            said_through: None,
            body: body.into(),
        });
    }

    /// Somebody with a service's key writes to the log what no router would: where nothing stands yet.
    fn stolen(&mut self, choices: &mut Choices<'_>) {
        let subject = if choices.below(3) == 0 {
            let owed: Vec<_> = self.fold.follows().into_iter().flat_map(|batch| batch.facts).collect();
            let Some(first) = owed.get(choices.below(owed.len())) else { return };
            first.subject.to_string()
        } else {
            let (incident, who) = (Self::incident(choices), choices.of(&RECIPIENTS));
            let (event, step) = (choices.below(4), choices.below(4));
            match choices.below(9) {
                0 => format!("tocsin.directory.{event}"),
                1 => format!("tocsin.refusal.{who}.{event}"),
                2 => format!("tocsin.dispatch.operator.{incident}.{event}"),
                3 => format!("tocsin.notice.{who}.{incident}.{event}"),
                4 => format!("tocsin.due.{incident}.{event}.{step}"),
                5 => format!("tocsin.finding.{incident}.{event}.{step}"),
                6 => format!("tocsin.escalation.{who}.{incident}.{event}.{step}"),
                7 => format!("tocsin.attempt.{who}.{incident}.{event}.{step}.1.ended"),
                _ => format!("tocsin.checkpoint.{event}"),
            }
        };
        let body = match choices.below(3) {
            0 => choices.of(&WORLD.examples).clone(),
            1 if !self.entries.is_empty() => choices.of(&self.entries).body.to_vec(),
            _ => self.owed_body(choices),
        };
        let body = choices.changed(&body);
        self.log(subject, body.into());
    }

    fn owed_body(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        let owed: Vec<_> = self.fold.follows().into_iter().flat_map(|batch| batch.facts).collect();
        if owed.is_empty() { Vec::new() } else { choices.of(&owed).body.to_vec() }
    }

    /// Something that stands in one stream is stored again, there or in the other.
    fn again(&mut self, choices: &mut Choices<'_>) {
        if self.entries.is_empty() {
            return;
        }
        let again = choices.of(&self.entries).clone();
        if choices.below(2) == 0 {
            self.log(again.subject, again.body);
        } else {
            self.said += 1;
            self.store(Entry { stream: Stream::Said, sequence: self.said, time: self.now, ..again });
        }
    }

    fn directory(&mut self, choices: &mut Choices<'_>) {
        let mut document = WORLD.directory.clone();
        match choices.below(8) {
            0 => document.policies.clear(),
            1 => drop(document.recipients.pop()),
            2 => {
                let longest = tocsin_protocol::Window(SignedDuration::MAX);
                document.policies[0].steps[0].within = longest;
            }
            3 => document.recipients[0].contacts.clear(),
            4 => "No/Where".clone_into(&mut document.time_zone),
            5 => document.publishers.clear(),
            6 => document.policies[0].owed.reverse(),
            _ => document.areas.reverse(),
        }
        let version = choices.below(5);
        self.log(format!("tocsin.directory.{version}"), to_body("directory", &document).unwrap());
    }

    fn attempt(&mut self, choices: &mut Choices<'_>) {
        let (incident, who) = (Self::incident(choices), choices.of(&RECIPIENTS));
        let (event, step, attempt) = (choices.below(3) + 1, choices.below(3) + 1, choices.below(3) + 1);
        let outcome = *choices.of(&["accepted", "temporary", "permanent", "unknown", "stood-down", "none"]);
        let subject =
            |phase: &str| format!("tocsin.attempt.{who}.{incident}.{event}.{step}.{attempt}.{phase}");
        let begun =
            serde_json::json!({ "relay": MARKUP, "to": "a@b.example", "message_id": "<x@y.example>" });
        let ended = serde_json::json!({ "relay": MARKUP, "outcome": outcome, "code": 550, "reply": MARKUP });
        if choices.below(4) != 0 {
            self.log(subject("begun"), begun.to_string().into());
        }
        if choices.below(4) != 0 {
            self.log(subject("ended"), ended.to_string().into());
        }
    }

    fn junk(&mut self, choices: &mut Choices<'_>) {
        let subject = String::from_utf8_lossy(choices.take(16)).into_owned();
        let body = Bytes::copy_from_slice(choices.take(32));
        if choices.below(2) == 0 {
            self.log(subject, body);
        } else {
            self.said += 1;
            let (sequence, time) = (self.said, self.now);
            let signed = None;
            let stream = Stream::Said;
            self.store(Entry { stream, sequence, time, subject, signed, said_through: None, body });
        }
    }

    fn store(&mut self, entry: Entry) {
        self.verdicts.push(self.fold.apply(&entry));
        self.entries.push(entry);
    }

    /// As the broker does it: written once. What stands already is taken in instead, as a router does.
    fn log(&mut self, subject: String, body: Bytes) -> bool {
        if self.standing.contains_key(&subject) {
            return false;
        }
        self.logged += 1;
        let entry = Entry {
            stream: Stream::Log,
            sequence: self.logged,
            time: self.now,
            subject: subject.clone(),
            signed: None,
            said_through: None,
            body,
        };
        self.standing.insert(subject, entry.clone());
        self.store(entry);
        true
    }

    /// The router writes what is owed, at most so many facts; gives whether it found anything that it could write.
    pub(crate) fn write(&mut self, most: usize) -> bool {
        let owed: Vec<_> = self.fold.follows().into_iter().flat_map(|batch| batch.facts).collect();
        let mut new = false;
        for fact in owed.into_iter().take(most) {
            let written = self.log(fact.subject.to_string(), fact.body.clone());
            if let Some(Schedule { at, target }) = fact.schedule.filter(|_| written) {
                self.windows.push((at, target, fact.body));
            }
            new |= written;
        }
        new
    }

    /// Another turn of the router after the last word: it takes in what stands where it was to write, and windows
    /// close. Gives whether anything was new.
    pub(crate) fn turn(&mut self) -> bool {
        if self.write(usize::MAX) {
            return true;
        }
        for fact in self.fold.follows().into_iter().flat_map(|batch| batch.facts) {
            if let Some(there) = self.standing.get(&fact.subject.to_string()) {
                self.fold.settle(there);
            }
        }
        let waiting = !self.windows.is_empty();
        self.now = Timestamp::MAX;
        self.pass(SignedDuration::ZERO);
        waiting || self.write(usize::MAX)
    }

    /// Time passes, and the broker closes windows as it does.
    fn pass(&mut self, by: SignedDuration) {
        self.now = self.now.checked_add(by).unwrap_or(Timestamp::MAX);
        let (closed, open) =
            std::mem::take(&mut self.windows).into_iter().partition(|(at, _, _)| *at <= self.now);
        self.windows = open;
        let closed: Vec<_> = closed;
        for (_, target, body) in closed {
            self.log(target.to_string(), body);
        }
    }
}

/// Mostly a receipt as its recipient says it; now and then one of the console's, by its page or by a link.
fn through_a_door(receipt: Receipt, own: usize, choices: &mut Choices<'_>) -> (Receipt, usize) {
    let by_link = |signer: usize, step: u32| {
        let link = Link {
            recipient: receipt.recipient.clone(),
            incident: receipt.incident.clone(),
            event: receipt.event,
            step: StepNumber::new(step).unwrap(),
            expires_at: begin() + SignedDuration::from_hours(2),
        };
        let token = link.token(&WORLD.keys[signer]).unwrap();
        Receipt { method: Some(ReceiptMethod::Link), link: Some(token), ..receipt.clone() }
    };
    match choices.below(8) {
        1 => (Receipt { method: Some(ReceiptMethod::Page), ..receipt }, 4),
        2 => (by_link(5, 1), 4),
        3 => (by_link(5, 2), own),
        4 => (by_link(4, 1), 4),
        _ => (receipt, own),
    }
}
