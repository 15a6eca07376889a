use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use tocsin_ledger::{Error, Shape};
use tocsin_protocol::{RecipientId, SigningKey, Stream};

use crate::support::{Bus, connect, connect_as, notice, within};

fn a() -> RecipientId {
    RecipientId::new("a").unwrap()
}

#[tokio::test]
async fn a_recipient_without_a_durable_is_told_what_to_do() {
    let bus = Bus::start().await;
    let error = bus.ledger.notices(&a()).await.unwrap_err();
    assert!(matches!(error, Error::NoConsumer { .. }), "{error}");
    assert!(error.to_string().contains("tocsin directory show"), "{error}");
}

#[tokio::test]
async fn a_desk_that_was_away_has_what_waited_in_order_and_then_what_comes() {
    let bus = Bus::start().await;
    bus.ledger.ensure_desks(&[a()]).await.unwrap();
    bus.ledger.ensure_desks(&[a(), RecipientId::new("b").unwrap()]).await.unwrap();
    for event in 1..=150 {
        bus.ledger.append_all(&[notice("a", event), notice("b", event)], None).await.unwrap();
    }
    let mut notices = bus.ledger.notices(&a()).await.unwrap();
    for event in 1..=150 {
        let held = within("a notice that waited", notices.next()).await.unwrap();
        assert_eq!(held.entry.subject, format!("tocsin.notice.a.x.{event}"));
        held.settle().await.unwrap();
    }
    bus.ledger.append(&notice("a", 151), None).await.unwrap();
    let held = within("a notice that came", notices.next()).await.unwrap();
    assert_eq!(held.entry.subject, "tocsin.notice.a.x.151");
}

#[tokio::test]
async fn a_connected_desk_is_woken_and_need_not_ask() {
    let bus = Bus::start().await;
    bus.ledger.ensure_desks(&[a()]).await.unwrap();
    let mut notices = bus.ledger.notices(&a()).await.unwrap();
    bus.ledger.append(&notice("a", 1), None).await.unwrap();
    within("the first", notices.next()).await.unwrap();
    // The durable is looked at every ten seconds; a wake comes at once. Of five, one is quick on any machine.
    let mut quickest = Duration::MAX;
    for event in 2..=6 {
        bus.ledger.append(&notice("a", event), None).await.unwrap();
        let begun = Instant::now();
        within("the next", notices.next()).await.unwrap();
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}

/// A bus, and the key of a user there who hears no wake: as when each is lost on its way.
async fn deaf() -> (Bus, String) {
    let (all, deaf) = (SigningKey::generate(), SigningKey::generate());
    let users = format!(
        "accounts {{ BUS {{ jetstream: enabled, users: [{{ nkey: {} }}, {{ nkey: {}, permissions: {{ \
         publish: \">\", subscribe: {{ allow: \">\", deny: \"tocsin.wake.>\" }} }} }}] }} }}",
        all.public(),
        deaf.public()
    );
    let bus = Bus::guarded(users, all.seed().unwrap()).await;
    bus.ledger.set_up(&Shape::default()).await.unwrap();
    (bus, deaf.seed().unwrap())
}

#[tokio::test]
async fn a_desk_that_no_wake_reaches_has_every_notice_all_the_same() {
    let (bus, seed) = deaf().await;
    bus.ledger.ensure_desks(&[a()]).await.unwrap();
    let raw = async_nats::ConnectOptions::with_nkey(seed.clone()).connect(bus.server.url()).await.unwrap();
    let mut wakes = raw.subscribe("tocsin.wake.>").await.unwrap();
    let desk = connect_as(&bus.server, Some(seed)).await;
    let mut notices = desk.notices(&a()).await.unwrap();
    for event in 1..=3 {
        bus.ledger.append(&notice("a", event), None).await.unwrap();
    }
    for event in 1..=3 {
        let held = within("a notice", notices.next()).await.unwrap();
        assert_eq!(held.entry.subject, format!("tocsin.notice.a.x.{event}"));
    }
    raw.flush().await.unwrap();
    assert!(wakes.next().now_or_never().is_none(), "it was woken, and nothing is proved");
}

#[tokio::test]
async fn no_notice_is_lost_while_the_broker_dies_and_comes_back() {
    let mut bus = Bus::start().await;
    bus.ledger.ensure_desks(&[a()]).await.unwrap();
    let desk = connect(&bus.server).await;
    let mut notices = desk.notices(&a()).await.unwrap();
    let mut seen = Vec::new();
    for event in 1..=12 {
        if event % 3 == 0 {
            bus.server.restart().await.unwrap();
        }
        bus.ledger.append(&notice("a", event), None).await.unwrap();
        let held = within(&format!("notice {event}"), notices.next()).await.unwrap();
        let _ = held.settle().await;
        seen.push(held.entry.subject.clone());
    }
    let expected: Vec<_> = (1..=12).map(|event| format!("tocsin.notice.a.x.{event}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(bus.ledger.entries(Stream::Log, &["tocsin.notice.>".to_owned()]).await.unwrap().len(), 12);
}

#[tokio::test]
async fn a_stranger_on_the_wake_subject_puts_no_notice_on_the_log() {
    let bus = Bus::start().await;
    bus.ledger.ensure_desks(&[a()]).await.unwrap();
    let mut notices = bus.ledger.notices(&a()).await.unwrap();
    let client = async_nats::connect(bus.server.url()).await.unwrap();
    client.publish("tocsin.wake.a.x.1", "junk".into()).await.unwrap();
    client.flush().await.unwrap();
    bus.ledger.append(&notice("a", 2), None).await.unwrap();
    let held = within("the true one", notices.next()).await.unwrap();
    assert_eq!(held.entry.subject, "tocsin.notice.a.x.2");
}
