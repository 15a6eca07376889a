//! Back-ups: what comes back is what was.

use std::{fs, time::Duration};

use tocsin_ledger::{Backup, Error, Shape, WorkOptions};
use tocsin_protocol::{SigningKey, Stream};

use crate::support::{Bus, fact, notice, raw, signed, so_many, soon, subjects, to_the_end, window, within};

async fn filled() -> Bus {
    let bus = Bus::start().await;
    let key = SigningKey::generate();
    for number in 1..=3 {
        let (subject, signed, body) = signed(&key, &format!("tocsin.incident.a.x.{number}"), "{}");
        bus.ledger.say(&subject, &signed, body).await.unwrap();
    }
    bus.ledger
        .append_all(&[fact("tocsin.dispatch.bt.x.1", "{}"), notice("a", 1), notice("b", 1)], Some(3))
        .await
        .unwrap();
    bus
}

#[tokio::test]
async fn what_is_restored_is_what_was_taken_with_its_sequences_times_and_headers() {
    let bus = filled().await;
    let before = to_the_end(&mut bus.ledger.follow().await.unwrap()).await;
    let dir = bus.store.path().join("backup");
    let taken = bus.ledger.back_up(&dir).await.unwrap();
    assert_eq!((taken.entries(Stream::Said), taken.entries(Stream::Log)), (3, 3));
    bus.ledger.append(&fact("tocsin.dispatch.bt.y.1", "{}"), Some(3)).await.unwrap();

    let other = Bus::without_streams().await;
    let backup = Backup::open(&dir).unwrap();
    within("a restore", other.ledger.restore(&backup, &Shape::default())).await.unwrap();
    assert_eq!(to_the_end(&mut other.ledger.follow().await.unwrap()).await, before);

    // It takes what comes next, once, and after what was.
    let next = fact("tocsin.dispatch.bt.y.1", "{}");
    other.ledger.append(&next, Some(3)).await.unwrap();
    other.ledger.append(&next, Some(3)).await.unwrap();
    let after = other.ledger.last(&"tocsin.dispatch.bt.y.1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(after.sequence, 4);
}

#[tokio::test]
async fn a_window_that_was_armed_closes_after_a_restore_at_its_time_or_at_once_where_that_has_passed() {
    let bus = filled().await;
    let (passed, coming) = (soon(Duration::from_secs(2)), soon(Duration::from_secs(8)));
    bus.ledger.append_all(&[window(1, passed), window(2, coming)], Some(3)).await.unwrap();
    let dir = bus.store.path().join("backup");
    bus.ledger.back_up(&dir).await.unwrap();
    within("the first window closes where it was armed", async {
        let due = ["tocsin.due.x.1.1".parse().unwrap()];
        bus.ledger.wait_for(&due, Duration::from_secs(30)).await.unwrap().unwrap();
    })
    .await;

    let other = Bus::without_streams().await;
    other.ledger.restore(&Backup::open(&dir).unwrap(), &Shape::default()).await.unwrap();
    let mut follow = other.ledger.follow().await.unwrap();
    // Three said, the dispatch, two notices; each window leaves when its `due` comes.
    let all = so_many(&mut follow, 8).await;
    let told = subjects(&all);
    for (due, at) in [("tocsin.due.x.1.1", passed), ("tocsin.due.x.2.1", coming)] {
        let due = match all.iter().find(|entry| entry.subject == due) {
            Some(entry) => entry.clone(),
            None => {
                within(due, async {
                    let wanted = [due.parse().unwrap()];
                    other.ledger.wait_for(&wanted, Duration::from_secs(30)).await.unwrap().unwrap()
                })
                .await
            }
        };
        assert!(due.time >= at, "{due:?} {told:?}");
    }
}

#[tokio::test]
async fn a_share_of_work_goes_on_after_a_restore_where_it_was() {
    let bus = filled().await;
    let options = WorkOptions { filter: "tocsin.notice.>".to_owned(), ..WorkOptions::default() };
    let mut work = bus.ledger.work(&options).await.unwrap();
    let first = within("work", work.next(1)).await.unwrap();
    assert_eq!(first[0].entry.subject, "tocsin.notice.a.x.1");
    first[0].done().await.unwrap();
    let dir = bus.store.path().join("backup");
    bus.ledger.back_up(&dir).await.unwrap();

    let other = Bus::without_streams().await;
    other.ledger.restore(&Backup::open(&dir).unwrap(), &Shape::default()).await.unwrap();
    let mut work = other.ledger.work(&options).await.unwrap();
    let next = within("work", work.next(1)).await.unwrap();
    assert_eq!(next[0].entry.subject, "tocsin.notice.b.x.1");
}

#[tokio::test]
async fn nothing_is_restored_over_what_is_there() {
    let bus = filled().await;
    let dir = bus.store.path().join("backup");
    let backup = bus.ledger.back_up(&dir).await.unwrap();
    let error = bus.ledger.restore(&backup, &Shape::default()).await.unwrap_err();
    assert!(matches!(error, Error::Occupied { stream: "TOCSIN_LOG", entries: 3, .. }), "{error}");
    insta::assert_snapshot!(error, @"stream TOCSIN_LOG is there already, with 3 entries: a restore never writes over a record: restore to a nats-server with an empty store_dir, and keep the store that is there");

    let other = Bus::start().await;
    let error = other.ledger.restore(&backup, &Shape::default()).await.unwrap_err();
    insta::assert_snapshot!(error, @"stream TOCSIN_SAID is there already, with 0 entries: it is empty, so remove it (`nats stream rm TOCSIN_SAID`, or stop nats-server and give it an empty store_dir); a restore makes both streams itself, and needs no `tocsin setup`");

    // One that broke off between the two streams is gone on with.
    let third = Bus::without_streams().await;
    third.ledger.restore(&backup, &Shape::default()).await.unwrap();
    raw(&third.server).await.delete_stream("TOCSIN_LOG").await.unwrap();
    third.ledger.restore(&backup, &Shape::default()).await.unwrap();
    assert_eq!(to_the_end(&mut third.ledger.follow().await.unwrap()).await.len(), 6);
}

#[tokio::test]
async fn a_backup_is_never_written_over_and_one_that_was_altered_is_not_restored() {
    let bus = filled().await;
    let dir = bus.store.path().join("backup");
    bus.ledger.back_up(&dir).await.unwrap();
    let why = bus.ledger.back_up(&dir).await.unwrap_err().to_string();
    assert!(why.contains("overwritten"), "{why}");

    let part = dir.join("TOCSIN_SAID.snapshot");
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&part, bytes).unwrap();
    let why = Backup::open(&dir).unwrap_err().to_string();
    assert!(why.contains("TOCSIN_SAID.snapshot") && why.contains("altered"), "{why}");
}

#[tokio::test]
async fn a_backup_of_streams_that_are_not_ours_is_refused() {
    let bus = Bus::without_streams().await;
    let dir = bus.store.path().join("backup");
    let error = bus.ledger.back_up(&dir).await.unwrap_err();
    assert!(matches!(error, Error::NoStream { .. }), "{error}");
    assert!(!dir.exists());
}
