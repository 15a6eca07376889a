use std::time::Duration;

use tocsin_ledger::{Job, NOTIFIER_WORK, Progress, Seen, Watch, WorkOptions};

use crate::support::{Bus, connect, fact, within};

#[tokio::test]
async fn a_reader_that_stands_while_something_waits_is_seen_and_one_that_has_nothing_to_do_is_not() {
    let mut bus = Bus::start().await;
    let progress = Progress::default();
    let mut watch = Watch::new(bus.ledger.clone(), progress.clone(), Job::Reading);
    assert_eq!((watch.look().await, watch.look().await), (Seen::GetsOn, Seen::GetsOn));

    bus.ledger.append(&fact("tocsin.dispatch.bt.x.1", "{}"), Some(0)).await.unwrap();
    assert_eq!(watch.look().await, Seen::GetsOn, "it waits since now");
    assert_eq!(watch.look().await, Seen::Stands);
    // It works, and is not at the end yet.
    progress.turned();
    assert_eq!(watch.look().await, Seen::GetsOn);
    assert_eq!(watch.look().await, Seen::Stands);
    progress.read_through(0, 1);
    assert_eq!((watch.look().await, watch.look().await), (Seen::GetsOn, Seen::GetsOn));

    // A bus that is away is nobody's fault.
    bus.ledger.append(&fact("tocsin.dispatch.bt.x.2", "{}"), Some(0)).await.unwrap();
    bus.server.kill().await.unwrap();
    assert_eq!((watch.look().await, watch.look().await), (Seen::Unknown, Seen::Unknown));
}

#[tokio::test]
async fn a_worker_that_takes_nothing_while_work_waits_is_seen() {
    let bus = Bus::start().await;
    for name in NOTIFIER_WORK {
        let options = WorkOptions { name: name.to_owned(), ..WorkOptions::default() };
        bus.ledger.work(&options).await.unwrap();
    }
    let options = WorkOptions { name: NOTIFIER_WORK[3].to_owned(), ..WorkOptions::default() };
    let mut work = connect(&bus.server).await.work(&options).await.unwrap();
    let progress = Progress::default();
    let mut watch = Watch::new(bus.ledger.clone(), progress.clone(), Job::Working);
    assert_eq!((watch.look().await, watch.look().await), (Seen::GetsOn, Seen::GetsOn));
    bus.ledger.append(&fact("tocsin.escalation.a.x.1.1", "{}"), Some(0)).await.unwrap();
    assert_eq!((watch.look().await, watch.look().await), (Seen::GetsOn, Seen::Stands));
    within("work", work.next(1)).await.unwrap();
    for name in &NOTIFIER_WORK[..3] {
        let options = WorkOptions { name: (*name).to_owned(), ..WorkOptions::default() };
        let mut work = connect(&bus.server).await.work(&options).await.unwrap();
        within("work", work.next(1)).await.unwrap();
    }
    assert_eq!((watch.look().await, watch.look().await), (Seen::GetsOn, Seen::GetsOn));
}

#[tokio::test]
async fn who_waits_for_a_service_is_told_once_it_is_ready() {
    let progress = Progress::default();
    let early = tokio::time::timeout(Duration::from_millis(20), progress.until_ready()).await;
    assert!(early.is_err());
    progress.ready();
    within("ready", progress.until_ready()).await;
}
