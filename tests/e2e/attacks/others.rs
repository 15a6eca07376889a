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
    PUBLISHER, SHARED, STRANGER, at_the_door,
    fort::{Attacker, Fort, Seen},
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
            ("pull notices", "$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.desk_b", r#"{"batch":1}"#),
            ("make a consumer", "$JS.API.CONSUMER.CREATE.TOCSIN_SAID.n.tocsin.receipt.>", "{}"),
            ("take the notifier's work", "$JS.API.CONSUMER.MSG.NEXT.TOCSIN_LOG.notifier", r#"{"batch":1}"#),
            ("put a directory in force", "tocsin.directory.2", "{}"),
            ("dispatch without the router", "tocsin.dispatch.y.1", "{}"),
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
    for target in ["tocsin.directory.2", "tocsin.dispatch.y.1", "tocsin.incident.operator.y.1"] {
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
    let mut words = event("x", 2, EventKind::Cancelled);
    words.publisher = "control-room".parse().unwrap();
    for (attack, areas) in
        [("speak of an area that is not its own", "south"), ("cancel another's incident", "north")]
    {
        words.areas = vec![areas.parse().unwrap()];
        if areas == "south" {
            words.incident = "q2".parse().unwrap();
            words.sequence = "1".parse().unwrap();
            words.kind = EventKind::Initial;
        } else {
            words = event("x", 2, EventKind::Cancelled);
            words.publisher = "control-room".parse().unwrap();
            words.areas = vec![areas.parse().unwrap()];
        }
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
    let seen = p.ask("$JS.API.DIRECT.GET.TOCSIN_LOG.tocsin.dispatch.x.1", None, b"").await;
    table.add(PUBLISHER, "read whom another's incident reaches: `tocsin.dispatch.<incident>.<n>`", seen.stopped_by().ok_or_else(|| {
        "the subject names no publisher; the record holds identifiers and times, and none of the event's words".to_owned()
    }));
    assert!(operator.is_connected());
}

pub(super) async fn stranger(table: &mut Table, fort: &mut Fort) {
    let url = fort.server.url();
    let elsewhere = tocsin_provision::Bus::at(fort.dir.path().join("elsewhere"));
    let names = ["127.0.0.1".to_owned()];
    let plan = tocsin_provision::Plan {
        document: &fort.cast.document,
        listen: "127.0.0.1:4222",
        names: &names,
        tls: tocsin_provision::Tls::Development,
        seeds: None,
        now: tocsin_protocol::Timestamp::now(),
        renew: false,
    };
    tocsin_provision::provision(&elsewhere, &plan).unwrap();
    let key = || SigningKey::generate().seed().unwrap();
    let a = || fort.cast.key("a").seed().unwrap();
    let open = async_nats::connect(&url).await.is_err();
    let mut tries = vec![("come in without TLS", "nats-server: TLS is asked for", open)];
    for (attack, by, options, certificate) in [
        ("come in without a certificate", "nats-server: TLS", ConnectOptions::new().nkey(a()), None),
        (
            "come in with a body's certificate and no key",
            "nats-server: login",
            ConnectOptions::new(),
            Some("a"),
        ),
        (
            "come in with a body's certificate and a key of one's own",
            "nats-server: login",
            ConnectOptions::new().nkey(key()),
            Some("a"),
        ),
        (
            "come in with a name and password",
            "nats-server: login",
            ConnectOptions::with_user_and_password("a".into(), "a".into()),
            Some("a"),
        ),
    ] {
        let come = Attacker::connect(options, &url, &fort.bus, certificate).await;
        tries.push((attack, by, come.is_err()));
    }
    let (cert, own_key) = elsewhere.client("a");
    let options = ConnectOptions::new()
        .nkey(a())
        .add_root_certificates(fort.bus.ca())
        .add_client_certificate(cert, own_key);
    tries.push((
        "come in with a certificate of another authority and a body's key",
        "nats-server: TLS",
        options.connect(&url).await.is_err(),
    ));
    for (attack, by, stopped) in tries {
        table.add(STRANGER, attack, if stopped { Ok(by.to_owned()) } else { Err("it came in".to_owned()) });
    }
    // Last, as a is revoked by it.
    let inside = Ledger::connect(&fort.connection("a")).await.unwrap();
    let mut document = fort.cast.document.clone();
    for recipient in document.recipients.iter_mut().filter(|recipient| recipient.id.as_str() == "a") {
        recipient.key = None;
    }
    fort.reload(&document);
    until("the revoked one is cut off", async || {
        if inside.is_connected() { Err("it is still there".to_owned()) } else { Ok(()) }
    })
    .await;
    table.add(
        STRANGER,
        "stay connected after one's key was revoked",
        Ok("nats-server: closed at the reload".to_owned()),
    );
    let again = Attacker::connect(ConnectOptions::new().nkey(a()), &url, &fort.bus, Some("a")).await;
    table.add(
        STRANGER,
        "come in with a key that was revoked",
        match again {
            Err(_) => Ok("nats-server: login".to_owned()),
            Ok(_) => Err("it came in".to_owned()),
        },
    );
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
    table.add(SHARED, "have the broker store words of one's own choosing as a directory, by the reply subject of a read", match stands {
        Some(entry) if entry.body.starts_with(b"{\"forged\"") => {
            Err("permissions are not asked about reply subjects (nats-server 2.15.1): the services would take it for the administrator's".to_owned())
        }
        _ => Ok("nats-server".to_owned()),
    });
}
