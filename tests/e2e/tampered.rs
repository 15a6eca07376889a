//! Whoever has stolen a service key may do to the log what no permission stops. It does not stay unseen.

use std::time::Duration;

use tocsin_audit::{Bundle, FaultCode, Verdict, read_covered, verify};
use tocsin_protocol::{AuthorKey, EventKind, NewFact, Stream, Subject, to_body};
use tocsin_tests::{Cast, Manner, World, event, seconds, until};

/// Takes everything away in a bundle and verifies it, with the key as an auditor would know it.
async fn verdict(world: &World) -> Verdict {
    let entries = read_covered(&world.connect("audit").await, Duration::from_secs(10)).await.unwrap();
    let key = AuthorKey::new(world.cast.document.checkpoint_key.as_deref().unwrap()).unwrap();
    verify(&Bundle::of(&entries, None).unwrap(), &[key])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_erases_the_end_of_the_log_and_lets_it_be_written_anew_is_told_on_by_the_agencies() {
    let cast = Cast::new(&[seconds(1.0), seconds(600.0)]).required(&["a", "b"]).signing();
    let world = World::start(cast).await;
    let router = world.router_here().await;
    let desk = world.desk("a", Manner::Acknowledges).await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.finding.x.1.1").await;
    until("all is proven", async || {
        let verdict = verdict(&world).await;
        if verdict.faults.is_empty() { Ok(()) } else { Err(format!("{:?}", verdict.faults)) }
    })
    .await;
    // The desk has seen by now that the finding was vouched for, and says so.
    world.publish(&event("x", 2, EventKind::Update)).await;
    world.entry("tocsin.receipt.a.x.2.delivered").await;
    until("all is proven, and by a recipient's word too", async || {
        let verdict = verdict(&world).await;
        let witnessed = verdict.proven.iter().any(|told| told.contains("signed for checkpoints"));
        if verdict.faults.is_empty() && witnessed { Ok(()) } else { Err(format!("{verdict:?}")) }
    })
    .await;
    drop(desk);
    router.stop().await;

    // The finding is to be unsaid, and every checkpoint with it. A router with the true key then writes both anew.
    let raw = async_nats::jetstream::new(async_nats::connect(world.server.url()).await.unwrap());
    let log = raw.get_stream(Stream::Log.name()).await.unwrap();
    for filter in ["tocsin.finding.>", "tocsin.escalation.>", "tocsin.checkpoint.>"] {
        log.purge().filter(filter).await.unwrap();
    }
    let body = to_body("directory", &world.cast.document).unwrap();
    let anew = NewFact { subject: Subject::Directory { version: 2 }, body, schedule: None };
    world.ledger.append(&anew, None).await.unwrap();
    let router = world.router_here().await;
    world.entry("tocsin.finding.x.1.1").await;
    let verdict = until("checkpoints are signed anew", async || {
        let verdict = verdict(&world).await;
        let signed = verdict.faults.iter().all(|fault| fault.code != FaultCode::NoCheckpoint);
        if signed { Ok(verdict) } else { Err("none".to_owned()) }
    })
    .await;
    let told = |code, words: &str| {
        let fits = |fault: &&tocsin_audit::Fault| fault.code == code && fault.text.contains(words);
        assert!(verdict.faults.iter().any(|fault| fits(&fault)), "{code:?}: {:#?}", verdict.faults);
    };
    told(FaultCode::Erased, "is a's signed word that checkpoint");
    told(FaultCode::Missing, "TOCSIN_LOG");
    router.stop().await;
}
