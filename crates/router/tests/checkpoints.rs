//! Checkpoints on a real nats-server: what routers that race sign is what both streams hold.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

#[allow(dead_code, reason = "shared with the other tests of routers")]
mod support;

#[path = "checkpoints/snapshots.rs"]
mod snapshots;

use std::time::{Duration, Instant};

use support::{Bus, SOON, event, here};
use tocsin_protocol::{
    AuthorKey, Checkpoint, Entry, SignedCheckpoint, SigningKey, Stream, Subject, leaf, tree::Tree,
};

async fn entries(bus: &Bus, stream: Stream) -> Vec<Entry> {
    bus.ledger.entries(stream, &[">".to_owned()]).await.unwrap()
}

fn tree(entries: &[Entry]) -> Tree {
    let mut tree = Tree::new();
    entries.iter().filter_map(leaf).for_each(|leaf| tree.push(leaf));
    tree
}

fn is_checkpoint(entry: &Entry) -> bool {
    matches!(entry.subject.parse(), Ok(Subject::Checkpoint { .. }))
}

/// The checkpoints that stand, in order; each is signed with this key and stands on its own subject.
fn stated(log: &[Entry], key: &SigningKey) -> Vec<Checkpoint> {
    let author = AuthorKey::new(&key.public()).unwrap();
    let read = |entry: &Entry| {
        let signed = SignedCheckpoint::read(&entry.body).unwrap();
        signed.verify(&author).unwrap();
        assert_eq!(signed.checkpoint.subject().to_string(), entry.subject);
        signed.checkpoint
    };
    log.iter().filter(|entry| is_checkpoint(entry)).map(read).collect()
}

/// Waits until everything but checkpoints is vouched for, and gives both streams as they are then.
async fn vouched_for(bus: &Bus) -> (Vec<Entry>, Vec<Entry>) {
    let until = Instant::now() + SOON;
    loop {
        let (log, said) = (entries(bus, Stream::Log).await, entries(bus, Stream::Said).await);
        let leaves = log.iter().filter(|entry| leaf(entry).is_some());
        let news = leaves.zip(1..).filter(|(entry, _)| !is_checkpoint(entry)).map(|(_, n)| n).max();
        let newest = stated(&log, &bus.checkpoints).into_iter().max_by_key(Checkpoint::number);
        if newest.is_some_and(|n| Some(n.log.size) >= news && n.said.size == said.len() as u64) {
            return (log, said);
        }
        assert!(Instant::now() < until, "not all is vouched for: {newest:?}, {news:?}, {}", said.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn assert_true(checkpoints: &[Checkpoint], log: &[Entry], said: &[Entry]) {
    let (log, said) = (tree(log), tree(said));
    for checkpoint in checkpoints {
        assert_eq!(log.head_at(checkpoint.log.size), Some(checkpoint.log));
        assert_eq!(said.head_at(checkpoint.said.size), Some(checkpoint.said));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_routers_that_race_sign_is_what_both_streams_hold() {
    let bus = Bus::start(40, 2_000).await;
    let routers = [bus.router().await, bus.router().await, bus.router().await];
    for incident in ["a", "b", "c"] {
        bus.publish(&event(incident, 1, "here")).await;
    }
    bus.fact("tocsin.dispatch.operator.a.1").await;
    bus.acknowledge(&here(0), "a", 1).await;
    for incident in ["a", "b", "c"] {
        bus.fact(&format!("tocsin.finding.{incident}.1.1")).await;
    }
    let (log, said) = vouched_for(&bus).await;
    let checkpoints = stated(&log, &bus.checkpoints);
    assert_true(&checkpoints, &log, &said);
    assert!(log.iter().any(|entry| entry.sequence > log.len() as u64), "the windows are gone");

    // Each finding is vouched for, with what was said before it.
    let leaves: Vec<_> = log.iter().filter(|entry| leaf(entry).is_some()).collect();
    let finding = leaves.iter().rposition(|entry| entry.subject.starts_with("tocsin.finding.")).unwrap();
    assert!(checkpoints.iter().any(|checkpoint| checkpoint.log.size > finding as u64));

    // A router that starts anew has nothing to add, and what comes last is vouched for too.
    for router in routers {
        router.stop().await;
    }
    let router = bus.router().await;
    bus.acknowledge(&here(1), "a", 1).await;
    let (log, said) = vouched_for(&bus).await;
    let more = stated(&log, &bus.checkpoints);
    assert_eq!(more[..checkpoints.len()], checkpoints, "once each");
    assert_true(&more, &log, &said);
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_with_another_key_or_none_does_its_work_and_signs_nothing() {
    let bus = Bus::start(2, 600_000).await;
    let other = SigningKey::generate();
    for (incident, key) in [("a", None), ("b", Some(&other))] {
        let router = bus.router_signing(key).await;
        // More than one interval, so that one is due before the router is stopped.
        for n in 1..=60 {
            bus.publish(&event(incident, n, "here")).await;
        }
        bus.fact(&format!("tocsin.dispatch.operator.{incident}.60")).await;
        router.stop().await;
        assert_eq!(bus.log("tocsin.checkpoint.*").await.len(), 0);
    }
}
