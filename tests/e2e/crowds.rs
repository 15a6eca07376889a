//! Two routers and two notifiers at once, many recipients, and no mercy.

use std::time::Duration;

use tocsin_protocol::EventKind;
use tocsin_tests::{Cast, Manner, World, checker::Standing, event, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_routers_and_two_notifiers_at_once_do_everything_once() {
    let names: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
    let world = World::start(Cast::new(&[seconds(1.0), seconds(2.0)]).required(&names)).await;
    let services = [
        world.router_here().await.into(),
        world.router_here().await.into(),
        world.notifier_here().await.into(),
        world.notifier_here().await.into(),
    ];
    for incident in ["x", "y", "z"] {
        world.publish(&event(incident, 1, EventKind::Initial)).await;
    }
    let end = world.finish(services).await;
    assert_eq!((end.evidence.mails.len(), end.opinion.repeated), (120, 0));
    assert_eq!(end.count("tocsin.escalation."), 120);
}

/// What is killed next in a storm.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Router,
    Notifier,
    Bus,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_whenever_among_two_of_each_all_ends_as_it_should() {
    use Victim::{Bus, Notifier, Router};
    let names: Vec<String> = (0..12).map(|n| format!("r{n}")).collect();
    let mut world = World::start(Cast::new(&[seconds(5.0), seconds(7.0)]).required(&names)).await;
    world.relays[0].script_all([tocsin_notifier::sink::Behaviour::Delay(Duration::from_millis(30))]);
    let mut routers = vec![world.router(), world.router()];
    let mut notifiers = vec![world.notifier(), world.notifier()];
    let desks = [
        world.desk("r0", Manner::Acknowledges).await,
        world.desk("r1", Manner::Acknowledges).await,
        world.desk("r2", Manner::Acknowledges).await,
    ];
    let storm =
        [Router, Notifier, Router, Bus, Router, Notifier, Notifier, Router, Bus, Notifier, Router, Notifier];
    for (number, victim) in storm.into_iter().enumerate() {
        if number % 4 == 0 {
            world.publish(&event(&format!("i{}", number / 4), 1, EventKind::Initial)).await;
        }
        match victim {
            Router => {
                routers.remove(0).kill();
                routers.push(world.router());
            }
            Notifier => {
                notifiers.remove(0).kill();
                notifiers.push(world.notifier());
            }
            Bus => {
                world.server.kill().await.unwrap();
                world.server.restart().await.unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let end = world.finish(routers.into_iter().chain(notifiers).map(Into::into)).await;
    for incident in ["i0", "i1", "i2"] {
        for silent in &names[3..] {
            assert_eq!(end.stood(incident, 1, silent), (Standing::Silent, vec![1, 2]));
        }
        for prompt in &names[..3] {
            let row = end.row(incident, 1, prompt);
            assert!(row.acknowledged_at.is_some() && row.delivered_at.is_some(), "{incident}: {row:?}");
        }
    }
    assert_eq!(desks.iter().map(|desk| desk.seen().len()).collect::<Vec<_>>(), [3, 3, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatch_larger_than_one_batch_is_whole_though_its_router_dies_in_the_middle() {
    let names: Vec<String> = (0..2500).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world =
        World::start(Cast::new(&[seconds(3.0), seconds(4.0)]).required(&["a"]).informed(&names)).await;
    let (router, notifier) = (world.router(), world.notifier());
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.dispatch.x.1").await;
    router.kill();
    let services = [world.router().into(), world.router().into(), notifier.into()];
    let end = world.finish(services).await;
    assert_eq!(end.count("tocsin.notice."), 2501);
    assert_eq!(end.stood("x", 1, "a"), (Standing::Silent, vec![1, 2]));
}
