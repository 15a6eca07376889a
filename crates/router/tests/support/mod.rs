//! A nats-server with both streams, a directory in force, and those who say something.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tocsin_duty::Fold;
use tocsin_ledger::{
    Connection, Ledger, Progress, Shape, Wait,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::{
    Area, AreaScope, ClockStart, Confidence, ConsoleDoors, Contact, DirectoryDocument, Entry, Event,
    EventKind, NewFact, OwedRule, Person, PolicyDocument, Publisher, Receipt, ReceiptMethod, Recipient,
    Refusal, Requirement, Service, SignedDuration, SigningKey, StepDocument, Stream, Subject, Timestamp,
    Where, Window, from_body, to_body,
};
use tocsin_router::{Error, Router};
use tokio::{sync::oneshot, task::JoinHandle};

/// Long enough for anything here, short enough to wait for a failure.
pub(crate) const SOON: Duration = Duration::from_mins(1);

pub(crate) struct Bus {
    pub(crate) server: Server,
    pub(crate) ledger: Ledger,
    pub(crate) operator: SigningKey,
    pub(crate) local: SigningKey,
    /// The key that the directory names for checkpoints.
    pub(crate) checkpoints: SigningKey,
    keys: BTreeMap<String, SigningKey>,
    store: tempfile::TempDir,
    window: i64,
}

impl Bus {
    /// With this many recipients in `here`, one in `there`, and a window of this many milliseconds.
    pub(crate) async fn start(recipients: usize, window: i64) -> Self {
        let store = tempfile::tempdir().unwrap();
        let server = serve(&store, None).await;
        let ledger = connect(&server).await;
        ledger.set_up(&Shape::default()).await.unwrap();
        let ids = (0..recipients).map(here).chain(["there".to_owned()]);
        let keys = ids.map(|id| (id, SigningKey::generate())).collect();
        let (operator, local) = (SigningKey::generate(), SigningKey::generate());
        let checkpoints = SigningKey::generate();
        let bus = Self { server, ledger, operator, local, checkpoints, keys, store, window };
        bus.proclaim(1, &bus.directory(), None).await;
        bus
    }

    /// Puts a directory on the log, signed by this key.
    pub(crate) async fn proclaim(&self, version: u64, document: &DirectoryDocument, by: Option<&SigningKey>) {
        let body = to_body("directory", document).unwrap();
        let fact = NewFact { subject: Subject::Directory { version }, body, schedule: None };
        match by.map(|key| key.sign(&fact.subject.to_string(), &fact.body).unwrap()) {
            Some(signed) => self.ledger.append_signed(&fact, &signed).await.unwrap(),
            None => self.ledger.append(&fact, None).await.unwrap(),
        };
    }

    /// Streams with nothing in them, on an empty store: a record begun anew.
    pub(crate) async fn begin_record(&mut self) {
        self.begin_anew().await;
        self.ledger.set_up(&Shape::default()).await.unwrap();
    }

    /// The same store under a server that takes no message larger than this.
    pub(crate) async fn serve_anew(&mut self, max_payload: Option<&str>) {
        self.server.kill().await.unwrap();
        self.server = serve(&self.store, max_payload).await;
        self.ledger = connect(&self.server).await;
    }

    /// An empty store under another server.
    pub(crate) async fn begin_anew(&mut self) {
        self.server.kill().await.unwrap();
        self.store = tempfile::tempdir().unwrap();
        self.server = serve(&self.store, None).await;
        self.ledger = connect(&self.server).await;
    }

    pub(crate) async fn router(&self) -> Running {
        self.router_signing(Some(&self.checkpoints)).await
    }

    pub(crate) async fn router_signing(&self, key: Option<&SigningKey>) -> Running {
        self.running(key, |router| router).await
    }

    /// A router that keeps a snapshot of its fold after so many entries.
    pub(crate) async fn router_keeping(&self, every: u64) -> Running {
        self.running(Some(&self.checkpoints), |router| router.keeping_every(every)).await
    }

    /// A router that was told to trust this directory_key, and how far it has come.
    pub(crate) async fn router_trusting(&self, key: &SigningKey) -> (Running, Progress) {
        let progress = Progress::default();
        let trusting =
            |router: Router| router.trusting(Some(key.public().parse().unwrap())).telling(progress.clone());
        (self.running(Some(&self.checkpoints), trusting).await, progress)
    }

    async fn running(&self, key: Option<&SigningKey>, with: impl FnOnce(Router) -> Router) -> Running {
        let key = key.map(|key| SigningKey::from_seed(&key.seed().unwrap()).unwrap());
        let connection = Connection { wait: Wait::UntilConnected, ..Connection::to(&self.server.url()) };
        let router = Router::new(Ledger::connect(&connection).await.unwrap()).signing(key).unwrap();
        let router = with(router);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(router.run(async {
            let _ = stopped.await;
        }));
        Running { stop, running }
    }

    pub(crate) async fn publish(&self, event: &Event) -> u64 {
        self.say(&event.subject(), &self.operator, to_body("event", event).unwrap()).await
    }

    pub(crate) async fn say(&self, subject: &Subject, key: &SigningKey, body: Bytes) -> u64 {
        let signed = key.sign(&subject.to_string(), &body).unwrap();
        self.ledger.say(subject, &signed, body).await.unwrap().position().sequence
    }

    pub(crate) async fn acknowledge(&self, recipient: &str, incident: &str, event: u32) {
        let receipt = Receipt::acknowledged(
            recipient.parse().unwrap(),
            incident.parse().unwrap(),
            event.to_string().parse().unwrap(),
            Timestamp::UNIX_EPOCH,
            (
                Person { name: "Supervisor on duty".to_owned(), role: "Supervisor".to_owned() },
                ReceiptMethod::Desk,
            ),
        );
        let body = to_body("receipt", &receipt).unwrap();
        self.say(&receipt.subject(), &self.keys[recipient], body).await;
    }

    /// Waits for a fact.
    pub(crate) async fn fact(&self, subject: &str) -> Entry {
        let subject: Subject = subject.parse().unwrap();
        let found = self.ledger.wait_for(std::slice::from_ref(&subject), SOON).await.unwrap();
        found.unwrap_or_else(|| panic!("{subject} was not written"))
    }

    pub(crate) async fn refusal(&self, said: u64) -> Refusal {
        let entry = self.ledger.read(Stream::Said, said).await.unwrap().unwrap();
        let subject = Subject::refusal(&entry.subject, said).to_string();
        from_body("refusal", &self.fact(&subject).await.body).unwrap()
    }

    pub(crate) async fn log(&self, filter: &str) -> Vec<Entry> {
        self.ledger.entries(Stream::Log, &[filter.to_owned()]).await.unwrap()
    }

    /// Both streams, folded by somebody who believes nothing.
    pub(crate) async fn fold(&self) -> Fold {
        let (mut fold, mut follow) = (Fold::new(), self.ledger.follow().await.unwrap());
        loop {
            let read = follow.next().await.unwrap();
            for entry in &read.entries {
                fold.apply(entry);
            }
            if read.caught_up {
                return fold;
            }
        }
    }

    /// The directory that it begins with.
    pub(crate) fn directory(&self) -> DirectoryDocument {
        self.document(SignedDuration::from_millis(self.window))
    }

    fn document(&self, window: SignedDuration) -> DirectoryDocument {
        let area =
            |id: &str| Area { id: id.parse().unwrap(), name: id.to_owned(), within: None, population: None };
        let publisher = |id: &str, key: &SigningKey, areas| Publisher {
            contacts: std::collections::BTreeMap::new(),
            id: id.parse().unwrap(),
            name: id.to_owned(),
            key: Some(key.public()),
            areas,
        };
        let recipient = |(id, key): (&String, &SigningKey)| Recipient {
            buddy: None,
            coordinating_body: None,
            control_rooms: Vec::new(),
            id: id.parse().unwrap(),
            name: id.clone(),
            kind: "police".to_owned(),
            nation: None,
            areas: vec![if id == "there" { "there" } else { "here" }.parse().unwrap()],
            neighbours: vec![],
            key: Some(key.public()),
            contacts: BTreeMap::from([(
                "duty".to_owned(),
                Contact { role: "Duty".to_owned(), email: format!("duty@{id}.example"), phone: None },
            )]),
            valid_from: None,
            valid_to: None,
            console: ConsoleDoors::Open,
            last_verified_at: None,
        };
        DirectoryDocument {
            name: "a test".to_owned(),
            time_zone: "Europe/London".to_owned(),
            directory_key: None,
            checkpoint_key: Some(self.checkpoints.public()),
            console_key: None,
            link_key: None,
            areas: vec![area("here"), area("there")],
            monitors: Vec::new(),
            exercises: Vec::new(),
            publishers: vec![
                publisher("operator", &self.operator, AreaScope::All),
                publisher("local", &self.local, AreaScope::These(vec!["there".parse().unwrap()])),
            ],
            recipients: self.keys.iter().map(recipient).collect(),
            policies: vec![PolicyDocument {
                source: None,
                in_force_from: None,
                trigger: tocsin_protocol::Trigger::Failure,
                duties: Vec::new(),
                id: "policy".parse().unwrap(),
                name: "policy".to_owned(),
                basis: "none".to_owned(),
                as_of: None,
                confidence: Confidence::Assumption,
                clock: ClockStart::Published,
                services: vec![],
                acknowledge: vec![EventKind::Initial],
                owed: vec![OwedRule {
                    kinds: vec![],
                    recipients: vec![],
                    place: Where::Affected,
                    requirement: Requirement::Required,
                }],
                steps: vec![StepDocument {
                    within: Window(window),
                    contact: "duty".to_owned(),
                    reach: tocsin_protocol::Reach::Own,
                }],
            }],
        }
    }
}

/// The identifier of a recipient in `here`, as long as one may be.
pub(crate) fn here(n: usize) -> String {
    format!("force-{n:0>58}")
}

async fn serve(store: &tempfile::TempDir, max_payload: Option<&str>) -> Server {
    let config = max_payload.map(|most| format!("max_payload: {most}"));
    let options = ServerOptions {
        binary: server::find().unwrap(),
        store_dir: store.path().to_owned(),
        config,
        port: None,
    };
    Server::start(&options).await.unwrap()
}

async fn connect(server: &Server) -> Ledger {
    Ledger::connect(&Connection::to(&server.url())).await.unwrap()
}

/// A router at work.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// As SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(SOON, self.running).await.expect("it stops when asked").unwrap().unwrap();
    }

    /// As SIGKILL does: wherever it stands.
    pub(crate) async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

/// An event of an incident in an area: the initial one as number 1, else an update.
pub(crate) fn event(incident: &str, number: u32, area: &str) -> Event {
    let kind = if number == 1 { "initial" } else { "update" };
    let event = format!(
        r#"{{"incident": "{incident}", "sequence": {number}, "kind": "{kind}", "status": "exercise",
            "publisher": "operator", "category": "outage", "services": ["999-voice"],
            "headline": "999 voice calls are failing", "areas": ["{area}"]}}"#
    );
    let event: Event = from_body("event", event.as_bytes()).unwrap();
    assert_eq!(event.services, [Service::Voice999]);
    event
}
