//! A desk on a real nats-server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

mod support;

use std::time::Duration;

use support::{Bus, KIND_UPDATE, person};
use tocsin_desk::{AcknowledgeOn, Content, Delivered, EXIT_ACKNOWLEDGED, Ended, Error, Program, Standing};
use tocsin_protocol::{Entry, Receipt, SigningKey, Stream, from_body};

#[tokio::test]
async fn a_desk_that_was_away_catches_up_in_order_and_tells_what_is_superseded() {
    let bus = Bus::start().await;
    let first = bus.notice("a", 1, "initial").await;
    bus.notice("b", 1, "initial").await;
    bus.notice("a", 2, KIND_UPDATE).await;
    let desk = bus.desk();
    let mut arrivals = desk.arrivals().await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let arrival = bus.within(arrivals.next()).await.unwrap();
        let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
        let newer = arrived.superseded_by.map(tocsin_protocol::EventNumber::get);
        seen.push((arrived.read.notice.incident.to_string(), arrived.read.notice.event.get(), newer));
        assert!(matches!(arrived.delivered, Delivered::Said(_)), "{:?}", arrived.delivered);
        arrival.settle().await.unwrap();
    }
    assert_eq!(seen, [("a".to_owned(), 1, Some(2)), ("b".to_owned(), 1, None), ("a".to_owned(), 2, None)]);
    // What was settled is not given out again, and what comes now is.
    drop(arrivals);
    let mut arrivals = desk.arrivals().await.unwrap();
    bus.notice("a", 3, KIND_UPDATE).await;
    let arrival = bus.within(arrivals.next()).await.unwrap();
    let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
    assert_eq!(arrived.read.notice.event.get(), 3);
    assert!(arrived.is_news());
    assert!(first.sequence < arrived.read.sequence);
}

#[tokio::test]
async fn how_an_incident_went_before_a_notice_is_known_by_the_notices_before_it() {
    let bus = Bus::start().await;
    for (event, kind) in [(1, "initial"), (2, "resolved"), (3, KIND_UPDATE), (4, KIND_UPDATE)] {
        bus.notice("a", event, kind).await;
    }
    bus.notice("b", 1, "initial").await;
    let mut arrivals = bus.desk().arrivals().await.unwrap();
    let mut before = Vec::new();
    for _ in 0..5 {
        let arrival = bus.within(arrivals.next()).await.unwrap();
        let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
        before.push(arrived.before.as_str());
        arrival.settle().await.unwrap();
    }
    assert_eq!(before, ["open", "open", "resolved", "resolved", "open"]);
}

#[tokio::test]
async fn delivered_is_said_at_once_and_once() {
    let bus = Bus::start().await;
    let desk = bus.desk();
    let mut arrivals = desk.arrivals().await.unwrap();
    bus.notice("a", 1, "initial").await;
    let arrival = bus.within(arrivals.next()).await.unwrap();
    let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
    let Delivered::Said(at) = arrived.delivered else { panic!("{:?}", arrived.delivered) };
    // It stands on the bus before the notice is settled or shown.
    let receipts = bus.said("tocsin.receipt.>").await;
    assert_eq!(receipts.len(), 1);
    assert_eq!(
        (receipts[0].subject.as_str(), receipts[0].time),
        ("tocsin.receipt.pol-kent.a.1.delivered", at)
    );
    // A second desk of the same recipient, or the same one after a crash, does not say it again.
    drop(arrivals);
    let other = bus.desk();
    let mut arrivals = other.arrivals().await.unwrap();
    let again = bus.within(arrivals.next()).await.unwrap();
    let Content::Notice(arrived) = &again.content else { panic!("{again:?}") };
    assert_eq!(arrived.delivered, Delivered::Before(at));
    assert!(!arrived.is_news());
    assert_eq!(bus.said("tocsin.receipt.>").await.len(), 1);
}

#[tokio::test]
async fn an_acknowledgement_given_twice_ends_as_one() {
    let bus = Bus::start().await;
    bus.notice("a", 1, "initial").await;
    bus.notice("a", 2, KIND_UPDATE).await;
    let (desk, other) = (bus.desk(), bus.desk());
    let incident = "a".parse().unwrap();
    // At the same moment, by two people.
    let (one, two) = (person("A. Example"), person("B. Example"));
    let (first, second) =
        tokio::join!(desk.acknowledge(&incident, None, &one), other.acknowledge(&incident, None, &two));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.event.get(), second.event.get()), (2, 2), "the newest event");
    let third = desk.acknowledge(&incident, None, &one).await.unwrap();
    let Standing::Earlier(receipt) = &third.standing else { panic!("{third:?}") };
    assert!(receipt.by.is_some());
    assert_eq!(third.in_time(), Some(true));
    assert!(third.to_string().contains("given before"), "{third}");
    let receipts = bus.said("tocsin.receipt.*.*.*.acknowledged").await;
    // Of two that raced both may stand, and the first of them counts; nothing is added afterwards.
    assert!((1..=2).contains(&receipts.len()), "{receipts:?}");
    assert!(receipts.iter().any(|entry| entry.sequence == third.position.sequence));
    assert!(receipts.iter().all(|entry| entry.subject == "tocsin.receipt.pol-kent.a.2.acknowledged"));
}

