//! What people and programs say who do not mean well, or not well enough.

use async_nats::HeaderMap;
use tocsin_protocol::{
    AreaScope, Event, EventKind, NewFact, ReceiptStage, Refusal, RefusalCode, SigningKey, Stream, Subject,
    to_body,
};
use tocsin_tests::{
    Cast, Manner, PUBLISHER, Stranger, World, checker::Standing, event, receipt, seconds, signed_headers,
    until,
};

fn hasty() -> Cast {
    Cast::new(&[seconds(1.0), seconds(2.0)])
}

fn calm() -> Cast {
    Cast::new(&[seconds(4.0), seconds(5.0)])
}

async fn refused(world: &World, sequence: u64) -> RefusalCode {
    let entry = world.ledger.read(Stream::Said, sequence).await.unwrap().unwrap();
    world.fact::<Refusal>(&Subject::refusal(&entry.subject, sequence).to_string()).await.code
}

/// Says an event under its own subject, signed with this key.
async fn said_with(world: &World, key: &SigningKey, event: &Event) -> u64 {
    let body = to_body("event", event).unwrap();
    let signed = key.sign(&event.subject().to_string(), &body).unwrap();
    world.ledger.say(&event.subject(), &signed, body).await.unwrap().position().sequence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_publisher_is_refused_and_who_is_one_is_heard_all_the_same() {
    let world = World::start(calm().required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let stranger = SigningKey::generate();
    let mut unknown = event("fire", 1, EventKind::Initial);
    unknown.publisher = "mallory".parse().unwrap();
    let unknown = said_with(&world, &stranger, &unknown).await;
    // Under a true publisher's name, with a key that is not its own; and by a recipient.
    let posing = said_with(&world, &stranger, &event("fire", 1, EventKind::Initial)).await;
    let recipient = said_with(&world, &world.cast.key("a"), &event("fire", 1, EventKind::Initial)).await;
    // A true publisher, of an area that is not its to speak of, and of one that is.
    let mut beyond = event("flood", 1, EventKind::Initial);
    beyond.publisher = "control-room".parse().unwrap();
    let beyond = said_with(&world, &world.cast.key("control-room"), &beyond).await;
    let mut within = event("flood", 1, EventKind::Initial);
    within.publisher = "control-room".parse().unwrap();
    within.areas = vec!["north".parse().unwrap()];
    said_with(&world, &world.cast.key("control-room"), &within).await;
    // And somebody else's incident.
    let mut anothers = event("flood", 2, EventKind::Cancelled);
    anothers.areas = vec!["north".parse().unwrap()];
    let anothers = said_with(&world, &world.cast.key(PUBLISHER), &anothers).await;
    world.publish(&event("fire", 1, EventKind::Initial)).await;
    world.acknowledge("a", "fire", 1).await;

    assert_eq!(refused(&world, unknown).await, RefusalCode::UnknownPublisher);
    assert_eq!(refused(&world, posing).await, RefusalCode::BadSignature);
    assert_eq!(refused(&world, recipient).await, RefusalCode::BadSignature);
    assert_eq!(refused(&world, beyond).await, RefusalCode::AreaNotAllowed);
    assert_eq!(refused(&world, anothers).await, RefusalCode::AnothersIncident);
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("fire", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("flood", 1, "a"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.count("tocsin.refusal."), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_receipt_is_refused_its_victim_is_escalated_and_its_own_word_still_counts() {
    let world = World::start(Cast::new(&[seconds(2.0), seconds(8.0)]).required(&["a", "b", "c"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.b.x.1").await;
    let forged = receipt("b", "x", 1, ReceiptStage::Acknowledged);
    let (subject, body) = (forged.subject(), to_body("receipt", &forged).unwrap());
    let mut attempts = Vec::new();
    // A signs B's words under B's subject, with A's key and with B's key beside A's signature.
    attempts.push(world.say_as("a", &subject, body.to_vec()).await.sequence);
    let mut posing = world.sign_as("a", &subject, &body);
    posing.key = world.cast.key("b").public();
    attempts.push(world.ledger.say(&subject, &posing, body.clone()).await.unwrap().position().sequence);
    // A's own true words under B's subject.
    let own = receipt("a", "x", 1, ReceiptStage::Acknowledged);
    let own_body = to_body("receipt", &own).unwrap();
    attempts.push(world.say_as("a", &subject, own_body.to_vec()).await.sequence);
    // B's true word about another event, taken to this one.
    let elsewhere = receipt("b", "y", 1, ReceiptStage::Acknowledged);
    let taken = world.sign_as("b", &elsewhere.subject(), &to_body("receipt", &elsewhere).unwrap());
    attempts.push(world.ledger.say(&subject, &taken, body.clone()).await.unwrap().position().sequence);
    // Nobody's, and the broker's own answer put there by a reply subject.
    let stranger = world.stranger().await;
    attempts.push(stranger.store(&subject.to_string(), None, body.clone()).await.unwrap());
    let client = stranger.client();
    let stored = world.acknowledge("a", "x", 1).await;
    client
        .publish_with_reply("tocsin.receipt.a.x.1.delivered", subject.to_string(), "{}".into())
        .await
        .unwrap();
    stranger.flush().await;
    until("the broker's answer stands under B's subject", async || {
        let entries = world.evidence().await.said;
        let there = entries.iter().any(|e| e.sequence > stored.sequence && e.subject == subject.to_string());
        if there { Ok(()) } else { Err(format!("{} entries", entries.len())) }
    })
    .await;
    for attempt in attempts {
        assert_eq!(refused(&world, attempt).await, RefusalCode::BadSignature);
    }

    // B is still written to; then B itself acknowledges, and that counts.
    world.entry("tocsin.attempt.b.x.1.1.1.ended").await;
    world.acknowledge("b", "x", 1).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "b"), (Standing::Late, vec![1]));
    assert_eq!(end.stood("x", 1, "c"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.count("tocsin.refusal."), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_owed_an_event_or_speaks_too_early_is_refused() {
    let mut cast = calm().required(&["a"]).informed(&["u"]);
    cast = cast.publisher("elsewhere", AreaScope::All);
    let world = World::start(cast).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let early = world.acknowledge("a", "x", 1).await;
    assert_eq!(refused(&world, early.sequence).await, RefusalCode::UnknownEvent);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    // The same person again, now that there is something to acknowledge.
    world.acknowledge("a", "x", 1).await;
    let mut beside = event("x", 3, EventKind::Update);
    let gap = said_with(&world, &world.cast.key(PUBLISHER), &beside).await;
    assert_eq!(refused(&world, gap).await, RefusalCode::WrongSequence);
    beside.sequence = "2".parse().unwrap();
    world.publish(&beside).await;
    beside.headline = "Something else".to_owned();
    let again = said_with(&world, &world.cast.key(PUBLISHER), &beside).await;
    assert_eq!(refused(&world, again).await, RefusalCode::AlreadySaid);
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_would_delete_or_forge_are_refused_at_the_door() {
    let world = World::start(hasty().required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.b.x.1").await;
    let stranger = world.stranger().await;
    let before = world.evidence().await.said.len();
    let doors = [
        "tocsin.receipt.a.x.1.delivered",
        "tocsin.receipt.b.x.1.acknowledged",
        "tocsin.incident.operator.x.1",
    ];
    for subject in doors {
        for header in [
            &[("Nats-Rollup", "all")][..],
            &[("Nats-Rollup", "sub")],
            &[("Nats-TTL", "1s")],
            &[("Nats-Schedule", "@at 2030-01-01T00:00:00Z"), ("Nats-Schedule-Target", subject)],
            &[("Nats-Schedule", "@every 1s"), ("Nats-Schedule-Target", "tocsin.due.x.1.1")],
            &[("Nats-Scheduler", "tocsin.window.x.1.1"), ("Nats-Schedule-Next", "purge")],
            &[("Nats-Incr", "1")],
            &[("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "1")],
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in header {
                headers.insert(*name, *value);
            }
            let answer = stranger.store(subject, Some(headers), "{}").await;
            assert!(answer.is_err(), "{subject} {header:?} was stored as {answer:?}");
        }
        let much = stranger.store(subject, None, vec![b'x'; 70_000]).await;
        assert!(much.is_err(), "a giant was stored as {much:?}");
    }
    assert_eq!(world.evidence().await.said.len(), before);
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "b"), (Standing::Silent, vec![1, 2]));
}

/// Bodies, headers and subjects that no honest client sends, on every subject that a client may write.
async fn rubbish(world: &World, stranger: &Stranger, incident: &str) -> usize {
    let subjects = [
        format!("tocsin.incident.{PUBLISHER}.{incident}.1"),
        format!("tocsin.incident.{PUBLISHER}.{incident}.2"),
        format!("tocsin.incident.control-room.{incident}.1"),
        format!("tocsin.incident.nobody.{incident}.1"),
        format!("tocsin.incident.{PUBLISHER}.{incident}.0"),
        format!("tocsin.incident.{PUBLISHER}.{incident}.99999999999999999999"),
        format!("tocsin.incident.{PUBLISHER}.{}.1", "i".repeat(500)),
        "tocsin.incident.\u{1f514}.\u{202e}.1".to_owned(),
        format!("tocsin.receipt.a.{incident}.1.acknowledged"),
        format!("tocsin.receipt.a.{incident}.1.delivered"),
        format!("tocsin.receipt.a.{incident}.1.seen"),
        format!("tocsin.receipt.nobody.{incident}.1.delivered"),
        format!("tocsin.receipt.a.{incident}.4294967295.acknowledged"),
        format!("tocsin.receipt.a.{incident}.4294967296.acknowledged"),
        format!("tocsin.report.a.{incident}"),
        "tocsin.report.nobody.x".to_owned(),
        format!("tocsin.link.{PUBLISHER}.{incident}"),
        format!("tocsin.link.{PUBLISHER}.{}", "l".repeat(500)),
    ];
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let object = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let bodies: [Vec<u8>; 12] = [
        Vec::new(),
        b"\0".to_vec(),
        (0..=255).collect(),
        b"\xff\xfe\xfd".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"{\"incident\":1e999999}".to_vec(),
        deep.into_bytes(),
        object.into_bytes(),
        vec![b' '; 49_000],
        vec![b'9'; 49_000],
        format!("{{\"incident\":\"{}\"}}", "\\u0000".repeat(8000)).into_bytes(),
    ];
    let mut stored = 0;
    let key = world.cast.key(PUBLISHER);
    for subject in &subjects {
        for body in &bodies {
            let mut headers = HeaderMap::new();
            match stored % 4 {
                // Truly signed, so that the body itself is looked into.
                0 | 1 => headers = signed_headers(&key.sign(subject, body).unwrap()),
                2 => {
                    headers.insert("Tocsin-Key", "x".repeat(4000).as_str());
                    headers.insert("Tocsin-Signature", "\u{1f514}");
                    headers.insert("Tocsin-Said-Through", "18446744073709551615");
                }
                _ => {}
            }
            stranger.store(subject, Some(headers), body.clone()).await.unwrap();
            stored += 1;
        }
    }
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_on_every_subject_is_refused_and_holds_nobody_up() {
    let world = World::start(Cast::new(&[seconds(8.0), seconds(9.0)]).required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let desk = world.desk("a", Manner::Acknowledges).await;
    let stranger = world.stranger().await;
    let mut stored = rubbish(&world, &stranger, "x").await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    stored += rubbish(&world, &stranger, "x").await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.count("tocsin.refusal."), stored);
    assert_eq!(end.stood("x", 1, "b"), (Standing::Silent, vec![1, 2]));
    assert!(end.row("x", 1, "a").acknowledged_at.is_some());
    assert_eq!(desk.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_facts_of_junk_do_not_stop_an_incident() {
    let world = World::start(Cast::new(&[seconds(5.0), seconds(6.0)]).required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let stranger = world.stranger().await;
    let shout = async |from: u32| {
        for number in from..from + 5_000 {
            let subject = match number % 3 {
                0 => format!("tocsin.receipt.b.x.{}.acknowledged", 1 + number % 7),
                1 => format!("tocsin.incident.{PUBLISHER}.junk-{number}.1"),
                _ => format!("tocsin.receipt.r{number}.x.1.delivered"),
            };
            stranger.shout(&subject, None, format!("{{\"junk\":{number}}}")).await;
        }
        stranger.flush().await;
    };
    shout(0).await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.acknowledge("a", "x", 1).await;
    shout(5_000).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "b"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.count("tocsin.refusal."), 10_000);
    world.owes_nothing().await;
}

/// Stores a message with a header block that the client library would not send: straight over the socket.
async fn store_raw(world: &World, subject: &[u8], headers: &[u8], body: &[u8]) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", world.server.port())).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut said = b"CONNECT {\"headers\":true,\"verbose\":false,\"pedantic\":false}\r\nHPUB ".to_vec();
    said.extend_from_slice(subject);
    said.extend_from_slice(format!(" {} {}\r\n", headers.len(), headers.len() + body.len()).as_bytes());
    said.extend_from_slice(headers);
    said.extend_from_slice(body);
    said.extend_from_slice(b"\r\nPING\r\n");
    stream.write_all(&said).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "the server closed the line");
        assert!(!line.starts_with("-ERR"), "{line}");
    }
}

/// Header blocks that are none, or not the client library's idea of one.
const UNREADABLE: [&[u8]; 8] = [
    b"NATS/1.0\r\nNo Colon\r\n\r\n",
    b"NATS/1.0\r\nBad Name\xff: x\r\n\r\n",
    b"NATS/1.0\r\n: nameless\r\n\r\n",
    b"NATS/1.0\r\nTocsin-Key: \xff\xfe\r\n\r\n",
    b"NATS/1.0 404 No Messages\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_no_client_can_read_end_nobodys_work() {
    let world = World::start(Cast::new(&[seconds(6.0), seconds(7.0)]).required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    for headers in UNREADABLE {
        store_raw(&world, b"tocsin.receipt.b.x.1.delivered", headers, b"{}").await;
    }
    store_raw(&world, b"tocsin.receipt.b.x.\xff\xfe.delivered", UNREADABLE[0], b"{}").await;
    store_raw(&world, b"tocsin.receipt.b.x.\xff\xfe.delivered", b"NATS/1.0\r\n\r\n", b"{}").await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    // Under the very subjects on which a desk is about to speak.
    for headers in UNREADABLE {
        store_raw(&world, b"tocsin.receipt.a.x.1.delivered", headers, b"{}").await;
        store_raw(&world, b"tocsin.receipt.a.x.1.acknowledged", headers, b"{}").await;
    }
    let _desk = world.desk("a", Manner::Acknowledges).await;
    until("a's word is on the bus", async || {
        let said = world.evidence().await.said;
        let own =
            |e: &&tocsin_protocol::Entry| e.subject == "tocsin.receipt.a.x.1.acknowledged" && e.body != "{}";
        said.iter().find(own).map(drop).ok_or_else(|| format!("{} entries", said.len()))
    })
    .await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert!(end.row("x", 1, "a").acknowledged_at.is_some());
    assert!(end.row("x", 1, "a").delivered_at.is_some());
    assert_eq!(end.stood("x", 1, "b"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.count("tocsin.refusal."), UNREADABLE.len() * 3 + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_before_a_directory_is_in_force_is_refused_and_may_be_said_again() {
    let world = World::empty(calm().required(&["a"]), [tocsin_notifier::sink::SinkOptions::default()]).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let first = said_with(&world, &world.cast.key(PUBLISHER), &event("x", 1, EventKind::Initial)).await;
    assert_eq!(refused(&world, first).await, RefusalCode::NoDirectory);
    world.apply().await;
    let mut again = event("x", 1, EventKind::Initial);
    again.headline = "Said again".to_owned();
    said_with(&world, &world.cast.key(PUBLISHER), &again).await;
    world.acknowledge("a", "x", 1).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_cannot_be_used_changes_nothing() {
    let world = World::start(hasty().required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    // Only a stolen service key can write there; whatever it writes, the directory in force stays so.
    let bodies = [(2, &b"{"[..]), (3, b"{\"name\":7,\"time_zone\":\"UTC\"}"), (9, b"\xff")];
    for (version, body) in bodies {
        let fact =
            NewFact { subject: Subject::Directory { version }, body: body.to_vec().into(), schedule: None };
        world.ledger.append(&fact, None).await.unwrap();
    }
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.attempt.a.x.1.2.1.ended").await;
    let dispatch: tocsin_protocol::Dispatch = world.fact("tocsin.dispatch.operator.x.1").await;
    assert_eq!(dispatch.directory, 1);
    router.stop().await;
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_without_its_keys_signature_changes_nothing_and_the_next_with_it_is_in_force() {
    let world = World::start(calm().required(&["a"]).directory_signed()).await;
    let router = world.router_here().await;
    let under = async |incident: &str| {
        world.publish(&event(incident, 1, EventKind::Initial)).await;
        let dispatch: tocsin_protocol::Dispatch =
            world.fact(&format!("tocsin.dispatch.operator.{incident}.1")).await;
        assert_eq!(dispatch.recipients().len(), 1, "{incident}: a is told");
        dispatch.directory
    };
    assert_eq!(under("before").await, 1);

    // Whoever has stolen the administrator's login: in the thief's directory nobody is told, and the thief speaks for all.
    let (key, thief, next) =
        (world.cast.key(tocsin_tests::DIRECTORY), SigningKey::generate(), SigningKey::generate());
    let ours = world.cast.document.clone();
    let mut theirs = ours.clone();
    theirs.recipients.clear();
    theirs.policies.clear();
    world.put_in_force(2, &theirs, None).await;
    theirs.directory_key = Some(thief.public());
    world.put_in_force(3, &theirs, Some(&thief)).await;
    assert_eq!(under("stolen").await, 1);

    // The administrator goes on with the next number, and gives the directory another key.
    let mut rotated = ours.clone();
    rotated.directory_key = Some(next.public());
    world.put_in_force(4, &rotated, Some(&key)).await;
    assert_eq!(under("rotated").await, 4);
    world.put_in_force(5, &ours, Some(&key)).await;
    assert_eq!(under("old-key").await, 4);
    world.put_in_force(6, &rotated, Some(&next)).await;
    assert_eq!(under("new-key").await, 6);

    // A router that starts now, and an auditor who believes nothing, come to the same.
    router.stop().await;
    let router = world.router_here().await;
    assert_eq!(under("anew").await, 6);
    router.stop().await;
    let incident = "anew".parse().unwrap();
    let audit = tocsin_audit::read(&world.ledger, Some(&incident)).await.unwrap();
    let report = audit.report(&incident, tocsin_audit::Request::default()).unwrap();
    let told: Vec<_> = report
        .provenance
        .directories
        .iter()
        .map(|read| (read.subject.as_str(), read.signed_by.clone(), read.not_in_force.is_some()))
        .collect();
    let (key, next) = (Some(key.public()), Some(next.public()));
    assert_eq!(
        told,
        [
            ("tocsin.directory.1", key.clone(), false),
            ("tocsin.directory.2", None, true),
            ("tocsin.directory.3", None, true),
            ("tocsin.directory.4", key, false),
            ("tocsin.directory.5", None, true),
            ("tocsin.directory.6", next, false),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_guarded_bus_all_works_and_no_body_can_write_to_the_log_or_in_anothers_name() {
    let cast = Cast::new(&[seconds(4.0), seconds(5.0)]).required(&["police-north", "b", "silent"]);
    let world = World::guarded(cast).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let desks = [
        world.desk("police-north", Manner::Acknowledges).await,
        world.desk("b", Manner::Acknowledges).await,
        world.desk("silent", Manner::Silent).await,
    ];

    // Before anything has happened, b tries to take the places of what is to come: by its own word, by the broker's
    // answer to it, and by an answer that holds bytes of its choosing.
    let (b, own) = (world.stranger_as("b").await, "tocsin.receipt.b.x.1.delivered");
    let early = receipt("b", "x", 1, ReceiptStage::Delivered);
    let signed = world.sign_as("b", &early.subject(), &to_body("receipt", &early).unwrap());
    let headers = signed_headers(&signed);
    b.store(own, Some(headers), to_body("receipt", &early).unwrap()).await.unwrap();
    let wanted = [
        "tocsin.directory.2",
        "tocsin.dispatch.operator.x.1",
        "tocsin.notice.police-north.x.1",
        "tocsin.window.x.1.1",
        "tocsin.due.x.1.1",
        "tocsin.finding.x.1.1",
        "tocsin.escalation.silent.x.1.1",
        "tocsin.attempt.silent.x.1.1.1.begun",
        "tocsin.refusal.b.1",
        "tocsin.receipt.police-north.x.1.acknowledged",
        "tocsin.incident.operator.x.1",
    ];
    let answered = [
        (own, "{}"),
        ("$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.receipt.b.x.1.delivered", ""),
        ("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.b.1", ""),
        ("$JS.API.CONSUMER.INFO.TOCSIN_LOG.desk_b", ""),
        ("$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_b", "{\"batch\":1,\"no_wait\":true}"),
        // And what it has no right to at all.
        ("$JS.API.STREAM.MSG.GET.TOCSIN_SAID", "{\"seq\":1}"),
        ("$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_silent", "{\"batch\":1}"),
        ("$JS.API.STREAM.PURGE.TOCSIN_LOG", ""),
        ("$JS.API.STREAM.DELETE.TOCSIN_SAID", ""),
    ];
    let mut shouted = 0;
    for subject in wanted {
        b.shout(subject, None, "{}").await;
        for (request, body) in answered {
            b.client().publish_with_reply(request, subject, body.into()).await.unwrap();
            shouted += usize::from(request == own);
        }
    }
    b.flush().await;
    until("all that b may say is on the bus", async || {
        let said = world.evidence().await.said.len();
        if said == shouted + 1 { Ok(()) } else { Err(format!("{said} facts were said")) }
    })
    .await;
    assert_eq!(world.evidence().await.log.iter().filter(|e| !e.subject.contains("refusal")).count(), 1);

    world.publish(&event("x", 1, EventKind::Initial)).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "police-north"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "b"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "silent"), (Standing::Silent, vec![1, 2]));
    assert!(desks.iter().all(|desk| desk.seen().len() == 1));
    assert!(end.evidence.said.iter().take(shouted + 1).all(|entry| entry.subject == own));
}
