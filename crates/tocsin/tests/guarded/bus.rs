//! A provisioned bus, and the program's processes on it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use tocsin_ledger::{
    Connection, Error, Ledger,
    server::{self, Server, ServerOptions},
};

pub(crate) use crate::support::{SOON, done, tocsin};

pub(crate) const FIRST: [&str; 12] = [
    "--category",
    "outage",
    "--services",
    "999-voice",
    "--headline",
    "999 calls fail",
    "--areas",
    "exampleshire",
    "--status",
    "exercise",
    "--incident",
    "x",
];

/// A provisioned bus that runs.
pub(crate) struct Guarded {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) server: Server,
}

impl Guarded {
    /// Its server runs, and nothing else.
    pub(crate) async fn start(directory: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = server::free_port().unwrap().local_addr().unwrap().port();
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
    pub(crate) async fn at_work() -> (Self, Service) {
        let bus = Self::in_force(&example()).await;
        let router = Service::start(&mut bus.command("router", &["router"]));
        (bus, router)
    }

    /// With streams, and a directory in force.
    pub(crate) async fn in_force(directory: &Path) -> Self {
        let bus = Self::start(directory).await;
        bus.run("administrator", &["setup"]);
        let apply = ["directory", "apply", directory.to_str().unwrap(), "--keys", "keys/public.toml"];
        bus.run("administrator", &apply);
        bus
    }

    /// What a user's settings say.
    pub(crate) fn settings(&self, user: &str) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.dir.path().join(format!("bus/env/{user}.env"))).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| line.split_once('=').unwrap());
        pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
    }

    /// A command with a user's settings.
    pub(crate) fn command(&self, user: &str, arguments: &[&str]) -> Command {
        let mut command = tocsin(self.dir.path(), arguments);
        command.envs(self.settings(user));
        command
    }

    pub(crate) fn run(&self, user: &str, arguments: &[&str]) -> String {
        String::from_utf8(done(&mut self.command(user, arguments)).stdout).unwrap()
    }

    pub(crate) fn fails(&self, user: &str, arguments: &[&str]) -> String {
        let output = self.command(user, arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) async fn connect(&self, user: &str) -> Result<Ledger, Error> {
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

pub(crate) fn example() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/directory/example.toml"))
        .unwrap()
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < end, "{what}: not so");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A service under test. However the test ends, it is asked to end.
pub(crate) struct Service {
    pub(crate) child: Child,
    lines: Receiver<String>,
    told: Arc<Mutex<String>>,
}

impl Service {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::logging(command, Stdio::null())
    }

    /// Its log goes there.
    pub(crate) fn logging(command: &mut Command, log: impl Into<Stdio>) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (give, lines) = channel();
        let told = Arc::<Mutex<String>>::default();
        let all = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                all.lock().unwrap().extend([line.as_str(), "\n"]);
                if give.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, told }
    }

    pub(crate) fn write(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Its output up to the first line that holds this text.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let mut told = String::new();
        while !told.contains(text) {
            let line = self.lines.recv_timeout(SOON);
            told += &line.unwrap_or_else(|why| panic!("{text:?} never came ({why}); it had told: {told}"));
            told.push('\n');
        }
        told
    }
}

impl Service {
    fn stop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
            let _ = self.child.wait();
        }
    }

    /// Ends it, and gives all of its output.
    pub(crate) fn end(mut self) -> String {
        self.stop();
        while self.lines.recv_timeout(SOON).is_ok() {}
        self.told.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Every file below a directory, with its content and, where the system has modes, its mode.
pub(crate) fn everything(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
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
