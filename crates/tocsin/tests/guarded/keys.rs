//! Keys that are changed and taken away while the bus runs.

use std::{fs, time::Instant};

use tocsin_ledger::Ledger;

use crate::bus::{FIRST, Guarded, SOON, Service, done, example, tocsin, until};

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
    assert!(bus.fails("police-north", &ack).contains("already acknowledged"), "it is heard again");

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
    until("who logged in with the old key is cut off", || !ledger.is_connected()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_checkpoints_is_rotated_and_both_are_verified() {
    let (bus, router) = Guarded::at_work().await;
    let publish = ["publish", "--as", "operator"];
    bus.run("operator", &[&publish[..], &FIRST].concat());
    let checkpoint = |number: &str| {
        let until = Instant::now() + SOON;
        loop {
            bus.run("auditor", &["audit", "export", "--all", "all.bundle"]);
            let output = bus.command("auditor", &["audit", "verify", "all.bundle"]).output().unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            if told.contains(number) {
                if output.status.success() {
                    return;
                }
                // All holds but that nobody vouches for it yet: whoever acknowledges now does from here on.
                assert!(told.contains("no recipient's receipt vouches"), "{told}");
                bus.run("fire", &["ack", "x", "--as", "fire", "--by", "A. Example", "--role", "watch"]);
                return;
            }
            assert!(Instant::now() < until, "{told}");
        }
    };
    checkpoint("1 checkpoint is signed");
    let old = bus.settings("router");
    let told = bus.run("administrator", &["keys", "rotate", "checkpoint_key", "--bus", "bus"]);
    assert!(
        told.contains("Directory version 2 is in force") && told.contains("Start every router anew"),
        "{told}"
    );
    let new = bus.settings("router");
    assert!(new["TOCSIN_KEY"].ends_with("checkpoint_key.2.nk") && new["NATS_NKEY"] == old["NATS_NKEY"]);
    let public = fs::read_to_string(bus.dir.path().join("keys/public.toml")).unwrap();
    assert!(public.contains("checkpoint_key = "), "{public}");
    drop(router);
    let _router = Service::start(&mut bus.command("router", &["router"]));
    bus.run("operator", &[&publish[..], &["--update", "x", "--headline", "Still"]].concat());
    checkpoint("checkpoints are signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_made_anew_on_a_running_server_and_nobody_is_cut_off() {
    let bus = Guarded::in_force(&example()).await;
    let held = bus.connect("fire").await.unwrap();
    let shown = || presented(&bus);
    let before = shown();
    assert_eq!(before, shown());
    let told = bus.run("administrator", &["provision", "--out", "bus", "--reload"]);
    assert!(told.contains("Nothing changed"), "{told}");
    let told = bus.run("administrator", &["provision", "--out", "bus", "--renew", "--reload"]);
    assert!(told.contains("goes by it from now on"), "{told}");
    assert_ne!(before, shown(), "it is the new one that is shown");
    assert!(held.is_connected());
    assert!(held.last(&"tocsin.notice.fire.x.1".parse().unwrap()).await.unwrap().is_none());
    bus.connect("fire").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_names_a_key_is_signed_with_it_or_not_written_at_all() {
    let bus = Guarded::in_force(&example()).await;
    let dir = bus.dir.path();
    let shown = || bus.run("auditor", &["directory", "show"]);
    assert!(shown().contains("not signed; without a directory_key"), "{}", shown());
    done(&mut tocsin(dir, &["keys", "new", "directory_key", "--out", "safe"]));
    done(&mut tocsin(dir, &["keys", "new", "directory_key", "--out", "other"]));
    let public = |seed: &str| {
        let seed = fs::read_to_string(dir.join(seed)).unwrap();
        tocsin_protocol::SigningKey::from_seed(&seed).unwrap().public()
    };
    let (ours, other) = (public("safe/directory_key.nk"), public("other/directory_key.nk"));
    let keys = dir.join("keys/public.toml");
    let text = fs::read_to_string(&keys).unwrap();
    fs::write(&keys, format!("{text}directory_key = \"{ours}\"\n")).unwrap();
    let file = example();
    let apply = ["directory", "apply", file.to_str().unwrap(), "--keys", "keys/public.toml"];
    let with = |seed: &'static str| [&apply[..], &["--directory-key", seed]].concat();

    // Nothing is written without the key that the directory names itself.
    let why = bus.fails("administrator", &apply);
    assert!(
        why.contains(&ours) && why.contains("--directory-key") && why.contains("nothing was written"),
        "{why}"
    );
    let why = bus.fails("administrator", &with("other/directory_key.nk"));
    assert!(why.contains(&ours) && why.contains(&other) && why.contains("nothing was written"), "{why}");
    assert!(shown().contains("version 1,"));
    let told = bus.run("administrator", &with("safe/directory_key.nk"));
    assert!(told.contains(&format!("Version 2 is in force, signed by {ours}")), "{told}");
    assert!(shown().contains(&format!("signed by {ours}, which must sign the next")), "{}", shown());

    // The stolen login puts another beside it, and the next number is taken up.
    let administrator = bus.connect("administrator").await.unwrap();
    let fact = tocsin_protocol::NewFact {
        subject: tocsin_protocol::Subject::Directory { version: 3 },
        body: administrator.last(&"tocsin.directory.1".parse().unwrap()).await.unwrap().unwrap().body,
        schedule: None,
    };
    administrator.append(&fact, None).await.unwrap();
    let output = bus.command("auditor", &["directory", "show"]).output().unwrap();
    let (told, noted) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(told.contains("version 2,") && noted.contains("version 3, written at"), "{told}{noted}");
    assert!(bus.fails("auditor", &["directory", "show", "3"]).contains("is not in force, and never was"));
    // With the key the same is said once more, which is the end of the alarm; without it, or twice, there is no use.
    assert!(bus.run("administrator", &apply).starts_with("Nothing changed: version 2"));
    let told = bus.run("administrator", &with("safe/directory_key.nk"));
    assert!(told.contains(&format!("Version 4 is in force, signed by {ours}")), "{told}");
    assert!(
        bus.run("administrator", &with("safe/directory_key.nk")).starts_with("Nothing changed: version 4")
    );
    // It stands under the key that signed it, and under no other.
    let told = bus.run("auditor", &["directory", "show", "--trust", &ours]);
    assert!(told.contains("It stands under the trusted key"), "{told}");
    let why = bus.fails("auditor", &["directory", "show", "--trust", &other]);
    assert!(why.contains("version 4 of the directory is in force") && why.contains(&other), "{why}");
    let why = bus.fails("auditor", &["directory", "show", "--trust", "safe/directory_key.nk"]);
    assert!(why.contains("56 characters from U"), "{why}");
    let rotate = ["keys", "rotate", "police-north", "--bus", "bus"];
    assert!(bus.fails("administrator", &rotate).contains("--directory-key"));
    assert!(!dir.join("keys/police-north.2.nk").exists(), "no key is made for nothing");
    let told =
        bus.run("administrator", &[&rotate[..], &["--directory-key", "safe/directory_key.nk"]].concat());
    assert!(told.contains("Directory version 5 is in force"), "{told}");

    // The key itself is rotated, and signs no more.
    let rotate =
        ["keys", "rotate", "directory_key", "--bus", "bus", "--directory-key", "safe/directory_key.nk"];
    let told = bus.run("administrator", &rotate);
    assert!(told.contains("Directory version 6 is in force"), "{told}");
    assert!(shown().contains(&format!("signed by {ours}; ")), "{}", shown());
    let revoke =
        |seed: &'static str| ["keys", "revoke", "police-north", "--bus", "bus", "--directory-key", seed];
    assert!(bus.fails("administrator", &revoke("safe/directory_key.nk")).contains("nothing was written"));
    let told = bus.run("administrator", &revoke("keys/directory_key.nk"));
    assert!(told.contains("Directory version 7 is in force"), "{told}");
}

/// The certificate that the server shows.
fn presented(bus: &Guarded) -> Vec<u8> {
    use std::io::{BufRead as _, BufReader, Write as _};

    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

    let settings = bus.settings("fire");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&settings["NATS_CA"]).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![CertificateDer::from_pem_file(&settings["NATS_CERT"]).unwrap()],
            PrivateKeyDer::from_pem_file(&settings["NATS_KEY"]).unwrap(),
        )
        .unwrap();
    let socket = std::net::TcpStream::connect(("127.0.0.1", bus.server.port())).unwrap();
    let mut greeting = String::new();
    BufReader::new(&socket).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("INFO "), "{greeting}");
    let client =
        rustls::ClientConnection::new(std::sync::Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(client, socket);
    stream.write_all(b"PING\r\n").unwrap();
    stream.flush().unwrap();
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_has_its_place_before_any_router_has_run() {
    let bus = Guarded::in_force(&example()).await;
    let fire = bus.connect("fire").await.unwrap();
    fire.notices(&"fire".parse().unwrap()).await.unwrap();
    let told = bus.run("administrator", &["setup"]);
    assert!(told.contains("So are the places of 4 desks"), "{told}");
}
