//! The real parts, started in this process and stopped again: nats-server, router, notifier, SMTP server, desks.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tocsin_ledger::{
    Connection, Ledger, Shape,
    server::{Server, ServerOptions},
};
use tocsin_notifier::{
    Config, LinkConfig, Notifier, RelayConfig, Retry, Tls,
    sink::{Behaviour as SinkBehaviour, Point, Sink, SinkOptions},
};
use tocsin_protocol::{
    NewFact, PublisherId, RecipientId, SignedDuration, SigningKey, Subject, Window, to_body,
};
use tocsin_provision::Service;
use tocsin_router::Router;
use tocsin_scenario::Fate;
use tokio::{sync::watch, task::JoinSet};

use super::{
    cast::mailboxes,
    desks::{self, Notes, Seat},
    front::{self, Front},
    people::Behaviour,
    way::Way,
    world::World,
};
use crate::error::Error;

/// How long a part may take to stop.
const STOPPING: Duration = Duration::from_secs(20);

/// Where a drill keeps and leaves things.
#[derive(Debug, Clone)]
pub(crate) struct Home(pub(crate) PathBuf);

impl Home {
    /// Clears away what an earlier drill left, and makes the directories of this one.
    ///
    /// # Errors
    /// When the disk says no, or another drill is at work there.
    pub(crate) fn clear(dir: &Path) -> Result<(Self, fs::File), Error> {
        let cannot = |what: &str, path: &Path| format!("{what} {}", path.display());
        fs::create_dir_all(dir).map_err(|why| Error::io(cannot("make", dir), why))?;
        let lock = dir.join(".lock");
        let file = fs::File::create(&lock).map_err(|why| Error::io(cannot("write", &lock), why))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::told(format!(
                    "another drill is at work in {}: wait until it is over, or set CARGO_TARGET_DIR to another directory",
                    dir.display()
                )));
            }
            Err(fs::TryLockError::Error(why)) => return Err(Error::io(cannot("lock", &lock), why)),
        }
        let home = Self(dir.to_owned());
        for left in [home.store(), home.mail(), home.spool(), home.bus()] {
            match fs::remove_dir_all(&left) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(cannot("remove", &left), why));
                }
                _ => fs::create_dir_all(&left).map_err(|why| Error::io(cannot("make", &left), why))?,
            }
        }
        let reports = ["json", "html", "csv"].map(|format| home.report(format));
        for left in reports.into_iter().chain([home.accounts(), home.key("console"), home.key("link")]) {
            match fs::remove_file(&left) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(cannot("remove", &left), why));
                }
                _ => {}
            }
        }
        Ok((home, file))
    }

    /// The broker's store and log.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// The configuration of a guarded bus.
    pub(crate) fn bus(&self) -> PathBuf {
        self.0.join("bus")
    }

    /// The mails.
    pub(crate) fn mail(&self) -> PathBuf {
        self.0.join("mail")
    }

    /// The publisher's spool.
    pub(crate) fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// Who may sign in to the console.
    pub(crate) fn accounts(&self) -> PathBuf {
        self.0.join("accounts.toml")
    }

    /// A key of one of our services.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.nk"))
    }

    /// What the parts say of themselves.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("drill.log")
    }

    /// The report in a format.
    pub(crate) fn report(&self, format: &str) -> PathBuf {
        self.0.join(format!("report.{format}"))
    }
}

