//! The desk that was written in Python from our documents alone.

use std::{path::Path, process::Command};

use tempfile::TempDir;
use tocsin_ledger::Ledger;
use tocsin_protocol::{
    Event, EventKind, NewFact, Notice, Overdue, Requirement, SigningKey, Status, Subject, to_body,
};
use tocsin_tests::{
    Cast, LONG, PUBLISHER, Program, World, checker::Standing, event, receipt, seconds, until,
};

use crate::attacks::{fort::Fort, say};

/// A desk for `py` that acknowledges in a person's name, and knows the operator's key.
fn desk(cast: &Cast, directory: &Path, url: &str) -> Command {
    let libraries = std::env::var_os("TOCSIN_DESK_PYTHONPATH")
        .expect("the Python desk's libraries are fetched by `cargo xtask test tests`: run that");
    let seed = directory.join("py.nk");
    std::fs::write(&seed, cast.key("py").seed().unwrap()).unwrap();
    let mut command = Command::new("python3");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/desk-python/desk.py"))
        .args(["--as", "py", "--by", "P. Example", "--role", "Supervisor", "--control-room", "Main"])
        .arg("--key")
        .arg(&seed)
        .arg(format!("--publisher={PUBLISHER}={}", cast.key(PUBLISHER).public()))
        .env("PYTHONPATH", libraries)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NATS_URL", url);
    command
}

