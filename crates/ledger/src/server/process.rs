//! Starting, killing, pausing and restarting that nats-server.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use crate::Error;

/// How long a server may take to recover its streams and listen.
const STARTING: Duration = Duration::from_mins(1);
/// How long a server may take to stop when asked to.
const STOPPING: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

/// How to start a nats-server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The program, as [`super::find`] gives it.
    pub binary: PathBuf,
    /// Where it keeps its streams, configuration and log; made if absent, never removed.
    pub store_dir: PathBuf,
    /// More lines for its configuration file, such as accounts and users.
    pub config: Option<String>,
    /// Its port on 127.0.0.1; a free one if none is given.
    pub port: Option<u16>,
}

/// A running nats-server, a child of this process. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    child: Option<Child>,
    port: u16,
    apart: bool,
    /// A configuration that is somebody else's, to run as it is.
    file: Option<PathBuf>,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// [`Error::Start`] when it ends, or does not listen within a minute; with the end of its log.
    pub async fn start(options: &ServerOptions) -> Result<Self, Error> {
        Self::begin(options, false, None).await
    }

    /// As [`Self::start`], with a configuration that is there, as it is but for the port; `options.config` does not
    /// count.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: &ServerOptions, file: &Path) -> Result<Self, Error> {
        Self::begin(options, false, Some(file.to_owned())).await
    }

    /// As [`Self::start`], in a process group of its own: what the terminal interrupts is then this process alone, which
    /// ends its server when it is done with it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_apart(options: &ServerOptions) -> Result<Self, Error> {
        Self::begin(options, true, None).await
    }

    async fn begin(options: &ServerOptions, apart: bool, file: Option<PathBuf>) -> Result<Self, Error> {
        let mut server =
            Self { options: options.clone(), child: None, port: options.port.unwrap_or(0), apart, file };
        server.spawn().await?;
        Ok(server)
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its streams, configuration and log.
    pub fn store_dir(&self) -> &Path {
        &self.options.store_dir
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether the process still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(None)))
    }

    /// Kills it (SIGKILL), as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// [`Error::Start`] when the operating system refuses.
    pub async fn kill(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let killed = tokio::task::spawn_blocking(move || child.kill().and_then(|()| child.wait()));
        match killed.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.fault(&format!("cannot kill it: {error}"))),
            Err(error) => Err(self.fault(&format!("cannot kill it: {error}"))),
        }
    }

    /// Kills it if it runs, and starts it again on the same port and store.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill().await?;
        let until = Instant::now() + STARTING;
        loop {
            match self.spawn().await {
                // While nobody listened on it the port was free for anybody's connection, and is again when that ends.
                Err(Error::Start { why, .. })
                    if why.contains("address already in use") && Instant::now() < until =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                started => return started,
            }
        }
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// [`Error::Start`] when it could not be asked, or had to be killed after 20 s.
    pub async fn stop(mut self) -> Result<(), Error> {
        if self.child.is_none() {
            return Ok(());
        }
        self.signal("TERM")?;
        let until = Instant::now() + STOPPING;
        while self.runs() {
            if Instant::now() > until {
                self.kill().await?;
                return Err(self.fault("it did not stop when asked, so it was killed"));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.child = None;
        Ok(())
    }

    /// Stops it in its tracks (SIGSTOP): connections stay open and nothing answers once this returns.
    ///
    /// # Errors
    /// [`Error::Start`] when it does not run, or runs on.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal("STOP")?;
        // The signal is one thread's at first: on a busy machine the others run on, and answer, until that one has run.
        let end = Instant::now() + STOPPING;
        while self.child.as_ref().is_some_and(|child| runs(child.id())) {
            if Instant::now() > end {
                return Err(self.fault("it was told to stop in its tracks and runs on"));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Lets it go on after [`Self::pause`] (SIGCONT).
    ///
    /// # Errors
    /// [`Error::Start`] when it does not run.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal("CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Error> {
        let child = self.child.as_ref().ok_or_else(|| self.fault("it does not run"))?;
        // The shell's own kill: there is a shell wherever there is no kill program, and no unsafe code is needed.
        let status = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.fault(&format!("kill -{signal} failed: {status}"))),
            Err(error) => Err(self.fault(&format!("kill -{signal} failed: {error}"))),
        }
    }

    async fn spawn(&mut self) -> Result<(), Error> {
        let home = self.options.store_dir.clone();
        let ports = home.join("ports");
        let wrote =
            fs::create_dir_all(&ports).and_then(|()| forget_ports(&ports)).and_then(|()| match &self.file {
                Some(_) => Ok(()),
                None => fs::write(home.join("nats-server.conf"), configuration(&self.options, self.port)),
            });
        wrote.map_err(|error| self.fault(&format!("cannot write its configuration: {error}")))?;
        let mut command = Command::new(&self.options.binary);
        #[cfg(unix)]
        if self.apart {
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        match &self.file {
            None => command.arg("--config").arg(home.join("nats-server.conf")),
            Some(file) => {
                let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
                let command = command.arg("--config").arg(file).arg("--port").arg(port);
                command.arg("--ports_file_dir").arg(&ports)
            }
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| self.fault(&error.to_string()))?;
        let ports = ports.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        let until = Instant::now() + STARTING;
        loop {
            if let Some(port) = fs::read_to_string(&ports).ok().as_deref().and_then(port_in)
                && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
            {
                self.port = port;
                return Ok(());
            }
            if !self.runs() {
                return Err(self.fault("it ended at once"));
            }
            if Instant::now() > until {
                self.kill().await?;
                return Err(self.fault("it did not listen within a minute"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn fault(&self, what: &str) -> Error {
        let log = fs::read_to_string(self.options.store_dir.join("nats-server.log")).unwrap_or_default();
        let mut last: Vec<&str> = log.lines().rev().take(5).collect();
        last.reverse();
        let why = if last.is_empty() {
            what.to_owned()
        } else {
            format!("{what}; its log ends: {}", last.join(" | "))
        };
        Error::Start { binary: self.options.binary.clone(), store: self.options.store_dir.clone(), why }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A kill leaves the file of the process behind; its port may have gone to another.
fn forget_ports(ports: &Path) -> io::Result<()> {
    for file in fs::read_dir(ports)? {
        fs::remove_file(file?.path())?;
    }
    Ok(())
}

fn configuration(options: &ServerOptions, port: u16) -> String {
    let path =
        |name: &str| serde_json::Value::from(options.store_dir.join(name).to_string_lossy()).to_string();
    let port = if port == 0 { "-1".to_owned() } else { port.to_string() };
    format!(
        "# Written by Tocsin at each start; changes here are lost.\n\
         server_name: tocsin\n\
         listen: \"127.0.0.1:{port}\"\n\
         ports_file_dir: {ports}\n\
         log_file: {log}\n\
         max_payload: 8MB\n\
         jetstream {{\n  \
           store_dir: {store}\n  \
           # Acknowledge nothing that a power cut could take back.\n  \
           sync_interval: always\n  \
           max_memory_store: 1GB\n  \
           max_file_store: 1TB\n\
         }}\n{more}\n",
        ports = path("ports"),
        log = path("nats-server.log"),
        store = path("store"),
        more = options.config.as_deref().unwrap_or_default(),
    )
}

/// Whether any thread of a process still runs, as Linux tells it; where nothing tells it, none does.
fn runs(process: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return false };
    threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok()).any(|stat| {
        // `12 (a name) S ...`: a name may hold brackets too.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['T', 't', 'Z', 'X']))
    })
}

/// The client port in a ports file: `{"nats": ["nats://127.0.0.1:4222"], ...}`.
fn port_in(ports: &str) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_str(ports).ok()?;
    ports.get("nats")?.get(0)?.as_str()?.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_port_is_read_from_the_ports_file() {
        assert_eq!(port_in(r#"{"nats":["nats://127.0.0.1:34567"],"monitoring":[]}"#), Some(34567));
        assert_eq!(port_in(r#"{"nats":["#), None);
    }

    #[test]
    fn every_write_is_synced_and_nothing_listens_beyond_loopback() {
        let options =
            ServerOptions { binary: "x".into(), store_dir: "/s \"q".into(), config: None, port: None };
        let text = configuration(&options, 0);
        assert!(text.contains("sync_interval: always"));
        assert!(text.contains("listen: \"127.0.0.1:-1\""));
        assert!(text.contains(r#"store_dir: "/s \"q/store""#));
        assert!(!text.contains("http"));
    }
}
