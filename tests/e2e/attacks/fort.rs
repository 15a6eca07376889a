//! A provisioned bus under attack, and a client that attacks it.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, HeaderMap, Request, RequestErrorKind};
use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape, Wait,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::{DirectoryDocument, Entry, Stream, Subject, from_body};
use tocsin_provision::{Bus, Cluster, Plan, Service, Tls, provision};
use tocsin_tests::{Cast, until};

/// A provisioned bus with a directory in force and a router.
pub(crate) struct Fort {
    pub(crate) dir: TempDir,
    pub(crate) bus: Bus,
    pub(crate) server: Server,
    pub(crate) cast: Cast,
    pub(crate) ledger: Ledger,
    pub(crate) router: tokio::task::JoinHandle<()>,
}

impl Fort {
    pub(crate) async fn start(cast: Cast) -> Self {
        let mut fort = Self::without_router(cast).await;
        fort.route().await;
        fort
    }

    /// One whose router has yet to begin.
    pub(crate) async fn without_router(cast: Cast) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let bus = Bus::at(std::fs::canonicalize(dir.path()).unwrap().join("bus"));
        write(&bus, &cast.document, port);
        let options = ServerOptions {
            binary: server::find().unwrap(),
            store_dir: dir.path().join("run"),
            config: None,
            port: Some(port),
        };
        let server = Server::start_with(&options, &bus.config()).await.unwrap();
        let ledger = Ledger::connect(&service(&bus, &server, Service::Administrator)).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        put_in_force(&ledger, 1, &cast.document).await;
        Self { dir, bus, server, cast, ledger, router: tokio::spawn(std::future::ready(())) }
    }

    /// Starts its router.
    pub(crate) async fn route(&mut self) {
        let routing = Ledger::connect(&self.service(Service::Router)).await.unwrap();
        self.router = tokio::spawn(async move {
            tocsin_router::Router::new(routing).run(std::future::pending()).await.unwrap();
        });
    }

    /// Writes the bus anew for this directory, and has the server read it.
    pub(crate) fn reload(&self, document: &DirectoryDocument) {
        write(&self.bus, document, self.server.port());
        reload(&self.server);
    }

    /// A body's connection, as its programs make it.
    pub(crate) fn connection(&self, id: &str) -> Connection {
        self.bus.body(id, &self.cast.key(id), &self.server.url()).unwrap()
    }

    /// A service's connection.
    pub(crate) fn service(&self, which: Service) -> Connection {
        service(&self.bus, &self.server, which)
    }

    pub(crate) async fn attacker(&self, id: &str) -> Attacker {
        let options = ConnectOptions::new().nkey(self.cast.key(id).seed().unwrap());
        Attacker::connect(options, &self.server.url(), &self.bus, Some(id)).await.unwrap()
    }

    /// As one of our own services.
    pub(super) async fn service_attacker(&self, as_service: Service) -> Attacker {
        let url = self.server.url();
        let connection = self.bus.service(as_service, &url).unwrap();
        let seed = std::fs::read_to_string(connection.nkey_seed_file.unwrap()).unwrap();
        let mut options = ConnectOptions::new().nkey(seed.trim().to_owned());
        if let Some(prefix) = connection.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        Attacker::connect(options, &url, &self.bus, Some(as_service.name())).await.unwrap()
    }

    /// Everything on the bus that is not these bodies' own word, nor the router's about it.
    pub(crate) async fn foreign(&self, own: &[&str]) -> Vec<(u64, String, Vec<u8>)> {
        let mut all = Vec::new();
        for stream in [Stream::Said, Stream::Log] {
            for Entry { sequence, subject, body, .. } in
                self.ledger.entries(stream, &["tocsin.>".to_owned()]).await.unwrap()
            {
                let apart =
                    ["tocsin.refusal.", "tocsin.checkpoint."].iter().any(|it| subject.starts_with(it));
                if !own.iter().any(|own| subject.starts_with(own)) && !apart {
                    all.push((sequence, subject, body.to_vec()));
                }
            }
        }
        all
    }

    /// The router's reason against what was said there.
    pub(crate) async fn refusal(&self, said: u64) -> String {
        let entry = self.ledger.read(Stream::Said, said).await.unwrap().unwrap();
        let subject = Subject::refusal(&entry.subject, said);
        let entry = until("a refusal", async || {
            self.ledger.last(&subject).await.unwrap().ok_or_else(|| "none".to_owned())
        })
        .await;
        let refusal: tocsin_protocol::Refusal = from_body("refusal", &entry.body).unwrap();
        refusal.code.as_str().to_owned()
    }
}

pub(crate) fn free_port() -> u16 {
    server::free_port().unwrap().local_addr().unwrap().port()
}

/// Writes a bus for this directory, whose server listens at this port.
pub(crate) fn write(bus: &Bus, document: &DirectoryDocument, port: u16) {
    let (listen, names) = (format!("127.0.0.1:{port}"), ["127.0.0.1".to_owned()]);
    let plan = Plan {
        document,
        listen: &listen,
        names: &names,
        tls: Tls::Development,
        seeds: None,
        now: tocsin_protocol::Timestamp::now(),
        renew: false,
        cluster: Cluster::default(),
    };
    provision(bus, &plan).unwrap();
}

/// Has a server read its configuration anew.
pub(crate) fn reload(server: &Server) {
    let reload = format!("reload={}", server.id().unwrap());
    let told = Command::new(server::find().unwrap()).arg("--signal").arg(reload).status().unwrap();
    assert!(told.success());
}

