//! Two routers and two notifiers at once, many recipients, and no mercy.

use std::{collections::BTreeSet, time::Duration};

use tocsin_notifier::sink::{Behaviour, Point};
use tocsin_protocol::{Dispatch, EventKind, NewFact, Subject, from_body, to_body};
use tocsin_tests::{Cast, Manner, PUBLISHER, World, checker::Standing, event, seconds};

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
    assert_eq!(end.count("tocsin.escalation."), 120);
    // Each was begun and ended once, alone or in a mail that names more than one incident.
    assert_eq!(end.count("tocsin.attempt."), 240);
    assert_eq!(end.opinion.repeated, 0);
    assert!((40..=120).contains(&end.evidence.mails.len()), "{} mails", end.evidence.mails.len());
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
    world.config.takeover = "2s";
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
    world.owes_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatch_larger_than_one_batch_is_whole_though_its_router_dies_in_the_middle() {
    let names: Vec<String> = (0..2500).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world =
        World::start(Cast::new(&[seconds(3.0), seconds(4.0)]).required(&["a"]).informed(&names)).await;
    let (router, notifier) = (world.router(), world.notifier());
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.dispatch.operator.x.1").await;
    router.kill();
    let services = [world.router().into(), world.router().into(), notifier.into()];
    let end = world.finish(services).await;
    assert_eq!(end.count("tocsin.notice."), 2501);
    assert_eq!(end.stood("x", 1, "a"), (Standing::Silent, vec![1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_that_stalls_until_another_has_taken_over_does_no_harm_when_it_wakes() {
    for point in [Point::Hello, Point::Data, Point::Taken] {
        let mut world = World::start(Cast::new(&[seconds(0.5), seconds(1.0)]).required(&["a", "b"])).await;
        world.config.takeover = "1s";
        world.config.timeout = "4s";
        let sink = &world.relays[0];
        if point == Point::Hello {
            sink.script_lines([Behaviour::Hang(point)]);
        } else {
            sink.script_all([Behaviour::Hang(point)]);
        }
        let (router, first) = (world.router(), world.notifier());
        world.publish(&event("x", 1, EventKind::Initial)).await;
        world.entry("tocsin.attempt.a.x.1.1.1.begun").await;
        match point {
            Point::Taken => world.mails(|seen| seen.to("duty@a.example").count() > 0).await,
            Point::Data => world.mails(|seen| seen.counts.envelopes > 0).await,
            _ => world.mails(|seen| seen.counts.lines > 0).await,
        }
        first.stall();
        sink.script_lines([Behaviour::Accept]);
        sink.script_all([Behaviour::Accept]);
        let second = world.notifier();
        world.entry("tocsin.attempt.a.x.1.1.2.ended").await;
        first.wake();
        let end = world.finish([router.into(), first.into(), second.into()]).await;
        for recipient in ["a", "b"] {
            assert_eq!(end.stood("x", 1, recipient), (Standing::Silent, vec![1, 2]), "{point:?}");
        }
        assert!(end.reports["x"].totals.mails_unknown > 0, "{point:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_stalls_while_another_goes_on_writes_nothing_amiss_when_it_wakes() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(2.0)]).required(&["a", "b"])).await;
    let (first, second, notifier) = (world.router(), world.router(), world.notifier());
    world.publish(&event("x", 1, EventKind::Initial)).await;
    first.stall();
    world.acknowledge("a", "x", 1).await;
    world.entry("tocsin.finding.x.1.1").await;
    first.wake();
    second.stall();
    world.publish(&event("y", 1, EventKind::Initial)).await;
    world.publish(&event("x", 2, EventKind::Resolved)).await;
    world.entry("tocsin.finding.y.1.1").await;
    second.wake();
    let end = world.finish([first.into(), second.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("y", 1, "b"), (Standing::Silent, vec![1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_owed_under_the_directory_in_force_at_its_time_though_that_changes_beneath_it() {
    let cast = Cast::new(&[seconds(1.0), seconds(2.0)]).required(&["a", "b", "c"]);
    let world = World::start(cast).await;
    let services = [
        world.router_here().await.into(),
        world.router_here().await.into(),
        world.notifier_here().await.into(),
    ];
    // Pair by pair, so that each event races one change, however slow the machine is.
    for incident in 0_u32..40 {
        let version = u64::from(incident) + 2;
        let mut document = world.cast.document.clone();
        document.recipients.truncate(1 + usize::try_from(version % 3).unwrap());
        let fact = NewFact {
            subject: Subject::Directory { version },
            body: to_body("directory", &document).unwrap(),
            schedule: None,
        };
        let event = event(&format!("i{incident}"), 1, EventKind::Initial);
        let body = to_body("event", &event).unwrap().to_vec();
        let subject = event.subject();
        let (changed, _) =
            tokio::join!(world.ledger.append(&fact, None), world.say_as(PUBLISHER, &subject, body));
        changed.unwrap();
    }
    // The checker holds each dispatch against the directory in force at the broker's time of its event.
    let end = world.finish(services).await;
    assert_eq!(end.count("tocsin.dispatch."), 40);
    let dispatched = end.evidence.log.iter().filter(|entry| entry.subject.starts_with("tocsin.dispatch."));
    let versions: BTreeSet<u64> =
        dispatched.map(|entry| from_body::<Dispatch>("dispatch", &entry.body).unwrap().directory).collect();
    assert!(versions.len() > 30, "they did not meet: {versions:?}");
    world.owes_nothing().await;
}
