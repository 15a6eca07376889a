use std::time::Duration;

use async_nats::HeaderMap;
use futures_util::{FutureExt, StreamExt};
use tocsin_ledger::Shape;
use tocsin_protocol::{SigningKey, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bus, connect, fact, notice, signed, so_many, subject, subjects, to_the_end, within};

async fn say(bus: &Bus, subject: &str) {
    let (subject, signature, body) = signed(&SigningKey::generate(), subject, "{}");
    bus.ledger.say(&subject, &signature, body).await.unwrap();
}

#[tokio::test]
async fn empty_streams_are_at_their_end_at_once() {
    let bus = Bus::start().await;
    let mut follow = bus.ledger.follow().await.unwrap();
    assert!(to_the_end(&mut follow).await.is_empty());
    let waited = tokio::time::timeout(Duration::from_millis(300), follow.next()).await;
    assert!(waited.is_err(), "nothing is new, so it waits: {waited:?}");
    say(&bus, "tocsin.incident.bt.x.1").await;
    assert_eq!(subjects(&so_many(&mut follow, 1).await), ["tocsin.incident.bt.x.1"]);
}

#[tokio::test]
async fn who_may_make_no_consumer_tries_once_and_looks_without_from_then_on() {
    let key = SigningKey::generate();
    let users = format!(
        "authorization {{ users: [{{ nkey: {}, permissions: {{ publish: {{ deny: [\"$JS.API.CONSUMER.CREATE.>\"] }} }} }}] }}",
        key.public()
    );
    let bus = Bus::guarded(users, key.seed().unwrap()).await;
    bus.ledger.set_up(&Shape::default()).await.unwrap();
    let mut follow = bus.ledger.follow().await.unwrap();
    for event in 1..=5 {
        bus.ledger.append(&notice("a", event), None).await.unwrap();
        assert_eq!(subjects(&so_many(&mut follow, 1).await), [format!("tocsin.notice.a.x.{event}")]);
    }
    let log = std::fs::read_to_string(bus.store.path().join("nats-server.log")).unwrap();
    assert!((1..=2).contains(&log.matches("Publish Violation").count()), "{log}");
}

#[tokio::test]
async fn both_streams_are_one_sequence_in_the_order_of_the_broker() {
    let bus = Bus::start().await;
    let mut expected = Vec::new();
    for event in 1..=40 {
        let said = format!("tocsin.incident.bt.x.{event}");
        say(&bus, &said).await;
        let dispatch = format!("tocsin.dispatch.bt.x.{event}");
        bus.ledger.append_all(&[fact(&dispatch, "{}"), notice("a", event)], None).await.unwrap();
        expected.extend([said, dispatch, format!("tocsin.notice.a.x.{event}")]);
    }
    for _ in 0..2 {
        let mut follow = bus.ledger.follow().await.unwrap();
        let all = to_the_end(&mut follow).await;
        assert_eq!(subjects(&all), expected);
        assert!(all.is_sorted_by_key(|entry| (entry.time, entry.stream, entry.sequence)));
    }
}

#[tokio::test]
async fn a_replay_and_a_live_reading_give_the_same_order() {
    let bus = Bus::start().await;
    let mut live = bus.ledger.follow().await.unwrap();
    let (saying, appending) = (bus.ledger.clone(), bus.ledger.clone());
    let said = tokio::spawn(async move {
        let key = SigningKey::generate();
        for event in 1..=300 {
            let (subject, signature, body) = signed(&key, &format!("tocsin.incident.bt.x.{event}"), "{}");
            saying.say(&subject, &signature, body).await.unwrap();
        }
    });
    let log = tokio::spawn(async move {
        for event in 1..=300 {
            appending.append(&notice("a", event), None).await.unwrap();
        }
    });
    let live = so_many(&mut live, 600).await;
    within("both writers", async { tokio::try_join!(said, log).unwrap() }).await;
    let replay = to_the_end(&mut bus.ledger.follow().await.unwrap()).await;
    assert_eq!(subjects(&live), subjects(&replay));
}

#[tokio::test]
async fn more_than_is_read_ahead_comes_whole_and_in_order() {
    let bus = Bus::start().await;
    let facts: Vec<_> = (0..12_000).map(|n| notice(&format!("r{n}"), 1)).collect();
    bus.ledger.append_all(&facts, None).await.unwrap();
    say(&bus, "tocsin.incident.bt.x.1").await;
    let all = to_the_end(&mut bus.ledger.follow().await.unwrap()).await;
    assert_eq!(all.len(), 12_001);
    assert_eq!(all.last().unwrap().stream, Stream::Said);
    assert!(all.is_sorted_by_key(|entry| (entry.time, entry.stream, entry.sequence)));
}

