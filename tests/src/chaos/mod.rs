//! Faults, for as long as is wanted: `cargo xtask chaos`.
//!
//! A run is a world of its own: three nats-servers with their own stores, which sync every write and keep each stream on
//! all three; two routers, two notifiers, two relays, and over a hundred desks: the real program, or many in one process
//! by the desk's own library. Every connection between them goes over a [`link`] that can be cut, stalled, slowed and
//! half-closed. Every other world is guarded: its bus is as `tocsin provision` writes it for three servers. From a seed, incidents are published by the real program while faults are done: what publishers promise
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
mod gate;
mod keep;
pub mod link;
mod people;
mod process;
mod run;
mod strike;
mod totals;
mod world;

use std::{any::Any, panic::AssertUnwindSafe, path::Path, time::Duration};

use futures_util::FutureExt;
pub use run::Options;
use tokio::signal::unix::{SignalKind, signal};

use self::{chance::Chance, totals::Totals};

/// How long one run does faults. A longer time is many runs, each with a world of its own: so no run takes more memory
/// than another, and what one finds, it finds again alone.
const RUN: Duration = Duration::from_mins(2);

/// Runs as long as is asked, and prints what was done and what was found: of each run as it ends, and of all at the end,
/// or when it is interrupted. A world that does not start, and a run that fails, is told, and the next seed goes on.
///
/// # Errors
/// When a promise was broken, a run failed, no world started or more than one did not, or it was interrupted; in words.
pub async fn chaos(options: &Options) -> Result<(), String> {
    let mut totals = Totals::new();
    let mut seeds = Chance::new(options.seed);
    let mut seed = options.seed;
    let mut asked_to_end = std::pin::pin!(asked_to_end());
    let interrupted = loop {
        let left = options.time.saturating_sub(totals.elapsed());
        if (totals.runs() > 0 && left < RUN / 4) || totals.is_hopeless() {
            break false;
        }
        println!(
            "run {}: cargo xtask chaos --seed {seed} --minutes {:.2}",
            totals.runs() + 1,
            left.min(RUN).as_secs_f64() / 60.0
        );
        let run = AssertUnwindSafe(run::one(seed, left.min(RUN), options)).catch_unwind();
        let ended = tokio::select! {
            ended = run => ended,
            () = &mut asked_to_end => break true,
        };
        match ended {
            Ok(Ok(outcome)) => totals.ran(seed, &outcome),
            Ok(Err(why)) => {
                println!("  its world did not start: {why}");
                totals.unstarted(seed, why);
            }
            Err(panic) => totals.failed(seed, words(&*panic)),
        }
        println!("  so far, {}", totals.line());
        seed = seeds.next();
    };
    if totals.runs() > 1 || (interrupted && totals.runs() > 0) {
        totals.print();
    }
    if interrupted {
        let why = totals.verdict().err().filter(|_| totals.runs() > 0);
        return Err(why.map_or_else(|| "interrupted".to_owned(), |why| format!("interrupted; {why}")));
    }
    totals.verdict()?;
    println!("  every promise was kept");
    Ok(())
}

/// Waits until somebody asks this process to end.
async fn asked_to_end() {
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// Works at the desks that a file names, until it is killed.
pub async fn desks(file: &Path) {
    desks::run(file).await;
}
