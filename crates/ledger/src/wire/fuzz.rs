//! What the broker, and whoever stands in its place, may send.

use serde_json::Value;
use tocsin_fuzz::{check, text};

use super::*;
use crate::{api, signals::Denial, version::Version};

#[test]
fn a_reply_subject_tells_a_delivery_or_nothing() {
    let seeds = [
        "$JS.ACK.TOCSIN_LOG.c.2.17.5.1687674240000000001.9",
        "$JS.ACK.hub.ACC.TOCSIN_LOG.c.2.17.5.1687674240000000001.9.rnd",
        "$JS.ACK.a.b.18446744073709551615.0.0.-9223372036854775808.0",
    ];
    check("delivered", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), |bytes| {
        let reply = text(bytes);
        if let Some(delivered) = Delivered::parse(&reply) {
            let _ = time_of(delivered.nanoseconds);
            assert!(reply.starts_with("$JS.ACK."));
        }
        let _ = Version::parse(&reply);
        let _ = Denial::parse(&reply);
    });
}

#[test]
fn a_stored_header_block_gives_the_same_entry_by_every_way_in() {
    let seeds = vec![
        b"NATS/1.0\r\nTocsin-Key:  UA \r\nTocsin-Signature: si\r\n g\r\nTocsin-Key: UB\r\nTocsin-Said-Through: 12\r\n\r\n".to_vec(),
        b"NATS/1.0\r\nTocsin-Said-Through: x\r\nTocsin-Said-Through: 12\r\n\r\n".to_vec(),
        b"NATS/1.0\r\nNats-Stream: TOCSIN_SAID\r\nNats-Subject: x\r\n\r\n".to_vec(),
    ];
    check("headers", seeds, |block| {
        let raw = Headers::raw(block);
        let entry = raw.clone().entry(Stream::Log, 1, Timestamp::UNIX_EPOCH, String::new(), Bytes::new());
        // What we write of an entry is read as that entry.
        let again = Stored::from(entry.clone());
        let whole = |value: &String| !value.contains(['\r', '\n']) && value.trim() == value;
        if entry.signed.as_ref().is_none_or(|signed| whole(&signed.key) && whole(&signed.signature)) {
            assert_eq!(again.into_entry(Stream::Log), entry);
        }
        let _ = is_readable(block);
    });
}

#[test]
fn an_answer_is_read_or_told_as_unreadable() {
    let seeds = [
        r#"{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","message":{"subject":"tocsin.x","seq":7,"hdrs":"TkFUUy8xLjANCg0K","data":"e30=","time":"2023-06-25T05:24:00.1Z"}}"#,
        r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 4"}}"#,
        r#"{"stream":"TOCSIN_LOG","seq":12,"batch":"b","count":3}"#,
        r#"{"subject":"x","seq":1,"time":"9999-12-31T23:59:59.999999999Z","hdrs":"","data":null}"#,
    ];
    check("answer", seeds.map(|seed| seed.as_bytes().to_vec()).to_vec(), |bytes| {
        let _ = api::read::<Value>("asking", bytes).map_err(|why| why.to_string());
        let _ = api::read::<api::PubAck>("asking", bytes).map_err(|why| why.to_string());
        if let Ok(stored) = serde_json::from_slice::<Stored>(bytes) {
            let _ = stored.is_readable();
            let _ = stored.into_entry(Stream::Said);
        }
    });
}
