use std::{collections::BTreeSet, time::Duration};

use tocsin_ledger::{Appended, Error};
use tocsin_protocol::{NewFact, Stream};

use crate::support::{Bus, connect, fact, notice, soon, subject, window, within};

fn written(appended: &[Appended]) -> usize {
    appended.iter().filter(|one| matches!(one, Appended::Written(_))).count()
}

#[tokio::test]
async fn a_fact_is_written_once_and_the_second_writer_reads_the_first() {
    let bus = Bus::start().await;
    let first = bus.ledger.append(&fact("tocsin.dispatch.bt.x.1", "first"), Some(7)).await.unwrap();
    assert_eq!(first, Appended::Written(1));
    let second = bus.ledger.append(&fact("tocsin.dispatch.bt.x.1", "second"), None).await.unwrap();
    let Appended::Already(entry) = second else { panic!("written twice: {second:?}") };
    assert_eq!((&entry.body[..], entry.said_through), (&b"first"[..], Some(7)));
}

#[tokio::test]
async fn a_fact_of_the_other_stream_is_refused() {
    let bus = Bus::start().await;
    let error = bus.ledger.append(&fact("tocsin.incident.bt.x.1", "{}"), None).await.unwrap_err();
    assert!(matches!(error, Error::WrongStream { .. }), "{error}");
}

#[tokio::test]
async fn two_racing_writers_leave_one_log() {
    let bus = Bus::start().await;
    let mut facts = vec![fact("tocsin.dispatch.bt.x.1", "{}"), window(1, soon(Duration::from_mins(1)))];
    facts.extend((0..1500).map(|n| notice(&format!("r{n}"), 1)));
    let racing: Vec<_> = (0..3)
        .map(|_| {
            let facts = facts.clone();
            let url = &bus.server;
            async move { connect(url).await.append_all(&facts, Some(3)).await.unwrap() }
        })
        .collect();
    let all = within("three writers", futures_util::future::join_all(racing)).await;
    assert_eq!(all.iter().map(|one| written(one)).sum::<usize>(), facts.len());
    for (place, fact) in facts.iter().enumerate() {
        let bodies: BTreeSet<_> = all
            .iter()
            .filter_map(|one| match &one[place] {
                Appended::Already(entry) => Some(entry.subject.clone()),
                Appended::Written(_) => None,
            })
            .collect();
        assert!(bodies.iter().all(|subject| *subject == fact.subject.to_string()), "{bodies:?}");
    }
    let notices = bus.ledger.entries(Stream::Log, &["tocsin.notice.>".to_owned()]).await.unwrap();
    assert_eq!(notices.len(), 1500);
    assert!(notices.iter().all(|notice| notice.said_through == Some(3)));
}

#[tokio::test]
async fn an_attempt_is_begun_or_ended_without_and_never_both() {
    let bus = Bus::start().await;
    let begun = |n: usize| fact(&format!("tocsin.attempt.a.x.1.1.{n}.begun"), "begun");
    let ended = |n: usize| fact(&format!("tocsin.attempt.a.x.1.1.{n}.ended"), "ended");
    let stands = |appended: Appended| match appended {
        Appended::Already(entry) => entry.body,
        Appended::Written(sequence) => panic!("written at {sequence}"),
    };
    bus.ledger.append_unbegun(&ended(1)).await.unwrap();
    assert_eq!(stands(bus.ledger.append(&begun(1), None).await.unwrap()), "ended");
    // Among others, which are written all the same.
    let all = within("a batch", bus.ledger.append_all(&[begun(2), begun(1), begun(3)], None)).await.unwrap();
    assert_eq!(written(&all), 2);
    assert_eq!(stands(all[1].clone()), "ended");
    assert_eq!(stands(bus.ledger.append_unbegun(&ended(2)).await.unwrap()), "begun");
    assert!(matches!(bus.ledger.append(&ended(2), None).await.unwrap(), Appended::Written(_)));
    assert_eq!(stands(bus.ledger.append_unbegun(&ended(2)).await.unwrap()), "ended");

    // Two who do not know of each other.
    let other = connect(&bus.server).await;
    for n in 10..60 {
        let (begun, ended) = (begun(n), ended(n));
        let race = async { tokio::join!(bus.ledger.append(&begun, None), other.append_unbegun(&ended)) };
        let (begins, ends) = within("a race", race).await;
        assert_eq!(written(&[begins.unwrap(), ends.unwrap()]), 1, "attempt {n}");
    }
}

