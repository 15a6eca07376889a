//! Every attack that we can think of, by those inside and by strangers, on a bus as it is provisioned.

mod console;
pub(crate) mod fort;
mod others;
mod rights;
mod services;
mod table;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{ConnectOptions, HeaderMap};
use fort::{Attacker, Fort, Seen};
use futures_util::StreamExt as _;
use table::Table;
use tocsin_ledger::Ledger;
use tocsin_protocol::{EventKind, ReceiptStage, to_body};
use tocsin_provision::Service;
use tocsin_tests::{Cast, event, receipt, seconds, signed_headers, until};

/// How long something is waited for that may never come.
const SOON: Duration = Duration::from_secs(20);
const AGENCY: &str = "A recipient (`a`) against another (`b`), the publishers and the services";
const PUBLISHER: &str = "A publisher (`control-room`) against another (`operator`) and the recipients";
const CONSOLE_STOLEN: &str = "The console, its login and its `console_key` stolen (`a` has `console = true`, `l` has `\"links\"`, `b` has `false`)";
const STRANGER: &str = "A stranger";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.insert(*name, *value);
    }
    map
}

/// Stopped, when something refused it.
fn refused(seen: &Seen) -> Result<String, String> {
    seen.stopped_by().ok_or_else(|| format!("it was answered: {seen:?}"))
}

