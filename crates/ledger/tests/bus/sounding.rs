//! What is on its way through a cluster as the order is asked for.

use std::{array, fs, net::TcpListener, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tocsin_ledger::{
    Ledger, SAID_SOUNDING, Shape,
    server::{Server, ServerOptions, find, free_port},
};
use tocsin_protocol::{SigningKey, Stream};

use crate::support::{Bus, connect, notice, raw, signed, so_many, subjects, to_the_end, within};

/// Asks until the answer is as it must be, and gives it.
async fn asked(server: &Server, subject: &str, body: Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let client = async_nats::connect(server.url()).await.unwrap();
    within(subject, async {
        loop {
            let payload = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            if let Ok(answer) = client.request(subject.to_owned(), payload.into()).await {
                let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
                if is_so(&answer) {
                    return answer;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

/// What SAID's leader has given out, past the ledger.
async fn depth(server: &Server) -> String {
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Expected-Last-Sequence", i64::MAX.to_string());
    let sounded = client.request_with_headers(SAID_SOUNDING, headers, "".into());
    let refusal: Value = serde_json::from_slice(&within("sounding", sounded).await.unwrap().payload).unwrap();
    refusal["error"]["description"].as_str().unwrap().to_owned()
}

/// Three servers. `TOCSIN_SAID` is on all of them and `TOCSIN_LOG` on that alone which leads it.
struct Cluster {
    servers: Vec<Server>,
    leader: usize,
    ledger: Ledger,
    _stores: Vec<TempDir>,
}

impl Cluster {
    async fn start() -> Self {
        let held: [TcpListener; 6] = array::from_fn(|_| free_port().unwrap());
        let ports = held.map(|listener| listener.local_addr().unwrap().port());
        let (clients, routes) = ports.split_at(3);
        let stores: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let starting = (0..3).map(async |number: usize| {
            let store = stores[number].path();
            let file = store.join("nats-server.conf");
            let peers: Vec<_> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
            let text = format!(
                "server_name: nats-{number}\nlog_file: {}\njetstream {{ store_dir: {}, sync_interval: always }}\n\
                 cluster {{ name: tocsin, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
                json!(store.join("nats-server.log")),
                json!(store.join("store")),
                routes[number],
                peers.join(", ")
            );
            fs::write(&file, text).unwrap();
            let options = ServerOptions {
                binary: find().unwrap(),
                store_dir: store.to_owned(),
                config: None,
                port: Some(clients[number]),
            };
            Server::start_with(&options, &file).await.unwrap()
        });
        let servers = futures_util::future::join_all(starting).await;
        let any = connect(&servers[0]).await;
        within("the streams", async {
            while any.set_up(&Shape::default()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let named = |answer: &Value| {
            let leader = answer["cluster"]["leader"].as_str().unwrap_or_default();
            leader.strip_prefix("nats-").and_then(|number| number.parse::<usize>().ok())
        };
        let info = |stream: Stream| format!("$JS.API.STREAM.INFO.{}", stream.name());
        let log = asked(&servers[0], &info(Stream::Log), Value::Null, |it| named(it).is_some()).await;
        let leader = named(&log).unwrap();
        let said = asked(&servers[0], &info(Stream::Said), Value::Null, |it| it["config"].is_object()).await;
        let mut config = said["config"].clone();
        config["num_replicas"] = 3.into();
        let update = format!("$JS.API.STREAM.UPDATE.{}", Stream::Said.name());
        asked(&servers[0], &update, config, |it| it["error"].is_null()).await;
        let on_all = |it: &Value| {
            let others = it["cluster"]["replicas"].as_array().cloned().unwrap_or_default();
            others.len() == 2 && others.iter().all(|other| other["current"] == true)
        };
        asked(&servers[0], &info(Stream::Said), Value::Null, on_all).await;
        let step_down = format!("$JS.API.STREAM.LEADER.STEPDOWN.{}", Stream::Said.name());
        let preferred = json!({"placement": {"preferred": format!("nats-{leader}")}});
        let is_led = |it: &Value| named(it) == Some(leader);
        if !is_led(&asked(&servers[0], &info(Stream::Said), Value::Null, on_all).await) {
            asked(&servers[0], &step_down, preferred, |it| it["success"] == true).await;
        }
        asked(&servers[0], &info(Stream::Said), Value::Null, |it| on_all(it) && is_led(it)).await;
        let ledger = connect(&servers[leader]).await;
        Self { servers, leader, ledger, _stores: stores }
    }

    fn others(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().enumerate().filter(|(number, _)| *number != self.leader).map(|(_, server)| server)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_stands_before_though_the_servers_agree_on_it_later() {
    let cluster = Cluster::start().await;
    let leading = &cluster.servers[cluster.leader];
    let mut follow = cluster.ledger.follow().await.unwrap().sounding();
    assert!(to_the_end(&mut follow).await.is_empty());
    let client = async_nats::connect(leading.url()).await.unwrap();

    cluster.others().for_each(|server| server.pause().unwrap());
    let (subject, signed, body) = signed(&SigningKey::generate(), "tocsin.receipt.a.x.1.acknowledged", "{}");
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Tocsin-Key", signed.key.as_str());
    headers.insert("Tocsin-Signature", signed.signature.as_str());
    client.publish_with_headers(subject.to_string(), headers, body).await.unwrap();
    client.flush().await.unwrap();
    within("its leader takes it in", async {
        while depth(leading).await != "wrong last sequence: 1" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let close = "tocsin.due.x.1.1";
    let js = raw(leading).await;
    within("the close", js.publish(close, "{}".into()).await.unwrap().into_future()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(1200), so_many(&mut follow, 1)).await;
    cluster.others().for_each(|server| server.resume().unwrap());
    assert!(early.is_err(), "the order is not known yet: {early:?}");

    let all = so_many(&mut follow, 2).await;
    assert_eq!(subjects(&all), ["tocsin.receipt.a.x.1.acknowledged", close]);
    assert!(all.is_sorted_by_key(|entry| entry.time));
}

#[tokio::test]
async fn sounding_stores_nothing_and_gives_what_is_there() {
    let bus = Bus::start().await;
    let key = SigningKey::generate();
    let mut follow = bus.ledger.follow().await.unwrap().sounding();
    for event in 1..=20 {
        let (subject, signed, body) = signed(&key, &format!("tocsin.incident.bt.x.{event}"), "{}");
        bus.ledger.say(&subject, &signed, body).await.unwrap();
        bus.ledger.append(&notice("a", event), None).await.unwrap();
        assert_eq!(so_many(&mut follow, 2).await.len(), 2);
    }
    let touch = bus.ledger.touch(Duration::from_mins(1)).await.unwrap();
    assert_eq!((touch.said_end, touch.log_end), (20, 20));
    assert_eq!(subjects(&to_the_end(&mut bus.ledger.follow().await.unwrap()).await).len(), 40);
}

#[tokio::test]
async fn who_may_not_sound_follows_all_the_same() {
    let key = SigningKey::generate();
    let denied = SAID_SOUNDING;
    let users = format!(
        "authorization {{ users: [{{ nkey: {}, permissions: {{ publish: {{ deny: [\"{denied}\"] }} }} }}] }}",
        key.public()
    );
    let bus = Bus::guarded(users, key.seed().unwrap()).await;
    bus.ledger.set_up(&Shape::default()).await.unwrap();
    bus.ledger.append(&notice("a", 1), None).await.unwrap();
    let mut follow = bus.ledger.follow().await.unwrap().sounding();
    assert_eq!(subjects(&to_the_end(&mut follow).await), ["tocsin.notice.a.x.1"]);
    bus.ledger.append(&notice("a", 2), None).await.unwrap();
    assert_eq!(subjects(&so_many(&mut follow, 1).await), ["tocsin.notice.a.x.2"]);
}
