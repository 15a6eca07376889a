//! What a watcher in another place hears, and when it hears that it is over.

use tocsin_audit::{Alarm, AlarmCode, AlarmState, Bell, Limits, Lookout, Rung};
use tocsin_protocol::{
    EventKind, Outcome, SignedDuration, SigningKey, Status, Subject, Timestamp,
    schema::{Kind, check},
};

use crate::support::{World, minutes, seconds, start};

/// What is wrong so long after the first event, with everything of the world read.
fn alarms(world: &World, after: SignedDuration) -> Vec<Alarm> {
    let mut lookout = Lookout::default();
    world.entries.iter().for_each(|entry| lookout.take(entry));
    lookout.alarms(start() + after, &Limits::default())
}

fn codes(world: &World, after: SignedDuration) -> Vec<AlarmCode> {
    alarms(world, after).iter().map(|alarm| alarm.code).collect()
}

/// A world without a checkpoint is quiet for ever: this one signs.
fn signed() -> World {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| {}).at(minutes(1)).all_but(&[], 1).checkpoint();
    world
}

#[test]
fn nothing_is_wrong_where_all_is_done() {
    let mut world = signed();
    world.at(minutes(40)).checkpoint();
    assert_eq!(codes(&world, minutes(60)), []);
}

#[test]
fn a_router_that_writes_no_dispatch_is_heard_of_after_its_limit_and_not_before() {
    let mut world = World::small();
    world.withheld = |subject| matches!(subject, Subject::Dispatch { .. } | Subject::Notice { .. });
    world.checkpoint().say(EventKind::Initial, |_| {});
    assert_eq!(codes(&world, seconds(30)), []);
    let late = alarms(&world, seconds(31));
    assert_eq!(late.len(), 1);
    assert_eq!((late[0].code, late[0].since), (AlarmCode::RouterBehind, start()));
    assert!(late[0].text.contains("1 not dispatched"), "{}", late[0].text);
}

#[test]
fn a_router_that_dies_between_any_two_words_is_heard_of() {
    type Withheld = fn(&Subject) -> bool;
    let each: [(Withheld, &str); 4] = [
        (|s| matches!(s, Subject::Notice { .. }), "1 dispatched without every notice"),
        (|s| matches!(s, Subject::Finding { .. } | Subject::Escalation { .. }), "closed without a finding"),
        (|s| matches!(s, Subject::Escalation { .. }), "silent without an escalation"),
        (|s| matches!(s, Subject::Refusal { .. }), "1 refused without a word of it"),
    ];
    for (withheld, words) in each {
        let mut world = World::small();
        world.withheld = withheld;
        world.say(EventKind::Initial, |_| {}).at(minutes(1)).forged("dsit", 1, "ofcom").at(minutes(20));
        let heard = alarms(&world, minutes(20));
        let router = heard.iter().find(|alarm| alarm.code == AlarmCode::RouterBehind);
        assert!(router.is_some_and(|alarm| alarm.text.contains(words)), "{words}: {heard:?}");
    }
}

#[test]
fn a_window_that_the_broker_does_not_close_is_heard_of() {
    let mut world = World::small();
    world.withheld = |subject| matches!(subject, Subject::Due { .. });
    world.say(EventKind::Initial, |_| {}).checkpoint().at(minutes(20));
    assert_eq!(codes(&world, minutes(16)), []);
    assert!(codes(&world, minutes(17)).contains(&AlarmCode::WindowNotClosed));
}

#[test]
fn a_dead_notifier_then_relays_that_fail_then_one_that_takes_it() {
    let mut world = World::small();
    world.say(EventKind::Initial, |_| {}).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16)).checkpoint();
    assert_eq!(codes(&world, minutes(16)), [], "it is owed since a minute, less a millisecond or so");
    let dead = alarms(&world, minutes(17));
    assert_eq!(dead[0].code, AlarmCode::NotifierBehind);
    assert_eq!(dead[0].recipients[0].as_str(), "ofcom");
    world.at(minutes(17)).attempt("ofcom", (1, 1), 1, Some(Outcome::Temporary)).checkpoint();
    assert_eq!(codes(&world, minutes(18)), [AlarmCode::RelaysFail]);
    assert_eq!(codes(&world, minutes(21)), [AlarmCode::MailNotTaken, AlarmCode::RelaysFail]);
    let untaken = &alarms(&world, minutes(21))[0];
    assert_eq!(untaken.incident.as_ref().unwrap().as_str(), "bt-999-2023-06-25");
    assert_eq!(untaken.status, Some(Status::Actual));
    world.at(minutes(22)).attempt("ofcom", (1, 1), 2, Some(Outcome::Accepted)).checkpoint();
    assert_eq!(codes(&world, minutes(23)), []);
}

#[test]
fn a_mail_refused_for_good_is_heard_of_at_once_until_another_contact_is_reached_or_it_is_acknowledged() {
    let silent = || {
        let mut world = World::small();
        world.say(EventKind::Initial, |_| {}).at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16));
        world.attempt_said("ofcom", (1, 1), 1, Some(Outcome::Permanent), Some(550)).checkpoint();
        world
    };
    assert_eq!(codes(&silent(), minutes(16)), [AlarmCode::MailNotTaken]);
    let mut reached = silent();
    reached.attempt("ofcom", (1, 2), 1, Some(Outcome::Accepted)).checkpoint();
    assert_eq!(codes(&reached, minutes(17)), []);
    let mut acknowledged = silent();
    acknowledged.at(minutes(17)).acknowledged("ofcom", 1).checkpoint();
    assert_eq!(codes(&acknowledged, minutes(18)), []);
}

