//! A publisher on a real nats-server: nothing is lost when the bus is away or the process dies, and nothing is said
//! twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

use std::time::Duration;

use tempfile::TempDir;
use tocsin_ledger::{
    Connection, Ledger, Said, Shape, Wait,
    server::{Server, ServerOptions, find},
};
use tocsin_protocol::{
    AuthorKey, Dispatch, Entry, NewFact, PublisherId, Refusal, RefusalCode, SignedDuration, SigningKey,
    Stream, Subject, Timestamp, to_body,
};
use tocsin_publisher::{
    Answer, Error, Exerciser, Prepared, Spool, await_answer, events_of, newest_directory, prepare_bytes,
    publish, send,
};

/// No test waits longer than this for anything.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long a bus that is away is tried.
const PATIENCE: Duration = Duration::from_millis(300);

struct Bus {
    server: Server,
    connection: Connection,
    spool: Spool,
    key: SigningKey,
    dir: TempDir,
}

impl Bus {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let options = ServerOptions {
            binary: find().unwrap(),
            store_dir: dir.path().join("nats"),
            config: None,
            port: None,
        };
        let server = Server::start(&options).await.unwrap();
        let connection = Connection { wait: Wait::Fail(DEADLINE), ..Connection::to(&server.url()) };
        let key = SigningKey::generate();
        let ledger = Ledger::connect(&connection).await.unwrap();
        ledger.set_up(&Shape::default()).await.unwrap();
        let bus =
            Self { server, connection, spool: Spool::open(&dir.path().join("spool")).unwrap(), key, dir };
        bus.directory(1, &bus.key.public()).await;
        bus
    }

    async fn ledger(&self) -> Ledger {
        Ledger::connect(&self.connection).await.unwrap()
    }

    /// Puts a directory in force in which the publisher has this key.
    async fn directory(&self, version: u64, key: &str) {
        let body = serde_json::json!({
            "name": "test", "time_zone": "Europe/London",
            "areas": [{"id": "uk", "name": "UK"}],
            "publishers": [{"id": "bt", "name": "BT", "key": key, "areas": "all"}],
        });
        let body = serde_json::to_vec(&body).unwrap().into();
        let fact = NewFact { subject: Subject::Directory { version }, body, schedule: None };
        self.ledger().await.append(&fact, None).await.unwrap();
    }

    fn event(&self, incident: &str, event: u32) -> Prepared {
        let kind = if event == 1 { "initial" } else { "update" };
        let body = format!(
            r#"{{"incident":"{incident}","sequence":{event},"kind":"{kind}","status":"test","publisher":"bt","category":"outage","services":["999-voice"],"headline":"999 calls fail","areas":["uk"]}}"#
        );
        prepare_bytes(body.as_bytes(), &self.key, &PublisherId::new("bt").unwrap()).unwrap()
    }

    fn away(&self) -> Connection {
        Connection { wait: Wait::Fail(PATIENCE), ..self.connection.clone() }
    }

    fn waiting(&self) -> Vec<String> {
        let pending = self.spool.pending().unwrap();
        pending.events.iter().map(|spooled| format!("{}.{}", spooled.incident(), spooled.event())).collect()
    }

    async fn said(&self) -> Vec<Entry> {
        self.ledger().await.entries(Stream::Said, &["tocsin.incident.>".to_owned()]).await.unwrap()
    }

    async fn said_subjects(&self) -> Vec<String> {
        self.said().await.into_iter().map(|entry| entry.subject.replace("tocsin.incident.bt.", "")).collect()
    }
}

