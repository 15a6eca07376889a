//! Faults, for as long as is wanted: `cargo xtask chaos`.
//!
//! A run is a world of its own: three nats-servers with their own stores, which sync every write and keep each stream on
//! all three; two routers, two notifiers, two relays, and over a hundred desks: the real program, or many in one process
//! by the desk's own library. Every connection between them goes over a [`link`] that can be cut, stalled, slowed and
//! half-closed. From a seed, incidents are published by the real program while faults are done: what publishers promise
//! and owe is in time or is not, they telephone or do not, they correct and withdraw. Then everything is mended, and when
//! all duties have come to their end the checker holds both streams and the mails against the promises.
//!
//! Clocks are stepped where a process of ours reads one: every eighth desk goes by a clock that jumps by days
//! (`tocsin_desk::Clock`), and the moments that publishers claim are any. Routers read no clock. The clock of the system
//! cannot be stepped for one process alone: Linux has time namespaces for the monotonic and the boot clock, and none for
//! that of the day. So the servers' own, which is the one that decides, is not stepped; the runbook wants chrony for it.
//!
//! A seed fixes what is said, what is done to whom and when; not how the machine and the network run. So a seed that
//! found something is likely, not certain, to find it again.

mod author;
mod chance;
mod checker;
mod cluster;
mod desks;
mod evidence;
mod faults;
mod keep;
pub mod link;
mod people;
mod process;
mod run;
mod strike;
mod world;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

pub use run::Options;

use self::chance::Chance;

/// How long one run does faults. A longer time is many runs, each with a world of its own: so no run takes more memory
/// than another, and what one finds, it finds again alone.
const RUN: Duration = Duration::from_mins(2);

/// Runs as long as is asked, and prints what was done and what was found.
///
/// # Errors
/// When a promise was broken, or it was interrupted; in words.
pub async fn chaos(options: &Options) -> Result<(), String> {
    let began = Instant::now();
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    let mut failed = Vec::new();
    let mut seeds = Chance::new(options.seed);
    let mut seed = options.seed;
    let mut runs = 0;
    loop {
        let left = options.time.saturating_sub(began.elapsed());
        if runs > 0 && left < RUN / 4 {
            break;
        }
        runs += 1;
        println!(
            "run {runs}: cargo xtask chaos --seed {seed} --minutes {:.2}",
            left.min(RUN).as_secs_f64() / 60.0
        );
        let run = run::one(seed, left.min(RUN), options);
        let outcome = tokio::select! {
            outcome = run => outcome,
            _ = tokio::signal::ctrl_c() => return Err("interrupted".to_owned()),
        };
        for (what, many) in &outcome.counts {
            *totals.entry(what.clone()).or_default() += many;
        }
        if !outcome.findings.is_empty() {
            failed.push(seed);
        }
        let so_far = |what: &str| totals.get(what).copied().unwrap_or_default();
        println!(
            "  so far, after {:.0} s: runs {runs}, incidents {}, faults {}, kills {}, runs that broke a promise {}",
            began.elapsed().as_secs_f64(),
            so_far("incidents"),
            so_far("faults"),
            so_far("kills"),
            failed.len()
        );
        seed = seeds.next();
    }
    if runs > 1 {
        println!("\n{runs} runs in {:.0} s:", began.elapsed().as_secs_f64());
        run::print(&totals);
    }
    if failed.is_empty() {
        println!("  every promise was kept");
        return Ok(());
    }
    Err(format!("promises were broken by the seeds {failed:?}"))
}

/// Works at the desks that a file names, until it is killed.
pub async fn desks(file: &Path) {
    desks::run(file).await;
}
