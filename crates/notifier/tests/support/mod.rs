//! A nats-server, sinks and notifiers for one test, and what the test says to them.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tocsin_ledger::{
    Appended, Connection, Ledger, Shape,
    server::{self, Server, ServerOptions},
};
use tocsin_notifier::{
    Config, Notifier,
    sink::{Sink, SinkOptions},
};
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, ConsoleDoors, Contact, DirectoryDocument, Entry, Escalation,
    EscalationReason, Event, EventKind, NewFact, Outcome, Person, Receipt, ReceiptMethod, Recipient,
    SigningKey, Status, Stream, Subject, Timestamp, from_body, to_body,
};
use tokio::{runtime::Runtime, sync::oneshot, task::JoinHandle};

/// Long enough for anything here, short enough to wait for a failure.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A nats-server of the test's own with both streams.
pub(crate) struct Bus {
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
    publisher: SigningKey,
    recipients: BTreeMap<String, SigningKey>,
    _store: tempfile::TempDir,
}

impl Bus {
    pub(crate) async fn start() -> Self {
        let store = tempfile::tempdir().unwrap();
        let binary = server::find().unwrap();
        let options = ServerOptions { binary, store_dir: store.path().to_owned(), config: None, port: None };
        let server = Server::start(&options).await.unwrap();
        let ledger = Ledger::connect(&Connection::to(&server.url())).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        let (publisher, recipients) = (SigningKey::generate(), BTreeMap::new());
        Self { server, ledger, publisher, recipients, _store: store }
    }

    /// A connection of its own, as another process has.
    pub(crate) async fn connect(&self) -> Ledger {
        Ledger::connect(&Connection::to(&self.server.url())).await.unwrap()
    }

    /// Says an event and gives its sequence.
    pub(crate) async fn say_event(&self) -> u64 {
        self.say(&event()).await
    }

    pub(crate) async fn say(&self, event: &Event) -> u64 {
        let (subject, body) = (event.subject(), to_body("event", event).unwrap());
        let signed = self.publisher.sign(&subject.to_string(), &body).unwrap();
        self.ledger.say(&subject, &signed, body).await.unwrap().position().sequence
    }

    /// Puts a directory into force that knows the publisher and these recipients by their keys.
    pub(crate) async fn apply_directory(&mut self, recipients: &[String]) {
        let mut directory: DirectoryDocument =
            toml::from_str(include_str!("../data/directory.toml")).unwrap();
        self.recipients = recipients.iter().map(|id| (id.clone(), SigningKey::generate())).collect();
        directory.publishers[0].key = Some(self.publisher.public());
        directory.recipients = recipients
            .iter()
            .map(|id| Recipient {
                buddy: None,
                coordinating_body: None,
                control_rooms: Vec::new(),
                id: id.parse().unwrap(),
                name: format!("Body {id}"),
                kind: "police-territorial".to_owned(),
                nation: None,
                areas: vec!["west-mercia".parse().unwrap()],
                neighbours: Vec::new(),
                key: Some(self.recipients[id].public()),
                contacts: ["duty", "senior"].map(|step| (step.to_owned(), contact(id))).into(),
                valid_from: None,
                valid_to: None,
                console: ConsoleDoors::Open,
                last_verified_at: None,
            })
            .collect();
        let subject = Subject::Directory { version: 1 };
        let body = to_body("directory", &directory).unwrap();
        self.ledger.append(&NewFact { subject, body, schedule: None }, None).await.unwrap();
    }

    /// Puts a directory on the log that names this `directory_key` and is signed with that one, and says where it stands.
    pub(crate) async fn proclaim(&self, version: u64, names: &SigningKey, by: &SigningKey) -> u64 {
        let mut directory: DirectoryDocument =
            toml::from_str(include_str!("../data/directory.toml")).unwrap();
        directory.publishers[0].key = Some(self.publisher.public());
        directory.directory_key = Some(names.public());
        let subject = Subject::Directory { version };
        let body = to_body("directory", &directory).unwrap();
        let signed = by.sign(&subject.to_string(), &body).unwrap();
        let fact = NewFact { subject, body, schedule: None };
        match self.ledger.append_signed(&fact, &signed).await.unwrap() {
            Appended::Written(sequence) => sequence,
            Appended::Already(other) => panic!("{other:?} stands there"),
        }
    }