#[tokio::test]
async fn following_outlives_the_broker_and_loses_and_repeats_nothing() {
    let mut bus = Bus::start().await;
    let mut follow = bus.ledger.follow().await.unwrap();
    for round in 0..4_u32 {
        for n in 1..=5 {
            say(&bus, &format!("tocsin.incident.bt.x.{}", round * 5 + n)).await;
            bus.ledger.append(&notice("a", round * 5 + n), None).await.unwrap();
        }
        if round % 2 == 0 {
            bus.server.restart().await.unwrap();
        }
        let all = so_many(&mut follow, 10).await;
        assert_eq!(all.len(), 10, "{:?}", subjects(&all));
    }
}

#[tokio::test]
async fn a_broker_that_stands_still_is_waited_for() {
    let bus = Bus::start().await;
    let mut follow = bus.ledger.follow().await.unwrap();
    to_the_end(&mut follow).await;
    bus.server.pause().unwrap();
    let ledger = bus.ledger.clone();
    let appending = tokio::spawn(async move { ledger.append(&notice("a", 1), None).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(3)).await;
    bus.server.resume().unwrap();
    within("the append", appending).await.unwrap();
    assert_eq!(so_many(&mut follow, 1).await.len(), 1);
}

#[tokio::test]
async fn a_log_whose_last_entries_were_purged_is_followed_all_the_same() {
    let bus = Bus::start().await;
    let facts: Vec<_> = (1..=3).map(|event| notice("a", event)).collect();
    bus.ledger.append_all(&facts, None).await.unwrap();
    let log = crate::support::raw(&bus.server).await.get_stream("TOCSIN_LOG").await.unwrap();
    log.purge().filter("tocsin.notice.a.x.3").await.unwrap();
    let mut follow = bus.ledger.follow().await.unwrap();
    assert_eq!(subjects(&to_the_end(&mut follow).await), ["tocsin.notice.a.x.1", "tocsin.notice.a.x.2"]);
    bus.ledger.append(&notice("a", 4), None).await.unwrap();
    assert_eq!(subjects(&so_many(&mut follow, 1).await), ["tocsin.notice.a.x.4"]);
}

/// Says `HPUB` with any header block, as no client library would.
async fn publish_raw(port: u16, subject: &str, headers: &[u8], body: &[u8]) {
    let mut line = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut said = b"CONNECT {\"verbose\":false,\"headers\":true,\"protocol\":1}\r\n".to_vec();
    let (head, all) = (headers.len(), headers.len() + body.len());
    said.extend(format!("HPUB {subject} {head} {all}\r\n").bytes());
    said.extend([headers, body, b"\r\nPING\r\n"].concat());
    line.write_all(&said).await.unwrap();
    let mut answer = Vec::new();
    within("a PONG", async {
        while !answer.windows(4).any(|four| four == b"PONG") {
            let mut chunk = [0; 4096];
            let count = line.read(&mut chunk).await.unwrap();
            assert!(count > 0, "the broker hung up: {}", String::from_utf8_lossy(&answer));
            answer.extend(&chunk[..count]);
        }
    })
    .await;
}

#[tokio::test]
async fn headers_that_no_client_can_read_wedge_nobody() {
    let bus = Bus::start().await;
    let mut live = bus.ledger.follow().await.unwrap();
    let blocks: [&[u8]; 6] = [
        b"NATS/1.0\r\nno colon\r\n\r\n",
        b"NATS/1.0\r\n\xff\xfe: x\r\n\r\n",
        b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
        b"NATS/1.0 404 No Messages\r\nTocsin-Key: U\r\n\r\n",
        b"NATS/1.0\r\n: x\r\n\r\n",
        b"NATS/1.0\r\nTocsin-Key: \xc3\x28\r\n\r\n",
    ];
    let mut stored = 0;
    for (event, block) in (1..).zip(blocks.iter().cycle().take(18)) {
        publish_raw(bus.server.port(), &format!("tocsin.incident.bt.h.{event}"), block, b"{}").await;
        let subject = format!("tocsin.incident.bt.x.{event}");
        say(&bus, &subject).await;
        stored += 1;
    }
    let hostile =
        bus.ledger.entries(Stream::Said, &["tocsin.incident.bt.h.*".to_owned()]).await.unwrap().len();
    assert!(hostile > 0, "the broker stores such headers");
    let all = so_many(&mut live, stored + hostile).await;
    assert_eq!(all.iter().filter(|entry| entry.subject.starts_with("tocsin.incident.bt.x.")).count(), stored);
    let replay = to_the_end(&mut bus.ledger.follow().await.unwrap()).await;
    assert_eq!(subjects(&replay), subjects(&all));
    let few = bus.ledger.entries(Stream::Said, &["tocsin.incident.bt.>".to_owned()]).await.unwrap();
    assert_eq!(few.len(), stored + hostile);
    for event in 1..=blocks.len() {
        let subject = subject(&format!("tocsin.incident.bt.h.{event}"));
        let last = within("reading one by itself", bus.ledger.last(&subject)).await.unwrap();
        assert!(last.is_some_and(|entry| entry.body == "{}"), "{subject}");
    }
}

#[tokio::test]
async fn who_may_make_no_consumer_reads_the_same_in_a_few_requests_whatever_stands_there() {
    let key = SigningKey::generate();
    let config = format!(
        "no_auth_user: all\nauthorization {{ users: [{{ user: all, password: all }}, {{ nkey: {}, permissions: {{ publish: {{ \
         deny: [\"$JS.API.CONSUMER.CREATE.>\"] }} }} }}] }}",
        key.public()
    );
    let bus = Bus::guarded(config, key.seed().unwrap()).await;
    bus.ledger.set_up(&Shape::default()).await.unwrap();
    let facts: Vec<_> = (1..=1300).map(|event| notice("a", event)).collect();
    for some in facts.chunks(100) {
        bus.ledger.append_all(some, None).await.unwrap();
    }
    let jetstream = crate::support::raw(&bus.server).await;
    let log = jetstream.get_stream("TOCSIN_LOG").await.unwrap();
    for gone in [1, 2, 499, 500, 501, 777, 1300] {
        log.purge().filter(format!("tocsin.notice.a.x.{gone}")).await.unwrap();
    }
    for (event, block) in [(3, &b"NATS/1.0\r\nno colon\r\n\r\n"[..]), (90, b"NATS/1.0 204 EOB\r\n\r\n")] {
        for event in event..event + 60 {
            say(&bus, &format!("tocsin.incident.bt.x.{event}")).await;
        }
        publish_raw(bus.server.port(), &format!("tocsin.incident.bt.h.{event}"), block, b"{}").await;
    }
    say(&bus, "tocsin.incident.bt.x.1").await;
    let client = async_nats::connect(bus.server.url()).await.unwrap();
    let mut asked = client.subscribe("$JS.API.STREAM.MSG.GET.TOCSIN_LOG").await.unwrap();
    client.flush().await.unwrap();

    let mut follow = bus.ledger.follow().await.unwrap();
    let read = to_the_end(&mut follow).await;
    assert_eq!(read.len(), 1293 + 123);
    let mut requests = 0;
    client.flush().await.unwrap();
    while asked.next().now_or_never().flatten().is_some() {
        requests += 1;
    }
    // Some dozens follow a stretch of which a slow machine did not hear the end in time.
    assert!(requests < 600, "{requests} requests for 1293 entries");
    let all = connect(&bus.server).await;
    assert_eq!(read, to_the_end(&mut all.follow().await.unwrap()).await);
    for stream in [Stream::Said, Stream::Log] {
        let filter = ["tocsin.>".to_owned()];
        let entries = bus.ledger.entries(stream, &filter).await.unwrap();
        assert_eq!(entries, all.entries(stream, &filter).await.unwrap());
    }
    // What comes afterwards comes too.
    bus.ledger.append(&notice("b", 1), None).await.unwrap();
    assert_eq!(subjects(&so_many(&mut follow, 1).await), ["tocsin.notice.b.x.1"]);
}

#[tokio::test]
async fn headers_that_would_rewrite_the_stream_are_refused_by_it() {
    let bus = Bus::start().await;
    say(&bus, "tocsin.incident.bt.x.1").await;
    let jetstream = crate::support::raw(&bus.server).await;
    let hostile: [&[(&str, &str)]; 5] = [
        &[("Nats-Rollup", "all")],
        &[("Nats-TTL", "1s")],
        &[("Nats-Schedule", "@at 2030-01-01T00:00:00Z"), ("Nats-Schedule-Target", "tocsin.incident.bt.y.1")],
        &[("Nats-Scheduler", "tocsin.incident.bt.x.1"), ("Nats-Schedule-Next", "purge")],
        &[("Nats-Incr", "+1")],
    ];
    for headers in hostile {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        let ack =
            jetstream.publish_with_headers("tocsin.incident.bt.x.2", map, "{}".into()).await.unwrap().await;
        assert!(ack.is_err(), "{headers:?} was taken: {ack:?}");
    }
    let said = bus.ledger.entries(Stream::Said, &["tocsin.>".to_owned()]).await.unwrap();
    assert_eq!(subjects(&said), ["tocsin.incident.bt.x.1"]);
}
