//! What a publisher owes, on a real bus: the broker holds its windows as it holds those of recipients.

use jiff::{SignedDuration, Timestamp};
use tocsin_protocol::{Contact, DutyDocument, Escalation, EscalationReason, EventKind, Finding, Overdue};
use tocsin_tests::{Cast, Manner, PUBLISHER, World, checker::Standing, event, seconds};

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