/// Puts a directory in force, with a place for each desk.
pub(crate) async fn put_in_force(ledger: &Ledger, version: u64, document: &DirectoryDocument) {
    tocsin_tests::put_in_force(ledger, version, document, None).await;
    let recipients: Vec<_> = document.recipients.iter().map(|r| r.id.clone()).collect();
    ledger.ensure_desks(&recipients).await.unwrap();
}

fn service(bus: &Bus, server: &Server, service: Service) -> Connection {
    Connection { wait: Wait::UntilConnected, ..bus.service(service, &server.url()).unwrap() }
}

/// What came of one request.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// Permissions deny it.
    Denied,
    /// JetStream's own refusal.
    Refused(String),
    /// Nobody is there for this account.
    Nobody,
    /// No answer.
    Silence,
    /// An answer.
    Answer(Vec<u8>),
}

impl Seen {
    /// What stopped it, if something did.
    pub(crate) fn stopped_by(&self) -> Option<String> {
        match self {
            Self::Denied => Some("nats-server: permissions of the user".to_owned()),
            Self::Refused(why) => Some(format!("nats-server: {why}")),
            Self::Nobody => Some("nats-server: nobody is there for this account".to_owned()),
            Self::Silence | Self::Answer(_) => None,
        }
    }
}

/// A client with none of our manners.
pub(crate) struct Attacker {
    pub(crate) client: Client,
    events: Arc<Mutex<Vec<String>>>,
}

impl Attacker {
    /// Connects, with the certificate of somebody or without one.
    pub(crate) async fn connect(
        options: ConnectOptions,
        url: &str,
        bus: &Bus,
        certificate: Option<&str>,
    ) -> Result<Self, String> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let mut options = options
            .add_root_certificates(bus.ca())
            .require_tls(true)
            .max_reconnects(1)
            .connection_timeout(Duration::from_secs(5))
            .event_callback(move |event: Event| {
                told.lock().unwrap().push(event.to_string());
                std::future::ready(())
            });
        if let Some(id) = certificate {
            let (cert, key): (PathBuf, PathBuf) = bus.client(id);
            options = options.add_client_certificate(cert, key);
        }
        match options.connect(url).await {
            Ok(client) => Ok(Self { client, events }),
            Err(why) => Err(why.to_string()),
        }
    }

    /// One request, and what came of it.
    pub(crate) async fn ask(&self, subject: &str, headers: Option<HeaderMap>, body: &[u8]) -> Seen {
        self.events.lock().unwrap().clear();
        let mut request = Request::new().payload(body.to_vec().into()).timeout(Some(Duration::from_secs(3)));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        tokio::select! {
            answer = self.client.send_request(subject.to_owned(), request) => match answer {
                Ok(message) => {
                    if let Some(status) = message.status.filter(|status| status.as_u16() != 200) {
                        let why = message.description.unwrap_or_default();
                        return Seen::Refused(format!("{} {why}", status.as_u16()));
                    }
                    let answer: serde_json::Value = serde_json::from_slice(&message.payload).unwrap_or_default();
                    match &answer["error"] {
                        serde_json::Value::Null => Seen::Answer(message.payload.to_vec()),
                        error => Seen::Refused(format!(
                            "{} ({})", error["description"].as_str().unwrap_or_default(), error["err_code"]
                        )),
                    }
                }
                Err(why) => match why.kind() {
                    RequestErrorKind::NoResponders => Seen::Nobody,
                    RequestErrorKind::MaxPayloadExceeded => {
                        Seen::Refused("larger than the account's max_payload".to_owned())
                    }
                    _ if self.was_cut_off() => Seen::Refused("the connection is closed".to_owned()),
                    _ => Seen::Silence,
                },
            },
            () = self.denied(subject) => Seen::Denied,
        }
    }

    /// Publishes, with any subject for the answer, and gives time for all of it to be done.
    pub(crate) async fn shout(&self, subject: &str, reply: &str, headers: Option<HeaderMap>, body: &[u8]) {
        let body = bytes::Bytes::copy_from_slice(body);
        let (subject, reply) = (subject.to_owned(), reply.to_owned());
        let headers = headers.unwrap_or_default();
        self.client.publish_with_reply_and_headers(subject, reply, headers, body).await.unwrap();
        self.client.flush().await.unwrap();
    }

    pub(super) fn was_cut_off(&self) -> bool {
        self.events.lock().unwrap().iter().any(|event| event.contains("disconnected"))
    }

    async fn denied(&self, subject: &str) {
        loop {
            let denied = |event: &String| event.contains("ermissions Violation") && event.contains(subject);
            if self.events.lock().unwrap().iter().any(denied) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Subscribes, and says whether it was let. The server answers in the order in which it is asked: so it is asked for
    /// something after it that nobody may do, whose denial shows that it has spoken.
    pub(crate) async fn listen(&self, subject: &str) -> Option<async_nats::Subscriber> {
        const NOBODY_MAY: &str = "nobody.may.say.this";
        self.events.lock().unwrap().clear();
        let subscriber = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.client.publish(NOBODY_MAY, "".into()).await.unwrap();
        self.client.flush().await.unwrap();
        tokio::time::timeout(Duration::from_mins(1), self.denied(NOBODY_MAY)).await.unwrap();
        let denied = tokio::time::timeout(Duration::ZERO, self.denied(subject)).await.is_ok();
        (!denied).then_some(subscriber)
    }
}