#[tokio::test]
async fn what_this_recipient_was_not_told_cannot_be_acknowledged() {
    let bus = Bus::start().await;
    bus.notice("a", 1, "initial").await;
    let desk = bus.desk();
    let unknown = desk.acknowledge(&"b".parse().unwrap(), None, &person("A. Example")).await.unwrap_err();
    assert!(matches!(unknown, Error::NoNotice { .. }), "{unknown}");
    let later = tocsin_protocol::EventNumber::new(2);
    let unknown = desk.acknowledge(&"a".parse().unwrap(), later, &person("A. Example")).await.unwrap_err();
    assert!(matches!(unknown, Error::NoNotice { .. }), "{unknown}");
    let nobody = desk.acknowledge(&"a".parse().unwrap(), None, &person("")).await.unwrap_err();
    assert!(matches!(nobody, Error::Invalid { .. }), "{nobody}");
    assert_eq!(bus.said("tocsin.receipt.>").await, []);
}

#[tokio::test]
async fn a_forged_notice_is_neither_delivered_nor_acknowledged_and_wedges_nothing() {
    let bus = Bus::start().await;
    bus.forged("a", 1).await;
    bus.junk("a", 2).await;
    bus.notice("b", 1, "initial").await;
    let desk = bus.desk();
    let mut arrivals = desk.arrivals().await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        let arrival = bus.within(arrivals.next()).await.unwrap();
        told.push(match &arrival.content {
            Content::Unfit(unfit) => unfit.to_string(),
            Content::Overdue(overdue) => overdue.overdue.incident.to_string(),
            Content::Notice(arrived) => arrived.read.notice.incident.to_string(),
        });
        arrival.settle().await.unwrap();
    }
    assert!(told[0].contains("is not signed by the author"), "{told:?}");
    assert!(told[1].contains("cannot be read"), "{told:?}");
    assert_eq!(told[2], "b");
    let refused = desk.acknowledge(&"a".parse().unwrap(), None, &person("A. Example")).await.unwrap_err();
    assert!(matches!(refused, Error::Unfit(_)), "{refused}");
    let subjects: Vec<_> =
        bus.said("tocsin.receipt.>").await.into_iter().map(|entry| entry.subject).collect();
    assert_eq!(subjects, ["tocsin.receipt.pol-kent.b.1.delivered"]);
}

#[tokio::test]
async fn a_program_acknowledges_by_its_exit_code() {
    let bus = Bus::start().await;
    bus.notice("a", 1, "initial").await;
    let desk = bus.desk();
    let mut arrivals = desk.arrivals().await.unwrap();
    let arrival = bus.within(arrivals.next()).await.unwrap();
    let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
    let program = |code: i32| Program {
        path: "/bin/sh".into(),
        arguments: ["-c".into(), format!("cat >/dev/null; exit {code}").into()].to_vec(),
        timeout: Duration::from_mins(1),
        acknowledge: AcknowledgeOn::Code,
    };
    let handed = desk.hand_over(arrived, &program(0), &person("A. Example")).await;
    assert_eq!((&handed.ended, handed.acknowledged.is_some()), (&Ended::Code(0), false));
    assert_eq!(bus.said("tocsin.receipt.*.*.*.acknowledged").await, []);
    let handed = desk.hand_over(arrived, &program(EXIT_ACKNOWLEDGED), &person("A. Example")).await;
    assert_eq!(handed.acknowledged.unwrap().unwrap().standing, Standing::New);
    assert_eq!(bus.said("tocsin.receipt.*.*.*.acknowledged").await.len(), 1);
}

#[tokio::test]
async fn what_was_not_acknowledged_before_is_found_again() {
    let bus = Bus::start().await;
    for (incident, event, kind) in
        [("a", 1, "initial"), ("b", 1, "initial"), ("b", 2, "resolved"), ("c", 1, "initial")]
    {
        bus.notice(incident, event, kind).await;
    }
    let desk = bus.desk();
    desk.acknowledge(&"c".parse().unwrap(), None, &person("A. Example")).await.unwrap();
    let open = desk.unacknowledged().await.unwrap();
    let open: Vec<_> =
        open.iter().map(|read| (read.notice.incident.as_str(), read.notice.event.get())).collect();
    // The notice of b's end asks for an acknowledgement here; its first event does not any more.
    assert_eq!(open, [("a", 1), ("b", 2)]);
}