/// The running parts.
pub(crate) struct Parts {
    server: Server,
    way: Way,
    stop: watch::Sender<bool>,
    services: JoinSet<(&'static str, Result<(), Error>)>,
    desks: JoinSet<()>,
    /// The administrator's own connection.
    pub(crate) ledger: Ledger,
    /// The SMTP server.
    pub(crate) sink: Arc<Sink>,
    /// What the desks know.
    pub(crate) notes: Notes,
    /// Where the console is to be.
    page: SocketAddr,
    /// Who publishes.
    publisher: PublisherId,
}

impl Parts {
    /// Starts everything, in the order in which an operator would.
    ///
    /// # Errors
    /// When a part does not start; those that did are stopped.
    pub(crate) async fn start(
        binary: PathBuf,
        home: &Home,
        mut world: World,
        mut people: BTreeMap<RecipientId, Behaviour>,
        secure: bool,
    ) -> Result<Self, Error> {
        // Who guards the bus guards what is in force on it.
        let signer = secure.then(SigningKey::generate);
        if let Some(key) = &signer {
            secret(&home.key("directory"), key)?;
            world.document.directory_key = Some(key.public());
        }
        let options = ServerOptions { binary, store_dir: home.store(), config: None, port: None };
        let (server, way) = Way::open(&options, home, &world.document, secure).await?;
        let ledger = connect(&way, Service::Administrator).await?;
        let ids: Vec<_> = world.document.recipients.iter().map(|recipient| recipient.id.clone()).collect();
        ledger.set_up(&Shape::default()).await.map_err(|why| Error::part("set up both streams", why))?;
        apply(&ledger, &world, signer.as_ref()).await?;
        ledger
            .ensure_desks(&ids)
            .await
            .map_err(|why| Error::part("make a durable consumer for each desk", why))?;
        ledger
            .ensure_work()
            .await
            .map_err(|why| Error::part("make the notifiers' durable consumers", why))?;

        let sink = SinkOptions { directory: Some(home.mail()), ..SinkOptions::default() };
        let sink = Arc::new(Sink::start(sink).await.map_err(|why| Error::io("start an SMTP server", why))?);
        for gone in mailboxes(&world.day, &world.document, Fate::Refused) {
            sink.script(&gone, [SinkBehaviour::Reply(Point::Recipient, 550, "5.1.1 no such mailbox here")]);
        }
        let (stop, stopping) = watch::channel(false);
        let mut services = JoinSet::new();
        let router = Router::new(connect(&way, Service::Router).await?);
        let until = stopped(stopping.clone());
        services.spawn(async move {
            ("router", router.run(until).await.map_err(|why| Error::part("run the router", why)))
        });
        let page = front::place()?;
        for (name, key) in [("console", &world.console), ("link", &world.link)] {
            secret(&home.key(name), key)?;
        }
        let link = LinkConfig {
            url: format!("http://{page}"),
            key: home.key("link"),
            valid: Window(SignedDuration::from_hours(24)),
        };
        let mail = Config { link: Some(link), ..mail(sink.address().port()) };
        let notifier = Notifier::new(connect(&way, Service::Notifier).await?, &mail)
            .map_err(|why| Error::part("make a notifier", why))?;
        let until = stopped(stopping.clone());
        services.spawn(async move {
            ("notifier", notifier.run(until).await.map_err(|why| Error::part("run the notifier", why)))
        });
        let seats =
            world.desks.into_iter().zip(&world.document.recipients).map(|((recipient, key), entry)| {
                let behaviour = people.remove(&recipient);
                Seat { contacts: entry.contacts.clone(), behaviour, recipient, key }
            });
        let (desks, notes) = desks::open(&way, seats.collect(), &sink, world.speed, stopping).await?;
        let publisher = world.day.scenario.publisher;
        Ok(Self { server, way, stop, services, desks, ledger, sink, notes, page, publisher })
    }

    /// Opens the console, for a visitor who may speak for this agency, by identifier and name.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) async fn console(
        &mut self,
        home: &Home,
        agency: (RecipientId, String),
    ) -> Result<Front, Error> {
        let ledger = connect(&self.way, Service::Console).await?;
        let files = (home.accounts(), home.key("console"));
        let (console, front) =
            front::open(ledger, self.page, (&files.0, &files.1), (&self.publisher, agency), &self.sink)
                .await?;
        let until = stopped(self.stop.subscribe());
        self.services.spawn(async move {
            ("console", console.run(until).await.map_err(|why| Error::part("run the console", why)))
        });
        Ok(front)
    }

    /// How the publisher reaches the broker.
    ///
    /// # Errors
    /// Never for a key made here.
    pub(crate) fn connection(&self, key: &SigningKey) -> Result<Connection, Error> {
        Ok(Connection { name: "publisher".to_owned(), ..self.way.body(self.publisher.as_str(), key)? })
    }

