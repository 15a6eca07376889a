//! A bus with a real nats-server, and notices on it as the router would write them.

use std::{fmt::Debug, future::Future, time::Duration};

use bytes::Bytes;
use tempfile::TempDir;
use tocsin_desk::{Acknowledge, Desk};
use tocsin_ledger::{
    Connection, Ledger, Shape,
    server::{Server, ServerOptions, find},
};
use tocsin_protocol::{
    Checkpoint, Entry, Event, NewFact, Notice, Person, ReceiptMethod, RecipientId, Refusal, RefusalCode,
    Requirement, SigningKey, Stream, Subject, Timestamp, to_body,
    tree::{Hash, Head},
};

pub(crate) const KIND_UPDATE: &str = "update";

/// No test waits longer than this for anything. A notice that a desk took and did not settle is given out again after a
/// minute.
const DEADLINE: Duration = Duration::from_mins(3);

pub(crate) struct Bus {
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
    publisher: SigningKey,
    seed: String,
    _store: TempDir,
}

pub(crate) fn recipient() -> RecipientId {
    "pol-kent".parse().unwrap()
}

pub(crate) fn person(name: &str) -> Acknowledge {
    Acknowledge {
        by: Person { name: name.to_owned(), role: "control room supervisor".to_owned() },
        method: ReceiptMethod::Desk,
        on_behalf_of: None,
        note: None,
    }
}

impl Bus {
    pub(crate) async fn start() -> Self {
        Self::start_with(None, None).await
    }

    /// The same with this configuration of the server, set up as this user.
    pub(crate) async fn start_with(config: Option<&str>, admin: Option<&SigningKey>) -> Self {
        let store = TempDir::new().unwrap();
        let options = ServerOptions {
            binary: find().unwrap(),
            store_dir: store.path().join("nats"),
            config: config.map(str::to_owned),
            port: None,
        };
        let server = Server::start(&options).await.unwrap();
        let ledger = connect(&server, admin).await;
        ledger.set_up(&Shape::default()).await.unwrap();
        ledger.ensure_desks(&[recipient()]).await.unwrap();
        let seed = SigningKey::generate().seed().unwrap();
        Self { server, ledger, publisher: SigningKey::generate(), seed, _store: store }
    }

    /// A desk of the one recipient, over the bus's connection.
    pub(crate) fn desk(&self) -> Desk {
        let key = SigningKey::from_seed(&self.seed).unwrap();
        Desk::new(self.ledger.clone(), recipient(), key).unwrap()
    }

    /// The same desk, as this user of the bus.
    pub(crate) async fn desk_as(&self, user: &SigningKey) -> Desk {
        let key = SigningKey::from_seed(&self.seed).unwrap();
        Desk::new(connect(&self.server, Some(user)).await, recipient(), key).unwrap()
    }

    /// Puts a checkpoint of this many entries on the bus.
    pub(crate) async fn checkpoint(&self, size: u64) -> String {
        let log = Head { size, root: Hash::of_leaf(&size.to_be_bytes()) };
        let fact = Checkpoint { log, said: Head::of_nothing() }.fact(&self.publisher).unwrap();
        self.ledger.append(&fact, None).await.unwrap();
        String::from_utf8(fact.body.to_vec()).unwrap()
    }

    pub(crate) async fn within<T>(&self, waited: impl Future<Output = T>) -> T {
        tokio::time::timeout(DEADLINE, waited).await.expect("it never came")
    }

    fn event(incident: &str, event: u32, kind: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "incident": incident, "sequence": event, "kind": kind, "status": "test", "publisher": "bt-cha",
            "category": "outage", "services": ["999-voice"], "headline": "999 calls fail", "areas": ["kent"],
        }))
        .unwrap()
    }

    fn body(&self, event: &Event, signed_words: &Event) -> Notice {
        let signed_body = to_body("event", signed_words).unwrap();
        let signed = self.publisher.sign(&event.subject().to_string(), &signed_body).unwrap();
        Notice {
            recontact_here: None,
            incident: event.incident.clone(),
            event: event.sequence,
            recipient: recipient(),
            status: event.status,
            requirement: Requirement::Required,
            acknowledge: true,
            due_at: Some(Timestamp::now() + Duration::from_hours(1)),
            policies: vec!["uk-999".parse().unwrap()],
            directory: 1,
            said: 1,
            published_at: Timestamp::now(),
            calls_unsuccessful_here: None,
            key: signed.key,
            signature: signed.signature,
            said_body: serde_json::from_slice(&to_body("event", event).unwrap()).unwrap(),
        }
    }

    /// Puts a notice on the bus and returns its entry.
    pub(crate) async fn notice(&self, incident: &str, event: u32, kind: &str) -> Entry {
        let event = Self::event(incident, event, kind);
        self.append(&event, to_body("notice", &self.body(&event, &event)).unwrap()).await
    }

    /// Puts a notice on the bus whose words its author did not sign.
    pub(crate) async fn forged(&self, incident: &str, event: u32) {
        let event = Self::event(incident, event, "initial");
        let signed = Event { headline: "all is well".to_owned(), ..event.clone() };
        self.append(&event, to_body("notice", &self.body(&event, &signed)).unwrap()).await;
    }

    pub(crate) async fn junk(&self, incident: &str, event: u32) {
        self.append(&Self::event(incident, event, KIND_UPDATE), Bytes::from_static(b"\x1b[2J{")).await;
    }

    async fn append(&self, event: &Event, body: Bytes) -> Entry {
        let subject = Subject::Notice {
            recipient: recipient(),
            incident: event.incident.clone(),
            event: event.sequence,
        };
        self.ledger.append(&NewFact { subject: subject.clone(), body, schedule: None }, None).await.unwrap();
        self.ledger.last(&subject).await.unwrap().unwrap()
    }

    /// Refuses what was said, as the router would.
    pub(crate) async fn refuse(&self, said: u64) {
        let entry = self.ledger.read(Stream::Said, said).await.unwrap().unwrap();
        let refusal = Refusal {
            said,
            subject: entry.subject,
            code: RefusalCode::NoKey,
            reasons: vec!["the directory has no key for pol-kent".to_owned()],
        };
        let body = to_body("refusal", &refusal).unwrap();
        let subject = Subject::refusal(&refusal.subject, said);
        let fact = NewFact { subject, body, schedule: None };
        self.ledger.append(&fact, None).await.unwrap();
    }

    pub(crate) async fn said(&self, filter: &str) -> Vec<Entry> {
        self.ledger.entries(Stream::Said, &[filter.to_owned()]).await.unwrap()
    }
}

/// Connects as the user of this key, or as nobody in particular.
async fn connect(server: &Server, user: Option<&SigningKey>) -> Ledger {
    let nkey_seed = user.map(|user| user.seed().unwrap().into());
    Ledger::connect(&Connection { nkey_seed, ..Connection::to(&server.url()) }).await.unwrap()
}

impl Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}
