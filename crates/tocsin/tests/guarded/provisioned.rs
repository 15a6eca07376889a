//! What is provisioned, and that every command works with it.

use std::{fs, process::Command, time::Duration};

use tocsin_ledger::{Connection, Ledger, server};

use crate::bus::{FIRST, Guarded, Service, done, everything, example, tocsin};

#[test]
fn to_provision_again_changes_nothing_unless_the_directory_does_and_secrets_are_for_their_owner() {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(example()).unwrap();
    let policy = example().parent().unwrap().join("../policy/example.toml");
    let text = text.replace("../policy/example.toml", fs::canonicalize(policy).unwrap().to_str().unwrap());
    fs::write(dir.path().join("d.toml"), &text).unwrap();
    let keys = ["keys", "new", "--directory", "d.toml", "--out", "keys"];
    done(&mut tocsin(dir.path(), &keys));
    let first =
        ["provision", "--directory", "d.toml", "--keys", "keys/public.toml", "--out", "bus", "--tls-dev"];
    done(&mut tocsin(dir.path(), &first));
    let before = everything(&dir.path().join("bus"));
    for again in [&first[..], &["provision", "--out", "bus"]] {
        let told = done(&mut tocsin(dir.path(), again)).stdout;
        assert!(String::from_utf8_lossy(&told).starts_with("Nothing changed: 5 bodies may log in."));
        assert!(everything(&dir.path().join("bus")) == before);
    }
    for (file, (mode, content)) in &before {
        let secret =
            file.to_string_lossy().ends_with("-key.pem") || file.extension().is_some_and(|e| e == "nk");
        assert!(!secret || *mode == 0o600, "{} is {mode:o}", file.display());
        let seed = content.windows(2).any(|at| at == b"SU") && !secret;
        assert!(
            !seed || !String::from_utf8_lossy(content).split(|c: char| !c.is_alphanumeric()).any(is_seed)
        );
    }

    let more = "\n[[recipients]]\nid = \"police-south\"\nname = \"South\"\nkind = \"police\"\nareas = [\"south\"]\n\
                contacts.duty = { role = \"FIM\", email = \"a@police-south.example\" }\n\
                contacts.senior = { role = \"Gold\", email = \"b@police-south.example\" }\n";
    fs::write(dir.path().join("d.toml"), text + more).unwrap();
    done(&mut tocsin(dir.path(), &keys));
    done(&mut tocsin(dir.path(), &["provision", "--out", "bus"]));
    let after = everything(&dir.path().join("bus"));
    let changed = after.iter().filter(|(file, now)| before.get(*file) != Some(*now));
    let changed: Vec<_> = changed.map(|(file, _)| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(changed, ["accounts.conf", "police-south.env", "police-south-key.pem", "police-south.pem"]);
}

fn is_seed(word: &str) -> bool {
    tocsin_protocol::SigningKey::from_seed(word).is_ok()
}

#[test]
fn the_configuration_of_the_united_kingdom_is_what_nats_server_takes_and_listens_on_loopback_alone() {
    let dir = tempfile::tempdir().unwrap();
    let directory = example().with_file_name("uk.toml");
    let directory = directory.to_str().unwrap();
    done(&mut tocsin(dir.path(), &["keys", "new", "--directory", directory, "--out", "keys"]));
    let provision =
        ["provision", "--directory", directory, "--keys", "keys/public.toml", "--out", "bus", "--tls-dev"];
    done(&mut tocsin(dir.path(), &provision));
    let config = dir.path().join("bus/nats-server.conf");
    let told = Command::new(server::find().unwrap()).arg("-t").arg("-c").arg(&config).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = fs::read_to_string(&config).unwrap();
    let settings: Vec<_> = text.lines().filter(|line| !line.trim().starts_with('#')).collect();
    let listening =
        ["listen", "http", "port", "cluster", "leafnodes", "gateway", "websocket", "mqtt", "monitor"];
    let listens: Vec<_> =
        settings.iter().filter(|line| listening.iter().any(|word| line.trim().starts_with(word))).collect();
    assert_eq!(listens, [&"listen: \"127.0.0.1:4222\""]);
    assert!(settings.contains(&"  sync_interval: always") && settings.contains(&"  verify: true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_works_under_the_rights_of_its_user_and_no_stranger_comes_in() {
    let (bus, _router) = Guarded::at_work().await;
    let url = bus.server.url();
    let mut naked = Connection::to(&url);
    naked.wait = tocsin_ledger::Wait::Fail(Duration::from_secs(1));
    assert!(Ledger::connect(&naked).await.is_err(), "without a certificate nobody is heard");
    let settings = bus.settings("fire");
    naked.ca = Some(settings["NATS_CA"].clone().into());
    naked.cert = Some(settings["NATS_CERT"].clone().into());
    naked.key = Some(settings["NATS_KEY"].clone().into());
    assert!(Ledger::connect(&naked).await.is_err(), "a certificate alone lets nobody in");

    let config = "[notifier]\nfrom = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'operator.example'\n\
                  relays = [{ name = 'a', host = '127.0.0.1', port = 1, tls = 'none' }]\n";
    fs::write(bus.dir.path().join("notifier.toml"), config).unwrap();
    let mut notifier =
        Service::start(&mut bus.command("notifier", &["notifier", "--config", "notifier.toml"]));

    let publish = ["publish", "--as", "operator"];
    let told = bus.run("operator", &[&publish[..], &FIRST].concat());
    assert!(told.contains("told, by directory 1") && told.contains("4 required"), "{told}");
    let told = bus.run("operator", &[&publish[..], &["--update", "x", "--headline", "Still"]].concat());
    assert!(told.contains("x event 2"), "{told}");

    let mut desk = Service::start(&mut bus.command("police-north", &["desk", "--as", "police-north"]));
    desk.until("x, event 1");
    desk.until("x, event 2");
    for line in ["a", "A. Example", "supervisor", ""] {
        desk.write(line);
    }
    desk.until("Acknowledged IN TIME");
    drop(desk);
    let told = bus.run(
        "police-north",
        &["ack", "x", "--event", "1", "--as", "police-north", "--by", "A", "--role", "b"],
    );
    assert!(told.contains("It had been given before"), "{told}");
    let told = bus.run("fire", &["ack", "x", "--as", "fire", "--by", "A. Example", "--role", "watch"]);
    assert!(told.contains("Acknowledged") && told.contains("x event 2"), "{told}");

    // A desk that starts anew knows what it has still to acknowledge, though its durable gives it out no more.
    let mut desk = Service::start(&mut bus.command("ambulance-south", &["desk", "--as", "ambulance-south"]));
    desk.until("x, event 2");
    drop(desk);
    let mut desk = Service::start(&mut bus.command("ambulance-south", &["desk", "--as", "ambulance-south"]));
    desk.until("Still to be acknowledged from before");

    let report = bus.run("auditor", &["report", "x"]);
    assert!(report.contains("police-north") || report.contains("North Exampleshire Police"), "{report}");
    assert!(bus.run("auditor", &["incidents"]).contains("2 events"));
    assert!(bus.run("auditor", &["watch", "--once"]).starts_with("OK: "));
    assert!(bus.run("auditor", &["call-list", "x"]).contains("to telephone"));
    assert!(bus.run("auditor", &["directory", "show"]).contains("version 1"));
    assert!(bus.fails("fire", &["report", "x"]).contains("permissions deny"));
    assert!(bus.fails("auditor", &["setup"]).contains("permissions deny"));
    assert!(notifier.child.try_wait().unwrap().is_none(), "the notifier has what it needs");
}

#[test]
fn a_bus_on_three_servers_is_written_whole_and_each_has_what_it_needs_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let directory = example();
    let directory = directory.to_str().unwrap();
    done(&mut tocsin(dir.path(), &["keys", "new", "--directory", directory, "--out", "keys"]));
    let provision = |more: &[&str]| {
        let first = [
            "provision",
            "--directory",
            directory,
            "--keys",
            "keys/public.toml",
            "--out",
            "bus",
            "--tls-dev",
        ];
        let servers = ["bus-1.example", "bus-2.example", "bus-3.example"].map(|server| ["--cluster", server]);
        done(&mut tocsin(dir.path(), &[&first[..], &servers.concat(), more].concat()))
    };
    let told = String::from_utf8(provision(&[]).stdout).unwrap();
    assert_eq!(told.matches("nats-server --config").count(), 3, "{told}");
    let before = everything(&dir.path().join("bus"));
    let again = done(&mut tocsin(dir.path(), &["provision", "--out", "bus"])).stdout;
    assert!(String::from_utf8_lossy(&again).starts_with("Nothing changed"));
    assert!(everything(&dir.path().join("bus")) == before);

    for number in 1..=3 {
        let home = dir.path().join(format!("bus/tocsin-{number}"));
        let config = home.join("nats-server.conf");
        let told = Command::new(server::find().unwrap()).arg("-t").arg("-c").arg(&config).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let text = fs::read_to_string(&config).unwrap();
        for setting in [
            format!("listen: \"bus-{number}.example:4222\""),
            format!("client_advertise: \"bus-{number}.example:4222\""),
            "sync_interval: always".to_owned(),
            "verify_cert_and_check_known_urls: true".to_owned(),
        ] {
            assert!(text.contains(&setting), "{setting}: {text}");
        }
        let has: Vec<_> =
            everything(&home).into_keys().map(|file| file.file_name().unwrap().to_owned()).collect();
        assert!(
            !has.iter().any(|file| file == "ca-key.pem"),
            "an authority's key belongs on no server: {has:?}"
        );
    }
    let settings = fs::read_to_string(dir.path().join("bus/env/router.env")).unwrap();
    let urls = "tls://bus-1.example:4222,tls://bus-2.example:4222,tls://bus-3.example:4222";
    assert!(settings.contains(urls), "{settings}");

    provision(&["--at", "/etc/tocsin/nats", "--state", "/var/lib/tocsin", "--listen", "0.0.0.0:1"]);
    let text = fs::read_to_string(dir.path().join("bus/tocsin-2/nats-server.conf")).unwrap();
    for setting in [
        "store_dir: \"/var/lib/tocsin/store\"",
        "cert_file: \"/etc/tocsin/nats/tls/route.pem\"",
        "listen: \"0.0.0.0:4222\"",
        "listen: \"0.0.0.0:6222\"",
    ] {
        assert!(text.contains(setting), "{setting}: {text}");
    }
}
