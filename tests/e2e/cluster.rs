//! Three servers, each with the accounts of a provisioned bus: keys and bodies change by reload, server by server.

use std::{fs, time::Duration};

use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Shape, Wait,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::{DirectoryDocument, EventKind, ReceiptStage, SigningKey, Timestamp, to_body};
use tocsin_provision::{self as provision, Bus, Member, Plan, Service, Tls};
use tocsin_tests::{Cast, event, receipt, seconds, until};

use crate::attacks::fort::{free_port, put_in_force, reload};

struct Cluster {
    bus: Bus,
    members: Vec<Member>,
    servers: Vec<Server>,
    _dir: TempDir,
}

impl Cluster {
    /// Three servers that run with what is written for each, and nothing else.
    async fn start(document: &DirectoryDocument) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bus = Bus::at(fs::canonicalize(dir.path()).unwrap().join("bus"));
        // By a name, so that each must show a certificate of the name under which the others know it.
        let members: Vec<Member> =
            (0..3).map(|_| format!("localhost:{}:{}", free_port(), free_port()).parse().unwrap()).collect();
        write(&bus, document, &members);
        let starting = bus.homes().into_iter().zip(&members).map(async |(home, member)| {
            let port = member.to_string().split(':').nth(1).unwrap().parse().unwrap();
            let options = ServerOptions {
                binary: server::find().unwrap(),
                store_dir: home.join("run"),
                config: None,
                port: Some(port),
            };
            Server::start_with(&options, &home.join("nats-server.conf")).await.unwrap()
        });
        let servers = futures_util::future::join_all(starting).await;
        Self { bus, members, servers, _dir: dir }
    }

    /// Writes the accounts anew and has each server read them, one after the other. Twice each: after one reload a
    /// server does not yet have what an account that is new to it imports (nats-server 2.15.1), alone as in a cluster.
    async fn reload(&self, document: &DirectoryDocument) {
        write(&self.bus, document, &self.members);
        for (home, server) in self.bus.homes().iter().zip(&self.servers) {
            let log = home.join("nats-server.log");
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

    fn url(&self, server: usize) -> String {
        self.members[server].url()
    }

    async fn service(&self, service: Service, server: usize) -> Ledger {
        let connection = self.bus.service(service, &self.url(server)).unwrap();
        let connection = Connection { wait: Wait::UntilConnected, ..connection };
        Ledger::connect(&connection).await.unwrap()
    }

    async fn body(&self, id: &str, key: &SigningKey, server: usize) -> Result<Ledger, tocsin_ledger::Error> {
        let mut connection = self.bus.body(id, key, &self.url(server)).unwrap();
        connection.wait = Wait::Fail(Duration::from_secs(10));
        Ledger::connect(&connection).await
    }
}

/// Writes a bus on these servers for this directory.
fn write(bus: &Bus, document: &DirectoryDocument, members: &[Member]) {
    let plan = Plan {
        document,
        listen: "127.0.0.1:4222",
        names: &["localhost".to_owned()],
        tls: Tls::Development,
        seeds: None,
        now: Timestamp::now(),
        renew: false,
        cluster: provision::Cluster { members, ..provision::Cluster::default() },
    };
    let done = tocsin_provision::provision(bus, &plan).unwrap();
    assert_eq!(done.missing, [""; 0].map(std::path::PathBuf::from));
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
    no_body_becomes_a_server(&cluster).await;
}

/// Whoever is let in as a server may do everything: the certificate by which a body comes in as a client must not be one.
async fn no_body_becomes_a_server(cluster: &Cluster) {
    let home = cluster.bus.homes()[0].clone();
    let (certificate, key) = cluster.bus.client("b");
    let path = |path: &std::path::Path| format!("\"{}\"", path.display());
    let written = fs::read_to_string(home.join("nats-server.conf")).unwrap();
    let thief = home.with_file_name("thief");
    fs::create_dir_all(&thief).unwrap();
    fs::copy(home.join("accounts.conf"), thief.join("accounts.conf")).unwrap();
    let own = |file: &str| written.lines().find(|line| line.contains(file)).unwrap().trim().to_owned();
    let mut config = written.clone();
    for (was, is) in [
        (own("server_name: "), "server_name: tocsin-4".to_owned()),
        (own("client_advertise: "), String::new()),
        (own("  advertise: "), String::new()),
        (own("tls/route.pem"), format!("cert_file: {}", path(&certificate))),
        (own("tls/route-key.pem"), format!("key_file: {}", path(&key))),
        (own("  listen: \"localhost:"), "listen: \"127.0.0.1:-1\"".to_owned()),
    ] {
        config = config.replacen(&was, &is, 1);
    }
    config = config.replace(&path(&home.join("nats-server.log")), &path(&thief.join("nats-server.log")));
    config = config.replace(&path(&home.join("nats-server.pid")), &path(&thief.join("nats-server.pid")));
    config = config.replace(&path(&home.join("store")), &path(&thief.join("store")));
    let file = thief.join("nats-server.conf");
    fs::write(&file, config).unwrap();
    let options = ServerOptions {
        binary: server::find().unwrap(),
        store_dir: thief.join("run"),
        config: None,
        port: None,
    };
    let _server = Server::start_with(&options, &file).await.unwrap();
    let log = |home: &std::path::Path| fs::read_to_string(home.join("nats-server.log")).unwrap_or_default();
    until("the servers have turned the body away", async || {
        let refused = cluster.bus.homes().iter().all(|home| log(home).contains("TLS route handshake error"));
        if refused { Ok(()) } else { Err(log(&thief)) }
    })
    .await;
    for home in cluster.bus.homes() {
        assert!(!log(&home).contains("tocsin-4"), "{}", log(&home));
    }
}
