//! Three nats-servers whose routes to each other can be cut.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
    sync::Arc,
    time::Duration,
};

use async_nats::Client;
use bytes::Bytes;
use serde_json::Value;
use tocsin_ledger::server;
use tokio::net::TcpStream;

use super::{
    link::Link,
    process::{Guard, Process},
};
use crate::wait::until;

/// How many there are.
pub(super) const SERVERS: usize = 3;

/// Three nats-servers.
pub(super) struct Cluster {
    /// The servers.
    pub(super) servers: Vec<Process>,
    /// The ports on which they take clients.
    pub(super) ports: Vec<u16>,
    /// The links between them: from whom, to whom.
    pub(super) routes: Vec<(usize, usize, Link)>,
}

/// Ports that are free now. All of them are held until all are known, so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

impl Cluster {
    /// Starts them, each with its own store, and waits until they listen.
    pub(super) async fn start(directory: &Path, guard: &Arc<Guard>) -> Self {
        let binary = server::find().unwrap();
        let clients: [u16; SERVERS] = free_ports();
        let own: [u16; SERVERS] = free_ports();
        let mut routes = Vec::new();
        for from in 0..SERVERS {
            for to in (0..SERVERS).filter(|to| *to != from) {
                routes.push((from, to, Link::to(own[to]).await.unwrap()));
            }
        }
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            let name = format!("nats-{}", number + 1);
            let peers: Vec<String> = routes
                .iter()
                .filter(|(from, ..)| *from == number)
                .map(|(_, _, link)| format!("\"nats://127.0.0.1:{}\"", link.port()))
                .collect();
            let home = directory.join(&name);
            fs::create_dir_all(&home).unwrap();
            let config = home.join("nats-server.conf");
            fs::write(&config, configuration(number, &home, (clients[number], own[number]), &peers)).unwrap();
            let binary = binary.clone();
            servers.push(Process::start(&name, directory, guard, move || {
                let mut command = Command::new(&binary);
                command.arg("--config").arg(&config);
                command
            }));
        }
        for port in clients {
            until("a nats-server listens", async || {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map(drop).map_err(|why| why.to_string())
            })
            .await;
        }
        Self { servers, ports: clients.to_vec(), routes }
    }

    /// The URLs of all three, past every link.
    pub(super) fn urls(&self) -> String {
        let urls: Vec<String> = self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        urls.join(",")
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

/// As `deploy/nats` has it for three, but for what keeps every byte between them on a link: no server tells another, or
/// a client, where else it or its peers could be reached.
fn configuration(number: usize, home: &Path, (clients, routes): (u16, u16), peers: &[String]) -> String {
    let path = |name: &str| Value::from(home.join(name).to_string_lossy()).to_string();
    format!(
        "server_name: nats-{}\n\
         listen: \"127.0.0.1:{clients}\"\n\
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
        number + 1,
        peers.join(", "),
        log = path("nats-server.log"),
        store = path("store"),
    )
}