    /// A connection of somebody who reads and writes nothing.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn auditor(&self) -> Result<Ledger, Error> {
        connect(&self.way, Service::Auditor).await
    }

    /// Whether the nats-server still runs, which it should to the end.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn bus(&mut self) -> Result<(), Error> {
        if self.server.runs() {
            return Ok(());
        }
        let log = self.server.store_dir().join("nats-server.log");
        Err(Error::told(format!("the nats-server ended before the drill was over: see {}", log.display())))
    }

    /// Waits for a service to end, which none should.
    pub(crate) async fn broken(&mut self) -> Error {
        match self.services.join_next().await {
            Some(Ok((name, Ok(())))) => Error::told(format!("the {name} ended before the drill was over")),
            Some(Ok((_, Err(why)))) => why,
            Some(Err(why)) => Error::part("go on: one of the parts broke", why),
            None => std::future::pending().await,
        }
    }

    /// Stops everything, as an operator would.
    ///
    /// # Errors
    /// When a part does not stop, or ended badly.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let all = async {
            while self.desks.join_next().await.is_some() {}
            let mut ended = Ok(());
            while let Some(joined) = self.services.join_next().await {
                let one = match joined {
                    Ok((_, one)) => one,
                    Err(why) => Err(Error::part("stop a part: it broke", why)),
                };
                ended = ended.and(one);
            }
            ended
        };
        let ended = tokio::time::timeout(STOPPING, all)
            .await
            .unwrap_or_else(|_| Err(Error::told(format!("a part did not stop within {STOPPING:?}"))));
        self.services.shutdown().await;
        self.desks.shutdown().await;
        let server = self.server.stop().await.map_err(|why| Error::part("stop the nats-server", why));
        ended.and(server)
    }
}

/// Ready once everything is to stop.
pub(super) async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that whoever could say so is gone: that is a stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn connect(way: &Way, service: Service) -> Result<Ledger, Error> {
    Ledger::connect(&way.service(service)?)
        .await
        .map_err(|why| Error::part(format!("connect the {service}"), why))
}

/// Writes a key that nobody else may read.
fn secret(file: &Path, key: &SigningKey) -> Result<(), Error> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let cannot = format!("write {}", file.display());
    let seed = key.seed().map_err(|why| Error::part(cannot.clone(), why))?;
    let mut options = fs::File::options();
    let opened = options.create_new(true).write(true).mode(0o600).open(file);
    opened.and_then(|mut opened| opened.write_all(seed.as_bytes())).map_err(|why| Error::io(cannot, why))
}

/// Puts the directory in force.
async fn apply(ledger: &Ledger, world: &World, key: Option<&SigningKey>) -> Result<(), Error> {
    const CANNOT: &str = "put the directory in force";
    let body = to_body("directory", &world.document).map_err(|why| Error::part(CANNOT, why))?;
    let fact = NewFact { subject: Subject::Directory { version: 1 }, body, schedule: None };
    let Some(key) = key else {
        return ledger.append(&fact, None).await.map(drop).map_err(|why| Error::part(CANNOT, why));
    };
    let signed = key.sign(&fact.subject.to_string(), &fact.body).map_err(|why| Error::part(CANNOT, why))?;
    ledger.append_signed(&fact, &signed).await.map(drop).map_err(|why| Error::part(CANNOT, why))
}

/// The notifier's configuration: one relay, the SMTP server of the drill.
fn mail(port: u16) -> Config {
    Config {
        from: "Tocsin drill <tocsin@operator.example>".to_owned(),
        reply_to: None,
        message_id_domain: "tocsin.operator.example".to_owned(),
        relays: vec![RelayConfig {
            name: "drill-relay".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: Some(port),
            tls: Tls::None,
            username: None,
            password_file: None,
            ca_file: None,
            timeout: Window(SignedDuration::from_secs(10)),
            connections: 4,
            mails_a_minute: None,
        }],
        domains: BTreeMap::new(),
        instructions: Some(
            "This mail was made by `cargo xtask drill` and has not left that machine.".to_owned(),
        ),
        phone: None,
        link: None,
        retry: Retry::default(),
        digest: Window(SignedDuration::from_mins(1)),
        takeover: Window(SignedDuration::from_secs(15)),
        metrics: None,
    }
}