    /// Acknowledges the event, as a recipient's desk does.
    pub(crate) async fn acknowledge(&self, recipient: &str) {
        let receipt = Receipt::acknowledged(
            recipient.parse().unwrap(),
            event().incident,
            "1".parse().unwrap(),
            Timestamp::UNIX_EPOCH,
            (
                Person { name: "A. Person".to_owned(), role: "Control room supervisor".to_owned() },
                ReceiptMethod::Desk,
            ),
        );
        let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).unwrap());
        let signed = self.recipients[recipient].sign(&subject.to_string(), &body).unwrap();
        self.ledger.say(&subject, &signed, body).await.unwrap();
    }

    /// Writes escalations to these recipients, as a router does.
    pub(crate) async fn escalate(&self, said: u64, recipients: &[String]) {
        let facts: Vec<_> =
            recipients.iter().map(|recipient| escalation_fact(&escalation(said, recipient))).collect();
        for appended in self.ledger.append_all(&facts, None).await.unwrap() {
            assert!(matches!(appended, Appended::Written(_)));
        }
    }

    /// Waits for one end of an attempt.
    pub(crate) async fn attempt(&self, recipient: &str, attempt: u32, phase: AttemptPhase) -> Entry {
        let subject = attempt_subject(recipient, attempt, phase);
        let found = self.ledger.wait_for(std::slice::from_ref(&subject), SOON).await.unwrap();
        found.unwrap_or_else(|| panic!("{subject} was not written"))
    }

    pub(crate) async fn begun(&self, recipient: &str, attempt: u32) -> AttemptBegun {
        from_body("attempt", &self.attempt(recipient, attempt, AttemptPhase::Begun).await.body).unwrap()
    }

    pub(crate) async fn ended(&self, recipient: &str, attempt: u32) -> AttemptEnded {
        from_body("attempt", &self.attempt(recipient, attempt, AttemptPhase::Ended).await.body).unwrap()
    }

    /// Writes a first attempt of another notifier, with its end if that one lived to see it.
    pub(crate) async fn append_attempt(&self, recipient: &str, outcome: Option<Outcome>) {
        let begun = AttemptBegun {
            relay: "first".to_owned(),
            to: address(recipient),
            message_id: "<x@y.example>".to_owned(),
            token: None,
            digest: None,
        };
        let ended = outcome.map(|outcome| AttemptEnded {
            relay: "first".to_owned(),
            outcome,
            code: None,
            reply: "as scripted".to_owned(),
        });
        let fact =
            |phase, body| NewFact { subject: attempt_subject(recipient, 1, phase), body, schedule: None };
        let mut facts = vec![fact(AttemptPhase::Begun, to_body("attempt", &begun).unwrap())];
        facts.extend(ended.map(|ended| fact(AttemptPhase::Ended, to_body("attempt", &ended).unwrap())));
        self.ledger.append_all(&facts, None).await.unwrap();
    }

    /// All that is written of attempts now.
    pub(crate) async fn attempts(&self) -> Vec<Entry> {
        self.ledger.entries(Stream::Log, &["tocsin.attempt.>".to_owned()]).await.unwrap()
    }
}

pub(crate) fn attempt_subject(recipient: &str, attempt: u32, phase: AttemptPhase) -> Subject {
    let Escalation { recipient, incident, event, step, .. } = escalation(1, recipient);
    Subject::Attempt { recipient, incident, event, step, attempt, phase }
}

pub(crate) fn event() -> Event {
    from_body("event", include_bytes!("../data/event.json")).unwrap()
}

