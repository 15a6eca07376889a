//! Desks that come and go.

use tocsin_desk::{Clock, Content, Delivered, Desk};
use tocsin_ledger::{Connection, Ledger, Shape};
use tocsin_protocol::{EventKind, Receipt, ReceiptStage, SignedDuration, Timestamp};
use tocsin_tests::{
    Cast, LONG, Manner, World,
    chaos::link::{Flow, Link},
    checker::Standing,
    event, receipt, seconds, until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_was_away_catches_up_in_order_and_is_given_nothing_twice() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(2.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    for number in 1..=3 {
        let kind = if number == 1 { EventKind::Initial } else { EventKind::Update };
        world.publish(&event("x", number, kind)).await;
    }
    world.publish(&event("y", 1, EventKind::Initial)).await;
    world.entry("tocsin.finding.y.1.2").await;

    let desk = world.desk("a", Manner::Acknowledges).await;
    let came = until("the desk has caught up", async || {
        let seen: Vec<_> = desk.seen().iter().map(|(id, n)| format!("{id}/{n}")).collect();
        if seen.len() == 4 { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await;
    assert_eq!(came, ["x/1", "x/2", "x/3", "y/1"]);
    world.entry("tocsin.receipt.a.y.1.acknowledged").await;
    drop(desk);
    world.publish(&event("y", 2, EventKind::Update)).await;
    world.entry("tocsin.notice.a.y.2").await;
    let again = world.desk("a", Manner::Silent).await;
    until("the second desk has it", async || {
        if world.stands("tocsin.receipt.a.y.2.delivered").await {
            Ok(())
        } else {
            Err("no receipt".to_owned())
        }
    })
    .await;

    let end = world.finish([router.into(), notifier.into()]).await;
    let seen: Vec<_> = again.seen().iter().map(|(id, n)| format!("{id}/{n}")).collect();
    // The very last may come again: its first desk ended as it was settling it.
    assert!(seen == ["y/2"] || seen == ["y/1", "y/2"], "{seen:?}");
    assert_eq!(end.stood("x", 1, "a"), (Standing::Late, vec![1, 2]));
    assert_eq!(end.stood("y", 1, "a"), (Standing::Late, vec![1, 2]));
    for (incident, number) in [("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2)] {
        assert!(end.row(incident, number, "a").delivered_at.is_some(), "{incident}/{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_whose_wake_is_lost_reaches_its_desk_as_soon_as_the_line_is_mended() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(2.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let link = Link::to(world.server.port()).await.unwrap();
    let desk = world.desk_over(&link, "a", Manner::Acknowledges).await;
    let has = async |count: usize| {
        until("the desk has its notices", async || {
            let seen: Vec<_> = desk.seen().iter().map(|(id, n)| format!("{id}/{n}")).collect();
            if seen.len() == count { Ok(seen) } else { Err(format!("{seen:?}")) }
        })
        .await
    };
    let cut = async || {
        link.cut();
        until("the line is down", async || if link.is_down() { Ok(()) } else { Err("open".to_owned()) })
            .await;
    };
    world.publish(&event("w", 1, EventKind::Initial)).await;
    has(1).await;
    // The line is down as the notice is stored.
    cut().await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.a.x.1").await;
    assert_eq!(desk.seen().len(), 1);
    link.mend();
    has(2).await;
    // The wake is on its way, and the line goes down under it: the bus takes it for sent.
    link.flow(Flow::Open, Flow::Stalled);
    world.publish(&event("y", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.a.y.1").await;
    assert_eq!(desk.seen().len(), 2);
    cut().await;
    link.mend();
    assert_eq!(has(3).await, ["w/1", "x/1", "y/1"]);
    let end = world.finish([router.into(), notifier.into()]).await;
    for incident in ["w", "x", "y"] {
        assert!(end.row(incident, 1, "a").acknowledged_at.is_some(), "{incident}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_acknowledgement_counts_and_the_same_one_again_changes_nothing() {
    let world = World::start(Cast::new(&[seconds(4.0), seconds(5.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    let first = receipt("a", "x", 1, ReceiptStage::Acknowledged);
    let position = world.say(&first).await;
    // Again from another process that never saw the answer, and once more by somebody else there.
    let again = world.say(&first).await;
    assert_eq!(position.sequence, again.sequence);
    let mut other = first.clone();
    other.by.as_mut().unwrap().name = "Another Person".to_owned();
    world.say(&other).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    let row = &end.reports["x"].recipients[0];
    assert_eq!(row.acknowledged_by, first.by);
    assert_eq!(row.acknowledged_at, Some(position.time));
    assert_eq!(end.count("tocsin.refusal."), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_the_bus_did_not_answer_for_is_said_before_its_notice_is_settled() {
    let world = World::start(Cast::new(&[seconds(600.0)]).required(&["a"])).await;
    let router = world.router_here().await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.a.x.1").await;
    router.stop().await;
    // As while the three servers of a cluster have no leader for this stream: nobody answers.
    let stranger = world.stranger().await;
    let gone = stranger.client().request("$JS.API.STREAM.DELETE.TOCSIN_SAID", "".into()).await.unwrap();
    assert!(String::from_utf8_lossy(&gone.payload).contains("\"success\":true"), "{gone:?}");
    let ledger = Ledger::connect(&Connection::to(&world.server.url())).await.unwrap();
    let desk = Desk::new(ledger, "a".parse().unwrap(), world.cast.key("a")).unwrap();
    let mut arrivals = desk.arrivals().await.unwrap();
    let arrival = tokio::time::timeout(LONG, arrivals.next()).await.unwrap().unwrap();
    let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
    assert!(matches!(arrived.delivered, Delivered::NotSaid(_)), "it is shown all the same: {arrived:?}");
    world.ledger.set_up(&Shape::default()).await.unwrap();
    arrival.settle().await.unwrap();
    assert!(world.stands("tocsin.receipt.a.x.1.delivered").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_desks_clock_says_makes_nobody_in_time_and_nobody_late() {
    let world = World::start(Cast::new(&[seconds(8.0)]).required(&["fast", "slow"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let off = |hours| Clock::new(move || Timestamp::now() + SignedDuration::from_hours(hours));
    let _fast = world.desk_by(off(2), "fast", Manner::Acknowledges).await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    let claims: Receipt = world.fact("tocsin.receipt.fast.x.1.acknowledged").await;
    assert!(
        claims.at > Timestamp::now() + SignedDuration::from_hours(1),
        "it claims a time after the window's end"
    );
    world.entry("tocsin.finding.x.1.1").await;
    // It comes when the window has closed, and claims a time before the event.
    let _slow = world.desk_by(off(-2), "slow", Manner::Acknowledges).await;
    let claims: Receipt = world.fact("tocsin.receipt.slow.x.1.acknowledged").await;
    assert!(claims.at < Timestamp::now() - SignedDuration::from_hours(1));

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "fast"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "slow"), (Standing::Late, vec![1]));
}
