//! Making a running nats-server read its configuration anew.
//!
//! By a signal: `nats-server --signal reload=PID`, with the process id that the server wrote to its pid file. What
//! became of it is read from the server's own log.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use tocsin_ledger::server;
use tocsin_provision::Bus;

use crate::failure::Failure;

/// How long a server may take to read its configuration.
const READING: Duration = Duration::from_secs(30);
/// Between two looks at its log.
const LOOK: Duration = Duration::from_millis(20);

/// What became of it.
pub(crate) enum Reloaded {
    /// The servers with these process ids go by the new configuration.
    Done(Vec<u32>),
    /// No server of this bus runs on this machine.
    NotHere,
}

/// Makes each server of this bus that runs on this machine read its configuration, one after the other.
pub(crate) async fn reload(bus: &Bus) -> Result<Reloaded, Failure> {
    let mut done = Vec::new();
    for home in bus.homes() {
        let Some(id) = running(&home) else { continue };
        let program = server::find()?;
        let config = home.join("nats-server.conf");
        let told = Command::new(&program).arg("-t").arg("--config").arg(&config).output()?;
        if !told.status.success() {
            return Err(Failure::failed(format!(
                "nats-server does not take {}, so the running one was left as it is: {}",
                config.display(),
                String::from_utf8_lossy(&told.stderr).trim()
            )));
        }
        // Twice: what an account that is new to the server imports is there only after the second (seen on 2.15.1).
        for _ in 0..2 {
            once(&home, &program, id).await?;
        }
        done.push(id);
    }
    Ok(if done.is_empty() { Reloaded::NotHere } else { Reloaded::Done(done) })
}

async fn once(home: &Path, program: &Path, id: u32) -> Result<(), Failure> {
    let (_, log_file) = Bus::kept(home);
    let before = fs::metadata(&log_file).map_or(0, |known| known.len());
    let told = Command::new(program).arg("--signal").arg(format!("reload={id}")).output()?;
    if !told.status.success() {
        return Err(Failure::failed(format!(
            "nats-server {id} could not be told to reload: {}; run as its user: {} --signal reload={id}",
            String::from_utf8_lossy(&told.stderr).trim(),
            program.display()
        )));
    }
    let until = Instant::now() + READING;
    loop {
        let log = fs::read(&log_file).unwrap_or_default();
        let since = usize::try_from(before).ok().and_then(|before| log.get(before..)).unwrap_or(&log);
        let since = String::from_utf8_lossy(since);
        if since.contains("Reloaded server configuration") {
            return Ok(());
        }
        if let Some(failed) = since.lines().find(|line| line.contains("Failed to reload")) {
            return Err(Failure::failed(format!("the running nats-server {id} goes on as before: {failed}")));
        }
        if Instant::now() > until {
            return Err(Failure::failed(format!(
                "nats-server {id} was told to reload and its log {} does not say that it has: look there, and restart it if need be",
                log_file.display()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What to run where the server is.
pub(crate) fn elsewhere(bus: &Bus) -> String {
    let homes = bus.homes();
    let (pid_file, _) = Bus::kept(homes.first().map_or(Path::new(""), PathBuf::as_path));
    format!(
        "No nats-server of this bus runs here. Where it runs, bring {} there and run, twice:\n  nats-server --signal reload=PID   (PID stands in its pid file, here {})",
        bus.accounts().display(),
        pid_file.display()
    )
}

/// The process id of the server whose files are here, if it runs. The file may be left of one that was killed, and its number may
/// have gone to another program, which a signal would end.
fn running(home: &Path) -> Option<u32> {
    let (pid_file, _) = Bus::kept(home);
    let id: u32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    is_nats_server(id).then_some(id)
}

fn is_nats_server(id: u32) -> bool {
    let arguments = if Path::new("/proc/self/cmdline").exists() {
        fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default()
    } else {
        let told = Command::new("ps").args(["-o", "args=", "-p", &id.to_string()]).output();
        told.map(|told| told.stdout).unwrap_or_default()
    };
    let arguments = String::from_utf8_lossy(&arguments);
    let program = arguments.split(['\0', ' ', '\n']).next().unwrap_or_default();
    Path::new(program).file_name().is_some_and(|name| name.to_string_lossy().contains("nats-server"))
}
