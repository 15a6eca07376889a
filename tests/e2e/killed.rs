//! Routers, notifiers and nats-servers that are killed as a power cut would, at every step of an incident.
//!
//! The incident has one body that acknowledges in time, one that is late, one that is silent to the last step, and one
//! that is informed. However often whatever was killed, it must end as it does when nothing is.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tocsin_notifier::sink::{Behaviour, Point};
use tocsin_protocol::EventKind;
use tocsin_tests::{Cast, Finished, Gate, Manner, World, checker::Standing, event, seconds, until};

/// Worlds at once: each has its own nats-server and processes.
const AT_ONCE: usize = 3;

/// The steps of an incident, in order, each by a fact that stands once it is reached.
const STEPS: [&str; 9] = [
    "tocsin.incident.operator.x.1",
    "tocsin.dispatch.operator.x.1",
    "tocsin.receipt.prompt.x.1.delivered",
    "tocsin.receipt.prompt.x.1.acknowledged",
    "tocsin.due.x.1.1",
    "tocsin.finding.x.1.1",
    "tocsin.escalation.silent.x.1.1",
    "tocsin.attempt.silent.x.1.1.1.begun",
    "tocsin.attempt.silent.x.1.1.1.ended",
];

async fn world() -> World {
    let cast = Cast::new(&[seconds(4.0), seconds(8.0)]);
    let mut world = World::start(cast.required(&["prompt", "late", "silent"]).informed(&["water"])).await;
    world.config.takeover = "2s";
    world
}

/// Those who work at the desks. The late one is held back until it has been written to.
struct Desks {
    late: Gate,
    _running: Vec<tocsin_tests::RunningDesk>,
}

impl Desks {
    async fn open(world: &World) -> Self {
        let late = Gate::new();
        let running = vec![
            world.desk("prompt", Manner::Acknowledges).await,
            world.desk("late", Manner::AcknowledgesOnce(late.clone())).await,
            world.desk("silent", Manner::Silent).await,
            world.desk("water", Manner::Silent).await,
        ];
        Self { late, _running: running }
    }
}

