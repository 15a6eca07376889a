//! A bus that `tocsin provision` wrote, run as it is and used as people use it: TLS, and a login for each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use tocsin_ledger::{
    Connection, Error, Ledger,
    server::{self, Server, ServerOptions},
};

const SOON: Duration = Duration::from_mins(1);
const FIRST: [&str; 12] = [
    "--category",
    "outage",
    "--services",
    "999-voice",
    "--headline",
    "999 calls fail",
    "--areas",
    "exampleshire",
    "--status",
    "test",
    "--incident",
    "x",
];

/// A provisioned bus that runs.
struct Guarded {
    dir: tempfile::TempDir,
    server: Server,
}

impl Guarded {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let directory = example();
        let directory = directory.to_str().unwrap();
        done(&mut tocsin(dir.path(), &["keys", "new", "--directory", directory, "--out", "keys"]));
        let listen = format!("127.0.0.1:{port}");
        let provision = ["provision", "--directory", directory, "--keys", "keys/public.toml"];
        let provision = [&provision[..], &["--out", "bus", "--tls-dev", "--listen", &listen]].concat();
        done(&mut tocsin(dir.path(), &provision));
        let options = ServerOptions {
            binary: server::find().unwrap(),
            store_dir: dir.path().join("run"),
            config: None,
            port: Some(port),
        };
        let config = fs::canonicalize(dir.path().join("bus/nats-server.conf")).unwrap();
        let server = Server::start_with(&options, &config).await.unwrap();
        Self { dir, server }
    }

    /// With streams, a directory in force, and a router.
    async fn at_work() -> (Self, Service) {
        let bus = Self::start().await;
        bus.run("administrator", &["setup"]);
        let directory = example();
        let apply = ["directory", "apply", directory.to_str().unwrap(), "--keys", "keys/public.toml"];
        bus.run("administrator", &apply);
        let router = Service::start(&mut bus.command("router", &["router"]));
        (bus, router)
    }

    /// What a user's settings say.
    fn settings(&self, user: &str) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.dir.path().join(format!("bus/env/{user}.env"))).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| line.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
    }

    /// A command with a user's settings.
    fn command(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = tocsin(self.dir.path(), arguments);
        command.envs(self.settings(user));
        command
    }

    fn run(&self, user: &str, arguments: &[&str]) -> String {
        String::from_utf8(done(&mut self.command(user, arguments)).stdout).unwrap()
    }

    fn fails(&self, user: &str, arguments: &[&str]) -> String {
        let output = self.command(user, arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    async fn connect(&self, user: &str) -> Result<Ledger, Error> {
        let settings = self.settings(user);
        let file = |name: &str| settings.get(name).map(PathBuf::from);
        let connection = Connection {
            nkey_seed_file: file("NATS_NKEY"),
            ca: file("NATS_CA"),
            cert: file("NATS_CERT"),
            key: file("NATS_KEY"),
            inbox_prefix: settings.get("NATS_INBOX_PREFIX").cloned(),
            wait: tocsin_ledger::Wait::Fail(Duration::from_secs(2)),
            ..Connection::to(&settings["NATS_URL"])
        };
        Ledger::connect(&connection).await
    }
}

fn example() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/directory/example.toml"))
        .unwrap()
}

/// The command, with nothing of the tester's environment that would steer it.
fn tocsin(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
    command.current_dir(dir).args(arguments);
    for (name, _) in std::env::vars() {
        if (name.starts_with("NATS_") && name != "NATS_SERVER")
            || name.starts_with("TOCSIN_")
            || name == "RUST_LOG"
        {
            command.env_remove(name);
        }
    }
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A service under test. However the test ends, it is asked to end.
struct Service {
    child: Child,
    lines: Receiver<String>,
}

impl Service {
    fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (give, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if give.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn write(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Its output up to the first line that holds this text.
    fn until(&mut self, text: &str) -> String {
        let mut told = String::new();
        while !told.contains(text) {
            let line = self.lines.recv_timeout(SOON);
            told += &line.unwrap_or_else(|why| panic!("{text:?} never came ({why}); it had told: {told}"));
            told.push('\n');
        }
        told
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
            let _ = self.child.wait();
        }
    }
}

/// Every file below a directory, with its content and, where the system has modes, its mode.
fn everything(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            #[cfg(unix)]
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
            #[cfg(not(unix))]
            let mode = 0;
            found.insert(path.clone(), (mode & 0o777, fs::read(&path).unwrap()));
        }
    }
    found
}

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
    assert!(bus.run("auditor", &["directory", "show"]).contains("version 1"));
    assert!(bus.fails("fire", &["report", "x"]).contains("permissions deny"));
    assert!(bus.fails("auditor", &["setup"]).contains("permissions deny"));
    assert!(notifier.child.try_wait().unwrap().is_none(), "the notifier has what it needs");
}

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
