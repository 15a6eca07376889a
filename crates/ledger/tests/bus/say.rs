use tocsin_ledger::{Error, Said};
use tocsin_protocol::{SigningKey, Stream};

use crate::support::{Bus, connect, raw, signed, within};

const EVENT: &str = "tocsin.incident.bt.x.1";

#[tokio::test]
async fn a_fact_is_said_once_however_often_it_is_tried() {
    let bus = Bus::start().await;
    let (subject, signature, body) = signed(&SigningKey::generate(), EVENT, "{}");
    let first = bus.ledger.say(&subject, &signature, body.clone()).await.unwrap();
    let again = connect(&bus.server).await.say(&subject, &signature, body.clone()).await.unwrap();
    assert!(matches!(first, Said::Stored(_)), "{first:?}");
    assert!(matches!(again, Said::Already(_)), "{again:?}");
    assert_eq!(first.position(), again.position());
    let entry = bus.ledger.last(&subject).await.unwrap().unwrap();
    assert_eq!((entry.time, entry.signed, entry.body), (first.position().time, Some(signature), body));
    assert_eq!(bus.ledger.entries(Stream::Said, &[EVENT.to_owned()]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_stands_there_already_does_not_keep_a_fact_out() {
    let bus = Bus::start().await;
    raw(&bus.server).await.publish(EVENT, "a stranger's words".into()).await.unwrap().await.unwrap();
    let (subject, signature, body) = signed(&SigningKey::generate(), EVENT, "{}");
    let said = bus.ledger.say(&subject, &signature, body.clone()).await.unwrap();
    assert!(matches!(said, Said::Beside(_)), "{said:?}");
    let again = bus.ledger.say(&subject, &signature, body).await.unwrap();
    assert_eq!(again.position(), said.position());
}

/// One who was not told that its word is stored says it again, and sees the last word there alone: to say it behind that
/// one loses nothing, and the rules of the record count the first.
#[tokio::test]
async fn a_word_is_said_again_behind_another_s_each_upon_what_stood_there() {
    let bus = Bus::start().await;
    let (subject, signature, body) = signed(&SigningKey::generate(), EVENT, "{}");
    let (_, others, words) = signed(&SigningKey::generate(), EVENT, r#"{"other":1}"#);
    let first = bus.ledger.say(&subject, &signature, body.clone()).await.unwrap();
    let beside = bus.ledger.say(&subject, &others, words).await.unwrap();
    let again = bus.ledger.say(&subject, &signature, body).await.unwrap();
    assert!(matches!((&first, &beside, &again), (Said::Stored(_), Said::Beside(_), Said::Beside(_))));
    let places = [first, beside, again].map(|said| said.position().sequence);
    let stream = raw(&bus.server).await.get_stream("TOCSIN_SAID").await.unwrap();
    for (place, stood) in places.into_iter().zip([0, places[0], places[1]]) {
        let stored = stream.get_raw_message(place).await.unwrap();
        let upon = stored.headers.get("Nats-Expected-Last-Subject-Sequence").unwrap();
        assert_eq!(upon.as_str(), stood.to_string());
    }
}

#[tokio::test]
async fn a_fact_too_large_or_of_the_other_stream_is_refused_with_what_to_do() {
    let bus = Bus::start().await;
    let key = SigningKey::generate();
    let (subject, signature, body) = signed(&key, EVENT, &"x".repeat(70_000));
    let error = bus.ledger.say(&subject, &signature, body).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { size: 70_000, .. }), "{error}");
    let (subject, signature, body) = signed(&key, "tocsin.dispatch.bt.x.1", "{}");
    let error = bus.ledger.say(&subject, &signature, body).await.unwrap_err();
    assert!(matches!(error, Error::WrongStream { .. }), "{error}");
}

#[tokio::test]
async fn a_fact_said_while_the_broker_dies_ends_as_one_fact() {
    let mut bus = Bus::start().await;
    let key = SigningKey::generate();
    for event in 1..=20 {
        let (subject, signature, body) = signed(&key, &format!("tocsin.incident.bt.x.{event}"), "{}");
        let ledger = bus.ledger.clone();
        let saying = tokio::spawn(async move { ledger.say(&subject, &signature, body).await });
        if event % 5 == 0 {
            bus.server.restart().await.unwrap();
        }
        within("the fact is said", saying).await.unwrap().unwrap();
    }
    let said = bus.ledger.entries(Stream::Said, &["tocsin.incident.>".to_owned()]).await.unwrap();
    assert_eq!(said.len(), 20);
}