#[tokio::test]
async fn an_event_is_kept_while_the_bus_is_away_and_sent_in_order_when_it_is_back() {
    let mut bus = Bus::start().await;
    bus.server.kill().await.unwrap();
    for (incident, event) in [("b", 1), ("a", 1), ("b", 2)] {
        let prepared = bus.event(incident, event);
        let refused =
            publish(&bus.away(), &bus.spool, &prepared, Timestamp::now(), PATIENCE).await.unwrap_err();
        let Error::BusAway { .. } = &refused else { panic!("{refused}") };
        let told = refused.to_string();
        assert!(told.contains("safe on disk") && told.contains("tocsin spool send"), "{told}");
    }
    assert_eq!(bus.waiting(), ["b.1", "a.1", "b.2"]);
    bus.server.restart().await.unwrap();
    // By the same command again: all that waits goes before it.
    let prepared = bus.event("b", 2);
    let published =
        publish(&bus.connection, &bus.spool, &prepared, Timestamp::now(), DEADLINE).await.unwrap();
    assert!(matches!(published.sent.said, Said::Stored(_)), "{:?}", published.sent.said);
    assert_eq!(published.sending.sent.len(), 3);
    assert_eq!(bus.said_subjects().await, ["b.1", "a.1", "b.2"]);
    assert_eq!(bus.waiting(), [""; 0]);
}

#[tokio::test]
async fn what_waits_is_sent_by_spool_send_and_a_second_time_changes_nothing() {
    let bus = Bus::start().await;
    for event in 1..=3 {
        bus.spool.put(&bus.event("a", event), Timestamp::now()).unwrap();
    }
    let ledger = bus.ledger().await;
    let sending = send(&ledger, &bus.spool, DEADLINE).await.unwrap();
    assert_eq!((sending.sent.len(), sending.stopped.is_none()), (3, true), "{sending}");
    let again = send(&ledger, &bus.spool, DEADLINE).await.unwrap();
    assert_eq!(again.sent, []);
    assert_eq!(bus.said_subjects().await, ["a.1", "a.2", "a.3"]);
}

#[tokio::test]
async fn a_process_that_dies_between_network_and_spool_leaves_one_fact() {
    let bus = Bus::start().await;
    let spooled = bus.spool.put(&bus.event("a", 1), Timestamp::now()).unwrap();
    // It was said, and the process died before it could note that.
    let ledger = bus.ledger().await;
    ledger.say(spooled.subject(), spooled.signed(), spooled.body().clone()).await.unwrap();
    assert_eq!(bus.waiting(), ["a.1"]);
    let sending = send(&ledger, &bus.spool, DEADLINE).await.unwrap();
    assert!(matches!(sending.sent[0].said, Said::Already(_)), "{sending}");
    assert_eq!((bus.said_subjects().await, bus.waiting()), (vec!["a.1".to_owned()], vec![]));
}

#[tokio::test]
async fn two_senders_at_once_say_each_event_once() {
    let bus = Bus::start().await;
    for event in 1..=20 {
        bus.spool.put(&bus.event("a", event), Timestamp::now()).unwrap();
    }
    let (one, two) = (bus.ledger().await, bus.ledger().await);
    let (first, second) = tokio::join!(send(&one, &bus.spool, DEADLINE), send(&two, &bus.spool, DEADLINE));
    assert_eq!(first.unwrap().sent.len() + second.unwrap().sent.len(), 20);
    let expected: Vec<_> = (1..=20).map(|event| format!("a.{event}")).collect();
    assert_eq!(bus.said_subjects().await, expected);
}

#[tokio::test]
async fn an_event_that_would_be_refused_is_not_sent_and_can_be_sent_once_the_directory_is_mended() {
    let bus = Bus::start().await;
    bus.directory(2, &SigningKey::generate().public()).await;
    let prepared = bus.event("a", 1);
    let refused =
        publish(&bus.connection, &bus.spool, &prepared, Timestamp::now(), DEADLINE).await.unwrap_err();
    let Error::WouldBeRefused { problems } = &refused else { panic!("{refused}") };
    assert_eq!(problems, &["the key given is not the one that directory 2 lists for publisher bt"]);
    assert_eq!((bus.said_subjects().await, bus.waiting()), (vec![], vec![]));
    bus.directory(3, &bus.key.public()).await;
    publish(&bus.connection, &bus.spool, &prepared, Timestamp::now(), DEADLINE).await.unwrap();
    assert_eq!(bus.said_subjects().await, ["a.1"]);
}

