//! The binary as people run it: a bus of its own from nothing, and a bus on which each may do its own things only.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use tocsin_ledger::{
    Connection, Error, Ledger,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::{
    Event, NewFact, Receipt, ReceiptStage, SigningKey, Stream, Subject, Timestamp, from_body, to_body,
};

const SOON: Duration = Duration::from_mins(1);

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

/// The command, in a directory of its own and with nothing of the tester's environment that would steer it.
fn tocsin(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
    command.current_dir(dir).args(arguments);
    for name in [
        "NATS_URL",
        "NATS_NKEY",
        "NATS_CREDS",
        "NATS_CA",
        "NATS_CERT",
        "NATS_KEY",
        "RUST_LOG",
        "TOCSIN_CONFIG",
    ] {
        command.env_remove(name);
    }
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A service under test. However the test ends, it is asked to end, and so ends what it started.
struct Service(Child);

impl Service {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Lines of its output up to the first that holds this text.
    fn until(&mut self, text: &str) -> String {
        let mut told = String::new();
        let mut lines = BufReader::new(self.0.stdout.as_mut().unwrap());
        while !told.contains(text) {
            assert!(lines.read_line(&mut told).unwrap() > 0, "it ended; it had told: {told}");
        }
        told
    }

    fn terminate(&mut self) -> ExitStatus {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status().unwrap();
        assert!(asked.success());
        let until = Instant::now() + SOON;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end when asked");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status();
            let _ = self.0.wait();
        }
    }
}

fn event(publisher: &str) -> Event {
    let text = format!(
        r#"{{"incident": "x", "sequence": 1, "kind": "initial", "status": "test", "publisher": "{publisher}",
            "category": "outage", "services": ["999-voice"], "headline": "Calls are failing", "areas": ["north"]}}"#
    );
    from_body("event", text.as_bytes()).unwrap()
}

async fn say_event(ledger: &Ledger, event: &Event, key: &SigningKey) -> Result<tocsin_ledger::Said, Error> {
    let (subject, body) = (event.subject(), to_body("event", event).unwrap());
    let signed = key.sign(&subject.to_string(), &body).unwrap();
    ledger.say(&subject, &signed, body).await
}

#[tokio::test]
async fn a_bus_of_ones_own_comes_up_from_nothing_dispatches_and_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(deploy("tocsin.toml")).unwrap().replace("port = 4222", "port = 0");
    fs::write(dir.path().join("tocsin.toml"), config).unwrap();
    let mut up = Service::start(&mut tocsin(dir.path(), &["up"]));
    let told = up.until("--keys");
    let url = told.split_whitespace().find(|word| word.starts_with("nats://")).unwrap().to_owned();

    let directory = deploy("directory/example.toml");
    let directory = directory.to_str().unwrap();
    done(&mut tocsin(dir.path(), &["keys", "new", "--directory", directory, "--out", "keys"]));
    let apply = ["directory", "apply", directory, "--keys", "keys/public.toml"];
    let run = |arguments: &[&str]| {
        let output = done(tocsin(dir.path(), arguments).env("NATS_URL", &url));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&apply).starts_with("Version 1 is in force"));
    assert!(run(&apply).starts_with("Nothing changed: version 1"));
    assert!(run(&["directory", "show"]).contains("police-north"));
    assert!(run(&["policy", "show"]).contains("basis"));

    let again = tocsin(dir.path(), &["up"]).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "two on one store would ruin it");
    assert!(String::from_utf8_lossy(&again.stderr).contains("another `tocsin up` runs on the store"));

    let ledger = Ledger::connect(&Connection::to(&url)).await.unwrap();
    let seed = fs::read_to_string(dir.path().join("keys/operator.nk")).unwrap();
    say_event(&ledger, &event("operator"), &SigningKey::from_seed(&seed).unwrap()).await.unwrap();
    let notice = "tocsin.notice.police-north.x.1".parse().unwrap();
    assert!(ledger.wait_for(&[notice], SOON).await.unwrap().is_some());

    assert_eq!(up.terminate().code(), Some(0));
    let mut rest = String::new();
    up.0.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
    assert!(
        tokio::net::TcpStream::connect(url.trim_start_matches("nats://")).await.is_err(),
        "the bus has ended too"
    );
}

/// A bus whose users are those of the file that we ship.
struct Guarded {
    dir: tempfile::TempDir,
    server: Server,
}

impl Guarded {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let directory = deploy("directory/example.toml");
        let keys = ["keys", "new", "--directory", directory.to_str().unwrap(), "--out", "keys"];
        done(&mut tocsin(dir.path(), &keys));
        let services = done(&mut tocsin(dir.path(), &["keys", "new", "services", "--out", "keys"]));
        let public = fs::read_to_string(dir.path().join("keys/public.toml")).unwrap();
        let mut public: BTreeMap<String, String> = toml::from_str(&public).unwrap();
        public.insert("services".to_owned(), String::from_utf8(services.stdout).unwrap().trim().to_owned());
        let users = fs::read_to_string(deploy("nats/users.conf")).unwrap();
        let users = public.iter().fold(users, |users, (id, key)| {
            users.replace(&format!("PUBLIC KEY OF {id}\""), &format!("{key}\""))
        });
        let options = ServerOptions {
            binary: server::find().unwrap(),
            store_dir: dir.path().join("store"),
            config: Some(users),
            port: None,
        };
        let server = Server::start(&options).await.unwrap();
        Self { dir, server }
    }

    fn as_services(&self, arguments: &[&str]) -> Command {
        let mut command = tocsin(self.dir.path(), arguments);
        command.env("NATS_URL", self.server.url()).env("NATS_NKEY", self.seed_file("services"));
        command
    }

    fn seed_file(&self, id: &str) -> PathBuf {
        self.dir.path().join(format!("keys/{id}.nk"))
    }

    fn key(&self, id: &str) -> SigningKey {
        SigningKey::from_seed(&fs::read_to_string(self.seed_file(id)).unwrap()).unwrap()
    }

    async fn connect(&self, id: &str) -> Ledger {
        let connection = Connection {
            nkey_seed_file: Some(self.seed_file(id)),
            inbox_prefix: Some(format!("_INBOX_{id}")),
            ..Connection::to(&self.server.url())
        };
        Ledger::connect(&connection).await.unwrap()
    }
}

