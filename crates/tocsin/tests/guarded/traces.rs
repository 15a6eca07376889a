//! One event, found in the logs of every process that had to do with it.

use std::{collections::BTreeMap, fs, fs::File, path::Path, time::Duration};

use serde_json::Value;
use tocsin_protocol::{EventNumber, Stream, TraceId};

use crate::bus::{Guarded, SOON, Service, example, until};

/// The lines of a log that are of this trace, by their message. Every line must be a JSON object.
fn of(log: &Path, trace: &str) -> Vec<BTreeMap<String, Value>> {
    let text = fs::read_to_string(log).unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: no JSON: {line}"))
    });
    let fields = lines.map(|line| serde_json::from_value(line["fields"].clone()).unwrap());
    fields.filter(|fields: &BTreeMap<String, Value>| fields.get("trace_id") == Some(&trace.into())).collect()
}

#[tokio::test]
async fn a_test_call_wakes_nobody_and_one_trace_finds_it_in_every_log() {
    let bus = Guarded::in_force(&example()).await;
    let log = |name: &str| bus.dir.path().join(name);
    let file = |name: &str| File::create(log(name)).unwrap();
    let json = ["--log-format", "json"];
    let _router =
        Service::logging(&mut bus.command("router", &[&["router"], &json[..]].concat()), file("router"));
    let desk = [&["desk", "--as", "fire"], &json[..]].concat();
    let mut desk = Service::logging(&mut bus.command("fire", &desk), file("fire"));
    desk.until("Hearing the bus");

    let told = bus.run("operator", &["test-call", "--as", "operator"]);
    assert!(told.contains("PUBLISHED"), "{told}");
    assert!(!told.contains("acknowledge by"), "nobody is asked: {told}");
    desk.until("TEST");

    let ledger = bus.connect("administrator").await.unwrap();
    let began = std::time::Instant::now();
    let entry = loop {
        let delivered = ledger.newest(Stream::Said, "tocsin.receipt.fire.*.1.delivered").await.unwrap();
        match delivered {
            Some(entry) => break entry,
            None => assert!(began.elapsed() < SOON, "the desk never said that it holds the test"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let subject: tocsin_protocol::Subject = entry.subject.parse().unwrap();
    let trace = TraceId::of(subject.incident().unwrap(), EventNumber::FIRST).to_string();
    for filter in ["tocsin.window.>", "tocsin.escalation.>"] {
        assert!(ledger.newest(Stream::Log, filter).await.unwrap().is_none(), "{filter}");
    }
    for (name, message) in [("router", "dispatched"), ("router", "an event was said"), ("fire", "said")] {
        let found = || of(&log(name), &trace).iter().any(|fields| fields["message"] == message);
        until(&format!("{name} tells of {message:?}"), found).await;
    }
    assert!(of(&log("fire"), &trace).iter().all(|fields| fields.contains_key("incident")));
}
