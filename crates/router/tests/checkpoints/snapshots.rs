//! Snapshots of the fold on a real nats-server: one that can be believed comes to what reading everything comes to, and
//! in any doubt everything is read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tocsin_duty::{Fold, Trust};
use tocsin_ledger::{Backup, Found, Ledger, SNAPSHOTS, Shape};
use tocsin_protocol::{
    Checkpoint, Cut, Entry, KEY_HEADER, NewFact, SIGNATURE_HEADER, Signed, SignedCheckpoint, SigningKey,
    Snapshot, Stream, Subject, to_body,
};

use super::{assert_true, stated, vouched_for};
use crate::support::{Bus, SOON, event, here};

fn read(snapshot: &Snapshot, bytes: &[u8], directories: &[Entry]) -> Result<Fold, tocsin_protocol::Error> {
    Fold::begun(snapshot, bytes, directories, Trust::default())
}

async fn find(ledger: &Ledger) -> Found<Fold> {
    ledger.find_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await
}

/// What a start comes to: from the snapshot, where one can be believed, and what came since; else from everything.
async fn begun(ledger: &Ledger) -> Fold {
    let (state, mut follow) =
        ledger.follow_from_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await.unwrap();
    let mut fold = state.map_or_else(Fold::new, |(fold, _)| fold);
    loop {
        let read = follow.next().await.unwrap();
        read.entries.iter().for_each(|entry| _ = fold.apply(entry));
        if read.caught_up {
            return fold;
        }
    }
}

