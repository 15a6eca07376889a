//! The real `tocsin` program, and others, as child processes.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::wait::LONG;

/// A child process of ours. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `tocsin` with these arguments against this bus, its log in this directory.
    pub(crate) fn start(
        name: &str,
        arguments: &[&str],
        nats_url: &str,
        login: Option<&Path>,
        directory: &Path,
    ) -> Self {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("NATS_URL", nats_url)
            // An empty one counts as none.
            .env("NATS_NKEY", login.unwrap_or(Path::new("")))
            .env("XDG_STATE_HOME", directory)
            .env("RUST_LOG", "info,async_nats=error")
            .env("RUST_BACKTRACE", "1");
        Self::spawn(name, command, directory)
    }

    /// Starts any program, its log in this directory.
    pub fn spawn(name: &str, mut command: Command, directory: &Path) -> Self {
        let log = directory.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { name: name.to_owned(), child, log }
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it (SIGKILL), as a power cut would.
    pub fn kill(mut self) {
        assert!(self.runs(), "it had ended by itself: {}", self.tail());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        assert!(self.runs(), "it had ended by itself: {}", self.tail());
        self.signal("TERM");
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it did not stop when asked: {}", self.tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it ends by itself: its exit code, and what it has printed.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), self.printed());
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it in its tracks (SIGSTOP): its connections stay open, and it does nothing.
    pub fn stall(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`Self::stall`] (SIGCONT).
    pub fn wake(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        // The shell's own kill: no unsafe code, and no other program, is needed.
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its whole log.
    pub fn told(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its name, and the end of its log.
    pub(crate) fn tail(&self) -> String {
        let log = self.told();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(25)..].join("\n    ");
        format!("{} (process {}):\n    {last}", self.name, self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of the same build as this test: built when it is first asked for. `TOCSIN` names another to use.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("TOCSIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    // <target>/<profile>/deps/<this test>, under cargo test and nextest alike.
    let own = env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).expect("a test is two folders below its profile's");
    let profile = match folder.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "--package", "tocsin", "--bin", "tocsin", "--profile", profile])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(folder.parent().unwrap());
    // The build script of `ring` looks there, and it and all that stands on it would be built anew.
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let status = build.status().unwrap();
    assert!(status.success(), "the tocsin program cannot be built");
    folder.join("tocsin")
}
