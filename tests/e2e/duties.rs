//! Who is asked, who answers, and what follows when nobody does.

use tocsin_protocol::{EventKind, Finding, Notice, Platform, Requirement, Status};
use tocsin_tests::{Cast, Gate, Manner, World, checker::Standing, event, seconds};

/// Windows that nobody is to meet.
fn hasty() -> Cast {
    Cast::new(&[seconds(1.0), seconds(2.0)])
}

/// Windows that somebody is to meet, on a slow machine too.
fn calm() -> Cast {
    Cast::new(&[seconds(4.0), seconds(5.0)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_acknowledges_in_time_is_never_written_to() {
    let world = World::start(calm().required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let _desks = (world.desk("a", Manner::Acknowledges).await, world.desk("b", Manner::Acknowledges).await);
    world.publish(&event("x", 1, EventKind::Initial)).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "b"), (Standing::InTime, vec![]));
    assert!(end.row("x", 1, "a").delivered_at.is_some());
    assert_eq!((end.evidence.mails.len(), end.count("tocsin.finding.")), (0, 2));
    assert_eq!(end.reports["x"].totals.acknowledged_in_time, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_late_is_written_to_and_the_acknowledgement_stops_every_later_step() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(6.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let gate = Gate::new();
    let _desk = world.desk("a", Manner::AcknowledgesOnce(gate.clone())).await;
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.attempt.a.x.1.1.1.ended").await;
    gate.open();

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::Late, vec![1]));
    assert_eq!((end.mails_to("duty@a.example").len(), end.evidence.mails.len()), (1, 1));
    let second: Finding = world.fact("tocsin.finding.x.1.2").await;
    assert_eq!((second.acknowledged, second.silent.len()), (1, 0));
    let totals = end.reports["x"].totals;
    assert_eq!((totals.acknowledged_late, totals.escalated, totals.neither), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stays_silent_is_written_to_at_every_step_and_the_informed_never_are() {
    let world = World::start(hasty().required(&["a"]).informed(&["water", "power"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let desks = [world.desk("a", Manner::Silent).await, world.desk("water", Manner::Silent).await];
    world.publish(&event("x", 1, EventKind::Initial)).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.stood("x", 1, "water"), (Standing::NotAsked, vec![]));
    assert_eq!(end.stood("x", 1, "power"), (Standing::NotAsked, vec![]));
    assert_eq!(end.mails_to("duty@a.example").len(), 1);
    assert_eq!(end.mails_to("senior@a.example").len(), 1);
    assert_eq!(end.evidence.mails.len(), 2);
    let notice: Notice = world.fact("tocsin.notice.water.x.1").await;
    assert_eq!((notice.requirement, notice.acknowledge, notice.due_at), (Requirement::Informed, false, None));
    assert_eq!(desks[1].seen().len(), 1, "it was told");
    assert!(
        end.row("x", 1, "water").delivered_at.is_some() && end.row("x", 1, "power").delivered_at.is_none()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_of_a_later_event_covers_the_earlier_ones() {
    let world = World::start(calm().required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.publish(&event("x", 2, EventKind::Update)).await;
    world.entry("tocsin.notice.a.x.2").await;
    world.acknowledge("a", "x", 2).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 2, "a"), (Standing::NotAsked, vec![]));
    assert_eq!(end.evidence.mails.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worsening_is_asked_anew_and_the_earlier_acknowledgement_does_not_cover_it() {
    let world = World::start(calm().required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let mut first = event("x", 1, EventKind::Initial);
    first.platform = Some(Platform::Backup);
    world.publish(&first).await;
    world.acknowledge("a", "x", 1).await;
    world.acknowledge("b", "x", 1).await;
    let mut worse = event("x", 2, EventKind::Update);
    worse.platform = Some(Platform::None);
    world.publish(&worse).await;
    world.acknowledge("b", "x", 2).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 2, "a"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.stood("x", 2, "b"), (Standing::InTime, vec![]));
    assert_eq!(end.evidence.mails.len(), 2);
    assert_eq!(end.reports["x"].events[1].worsened.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolved_or_cancelled_event_stops_escalation_and_the_finding_says_so() {
    let world = World::start(calm().required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    for (incident, kind) in [("x", EventKind::Resolved), ("y", EventKind::Cancelled)] {
        world.publish(&event(incident, 1, EventKind::Initial)).await;
        world.publish(&event(incident, 2, kind)).await;
    }

    let end = world.finish([router.into(), notifier.into()]).await;
    for (incident, kind) in [("x", EventKind::Resolved), ("y", EventKind::Cancelled)] {
        assert_eq!(end.stood(incident, 1, "a"), (Standing::Excused, vec![]));
        for step in [1, 2] {
            let finding: Finding = world.fact(&format!("tocsin.finding.{incident}.1.{step}")).await;
            let stopped = finding.stopped_by.unwrap();
            assert_eq!((stopped.event.get(), stopped.kind), (2, kind));
            assert_eq!(finding.silent.len(), 1, "it says who had not answered all the same");
        }
    }
    assert_eq!((end.evidence.mails.len(), end.count("tocsin.escalation.")), (0, 0));
    world.owes_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_that_is_over_between_two_steps_is_not_taken_further() {
    let world = World::start(Cast::new(&[seconds(1.0), seconds(6.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.attempt.a.x.1.1.1.ended").await;
    world.publish(&event("x", 2, EventKind::Resolved)).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::Silent, vec![1]));
    assert_eq!(end.mails_to("senior@a.example").len(), 0);
    let second: Finding = world.fact("tocsin.finding.x.1.2").await;
    assert_eq!(second.stopped_by.map(|by| by.event.get()), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exercise_behaves_as_actual_is_marked_everywhere_and_never_mixed_with_it() {
    let world = World::start(Cast::new(&[seconds(3.0), seconds(4.0)]).required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let desk = world.desk("a", Manner::Silent).await;
    for (incident, status) in
        [("real", Status::Actual), ("drill", Status::Exercise), ("line-test", Status::Test)]
    {
        let mut said = event(incident, 1, EventKind::Initial);
        said.status = status;
        world.publish(&said).await;
    }
    // The word that the exercise has arrived must not pass for the word that the failure has.
    world.acknowledge("a", "drill", 1).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("drill", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("real", 1, "a"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.stood("line-test", 1, "a"), (Standing::NotAsked, vec![]), "a test wakes nobody");
    assert_eq!(end.evidence.mails.len(), 2);
    for mail in &end.evidence.mails {
        assert!(mail.subject.contains("real"), "{}", mail.subject);
        assert!(!mail.subject.contains("EXERCISE") && !mail.subject.contains("TEST"), "{}", mail.subject);
    }
    for notice in desk.notices() {
        let of = |incident: &str| notice.notice.incident.as_str() == incident;
        let status = if of("real") {
            Status::Actual
        } else if of("drill") {
            Status::Exercise
        } else {
            Status::Test
        };
        assert_eq!(notice.notice.status, status);
    }
    assert_eq!(end.reports["drill"].incident.status, Status::Exercise);
    assert_eq!(end.reports["real"].incident.status, Status::Actual);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mail_of_an_exercise_says_so_before_anything_else() {
    let world = World::start(hasty().required(&["a"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let mut said = event("drill", 1, EventKind::Initial);
    said.status = Status::Exercise;
    world.publish(&said).await;
    // An incident does not change between exercise and actual: nobody could tell what they had been told.
    let mut real = event("drill", 2, EventKind::Update);
    real.status = Status::Actual;
    world.publish(&real).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.evidence.mails.len(), 2);
    for mail in &end.evidence.mails {
        let banner = "EXERCISE EXERCISE EXERCISE";
        assert!(mail.subject.starts_with(banner), "{}", mail.subject);
        assert!(mail.text.contains(banner) && mail.html.contains(banner), "{}", mail.text);
    }
    assert_eq!(end.reports["drill"].events.len(), 1);
    let codes: Vec<_> = end.reports["drill"].refusals.iter().map(|refusal| refusal.code).collect();
    assert_eq!(codes, [tocsin_protocol::RefusalCode::StatusChanged]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_incidents_at_once_do_not_touch_each_other() {
    let world = World::start(calm().required(&["a", "b"])).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.publish(&event("y", 1, EventKind::Initial)).await;
    world.acknowledge("a", "x", 1).await;
    world.acknowledge("b", "y", 1).await;
    world.publish(&event("y", 2, EventKind::Update)).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
    assert_eq!(end.stood("x", 1, "b"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.stood("y", 1, "a"), (Standing::Silent, vec![1, 2]));
    assert_eq!(end.stood("y", 1, "b"), (Standing::InTime, vec![]));
    assert_eq!(end.evidence.mails.len(), 4);
    assert_eq!((end.reports["x"].events.len(), end.reports["y"].events.len()), (1, 2));
}
