//! Three nats-servers whose routes to each other can be cut.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::Client;
use bytes::Bytes;
use serde_json::Value;
use tocsin_ledger::server;
use tocsin_protocol::DirectoryDocument;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    gate::Gate,
    link::Link,
    process::{Guard, Process},
};
/// How many there are.
pub(super) const SERVERS: usize = 3;

/// How long they may take to find each other: on an idle machine half a second, on one with ten others at work six.
const ASSEMBLING: Duration = Duration::from_mins(3);

/// How long one may take to tell how it stands.
const TELLING: Duration = Duration::from_secs(2);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// How often a start is tried, each time on other ports, where somebody else took one before the server did.
const TRIES: usize = 5;

/// What a nats-server says when it ends because of that.
const TAKEN: &str = "address already in use";

/// Three nats-servers.
pub(super) struct Cluster {
    /// The servers.
    pub(super) servers: Vec<Process>,
    /// The ports on which they take clients.
    pub(super) ports: Vec<u16>,
    /// The ports on which they tell how they stand.
    monitors: Vec<u16>,
    /// The links between them: from whom, to whom.
    pub(super) routes: Vec<(usize, usize, Link)>,
}

/// Ports that are free now, none of which the system gives to anybody who does not ask for it by its number: a server
/// that is killed finds its own free again. All of them are held until all are known, so that they differ.
fn free_ports<const N: usize>() -> [[u16; SERVERS]; N] {
    let held: [[TcpListener; SERVERS]; N] =
        std::array::from_fn(|_| std::array::from_fn(|_| server::free_port().unwrap()));
    held.map(|group| group.map(|listener| listener.local_addr().unwrap().port()))
}

impl Cluster {
    /// Starts them, each with its own store, and waits until they have found each other.
    ///
    /// # Errors
    /// When they do not, with what each says.
    pub(super) async fn start(
        directory: &Path,
        guard: &Arc<Guard>,
        gate: &Gate,
        document: &DirectoryDocument,
    ) -> Result<Self, String> {
        let mut tries = 1;
        loop {
            let cluster = Self::begin(directory, guard, gate, document).await;
            match cluster.assemble().await {
                Ok(()) => return Ok(cluster),
                Err(why) if why.contains(TAKEN) && tries < TRIES => tries += 1,
                Err(why) => return Err(why),
            }
        }
    }

