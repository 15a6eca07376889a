//! Routers on a real nats-server: they race, die, are lied to, and the log comes out as it must.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

#[allow(dead_code, reason = "shared with the other tests of routers")]
mod support;

use std::{collections::BTreeSet, time::Instant};

use bytes::Bytes;
use support::{Bus, SOON, event, here};
use tocsin_protocol::{Finding, RefusalCode, SigningKey, Subject, from_body, to_body};

fn finding(entry: &tocsin_protocol::Entry) -> Finding {
    from_body("finding", &entry.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_that_race_write_one_log() {
    let bus = Bus::start(20, 3_000).await;
    let routers = [bus.router().await, bus.router().await, bus.router().await];
    for incident in ["a", "b", "c"] {
        bus.publish(&event(incident, 1, "here")).await;
    }
    for incident in ["a", "b", "c"] {
        bus.fact(&format!("tocsin.dispatch.operator.{incident}.1")).await;
        bus.acknowledge(&here(0), incident, 1).await;
    }
    for incident in ["a", "b", "c"] {
        let found = finding(&bus.fact(&format!("tocsin.finding.{incident}.1.1")).await);
        assert_eq!((found.required, found.acknowledged, found.silent.len()), (20, 1, 19));
        assert!(!found.silent.contains(&here(0).parse().unwrap()));
        bus.fact(&format!("tocsin.escalation.{}.{incident}.1.1", here(19))).await;
    }
    for router in routers {
        router.stop().await;
    }
    let log = bus.log(">").await;
    let subjects: BTreeSet<_> = log.iter().map(|entry| &entry.subject).collect();
    assert_eq!(subjects.len(), log.len(), "no fact twice");
    let count = |kind: &str| log.iter().filter(|e| e.subject.starts_with(&format!("tocsin.{kind}."))).count();
    assert_eq!(
        ["dispatch", "notice", "due", "finding", "escalation", "refusal"].map(count),
        [3, 60, 3, 3, 57, 0]
    );
    assert_eq!(bus.fold().await.follows(), [], "nothing is left owed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_router_left_the_next_one_does() {
    let bus = Bus::start(5, 2_000).await;
    let router = bus.router().await;
    bus.publish(&event("a", 1, "here")).await;
    bus.fact("tocsin.dispatch.operator.a.1").await;
    router.kill().await;
    // The broker closes the window, and somebody has answered by then; something new is said as well.
    bus.acknowledge(&here(1), "a", 1).await;
    bus.fact("tocsin.due.a.1.1").await;
    bus.acknowledge(&here(2), "a", 1).await;
    bus.publish(&event("b", 1, "there")).await;
    let forged = event("c", 1, "here");
    let forged = bus.say(&forged.subject(), &bus.local, to_body("event", &forged).unwrap()).await;

    let router = bus.router().await;
    let found = finding(&bus.fact("tocsin.finding.a.1.1").await);
    assert_eq!((found.required, found.acknowledged, found.silent.len()), (5, 1, 4));
    bus.fact("tocsin.dispatch.operator.b.1").await;
    assert_eq!(bus.refusal(forged).await.code, RefusalCode::BadSignature);
    router.stop().await;

    // The third one trusts what the second judged, and goes on from there.
    let through = bus.log("tocsin.dispatch.>").await.iter().filter_map(|e| e.said_through).max();
    assert!(through.is_some_and(|through| through >= 4), "{through:?}");
    let router = bus.router().await;
    bus.publish(&event("a", 2, "here")).await;
    bus.fact("tocsin.dispatch.operator.a.2").await;
    router.stop().await;
    assert_eq!(bus.fold().await.follows(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_count_is_refused_and_holds_nothing_up() {
    let bus = Bus::start(2, 600_000).await;
    let router = bus.router().await;
    let stranger = SigningKey::generate();
    let body = |event| to_body("event", event).unwrap();
    let mut elsewhere = event("l", 1, "here");
    elsewhere.publisher = "local".parse().unwrap();
    let mut unknown = event("u", 1, "here");
    unknown.publisher = "nobody".parse().unwrap();
    let first = event("a", 1, "here");

    let cases = [
        (unknown.subject(), &stranger, body(&unknown), RefusalCode::UnknownPublisher),
        (first.subject(), &stranger, body(&first), RefusalCode::BadSignature),
        (first.subject(), &bus.operator, Bytes::from_static(b"{\"incident\": 7}"), RefusalCode::BadSchema),
        (first.subject(), &bus.operator, Bytes::from_static(b"\xff\xfe\0not JSON"), RefusalCode::BadSchema),
        (
            event("a", 4, "here").subject(),
            &bus.operator,
            body(&event("a", 4, "here")),
            RefusalCode::WrongSequence,
        ),
        (elsewhere.subject(), &bus.local, body(&elsewhere), RefusalCode::AreaNotAllowed),
        (
            event("a", 1, "nowhere").subject(),
            &bus.operator,
            body(&event("a", 1, "nowhere")),
            RefusalCode::UnknownArea,
        ),
    ];
    for (subject, key, body, code) in cases {
        let said = bus.say(&subject, key, body).await;
        assert_eq!(bus.refusal(said).await.code, code, "{subject}");
    }
    // The first valid one on the subject counts, whatever was put there before.
    bus.publish(&first).await;
    bus.fact("tocsin.dispatch.operator.a.1").await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_wedge_nobody() {
    let bus = Bus::start(2, 600_000).await;
    let router = bus.router().await;
    let raw = async_nats::connect(bus.server.url()).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Tocsin-Key", "U".repeat(5_000).as_str());
    headers.append("Tocsin-Key", "x");
    headers.insert("Tocsin-Signature", "=");
    headers.insert("Tocsin-Said-Through", "18446744073709551615");
    let subjects = [
        "tocsin.incident.operator.a.1",
        "tocsin.incident.operator.a.4294967296",
        "tocsin.incident.\u{202e}.*x.1",
        "tocsin.incident.x",
        "tocsin.receipt.there.a.1.acknowledged",
        "tocsin.receipt.a.b.c.d.e.f.g.h.i.j.k",
        "tocsin.receipt.>x.y",
    ];
    let bodies = [&b""[..], b"\0\0\0", b"{\"a\":{\"a\":{\"a\":[[[[[[[[", &[0xff; 3_000]];
    for subject in subjects {
        for body in bodies {
            raw.publish_with_headers(subject, headers.clone(), Bytes::copy_from_slice(body)).await.unwrap();
        }
    }
    // What is flushed is with the broker, and not yet in the stream; what is acknowledged is, and all before it.
    let jetstream = async_nats::jetstream::new(raw);
    jetstream.publish("tocsin.incident.operator.last.1", Bytes::new()).await.unwrap().await.unwrap();
    let said = bus.publish(&event("a", 1, "here")).await;
    bus.fact("tocsin.dispatch.operator.a.1").await;
    bus.refusal(1).await;
    bus.refusal(said - 1).await;
    assert_eq!(bus.log("tocsin.refusal.>").await.len(), usize::try_from(said).unwrap() - 1);
    router.stop().await;
    // Nor is the next router taken in by a stamp that a stranger wrote.
    let router = bus.router().await;
    bus.publish(&event("b", 1, "there")).await;
    bus.fact("tocsin.dispatch.operator.b.1").await;
    router.stop().await;
    assert_eq!(bus.fold().await.follows(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_what_is_refused_delays_no_dispatch_for_long_and_ends_refused() {
    const JUNK: usize = 6_000;
    let bus = Bus::start(2, 600_000).await;
    let router = bus.router().await;
    let raw = async_nats::connect(bus.server.url()).await.unwrap();
    for n in 0..JUNK {
        raw.publish(format!("tocsin.incident.operator.junk-{n}.1"), Bytes::from_static(b"{}")).await.unwrap();
    }
    bus.publish(&event("a", 1, "here")).await;
    bus.fact("tocsin.dispatch.operator.a.1").await;
    raw.flush().await.unwrap();
    // What is flushed is with the broker, and not yet in the stream; what is acknowledged is.
    let jetstream = async_nats::jetstream::new(raw);
    let last = jetstream.publish("tocsin.incident.operator.last.1", Bytes::new()).await.unwrap();
    bus.refusal(last.await.unwrap().sequence).await;
    router.stop().await;
    assert_eq!(bus.log("tocsin.refusal.>").await.len(), JUNK + 1);
    assert!(bus.fold().await.follows().is_empty(), "every one is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_that_the_broker_does_not_take_holds_up_no_other_and_is_written_when_it_does() {
    let mut bus = Bus::start(300, 600_000).await;
    // The record of 300 long names is beyond 16 KB.
    bus.serve_anew(Some("16KB")).await;
    let router = bus.router().await;
    bus.publish(&event("large", 1, "here")).await;
    bus.publish(&event("small", 1, "there")).await;
    bus.fact("tocsin.dispatch.operator.small.1").await;
    assert_eq!(bus.log("tocsin.notice.*.large.1").await.len(), 0, "a dispatch is whole or not at all");
    bus.publish(&event("small", 2, "there")).await;
    bus.fact("tocsin.dispatch.operator.small.2").await;
    router.stop().await;
    bus.serve_anew(None).await;
    let router = bus.router().await;
    bus.fact("tocsin.dispatch.operator.large.1").await;
    router.stop().await;
    assert_eq!(bus.log("tocsin.notice.*.large.1").await.len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_can_take_their_notices_without_anybody_else_doing_anything() {
    let bus = Bus::start(2, 600_000).await;
    let router = bus.router().await;
    bus.publish(&event("a", 1, "there")).await;
    bus.fact("tocsin.dispatch.operator.a.1").await;
    let until = Instant::now() + SOON;
    let mut notices = loop {
        match bus.ledger.notices(&"there".parse().unwrap()).await {
            Ok(notices) => break notices,
            Err(why) => assert!(Instant::now() < until, "{why}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let held = notices.next().await.unwrap();
    let subject: Subject = held.entry.subject.parse().unwrap();
    assert_eq!(subject.to_string(), "tocsin.notice.there.a.1");
    router.stop().await;
}

#[tokio::test]
async fn a_router_without_streams_says_who_makes_them() {
    let store = tempfile::tempdir().unwrap();
    let options = tocsin_ledger::server::ServerOptions {
        binary: tocsin_ledger::server::find().unwrap(),
        store_dir: store.path().to_owned(),
        config: None,
        port: None,
    };
    let server = tocsin_ledger::server::Server::start(&options).await.unwrap();
    let ledger = tocsin_ledger::Ledger::connect(&tocsin_ledger::Connection::to(&server.url())).await.unwrap();
    let error = tocsin_router::Router::new(ledger).run(std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("tocsin setup"), "{error}");
}

/// Waits until a router has read the log so far, whatever it does about it.
async fn has_read(bus: &Bus, progress: &tocsin_ledger::Progress) {
    let (said, log) = (bus.fold().await.said_through(), bus.fold().await.log_through());
    let until = Instant::now() + SOON;
    while !progress.has_read(said, log) {
        assert!(Instant::now() < until, "the router does not read on");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_trusts_a_key_writes_under_it_and_nothing_on_a_record_that_another_has_begun() {
    let (ours, thiefs) = (SigningKey::generate(), SigningKey::generate());
    let naming = |bus: &Bus, key: &SigningKey| {
        let directory_key = Some(key.public());
        tocsin_protocol::DirectoryDocument { directory_key, ..bus.directory() }
    };
    let written = async |bus: &Bus| -> Vec<String> {
        let log = bus.log(">").await;
        log.into_iter().map(|entry| entry.subject).filter(|on| !on.starts_with("tocsin.directory.")).collect()
    };
    let mut bus = Bus::start(2, 60_000).await;
    bus.begin_record().await;

    // It waits for a first directory, and writes nothing before one is in force under its key: not even a refusal.
    let (router, progress) = bus.router_trusting(&ours).await;
    progress.until_ready().await;
    let early = bus.publish(&event("early", 1, "here")).await;
    has_read(&bus, &progress).await;
    // The thief's names its own key, and so vouches for itself.
    bus.proclaim(1, &naming(&bus, &thiefs), Some(&thiefs)).await;
    bus.publish(&event("theirs", 1, "here")).await;
    // That the thief names ours makes it none of ours.
    bus.proclaim(2, &naming(&bus, &ours), Some(&thiefs)).await;
    bus.publish(&event("theirs", 2, "here")).await;
    has_read(&bus, &progress).await;
    router.stop().await;
    assert_eq!(written(&bus).await, [""; 0], "without a directory, and on the thief's record");

    // Started anew there it is not ready, and writes no more.
    let (router, progress) = bus.router_trusting(&ours).await;
    has_read(&bus, &progress).await;
    let ready = tokio::time::timeout(std::time::Duration::ZERO, progress.until_ready()).await;
    assert!(ready.is_err(), "it does not do what it is there for");
    router.stop().await;
    assert_eq!(written(&bus).await, [""; 0], "on the thief's record");

    // It stops no other, which was told nothing of the key; and works as soon as ours is in force, for what is said since.
    let (router, progress) = bus.router_trusting(&ours).await;
    has_read(&bus, &progress).await;
    let other = bus.router().await;
    bus.fact("tocsin.dispatch.operator.theirs.2").await;
    assert_eq!(bus.refusal(early).await.code, RefusalCode::NoDirectory);
    other.stop().await;
    bus.publish(&event("before", 1, "here")).await;
    bus.proclaim(3, &naming(&bus, &ours), Some(&ours)).await;
    bus.publish(&event("since", 1, "here")).await;
    bus.fact("tocsin.dispatch.operator.since.1").await;
    progress.until_ready().await;
    router.stop().await;
    assert!(bus.log("tocsin.dispatch.operator.before.*").await.is_empty(), "the thief's word at that time");
}
