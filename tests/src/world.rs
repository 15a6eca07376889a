//! All that one test needs, and nothing left of it afterwards.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tocsin_console::{Accounts, Sees};
use tocsin_desk::{Clock, Desk};
use tocsin_ledger::{
    Connection, Ledger, Position, Shape, Wait,
    server::{self, Server, ServerOptions},
};
use tocsin_notifier::{
    Notifier,
    sink::{Sink, SinkOptions},
};
use tocsin_protocol::{
    DirectoryDocument, Entry, Event, NewFact, Receipt, ReceiptStage, Signed, SigningKey, Stream, Subject,
    Timestamp, from_body, to_body,
};
use tocsin_publisher::{Spool, prepare, publish};

use crate::{
    cast::{Cast, DIRECTORY, SERVICES},
    chaos::link::Link,
    desk::{Manner, RunningDesk},
    program::Program,
    publisher::receipt,
    service::Here,
    stranger::Stranger,
    wait::{LONG, until},
};

/// How the notifiers of a world are set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long each stage of SMTP may take.
    pub timeout: &'static str,
    /// The pauses between tries.
    pub pauses: &'static str,
    /// After how long a notifier without a sign of life is taken for dead.
    pub takeover: &'static str,
    /// The password of the account `tocsin` at the first relay, where that has one.
    pub password: Option<&'static str>,
    /// The console to which the links in mails lead; none for mails without.
    pub link: Option<String>,
}

impl Default for Config {
    /// Longer than a slow machine takes, so that nothing is given up that merely waits for its turn.
    fn default() -> Self {
        Self { timeout: "15s", pauses: "['300ms', '500ms']", takeover: "15s", password: None, link: None }
    }
}

/// All that one test needs. Dropping it ends everything in it.
pub struct World {
    /// Its nats-server.
    pub server: Server,
    /// A connection to it.
    pub ledger: Ledger,
    /// Who there is.
    pub cast: Cast,
    /// The mail relays, in the order in which they are tried.
    pub relays: Vec<Sink>,
    /// How its notifiers are set up.
    pub config: Config,
    started: AtomicU32,
    guarded: bool,
    directory: TempDir,
}

impl World {
    /// A world with one mail relay.
    pub async fn start(cast: Cast) -> Self {
        Self::with_relays(cast, [SinkOptions::default()]).await
    }

    /// A world with these mail relays, the preferred one first.
    pub async fn with_relays(cast: Cast, relays: impl IntoIterator<Item = SinkOptions>) -> Self {
        let world = Self::empty(cast, relays).await;
        world.apply().await;
        world
    }

    /// A world whose bus lets each in by its key, and to what `deploy/nats/users.conf` gives it.
    pub async fn guarded(cast: Cast) -> Self {
        let users = users(&cast);
        let world = Self::build(cast, [SinkOptions::default()], Some(users)).await;
        world.apply().await;
        world
    }

    /// A world in which no directory is in force yet.
    pub async fn empty(cast: Cast, relays: impl IntoIterator<Item = SinkOptions>) -> Self {
        Self::build(cast, relays, None).await
    }

    async fn build(cast: Cast, relays: impl IntoIterator<Item = SinkOptions>, users: Option<String>) -> Self {
        let guarded = users.is_some();
        let directory = tempfile::tempdir().unwrap();
        let options = ServerOptions {
            binary: server::find().unwrap(),
            store_dir: directory.path().join("nats"),
            config: users,
            port: None,
        };
        let server = Server::start(&options).await.unwrap();
        let login = guarded.then(|| cast.seed(SERVICES));
        let ledger = Ledger::connect(&lasting(&server.url(), "test", login)).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        let mut sinks = Vec::new();
        for relay in relays {
            sinks.push(Sink::start(relay).await.unwrap());
        }
        let (config, started) = (Config::default(), AtomicU32::new(0));
        Self { server, ledger, cast, relays: sinks, config, started, guarded, directory }
    }

