//! What a person is told.

use tocsin_protocol::schema::{Kind, MAX_EVENT_BYTES, MAX_PROBLEMS, check, check_event, check_receipt};

fn told(kind: Kind, body: &[u8]) -> String {
    let problems = check(kind, body).expect_err("a problem");
    problems.iter().flat_map(|problem| [problem.message.as_str(), "\n"]).collect()
}

#[test]
fn a_badly_wrong_event_is_told_all_at_once_in_plain_words() {
    let body = include_str!("../../../../schemas/examples/invalid/event-much-is-wrong.json").trim_end();
    insta::assert_snapshot!(told(Kind::Event, body.as_bytes()), @r#"
    incident: "BT 999" is not an incident identifier: use 1 to 64 of a-z, 0-9 and inner hyphens, such as bt-999-2023-06-25
    sequence: "1" is text: expected a whole number
    kind: "outage" is not a kind of event we know: use one of initial, update, resolved, correction, cancelled, sent-in-error
    status: "real" is not a status we know: use one of actual, exercise, test
    category: "total failure" is not a category we know: use one of outage, degradation, failover, cyber-attack, natural-hazard, call-surge, planned-work
    services: has "112-voice" twice: give each once
    services: "999" is not a service we know: use one of 999-voice, 112-voice, 911-voice, 000-voice, 988-voice, 101-voice, 111-voice, ecall, emergency-sms, text-relay, video-relay, location-data, control-room, emergency-radio
    headline: is missing: one line that tells what has failed and where
    areas: "UK" is not in a list: write ["UK"]
    Headline: an event has no such field: did you mean headline?
    began_at: "06:24" is not a time: write date, time and offset as in RFC 3339, such as 2023-06-25T06:24:00+01:00
    contact.email: "nobody" is not an e-mail address: write one address, such as duty@pol-west-mercia.example
    contact.role: is missing: the role or desk, such as network operations duty manager
    description: is empty: more about it: what is known, what is not, what is being done
    impact.by_area.kent: -3 is too small: use at least 0
    impact.calls: impact has no such field: leave it out
    severity: "very" is not a severity we know: use one of unknown, minor, moderate, severe, extreme
    urgent: an event has no such field: did you mean urgency?
    "#);
}

#[test]
fn rules_between_fields_are_told_as_rules() {
    let first = br#"{"incident":"x","sequence":1,"kind":"update","status":"test","publisher":"bt-cha","category":"outage","services":["999-voice"],"headline":"x","areas":["uk"]}"#;
    let second = br#"{"incident":"x","sequence":2,"kind":"initial","status":"test","publisher":"bt-cha","category":"outage","services":["999-voice"],"headline":"x","areas":["uk"]}"#;
    let nobody = br#"{"incident":"x","event":1,"recipient":"ofcom","stage":"acknowledged","at":"2023-06-25T06:24:00+01:00"}"#;
    let machine = br#"{"incident":"x","event":1,"recipient":"ofcom","stage":"delivered","at":"2023-06-25T06:24:00+01:00","by":{"name":"A. Example","role":"duty officer"}}"#;
    let all: String = [
        told(Kind::Event, first),
        told(Kind::Event, second),
        told(Kind::Receipt, nobody),
        told(Kind::Receipt, machine),
    ]
    .concat();
    insta::assert_snapshot!(all, @r#"
    sequence: 1 does not fit: event 1 of an incident is its initial event; only later ones update, resolve or cancel it
    sequence: 2 does not fit: the initial event of an incident is event 1; whatever follows it is an update
    by: is missing: an acknowledgement names the person who gives it, with name and role
    by: may not be given here: a delivery is said by a system; a person stands behind an acknowledgement only
    "#);
}

#[test]
fn what_is_no_single_object_is_told_as_such() {
    let long = format!(r#"{{"headline":"{}"}}"#, "x".repeat(MAX_EVENT_BYTES));
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let bodies: [&[u8]; 14] = [
        b"",
        b"null",
        b"[]",
        b"{}\n",
        b" {}",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"{}{}",
        b"{,}",
        br#"{"headline":"\ud800"}"#,
        br#"{"sequence":1e999}"#,
        b"{\"headline\":\"\xff\"}",
        long.as_bytes(),
        deep.as_bytes(),
    ];
    let all: String = bodies.into_iter().map(|body| told(Kind::Event, body)).collect();
    insta::assert_snapshot!(all, @r#"
    the event: is not one JSON object: send one, from { to }
    the event: is not one JSON object: send one, from { to }
    the event: is not one JSON object: send one, from { to }
    the event: has white space (or a byte-order mark) around it: send the object alone, from { to }
    the event: has white space (or a byte-order mark) around it: send the object alone, from { to }
    the event: has white space (or a byte-order mark) around it: send the object alone, from { to }
    the event: is not JSON: trailing characters at line 1 column 4
    the event: is not JSON: trailing characters at line 1 column 3
    the event: is not JSON: key must be a string at line 1 column 2
    the event: is not JSON: unexpected end of hex escape at line 1 column 20
    the event: is not JSON: number out of range at line 1 column 17
    the event: is not UTF-8 text: byte 13 cannot stand there
    the event: is 49167 bytes long: at most 49152 are taken
    the event: has more than 16 lists and objects in each other
    "#);
}

#[test]
fn a_key_given_twice_is_told_and_never_chosen_between() {
    let event = br#"{"incident":"x","sequence":1,"kind":"initial","status":"actual","status":"test","publisher":"bt-cha","category":"outage","services":["999-voice"],"headline":"x","areas":["uk"],"impact":{"by_area":{"kent":1,"kent":2}}}"#;
    let receipt = br#"{"incident":"x","event":1,"recipient":"ofcom","stage":"acknowledged","at":"2023-06-25T06:24:00+01:00","by":{"name":"A. Example","role":"duty officer","name":"B. Example"}}"#;
    assert!(check_event(event).is_err() && check_receipt(receipt).is_err());
    let all = told(Kind::Event, event) + &told(Kind::Receipt, receipt);
    insta::assert_snapshot!(all, @r#"
    status: is given twice: give it once, as readers differ in which they take
    impact.by_area.kent: is given twice: give it once, as readers differ in which they take
    by.name: is given twice: give it once, as readers differ in which they take
    "#);
}

#[test]
fn an_endless_list_of_faults_is_cut_short() {
    let areas: Vec<_> = (0..600).map(|n| format!("Area {n}")).collect();
    let body = serde_json::json!({
        "incident": "x", "sequence": 1, "kind": "initial", "status": "actual", "publisher": "bt-cha",
        "category": "outage", "services": ["999-voice"], "headline": "x", "areas": areas,
    });
    let problems = check(Kind::Event, body.to_string().as_bytes()).unwrap_err();
    assert_eq!(problems.len(), MAX_PROBLEMS + 1);
    insta::assert_snapshot!(
        [&problems[0], &problems[1], &problems[MAX_PROBLEMS]].map(|problem| format!("{problem}\n")).concat(),
        @r#"
        areas: has 600 entries: give at most 500
        areas: "Area 0" is not an area identifier: use 1 to 64 of a-z, 0-9 and inner hyphens, such as west-mercia
        the event: has more problems, which are not shown: mend these first
        "#
    );
}
