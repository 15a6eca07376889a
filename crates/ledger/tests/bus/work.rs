use std::{collections::BTreeMap, time::Duration};

use tocsin_ledger::WorkOptions;

use crate::support::{Bus, connect, fact, within};

fn escalation(n: u32) -> tocsin_protocol::NewFact {
    fact(&format!("tocsin.escalation.r{n}.x.1.1"), "{}")
}

#[tokio::test]
async fn two_who_share_the_work_are_each_given_a_part() {
    let bus = Bus::start().await;
    let facts: Vec<_> = (1..=200).map(escalation).collect();
    bus.ledger.append_all(&facts, None).await.unwrap();
    let mut first = bus.ledger.work(&WorkOptions::default()).await.unwrap();
    let mut second = connect(&bus.server).await.work(&WorkOptions::default()).await.unwrap();
    let mut given: BTreeMap<String, u32> = BTreeMap::new();
    within("all of the work", async {
        while given.len() < 200 {
            let items = tokio::select! {
                items = first.next(20) => items,
                items = second.next(20) => items,
            };
            for item in items.unwrap() {
                item.done().await.unwrap();
                *given.entry(item.entry.subject.clone()).or_default() += 1;
            }
        }
    })
    .await;
    assert!(given.values().all(|times| *times == 1), "{given:?}");
}

#[tokio::test]
async fn what_is_not_done_is_given_out_again_and_what_is_put_off_later() {
    let bus = Bus::start().await;
    bus.ledger.append_all(&[escalation(1), escalation(2)], None).await.unwrap();
    let options = WorkOptions { ack_wait: Duration::from_secs(1), ..WorkOptions::default() };
    let mut work = bus.ledger.work(&options).await.unwrap();
    let mut items = Vec::new();
    while items.len() < 2 {
        items.extend(within("the work", work.next(10)).await.unwrap());
    }
    items[0].later(Duration::from_millis(100)).await.unwrap();
    // The other is dropped as by a process that died.
    let mut again = BTreeMap::new();
    while again.len() < 2 {
        for item in within("both again", work.next(10)).await.unwrap() {
            assert_eq!(item.deliveries, 2);
            item.done().await.unwrap();
            again.insert(item.entry.subject.clone(), item.deliveries);
        }
    }
    let more = tokio::time::timeout(Duration::from_secs(3), work.next(10)).await;
    assert!(more.is_err(), "done, and given out again: {more:?}");
}

#[tokio::test]
async fn whoever_says_that_it_takes_longer_keeps_the_item() {
    let bus = Bus::start().await;
    bus.ledger.append(&escalation(1), None).await.unwrap();
    let options = WorkOptions { ack_wait: Duration::from_secs(1), ..WorkOptions::default() };
    let mut work = bus.ledger.work(&options).await.unwrap();
    let items = within("the item", work.next(1)).await.unwrap();
    for _ in 0..10 {
        items[0].still_busy().await.unwrap();
        let other = tokio::time::timeout(Duration::from_millis(250), work.next(1)).await;
        assert!(other.is_err(), "given out while in work");
    }
    items[0].done().await.unwrap();
}

#[tokio::test]
async fn the_work_goes_on_after_the_broker_died() {
    let mut bus = Bus::start().await;
    let mut work = bus.ledger.work(&WorkOptions::default()).await.unwrap();
    for n in 1..=4 {
        bus.ledger.append(&escalation(n), None).await.unwrap();
        if n % 2 == 0 {
            bus.server.restart().await.unwrap();
        }
        // A broker that is killed may forget what was given out and done a moment before, and gives it out again. So
        // whoever does the work looks at the log, never at this, to know what is done.
        let wanted = format!("tocsin.escalation.r{n}.x.1.1");
        within("the item is done", async {
            let mut done = false;
            while !done {
                for item in work.next(10).await.unwrap() {
                    done |= item.done().await.is_ok() && item.entry.subject == wanted;
                }
            }
        })
        .await;
    }
}