/// Attacks that must be refused at once: what, subject, body.
async fn at_the_door(
    table: &mut Table,
    who: &'static str,
    attacker: &Attacker,
    attacks: &[(&str, &str, &str)],
) {
    for (attack, subject, body) in attacks {
        let seen = attacker.ask(subject, None, body.as_bytes()).await;
        table.add(who, format!("{attack}: `{subject}`"), refused(&seen));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_is_stopped_and_every_right_is_told() {
    let cast = Cast::new(&[seconds(600.0), seconds(1200.0)])
        .required(&["a", "b", "l"])
        .console(&["b"])
        .by_links(&["l"]);
    let fort = Fort::start(cast).await;
    let operator = Ledger::connect(&fort.connection("operator")).await.unwrap();
    say(&operator, &fort, "operator", "x", 1).await;
    until("b's notice", async || {
        let notice = "tocsin.notice.b.x.1".parse().unwrap();
        fort.ledger.last(&notice).await.unwrap().ok_or_else(String::new)
    })
    .await;
    let mut table = Table::default();
    agency(&mut table, &fort).await;
    others::publisher(&mut table, &fort, &operator).await;
    console::console(&mut table, &fort).await;
    services::services(&mut table, &fort).await;
    others::stranger(&mut table, &fort, &operator).await;
    others::shared(&mut table).await;

    // After all this the bus does what it is for.
    let b = Ledger::connect(&fort.connection("b")).await.unwrap();
    let mut notices = b.notices(&"b".parse().unwrap()).await.unwrap();
    say(&operator, &fort, "operator", "x", 2).await;
    let mut given = BTreeSet::new();
    while given.len() < 4 {
        let held = tokio::time::timeout(Duration::from_mins(1), notices.next()).await.unwrap().unwrap();
        given.insert(held.entry.subject.clone());
        held.settle().await.unwrap();
    }
    let told = ["x.1", "flooded.1", "after-the-flood.1", "x.2"].map(|of| format!("tocsin.notice.b.{of}"));
    assert_eq!(given, BTreeSet::from(told));
    assert!(!fort.router.is_finished(), "the router has fallen");
    rights::rights(&mut table, &fort).await;
    services::detours(&mut table, &fort).await;
    fort.router.abort();
    assert!(table.open().is_empty(), "{:?}", table.open());
    table.hold();
}

pub(crate) async fn say(ledger: &Ledger, fort: &Fort, publisher: &str, incident: &str, number: u32) {
    let kind = if number == 1 { EventKind::Initial } else { EventKind::Update };
    let mut event = event(incident, number, kind);
    event.publisher = publisher.parse().unwrap();
    let (subject, body) = (event.subject(), to_body("event", &event).unwrap());
    let signed = fort.cast.key(publisher).sign(&subject.to_string(), &body).unwrap();
    ledger.say(&subject, &signed, body).await.unwrap();
}

/// What a recipient has no right to: what, the subject and the request.
const AT_THE_DOOR: &[(&str, &str, &str)] = &[
    ("read another's notice", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.notice.b.x.1", ""),
    ("read another's notice by a wildcard", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.notice.*.x.1", ""),
    (
        "read by sequence under a subject of its own",
        "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.notice.a.x.1",
        r#"{"seq":1}"#,
    ),
    (
        "read by a subject in the request",
        "$JS.API.DIRECT.GET.TOCSIN_LOG",
        r#"{"last_by_subj":"tocsin.notice.b.x.1"}"#,
    ),
    ("read by sequence", "$JS.API.STREAM.MSG.GET.TOCSIN_LOG", r#"{"seq":1}"#),
    ("read another's receipts", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.receipt.b.x.1.delivered", ""),
    ("read a publisher's events", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.incident.operator.x.1", ""),
    ("read the directory, with everybody's contacts", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.directory.1", ""),
    ("read why another was refused", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.b.*", ""),
    ("read why anybody was refused", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.*.*", ""),
    ("read whom an incident reaches", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.dispatch.operator.x.1", ""),
    ("pull another's notices", "$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_b", r#"{"batch":1}"#),
    ("settle another's notices", "$JS.ACK.TOCSIN_LOG.desk_b.1.1.1.1.0", "+ACK"),
    ("make a consumer on another's notices", "$JS.API.CONSUMER.CREATE.TOCSIN_LOG.n.tocsin.notice.b.>", "{}"),
    (
        "make a consumer that delivers onto the log",
        "$JS.API.CONSUMER.CREATE.TOCSIN_LOG.n",
        r#"{"stream_name":"TOCSIN_LOG","config":{"name":"n","deliver_subject":"tocsin.directory.9","ack_policy":"none"}}"#,
    ),
    ("make a consumer by the old call", "$JS.API.CONSUMER.DURABLE.CREATE.TOCSIN_LOG.n", "{}"),
    ("change its own consumer", "$JS.API.CONSUMER.CREATE.TOCSIN_LOG.desk_a", "{}"),
    ("remove another's consumer", "$JS.API.CONSUMER.DELETE.TOCSIN_LOG.desk_b", ""),
    (
        "pause another's consumer",
        "$JS.API.CONSUMER.PAUSE.TOCSIN_LOG.desk_b",
        r#"{"pause_until":"2099-01-01T00:00:00Z"}"#,
    ),
    ("list consumers", "$JS.API.CONSUMER.NAMES.TOCSIN_LOG", ""),
    ("look at another's consumer", "$JS.API.CONSUMER.INFO.TOCSIN_LOG.desk_b", ""),
    ("purge", "$JS.API.STREAM.PURGE.TOCSIN_LOG", ""),
    ("delete a stream", "$JS.API.STREAM.DELETE.TOCSIN_SAID", ""),
    ("delete a message", "$JS.API.STREAM.MSG.DELETE.TOCSIN_SAID", r#"{"seq":1}"#),
    ("change a stream", "$JS.API.STREAM.UPDATE.TOCSIN_SAID", "{}"),
    (
        "make a stream over the same subjects",
        "$JS.API.STREAM.CREATE.MINE",
        r#"{"name":"MINE","subjects":["tocsin.>"]}"#,
    ),
    ("look at a stream", "$JS.API.STREAM.INFO.TOCSIN_LOG", ""),
    ("list streams", "$JS.API.STREAM.NAMES", ""),
    ("take a snapshot", "$JS.API.STREAM.SNAPSHOT.TOCSIN_LOG", r#"{"deliver_subject":"_INBOX.x"}"#),
    ("have a stream's leader step down", "$JS.API.STREAM.LEADER.STEPDOWN.TOCSIN_LOG", ""),
    ("ask for the account's figures", "$JS.API.INFO", ""),
    ("ask the system account", "$SYS.REQ.SERVER.PING", ""),
    ("forge another's receipt", "tocsin.receipt.b.x.1.acknowledged", "{}"),
    ("forge another's report", "tocsin.report.b.r", "{}"),
    ("read another's report", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.report.b.*", ""),
    ("say a link", "tocsin.link.a.l", "{}"),
    ("forge a publisher's link", "tocsin.link.operator.l", "{}"),
    ("read what is proposed to a publisher", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.proposal.operator.*", ""),
    ("forge a proposal", "tocsin.proposal.operator.2", "{}"),
    ("forge an event", "tocsin.incident.operator.x.2", "{}"),
    ("forge a notice", "tocsin.notice.b.y.1", "{}"),
    ("pre-empt a dispatch", "tocsin.dispatch.operator.y.1", "{}"),
    ("put a directory in force", "tocsin.directory.2", "{}"),
    ("close a window early", "tocsin.due.x.1.1", "{}"),
    ("forge a finding", "tocsin.finding.x.1.1", "{}"),
    ("forge a refusal", "tocsin.refusal.b.2", "{}"),
    ("forge a checkpoint", "tocsin.checkpoint.1", "{}"),
    ("forge an attempt", "tocsin.attempt.b.x.1.1.1.ended", "{}"),
    ("forge a snapshot of the fold", "tocsin.fold.0.head", "{}"),
    ("read a snapshot of the fold", "$JS.API.DIRECT.GET.TOCSIN_FOLD.tocsin.fold.0.head", ""),
    ("wake another's desk", "tocsin.wake.b.x.9", "{}"),
    ("wake its own desk with words of its own", "tocsin.wake.a.x.9", "{}"),
    ("say that another's desk is at work", "tocsin.present.b", ""),
    ("answer in a service's place", "_INBOX_router.x", "{}"),
    ("say a receipt of a form that is none", "tocsin.receipt.a.x.1.believed", "{}"),
];

async fn agency(table: &mut Table, fort: &Fort) {
    let a = fort.attacker("a").await;
    at_the_door(table, AGENCY, &a, AT_THE_DOOR).await;

    for subject in [
        "tocsin.wake.b.>",
        "tocsin.wake.*.>",
        "tocsin.>",
        ">",
        "$JS.>",
        "_INBOX_router.>",
        "tocsin.receipt.b.>",
        "tocsin.present.*",
    ] {
        let heard = a.listen(subject).await;
        let outcome = if heard.is_none() {
            Ok("nats-server: permissions of the user".to_owned())
        } else {
            Err("it was let".to_owned())
        };
        table.add(AGENCY, format!("listen: `{subject}`"), outcome);
    }
    let mut inboxes = a.listen("_INBOX.>").await.unwrap();
    say_receipt(fort, "b", "x", 1).await;
    let heard = tokio::time::timeout(Duration::from_millis(300), inboxes.next()).await;
    table.add(
        AGENCY,
        "listen to the answers that others get: `_INBOX.>`",
        match heard {
            Err(_) => Ok("its own account: it hears its own alone".to_owned()),
            Ok(_) => Err("it heard something".to_owned()),
        },
    );

    by_headers(table, &a).await;
    replies(table, fort, &a).await;
    presence(table, fort, &a).await;
    said(table, fort, &a).await;
    exhaust(table, fort, &a).await;
}

/// Has the stream do what its headers would let it.
async fn by_headers(table: &mut Table, a: &Attacker) {
    let own = "tocsin.receipt.a.x.1.delivered";
    for (attack, pairs) in [
        ("erase the stream by a roll-up", &[("Nats-Rollup", "all")][..]),
        ("erase a subject by a roll-up", &[("Nats-Rollup", "sub")]),
        (
            "have the broker write another's receipt later",
            &[("Nats-Schedule", "@every 1s"), ("Nats-Schedule-Target", "tocsin.receipt.b.x.1.acknowledged")],
        ),
        ("cancel a schedule", &[("Nats-Scheduler", "tocsin.window.x.1.1"), ("Nats-Schedule-Next", "purge")]),
        ("let a receipt vanish", &[("Nats-TTL", "1s")]),
        ("make it a counter", &[("Nats-Incr", "+1")]),
        ("hold the stream with a batch", &[("Nats-Batch-Id", "n"), ("Nats-Batch-Sequence", "1")]),
        (
            "bind it to another's subject",
            &[
                ("Nats-Expected-Last-Subject-Sequence", "9"),
                ("Nats-Expected-Last-Subject-Sequence-Subject", "tocsin.receipt.b.x.1.delivered"),
            ],
        ),
        ("send it to another stream", &[("Nats-Expected-Stream", "TOCSIN_LOG")]),
    ] {
        let seen = a.ask(own, Some(headers(pairs)), b"{}").await;
        let names: Vec<_> = pairs.iter().map(|(name, _)| format!("`{name}`")).collect();
        table.add(AGENCY, format!("{attack}: {}", names.join(", ")), refused(&seen));
    }
    for (attack, size) in [("a message of 65 KiB", 65), ("a message of 1 MiB", 1024)] {
        let seen = a.ask(own, None, &vec![b'x'; size * 1024]).await;
        table.add(AGENCY, attack, refused(&seen));
    }
}

async fn say_receipt(fort: &Fort, recipient: &str, incident: &str, number: u32) {
    let ledger = Ledger::connect(&fort.connection(recipient)).await.unwrap();
    let receipt = receipt(recipient, incident, number, ReceiptStage::Delivered);
    let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).unwrap());
    let signed = fort.cast.key(recipient).sign(&subject.to_string(), &body).unwrap();
    ledger.say(&subject, &signed, body).await.unwrap();
}

/// Has the broker's answers go where it has no right to publish.
async fn replies(table: &mut Table, fort: &Fort, a: &Attacker) {
    let before = fort.foreign(&["tocsin.receipt.a."]).await;
    let own = "tocsin.receipt.a.x.2.delivered";
    let forged = to_body("directory", &fort.cast.document).unwrap();
    let Seen::Answer(_) = a.ask(own, None, &forged).await else { panic!("its own word is not stored") };
    let read = format!("$JS.API.DIRECT.GET.TOCSIN_SAID.{own}");
    for target in [
        "tocsin.directory.2",
        "tocsin.dispatch.operator.y.1",
        "tocsin.notice.b.y.1",
        "tocsin.due.x.1.1",
        "tocsin.refusal.b.99",
        "tocsin.checkpoint.99",
        "tocsin.receipt.b.x.1.acknowledged",
        "tocsin.incident.operator.y.1",
        "tocsin.wake.b.y.1",
        "$JS.API.STREAM.PURGE.TOCSIN_LOG",
        "$JS.API.CONSUMER.DELETE.TOCSIN_LOG.desk_b",
    ] {
        for (request, body) in [
            (own, "{}"),
            (read.as_str(), ""),
            ("$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_a", r#"{"batch":1,"no_wait":true}"#),
        ] {
            a.shout(request, target, None, body.as_bytes()).await;
        }
        // Whatever those did was done before this is answered.
        a.ask(&read, None, b"").await;
        let after = fort.foreign(&["tocsin.receipt.a."]).await;
        let apart = ["tocsin.refusal.b.99", "tocsin.checkpoint.99"];
        let stands =
            apart.contains(&target) && fort.ledger.last(&target.parse().unwrap()).await.unwrap().is_some();
        let outcome = if after == before && !stands {
            Ok("its own account: an answer stays where it was asked for".to_owned())
        } else {
            Err("the answer was stored there".to_owned())
        };
        table.add(AGENCY, format!("have answers to its requests put there: `{target}`"), outcome);
    }
}

/// Makes another's desk look as if it were at work.
async fn presence(table: &mut Table, fort: &Fort, a: &Attacker) {
    let console = Ledger::connect(&fort.service(Service::Console)).await.unwrap();
    let mut heard = console.presence().await.unwrap();
    // So that the subscription stands before anything is said.
    console.verify().await.unwrap();
    // What readiness asks for.
    assert!(console.durables().await.unwrap().contains(&"desk_a".to_owned()));
    let read = "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.receipt.a.x.1.delivered";
    a.shout(read, "tocsin.present.b", None, b"").await;
    a.shout("tocsin.present.a", "tocsin.present.b", None, b"").await;
    let trace = headers(&[("Nats-Trace-Dest", "tocsin.present.b"), ("Nats-Trace-Only", "false")]);
    a.shout("tocsin.present.a", "_INBOX.x", Some(trace), b"").await;
    a.shout("tocsin.present.a", "_INBOX.x", None, b"b").await;
    let mut beats = Vec::new();
    while beats.len() < 2
        && let Ok(beat) = tokio::time::timeout(Duration::from_secs(20), heard.next()).await
    {
        beats.extend(beat);
    }
    while let Ok(beat) = tokio::time::timeout(Duration::from_millis(300), heard.next()).await {
        beats.extend(beat);
    }
    assert!(beats.len() >= 2, "its own beats are heard: {beats:?}");
    let outcome = if beats.iter().all(|recipient| recipient.as_str() == "a") {
        Ok("its own account: what it says there is said of itself".to_owned())
    } else {
        Err("it was heard as another's".to_owned())
    };
    table.add(
        AGENCY,
        "have an answer, or the server's own trace, taken for another's desk: `tocsin.present.b`",
        outcome,
    );

    let before = fort.foreign(&["tocsin.receipt.a."]).await;
    for target in ["tocsin.directory.2", "tocsin.receipt.b.x.1.acknowledged"] {
        let trace = headers(&[("Nats-Trace-Dest", target)]);
        a.shout("tocsin.receipt.a.x.4.delivered", "_INBOX.x", Some(trace), b"{}").await;
        let traceparent = headers(&[
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("Nats-Trace-Dest", target),
        ]);
        a.shout("tocsin.receipt.a.x.4.delivered", target, Some(traceparent), b"{}").await;
        a.ask(read, None, b"").await;
        let outcome = if fort.foreign(&["tocsin.receipt.a."]).await == before {
            Ok("nats-server: nothing is traced to there".to_owned())
        } else {
            Err("the trace was stored there".to_owned())
        };
        table.add(
            AGENCY,
            format!("have the server store its trace of a message: `Nats-Trace-Dest: {target}`"),
            outcome,
        );
    }
}

/// Where it was stored.
fn stored(seen: Seen) -> u64 {
    match seen {
        Seen::Answer(body) => {
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()["seq"].as_u64().unwrap()
        }
        other => panic!("its own word is not stored: {other:?}"),
    }
}

/// What it may say, and what becomes of it when it is not true.
async fn said(table: &mut Table, fort: &Fort, a: &Attacker) {
    let b = receipt("b", "x", 1, ReceiptStage::Acknowledged);
    let (theirs, body) = (b.subject().to_string(), to_body("receipt", &b).unwrap());
    let signed = fort.cast.key("b").sign(&theirs, &body).unwrap();
    let own_old = receipt("a", "x", 1, ReceiptStage::Acknowledged);
    let own_body = to_body("receipt", &own_old).unwrap();
    let own_signed = fort.cast.key("a").sign(&own_old.subject().to_string(), &own_body).unwrap();
    let posing = fort.cast.key("b").sign("tocsin.receipt.a.x.1.acknowledged", b"{}").unwrap();
    let untold = receipt("a", "z", 7, ReceiptStage::Acknowledged);
    let untold_body = to_body("receipt", &untold).unwrap();
    let untold_signed = fort.cast.key("a").sign(&untold.subject().to_string(), &untold_body).unwrap();
    for (attack, subject, headers, body) in [
        (
            "another's signed word on a subject of its own",
            "tocsin.receipt.a.x.1.acknowledged",
            Some(signed_headers(&signed)),
            &body[..],
        ),
        (
            "its own signed word on another subject of its own",
            "tocsin.receipt.a.y.1.acknowledged",
            Some(signed_headers(&own_signed)),
            &own_body[..],
        ),
        (
            "words under another's key",
            "tocsin.receipt.a.x.1.acknowledged",
            Some(signed_headers(&posing)),
            b"{}",
        ),
        ("words without a signature", "tocsin.receipt.a.x.1.acknowledged", None, b"{}"),
        ("bytes that are no JSON", "tocsin.receipt.a.x.1.acknowledged", None, b"\xff\x00{"),
        ("an incident of a name that is none", "tocsin.receipt.a.NOT_AN_ID.1.acknowledged", None, b"{}"),
        (
            "an acknowledgement of what it was never told of",
            "tocsin.receipt.a.z.7.acknowledged",
            Some(signed_headers(&untold_signed)),
            &untold_body[..],
        ),
    ] {
        let sequence = stored(a.ask(subject, headers, body).await);
        table.add(
            AGENCY,
            attack,
            Ok(format!("the router: refused ({}), and nothing follows", fort.refusal(sequence).await)),
        );
    }
    let id = headers(&[("Nats-Msg-Id", "tocsin.receipt.b.x.1.acknowledged")]);
    stored(a.ask("tocsin.receipt.a.x.3.delivered", Some(id), b"{}").await);
    let victim = Ledger::connect(&fort.connection("b")).await.unwrap();
    let kept = victim.say(&b.subject(), &signed, body).await;
    table.add(
        AGENCY,
        "have another's word taken for a duplicate: `Nats-Msg-Id`",
        match kept {
            Ok(_) => Ok("honest clients send no id; the window is 100 ms".to_owned()),
            Err(why) => Err(why.to_string()),
        },
    );
}

/// Uses what it may use, and more of it than anybody needs.
async fn exhaust(table: &mut Table, fort: &Fort, a: &Attacker) {
    let mut held = Vec::new();
    let cut_off = loop {
        let options = ConnectOptions::new().nkey(fort.cast.key("a").seed().unwrap());
        match Attacker::connect(options, &fort.server.url(), &fort.bus, Some("a")).await {
            Ok(_) if held.len() > 64 => break Err("more than 64 were let".to_owned()),
            Ok(one) => held.push(one),
            Err(_) => break Ok("nats-server: the account's max_connections".to_owned()),
        }
    };
    table.add(AGENCY, "open connections without end", cut_off);
    drop(held);

    flood(table, fort, a).await;
    // It was refused above, and sees that.
    let own = a.ask("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.a.*", None, b"").await;
    assert!(matches!(own, Seen::Answer(_)), "its own refusals are not for it to read: {own:?}");
}

/// Sends more at once than a stream can take in for seconds, and then another speaks.
async fn flood(table: &mut Table, fort: &Fort, a: &Attacker) {
    const MESSAGES: u32 = 20_000;
    let operator = Ledger::connect(&fort.connection("operator")).await.unwrap();
    for number in 0..MESSAGES {
        let subject = format!("tocsin.receipt.a.flood.{}.delivered", number + 1);
        a.client.publish(subject, "x".repeat(1024).into()).await.unwrap();
    }
    a.client.flush().await.unwrap();
    let begun = std::time::Instant::now();
    say(&operator, fort, "operator", "flooded", 1).await;
    let said = begun.elapsed();
    let notice = "tocsin.notice.b.flooded.1".parse().unwrap();
    let noticed = fort.ledger.wait_for(&[notice], Duration::from_mins(1)).await.unwrap();
    println!("after a flood of {MESSAGES}: said in {said:?}, noticed in {:?}", begun.elapsed());
    let flood = ["tocsin.receipt.a.flood.>".to_owned()];
    let kept = fort.ledger.entries(tocsin_protocol::Stream::Said, &flood).await.unwrap().len();
    let outcome = match noticed {
        Some(_) if kept < MESSAGES as usize => Ok(
            "nats-server: too many requests, beyond `max_buffered_msgs`: the rest is not kept, and another's event is dispatched"
                .to_owned(),
        ),
        Some(_) => Err("all of it was kept".to_owned()),
        None => Err("another's event was not dispatched within a minute".to_owned()),
    };
    table.add(AGENCY, "flood its own subjects with 20,000 messages at once", outcome);
}

/// A flood without end, on a thread of its own, as it would come from elsewhere. It ends when it is cut off.
struct Flood {
    sent: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Flood {
    async fn begin(fort: &Fort) -> Self {
        let (url, bus, seed) = (fort.server.url(), fort.bus.clone(), fort.cast.key("a").seed().unwrap());
        let sent = Arc::<AtomicU64>::default();
        let count = Arc::clone(&sent);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = ConnectOptions::new().nkey(seed);
                let one = Attacker::connect(options, &url, &bus, Some("a")).await.unwrap();
                for number in 1_u64.. {
                    let subject = format!("tocsin.receipt.a.without-end.{number}.delivered");
                    let sent = one.client.publish(subject, "x".repeat(1024).into()).await;
                    if sent.is_err() || (number % 1_000 == 0 && one.client.flush().await.is_err()) {
                        return;
                    }
                    if one.was_cut_off() {
                        return;
                    }
                    count.store(number, Ordering::Relaxed);
                }
            });
        });
        let flood = Self { sent, thread };
        until("the flood rises", async || match flood.sent.load(Ordering::Relaxed) {
            5_000.. => Ok(()),
            sent => Err(sent.to_string()),
        })
        .await;
        flood
    }
}
