//! Attacks by those who are no recipient.

use std::time::Duration;

use async_nats::ConnectOptions;
use tocsin_ledger::{
    Ledger,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::{EventKind, SigningKey, to_body};
use tocsin_tests::{event, signed_headers, until};

use super::{
    Flood, PUBLISHER, STRANGER, at_the_door,
    fort::{Attacker, Fort, Seen, write},
    say,
    table::Table,
};

pub(super) async fn publisher(table: &mut Table, fort: &Fort, operator: &Ledger) {
    let p = fort.attacker("control-room").await;
    at_the_door(
        table,
        PUBLISHER,
        &p,
        &[
            ("say an event as another", "tocsin.incident.operator.x.2", "{}"),
            ("say a receipt", "tocsin.receipt.b.x.1.acknowledged", "{}"),
            ("say a report as another", "tocsin.report.b.r", "{}"),
            ("say a link as another", "tocsin.link.operator.l", "{}"),
            ("read an agency's report", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.report.b.*", ""),
            (
                "read what is proposed to another",
                "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.proposal.operator.*",
                "",
            ),
            ("forge a proposal", "tocsin.proposal.control-room.2", "{}"),
            ("read another's events", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.incident.operator.x.1", ""),
            ("read a notice", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.notice.b.x.1", ""),
            ("read a receipt", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.receipt.b.x.1.acknowledged", ""),
            ("read an escalation", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.escalation.b.x.1.1", ""),
            ("read by sequence", "$JS.API.STREAM.MSG.GET.TOCSIN_SAID", r#"{"seq":1}"#),
            (
                "read by a subject in the request",
                "$JS.API.DIRECT.GET.TOCSIN_SAID",
                r#"{"last_by_subj":"tocsin.receipt.>"}"#,
            ),
            (
                "read whom another's incident reaches",
                "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.dispatch.operator.x.1",
                "",
            ),
            (
                "read whom anybody's incident reaches",
                "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.dispatch.*.x.1",
                "",
            ),
            ("read why another was refused", "$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.a.*", ""),
            ("pull notices", "$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_b", r#"{"batch":1}"#),
            ("make a consumer", "$JS.API.CONSUMER.CREATE.TOCSIN_SAID.n.tocsin.receipt.>", "{}"),
            ("take the notifier's work", "$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.notifier", r#"{"batch":1}"#),
            ("put a directory in force", "tocsin.directory.2", "{}"),
            ("dispatch without the router", "tocsin.dispatch.operator.y.1", "{}"),
            ("purge", "$JS.API.STREAM.PURGE.TOCSIN_SAID", ""),
            ("say that a recipient's desk is at work", "tocsin.present.b", ""),
        ],
    )
    .await;
    for subject in ["tocsin.wake.>", "tocsin.receipt.>", ">"] {
        let outcome = match p.listen(subject).await {
            None => Ok("nats-server: permissions of the user".to_owned()),
            Some(_) => Err("it was let".to_owned()),
        };
        table.add(PUBLISHER, format!("listen: `{subject}`"), outcome);
    }
    let before = fort.foreign(&["tocsin.incident.control-room.", "tocsin.receipt.a."]).await;
    for target in ["tocsin.directory.2", "tocsin.dispatch.operator.y.1", "tocsin.incident.operator.y.1"] {
        p.shout("tocsin.incident.control-room.q.1", target, None, b"{}").await;
        p.shout("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.directory.1", target, None, b"").await;
        p.ask("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.directory.1", None, b"").await;
        let outcome = if fort.foreign(&["tocsin.incident.control-room.", "tocsin.receipt.a."]).await == before
        {
            Ok("its own account: an answer stays where it was asked for".to_owned())
        } else {
            Err("the answer was stored there".to_owned())
        };
        table.add(PUBLISHER, format!("have answers to its requests put there: `{target}`"), outcome);
    }
    // Of an area that is not its to speak of; and of an incident that is another's.
    for (attack, incident, number, kind, area) in [
        ("speak of an area that is not its own", "q2", 1, EventKind::Initial, "south"),
        ("cancel another's incident", "x", 2, EventKind::Cancelled, "north"),
    ] {
        let mut words = event(incident, number, kind);
        words.publisher = "control-room".parse().unwrap();
        words.areas = vec![area.parse().unwrap()];
        let (subject, body) = (words.subject().to_string(), to_body("event", &words).unwrap());
        let signed = fort.cast.key("control-room").sign(&subject, &body).unwrap();
        let Seen::Answer(answer) = p.ask(&subject, Some(signed_headers(&signed)), &body).await else {
            panic!("its own word is not stored")
        };
        let sequence = serde_json::from_slice::<serde_json::Value>(&answer).unwrap()["seq"].as_u64().unwrap();
        table.add(
            PUBLISHER,
            attack,
            Ok(format!("the router: refused ({}), and nothing follows", fort.refusal(sequence).await)),
        );
    }
    // What is its own each reads.
    let own = p.ask("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.refusal.control-room.*", None, b"").await;
    assert!(matches!(own, Seen::Answer(_)), "its own refusals are not for it to read: {own:?}");
    let dispatch = "tocsin.dispatch.operator.x.1".parse().unwrap();
    assert!(operator.last(&dispatch).await.unwrap().is_some(), "a publisher does not see its own dispatch");
}

pub(super) async fn stranger(table: &mut Table, fort: &Fort, operator: &Ledger) {
    let url = fort.server.url();
    let elsewhere = tocsin_provision::Bus::at(fort.dir.path().join("elsewhere"));
    write(&elsewhere, &fort.cast.document, 4222);
    let key = || SigningKey::generate().seed().unwrap();
    let a = || fort.cast.key("a").seed().unwrap();
    let naked = plainly(fort.server.port()).await;
    let mut tries = vec![("come in without TLS", naked)];
    for (attack, options, certificate) in [
        ("come in without a certificate", ConnectOptions::new().nkey(a()), None),
        ("come in with a body's certificate and no key", ConnectOptions::new(), Some("a")),
        (
            "come in with a body's certificate and a key of one's own",
            ConnectOptions::new().nkey(key()),
            Some("a"),
        ),
        (
            "come in with a name and password",
            ConnectOptions::with_user_and_password("a".into(), "a".into()),
            Some("a"),
        ),
    ] {
        tries.push((attack, Attacker::connect(options, &url, &fort.bus, certificate).await.map(drop)));
    }
    let (cert, own_key) = elsewhere.client("a");
    let options = ConnectOptions::new()
        .nkey(a())
        .add_root_certificates(fort.bus.ca())
        .add_client_certificate(cert, own_key);
    let come = options.connect(&url).await.map(drop).map_err(|why| why.to_string());
    tries.push(("come in with a certificate of another authority and a body's key", come));
    for (attack, come) in tries {
        table.add(STRANGER, attack, turned_away(come));
    }
    // Last, as a is revoked by it.
    let inside = Ledger::connect(&fort.connection("a")).await.unwrap();
    let flood = Flood::begin(fort).await;
    let mut document = fort.cast.document.clone();
    for recipient in document.recipients.iter_mut().filter(|recipient| recipient.id.as_str() == "a") {
        recipient.key = None;
    }
    fort.reload(&document);
    until("the revoked one is cut off", async || {
        if inside.is_connected() { Err("it is still there".to_owned()) } else { Ok(()) }
    })
    .await;
    until("the flood is cut off", async || {
        if flood.thread.is_finished() { Ok(()) } else { Err("it goes on".to_owned()) }
    })
    .await;
    say(operator, fort, "operator", "after-the-flood", 1).await;
    let notice = ["tocsin.notice.b.after-the-flood.1".parse().unwrap()];
    assert!(fort.ledger.wait_for(&notice, Duration::from_mins(1)).await.unwrap().is_some());
    table.add(
        super::AGENCY,
        "flood its own subjects without end",
        Ok("a person: the alert TocsinFlood names who it is, and `tocsin keys revoke` cuts them off at once, after which the next event is dispatched. NATS limits nobody's rate: until then what others say comes late, as their programs try it again, and nothing that was said is lost".to_owned()),
    );
    table.add(
        STRANGER,
        "stay connected after one's key was revoked",
        Ok("nats-server: closed at the reload".to_owned()),
    );
    let again = Attacker::connect(ConnectOptions::new().nkey(a()), &url, &fort.bus, Some("a")).await;
    table.add(STRANGER, "come in with a key that was revoked", turned_away(again.map(drop)));
}

/// Speaks to the server in plain words.
async fn plainly(port: u16) -> Result<(), String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut line = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    line.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await.unwrap();
    let mut answer = Vec::new();
    // That the line is cut is an answer too.
    let _ = tokio::time::timeout(Duration::from_secs(20), line.read_to_end(&mut answer)).await;
    if String::from_utf8_lossy(&answer).contains("PONG") { Ok(()) } else { Err("the line is cut".to_owned()) }
}

/// What the client was told when it was not let in.
fn turned_away(come: Result<(), String>) -> Result<String, String> {
    match come {
        Ok(()) => Err("it came in".to_owned()),
        Err(why) => Ok(why.trim().to_lowercase()),
    }
}

/// Why bodies do not share an account.
pub(super) async fn shared(table: &mut Table) {
    let dir = tempfile::tempdir().unwrap();
    let (services, a) = (SigningKey::generate(), SigningKey::generate());
    let config = format!(
        r#"authorization {{ users: [
          {{ nkey: {}, permissions: {{ publish: ">", subscribe: ">" }} }}
          {{ nkey: {}, permissions: {{
             publish: ["tocsin.receipt.a.>", "$JS.API.DIRECT.GET.TOCSIN_SAID.tocsin.receipt.a.>"], subscribe: "_INBOX_a.>" }} }} ] }}"#,
        services.public(),
        a.public()
    );
    let options = ServerOptions {
        binary: server::find().unwrap(),
        store_dir: dir.path().join("nats"),
        config: Some(config),
        port: None,
    };
    let server = Server::start(&options).await.unwrap();
    let mut connection = tocsin_ledger::Connection::to(&server.url());
    connection.nkey_seed = Some(services.seed().unwrap().into());
    let ledger = Ledger::connect(&connection).await.unwrap();
    ledger.set_up(&tocsin_ledger::Shape::default()).await.unwrap();
    let client = ConnectOptions::new()
        .nkey(a.seed().unwrap())
        .custom_inbox_prefix("_INBOX_a")
        .connect(server.url())
        .await
        .unwrap();
    let own = "tocsin.receipt.a.x.1.delivered";
    client.request(own, "{\"forged\": true}".into()).await.unwrap();
    let read = format!("$JS.API.DIRECT.GET.TOCSIN_SAID.{own}");
    client.publish_with_reply(read, "tocsin.directory.1", "".into()).await.unwrap();
    client.flush().await.unwrap();
    let stands =
        ledger.wait_for(&["tocsin.directory.1".parse().unwrap()], Duration::from_secs(20)).await.unwrap();
    table.shared(
        "have the broker store words of one's own choosing as a directory, by the reply subject of a read",
        stands.is_some_and(|entry| entry.body.starts_with(b"{\"forged\"")),
    );
}
