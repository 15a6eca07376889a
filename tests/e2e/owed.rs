//! What a publisher owes, on a real bus: the broker holds its windows as it holds those of recipients.

use jiff::{SignedDuration, Timestamp};
use tocsin_protocol::{Contact, DutyDocument, Escalation, EscalationReason, EventKind, Finding, Overdue};
use tocsin_tests::{Cast, Finished, Manner, PUBLISHER, World, checker::Standing, event, seconds, until};

/// Two who must acknowledge, and a publisher who can be reminded.
fn cast() -> Cast {
    let mut cast = Cast::new(&[seconds(12.0)]).required(&["a", "b"]);
    let publisher = cast.document.publishers.iter_mut().find(|known| known.id.as_str() == PUBLISHER).unwrap();
    let duty =
        Contact { role: "Duty manager".to_owned(), email: "duty@operator.example".to_owned(), phone: None };
    publisher.contacts.insert("duty".to_owned(), duty);
    cast
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_was_promised_and_does_not_come_is_told_to_all_who_wait_for_it_and_its_publisher_is_written_to()
 {
    let world = World::start(cast()).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let _desks = (world.desk("a", Manner::Acknowledges).await, world.desk("b", Manner::Acknowledges).await);
    let mut first = event("x", 1, EventKind::Initial);
    first.next_update_by = Some(Timestamp::now() + SignedDuration::from_secs(2));
    world.publish(&first).await;
    // One whose promise is kept.
    let mut kept = event("y", 1, EventKind::Initial);
    kept.next_update_by = Some(Timestamp::now() + SignedDuration::from_secs(11));
    world.publish(&kept).await;
    world.publish(&event("y", 2, EventKind::Resolved)).await;

    let told: Overdue = world.fact("tocsin.notice.a.x.1.overdue.2").await;
    assert_eq!((told.promised_by, told.publisher.as_str()), (first.next_update_by.unwrap(), PUBLISHER));
    world.entry("tocsin.notice.b.x.1.overdue.2").await;
    let owed: Escalation = world.fact(&format!("tocsin.escalation.{PUBLISHER}.x.1.2")).await;
    assert_eq!(owed.reason, EscalationReason::Overdue);
    world.entry(&format!("tocsin.attempt.{PUBLISHER}.x.1.2.1.ended")).await;
    // What comes now stops nothing that went, and is late in the record.
    world.publish(&event("x", 2, EventKind::Resolved)).await;

    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.mails_to("duty@operator.example").len(), 1);
    assert_eq!(end.evidence.mails.len(), 1, "no recipient was silent, and the other promise was kept");
    assert_eq!(end.stood("x", 1, "a"), (Standing::InTime, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duty_by_telephone_is_done_by_the_calls_that_a_person_logs() {
    let mut cast = cast();
    let duty: DutyDocument = serde_json::from_value(serde_json::json!({
        "id": "first-notice", "what": "First notice, by telephone too", "stage": "initial", "from": "published",
        "within": "8s", "channels": ["telephone", "writing"],
    }))
    .unwrap();
    cast.document.policies[0].duties.push(duty);
    let world = World::start(cast).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let _desks = (world.desk("a", Manner::Acknowledges).await, world.desk("b", Manner::Acknowledges).await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    let key = world.seed_file(PUBLISHER);
    let call = |to: &'static str| {
        let key = key.to_str().unwrap().to_owned();
        let world = &world;
        async move {
            let words = ["called", "x", "--to", to, "--by", "A. Example", "--role", "duty manager"];
            let more =
                ["--spoke-to", "B. Example", "--their-role", "supervisor", "--as", PUBLISHER, "--key", &key];
            world.command(&[&words[..], &more[..]].concat()).await
        }
    };
    let (code, told) = call("a").await;
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = call("nobody").await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("recipient nobody is not in directory"), "{told}");
    let finding: Finding = world.fact("tocsin.finding.x.1.2").await;
    assert_eq!(finding.duty.unwrap().not_called, ["b".parse().unwrap()]);
    world.entry(&format!("tocsin.attempt.{PUBLISHER}.x.1.2.1.ended")).await;
    world.publish(&event("x", 2, EventKind::Resolved)).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(end.mails_to("duty@operator.example").len(), 1);
}

/// The same, and nobody is asked to acknowledge: an update is owed again and again, and each time reminded of.
fn repeated(every: &str, lasting: &str) -> Cast {
    let mut cast = cast();
    let duty = serde_json::json!({
        "id": "updates", "what": "An update every hour", "stage": "update", "from": "published", "within": every,
        "repeat": every, "for": lasting,
    });
    cast.document.policies[0].acknowledge.clear();
    cast.document.policies[0].duties.push(serde_json::from_value(duty).unwrap());
    cast
}

/// The reminders that its publisher was owed of `x`, each once, as the whole run has been checked.
fn reminders(end: &Finished) -> usize {
    let of_publisher = format!("tocsin.escalation.{PUBLISHER}.x.1.");
    end.evidence.log.iter().filter(|entry| entry.subject.starts_with(&of_publisher)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_interval_without_an_update_is_found_and_reminded_of_once_whichever_router_dies_between() {
    let world = World::start(repeated("300ms", "2400ms")).await;
    let notifier = world.notifier_here().await;
    let (mut router, mut second) = (world.router(), world.router());
    let _desks = (world.desk("a", Manner::Silent).await, world.desk("b", Manner::Silent).await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    // A router is killed as soon as a finding stands: the next window stands with it.
    for step in 1..=8 {
        let found: Finding = world.fact(&format!("tocsin.finding.x.1.{step}")).await;
        let duty = found.duty.unwrap();
        assert!(duty.repeated && duty.met_by.is_none(), "{duty:?}");
        assert_eq!(duty.again.map(|again| again.step.get()), (step < 8).then_some(step + 1));
        let dies = if step % 2 == 0 { &mut router } else { &mut second };
        std::mem::replace(dies, world.router()).kill();
    }
    world.entry(&format!("tocsin.attempt.{PUBLISHER}.x.1.8.1.ended")).await;
    world.publish(&event("x", 2, EventKind::Resolved)).await;
    let end = world.finish([router.into(), second.into(), notifier.into()]).await;
    assert_eq!(reminders(&end), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intervals_that_passed_while_no_router_was_alive_are_found_each_by_itself_when_one_comes() {
    let world = World::start(repeated("300ms", "900ms")).await;
    let (router, notifier) = (world.router(), world.notifier_here().await);
    let _desks = (world.desk("a", Manner::Silent).await, world.desk("b", Manner::Silent).await);
    world.publish(&event("x", 1, EventKind::Initial)).await;
    let begun = Timestamp::now();
    world.entry("tocsin.dispatch.operator.x.1").await;
    router.kill();
    until("the last of them is over", async || {
        let over = Timestamp::now().duration_since(begun) > SignedDuration::from_millis(900);
        over.then_some(()).ok_or_else(|| "time runs".to_owned())
    })
    .await;
    let router = world.router_here().await;
    world.entry(&format!("tocsin.attempt.{PUBLISHER}.x.1.3.1.ended")).await;
    world.publish(&event("x", 2, EventKind::Resolved)).await;
    let end = world.finish([router.into(), notifier.into()]).await;
    assert_eq!(reminders(&end), 3);
}