async fn printed(program: &Program, wanted: &str) {
    until("the Python desk tells it", async || {
        let printed = program.printed();
        if printed.contains(wanted) { Ok(()) } else { Err(format!("{wanted:?} is not in:\n{printed}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_written_in_python_takes_part_and_outlives_the_bus() {
    let cast = Cast::new(&[seconds(15.0), seconds(16.0)]).required(&["py"]);
    let mut world = World::start(cast).await;
    let (router, notifier) = (world.router_here().await, world.notifier_here().await);
    let home = TempDir::new().unwrap();
    let url = world.server.url();
    let mut presence = world.ledger.presence().await.unwrap();
    let python = Program::spawn("python", desk(&world.cast, home.path(), &url), home.path());
    printed(&python, "py is on the bus").await;
    let present = tokio::time::timeout(LONG, presence.next()).await.unwrap();
    assert_eq!(present, Some("py".parse().unwrap()));
    let mut first = event("x", 1, EventKind::Initial);
    // Signed words in which a careless reader would find other bytes than were signed.
    first.description =
        Some("Caf\u{e9} \u{1f6a8} \"quoted\" \\ \u{7f8e} {\"said_body\": 1}\nsecond line".to_owned());
    world.publish(&first).await;
    world.entry("tocsin.receipt.py.x.1.acknowledged").await;

    world.server.kill().await.unwrap();
    printed(&python, "the bus: ").await;
    world.server.restart().await.unwrap();
    world.publish(&event("x", 2, EventKind::Update)).await;
    world.entry("tocsin.receipt.py.x.2.delivered").await;

    // One that dies comes back to what it left, and says nothing twice.
    python.kill();
    world.publish(&event("y", 1, EventKind::Initial)).await;
    world.entry("tocsin.notice.py.y.1").await;
    let python = Program::spawn("python-again", desk(&world.cast, home.path(), &url), home.path());
    world.entry("tocsin.receipt.py.y.1.acknowledged").await;

    let end = world.finish([router.into(), notifier.into(), python.into()]).await;
    assert_eq!(end.stood("x", 1, "py"), (Standing::InTime, vec![]));
    for incident in ["x", "y"] {
        assert!(end.row(incident, 1, "py").delivered_at.is_some(), "{incident}");
        let row = &end.reports[incident].recipients[0];
        let by = row.acknowledged_by.as_ref().unwrap();
        assert_eq!((by.name.as_str(), by.role.as_str()), ("P. Example", "Supervisor"));
    }
    assert_eq!(end.count("tocsin.refusal."), 0);
}

/// A notice to `py`, as the router writes one, of this event in these bytes.
fn notice(event: &Event, body: &[u8], key: &SigningKey) -> Notice {
    let signed = key.sign(&event.subject().to_string(), body).unwrap();
    Notice {
        recontact_here: None,
        incident: event.incident.clone(),
        event: event.sequence,
        recipient: "py".parse().unwrap(),
        status: event.status,
        requirement: Requirement::Required,
        acknowledge: true,
        due_at: None,
        policies: Vec::new(),
        directory: 1,
        said: 1,
        published_at: tocsin_protocol::Timestamp::now(),
        calls_unsuccessful_here: None,
        key: signed.key,
        signature: signed.signature,
        said_body: serde_json::from_slice(body).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_written_in_python_believes_no_forged_notice() {
    let world = World::start(Cast::new(&[seconds(600.0)]).required(&["py"])).await;
    let (router, home) = (world.router_here().await, TempDir::new().unwrap());
    let (operator, stranger) = (world.cast.key(PUBLISHER), SigningKey::generate());
    let changed = |incident: &str, key: &SigningKey, change: &dyn Fn(&mut Notice)| {
        let event = event(incident, 1, EventKind::Initial);
        let mut notice = notice(&event, &to_body("event", &event).unwrap(), key);
        change(&mut notice);
        to_body("notice", &notice).unwrap()
    };
    let other_words = to_body("event", &event("words", 1, EventKind::Cancelled)).unwrap();
    let text = |body: bytes::Bytes| String::from_utf8(body.to_vec()).unwrap();
    let forged = [
        ("strangers-key", changed("strangers-key", &stranger, &|_| {})),
        ("posing", changed("posing", &stranger, &|notice| notice.key = operator.public())),
        (
            "words",
            changed("words", &operator, &|n| n.said_body = serde_json::from_slice(&other_words).unwrap()),
        ),
        ("status", changed("status", &operator, &|notice| notice.status = Status::Exercise)),
        ("anothers", changed("anothers", &operator, &|notice| notice.recipient = "other".parse().unwrap())),
        ("moved", changed("elsewhere", &operator, &|_| {})),
        ("junk", bytes::Bytes::from_static(b"\x1b[2J\xff{")),
        ("deep", format!("{{\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000)).into()),
        ("twice", {
            // The same bytes as signed, and before them others under the same key.
            let honest = text(changed("twice", &operator, &|_| {}));
            honest.replacen('{', "{\"said_body\":{},", 1).into()
        }),
        ("spaced", {
            let honest = text(changed("spaced", &operator, &|_| {}));
            honest.replacen("\"sequence\":1", "\"sequence\": 1", 1).into()
        }),
    ];
    for (incident, body) in &forged {
        let subject: Subject = format!("tocsin.notice.py.{incident}.1").parse().unwrap();
        world.ledger.append(&NewFact { subject, body: body.clone(), schedule: None }, None).await.unwrap();
    }
    // The router's word that no update came: once as its subject says, once not.
    let overdue = Overdue {
        incident: "promised".parse().unwrap(),
        event: "1".parse().unwrap(),
        step: "2".parse().unwrap(),
        recipient: "py".parse().unwrap(),
        status: Status::Exercise,
        publisher: PUBLISHER.parse().unwrap(),
        promised_by: "2023-06-25T06:15:00Z".parse().unwrap(),
    };
    for step in [2, 3] {
        let subject = format!("tocsin.notice.py.promised.1.overdue.{step}").parse().unwrap();
        let fact = NewFact { subject, body: to_body("overdue", &overdue).unwrap(), schedule: None };
        world.ledger.append(&fact, None).await.unwrap();
    }
    let python = Program::spawn("python", desk(&world.cast, home.path(), &world.server.url()), home.path());
    world.publish(&event("true", 1, EventKind::Initial)).await;
    world.entry("tocsin.receipt.py.true.1.acknowledged").await;

    for (incident, _) in &forged {
        printed(&python, &format!("NOT BELIEVED: tocsin.notice.py.{incident}.1: ")).await;
        for stage in ["delivered", "acknowledged"] {
            assert!(!world.stands(&format!("tocsin.receipt.py.{incident}.1.{stage}")).await, "{incident}");
        }
    }
    printed(
        &python,
        &format!("EXERCISE NO UPDATE CAME: {PUBLISHER} promised more on promised by 2023-06-25"),
    )
    .await;
    printed(&python, "NOT BELIEVED: tocsin.notice.py.promised.1.overdue.3: ").await;
    let printed = python.printed();
    assert!(!printed.contains('\u{1b}'), "{printed:?}");
    // What stands on its own subject and is not its own does not keep its word from being said.
    let body =
        to_body("receipt", &receipt("py", "beside", 1, tocsin_protocol::ReceiptStage::Acknowledged)).unwrap();
    let squatted: Subject = "tocsin.receipt.py.beside.1.acknowledged".parse().unwrap();
    let signed = stranger.sign(&squatted.to_string(), &body).unwrap();
    let before = world.ledger.say(&squatted, &signed, body).await.unwrap().position();
    world.publish(&event("beside", 1, EventKind::Initial)).await;
    until("its own word stands beside", async || {
        let last = world.ledger.last(&squatted).await.unwrap().unwrap();
        if last.sequence > before.sequence { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert!(python.stop().await.success());
    router.stop().await;
    let audit = tocsin_audit::read(&world.ledger, None).await.unwrap();
    for incident in ["true", "beside"] {
        let report = audit.report(&incident.parse().unwrap(), tocsin_audit::Request::default()).unwrap();
        assert_eq!(report.recipients[0].state, tocsin_audit::State::InTime, "{incident}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_written_in_python_has_all_it_needs_on_a_provisioned_bus() {
    let fort = Fort::start(Cast::new(&[seconds(600.0)]).required(&["py"])).await;
    let home = TempDir::new().unwrap();
    let mut command = desk(&fort.cast, home.path(), &fort.server.url());
    let (certificate, key) = fort.bus.client("py");
    command.env("NATS_CA", fort.bus.ca()).env("NATS_CERT", certificate).env("NATS_KEY", key);
    command.env("NATS_NKEY", home.path().join("py.nk"));
    let python = Program::spawn("python", command, home.path());
    let operator = Ledger::connect(&fort.connection(PUBLISHER)).await.unwrap();
    say(&operator, &fort, PUBLISHER, "x", 1).await;
    let acknowledged: Subject = "tocsin.receipt.py.x.1.acknowledged".parse().unwrap();
    until("it is acknowledged", async || {
        let last = fort.ledger.last(&acknowledged).await.unwrap();
        last.map(drop).ok_or_else(|| python.printed())
    })
    .await;
    printed(&python, "acknowledged x event 1").await;
    let told = python.printed();
    for trouble in ["the bus: ", "not settled", "not said yet"] {
        assert!(!told.contains(trouble), "{told}");
    }
    assert!(python.stop().await.success());
}
