//! (d) Bytes of memory per open duty: what the resident set of a process grows by while its fold takes in events,
//! dispatches, notices and `delivered` receipts, none acknowledged.
//!
//! It is measured in a process of its own, where nothing else has grown the heap before, and by what the operating
//! system says: what the allocator wastes is in it.

use std::{fs, process::Command};

use tocsin_duty::{Fold, Trust};
use tocsin_protocol::{EventNumber, Receipt, SignedDuration, Timestamp, to_body};

use super::world::{World, directory_fact, incident, log_entry, said_entry};
use crate::error::{Attempt, Error};

/// As many as the United Kingdom's directory has, in round numbers.
const RECIPIENTS: usize = 110;

/// What was measured.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(super) struct Memory {
    pub(super) duties: usize,
    pub(super) bytes: u64,
}

impl Memory {
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
    pub(super) fn per_duty(self) -> f64 {
        self.bytes as f64 / self.duties as f64
    }
}

/// Measures in a process of its own.
pub(super) fn measure(incidents: usize) -> Result<Memory, Error> {
    let program = std::env::current_exe().attempt("find this program")?;
    let mut alone = Command::new(program);
    alone.args(["bench-memory", &incidents.to_string()]);
    let output = alone.output().attempt("measure memory in a process of its own")?;
    if !output.status.success() {
        return Err(Error::part(
            "measure memory in a process of its own",
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    serde_json::from_slice(&output.stdout).attempt("read what was measured of memory")
}

/// The process of its own: prints a [`Memory`] as JSON.
pub(crate) fn alone(incidents: usize) -> Result<(), Error> {
    let world = World::new(RECIPIENTS)?;
    // Signatures are not what is measured.
    let mut fold = Fold::trusting(Trust { through: u64::MAX, ..Trust::default() });
    let now = Timestamp::now();
    let (mut said, mut logged) = (0, 1);
    let directory = directory_fact(1, &world.directory(RECIPIENTS, SignedDuration::from_hours(1)))?;
    fold.apply(&log_entry(logged, now, &directory));
    let mut before = 0;
    // The first incident makes what is there only once.
    for n in 0..=incidents {
        if n == 1 {
            before = resident()?;
        }
        let incident = incident(&format!("incident-{n}"))?;
        let (subject, body, signed) = world.say(&incident)?;
        said += 1;
        fold.apply(&said_entry(said, now, &subject, body, signed.clone()));
        for fact in fold.follows().iter().flat_map(|batch| &batch.facts) {
            logged += 1;
            fold.apply(&log_entry(logged, now, fact));
        }
        for (recipient, _) in &world.recipients {
            let receipt = Receipt::delivered(recipient.clone(), incident.clone(), EventNumber::FIRST, now);
            let body = to_body("receipt", &receipt).attempt("write a receipt")?;
            said += 1;
            fold.apply(&said_entry(said, now, &receipt.subject(), body, signed.clone()));
        }
    }
    let bytes = resident()?.saturating_sub(before);
    let duties = fold.open_duties() - RECIPIENTS;
    if duties != incidents * RECIPIENTS {
        return Err(Error::told(format!("{duties} duties are open, not {}", incidents * RECIPIENTS)));
    }
    let measured = serde_json::to_string(&Memory { duties, bytes }).attempt("print what was measured")?;
    println!("{measured}");
    Ok(())
}

/// The resident set of this process in bytes.
fn resident() -> Result<u64, Error> {
    told("VmRSS:")
}

/// The most that the resident set of this process ever was, in bytes; where the system does not say, what it is now.
pub(super) fn most_resident() -> Result<u64, Error> {
    told("VmHWM:")
}

fn told(name: &str) -> Result<u64, Error> {
    let wrong = "read how much memory this process has";
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")).map(str::parse::<u64>);
        return kibibytes
            .ok_or_else(|| Error::told(format!("cannot {wrong}: /proc/self/status does not say")))?
            .map(|kibibytes| kibibytes * 1024)
            .attempt(wrong);
    }
    let id = std::process::id().to_string();
    let output = Command::new("ps").args(["-o", "rss=", "-p", &id]).output().attempt(wrong)?;
    let kibibytes: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().attempt(wrong)?;
    Ok(kibibytes * 1024)
}