    /// Puts the cast's directory in force as the first version, and makes the desks' places.
    pub async fn apply(&self) {
        let signer = self.cast.document.directory_key.is_some().then(|| self.cast.key(DIRECTORY));
        self.put_in_force(1, &self.cast.document, signer.as_ref()).await;
        let recipients: Vec<_> = self.cast.document.recipients.iter().map(|r| r.id.clone()).collect();
        self.ledger.ensure_desks(&recipients).await.unwrap();
    }

    /// Writes a version of the directory, signed or not; whether it is in force is for who reads it to say.
    pub async fn put_in_force(&self, version: u64, document: &DirectoryDocument, key: Option<&SigningKey>) {
        put_in_force(&self.ledger, version, document, key).await;
    }

    /// A connection of its own, as another process of our services has.
    pub async fn connect(&self, name: &str) -> Ledger {
        Ledger::connect(&lasting(&self.server.url(), name, self.login(SERVICES))).await.unwrap()
    }

    /// The seed with which somebody logs in, where that is asked for.
    fn login(&self, who: &str) -> Option<String> {
        self.guarded.then(|| self.cast.seed(who))
    }

    /// A client that knows NATS and none of our manners.
    pub async fn stranger(&self) -> Stranger {
        Stranger::connect(&self.server.url(), None).await
    }

    /// The same, logged in as somebody of the cast.
    pub async fn stranger_as(&self, who: &str) -> Stranger {
        Stranger::connect(&self.server.url(), Some((who, self.cast.seed(who)))).await
    }

    /// A router in this process.
    pub async fn router_here(&self) -> Here {
        let router = tocsin_router::Router::new(self.connect("router").await);
        let router = router.signing(self.cast.checkpoint_key()).unwrap();
        Here::start("router", |stop| async move { router.run(async { drop(stop.await) }).await })
    }

    /// A notifier in this process.
    pub async fn notifier_here(&self) -> Here {
        let config = toml::from_str(&self.notifier_config()).unwrap();
        let notifier = Notifier::new(self.connect("notifier").await, &config).unwrap();
        Here::start("notifier", |stop| async move { notifier.run(async { drop(stop.await) }).await })
    }

    /// Writes the configuration of a console that these accounts may sign in to, each with [`PASSWORD`], and that
    /// publishes for the cast's publishers. It listens on a free port, and after a restart on the same one.
    ///
    /// [`PASSWORD`]: crate::PASSWORD
    pub fn console_config(&self, accounts: &[(&str, Sees)]) -> PathBuf {
        let file = self.directory.path().join("accounts.toml");
        Accounts::change(&file, |known| {
            accounts.iter().try_for_each(|(name, sees)| {
                known.add(&name.parse()?, sees.clone(), None, crate::console::PASSWORD)
            })
        })
        .unwrap();
        let home = self.directory.path().display();
        let port = tocsin_ledger::server::free_port().unwrap().local_addr().unwrap().port();
        let mut text = format!(
            "[console]\nlisten = '127.0.0.1:{port}'\naccounts = '{}'\ncookie_key = '{home}/cookies.key'\n\
             spool = '{home}/spools'\n",
            file.display()
        );
        if self.cast.document.console_key.is_some() {
            writeln!(text, "key = '{}'", self.seed_file(crate::cast::CONSOLE).display()).unwrap();
        }
        writeln!(text, "[console.publishers]").unwrap();
        for publisher in &self.cast.document.publishers {
            let id = publisher.id.as_str();
            writeln!(text, "{id} = '{}'", self.seed_file(id).display()).unwrap();
        }
        let config = self.directory.path().join("console.toml");
        std::fs::write(&config, text).unwrap();
        config
    }

    /// The private key of somebody of the cast as a file that nobody else may read.
    pub fn seed_file(&self, whose: &str) -> PathBuf {
        let file = self.directory.path().join(format!("{whose}.nk"));
        keep_secret(&file, &self.cast.seed(whose));
        file
    }