/// Waits until one is kept that is of more entries than these.
async fn kept(bus: &Bus, entries: u64) -> Snapshot {
    let until = Instant::now() + SOON;
    loop {
        let found = find(&bus.ledger).await;
        match found.state {
            Some((_, snapshot)) if snapshot.entries() > entries => return snapshot,
            _ => assert!(Instant::now() < until, "no snapshot is kept: {:?}", found.doubts),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Keeps one of what the newest checkpoint states, as a router does, but at a moment of the test's choosing.
async fn keep(bus: &Bus) -> Snapshot {
    let newest = bus.ledger.newest(Stream::Log, "tocsin.checkpoint.*").await.unwrap().unwrap();
    let stated = SignedCheckpoint::read(&newest.body).unwrap().checkpoint;
    let (mut fold, mut said, mut log) = (Fold::new(), Cut::default(), Cut::default());
    let mut follow = bus.ledger.follow().await.unwrap();
    'reading: loop {
        let read = follow.next().await.unwrap();
        for entry in &read.entries {
            if (Checkpoint { log: log.tree.head(), said: said.tree.head() }) == stated {
                break 'reading;
            }
            fold.apply(entry);
            if entry.stream == Stream::Said { said.take(entry) } else { log.take(entry) }
        }
        assert!(!read.caught_up, "no place is what the checkpoint states");
    }
    let body = fold.snapshot().unwrap();
    let snapshot = Snapshot::of(&body, Fold::form(), said, log);
    let (head, signed) = snapshot.signed(&bus.checkpoints).unwrap();
    assert!(bus.ledger.keep_snapshot(head, &signed, body).await.unwrap());
    snapshot
}

/// A bus with a history, and one snapshot of it in the first place.
async fn with_a_snapshot() -> (Bus, Snapshot) {
    let bus = Bus::start(3, 600_000).await;
    let router = bus.router().await;
    history(&bus, "a").await;
    router.stop().await;
    let snapshot = keep(&bus).await;
    (bus, snapshot)
}

async fn history(bus: &Bus, incident: &str) {
    bus.publish(&event(incident, 1, "here")).await;
    bus.fact(&format!("tocsin.dispatch.operator.{incident}.1")).await;
    bus.acknowledge(&here(0), incident, 1).await;
    bus.acknowledge(&here(1), incident, 1).await;
    vouched_for(bus).await;
}

/// Writes what no router would.
async fn write(bus: &Bus, subject: &str, signed: Option<&Signed>, body: impl Into<Bytes>) {
    let client = async_nats::connect(bus.server.url()).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    if let Some(signed) = signed {
        headers.insert(KEY_HEADER, signed.key.as_str());
        headers.insert(SIGNATURE_HEADER, signed.signature.as_str());
    }
    let context = async_nats::jetstream::new(client);
    context.publish_with_headers(subject.to_owned(), headers, body.into()).await.unwrap().await.unwrap();
}

async fn message(bus: &Bus, subject: &str) -> Bytes {
    let context = async_nats::jetstream::new(async_nats::connect(bus.server.url()).await.unwrap());
    let stream = context.get_stream(SNAPSHOTS).await.unwrap();
    stream.get_last_raw_message_by_subject(subject).await.unwrap().payload
}

/// Not one is believed, for this reason, and a start comes to the same.
async fn doubted(ledger: &Ledger, why: &str) {
    let found = find(ledger).await;
    assert!(found.state.is_none(), "it is believed, in spite of: {why}");
    let told = found.doubts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(told.contains(why), "{told}");
    assert_eq!(begun(ledger).await, whole(ledger).await);
}

async fn whole(ledger: &Ledger) -> Fold {
    let (mut fold, mut follow) = (Fold::new(), ledger.follow().await.unwrap());
    loop {
        let read = follow.next().await.unwrap();
        read.entries.iter().for_each(|entry| _ = fold.apply(entry));
        if read.caught_up {
            return fold;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_begins_with_a_snapshot_goes_on_as_one_that_read_everything() {
    let (bus, first) = with_a_snapshot().await;
    assert!(first.log.through > 1 && first.said.through > 1);
    assert_eq!(begun(&bus.ledger).await, bus.fold().await);

    // What came while no router was there is dispatched, and checkpoints go on in the same trees.
    bus.publish(&event("b", 1, "here")).await;
    let router = bus.router_keeping(5).await;
    history(&bus, "c").await;
    bus.fact("tocsin.dispatch.operator.b.1").await;
    kept(&bus, first.entries()).await;
    let (log, said) = vouched_for(&bus).await;
    assert_true(&stated(&log, &bus.checkpoints), &log, &said);
    router.stop().await;
    assert_eq!(begun(&bus.ledger).await, bus.fold().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_while_writing_leaves_the_former_or_none() {
    let (bus, first) = with_a_snapshot().await;
    // As the next one is begun, and as it is cut off between two parts.
    for (subject, body) in [("tocsin.fold.1.head", ""), ("tocsin.fold.1.0", "half of one")] {
        write(&bus, subject, None, body).await;
        let found = find(&bus.ledger).await;
        assert!(found.doubts.is_empty(), "{:?}", found.doubts);
        assert_eq!(found.state.unwrap().1, first);
    }
    // Of two that are whole the newest is taken, and the one before it where that is not what was signed.
    let router = bus.router().await;
    history(&bus, "b").await;
    router.stop().await;
    write(&bus, "tocsin.fold.1.head", Some(&SigningKey::generate().sign("x", b"x").unwrap()), "x").await;
    write(
        &bus,
        "tocsin.fold.0.head",
        Some(&first.signed(&bus.checkpoints).unwrap().1),
        message(&bus, "tocsin.fold.0.head").await,
    )
    .await;
    let second = keep(&bus).await;
    assert_eq!(find(&bus.ledger).await.state.unwrap().1, second);
    write(&bus, "tocsin.fold.1.0", None, "altered").await;
    let found = find(&bus.ledger).await;
    assert_eq!((found.doubts.len(), found.state.unwrap().1), (1, first.clone()));
    assert_eq!(begun(&bus.ledger).await, bus.fold().await);

    // Who comes while somebody is at it leaves it alone.
    write(&bus, "tocsin.fold.1.head", None, "").await;
    let (head, signed) = first.signed(&bus.checkpoints).unwrap();
    assert!(!bus.ledger.keep_snapshot(head, &signed, Bytes::from_static(b"x")).await.unwrap());
    write(&bus, "tocsin.fold.0.head", None, "").await;
    let found = find(&bus.ledger).await;
    assert!(found.state.is_none() && found.doubts.is_empty());
    assert_eq!(begun(&bus.ledger).await, bus.fold().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_that_are_killed_and_race_leave_no_half_of_one() {
    let bus = Bus::start(2, 600_000).await;
    for n in 0..4_u64 {
        let routers = [bus.router_keeping(1).await, bus.router_keeping(1).await];
        history(&bus, &format!("i{n}")).await;
        // Somewhere about where they keep one.
        tokio::time::sleep(Duration::from_millis(5 * n)).await;
        for router in routers {
            router.kill().await;
        }
        let found = find(&bus.ledger).await;
        assert!(found.doubts.is_empty(), "{:?}", found.doubts);
        let begun = begun(&bus.ledger).await;
        assert_eq!((begun.follows(), begun.open_duties()), (Vec::new(), bus.fold().await.open_duties()));
    }
}

/// What a snapshot says otherwise than is so.
type Alter = fn(&mut Snapshot);

#[tokio::test(flavor = "multi_thread")]
async fn in_any_doubt_everything_is_read() {
    let (bus, snapshot) = with_a_snapshot().await;
    let (head, state) = (message(&bus, "tocsin.fold.0.head").await, message(&bus, "tocsin.fold.0.0").await);
    let (own, signed) = snapshot.signed(&bus.checkpoints).unwrap();
    assert_eq!(own, head);

    let mut altered = state.to_vec();
    altered[state.len() / 2] ^= 1;
    write(&bus, "tocsin.fold.0.0", None, altered).await;
    doubted(&bus.ledger, "not those that were signed").await;
    write(&bus, "tocsin.fold.0.0", None, state.slice(1..)).await;
    doubted(&bus.ledger, "not those that were signed").await;
    write(&bus, "tocsin.fold.0.0", None, state.clone()).await;
    assert!(find(&bus.ledger).await.state.is_some());

    // By a stranger who may write there and has not the key, and by nobody.
    let (_, forged) = snapshot.signed(&SigningKey::generate()).unwrap();
    write(&bus, "tocsin.fold.0.head", Some(&forged), head.clone()).await;
    doubted(&bus.ledger, "not the router's").await;
    write(&bus, "tocsin.fold.0.head", None, head.clone()).await;
    doubted(&bus.ledger, "not signed").await;

    // By the router itself, of another program, of a record that is not this one, and of bytes that are no state.
    let altered: [(Alter, &str); 5] = [
        (|s| s.form.push('0'), "and this program reads"),
        (|s| s.log.take(&extra(Stream::Log)), "no checkpoint"),
        (|s| s.said.through += 100, "it ends at"),
        (
            |s| s.log.last = s.log.first.map(|place| tocsin_protocol::Place { sequence: 3, ..place }),
            "entry 3 is not",
        ),
        (
            |s| (s.bytes, s.digest) = (2, tocsin_protocol::tree::Hash::of_leaf(b"{}")),
            "not those that were signed",
        ),
    ];
    for (alter, why) in altered {
        let mut other = snapshot.clone();
        alter(&mut other);
        let (head, signed) = other.signed(&bus.checkpoints).unwrap();
        write(&bus, "tocsin.fold.0.head", Some(&signed), head).await;
        doubted(&bus.ledger, why).await;
    }
    let none = Snapshot::of(b"{}", snapshot.form.clone(), snapshot.said.clone(), snapshot.log.clone());
    let (no_head, no_signed) = none.signed(&bus.checkpoints).unwrap();
    write(&bus, "tocsin.fold.0.head", Some(&no_signed), no_head).await;
    write(&bus, "tocsin.fold.0.0", None, "{}").await;
    doubted(&bus.ledger, "cannot be read").await;

    write(&bus, "tocsin.fold.0.head", Some(&signed), head).await;
    write(&bus, "tocsin.fold.0.0", None, state).await;
    assert!(find(&bus.ledger).await.state.is_some(), "as it was");

    // Entries are taken out of the log.
    let context = async_nats::jetstream::new(async_nats::connect(bus.server.url()).await.unwrap());
    let log = context.get_stream(Stream::Log.name()).await.unwrap();
    log.purge().filter("tocsin.notice.>").await.unwrap();
    let found = find(&bus.ledger).await;
    assert!(found.state.is_none(), "{:?}", found.doubts);
    // The directory that names the key has another.
    let mut document = bus.directory();
    document.checkpoint_key = Some(SigningKey::generate().public());
    let body = to_body("directory", &document).unwrap();
    let fact = NewFact { subject: Subject::Directory { version: 2 }, body, schedule: None };
    bus.ledger.append(&fact, None).await.unwrap();
    doubted(&bus.ledger, "not the router's").await;
}

fn extra(stream: Stream) -> tocsin_protocol::Entry {
    tocsin_protocol::Entry {
        stream,
        sequence: 1,
        time: tocsin_protocol::Timestamp::UNIX_EPOCH,
        subject: "tocsin.notice.a.x.1".to_owned(),
        signed: None,
        said_through: None,
        body: Bytes::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_put_back_from_an_older_copy_is_read_whole() {
    let mut bus = Bus::start(3, 600_000).await;
    let router = bus.router().await;
    history(&bus, "a").await;
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("backup");
    bus.ledger.back_up(&copy).await.unwrap();
    history(&bus, "b").await;
    router.stop().await;
    keep(&bus).await;
    let signed = signed_by(&bus).await;
    let (head, state) = (message(&bus, "tocsin.fold.0.head").await, message(&bus, "tocsin.fold.0.0").await);

    // A back-up holds no snapshot, and what is restored needs none.
    bus.begin_anew().await;
    bus.ledger.restore(&Backup::open(&copy).unwrap(), &Shape::default()).await.unwrap();
    let found = find(&bus.ledger).await;
    assert!(found.state.is_none() && found.doubts.is_empty());

    // The stream of snapshots was kept, though, and is of more than the record now holds.
    write(&bus, "tocsin.fold.0.0", None, state).await;
    write(&bus, "tocsin.fold.0.head", Some(&signed), head).await;
    doubted(&bus.ledger, "no checkpoint").await;
    // And when it has grown past that again, otherwise.
    let router = bus.router().await;
    for incident in ["c", "d", "e"] {
        bus.publish(&event(incident, 1, "here")).await;
    }
    vouched_for(&bus).await;
    router.stop().await;
    doubted(&bus.ledger, "no checkpoint").await;
}

/// The signature of the head in the first place.
async fn signed_by(bus: &Bus) -> Signed {
    let context = async_nats::jetstream::new(async_nats::connect(bus.server.url()).await.unwrap());
    let stream = context.get_stream(SNAPSHOTS).await.unwrap();
    let message = stream.get_last_raw_message_by_subject("tocsin.fold.0.head").await.unwrap();
    let header = |name: &str| message.headers.get(name).unwrap().as_str().to_owned();
    Signed { key: header(KEY_HEADER), signature: header(SIGNATURE_HEADER) }
}
