//! Two routers and two notifiers at once, many recipients, and no mercy.

use std::time::Duration;

use tocsin_notifier::sink::{Behaviour, Point};
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

/// What a storm does next.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Router,
    Notifier,
    Bus,
    /// The bus stands still for a moment, its connections open.
    Stall,
}

/// Numbers that look like chance and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        // The constants of Knuth's MMIX; the high bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Kills and stalls by chance while three incidents come one after another. `TOCSIN_SEED` makes it another storm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_whenever_among_two_of_each_all_ends_as_it_should() {
    let seed = std::env::var("TOCSIN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("TOCSIN_SEED={seed}");
    let mut chance = Chance(seed);
    let names: Vec<String> = (0..12).map(|n| format!("r{n}")).collect();
    let mut world = World::start(Cast::new(&[seconds(3.0), seconds(5.0)]).required(&names)).await;
    let slow = Behaviour::Delay(Duration::from_millis(30));
    let lost = Behaviour::Cut(Point::Taken);
    let busy = Behaviour::Reply(Point::Content, 451, "4.3.0 later");
    world.relays[0].script_all([slow, lost, slow, busy, slow]);
    let mut routers = vec![world.router(), world.router()];
    let mut notifiers = vec![world.notifier(), world.notifier()];
    let desks = [
        world.desk("r0", Manner::Acknowledges).await,
        world.desk("r1", Manner::Acknowledges).await,
        world.desk("r2", Manner::Acknowledges).await,
    ];
    for number in 0..18 {
        if number % 4 == 0 && number < 12 {
            world.publish(&event(&format!("i{}", number / 4), 1, EventKind::Initial)).await;
        }
        let blows = [Blow::Router, Blow::Router, Blow::Notifier, Blow::Notifier, Blow::Bus, Blow::Stall];
        match blows[usize::try_from(chance.below(6)).unwrap()] {
            Blow::Router => {
                routers.remove(0).kill();
                routers.push(world.router());
            }
            Blow::Notifier => {
                notifiers.remove(0).kill();
                notifiers.push(world.notifier());
            }
            Blow::Bus => {
                world.server.kill().await.unwrap();
                world.server.restart().await.unwrap();
            }
            Blow::Stall => {
                world.server.pause().unwrap();
                tokio::time::sleep(Duration::from_millis(chance.below(1000))).await;
                world.server.resume().unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(chance.below(800))).await;
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