    /// A console as a process of the real program, and where it is.
    pub async fn console(&self, config: &Path) -> (Program, String) {
        let program = self.program("console", &["console", "--config", config.to_str().unwrap()]);
        let url = until("the console listens", async || {
            let told = program.tail();
            let (_, url) = told.rsplit_once("The console is at ").ok_or_else(|| told.clone())?;
            Ok(url.lines().next().unwrap_or_default().trim().to_owned())
        })
        .await;
        (program, url)
    }

    /// A router as a process of the real program.
    pub fn router(&self) -> Program {
        self.program("router", &["router"])
    }

    /// A notifier as a process of the real program.
    pub fn notifier(&self) -> Program {
        let file = self.directory.path().join("notifier.toml");
        std::fs::write(&file, format!("[notifier]\n{}", self.notifier_config())).unwrap();
        self.program("notifier", &["notifier", "--config", file.to_str().unwrap()])
    }

    /// A watcher as a process of the real program.
    pub fn watch(&self, arguments: &[&str]) -> Program {
        self.program("watch", &[&["watch"], arguments].concat())
    }

    /// Where what the test needs on disk may stand.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Program {
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let login = self.login(SERVICES).map(|seed| {
            let file = self.directory.path().join("services.nk");
            keep_secret(&file, &seed);
            file
        });
        Program::start(
            &format!("{number}-{name}"),
            arguments,
            &self.server.url(),
            login.as_deref(),
            self.directory.path(),
        )
    }

    /// What a command of the real program ends with, and what it has printed.
    pub async fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.program(arguments[0], arguments).ended().await
    }

    /// A place for files that lasts as long as the world does.
    pub fn home(&self) -> &Path {
        self.directory.path()
    }

    /// Loses the bus with all that it held: an empty one comes up in its place.
    pub async fn lose_the_bus(&mut self) {
        self.server.kill().await.unwrap();
        std::fs::remove_dir_all(self.server.store_dir().join("store")).unwrap();
        self.server.restart().await.unwrap();
    }

    /// The notifier's configuration, as the table of that name in the program's file has it.
    fn notifier_config(&self) -> String {
        let Config { timeout, pauses, takeover, password, link } = &self.config;
        let relay = |(number, relay): (usize, &Sink)| {
            let account = match (number, password) {
                (0, Some(password)) => {
                    let file = self.directory.path().join("password");
                    keep_secret(&file, password);
                    format!(", username = 'tocsin', password_file = '{}'", file.display())
                }
                _ => String::new(),
            };
            format!(
                "{{ name = 'relay-{}', host = '127.0.0.1', port = {}, tls = 'none', timeout = '{timeout}'{account} }}",
                number + 1,
                relay.address().port()
            )
        };
        let relays: Vec<String> = self.relays.iter().enumerate().map(relay).collect();
        let link = link.as_ref().map(|url| {
            format!("link = {{ url = '{url}', key = '{}' }}\n", self.seed_file(crate::cast::LINKS).display())
        });
        format!(
            "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\n\
             takeover = '{takeover}'\ndigest = '1s'\nretry.pauses = {pauses}\nrelays = [{}]\n{}",
            relays.join(", "),
            link.unwrap_or_default()
        )
    }

    /// A recipient's desk.
    pub async fn desk(&self, recipient: &str, manner: Manner) -> RunningDesk {
        RunningDesk::start(self.plain_desk(recipient).await, manner)
    }

    /// The same by a clock of its own.
    pub async fn desk_by(&self, clock: Clock, recipient: &str, manner: Manner) -> RunningDesk {
        RunningDesk::start(self.plain_desk(recipient).await.by_clock(clock), manner)
    }

    /// The same over a link to the bus.
    pub async fn desk_over(&self, link: &Link, recipient: &str, manner: Manner) -> RunningDesk {
        let url = format!("nats://127.0.0.1:{}", link.port());
        RunningDesk::start(self.desk_at(&url, recipient).await, manner)
    }

    /// A recipient's place on the bus, at which nobody works yet.
    pub async fn plain_desk(&self, recipient: &str) -> Desk {
        self.desk_at(&self.server.url(), recipient).await
    }

    async fn desk_at(&self, url: &str, recipient: &str) -> Desk {
        let connection = lasting(url, recipient, self.login(recipient));
        let ledger = Ledger::connect(&connection).await.unwrap();
        Desk::new(ledger, recipient.parse().unwrap(), self.cast.key(recipient)).unwrap()
    }

    /// Publishes an event as its publisher does: spooled, sent, and kept until the bus has it.
    pub async fn publish(&self, event: &Event) -> Position {
        let publisher = event.publisher.as_str();
        let prepared = prepare(event, &self.cast.key(publisher), &event.publisher).unwrap();
        let spool = Spool::open(&self.spool(publisher)).unwrap();
        let connection = Connection {
            wait: Connection::to("").wait,
            ..lasting(&self.server.url(), publisher, self.login(publisher))
        };
        let done = until("the event is published", async || {
            publish(&connection, &spool, &prepared, Timestamp::now(), Duration::from_secs(5))
                .await
                .map_err(|why| why.to_string())
        })
        .await;
        done.sent.said.position()
    }

    /// Tries to publish an event while the bus is away, and sees that it is kept.
    pub async fn keep(&self, event: &Event) {
        let publisher = event.publisher.as_str();
        let prepared = prepare(event, &self.cast.key(publisher), &event.publisher).unwrap();
        let spool = Spool::open(&self.spool(publisher)).unwrap();
        let connection = Connection {
            wait: Connection::to("").wait,
            ..lasting(&self.server.url(), publisher, self.login(publisher))
        };
        let within = Duration::from_millis(300);
        match publish(&connection, &spool, &prepared, Timestamp::now(), within).await {
            Err(tocsin_publisher::Error::BusAway { .. }) => {}
            other => panic!("the bus was not told to be away: {other:?}"),
        }
        assert!(spool.pending().unwrap().events.iter().any(|kept| kept.subject() == prepared.subject()));
    }

    /// Where a publisher keeps what it has not sent.
    pub fn spool(&self, publisher: &str) -> PathBuf {
        self.directory.path().join(format!("spool-{publisher}"))
    }

    /// Says a fact on the bus, signed by whoever is named, whatever the subject says.
    pub async fn say_as(&self, author: &str, subject: &Subject, body: Vec<u8>) -> Position {
        let signed = self.sign_as(author, subject, &body);
        self.ledger.say(subject, &signed, body.into()).await.unwrap().position()
    }

    /// Somebody's signature over anything.
    pub fn sign_as(&self, author: &str, subject: &Subject, body: &[u8]) -> Signed {
        self.cast.key(author).sign(&subject.to_string(), body).unwrap()
    }

    /// Says a receipt as its recipient does.
    pub async fn say(&self, receipt: &Receipt) -> Position {
        let body = to_body("receipt", receipt).unwrap();
        self.say_as(receipt.recipient.as_str(), &receipt.subject(), body.to_vec()).await
    }

    /// Acknowledges an event in a recipient's name, without a desk.
    pub async fn acknowledge(&self, recipient: &str, incident: &str, number: u32) -> Position {
        self.say(&receipt(recipient, incident, number, ReceiptStage::Acknowledged)).await
    }

    /// Waits for a fact and gives it.
    pub async fn entry(&self, subject: &str) -> Entry {
        let found = self.ledger.wait_for(&[subject.parse().unwrap()], LONG).await.unwrap();
        match found {
            Some(entry) => entry,
            None => panic!("{subject} was not written.\n{}", self.picture().await),
        }
    }

    /// Waits for a fact and reads it.
    pub async fn fact<T: for<'de> serde::Deserialize<'de>>(&self, subject: &str) -> T {
        from_body("fact", &self.entry(subject).await.body).unwrap()
    }

    /// Whether a fact stands now.
    pub async fn stands(&self, subject: &str) -> bool {
        self.ledger.last(&subject.parse().unwrap()).await.unwrap().is_some()
    }

    /// All that a stream holds now.
    pub async fn entries(&self, stream: Stream) -> Vec<Entry> {
        self.ledger.entries(stream, &["tocsin.>".to_owned()]).await.unwrap()
    }

    /// Waits until the first relay has seen what is wanted.
    pub async fn mails(&self, wanted: impl Fn(&tocsin_notifier::sink::Seen) -> bool) {
        if let Err(why) = self.relays[0].wait_until(LONG, wanted).await {
            panic!("{why}\n{}", self.picture().await);
        }
    }

    /// Both streams, the mails and the services' logs, for a person to read.
    pub async fn picture(&self) -> String {
        let mut text = String::new();
        for stream in [Stream::Said, Stream::Log] {
            let entries = self.entries(stream).await;
            writeln!(text, "{} has {} entries:", stream.name(), entries.len()).unwrap();
            for entry in entries.iter().take(200) {
                let body = String::from_utf8_lossy(&entry.body);
                let body: String = body.chars().take(300).collect();
                let time = entry.time.to_string();
                writeln!(text, "  {:>4} {time:<30} {} {body}", entry.sequence, entry.subject).unwrap();
            }
        }
        for (number, relay) in self.relays.iter().enumerate() {
            writeln!(text, "relay-{}: {:?}", number + 1, relay.counts()).unwrap();
            for mail in relay.mails() {
                writeln!(text, "  {} to {:?}", mail.number, mail.to).unwrap();
            }
        }
        let logs = std::fs::read_dir(self.directory.path()).unwrap();
        for log in logs.filter_map(Result::ok).map(|file| file.path()) {
            if log.extension().is_some_and(|end| end == "log") {
                let lines = std::fs::read_to_string(&log).unwrap_or_default();
                let lines: Vec<&str> = lines.lines().collect();
                let last = lines[lines.len().saturating_sub(30)..].join("\n    ");
                writeln!(text, "{}:\n    {last}", log.file_name().unwrap().to_string_lossy()).unwrap();
            }
        }
        text
    }
}

