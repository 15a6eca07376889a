//! A bus that is lost with all it held, and put back from a back-up.

use std::time::Duration;

use tocsin_audit::{Bundle, Verdict, read_covered, verify};
use tocsin_protocol::{AuthorKey, EventKind, Stream};
use tocsin_tests::{Cast, Gate, Manner, World, checker::Standing, event, seconds, until};

fn key(world: &World) -> AuthorKey {
    AuthorKey::new(world.cast.document.checkpoint_key.as_deref().unwrap()).unwrap()
}

async fn proven(world: &World) -> Verdict {
    until("nothing contradicts the record", async || {
        let entries = read_covered(&world.connect("audit").await, Duration::from_secs(10)).await.unwrap();
        let verdict = verify(&Bundle::of(&entries, None).unwrap(), &[key(world)]);
        if verdict.faults.is_empty() { Ok(verdict) } else { Err(format!("{:?}", verdict.faults)) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_is_lost_goes_on_from_a_backup_with_its_record_proven_and_its_windows_armed() {
    let cast = Cast::new(&[seconds(3.0), seconds(25.0)]).signing();
    let mut world = World::start(cast.required(&["prompt", "late", "silent"]).informed(&["water"])).await;
    world.config.takeover = "2s";
    let (router, notifier) = (world.router_here().await, world.notifier());
    let late = Gate::new();
    let _desks = [
        world.desk("prompt", Manner::Acknowledges).await,
        world.desk("late", Manner::AcknowledgesOnce(late.clone())).await,
        world.desk("silent", Manner::Silent).await,
        world.desk("water", Manner::Silent).await,
    ];
    world.publish(&event("x", 1, EventKind::Initial)).await;
    for recipient in ["late", "silent"] {
        world.entry(&format!("tocsin.attempt.{recipient}.x.1.1.1.ended")).await;
    }
    proven(&world).await;
    let dir = world.home().join("backup");
    let (dir, public) = (dir.to_str().unwrap(), world.cast.document.checkpoint_key.clone().unwrap());
    let (code, told) = world.command(&["backup", dir]).await;
    assert!(code == Some(0) && told.contains("restore --rehearse"), "{told}");
    let before = [world.entries(Stream::Said).await, world.entries(Stream::Log).await];

    // Over a record nothing is put back.
    let (code, told) = world.command(&["restore", dir]).await;
    assert!(code == Some(1) && told.contains("never writes over a record"), "{told}");
    let (code, told) = world.command(&["restore", dir, "--rehearse", "--key", &public]).await;
    assert!(code == Some(0) && told.contains("Nothing contradicts the record"), "{told}");
    let another = world.cast.key("prompt").public();
    let (code, told) = world.command(&["restore", dir, "--rehearse", "--key", &another]).await;
    assert!(code == Some(1) && told.contains("not as its checkpoints state it"), "{told}");

    router.stop().await;
    assert!(notifier.stop().await.success());
    world.lose_the_bus().await;
    let (code, told) = world.command(&["restore", dir, "--key", &public]).await;
    assert!(code == Some(0) && told.contains("Nothing contradicts the record"), "{told}");
    for (stream, before) in [Stream::Said, Stream::Log].into_iter().zip(before) {
        let after = world.entries(stream).await;
        for entry in before.iter().filter(|entry| !entry.subject.starts_with("tocsin.window.")) {
            // The last checkpoints may have come between the back-up and the look.
            let found = after.iter().find(|one| one.sequence == entry.sequence);
            assert!(found == Some(entry) || entry.subject.starts_with("tocsin.checkpoint."), "{entry:?}");
        }
    }

    let (router, notifier) = (world.router_here().await, world.notifier());
    late.open();
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "prompt"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "late"), (Standing::Late, vec![1]));
    assert_eq!(end.stood("x", 1, "silent"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.reports["x"].totals.mails_accepted, 3);
    let router = world.router_here().await;
    proven(&world).await;
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_altered_before_it_was_backed_up_is_told_on_by_the_restore() {
    let world = World::start(Cast::new(&[seconds(1.0)]).required(&["silent"]).signing()).await;
    let router = world.router_here().await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.finding.x.1.1").await;
    proven(&world).await;
    router.stop().await;
    let raw = async_nats::jetstream::new(async_nats::connect(world.server.url()).await.unwrap());
    let log = raw.get_stream(Stream::Log.name()).await.unwrap();
    log.purge().filter("tocsin.finding.>").await.unwrap();

    let dir = world.home().join("backup");
    world.ledger.back_up(&dir).await.unwrap();
    let (code, told) = world.command(&["restore", "--rehearse", dir.to_str().unwrap()]).await;
    assert!(code == Some(1) && told.contains("not as its checkpoints state it"), "{told}");
}
