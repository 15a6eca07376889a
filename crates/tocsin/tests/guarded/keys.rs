//! Keys that are changed and taken away while the bus runs.

use std::{
    fs,
    time::{Duration, Instant},
};

use tocsin_ledger::Ledger;

use crate::bus::{FIRST, Guarded, SOON, done, example, tocsin};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_rotated_or_revoked_counts_no_more_at_once_and_others_hear_nothing_of_it() {
    let (bus, _router) = Guarded::at_work().await;
    let publish = ["publish", "--as", "operator"];
    bus.run("operator", &[&publish[..], &FIRST].concat());
    let bystander = bus.connect("fire").await.unwrap();
    let held = bus.connect("police-north").await.unwrap();
    let old = bus.settings("police-north");

    let told = bus.run("administrator", &["keys", "rotate", "police-north", "--bus", "bus"]);
    assert!(told.contains("Directory version 2 is in force"), "{told}");
    assert!(told.contains("goes by it from now on"), "{told}");
    assert!(bus.dir.path().join("keys/police-north.nk").exists(), "no seed is overwritten");
    let new = bus.settings("police-north");
    assert!(new["NATS_NKEY"].ends_with("police-north.2.nk") && new["NATS_NKEY"] != old["NATS_NKEY"]);
    ends(&held).await;
    assert!(bystander.is_connected());
    let ack = ["ack", "x", "--as", "police-north", "--by", "A", "--role", "b"];
    assert!(
        !bus.command("police-north", &ack)
            .env("NATS_NKEY", &old["NATS_NKEY"])
            .output()
            .unwrap()
            .status
            .success()
    );
    // Words that the old key signs are stored, if somebody brings them in, and do not count.
    let refused = bus.command("police-north", &ack).env("TOCSIN_KEY", &old["TOCSIN_KEY"]).output().unwrap();
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("does not count"), "{why}");
    assert!(bus.run("police-north", &ack).contains("Acknowledged IN TIME"));
    assert!(bus.run("auditor", &["directory", "show"]).contains("version 2"));

    let held = bus.connect("police-north").await.unwrap();
    let told = bus.run("administrator", &["keys", "revoke", "police-north", "--bus", "bus"]);
    assert!(told.contains("Directory version 3 is in force"), "{told}");
    ends(&held).await;
    assert!(!bus.command("police-north", &ack).output().unwrap().status.success());
    assert!(bystander.is_connected());
    assert!(bus.run("auditor", &["directory", "show"]).contains("no key"));
    let told = bus.run("administrator", &["keys", "rotate", "police-north", "--bus", "bus"]);
    assert!(told.contains("Directory version 4 is in force"), "{told}");
    assert!(bus.fails("police-north", &ack).contains("said so already"), "it is heard again");

    // A body that the running server has never heard of.
    let text = fs::read_to_string(example()).unwrap();
    let policy = example().parent().unwrap().join("../policy/example.toml");
    let text = text.replace("../policy/example.toml", fs::canonicalize(policy).unwrap().to_str().unwrap());
    let start = text.find("[[recipients]]").unwrap();
    let end = start + text[start..].find("\n\n").unwrap();
    let new = text[start..end]
        .replace("regulator", "inspectorate")
        .replace("kind = \"inspectorate", "kind = \"regulator");
    let text = format!("{text}\n{new}\n");
    fs::write(bus.dir.path().join("d.toml"), text).unwrap();
    done(&mut tocsin(bus.dir.path(), &["keys", "new", "--directory", "d.toml", "--out", "keys"]));
    bus.run("administrator", &["directory", "apply", "d.toml", "--keys", "keys/public.toml"]);
    let provision =
        ["provision", "--directory", "d.toml", "--keys", "keys/public.toml", "--out", "bus", "--reload"];
    let listen = bus.server.url().replace("nats://", "");
    let told = bus.run("administrator", &[&provision[..], &["--tls-dev", "--listen", &listen]].concat());
    assert!(told.contains("goes by it from now on"), "{told}");
    bus.run("operator", &[&publish[..], &FIRST[..10], &["--incident", "y"]].concat());
    let ack = ["ack", "y", "--as", "inspectorate", "--by", "A", "--role", "b"];
    assert!(bus.run("inspectorate", &ack).contains("Acknowledged IN TIME"));

    bus.run("administrator", &["keys", "rotate", "auditor", "--bus", "bus"]);
    assert!(bus.run("auditor", &["incidents"]).contains("1 event"));
    assert!(
        bus.fails("administrator", &["keys", "revoke", "router", "--bus", "bus"]).contains("is a service")
    );
    assert!(
        bus.fails("administrator", &["keys", "rotate", "nobody", "--bus", "bus"]).contains("no body called")
    );

    // Where the bus does not run here, it is said what to run there.
    fs::write(bus.dir.path().join("bus/nats-server.pid"), "1").unwrap();
    let told = bus.run("administrator", &["keys", "rotate", "fire", "--bus", "bus"]);
    assert!(told.contains("nats-server --signal reload=PID"), "{told}");
}

async fn ends(ledger: &Ledger) {
    let until = Instant::now() + SOON;
    while ledger.is_connected() {
        assert!(Instant::now() < until, "who logged in with the old key is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