/// As it ends when nothing is killed.
fn ended_as_it_should(end: &Finished, step: &str) {
    assert_eq!(end.stood("x", 1, "prompt"), (Standing::InTime, vec![]), "killed at {step}");
    assert_eq!(end.stood("x", 1, "late"), (Standing::Late, vec![1]), "killed at {step}");
    assert_eq!(end.stood("x", 1, "silent"), (Standing::Silent, vec![1, 2]), "killed at {step}");
    assert_eq!(end.stood("x", 1, "water"), (Standing::NotAsked, vec![]), "killed at {step}");
    for recipient in ["prompt", "late", "silent", "water"] {
        assert!(end.row("x", 1, recipient).delivered_at.is_some(), "{recipient}, killed at {step}");
    }
    let totals = end.reports["x"].totals;
    assert_eq!((totals.neither, totals.mails_accepted), (0, 3), "killed at {step}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_killed_at_any_step_changes_nothing_of_how_it_ends() {
    let steps = STEPS[..7].iter().map(|step| async move {
        let world = world().await;
        let (router, notifier) = (world.router(), world.notifier());
        let desks = Desks::open(&world).await;
        world.publish(&event("x", 1, EventKind::Initial)).await;
        world.entry(step).await;
        router.kill();
        let router = world.router();
        world.entry("tocsin.attempt.late.x.1.1.1.ended").await;
        desks.late.open();
        ended_as_it_should(&world.finish([router.into(), notifier.into()]).await, step);
    });
    stream::iter(steps).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_killed_at_any_step_changes_nothing_of_how_it_ends() {
    let steps = STEPS.iter().map(|step| async move {
        let mut world = world().await;
        let (router, notifier) = (world.router(), world.notifier());
        let desks = Desks::open(&world).await;
        world.publish(&event("x", 1, EventKind::Initial)).await;
        world.entry(step).await;
        world.server.kill().await.unwrap();
        world.server.restart().await.unwrap();
        until("the late one is written to", async || {
            let log = world.evidence().await.log;
            let ended = |e: &&tocsin_protocol::Entry| {
                e.subject.starts_with("tocsin.attempt.late.x.1.1.")
                    && String::from_utf8_lossy(&e.body).contains("\"accepted\"")
            };
            log.iter().find(ended).map(drop).ok_or_else(|| format!("{} entries", log.len()))
        })
        .await;
        desks.late.open();
        ended_as_it_should(&world.finish([router.into(), notifier.into()]).await, step);
    });
    stream::iter(steps).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_closes_while_no_service_and_no_bus_is_alive_is_found_and_escalated_afterwards() {
    let mut world = World::start(Cast::new(&[seconds(1.0), seconds(2.0)]).required(&["silent"])).await;
    let router = world.router();
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.dispatch.operator.x.1").await;
    router.kill();
    world.server.kill().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    world.server.restart().await.unwrap();
    // The broker closes both by itself.
    world.entry("tocsin.due.x.1.2").await;
    assert!(!world.stands("tocsin.finding.x.1.1").await);
    let (router, notifier) = (world.router(), world.notifier());
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "silent"), (Standing::Silent, vec![1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_was_dead_all_the_while_does_all_that_was_owed_when_it_comes() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(2.0)]).required(&["prompt", "silent"])).await;
    let notifier = world.notifier();
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.acknowledge("prompt", "x", 1).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let router = world.router();
    let end = world.finish([router.into(), notifier.into()]).await;
    // The windows run from the broker's time of the event, and so does what is in time.
    assert_eq!(end.stood("x", 1, "prompt"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "silent"), (Standing::Silent, vec![1, 2]));
    world.owes_nothing().await;
}

/// Where in its work a notifier is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before it has begun: the mail is owed, and no notifier is there.
    Before,
    /// The relay says nothing at this point, and the notifier waits.
    During(Point),
    /// The relay has the mail; whether the notifier has written so down is open.
    Taken,
    /// It is written down.
    After,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_killed_before_during_or_after_smtp_loses_no_mail_and_repeats_none_but_the_unknown() {
    let moments = [
        Moment::Before,
        Moment::During(Point::Hello),
        Moment::During(Point::Sender),
        Moment::During(Point::Data),
        Moment::During(Point::Content),
        Moment::During(Point::Taken),
        Moment::Taken,
        Moment::After,
    ];
    let moments = moments.into_iter().map(|moment| async move {
        let mut world = World::start(Cast::new(&[seconds(0.5), seconds(1.5)]).required(&["a", "b"])).await;
        // Nothing but its death ends its wait.
        world.config.timeout = "50s";
        world.config.takeover = "2s";
        let sink = &world.relays[0];
        match moment {
            Moment::During(point @ (Point::Hello | Point::Sender)) => {
                sink.script_lines([Behaviour::Hang(point)]);
            }
            Moment::During(point) => sink.script_all([Behaviour::Hang(point)]),
            _ => {}
        }
        let router = world.router();
        let first = world.notifier();
        if let Moment::Before = moment {
            first.kill();
            world.publish(&event("x", 1, EventKind::Initial)).await;
            world.entry("tocsin.escalation.a.x.1.1").await;
        } else {
            world.publish(&event("x", 1, EventKind::Initial)).await;
            match moment {
                Moment::During(Point::Taken) | Moment::Taken => {
                    world.mails(|seen| seen.to("duty@a.example").count() > 0).await;
                }
                Moment::During(Point::Hello | Point::Sender) => {
                    world.entry("tocsin.attempt.a.x.1.1.1.begun").await;
                    world.mails(|seen| seen.counts.lines > 0).await;
                }
                Moment::During(_) => {
                    world.mails(|seen| seen.counts.envelopes >= 2).await;
                }
                _ => {
                    world.entry("tocsin.attempt.a.x.1.1.1.ended").await;
                }
            }
            first.kill();
        }
        sink.script_all([Behaviour::Accept]);
        sink.script_lines([Behaviour::Accept]);
        let second = world.notifier();
        let end = world.finish([router.into(), second.into()]).await;
        for recipient in ["a", "b"] {
            assert_eq!(end.stood("x", 1, recipient), (Standing::Silent, vec![1, 2]), "{moment:?}");
            for address in [format!("duty@{recipient}.example"), format!("senior@{recipient}.example")] {
                assert!(!end.mails_to(&address).is_empty(), "{moment:?}: {address}");
            }
        }
        let totals = end.reports["x"].totals;
        assert_eq!(totals.mails_accepted, 4, "{moment:?}");
        match moment {
            Moment::During(Point::Taken) => assert!(end.opinion.repeated >= 1),
            Moment::During(_) => {
                assert!(totals.mails_unknown >= 1 && end.opinion.repeated == 0, "{moment:?}");
            }
            Moment::Before => assert_eq!((totals.mails_unknown, end.opinion.repeated), (0, 0)),
            // What was under way at that very moment for the other one is open.
            Moment::Taken | Moment::After => {}
        }
    });
    stream::iter(moments).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_publisher_says_while_the_bus_is_dead_is_kept_and_sent_in_order() {
    let mut world = World::start(Cast::new(&[seconds(4.0), seconds(5.0)]).required(&["prompt"])).await;
    let (router, notifier) = (world.router(), world.notifier());
    let _desk = world.desk("prompt", Manner::Acknowledges).await;
    world.server.kill().await.unwrap();
    let (first, second) = (event("x", 1, EventKind::Initial), event("x", 2, EventKind::Update));
    world.keep(&first).await;
    world.keep(&second).await;
    world.server.restart().await.unwrap();
    world.publish(&second).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "prompt"), (Standing::InTime, vec![]));
    assert_eq!(end.count("tocsin.dispatch."), 2);
}