#[tokio::test]
async fn a_dispatch_that_was_cut_short_is_completed() {
    let bus = Bus::start().await;
    let facts: Vec<NewFact> = (0..40).map(|n| notice(&format!("r{n}"), 1)).collect();
    bus.ledger.append(&facts[7], None).await.unwrap();
    bus.ledger.append(&facts[30], None).await.unwrap();
    let appended = bus.ledger.append_all(&facts, None).await.unwrap();
    assert_eq!(written(&appended), 38);
    for (fact, appended) in facts.iter().zip(&appended) {
        let entry = bus.ledger.last(&fact.subject).await.unwrap().unwrap();
        match appended {
            Appended::Written(sequence) => assert_eq!(entry.sequence, *sequence, "{}", fact.subject),
            Appended::Already(there) => assert_eq!(entry, *there),
        }
    }
}

#[tokio::test]
async fn a_window_fires_once_and_is_not_armed_again() {
    let bus = Bus::start().await;
    let due_at = soon(Duration::from_millis(300));
    let facts = [fact("tocsin.dispatch.bt.x.1", "{}"), window(1, due_at)];
    bus.ledger.append_all(&facts, None).await.unwrap();
    let due = subject("tocsin.due.x.1.1");
    let closed =
        bus.ledger.wait_for(std::slice::from_ref(&due), Duration::from_secs(30)).await.unwrap().unwrap();
    assert!(closed.time >= due_at, "the broker is never early");
    assert_eq!(&closed.body[..], b"{\"window\": 1}");
    let again = bus.ledger.append_all(&facts, None).await.unwrap();
    assert!(matches!(&again[1], Appended::Already(entry) if entry.subject == due.to_string()), "{again:?}");
    let again = bus.ledger.append(&facts[1], None).await.unwrap();
    assert!(matches!(again, Appended::Already(_)), "{again:?}");
    assert!(bus.ledger.last(&facts[1].subject).await.unwrap().is_none(), "armed again");
}

#[tokio::test]
async fn a_window_closes_though_the_broker_was_dead_when_it_should() {
    let mut bus = Bus::start().await;
    bus.ledger
        .append_all(
            &[fact("tocsin.dispatch.bt.x.1", "{}"), window(1, soon(Duration::from_millis(400)))],
            None,
        )
        .await
        .unwrap();
    bus.server.kill().await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    bus.server.restart().await.unwrap();
    let due = [subject("tocsin.due.x.1.1")];
    let closed = within("the window closes", bus.ledger.wait_for(&due, Duration::from_secs(30))).await;
    assert!(closed.unwrap().is_some());
}

#[tokio::test]
async fn batches_are_whole_though_the_broker_dies_again_and_again() {
    let mut bus = Bus::start().await;
    for event in 1..=8 {
        let facts: Vec<NewFact> = (0..300).map(|n| notice(&format!("r{n}"), event)).collect();
        let ledger = bus.ledger.clone();
        let appending = tokio::spawn(async move { ledger.append_all(&facts, None).await });
        bus.server.restart().await.unwrap();
        let appended = within("the batch", appending).await.unwrap().unwrap();
        assert_eq!(appended.len(), 300);
        let filter = format!("tocsin.notice.*.x.{event}");
        assert_eq!(bus.ledger.entries(Stream::Log, &[filter]).await.unwrap().len(), 300);
    }
}
