//! Relays that refuse, hang, and cut the line.

use std::time::Duration;

use tocsin_notifier::sink::{Behaviour, Point, SinkOptions};
use tocsin_protocol::{AttemptEnded, Escalation, EscalationReason, EventKind, Outcome};
use tocsin_tests::{Cast, Finished, World, checker::Standing, event, seconds};

fn cast() -> Cast {
    Cast::new(&[seconds(0.5), seconds(5.0)]).required(&["a", "b"])
}

/// One event to `a`, whose relay behaves so, and to `b`, whose mails go through; both stay silent.
async fn silence(world: &World, behaviours: &[Behaviour]) -> Finished {
    world.relays[0].script("duty@a.example", behaviours.to_vec());
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    for recipient in ["a", "b"] {
        assert_eq!(end.stood("x", 1, recipient), (Standing::Silent, vec![1, 2]));
    }
    assert_eq!(end.mails_to("duty@b.example").len(), 1);
    assert_eq!(end.mails_to("senior@b.example").len(), 1);
    end
}

async fn ends(world: &World, count: u32) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for attempt in 1..=count {
        let ended: AttemptEnded = world.fact(&format!("tocsin.attempt.a.x.1.1.{attempt}.ended")).await;
        outcomes.push(ended.outcome);
    }
    assert!(!world.stands(&format!("tocsin.attempt.a.x.1.1.{}.begun", count + 1)).await, "one try too many");
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_answers_421_or_451_is_tried_again_until_it_takes_the_mail() {
    let world = World::start(cast()).await;
    let busy = [
        Behaviour::Reply(Point::Recipient, 421, "4.3.2 closing"),
        Behaviour::Reply(Point::Content, 451, "4.3.0 try later"),
        Behaviour::Accept,
    ];
    let end = silence(&world, &busy).await;
    assert_eq!(ends(&world, 3).await, [Outcome::Temporary, Outcome::Temporary, Outcome::Accepted]);
    assert_eq!(end.mails_to("duty@a.example").len(), 1);
    let ended: AttemptEnded = world.fact("tocsin.attempt.a.x.1.1.2.ended").await;
    assert_eq!((ended.code, ended.relay.as_str()), (Some(451), "relay-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_takes_no_mail_goes_on_to_the_next_contact_at_once() {
    let world = World::start(cast()).await;
    let end = silence(&world, &[Behaviour::Reply(Point::Recipient, 550, "5.1.1 no such user")]).await;
    assert_eq!(ends(&world, 1).await, [Outcome::Permanent]);
    let owed: Escalation = world.fact("tocsin.escalation.a.x.1.2").await;
    assert_eq!((owed.reason, owed.contact.as_str()), (EscalationReason::Unreachable, "senior"));
    let at = |subject: &str| end.evidence.log.iter().position(|entry| entry.subject == subject).unwrap();
    // At once: before the broker closed the second window, not because of it.
    assert!(at("tocsin.attempt.a.x.1.2.1.ended") < at("tocsin.due.x.1.2"));
    assert_eq!(end.mails_to("senior@a.example").len(), 1, "and the second window does not write again");
    assert_eq!(end.mails_to("duty@a.example").len(), 0);
    let other: Escalation = world.fact("tocsin.escalation.b.x.1.2").await;
    assert_eq!(other.reason, EscalationReason::Silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_refuses_our_password_is_its_own_fault_and_the_next_relay_is_used() {
    let locked = SinkOptions {
        login: Some(("tocsin".to_owned(), "the right one".to_owned())),
        ..SinkOptions::default()
    };
    let mut world = World::with_relays(cast(), [locked, SinkOptions::default()]).await;
    world.config.password = Some("the wrong one");
    let end = silence(&world, &[Behaviour::Accept]).await;
    let first: AttemptEnded = world.fact("tocsin.attempt.a.x.1.1.1.ended").await;
    let relayed = end
        .evidence
        .log
        .iter()
        .filter(|entry| String::from_utf8_lossy(&entry.body).contains("\"relay-fault\""))
        .count();
    assert!(relayed > 0, "{first:?}");
    assert_eq!((world.relays[0].counts().mails, world.relays[1].counts().mails), (0, 4));
    assert!(world.relays[0].counts().logins_refused > 0);
    let owed: Escalation = world.fact("tocsin.escalation.a.x.1.2").await;
    assert_eq!(owed.reason, EscalationReason::Silent, "the recipient was not taken for dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_hangs_before_the_mail_is_left_and_tried_again() {
    let mut world = World::start(cast()).await;
    world.config.timeout = "500ms";
    let end = silence(&world, &[Behaviour::Hang(Point::Data), Behaviour::Accept]).await;
    assert_eq!(ends(&world, 2).await, [Outcome::Temporary, Outcome::Accepted]);
    assert_eq!(end.mails_to("duty@a.example").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_lost_after_the_final_dot_leaves_an_unknown_that_is_sent_again_as_the_same_mail() {
    for lost in [Behaviour::Cut(Point::Taken), Behaviour::Hang(Point::Taken)] {
        let mut world = World::start(cast()).await;
        world.config.timeout = "500ms";
        let end = silence(&world, &[lost, Behaviour::Accept]).await;
        assert_eq!(ends(&world, 2).await, [Outcome::Unknown, Outcome::Accepted]);
        let mails = end.mails_to("duty@a.example");
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[0].message_id, mails[1].message_id);
        assert_eq!(end.opinion.repeated, 1);
        let totals = end.reports["x"].totals;
        assert_eq!((totals.mails_unknown, totals.mails_repeated), (1, 1), "and the report says so");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_cuts_the_line_before_the_mail_loses_nothing_and_repeats_nothing() {
    let world = World::start(cast()).await;
    let cuts = [Behaviour::Cut(Point::Recipient), Behaviour::Cut(Point::Data), Behaviour::Accept];
    let end = silence(&world, &cuts).await;
    assert_eq!(ends(&world, 3).await, [Outcome::Temporary, Outcome::Temporary, Outcome::Accepted]);
    assert_eq!(end.mails_to("duty@a.example").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_whose_need_ends_while_no_relay_takes_it_is_stood_down() {
    let world = World::start(cast()).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    world.relays[0].script("duty@a.example", [Behaviour::Reply(Point::Recipient, 451, "4.2.1 later")]);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    world.entry("tocsin.attempt.a.x.1.1.1.ended").await;
    world.acknowledge("a", "x", 1).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.stood("x", 1, "a"), (Standing::Late, vec![1]));
    assert_eq!(end.mails_to("duty@a.example").len(), 0);
    let stood_down = end
        .evidence
        .log
        .iter()
        .filter(|e| e.subject.starts_with("tocsin.attempt.a."))
        .any(|e| String::from_utf8_lossy(&e.body).contains("\"stood-down\""));
    assert!(stood_down);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_relay_keeps_nobody_else_waiting() {
    let world = World::start(cast()).await;
    let slow = [Behaviour::Delay(Duration::from_secs(4)), Behaviour::Accept];
    let end = silence(&world, &slow).await;
    assert_eq!(ends(&world, 1).await, [Outcome::Accepted]);
    let at = |subject: &str| end.evidence.log.iter().position(|entry| entry.subject == subject).unwrap();
    assert!(at("tocsin.attempt.b.x.1.1.1.ended") < at("tocsin.attempt.a.x.1.1.1.ended"));
}
