use std::time::Duration;

use tocsin_protocol::{SigningKey, Stream, TRACEPARENT_HEADER, leaf};

use crate::support::{Bus, fact, notice, raw, signed, soon, subject, window, within};

async fn header(bus: &Bus, stream: Stream, of: &str) -> Option<String> {
    let stream = raw(&bus.server).await.get_stream(stream.name()).await.unwrap();
    let message = stream.get_last_raw_message_by_subject(of).await.unwrap();
    message.headers.get(TRACEPARENT_HEADER).map(ToString::to_string)
}

#[tokio::test]
async fn every_fact_about_an_event_carries_its_trace_the_brokers_own_included() {
    let bus = Bus::start().await;
    let (event, sign, body) = signed(&SigningKey::generate(), "tocsin.incident.bt.x.1", "{}");
    bus.ledger.say(&event, &sign, body).await.unwrap();
    let due = subject("tocsin.due.x.1.1");
    let facts = [fact("tocsin.dispatch.bt.x.1", "{}"), window(1, soon(Duration::ZERO)), notice("a", 1)];
    bus.ledger.append_all(&facts, None).await.unwrap();
    bus.ledger.append(&fact("tocsin.checkpoint.1", "{}"), None).await.unwrap();
    within("the due", bus.ledger.wait_for(std::slice::from_ref(&due), Duration::from_secs(30)))
        .await
        .unwrap()
        .unwrap();

    let of =
        |subject: &str| subject.parse::<tocsin_protocol::Subject>().unwrap().trace().map(|t| t.to_string());
    assert_eq!(header(&bus, Stream::Said, "tocsin.incident.bt.x.1").await, of("tocsin.incident.bt.x.1"));
    for fact in ["tocsin.dispatch.bt.x.1", "tocsin.notice.a.x.1"] {
        assert_eq!(header(&bus, Stream::Log, fact).await, of(fact));
    }
    // It carries the window's own span, in the same trace.
    assert_eq!(header(&bus, Stream::Log, "tocsin.due.x.1.1").await, of("tocsin.window.x.1.1"));
    assert_eq!(header(&bus, Stream::Log, "tocsin.checkpoint.1").await, None);
}

#[tokio::test]
async fn a_strangers_trace_changes_no_entry_and_no_leaf() {
    let bus = Bus::start().await;
    let (event, sign, body) = signed(&SigningKey::generate(), "tocsin.incident.bt.x.1", "{}");
    bus.ledger.say(&event, &sign, body.clone()).await.unwrap();
    let ours = bus.ledger.last(&event).await.unwrap().unwrap();
    let huge = "f".repeat(20_000);
    let zeros = format!("00-{}-{}-01", "0".repeat(32), "0".repeat(16));
    for hostile in ["", "junk", "00-zz-zz-01", "ff-1-1-1\u{7f}é", &zeros, &huge] {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(tocsin_protocol::KEY_HEADER, sign.key.as_str());
        headers.insert(tocsin_protocol::SIGNATURE_HEADER, sign.signature.as_str());
        headers.append(TRACEPARENT_HEADER, hostile);
        headers.append(TRACEPARENT_HEADER, "00-1-2-03");
        let context = raw(&bus.server).await;
        let publish = context.publish_with_headers(event.to_string(), headers, body.clone());
        let sequence = publish.await.unwrap().await.unwrap().sequence;
        let theirs = bus.ledger.read(Stream::Said, sequence).await.unwrap().unwrap();
        assert_eq!((&theirs.signed, &theirs.body), (&ours.signed, &ours.body), "{hostile:.40}");
        let mut same_place = theirs.clone();
        (same_place.sequence, same_place.time) = (ours.sequence, ours.time);
        assert_eq!(leaf(&same_place), leaf(&ours));
    }
    // And both streams are read past all of it.
    let mut follow = bus.ledger.follow().await.unwrap();
    assert_eq!(crate::support::to_the_end(&mut follow).await.len(), 7);
}