fn receipt(recipient: &str) -> Receipt {
    Receipt {
        incident: "x".parse().unwrap(),
        event: "1".parse().unwrap(),
        recipient: recipient.parse().unwrap(),
        stage: ReceiptStage::Delivered,
        at: Timestamp::UNIX_EPOCH,
        by: None,
        method: None,
        control_room: None,
        on_behalf_of: None,
        note: None,
        checkpoint: None,
    }
}

#[tokio::test]
async fn with_the_users_that_we_ship_each_does_its_own_things_and_nothing_else() {
    let bus = Guarded::start().await;
    let stranger = Ledger::connect(&Connection::to(&bus.server.url())).await;
    assert!(matches!(stranger, Err(Error::Connect { .. })), "nobody comes in without a key");

    done(&mut bus.as_services(&["setup"]));
    let directory = deploy("directory/example.toml");
    let apply = ["directory", "apply", directory.to_str().unwrap(), "--keys", "keys/public.toml"];
    done(&mut bus.as_services(&apply));
    let mut router = Service::start(&mut bus.as_services(&["router"]));

    let publisher = bus.connect("operator").await;
    say_event(&publisher, &event("operator"), &bus.key("operator")).await.unwrap();
    let dispatch: Subject = "tocsin.dispatch.x.1".parse().unwrap();
    assert!(publisher.wait_for(&[dispatch], SOON).await.unwrap().is_some());
    assert_eq!(publisher.entries(Stream::Log, &["tocsin.directory.*".to_owned()]).await.unwrap().len(), 1);

    let recipient = bus.connect("police-north").await;
    let until = Instant::now() + SOON;
    let mut notices = loop {
        match recipient.notices(&"police-north".parse().unwrap()).await {
            Ok(notices) => break notices,
            // The router makes the durable beside its work.
            Err(Error::NoConsumer { .. }) => assert!(Instant::now() < until, "no durable"),
            Err(why) => panic!("{why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let held = tokio::time::timeout(SOON, notices.next()).await.unwrap().unwrap();
    assert_eq!(held.entry.subject, "tocsin.notice.police-north.x.1");
    held.settle().await.unwrap();
    let say = |of: &str| {
        let (receipt, key, recipient) = (receipt(of), bus.key("police-north"), recipient.clone());
        async move {
            let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).unwrap());
            let signed = key.sign(&subject.to_string(), &body).unwrap();
            recipient.say(&subject, &signed, body).await
        }
    };
    say("police-north").await.unwrap();

    let denied = |what: &str, result: Result<(), Error>| {
        assert!(matches!(result, Err(Error::Denied { .. })), "{what}: {result:?}");
    };
    denied("another's receipt", say("fire").await.map(drop));
    denied("another's notices", recipient.notices(&"fire".parse().unwrap()).await.map(drop));
    denied(
        "an event of a recipient",
        say_event(&recipient, &event("operator"), &bus.key("operator")).await.map(drop),
    );
    denied(
        "an event of another publisher",
        say_event(&publisher, &event("police-north"), &bus.key("operator")).await.map(drop),
    );
    let forged = NewFact {
        subject: Subject::Directory { version: 2 },
        body: bytes::Bytes::from_static(b"{}"),
        schedule: None,
    };
    denied("a directory of a publisher", publisher.append(&forged, None).await.map(drop));
    denied("a directory of a recipient", recipient.append(&forged, None).await.map(drop));
    denied("work of a publisher", publisher.work(&tocsin_ledger::WorkOptions::default()).await.map(drop));
    assert_eq!(router.terminate().code(), Some(0));
}

#[test]
fn wrong_input_is_told_in_words_with_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["setup", "--replicas", "2"], "use 1, 3 or 5"),
        (&["keys", "new"], "required arguments were not provided"),
        (&["keys", "new", "Not An Id"], "use 1 to 64 of a-z, 0-9 and inner hyphens"),
        (&["directory", "check", "gone.toml"], "cannot read the directory file gone.toml"),
        (&["up", "--config", "gone.toml"], "begin with a copy of deploy/tocsin.toml"),
        (&["setup", "--log", "tocsin=loud"], "write it as info or tocsin_router=debug"),
        (&["notifier"], "--config <FILE>"),
    ];
    for (arguments, words) in cases {
        let output = tocsin(dir.path(), arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
        assert!(!told.contains("stack backtrace") && !told.contains("Error {"), "{told}");
    }
}

#[test]
fn a_bus_that_is_not_there_is_told_as_such_with_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let output = tocsin(dir.path(), &["setup"]).env("NATS_URL", "nats://127.0.0.1:1").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("check that nats-server runs there") && told.lines().count() == 1, "{told}");
}
