//! A nats-server, sinks and notifiers for one test, and what the test says to them.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::time::Duration;

use tocsin_ledger::{
    Appended, Connection, Ledger, Shape,
    server::{self, Server, ServerOptions},
};
use tocsin_notifier::{
    Config, Notifier,
    sink::{Sink, SinkOptions},
};
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Contact, Entry, Escalation, EscalationReason, Event, NewFact,
    SigningKey, Status, Stream, Subject, Timestamp, from_body, to_body,
};
use tokio::{sync::oneshot, task::JoinHandle};

/// Long enough for anything here, short enough to wait for a failure.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A nats-server of the test's own with both streams.
pub(crate) struct Bus {
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
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
        Self { server, ledger, _store: store }
    }

    /// A connection of its own, as another process has.
    pub(crate) async fn connect(&self) -> Ledger {
        Ledger::connect(&Connection::to(&self.server.url())).await.unwrap()
    }

    /// Says an event and gives its sequence.
    pub(crate) async fn say_event(&self) -> u64 {
        let event = event();
        let (subject, body) = (event.subject(), to_body("event", &event).unwrap());
        let signed = SigningKey::generate().sign(&subject.to_string(), &body).unwrap();
        self.ledger.say(&subject, &signed, body).await.unwrap().position().sequence
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

pub(crate) fn address(recipient: &str) -> String {
    format!("duty@{recipient}.example")
}

pub(crate) fn escalation(said: u64, recipient: &str) -> Escalation {
    Escalation {
        incident: event().incident,
        event: "1".parse().unwrap(),
        step: "1".parse().unwrap(),
        recipient: recipient.parse().unwrap(),
        recipient_name: format!("Body {recipient}"),
        policy: "uk-999".parse().unwrap(),
        status: Status::Exercise,
        said,
        due_at: Timestamp::UNIX_EPOCH,
        reason: EscalationReason::Silent,
        contact: "duty".to_owned(),
        to: Contact {
            role: "Duty officer".to_owned(),
            email: address(recipient),
            phone: Some("0300 000 000".to_owned()),
        },
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

/// A configuration with these sinks as relays `first`, `second`, ..., and short pauses.
pub(crate) fn config(ports: &[u16]) -> Config {
    let relays: Vec<_> = ports
        .iter()
        .zip(["first", "second", "third"])
        .map(|(port, name)| {
            format!("[[relays]]\nname = '{name}'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\ntimeout = '500ms'\n")
        })
        .collect();
    let text = format!(
        "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\n{}\n\
         [retry]\npauses = ['200ms', '400ms']\n",
        relays.concat()
    );
    toml::from_str(&text).unwrap()
}

/// A notifier at work, as a process of its own would be.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(bus: &Bus, config: &Config) -> Self {
        let notifier = Notifier::new(bus.connect().await, config).unwrap();
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