#[tokio::test]
async fn a_desk_outlives_its_bus() {
    let mut bus = Bus::start().await;
    let desk = bus.desk();
    let mut arrivals = desk.arrivals().await.unwrap();
    bus.notice("a", 1, "initial").await;
    bus.within(arrivals.next()).await.unwrap().settle().await.unwrap();
    bus.server.restart().await.unwrap();
    bus.notice("a", 2, KIND_UPDATE).await;
    let arrival = bus.within(arrivals.next()).await.unwrap();
    let Content::Notice(arrived) = &arrival.content else { panic!("{arrival:?}") };
    assert_eq!(arrived.read.notice.event.get(), 2);
    let receipts = bus.said("tocsin.receipt.*.*.*.delivered").await;
    assert_eq!(receipts.len(), 2, "{receipts:?}");
}

#[tokio::test]
async fn a_refused_acknowledgement_is_told_and_does_not_stand_in_the_way() {
    let bus = Bus::start().await;
    bus.notice("a", 1, "initial").await;
    let desk = bus.desk();
    let incident = "a".parse().unwrap();
    let first = desk.acknowledge(&incident, None, &person("A. Example")).await.unwrap();
    assert_eq!(desk.refusal(&first, Duration::from_millis(50)).await.unwrap(), None);
    bus.refuse(first.position.sequence).await;
    let refusal = desk.refusal(&first, Duration::from_secs(10)).await.unwrap().unwrap();
    assert_eq!(refusal.said, first.position.sequence);
    let read = desk.unacknowledged().await.unwrap();
    assert!(read.is_empty(), "the router's word on the receipt is not asked for there");
    let again = desk.acknowledge(&incident, None, &person("B. Example")).await.unwrap();
    assert_eq!(again.standing, Standing::Beside);
    assert_eq!(desk.refusal(&again, Duration::ZERO).await.unwrap(), None);
    assert_eq!(bus.ledger.entries(Stream::Said, &["tocsin.receipt.>".to_owned()]).await.unwrap().len(), 2);
}

fn witnessed(entry: &Entry) -> Option<String> {
    from_body::<Receipt>("receipt", &entry.body).unwrap().checkpoint
}

#[tokio::test]
async fn every_receipt_repeats_the_newest_checkpoint_that_the_desk_has_seen() {
    let bus = Bus::start().await;
    bus.checkpoint(7).await;
    let newest = bus.checkpoint(9).await;
    bus.notice("a", 1, "initial").await;
    let desk = bus.desk();
    let mut arrivals = desk.arrivals().await.unwrap();
    bus.within(arrivals.next()).await.unwrap();
    desk.acknowledge(&"a".parse().unwrap(), None, &person("A. Example")).await.unwrap();
    let receipts = bus.said("tocsin.receipt.>").await;
    assert_eq!(receipts.iter().map(witnessed).collect::<Vec<_>>(), [Some(newest.clone()), Some(newest)]);
}

#[tokio::test]
async fn a_desk_that_may_not_read_checkpoints_says_its_receipts_without() {
    let [admin, barred, narrow] = [(); 3].map(|()| SigningKey::generate());
    let users = r#"authorization { users = [
        { nkey: ADMIN }
        { nkey: BARRED, permissions: {
            publish: { deny: "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.checkpoint.>" } } }
        { nkey: NARROW, permissions: { subscribe: "_INBOX.>", publish: [
            "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.checkpoint.*", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.notice.>",
            "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.pol-kent.*", "$JS.API.DIRECT.GET.TOCSIN_SAID.>",
            "tocsin.receipt.pol-kent.>"] } }
    ] }"#;
    let users = users
        .replace("ADMIN", &admin.public())
        .replace("BARRED", &barred.public())
        .replace("NARROW", &narrow.public());
    let bus = Bus::start_with(Some(&users), Some(&admin)).await;
    let newest = bus.checkpoint(9).await;
    bus.notice("a", 1, "initial").await;
    bus.notice("a", 2, KIND_UPDATE).await;
    let (incident, by) = ("a".parse().unwrap(), person("A. Example"));
    let denied = bus.desk_as(&barred).await;
    denied.acknowledge(&incident, Some("1".parse().unwrap()), &by).await.unwrap();
    let allowed = bus.desk_as(&narrow).await;
    allowed.acknowledge(&incident, Some("2".parse().unwrap()), &by).await.unwrap();
    let receipts = bus.said("tocsin.receipt.>").await;
    assert_eq!(receipts.iter().map(witnessed).collect::<Vec<_>>(), [None, Some(newest)]);
}