#[test]
fn a_log_that_nobody_signs_is_heard_of() {
    let mut world = signed();
    world.at(minutes(2)).say(EventKind::Update, |_| {});
    assert_eq!(codes(&world, minutes(11)), []);
    assert_eq!(codes(&world, minutes(13)), [AlarmCode::LogQuiet]);
    world.at(minutes(40)).checkpoint();
    assert_eq!(codes(&world, minutes(60)), []);
}

#[test]
fn a_promised_update_is_overdue_until_more_is_said_or_it_is_over() {
    let promised = || {
        let mut world = World::small();
        world.say(EventKind::Initial, |event| event.next_update_by = Some(start() + minutes(10)));
        world.at(minutes(1)).all_but(&[], 1).checkpoint();
        world
    };
    assert_eq!(codes(&promised(), minutes(10)), []);
    assert_eq!(codes(&promised(), minutes(10) + seconds(1)), [AlarmCode::UpdateOverdue]);
    for kind in [EventKind::Update, EventKind::Resolved, EventKind::Cancelled] {
        let mut world = promised();
        world.at(minutes(9)).say(kind, |event| event.next_update_by = None).at(minutes(9)).checkpoint();
        assert_eq!(codes(&world, minutes(11)), [], "{kind}");
    }
}

#[test]
fn a_directory_without_its_key_is_heard_of_until_one_with_it_comes_and_so_is_one_under_another_key() {
    let (ours, other) = (SigningKey::generate(), SigningKey::generate());
    let mut world = signed();
    world.at(minutes(2)).sign_directory(2, &ours).checkpoint();
    assert_eq!(codes(&world, minutes(3)), []);
    world.at(minutes(4)).change_directory(3, |document| document.recipients.clear()).checkpoint();
    let heard = alarms(&world, minutes(5));
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!((heard[0].code, heard[0].since), (AlarmCode::DirectoryUnsigned, start() + minutes(4)));
    let text = &heard[0].text;
    assert!(text.contains("Version 3") && text.contains(&ours.public()), "{text}");
    world.at(minutes(6)).sign_directory(4, &ours).checkpoint();
    assert_eq!(codes(&world, minutes(7)), []);

    let trusting = |key: &SigningKey| {
        let mut lookout = Lookout::trusting(Some(key.public().parse().unwrap()));
        world.entries.iter().for_each(|entry| lookout.take(entry));
        lookout.alarms(start() + minutes(7), &Limits::default())
    };
    assert_eq!(trusting(&ours), []);
    let heard = trusting(&other);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!((heard[0].code, heard[0].since), (AlarmCode::DirectoryUntrusted, start() + minutes(6)));
    let text = &heard[0].text;
    assert!(text.contains(&ours.public()) && text.contains(&other.public()), "{text}");
}

#[test]
fn an_alarm_is_told_once_and_once_that_it_is_over() {
    let mut world = World::small();
    world.withheld = |subject| matches!(subject, Subject::Dispatch { .. } | Subject::Notice { .. });
    world.checkpoint().say(EventKind::Initial, |_| {});
    let at = |after| -> Timestamp { start() + after };
    let mut bell = Bell::default();
    let mut ring = |alarms: Vec<Alarm>, when| -> Vec<(AlarmState, AlarmCode)> {
        bell.ring(alarms, when).iter().map(|rung| (rung.state, rung.alarm.code)).collect()
    };
    let (late, later) = (alarms(&world, minutes(1)), alarms(&world, minutes(2)));
    assert_ne!(late[0].text, later[0].text, "it is told for how long");
    assert_eq!(ring(late, at(minutes(1))), [(AlarmState::Raised, AlarmCode::RouterBehind)]);
    assert_eq!(ring(later, at(minutes(2))), []);
    assert_eq!(ring(Vec::new(), at(minutes(3))), [(AlarmState::Over, AlarmCode::RouterBehind)]);
    assert_eq!(ring(Vec::new(), at(minutes(4))), []);
}

#[test]
fn what_is_told_is_as_its_schema_says() {
    let mut world = World::small();
    world.say(EventKind::Initial, |event| event.next_update_by = Some(start() + minutes(10)));
    world.at(minutes(1)).all_but(&["ofcom"], 1).at(minutes(16)).checkpoint();
    world.at(minutes(17)).attempt("ofcom", (1, 1), 1, Some(Outcome::Temporary)).checkpoint();
    let alarms = alarms(&world, minutes(40));
    let mut bell = Bell::default();
    let mut rung = bell.ring(alarms.iter().cloned(), start() + minutes(40));
    rung.extend(bell.ring(Vec::new(), start() + minutes(41)));
    assert!(rung.len() >= 6, "{rung:?}");
    for rung in &rung {
        let text = serde_json::to_string(rung).unwrap();
        assert_eq!(check(Kind::Alarm, text.as_bytes()), Ok(()), "{text}");
        assert_eq!(serde_json::from_str::<Rung>(&text).unwrap(), *rung);
        for (from, to) in [
            (format!(r#""code":"{}""#, rung.alarm.code.as_str()), r#""code":"all-is-well""#),
            (r#""state":""#.to_owned(), r#""state":"not "#),
            (r#""since":"#.to_owned(), r#""until":"#),
        ] {
            let altered = text.replacen(&from, to, 1);
            assert!(altered != text && check(Kind::Alarm, altered.as_bytes()).is_err(), "{altered}");
        }
    }
    // The words are those of the schema, each of them.
    let schema: serde_json::Value =
        serde_json::from_str(tocsin_protocol::schema::schema_text(Kind::Alarm)).unwrap();
    let words = schema["properties"]["code"]["enum"].as_array().unwrap();
    for word in words {
        let code: AlarmCode = serde_json::from_value(word.clone()).unwrap();
        assert_eq!(code.as_str(), word);
    }
    assert_eq!(words.len(), 1 + AlarmCode::UpdateOverdue as usize);
}