/// Writes a file that its owner alone may read.
fn keep_secret(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// A connection that outlives the broker, as a service's does.
fn lasting(url: &str, name: &str, seed: Option<String>) -> Connection {
    Connection {
        name: name.to_owned(),
        wait: Wait::UntilConnected,
        inbox_prefix: seed.is_some().then(|| format!("_INBOX_{name}")),
        nkey_seed: seed.map(Into::into),
        ..Connection::to(url)
    }
}

/// The accounts that we ship, with everybody of the cast in them.
fn users(cast: &Cast) -> String {
    let shipped = include_str!("../../deploy/nats/users.conf");
    let (head, bodies) = shipped.split_once("  # A publisher:").unwrap();
    let (publisher, recipient) = bodies.split_once("  # A recipient:").unwrap();
    let recipient = recipient.trim_end().strip_suffix('}').unwrap();
    let body = |template: &str, word: &str, id: &str| format!("  #{}", template.replace(word, id));
    let mut text = head.to_owned();
    for known in &cast.document.publishers {
        text += &body(publisher, "operator", known.id.as_str());
    }
    for known in &cast.document.recipients {
        text += &body(recipient, "police-north", known.id.as_str());
    }
    text.push('}');
    let keys = cast.document.publishers.iter().map(|p| p.id.as_str());
    for id in keys.chain(cast.document.recipients.iter().map(|r| r.id.as_str())).chain([SERVICES]) {
        text = text.replace(&format!("PUBLIC KEY OF {id}\""), &format!("{}\"", cast.key(id).public()));
    }
    text
}

/// Writes a version of the directory, signed or not.
pub async fn put_in_force(
    ledger: &Ledger,
    version: u64,
    document: &DirectoryDocument,
    key: Option<&SigningKey>,
) {
    let body = to_body("directory", document).unwrap();
    let fact = NewFact { subject: Subject::Directory { version }, body, schedule: None };
    match key.map(|key| key.sign(&fact.subject.to_string(), &fact.body).unwrap()) {
        Some(signed) => ledger.append_signed(&fact, &signed).await.unwrap(),
        None => ledger.append(&fact, None).await.unwrap(),
    };
}
