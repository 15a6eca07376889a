//! The world that faults are done to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::Client;
use tocsin_ledger::{Ledger, Shape, Wait};
use tocsin_notifier::sink::{Behaviour, Sink, SinkOptions};
use tocsin_protocol::{NewFact, Subject, to_body};
use tocsin_provision::Service;

use super::{
    author::Authors,
    checker::{Evidence, Promise},
    cluster::{Cluster, SERVERS},
    desks::Desks,
    evidence,
    gate::Gate,
    link::Link,
    people::{PUBLISHERS, cast},
    process::{Guard, Process},
};
use crate::{Cast, program, wait::within};

/// Processes of many desks each.
const HOSTS: usize = 4;

/// How long each part of setting up may take, on the slowest machine: only a failure takes so long.
const SETTING_UP: Duration = Duration::from_mins(2);

/// Recipients whose desk is the real program, with a program that acknowledges.
const PROGRAMS: usize = 4;

/// One side of the world: a process, or some, with a link of its own to each server.
pub(super) struct Side {
    pub(super) links: Vec<Link>,
}

impl Side {
    async fn new(ports: &[u16]) -> Self {
        let mut links = Vec::new();
        for port in ports {
            links.push(Link::to(*port).await.unwrap());
        }
        Self { links }
    }

    fn urls(&self, gate: &Gate) -> String {
        gate.urls(self.links.iter().map(Link::port))
    }
}

/// All that one run needs. Dropping it ends everything in it.
pub(super) struct World {
    pub(super) gate: Arc<Gate>,
    pub(super) services: Vec<Process>,
    pub(super) cluster: Cluster,
    pub(super) sides: Vec<Side>,
    /// From which notifier to which relay.
    pub(super) mail_links: Vec<Link>,
    pub(super) relays: Vec<Sink>,
    pub(super) authors: Arc<Authors>,
    /// The recipients whose desks are many in one process.
    hosted: BTreeSet<String>,
    /// Past every link.
    pub(super) client: Client,
    pub(super) ledger: Ledger,
    pub(super) directory: PathBuf,
    pub(super) kills: AtomicU64,
    done: Mutex<BTreeMap<String, u64>>,
    /// What is wrong whatever the streams say, such as a service that ended by itself.
    pub(super) wrong: Mutex<Vec<(Promise, String)>>,
}

impl World {
    /// Starts everything in this directory.
    ///
    /// # Errors
    /// When the servers do not come to agree on the streams, with what each says.
    pub(super) async fn start(seed: u64, directory: &Path, guard: &Arc<Guard>) -> Result<Self, String> {
        let cast = cast();
        let gate = Arc::new(Gate::of(seed, directory));
        keep_keys(directory, &cast);
        let cluster = Cluster::start(directory, guard, &gate, &cast.document).await?;
        let urls = gate.urls(cluster.ports.iter().copied());
        let connect = async |service| {
            let connection = gate.service(service, &urls, Wait::Fail(SETTING_UP));
            Ledger::connect(&connection).await.map_err(|why| why.to_string())
        };
        let ledger = connect(Service::Administrator).await?;
        if let Err(why) = set_up(&cluster, &ledger, &cast).await {
            return Err(format!("{why}:\n{}", cluster.told().await));
        }
        let ledger = connect(Service::Auditor).await?;
        let client = gate.suite().connect(urls.split(',').collect::<Vec<_>>()).await.unwrap();
        let mut relays = Vec::new();
        for _ in 0..2 {
            relays.push(Sink::start(SinkOptions::default()).await.unwrap());
        }
        let publishing = Side::new(&cluster.ports).await;
        let authors = Authors::new(program::binary(), directory, (publishing.urls(&gate), &gate), guard);
        let mut world = Self {
            gate,
            services: Vec::new(),
            sides: vec![publishing],
            mail_links: Vec::new(),
            relays,
            authors,
            hosted: BTreeSet::new(),
            client,
            ledger,
            directory: directory.to_owned(),
            kills: AtomicU64::new(0),
            done: Mutex::default(),
            wrong: Mutex::default(),
            cluster,
        };
        for number in 1..=2 {
            let key = directory.join("checkpoint_key.nk").display().to_string();
            world.service(&format!("router-{number}"), "router", guard, &["router", "--key", &key]).await;
        }
        for number in 1..=2 {
            let config = world.notifier_config(number).await;
            let arguments = ["notifier", "--config", &config];
            world.service(&format!("notifier-{number}"), "notifier", guard, &arguments).await;
        }
        world.open_desks(seed, &cast, guard).await;
        Ok(world)
    }