#[tokio::test]
async fn the_answer_is_the_routers_and_none_is_told_as_none() {
    let bus = Bus::start().await;
    let publish_one = async |incident| {
        let prepared = bus.event(incident, 1);
        publish(&bus.connection, &bus.spool, &prepared, Timestamp::now(), DEADLINE).await.unwrap()
    };
    let (told, refused) = (publish_one("told").await, publish_one("refused").await);
    let none = await_answer(&told.ledger, &told.sent, PATIENCE).await.unwrap();
    assert_eq!(none, Answer::NotYet);
    let said = told.sent.said.position();
    let dispatch: Dispatch = serde_json::from_value(serde_json::json!({
        "incident": "told", "event": 1, "kind": "initial", "status": "test", "publisher": "bt",
        "said": said.sequence, "published_at": said.time, "directory": 1, "acknowledge": true,
        "policies": [], "steps": [], "owed": [],
    }))
    .unwrap();
    let refusal = Refusal {
        said: refused.sent.said.position().sequence,
        subject: "tocsin.incident.bt.refused.1".to_owned(),
        code: RefusalCode::AreaNotAllowed,
        reasons: vec!["publisher bt may not speak of area uk".to_owned()],
    };
    let facts = [
        (dispatch_subject("told"), to_body("dispatch", &dispatch).unwrap()),
        (Subject::refusal(&refusal.subject, refusal.said), to_body("refusal", &refusal).unwrap()),
    ];
    for (subject, body) in facts {
        told.ledger.append(&NewFact { subject, body, schedule: None }, None).await.unwrap();
    }
    let answer = await_answer(&told.ledger, &told.sent, DEADLINE).await.unwrap();
    assert!(matches!(answer, Answer::Dispatched(_)), "{answer}");
    let answer = await_answer(&refused.ledger, &refused.sent, DEADLINE).await.unwrap();
    assert_eq!(answer, Answer::Refused(refusal));
    // What was refused is no event to follow.
    let public = AuthorKey::new(&bus.key.public()).unwrap();
    let (ledger, bt) = (bus.ledger().await, PublisherId::new("bt").unwrap());
    assert_eq!(events_of(&ledger, &bt, &"told".parse().unwrap(), &public).await.unwrap().len(), 1);
    assert_eq!(events_of(&ledger, &bt, &"refused".parse().unwrap(), &public).await.unwrap(), []);
    assert_eq!(newest_directory(&ledger).await.unwrap().unwrap().version(), 1);
}

fn dispatch_subject(incident: &str) -> Subject {
    format!("tocsin.dispatch.bt.{incident}.1").parse().unwrap()
}

#[tokio::test]
async fn a_bus_without_streams_keeps_the_event() {
    let bus = Bus::start().await;
    let options = ServerOptions {
        binary: find().unwrap(),
        store_dir: bus.dir.path().join("bare"),
        config: None,
        port: None,
    };
    let bare = Server::start(&options).await.unwrap();
    let connection = Connection { wait: Wait::Fail(PATIENCE), ..Connection::to(&bare.url()) };
    let refused =
        publish(&connection, &bus.spool, &bus.event("a", 1), Timestamp::now(), PATIENCE).await.unwrap_err();
    assert!(matches!(refused, Error::BusAway { .. } | Error::BusUnfit { .. }), "{refused:?}");
    assert_eq!(bus.waiting(), ["a.1"]);
}