    async fn begin(directory: &Path, guard: &Arc<Guard>, gate: &Gate, document: &DirectoryDocument) -> Self {
        let binary = server::find().unwrap();
        let [clients, own, monitors] = free_ports();
        gate.provision(document, clients, own);
        let mut routes = Vec::new();
        for from in 0..SERVERS {
            for to in (0..SERVERS).filter(|to| *to != from) {
                routes.push((from, to, Link::to(own[to]).await.unwrap()));
            }
        }
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            let name = format!("nats-{}", number + 1);
            // By itself too, as `deploy/nats` has it: so many as it is told of, it waits for.
            let peers: Vec<String> = routes
                .iter()
                .filter(|(from, ..)| *from == number)
                .map(|(_, _, link)| link.port())
                .chain([own[number]])
                .map(|port| format!("\"nats://127.0.0.1:{port}\""))
                .collect();
            let home = directory.join(&name);
            // What an earlier try left there.
            let _ = fs::remove_dir_all(&home);
            fs::create_dir_all(&home).unwrap();
            let log = Process::log_of(&name, directory);
            let _ = fs::remove_file(&log);
            let ports = [clients[number], own[number], monitors[number]];
            let store = home.join("store");
            let config =
                gate.configuration(number, (&name, &store, &log), ports, &peers).unwrap_or_else(|| {
                    let config = home.join("nats-server.conf");
                    fs::write(&config, configuration(&name, &store, &log, ports, &peers)).unwrap();
                    config
                });
            let binary = binary.clone();
            servers.push(Process::start(&name, directory, guard, move || {
                let mut command = Command::new(&binary);
                command.arg("--config").arg(&config);
                command
            }));
        }
        Self { servers, ports: clients.to_vec(), monitors: monitors.to_vec(), routes }
    }

    /// Waits until the one that leads them tells of all three as there, and none behind. Until then the leader may know
    /// of two alone, and refuses whatever is to stand on three with "no suitable peers for placement"; one that ended at
    /// once, as a port of its own was taken, leaves it at that for ever.
    async fn assemble(&self) -> Result<(), String> {
        let deadline = Instant::now() + ASSEMBLING;
        loop {
            self.all_run()?;
            for (server, port) in self.servers.iter().zip(&self.monitors) {
                if metadata(*port).await.is_ok_and(|told| is_whole(&server.name, &told)) {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                let told = self.told().await;
                return Err(format!("three servers did not find each other within {ASSEMBLING:?}:\n{told}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// That none has ended by itself.
    ///
    /// # Errors
    /// How one did.
    pub(super) fn all_run(&self) -> Result<(), String> {
        self.servers.iter().find_map(Process::ended).map_or(Ok(()), Err)
    }

    /// How each server stands, in its own words.
    pub(super) async fn told(&self) -> String {
        let mut all = Vec::new();
        for (server, port) in self.servers.iter().zip(&self.monitors) {
            let told = metadata(*port).await.map_or_else(|why| why.to_string(), |told| told.to_string());
            all.push(format!(
                "  {} tells of its peers {told}; its log ends\n    {}",
                server.name,
                server.tail()
            ));
        }
        all.join("\n")
    }

    /// The server that leads a stream, asked past every link. None when there is none for the moment.
    pub(super) async fn leader(&self, client: &Client, stream: &str) -> Option<usize> {
        let asked = client.request(format!("$JS.API.STREAM.INFO.{stream}"), Bytes::new());
        let answer = tokio::time::timeout(Duration::from_millis(800), asked).await.ok()?.ok()?;
        let answer: Value = serde_json::from_slice(&answer.payload).ok()?;
        let name = answer["cluster"]["leader"].as_str()?;
        self.servers.iter().position(|server| server.name == name)
    }
}

/// What a server tells of the group in which all servers agree on what stands where.
async fn metadata(monitor: u16) -> io::Result<Value> {
    let asking = async {
        let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, monitor)).await?;
        line.write_all(b"GET /jsz HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        line.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let mut told: Value = serde_json::from_str(body)?;
        Ok(told["meta_cluster"].take())
    };
    tokio::time::timeout(TELLING, asking).await?
}

/// Whether it is the leader's word, and has all of them there and none behind.
fn is_whole(name: &str, told: &Value) -> bool {
    let others = told["replicas"].as_array().map_or(&[][..], Vec::as_slice);
    told["leader"] == name
        && others.len() == SERVERS - 1
        && others.iter().all(|other| other["current"] == true && other["offline"] != true)
}

/// As `deploy/nats` has it for three, but for what keeps every byte between them on a link: no server tells another, or
/// a client, where else it or its peers could be reached.
fn configuration(
    name: &str,
    store: &Path,
    log: &Path,
    [clients, routes, monitor]: [u16; 3],
    peers: &[String],
) -> String {
    let quoted = |path: &Path| Value::from(path.to_string_lossy()).to_string();
    format!(
        "server_name: {name}\n\
         listen: \"127.0.0.1:{clients}\"\n\
         http: \"127.0.0.1:{monitor}\"\n\
         log_file: {log}\n\
         max_payload: 8MB\n\
         ping_interval: \"10s\"\n\
         ping_max: 3\n\
         jetstream {{\n  \
           store_dir: {store}\n  \
           sync_interval: always\n  \
           max_memory_store: 64MB\n  \
           max_file_store: 8GB\n  \
           max_buffered_msgs: 2000\n\
         }}\n\
         cluster {{\n  \
           name: tocsin\n  \
           listen: \"127.0.0.1:{routes}\"\n  \
           no_advertise: true\n  \
           # Where nobody listens: what one server tells another of a third leads nowhere.\n  \
           advertise: \"127.0.0.1:1\"\n  \
           routes: [{}]\n\
         }}\n",
        peers.join(", "),
        log = quoted(log),
        store = quoted(store),
    )
}
