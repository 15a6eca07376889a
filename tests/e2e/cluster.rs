//! Three servers, each with the accounts of a provisioned bus: keys and bodies change by reload, server by server.

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape, Wait,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::{DirectoryDocument, EventKind, ReceiptStage, SigningKey, to_body};
use tocsin_provision::{Bus, Service};
use tocsin_tests::{Cast, event, receipt, seconds, until};

use crate::attacks::fort::{free_port, put_in_force, reload, write};

struct Cluster {
    dir: TempDir,
    bus: Bus,
    servers: Vec<Server>,
}

impl Cluster {
    async fn start(document: &DirectoryDocument) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bus = Bus::at(fs::canonicalize(dir.path()).unwrap().join("bus"));
        write(&bus, document, 4222);
        let written = fs::read_to_string(bus.config()).unwrap();
        let home = fs::canonicalize(dir.path()).unwrap().join("bus");
        let (clients, routes): (Vec<_>, Vec<_>) = (0..3).map(|_| (free_port(), free_port())).unzip();
        let peers: Vec<_> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let mut starting = Vec::new();
        for number in 0..3 {
            let own = |name: &str| home.join(format!("{}-{name}", number + 1));
            // As `tocsin provision` writes it, but for what differs between servers.
            let config = written
                .replace("server_name: tocsin-1", &format!("server_name: tocsin-{}", number + 1))
                .replace("127.0.0.1:4222", &format!("127.0.0.1:{}", clients[number]))
                .replace(&quoted(&home.join("nats-server.pid")), &quoted(&own("pid")))
                .replace(&quoted(&home.join("nats-server.log")), &quoted(&own("log")))
                .replace(&quoted(&home.join("store")), &quoted(&own("store")));
            let cluster = format!(
                "\ncluster {{\n  name: tocsin\n  listen: \"127.0.0.1:{}\"\n  routes: [{}]\n}}\n",
                routes[number],
                peers.join(", ")
            );
            let file = home.join(format!("server-{}.conf", number + 1));
            fs::write(&file, config + &cluster).unwrap();
            let options = ServerOptions {
                binary: server::find().unwrap(),
                store_dir: own("run"),
                config: None,
                port: Some(clients[number]),
            };
            starting.push(async move { Server::start_with(&options, &file).await.unwrap() });
        }
        let servers = futures_util::future::join_all(starting).await;
        Self { dir, bus, servers }
    }

    /// Writes the accounts anew and has each server read them, one after the other. Twice each: after one reload a
    /// server does not yet have what an account that is new to it imports (nats-server 2.15.1), alone as in a cluster.
    async fn reload(&self, document: &DirectoryDocument) {
        write(&self.bus, document, 4222);
        for (number, server) in self.servers.iter().enumerate() {
            let log = self.dir.path().join(format!("bus/{}-log", number + 1));
            for _ in 0..2 {
                let done =
                    || fs::read_to_string(&log).unwrap().matches("Reloaded server configuration").count();
                let before = done();
                reload(server);
                until("the server has read its configuration", async || {
                    if done() > before { Ok(()) } else { Err("not yet".to_owned()) }
                })
                .await;
            }
        }
    }

    async fn service(&self, service: Service, server: usize) -> Ledger {
        let url = self.servers[server].url();
        let connection =
            Connection { wait: Wait::UntilConnected, ..self.bus.service(service, &url).unwrap() };
        Ledger::connect(&connection).await.unwrap()
    }

    async fn body(&self, id: &str, key: &SigningKey, server: usize) -> Result<Ledger, tocsin_ledger::Error> {
        let mut connection = self.bus.body(id, key, &self.servers[server].url()).unwrap();
        connection.wait = Wait::Fail(Duration::from_secs(10));
        Ledger::connect(&connection).await
    }
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

async fn say_event(ledger: &Ledger, cast: &Cast, incident: &str) {
    let event = event(incident, 1, EventKind::Initial);
    let (subject, body) = (event.subject(), to_body("event", &event).unwrap());
    let signed = cast.key("operator").sign(&subject.to_string(), &body).unwrap();
    ledger.say(&subject, &signed, body).await.unwrap();
}

/// Takes the notice of an incident in, at this server, and says so.
async fn takes_in(cluster: &Cluster, id: &str, key: &SigningKey, server: usize, incident: &str) {
    let ledger = cluster.body(id, key, server).await.unwrap();
    let mut notices = ledger.notices(&id.parse().unwrap()).await.unwrap();
    let notice = format!("tocsin.notice.{id}.{incident}.1");
    loop {
        let held = tokio::time::timeout(Duration::from_secs(30), notices.next()).await;
        let held = held.unwrap_or_else(|_| panic!("{id} has no {notice} at server {}", server + 1)).unwrap();
        held.settle().await.unwrap();
        if held.entry.subject == notice {
            break;
        }
    }
    let receipt = receipt(id, incident, 1, ReceiptStage::Delivered);
    let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).unwrap());
    let signed = key.sign(&subject.to_string(), &body).unwrap();
    ledger.say(&subject, &signed, body).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_bodies_change_on_a_cluster_that_runs() {
    let mut cast = Cast::new(&[seconds(600.0), seconds(1200.0)]).required(&["a", "b"]);
    let cluster = Cluster::start(&cast.document).await;
    let administrator = cluster.service(Service::Administrator, 0).await;
    until("three servers agree on the streams", async || {
        let shape = Shape { replicas: 3, ..Shape::default() };
        administrator.set_up(&shape).await.map(drop).map_err(|why| why.to_string())
    })
    .await;
    put_in_force(&administrator, 1, &cast.document).await;
    let routing = cluster.service(Service::Router, 1).await;
    let router = tokio::spawn(async move {
        tocsin_router::Router::new(routing).run(std::future::pending()).await.unwrap();
    });
    let operator = cluster.body("operator", &cast.key("operator"), 2).await.unwrap();
    say_event(&operator, &cast, "x0").await;
    let old = cast.key("a");
    let held = cluster.body("a", &old, 0).await.unwrap();
    takes_in(&cluster, "a", &old, 0, "x0").await;

    // Another key for one, and a body that no server has heard of.
    cast = cast.with_new_key("a").required(&["c"]);
    put_in_force(&administrator, 2, &cast.document).await;
    cluster.reload(&cast.document).await;
    until("who came with the old key is cut off", async || {
        if held.is_connected() { Err("it is still there".to_owned()) } else { Ok(()) }
    })
    .await;
    assert!(operator.is_connected(), "others hear nothing of it");
    for server in 0..3 {
        assert!(
            cluster.body("a", &old, server).await.is_err(),
            "the old key is let in by server {}",
            server + 1
        );
        let incident = format!("x{}", server + 1);
        say_event(&operator, &cast, &incident).await;
        for id in ["a", "b", "c"] {
            takes_in(&cluster, id, &cast.key(id), server, &incident).await;
        }
    }
    assert!(!router.is_finished());
    router.abort();
}