/// Puts a directory in force whose exercise is due in an hour, on the minute, and tells when.
async fn exercise(bus: &Bus) -> Timestamp {
    let soon = Timestamp::now() + SignedDuration::from_hours(1);
    let due = Timestamp::from_second(soon.as_second() / 60 * 60).unwrap();
    let body = serde_json::json!({
        "name": "test", "time_zone": "UTC",
        "areas": [{"id": "uk", "name": "UK"}],
        "publishers": [{"id": "bt", "name": "BT", "key": bus.key.public(), "areas": "all"}],
        "exercises": [{
            "id": "daily", "schedule": due.strftime("%-M %-H * * *").to_string(), "publisher": "bt",
            "category": "outage", "services": ["999-voice"], "areas": ["uk"], "headline": "Exercise: 999 calls fail",
        }],
    });
    let body = serde_json::to_vec(&body).unwrap().into();
    let fact = NewFact { subject: Subject::Directory { version: 2 }, body, schedule: None };
    bus.ledger().await.append(&fact, None).await.unwrap();
    due
}

/// The publisher's key once more: a key is not copied.
fn again(bus: &Bus) -> SigningKey {
    SigningKey::from_seed(&bus.key.seed().unwrap()).unwrap()
}

fn exerciser(bus: &Bus) -> Exerciser {
    let (publisher, grace) = (PublisherId::new("bt").unwrap(), SignedDuration::from_mins(30));
    Exerciser::new(bus.connection.clone(), publisher, again(bus), bus.spool.clone(), grace)
}

