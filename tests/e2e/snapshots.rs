//! Services that begin with a snapshot of the fold, on a whole bus and with the rights of their roles.

use tocsin_duty::{Fold, Trust};
use tocsin_ledger::Ledger;
use tocsin_protocol::{Entry, EventKind, Snapshot, Stream};
use tocsin_provision::Service;
use tocsin_router::Router;
use tocsin_tests::{Cast, Manner, World, event, seconds, until};

use crate::attacks::{fort::Fort, say};

fn read(snapshot: &Snapshot, bytes: &[u8], directories: &[Entry]) -> Result<Fold, tocsin_protocol::Error> {
    Fold::begun(snapshot, bytes, directories, Trust::default())
}

/// Waits for a snapshot of the log up to this entry, as this connection finds it.
async fn kept(ledger: &Ledger, log: u64) -> Snapshot {
    until("a snapshot is kept", async || {
        let found = ledger.find_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await;
        let (_, snapshot) = found.state.ok_or_else(|| format!("{:?}", found.doubts))?;
        if snapshot.log.through >= log { Ok(snapshot) } else { Err(format!("{snapshot:?}")) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_begin_with_a_snapshot_owe_what_they_owed_and_nothing_twice() {
    let cast = Cast::new(&[seconds(1.0)]).signing();
    let world = World::start(cast.required(&["prompt", "silent"])).await;
    let keeping = Router::new(world.connect("keeping").await);
    let keeping = keeping.signing(world.cast.checkpoint_key()).unwrap().keeping_every(1);
    let keeping = tokio::spawn(keeping.run(std::future::pending()));
    let notifier = world.notifier();
    let _desk = world.desk("prompt", Manner::Acknowledges).await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    let sent = world.entry("tocsin.attempt.silent.x.1.1.1.ended").await;
    kept(&world.ledger, sent.sequence).await;
    keeping.abort();
    notifier.stop().await;

    world.publish(&event("y", 1, EventKind::Initial)).await;
    let (router, notifier) = (world.router(), world.notifier());
    for program in [&router, &notifier] {
        until("it begins with the snapshot", async || {
            let told = program.told();
            if told.contains("begun with a snapshot of the fold") { Ok(()) } else { Err(told) }
        })
        .await;
    }
    world.entry("tocsin.attempt.silent.y.1.1.1.ended").await;
    let log = world.entries(Stream::Log).await;
    let attempts = |of: &str| log.iter().filter(|entry| entry.subject.starts_with(of)).count();
    assert_eq!(attempts("tocsin.attempt.silent.x."), 2, "begun and ended, once");
    assert_eq!(attempts("tocsin.attempt.silent.y."), 2);
    assert_eq!(attempts("tocsin.attempt.prompt.x."), 0);
    router.stop().await;
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_router_keeps_and_the_notifier_reads_a_snapshot_with_the_rights_of_its_role_alone() {
    let fort = Fort::start(Cast::new(&[seconds(600.0)]).signing().required(&["a"])).await;
    let router = Router::new(Ledger::connect(&fort.service(Service::Router)).await.unwrap());
    let router = router.signing(fort.cast.checkpoint_key()).unwrap().keeping_every(1);
    let router = tokio::spawn(router.run(std::future::pending()));
    let operator = Ledger::connect(&fort.connection("operator")).await.unwrap();
    say(&operator, &fort, "operator", "x", 1).await;
    let notifier = Ledger::connect(&fort.service(Service::Notifier)).await.unwrap();
    let snapshot = kept(&notifier, 2).await;
    let mut follow = notifier.follow_after(&snapshot).await.unwrap();
    let came = follow.next().await.unwrap().entries;
    assert!(came.iter().all(|entry| entry.sequence > snapshot.cut(entry.stream).through));
    for other in [Service::Console, Service::Auditor] {
        let other = Ledger::connect(&fort.service(other)).await.unwrap();
        assert!(other.find_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await.state.is_none());
    }
    router.abort();
    fort.router.abort();
}