/// The event that calls it off.
pub(crate) fn cancelled() -> Event {
    Event {
        sequence: "2".parse().unwrap(),
        kind: EventKind::Cancelled,
        headline: "Sent in error".to_owned(),
        ..event()
    }
}

fn contact(recipient: &str) -> Contact {
    Contact {
        role: "Duty officer".to_owned(),
        email: address(recipient),
        phone: Some("0300 000 000".to_owned()),
    }
}

pub(crate) fn address(recipient: &str) -> String {
    format!("duty@{recipient}.example")
}

pub(crate) fn escalation(said: u64, recipient: &str) -> Escalation {
    Escalation {
        duty: None,
        via: None,
        incident: event().incident,
        event: "1".parse().unwrap(),
        step: "1".parse().unwrap(),
        recipient: recipient.parse().unwrap(),
        recipient_name: format!("Body {recipient}"),
        policy: Some("uk-999".parse().unwrap()),
        status: Status::Exercise,
        said,
        due_at: Timestamp::UNIX_EPOCH,
        reason: EscalationReason::Silent,
        contact: "duty".to_owned(),
        to: contact(recipient),
        time_zone: "Europe/London".to_owned(),
    }
}

pub(crate) fn escalation_fact(escalation: &Escalation) -> NewFact {
    let Escalation { recipient, incident, event, step, .. } = escalation.clone();
    NewFact {
        subject: Subject::Escalation { recipient, incident, event, step },
        body: to_body("escalation", escalation).unwrap(),
        schedule: None,
    }
}

pub(crate) fn recipients(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("r{n}")).collect()
}

pub(crate) async fn sink() -> Sink {
    Sink::start(SinkOptions::default()).await.unwrap()
}

/// An event of another incident of the same publisher.
pub(crate) fn event_of(incident: &str) -> Event {
    Event { incident: incident.parse().unwrap(), headline: format!("Headline of {incident}"), ..event() }
}

/// An escalation of another incident.
pub(crate) fn escalation_of(incident: &str, said: u64, recipient: &str) -> Escalation {
    Escalation { incident: incident.parse().unwrap(), ..escalation(said, recipient) }
}

/// A configuration with these sinks as relays `first`, `second`, ..., and short pauses.
pub(crate) fn config(ports: &[u16]) -> Config {
    let relays: Vec<_> = ports
        .iter()
        .zip(["first", "second", "third"])
        .map(|(port, name)| {
            format!("[[relays]]\nname = '{name}'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\ntimeout = '3s'\n")
        })
        .collect();
    let text = format!(
        "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\ntakeover = '2s'\n{}\n\
         [retry]\npauses = ['200ms', '400ms']\n",
        relays.concat()
    );
    toml::from_str(&text).unwrap()
}

/// A server's configuration with a certificate that nobody has vouched for.
pub(crate) fn unvouched() -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// A notifier with threads of its own, that can be killed: all that it does ends between two lines.
pub(crate) struct Mortal(Option<Runtime>);

impl Mortal {
    pub(crate) fn start(bus: &Bus, config: &Config) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (connection, config) = (Connection::to(&bus.server.url()), config.clone());
        runtime.spawn(async move {
            let ledger = Ledger::connect(&connection).await.unwrap();
            Notifier::new(ledger, &config).unwrap().run(std::future::pending()).await.unwrap();
        });
        Self(Some(runtime))
    }

    pub(crate) fn kill(mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A notifier at work, as a process of its own would be.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(bus: &Bus, config: &Config) -> Self {
        Self::with(bus, config, |notifier| notifier).await
    }

    pub(crate) async fn with(bus: &Bus, config: &Config, with: impl FnOnce(Notifier) -> Notifier) -> Self {
        let notifier = with(Notifier::new(bus.connect().await, config).unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let task = tokio::spawn(async move { notifier.run(shutdown).await.unwrap() });
        Self { stop: Some(stop), task }
    }

    /// Asks it to stop, as SIGTERM does, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(SOON, &mut self.task).await.unwrap().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
