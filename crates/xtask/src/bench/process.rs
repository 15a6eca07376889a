//! A part of the bench in a process of its own, so that its memory and its processor time are its alone.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::error::{Attempt, Error};

/// How a process is told the key of its account on the bus: not on its command line, where others could read it.
pub(super) const SEED: &str = "BENCH_SEED";

/// A child process that is ready. Dropping it kills it.
pub(super) struct Process(Child);

/// This program, to be started again as one of its parts.
pub(super) fn program(part: &str) -> Result<Command, Error> {
    let mut program = Command::new(env::current_exe().attempt("find this program")?);
    program.arg(part);
    Ok(program)
}

impl Process {
    /// Starts a program and waits for its first line, by which it is ready. `what` is what this is, in an error.
    pub(super) fn start(program: &mut Command, what: &str) -> Result<(Self, String), Error> {
        // Its input stays open as long as it is wanted: it ends with this process, however that ends.
        let child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().attempt(what)?;
        let mut process = Self(child);
        let mut line = String::new();
        if let Some(output) = process.0.stdout.take() {
            BufReader::new(output).read_line(&mut line).attempt(what)?;
        }
        Ok((process, line))
    }

    /// Its number with the operating system.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// What it has used so far.
    pub(super) fn used(&self) -> Result<Used, Error> {
        Used::by(self.0.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In the process itself: comes to its end when its input does.
pub(super) fn unwanted() -> impl Future<Output = ()> {
    let (over, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(over);
    });
    async { drop(ended.await) }
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// Its resident set now, in bytes.
    pub(super) bytes: u64,
    /// The most that it ever was.
    pub(super) most: u64,
    /// Seconds of processor time.
    pub(super) processor: f64,
}

impl Used {
    /// What a process has used so far.
    pub(super) fn by(process: u32) -> Result<Self, Error> {
        let of = Path::new("/proc").join(process.to_string());
        let read = |file: &str| {
            fs::read_to_string(of.join(file)).attempt(format!("read {}", of.join(file).display()))
        };
        let unreadable = || Error::told("the system's account of a process cannot be read");
        let status = read("status")?;
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).ok_or_else(unreadable)
        };
        // The name of the program may hold blanks, so it is counted from its closing bracket; clock ticks are hundredths.
        let stat = read("stat")?;
        let (_, fields) = stat.rsplit_once(')').ok_or_else(unreadable)?;
        let ticks: Option<Vec<f64>> =
            fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().ok()).collect();
        let processor = ticks.ok_or_else(unreadable)?.iter().sum::<f64>() / 100.0;
        Ok(Used { bytes: kilobytes("VmRSS:")? * 1024, most: kilobytes("VmHWM:")? * 1024, processor })
    }
}