    /// The real program as a process with a side of its own.
    async fn service(&mut self, name: &str, who: &str, guard: &Arc<Guard>, arguments: &[&str]) {
        let side = Side::new(&self.cluster.ports).await;
        let (urls, own) = (side.urls(&self.gate), self.gate.environment(who));
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let process = Process::start(name, &self.directory, guard, move || {
            let mut command = Command::new(program::binary());
            command
                .args(&arguments)
                .env("NATS_URL", &urls)
                .envs(own.iter().cloned())
                .env("RUST_LOG", "info,async_nats=error")
                .env("RUST_BACKTRACE", "1");
            command
        });
        self.services.push(process);
        self.sides.push(side);
    }

    async fn notifier_config(&mut self, number: usize) -> String {
        let mut relays = Vec::new();
        for (place, relay) in self.relays.iter().enumerate() {
            let link = Link::to(relay.address().port()).await.unwrap();
            relays.push(format!(
                "{{ name = 'relay-{}', host = '127.0.0.1', port = {}, tls = 'none', timeout = '2s' }}",
                place + 1,
                link.port()
            ));
            self.mail_links.push(link);
        }
        let file = self.directory.join(format!("notifier-{number}.toml"));
        let text = format!(
            "[notifier]\nfrom = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\n\
             takeover = '3s'\ndigest = '2s'\nretry.pauses = ['300ms', '500ms', '1s']\nrelays = [{}]\n",
            relays.join(", ")
        );
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    async fn open_desks(&mut self, seed: u64, cast: &Cast, guard: &Arc<Guard>) {
        let ids: Vec<&str> = cast.document.recipients.iter().map(|known| known.id.as_str()).collect();
        let (programs, hosted) = ids.split_at(PROGRAMS);
        self.hosted = hosted.iter().map(|id| (*id).to_owned()).collect();
        for id in programs {
            let key = self.directory.join(format!("{id}.nk")).display().to_string();
            let arguments = ["desk", "--as", id, "--key", &key, "--by", "A Person", "--role", "Supervisor"];
            let hands = ["--exec-timeout", "10s", "--exec", "sh", "-c", "exit 10"];
            self.service(&format!("desk-{id}"), id, guard, &[&arguments[..], &hands[..]].concat()).await;
        }
        for number in 0..HOSTS {
            let name = format!("desks-{}", number + 1);
            let side = Side::new(&self.cluster.ports).await;
            let own = hosted.iter().skip(number).step_by(HOSTS);
            let keys = own.map(|id| ((*id).to_owned(), cast.seed(id))).collect();
            let bus = self.gate.files().map(Path::to_owned);
            let told = Desks { urls: side.urls(&self.gate), bus, seed, keys };
            let file = self.directory.join(format!("{name}.json"));
            keep_secret(&file, &serde_json::to_string(&told).unwrap());
            let process = Process::start(&name, &self.directory, guard, move || {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.arg("desks").arg(&file).env("RUST_BACKTRACE", "1");
                command
            });
            self.services.push(process);
            self.sides.push(side);
        }
    }

    /// The servers' URLs, past every link.
    pub(super) fn urls(&self) -> String {
        self.gate.urls(self.cluster.ports.iter().copied())
    }

    /// Counts what was done.
    pub(super) fn did(&self, what: impl Into<String>) {
        *self.done.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    /// All that was done, by its name.
    pub(super) fn done(&self) -> BTreeMap<String, u64> {
        self.done.lock().unwrap().clone()
    }

    /// Kills a process, if it runs. That it had ended by itself is wrong.
    pub(super) fn kill(&self, process: &Process) {
        self.see(process);
        if process.kill() {
            self.kills.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sees whether a process has ended by itself, which is wrong, and has it started again as systemd would.
    pub(super) fn see(&self, process: &Process) {
        if let Some(how) = process.ended() {
            self.wrong.lock().unwrap().push((Promise::Ended, how));
            process.revive();
        }
    }

    /// Every process of ours and of the bus.
    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.cluster.servers.iter().chain(&self.services)
    }

    /// Every link.
    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        let sides = self.sides.iter().flat_map(|side| &side.links);
        sides.chain(&self.mail_links).chain(self.cluster.routes.iter().map(|(_, _, link)| link))
    }

    /// Ends every fault.
    pub(super) fn heal(&self) {
        self.links().for_each(Link::mend);
        for relay in &self.relays {
            relay.script_all([Behaviour::Accept]);
            relay.script_lines([Behaviour::Accept]);
        }
        for process in self.processes() {
            self.see(process);
            process.revive();
        }
    }

    /// Both streams, the mails, and what was acknowledged to whom.
    pub(super) async fn evidence(&self) -> Result<Evidence, String> {
        // First, as what is acknowledged stands by then: the streams are read behind it.
        let mut told = self.authors.told();
        told.retain(|told| !told.subject.is_empty());
        let mut shown = BTreeSet::new();
        for host in self.services.iter().filter(|service| service.name.starts_with("desks-")) {
            let printed = fs::read_to_string(host.output()).unwrap_or_default();
            told.extend(evidence::told_to_desks(&printed));
            shown.extend(evidence::shown_at_desks(&printed));
        }
        let said = evidence::entries(&self.client, "TOCSIN_SAID").await?;
        let log = evidence::entries(&self.client, "TOCSIN_LOG").await?;
        let mails = evidence::mails(&self.relays);
        Ok(Evidence { said, log, mails, told, shown, telling: self.hosted.clone() })
    }

    /// Whether a server's log tells that the disk itself, which is no fault of ours, has no room left.
    pub(super) fn is_out_of_disk(&self) -> bool {
        self.cluster.servers.iter().any(|server| {
            let log = fs::read(server.log()).unwrap_or_default();
            String::from_utf8_lossy(&log).contains("no space left on device")
        })
    }

    /// Closes every desk: nothing more is said afterwards.
    pub(super) fn close_desks(&self) {
        for desk in self.services.iter().filter(|service| service.name.starts_with("desk")) {
            self.see(desk);
            desk.kill();
        }
    }
}

/// Both streams on all three, the directory, and the desks' places. Each is tried until it is done: three servers that
/// have just started elect a leader for each stream first.
async fn set_up(cluster: &Cluster, ledger: &Ledger, cast: &Cast) -> Result<(), String> {
    let shape = Shape { replicas: SERVERS, ..Shape::default() };
    within(SETTING_UP, "three servers agree on the streams", async || {
        ledger.set_up(&shape).await.map(drop).map_err(|why| why.to_string())
    })
    .await?;
    let body = to_body("directory", &cast.document).unwrap();
    let fact = NewFact { subject: Subject::Directory { version: 1 }, body, schedule: None };
    within(SETTING_UP, "the directory is in force", async || {
        ledger.append(&fact, None).await.map(drop).map_err(|why| why.to_string())
    })
    .await?;
    let recipients: Vec<_> = cast.document.recipients.iter().map(|known| known.id.clone()).collect();
    within(SETTING_UP, "every desk has its place", async || {
        ledger.ensure_desks(&recipients).await.map_err(|why| why.to_string())
    })
    .await?;
    // Where no desk is yet, none is late.
    tokio::time::sleep(Duration::from_millis(200)).await;
    cluster.all_run()
}

/// Keeps the private keys that programs read.
fn keep_keys(directory: &Path, cast: &Cast) {
    let ids = cast.document.recipients.iter().take(PROGRAMS).map(|known| known.id.as_str());
    for id in ids.chain(PUBLISHERS).chain(["checkpoint_key"]) {
        keep_secret(&directory.join(format!("{id}.nk")), &cast.seed(id));
    }
}

/// Writes a file that its owner alone may read.
fn keep_secret(file: &Path, text: &str) {
    let mut options = fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(file).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}
