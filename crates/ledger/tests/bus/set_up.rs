use std::time::Duration;

use async_nats::jetstream::stream;
use tocsin_ledger::{Connection, Error, Ledger, Shape};

use crate::support::{Bus, DEADLINE, notice, raw, within};

#[tokio::test]
async fn setting_up_twice_is_setting_up_once() {
    let bus = Bus::start().await;
    bus.ledger.set_up(&Shape::default()).await.unwrap();
    bus.ledger.verify().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_told() {
    let bus = Bus::without_streams().await;
    let error = bus.ledger.verify().await.unwrap_err();
    assert!(matches!(error, Error::NoStream { stream: "TOCSIN_SAID" }), "{error}");
}

#[tokio::test]
async fn a_stream_that_differs_is_refused_by_the_name_of_its_setting() {
    let bus = Bus::start().await;
    let jetstream = raw(&bus.server).await;
    let mut log = jetstream.get_stream("TOCSIN_LOG").await.unwrap();
    let mut config = log.info().await.unwrap().config.clone();
    config.max_messages = 1000;
    jetstream.update_stream(&config).await.unwrap();
    let error = bus.ledger.verify().await.unwrap_err();
    insta::assert_snapshot!(error, @"stream TOCSIN_LOG has max_msgs = 1000, but Tocsin needs -1: set it with `nats stream edit TOCSIN_LOG`, or, if the stream is empty, remove it and run `tocsin setup`");
    let error = bus.ledger.set_up(&Shape::default()).await.unwrap_err();
    assert!(matches!(error, Error::Differs { setting: "max_msgs", .. }), "{error}");
}

#[tokio::test]
async fn an_older_stream_under_our_name_is_refused() {
    let bus = Bus::without_streams().await;
    let config = stream::Config {
        name: "TOCSIN_SAID".to_owned(),
        subjects: vec!["tocsin.incident.>".to_owned()],
        ..stream::Config::default()
    };
    raw(&bus.server).await.create_stream(config).await.unwrap();
    let error = bus.ledger.set_up(&Shape::default()).await.unwrap_err();
    assert!(matches!(error, Error::Differs { stream: "TOCSIN_SAID", .. }), "{error}");
}

#[tokio::test]
async fn a_stream_that_an_older_version_made_is_given_its_missing_subjects_and_keeps_what_it_holds() {
    let bus = Bus::start().await;
    bus.ledger.append(&notice("a", 1), None).await.unwrap();
    let jetstream = raw(&bus.server).await;
    for (name, known) in [("TOCSIN_SAID", "tocsin.incident.*.*.*"), ("TOCSIN_LOG", "tocsin.notice.*.*.*")] {
        let mut stream = jetstream.get_stream(name).await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        config.subjects = vec![known.to_owned()];
        config.num_replicas = 1;
        jetstream.update_stream(&config).await.unwrap();
    }
    // The services say what to do, a back-up can be taken before it is done, and then it is done.
    let error = bus.ledger.verify().await.unwrap_err();
    assert!(error.to_string().contains("run `tocsin setup`, which adds what is missing"), "{error}");
    let kept = bus.store.path().join("before");
    let backup = bus.ledger.back_up(&kept).await.unwrap();
    let widened = bus.ledger.set_up(&Shape::default()).await.unwrap();
    assert_eq!(widened.iter().map(|one| one.stream).collect::<Vec<_>>(), ["TOCSIN_SAID", "TOCSIN_LOG"]);
    assert!(widened[0].subjects.contains(&"tocsin.report.*.*".to_owned()), "{widened:?}");
    bus.ledger.verify().await.unwrap();
    assert_eq!(bus.ledger.touch(DEADLINE).await.unwrap().log_end, 1);
    assert_eq!(bus.ledger.set_up(&Shape::default()).await.unwrap(), []);

    // What was backed up before the upgrade is restored as the streams must be now.
    let fresh = Bus::without_streams().await;
    fresh.ledger.restore(&backup, &Shape::default()).await.unwrap();
    fresh.ledger.verify().await.unwrap();
    assert_eq!(fresh.ledger.touch(DEADLINE).await.unwrap().log_end, 1);
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_told_with_what_to_look_at() {
    // A port that was free a moment ago.
    let port = {
        let bus = Bus::without_streams().await;
        bus.server.port()
    };
    let mut connection = Connection::to(&format!("nats://127.0.0.1:{port}"));
    connection.wait = tocsin_ledger::Wait::Fail(std::time::Duration::from_millis(300));
    let error = Ledger::connect(&connection).await.unwrap_err();
    assert!(error.to_string().contains("NATS_URL"), "{error}");
}

#[tokio::test]
async fn a_server_without_jetstream_is_told() {
    let mut bus = Bus::without_streams().await;
    let conf = std::fs::read_to_string(bus.store.path().join("nats-server.conf")).unwrap();
    bus.server.kill().await.unwrap();
    let plain = conf.split("jetstream").next().unwrap().replace("-1", &bus.server.port().to_string());
    let path = bus.store.path().join("plain.conf");
    std::fs::write(&path, plain).unwrap();
    let binary = tocsin_ledger::server::find().unwrap();
    let mut child = std::process::Command::new(binary)
        .arg("--config")
        .arg(&path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let connection = Connection {
        wait: tocsin_ledger::Wait::Fail(std::time::Duration::from_secs(10)),
        ..Connection::to(&bus.server.url())
    };
    let verified = match Ledger::connect(&connection).await {
        Ok(ledger) => ledger.verify().await,
        Err(error) => Err(error),
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let error = verified.unwrap_err();
    assert!(matches!(error, Error::NoJetStream { .. }), "{error}");
}

#[tokio::test]
async fn a_touch_tells_the_ends_and_the_brokers_time_and_a_broker_that_is_held_up_does_not_answer() {
    let bus = Bus::start().await;
    let touch = bus.ledger.touch(DEADLINE).await.unwrap();
    assert_eq!((touch.said_end, touch.log_end), (0, 0));
    bus.ledger.append(&notice("a", 1), None).await.unwrap();
    let later = bus.ledger.touch(DEADLINE).await.unwrap();
    assert_eq!((later.said_end, later.log_end), (0, 1));
    assert!(later.broker_time.unwrap() >= touch.broker_time.unwrap(), "{later:?} after {touch:?}");
    bus.server.pause().unwrap();
    let error = bus.ledger.touch(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error}");
    bus.server.resume().unwrap();
    within("the broker answers again", bus.ledger.touch(DEADLINE)).await.unwrap();
}
