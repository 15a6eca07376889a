//! Escalations worked off against a real nats-server and scripted relays.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without")]

mod support;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use mail_parser::MessageParser;
use support::*;
use tocsin_ledger::Progress;
use tocsin_notifier::{
    DomainLimit, Tls,
    sink::{Behaviour, Point, Secure, Sink, SinkOptions},
};
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Escalation, NewFact, Outcome, SigningKey, Status, Subject,
    from_body, to_body,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_taken_is_recorded_with_the_relays_words() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;

    let begun = bus.begun("r0", 1).await;
    assert_eq!((begun.relay.as_str(), begun.to.as_str()), ("first", "duty@r0.example"));
    let ended = bus.ended("r0", 1).await;
    assert_eq!((ended.outcome, ended.code), (Outcome::Accepted, Some(250)));
    assert!(ended.reply.contains("queued as"), "{}", ended.reply);
    let mails = sink.mails();
    let mail = MessageParser::default().parse(&mails[0].bytes).unwrap();
    assert_eq!(format!("<{}>", mail.message_id().unwrap()), begun.message_id);
    assert!(mail.subject().unwrap().starts_with("EXERCISE EXERCISE EXERCISE - OFFICIAL - 999 calls"));
    notifier.stop().await;
    assert_eq!(bus.attempts().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_refused_for_good_is_not_tried_again() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script("duty@r0.example", [Behaviour::Reply(Point::Recipient, 550, "5.1.1 no such user")]);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(2)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    let ended = bus.ended("r0", 1).await;
    assert_eq!((ended.outcome, ended.code), (Outcome::Permanent, Some(550)));
    assert_eq!(bus.ended("r1", 1).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    assert_eq!(bus.attempts().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_another_notifier_has_stood_down_is_not_begun() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let said = bus.say_event().await;
    // Written by a notifier that knew of an acknowledgement which this one has yet to read.
    let subject = attempt_subject("r0", 1, AttemptPhase::Ended);
    let reply = "not sent: r0 acknowledged".to_owned();
    let ended = AttemptEnded { relay: String::new(), outcome: Outcome::StoodDown, code: None, reply };
    let fact = NewFact { subject, body: to_body("attempt", &ended).unwrap(), schedule: None };
    bus.ledger.append_unbegun(&fact).await.unwrap();
    bus.escalate(said, &recipients(2)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    assert_eq!(bus.ended("r1", 1).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 1);
    assert_eq!(bus.attempts().await.len(), 3, "one end alone, and an attempt from its beginning to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_says_later_is_tried_later() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let later = Behaviour::Reply(Point::Content, 451, "4.3.0 later");
    sink.script("duty@r0.example", [later, later, Behaviour::Accept]);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    for attempt in [1, 2] {
        let ended = bus.ended("r0", attempt).await;
        assert_eq!((ended.outcome, ended.code), (Outcome::Temporary, Some(451)));
    }
    assert_eq!(bus.ended("r0", 3).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_first_relay_is_gone_the_second_takes_over_at_once() {
    let bus = Bus::start().await;
    let (first, second) = (sink().await, sink().await);
    let ports = [first.address().port(), second.address().port()];
    drop(first);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(50)).await;
    let notifier = Running::start(&bus, &config(&ports)).await;
    second.wait_until(SOON, |seen| seen.counts.mails == 50).await.unwrap();
    let all: BTreeSet<_> = second.mails().iter().map(|mail| mail.to[0].clone()).collect();
    assert_eq!(all.len(), 50);
    notifier.stop().await;
    let first: Vec<_> = bus.attempts().await.into_iter().filter(|e| e.subject.contains(".r0.")).collect();
    assert!(first.len() <= 4, "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_may_have_been_taken_is_sent_again_as_the_same_mail() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script(
        "duty@r0.example",
        [Behaviour::Cut(Point::Taken), Behaviour::Hang(Point::Taken), Behaviour::Accept],
    );
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Unknown);
    assert_eq!(bus.ended("r0", 2).await.outcome, Outcome::Unknown);
    assert_eq!(bus.ended("r0", 3).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|mail| mail.bytes == mails[0].bytes), "byte for byte");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_notifiers_share_the_work_and_double_none_of_it() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script_all([Behaviour::Delay(Duration::from_millis(2))]);
    let said = bus.say_event().await;
    let config = config(&[sink.address().port()]);
    let notifiers = [Running::start(&bus, &config).await, Running::start(&bus, &config).await];
    bus.escalate(said, &recipients(300)).await;
    for n in 0..300 {
        assert_eq!(bus.ended(&format!("r{n}"), 1).await.outcome, Outcome::Accepted);
    }
    for notifier in notifiers {
        notifier.stop().await;
    }
    let all: BTreeSet<_> = sink.mails().iter().map(|mail| mail.to[0].clone()).collect();
    assert_eq!((all.len(), sink.counts().mails, bus.attempts().await.len()), (300, 300, 600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_taken_is_not_sent_again_though_the_work_is_given_out_anew() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let said = bus.say_event().await;
    // As after the durable was lost: the item comes as if for the first time.
    bus.escalate(said, &recipients(2)).await;
    bus.append_attempt("r0", Some(Outcome::Accepted)).await;
    bus.append_attempt("r1", Some(Outcome::Permanent)).await;
    bus.escalate(said, &["last".to_owned()]).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    assert_eq!(bus.ended("last", 1).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 1);
    assert_eq!(bus.attempts().await.len(), 6, "nothing was added to what stood there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_of_a_notifier_that_died_is_marked_unknown_and_the_mail_sent_again() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    bus.append_attempt("r0", None).await;

    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    let unknown = bus.ended("r0", 1).await;
    assert_eq!((unknown.outcome, unknown.relay.as_str()), (Outcome::Unknown, "first"));
    assert_eq!(bus.ended("r0", 2).await.outcome, Outcome::Accepted);
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_that_is_killed_loses_no_mail() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script_all([Behaviour::Delay(Duration::from_millis(20))]);
    let said = bus.say_event().await;
    let config = config(&[sink.address().port()]);
    let killed = Mortal::start(&bus, &config);
    bus.escalate(said, &recipients(100)).await;
    sink.wait_until(SOON, |seen| seen.counts.mails >= 20).await.unwrap();
    killed.kill();

    let notifier = Running::start(&bus, &config).await;
    sink.wait_until(SOON, |seen| {
        seen.mails.iter().map(|mail| &mail.to[0]).collect::<BTreeSet<_>>().len() == 100
    })
    .await
    .unwrap();
    let mut unknown = 0;
    for n in 0..100 {
        let recipient = format!("r{n}");
        let first = bus.ended(&recipient, 1).await;
        if first.outcome == Outcome::Unknown {
            unknown += 1;
            assert_eq!(bus.ended(&recipient, 2).await.outcome, Outcome::Accepted);
        } else {
            assert_eq!(first.outcome, Outcome::Accepted);
        }
    }
    notifier.stop().await;
    // A mail is repeated only where an attempt is unknown.
    assert!(sink.counts().mails <= 100 + unknown, "{} mails, {unknown} unknown", sink.counts().mails);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_that_is_asked_to_stop_finishes_what_is_under_way_and_leaves_the_rest() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script_all([Behaviour::Delay(Duration::from_millis(50))]);
    let said = bus.say_event().await;
    let config = config(&[sink.address().port()]);
    let first = Running::start(&bus, &config).await;
    bus.escalate(said, &recipients(60)).await;
    sink.wait_until(SOON, |seen| seen.counts.mails >= 4).await.unwrap();
    first.stop().await;
    let open = bus.attempts().await;
    let count = |phase: AttemptPhase| {
        open.iter().filter(|e| e.subject.rsplit('.').next() == Some(phase.as_str())).count()
    };
    assert_eq!(count(AttemptPhase::Begun), count(AttemptPhase::Ended), "every attempt has its end");
    assert!(sink.counts().mails < 60);

    let second = Running::start(&bus, &config).await;
    sink.wait_until(SOON, |seen| seen.counts.mails >= 60).await.unwrap();
    second.stop().await;
    let all: BTreeSet<_> = sink.mails().iter().map(|mail| mail.to[0].clone()).collect();
    assert_eq!((all.len(), sink.counts().mails), (60, 60), "none lost, none doubled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_recorded_and_keeps_nobody_waiting() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let said = bus.say_event().await;
    let mut bad_address = escalation(said, "bad-address");
    bad_address.to.email = "nobody\r\nRCPT TO:<thief@evil.example>".to_owned();
    let mut facts = vec![escalation_fact(&bad_address)];
    for (recipient, body) in
        [("junk", &b"{"[..]), ("anothers", &to_body("escalation", &escalation(said, "r9")).unwrap())]
    {
        let subject = match escalation_fact(&escalation(said, recipient)).subject {
            subject @ Subject::Escalation { .. } => subject,
            other => panic!("{other}"),
        };
        facts.push(NewFact { subject, body: body.to_vec().into(), schedule: None });
    }
    bus.ledger.append_all(&facts, None).await.unwrap();
    bus.escalate(said, &recipients(3)).await;
    bus.escalate(said + 1000, &["no-event".to_owned()]).await;

    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    for recipient in ["r0", "r1", "r2", "no-event"] {
        assert_eq!(bus.ended(recipient, 1).await.outcome, Outcome::Accepted, "{recipient}");
    }
    for (recipient, reason) in
        [("bad-address", "no mail address"), ("junk", "cannot be read"), ("anothers", "another one")]
    {
        let ended = bus.ended(recipient, 1).await;
        assert_eq!((ended.outcome, ended.relay.as_str()), (Outcome::Permanent, ""), "{recipient}");
        assert!(ended.reply.contains(reason), "{recipient}: {}", ended.reply);
    }
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_hangs_does_not_hold_up_the_others() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script("duty@r0.example", [Behaviour::Hang(Point::Data), Behaviour::Accept]);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(40)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    sink.wait_until(SOON, |seen| seen.counts.mails == 39 && seen.to("duty@r0.example").count() == 0)
        .await
        .unwrap();
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Temporary);
    assert_eq!(bus.ended("r0", 2).await.outcome, Outcome::Accepted);
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_may_die_and_come_back_in_the_middle() {
    let (mut bus, sink) = (Bus::start().await, sink().await);
    sink.script_all([Behaviour::Delay(Duration::from_millis(10))]);
    let said = bus.say_event().await;
    let config = config(&[sink.address().port()]);
    let notifier = Running::start(&bus, &config).await;
    bus.escalate(said, &recipients(100)).await;
    sink.wait_until(SOON, |seen| seen.counts.mails >= 10).await.unwrap();
    bus.server.kill().await.unwrap();
    bus.server.restart().await.unwrap();
    for n in 0..100 {
        let recipient = format!("r{n}");
        let mut attempt = 1;
        while bus.ended(&recipient, attempt).await.outcome != Outcome::Accepted {
            attempt += 1;
        }
    }
    notifier.stop().await;
    let all: BTreeSet<_> = sink.mails().iter().map(|mail| mail.to[0].clone()).collect();
    assert_eq!(all.len(), 100);
    let unknown = bus
        .attempts()
        .await
        .iter()
        .filter(|e| String::from_utf8_lossy(&e.body).contains("\"unknown\""))
        .count();
    assert!(
        usize::try_from(sink.counts().mails).unwrap() <= 100 + unknown,
        "{} mails, {unknown} unknown",
        sink.counts().mails
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_comes_back_gets_the_mails_that_waited() {
    let bus = Bus::start().await;
    let gone = sink().await;
    let port = gone.address().port();
    drop(gone);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(5)).await;
    let notifier = Running::start(&bus, &config(&[port])).await;
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Temporary);
    let back = Sink::start(SinkOptions { port, ..SinkOptions::default() }).await.unwrap();
    back.wait_until(SOON, |seen| seen.counts.mails == 5).await.unwrap();
    notifier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_at_fault_is_passed_over_and_no_recipient_is_blamed() {
    let (bus, good) = (Bus::start().await, sink().await);
    let login = Some(("tocsin".to_owned(), "right".to_owned()));
    let locked = Sink::start(SinkOptions { login, ..SinkOptions::default() }).await.unwrap();
    let forged = Sink::start(SinkOptions { secure: Secure::Starttls(unvouched()), ..SinkOptions::default() });
    let forged = forged.await.unwrap();
    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "wrong\n").unwrap();
    let mut config = config(&[locked.address().port(), forged.address().port(), good.address().port()]);
    config.relays[0].username = Some("tocsin".to_owned());
    config.relays[0].password_file = Some(password.path().to_owned());
    config.relays[1].tls = Tls::Starttls;
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    let notifier = Running::start(&bus, &config).await;

    let refused = bus.ended("r0", 1).await;
    assert_eq!(
        (refused.relay.as_str(), refused.outcome, refused.code),
        ("first", Outcome::RelayFault, Some(535))
    );
    let doubted = bus.ended("r0", 2).await;
    assert_eq!((doubted.relay.as_str(), doubted.outcome), ("second", Outcome::RelayFault));
    assert!(doubted.reply.contains("certificate"), "{}", doubted.reply);
    let taken = bus.ended("r0", 3).await;
    assert_eq!((taken.relay.as_str(), taken.outcome), ("third", Outcome::Accepted));
    notifier.stop().await;
    assert_eq!((locked.counts().mails, forged.counts().mails, good.counts().mails), (0, 0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_closes_with_421_is_followed_by_the_next() {
    let bus = Bus::start().await;
    let (first, second) = (sink().await, sink().await);
    first.script("duty@r0.example", [Behaviour::Reply(Point::Recipient, 421, "4.3.2 closing")]);
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    let notifier = Running::start(&bus, &config(&[first.address().port(), second.address().port()])).await;
    let closed = bus.ended("r0", 1).await;
    assert_eq!((closed.outcome, closed.code), (Outcome::Temporary, Some(421)));
    assert_eq!(bus.ended("r0", 2).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    assert_eq!((first.counts().mails, second.counts().mails), (0, 1));
}

/// Kills a notifier at a point of its talk with the relay, and starts another.
async fn kill_at(point: Point, relay_has: u64) {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script("duty@r0.example", [Behaviour::Hang(point), Behaviour::Accept]);
    let said = bus.say_event().await;
    let mut config = config(&[sink.address().port()]);
    config.relays[0].timeout = tocsin_protocol::Window(tocsin_protocol::SignedDuration::from_mins(1));
    let killed = Mortal::start(&bus, &config);
    bus.escalate(said, &recipients(1)).await;
    let begun = bus.begun("r0", 1).await;
    sink.wait_until(SOON, |seen| seen.counts.recipients == 1 && seen.counts.mails == relay_has)
        .await
        .unwrap();
    killed.kill();

    let notifier = Running::start(&bus, &config).await;
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Unknown, "{point:?}");
    assert_eq!(bus.begun("r0", 2).await.message_id, begun.message_id);
    assert_eq!(bus.ended("r0", 2).await.outcome, Outcome::Accepted, "{point:?}");
    notifier.stop().await;
    let mails = sink.mails();
    assert_eq!(mails.len() as u64, relay_has + 1);
    assert!(mails.iter().all(|mail| mail.bytes == mails[0].bytes), "the same mail, byte for byte");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_killed_before_the_relay_has_the_mail_leaves_an_unknown_attempt_and_another_sends() {
    kill_at(Point::Recipient, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_killed_when_the_relay_has_the_mail_leaves_an_unknown_attempt_and_another_sends() {
    kill_at(Point::Taken, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_acknowledged_meanwhile_gets_no_mail() {
    let (mut bus, sink) = (Bus::start().await, sink().await);
    bus.apply_directory(&recipients(2)).await;
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(2)).await;
    bus.acknowledge("r0").await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    let stood_down = bus.ended("r0", 1).await;
    assert_eq!((stood_down.outcome, stood_down.relay.as_str()), (Outcome::StoodDown, ""));
    assert!(stood_down.reply.contains("r0 acknowledged at"), "{}", stood_down.reply);
    assert_eq!(bus.ended("r1", 1).await.outcome, Outcome::Accepted);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_acknowledges_while_the_relay_is_away_gets_no_mail() {
    let (mut bus, sink) = (Bus::start().await, sink().await);
    sink.script("duty@r0.example", [Behaviour::Reply(Point::Recipient, 451, "4.3.0 later")]);
    bus.apply_directory(&recipients(1)).await;
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Temporary);
    bus.acknowledge("r0").await;
    let mut attempt = 1;
    let last = loop {
        match bus.ended("r0", attempt).await.outcome {
            Outcome::Temporary => attempt += 1,
            outcome => break outcome,
        }
    };
    assert_eq!(last, Outcome::StoodDown);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_written_to_about_what_was_called_off() {
    let (mut bus, sink) = (Bus::start().await, sink().await);
    bus.apply_directory(&recipients(1)).await;
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(1)).await;
    bus.say(&cancelled()).await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    let stood_down = bus.ended("r0", 1).await;
    assert_eq!(stood_down.outcome, Outcome::StoodDown);
    assert!(stood_down.reply.contains("ended the incident"), "{}", stood_down.reply);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 0);
}

/// Where in the order of all mails those to these recipients came.
fn places(sink: &Sink, recipients: &[String]) -> Vec<usize> {
    let wanted: BTreeSet<_> = recipients.iter().map(|recipient| address(recipient)).collect();
    let mails = sink.mails();
    mails
        .iter()
        .enumerate()
        .filter(|(_, mail)| wanted.contains(&mail.to[0]))
        .map(|(place, _)| place)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actual_mails_overtake_a_flood_of_exercises_and_the_flood_still_leaves() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script_all([Behaviour::Delay(Duration::from_millis(20))]);
    let said = bus.say_event().await;
    let mut config = config(&[sink.address().port()]);
    config.relays[0].connections = 1;
    bus.escalate(said, &recipients(400)).await;
    let notifier = Running::start(&bus, &config).await;
    sink.wait_until(SOON, |seen| seen.counts.mails >= 10).await.unwrap();

    let named = |kind: &str| (0..10).map(|n| format!("{kind}{n}")).collect::<Vec<_>>();
    let (first, later) = (named("first"), named("later"));
    let actual = |step: &'static str| {
        move |recipient: &String| {
            let step = step.parse().unwrap();
            escalation_fact(&Escalation { status: Status::Actual, step, ..escalation(said, recipient) })
        }
    };
    // The later step stands before the first one in the log.
    let facts: Vec<_> = later.iter().map(actual("2")).chain(first.iter().map(actual("1"))).collect();
    bus.ledger.append_all(&facts, None).await.unwrap();
    let there = sink.counts().mails;
    sink.wait_until(SOON, |seen| seen.counts.mails == 420).await.unwrap();
    notifier.stop().await;

    let (first, later) = (places(&sink, &first), places(&sink, &later));
    assert_eq!((first.len(), later.len()), (10, 10));
    let started = first[0];
    assert!(started < usize::try_from(there).unwrap() + 60, "{first:?} after {there}");
    // Ten mails of the first step, every tenth turn an exercise's and every fourth of the rest a later step's.
    assert!(first[9] - started < 20 && first[9] < later[9], "{first:?} {later:?}");
    assert!(later[9] - started < 60, "{first:?} {later:?}");
    let between =
        (started..later[9]).filter(|place| !first.contains(place) && !later.contains(place)).count();
    assert!(between >= 1, "exercises leave meanwhile: {first:?} {later:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_has_no_more_mails_than_it_may_and_none_of_them_is_lost() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let said = bus.say_event().await;
    let mut config = config(&[sink.address().port()]);
    let limit = DomainLimit { mails_a_minute: Some(120), connections: None };
    config.domains.insert("busy.example".to_owned(), limit);
    let busy: Vec<_> = (0..36).map(|n| format!("busy{n}")).collect();
    let facts: Vec<_> = busy
        .iter()
        .map(|recipient| {
            let mut escalation = escalation(said, recipient);
            escalation.to.email = format!("{recipient}@busy.example");
            escalation_fact(&escalation)
        })
        .collect();
    bus.ledger.append_all(&facts, None).await.unwrap();
    bus.escalate(said, &recipients(50)).await;
    let notifier = Running::start(&bus, &config).await;
    sink.wait_until(SOON, |seen| seen.counts.mails == 86).await.unwrap();
    notifier.stop().await;
    let (mut first, mut last) = (None, None);
    for recipient in &busy {
        let at = bus.attempt(recipient, 1, AttemptPhase::Begun).await.time;
        first = Some(first.map_or(at, |first| at.min(first)));
        last = Some(last.map_or(at, |last| at.max(last)));
    }
    let taken = last.unwrap().duration_since(first.unwrap());
    // Thirty at once, then one every 0.66 s: the last after four seconds, of which a busy disk may take some from the first.
    assert!(taken.as_millis() >= 1_300, "{taken:?}");
    assert_eq!(bus.attempts().await.len(), 2 * 86);
}

/// A storm: so many incidents, each with an event and an escalation to each of these recipients.
async fn storm(bus: &Bus, incidents: usize, recipients: &[String]) -> Vec<String> {
    let names: Vec<_> = (0..incidents).map(|n| format!("storm-{n}")).collect();
    let mut facts = Vec::new();
    for name in &names {
        let said = bus.say(&event_of(name)).await;
        facts.extend(
            recipients.iter().map(|recipient| escalation_fact(&escalation_of(name, said, recipient))),
        );
    }
    bus.ledger.append_all(&facts, None).await.unwrap();
    names
}

/// One end of each of an escalation's attempts, as a storm wrote them.
async fn stormy<T: serde::de::DeserializeOwned>(
    bus: &Bus,
    (incident, recipient): (&str, &str),
    attempt: u32,
    phase: AttemptPhase,
) -> T {
    let Escalation { recipient, incident, event, step, .. } = escalation_of(incident, 1, recipient);
    let subject = Subject::Attempt { recipient, incident, event, step, attempt, phase };
    let found = bus.ledger.wait_for(std::slice::from_ref(&subject), SOON).await.unwrap();
    let found = found.unwrap_or_else(|| panic!("{subject} was not written"));
    from_body("attempt", &found.body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_to_one_recipient_is_one_mail_and_then_a_digest_that_names_all_that_came_since() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let mut config = config(&[sink.address().port()]);
    config.digest = tocsin_protocol::Window(tocsin_protocol::SignedDuration::from_secs(4));
    let late: Vec<_> = (1..=20).map(|n| format!("late-{n}")).collect();
    let mut facts = Vec::new();
    for incident in &late {
        let said = bus.say(&event_of(incident)).await;
        facts.extend(recipients(2).iter().map(|r| escalation_fact(&escalation_of(incident, said, r))));
    }
    let notifiers = [Running::start(&bus, &config).await, Running::start(&bus, &config).await];
    let first = storm(&bus, 1, &recipients(2)).await;
    for recipient in recipients(2) {
        let ended: AttemptEnded = stormy(&bus, (&first[0], &recipient), 1, AttemptPhase::Ended).await;
        assert_eq!(ended.outcome, Outcome::Accepted, "the first goes at once and alone");
    }
    bus.ledger.append_all(&facts, None).await.unwrap();
    sink.wait_until(SOON, |seen| seen.counts.mails == 4).await.unwrap();
    for recipient in recipients(2) {
        let mut ids = BTreeSet::new();
        let mut leads = 0;
        for incident in &late {
            let at = (incident.as_str(), recipient.as_str());
            let begun: AttemptBegun = stormy(&bus, at, 1, AttemptPhase::Begun).await;
            let ended: AttemptEnded = stormy(&bus, at, 1, AttemptPhase::Ended).await;
            assert_eq!(ended.outcome, Outcome::Accepted);
            let digest = begun.digest.unwrap();
            assert_eq!(digest.of, 20);
            leads += usize::from(digest.escalations.len() == 20);
            ids.insert(begun.message_id);
        }
        assert_eq!((ids.len(), leads), (1, 1), "one mail, and one that leads it");
        let id = ids.pop_first().unwrap();
        let mails = sink.mails();
        let parsed: Vec<_> =
            mails.iter().map(|mail| MessageParser::default().parse(&mail.bytes).unwrap()).collect();
        let digest = parsed.iter().find(|mail| format!("<{}>", mail.message_id().unwrap()) == id).unwrap();
        let text = digest.body_text(0).unwrap();
        for incident in &late {
            assert!(text.contains(&format!("Headline of {incident}")), "{text}");
            assert!(text.contains(&format!("tocsin ack {incident} --as {recipient}")), "{text}");
        }
    }
    for notifier in notifiers {
        notifier.stop().await;
    }
    assert_eq!(sink.counts().mails, 4);
    assert_eq!(bus.attempts().await.len(), 2 * 2 * 21, "an attempt for each");
}

/// What is logged.
#[derive(Debug, Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_waits_for_its_minute_is_not_written_before_it_goes() {
    let logged = Logged::default();
    let into = logged.clone();
    // For all threads: with one for this thread alone, what another test's thread comes to first is logged nowhere.
    tracing::subscriber::set_global_default(
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || into.clone()).finish(),
    )
    .unwrap();
    let (bus, sink) = (Bus::start().await, sink().await);
    let mut config = config(&[sink.address().port()]);
    config.digest = tocsin_protocol::Window(tocsin_protocol::SignedDuration::from_hours(1));
    let first = storm(&bus, 1, &recipients(1)).await;
    let notifier = Running::start(&bus, &config).await;
    let ended: AttemptEnded = stormy(&bus, (&first[0], "r0"), 1, AttemptPhase::Ended).await;
    assert_eq!(ended.outcome, Outcome::Accepted);
    // Whoever writes a mail about an event that is not there says so. No other test has such sequences.
    let late = (1..=20).map(|n| escalation_of(&format!("late-{n}"), 77_000_000 + n, "r0"));
    let other = escalation_of("other", 77_000_100, "r1");
    let facts: Vec<_> = late.chain([other]).map(|owed| escalation_fact(&owed)).collect();
    bus.ledger.append_all(&facts, None).await.unwrap();
    let ended: AttemptEnded = stormy(&bus, ("other", "r1"), 1, AttemptPhase::Ended).await;
    assert_eq!(ended.outcome, Outcome::Accepted);
    notifier.stop().await;
    let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    let written: Vec<_> = logged
        .lines()
        .filter(|line| line.contains("no event at this sequence") && line.contains("said=77000"))
        .collect();
    assert!(written.len() == 1 && written[0].contains("said=77000100"), "{written:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_digests_due_at_once_no_more_are_in_hand_than_the_lines_can_take() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let mut config = config(&[sink.address().port()]);
    config.digest = tocsin_protocol::Window(tocsin_protocol::SignedDuration::from_secs(2));
    let all = recipients(40);
    storm(&bus, 3, &all).await;
    // Two notifiers would each have its own.
    let notifier = Running::start(&bus, &config).await;
    let ended = |entry: &tocsin_protocol::Entry| {
        matches!(entry.subject.parse(), Ok(Subject::Attempt { phase: AttemptPhase::Ended, .. }))
    };
    let until = tokio::time::Instant::now() + SOON;
    let attempts = loop {
        let attempts = bus.attempts().await;
        if attempts.iter().filter(|entry| ended(entry)).count() == 3 * all.len() {
            break attempts;
        }
        assert!(tokio::time::Instant::now() < until, "{} entries of attempts", attempts.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    notifier.stop().await;
    let (mut in_hand, mut most, mut leads) = (BTreeSet::new(), 0, 0);
    for entry in &attempts {
        let escalation = entry.subject.rsplit_once('.').unwrap().0;
        let digest = || {
            from_body::<AttemptBegun>("attempt", &entry.body)
                .ok()?
                .digest
                .filter(|d| !d.escalations.is_empty())
        };
        if ended(entry) {
            in_hand.remove(escalation);
        } else if digest().is_some() {
            in_hand.insert(escalation);
            leads += 1;
        }
        most = most.max(in_hand.len());
    }
    assert!(leads >= all.len() / 2 && most <= 8, "{leads} digests, {most} in hand at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_whose_sender_dies_is_made_again_of_the_same_escalations() {
    let (bus, sink) = (Bus::start().await, sink().await);
    sink.script("duty@r0.example", [Behaviour::Hang(Point::Taken), Behaviour::Accept]);
    let mut config = config(&[sink.address().port()]);
    config.relays[0].timeout = tocsin_protocol::Window(tocsin_protocol::SignedDuration::from_mins(1));
    let names = storm(&bus, 30, &recipients(1)).await;
    let killed = Mortal::start(&bus, &config);
    sink.wait_until(SOON, |seen| seen.counts.mails == 1).await.unwrap();
    killed.kill();
    // What comes meanwhile is no part of it.
    let said = bus.say(&event_of("meanwhile")).await;
    let fact = escalation_fact(&escalation_of("meanwhile", said, "r0"));
    bus.ledger.append_all(&[fact], None).await.unwrap();

    let notifier = Running::start(&bus, &config).await;
    for incident in &names {
        let at = (incident.as_str(), "r0");
        let first: AttemptBegun = stormy(&bus, at, 1, AttemptPhase::Begun).await;
        let ended: AttemptEnded = stormy(&bus, at, 1, AttemptPhase::Ended).await;
        assert_eq!(ended.outcome, Outcome::Unknown, "{incident}");
        let second: AttemptBegun = stormy(&bus, at, 2, AttemptPhase::Begun).await;
        assert_eq!((&second.message_id, &second.digest), (&first.message_id, &first.digest), "{incident}");
        let ended: AttemptEnded = stormy(&bus, at, 2, AttemptPhase::Ended).await;
        assert_eq!(ended.outcome, Outcome::Accepted, "{incident}");
    }
    notifier.stop().await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].bytes, mails[1].bytes, "the same mail, byte for byte");
    assert!(
        !bus.attempts().await.iter().any(|entry| entry.subject.contains(".meanwhile.")),
        "its minute is not over"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_digest_that_is_refused_is_refused_for_each_and_nobody_who_acknowledged_is_named_in_one() {
    let (mut bus, sink) = (Bus::start().await, sink().await);
    sink.script("duty@r0.example", [Behaviour::Reply(Point::Recipient, 550, "5.1.1 no such user")]);
    bus.apply_directory(&recipients(2)).await;
    let names = storm(&bus, 3, &recipients(2)).await;
    let said = bus.say_event().await;
    bus.escalate(said, &recipients(2)).await;
    bus.acknowledge("r1").await;
    let notifier = Running::start(&bus, &config(&[sink.address().port()])).await;
    for incident in &names {
        let ended: AttemptEnded = stormy(&bus, (incident, "r0"), 1, AttemptPhase::Ended).await;
        assert_eq!((ended.outcome, ended.code), (Outcome::Permanent, Some(550)), "{incident}");
        let begun: AttemptBegun = stormy(&bus, (incident, "r1"), 1, AttemptPhase::Begun).await;
        assert_eq!(begun.digest.unwrap().of, 3, "{incident}");
    }
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Permanent);
    assert_eq!(bus.ended("r1", 1).await.outcome, Outcome::StoodDown);
    notifier.stop().await;
    assert_eq!(sink.counts().mails, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notifier_that_trusts_a_key_leaves_the_work_to_others_until_the_directory_is_under_it() {
    let (bus, sink) = (Bus::start().await, sink().await);
    let (ours, thiefs) = (SigningKey::generate(), SigningKey::generate());
    // It vouches for itself; and that it names ours in the next makes it none of ours.
    bus.proclaim(1, &thiefs, &thiefs).await;
    bus.proclaim(2, &ours, &thiefs).await;
    let said = bus.say_event().await;
    let (trusting, progress) = (config(&[sink.address().port()]), Progress::default());
    let told = (ours.public().parse().unwrap(), progress.clone());
    let pinned =
        Running::with(&bus, &trusting, |notifier| notifier.trusting(Some(told.0)).telling(told.1)).await;
    bus.escalate(said, &["r0".to_owned()]).await;

    // Another, which was told nothing, is not stopped by it.
    let mut config = trusting.clone();
    config.relays[0].name = "of another".to_owned();
    let other = Running::start(&bus, &config).await;
    assert_eq!(bus.ended("r0", 1).await.outcome, Outcome::Accepted);
    assert_eq!(bus.begun("r0", 1).await.relay, "of another");
    other.stop().await;

    bus.escalate(said, &["r1".to_owned()]).await;
    let ready = tokio::time::timeout(Duration::ZERO, progress.until_ready()).await;
    assert!(ready.is_err(), "it does not do what it is there for");
    let ours = bus.proclaim(3, &ours, &ours).await;
    assert_eq!(bus.ended("r1", 1).await.outcome, Outcome::Accepted);
    let begun = bus.attempt("r1", 1, AttemptPhase::Begun).await;
    assert!(begun.sequence > ours, "nothing was begun under the thief's directory");
    progress.until_ready().await;
    pinned.stop().await;
}