async fn came(exerciser: &mut Exerciser, at: Timestamp) -> Vec<String> {
    let happened = exerciser.look(at).await.unwrap();
    happened.iter().map(|one| one.to_string().rsplit(": ").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_exercise_is_said_once_when_it_is_due_by_however_many_and_however_often_they_start() {
    let bus = Bus::start().await;
    let due = exercise(&bus).await;
    let (mut one, mut other) = (exerciser(&bus), exerciser(&bus));
    assert!(came(&mut one, due - SignedDuration::from_secs(1)).await.is_empty());
    assert_eq!(came(&mut one, due).await, ["said"]);
    for again in [&mut one, &mut other, &mut exerciser(&bus)] {
        assert!(came(again, due + SignedDuration::from_mins(5)).await.is_empty());
    }
    let name = format!("daily-{}.1", due.strftime("%Y%m%dt%H%Mz"));
    assert_eq!(bus.said_subjects().await, [name]);
    let said: tocsin_protocol::Event =
        tocsin_protocol::from_body("event", &bus.said().await[0].body).unwrap();
    assert_eq!(said.status, tocsin_protocol::Status::Exercise);
}

#[tokio::test]
async fn an_exercise_whose_moment_has_passed_is_said_late_or_told_as_missed() {
    let bus = Bus::start().await;
    let due = exercise(&bus).await;
    let late = due + SignedDuration::from_mins(31);
    assert_eq!(came(&mut exerciser(&bus), late).await, ["it was not said in time, and is not said any more"]);
    assert!(bus.said().await.is_empty());
    assert_eq!(came(&mut exerciser(&bus), due + SignedDuration::from_mins(30)).await, ["said, late"]);
    assert_eq!(bus.said().await.len(), 1);
}

#[tokio::test]
async fn no_exercise_is_said_beside_an_actual_incident_and_none_that_waited_for_the_bus_is_sent_later() {
    let mut bus = Bus::start().await;
    let due = exercise(&bus).await;
    let event = |event: u32, kind: &str| {
        let body = format!(
            r#"{{"incident":"real","sequence":{event},"kind":"{kind}","status":"actual","publisher":"bt","category":"outage","services":["999-voice"],"headline":"999 calls fail","areas":["uk"]}}"#
        );
        prepare_bytes(body.as_bytes(), &bus.key, &PublisherId::new("bt").unwrap()).unwrap()
    };
    publish(&bus.connection, &bus.spool, &event(1, "initial"), Timestamp::now(), DEADLINE).await.unwrap();
    let mut exerciser = exerciser(&bus);
    assert_eq!(came(&mut exerciser, due).await, ["postponed, as an actual incident is open"]);
    assert!(came(&mut exerciser, due + SignedDuration::from_mins(1)).await.is_empty(), "told once");
    publish(&bus.connection, &bus.spool, &event(2, "resolved"), Timestamp::now(), DEADLINE).await.unwrap();
    assert_eq!(came(&mut exerciser, due + SignedDuration::from_mins(9)).await, ["said, late"]);

    bus.server.kill().await.unwrap();
    let mut away = Exerciser::new(
        bus.away(),
        PublisherId::new("bt").unwrap(),
        again(&bus),
        bus.spool.clone(),
        SignedDuration::from_mins(30),
    );
    away.look(due + SignedDuration::from_hours(24)).await.unwrap_err();
    assert!(bus.waiting().is_empty());
}

#[tokio::test]
async fn an_exercise_whose_saying_was_broken_off_is_left_to_nobody_and_said_by_the_next_that_starts() {
    let bus = Bus::start().await;
    let due = exercise(&bus).await;
    // Somebody sends from this spool, so that the look waits with its event in it.
    let sending = std::fs::File::open(bus.spool.dir().join(".lock-sending"));
    let sending = sending.or_else(|_| std::fs::File::create(bus.spool.dir().join(".lock-sending"))).unwrap();
    sending.lock().unwrap();
    let mut broken_off = exerciser(&bus);
    let is_spooled = async {
        while bus.waiting().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        looked = broken_off.look(due) => panic!("{looked:?}"),
        spooled = tokio::time::timeout(DEADLINE, is_spooled) => spooled.unwrap(),
    }
    broken_off.leave().unwrap();
    assert!(bus.waiting().is_empty(), "whoever sends next would send it, at any time");
    drop(sending);
    assert_eq!(came(&mut exerciser(&bus), due).await, ["said"]);
    assert_eq!(bus.said().await.len(), 1);
}

#[tokio::test]
async fn what_trusts_a_key_gives_nothing_to_a_record_that_another_has_begun_and_keeps_it() {
    let bus = Bus::start().await;
    let ours = SigningKey::generate();
    let spool = bus.spool.clone().trusting(Some(ours.public().parse().unwrap()));
    let refused = publish(&bus.connection, &spool, &bus.event("a", 1), Timestamp::now(), DEADLINE).await;
    let why = match refused.unwrap_err() {
        why @ Error::NotTrusted { .. } => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(why.contains("NOBODY HAS BEEN TOLD") && why.contains(&ours.public()), "{why}");
    let ledger = bus.ledger().await;
    let sending = send(&ledger, &spool, DEADLINE).await.unwrap();
    assert!(matches!(sending.stopped, Some(Error::NotTrusted { kept: 1, .. })), "{sending:?}");
    let publisher = PublisherId::new("bt").unwrap();
    let mut exerciser = Exerciser::new(
        bus.connection.clone(),
        publisher,
        again(&bus),
        spool.clone(),
        SignedDuration::from_mins(10),
    );
    let looked = exerciser.look(Timestamp::now()).await;
    assert!(matches!(looked, Err(Error::NotTrusted { .. })), "{looked:?}");
    assert_eq!((bus.waiting(), bus.said_subjects().await), (vec!["a.1".to_owned()], Vec::new()));

    let body = serde_json::json!({
        "name": "test", "time_zone": "Europe/London", "directory_key": ours.public(),
        "areas": [{"id": "uk", "name": "UK"}],
        "publishers": [{"id": "bt", "name": "BT", "key": bus.key.public(), "areas": "all"}],
    });
    let body = serde_json::to_vec(&body).unwrap().into();
    let fact = NewFact { subject: Subject::Directory { version: 2 }, body, schedule: None };
    let signed = ours.sign(&fact.subject.to_string(), &fact.body).unwrap();
    ledger.append_signed(&fact, &signed).await.unwrap();
    let sending = send(&ledger, &spool, DEADLINE).await.unwrap();
    assert!(sending.stopped.is_none(), "{sending:?}");
    assert_eq!((bus.waiting(), bus.said_subjects().await), (Vec::new(), vec!["a.1".to_owned()]));
}
