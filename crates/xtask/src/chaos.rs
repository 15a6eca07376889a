//! Faults by command: the suite in `tests/src/chaos/`, which is a program of its own so that the drill need not wait for
//! it to be built.

use std::{
    process::{Command, ExitStatus, Stdio},
    thread,
};

use crate::{
    error::{Attempt, Error},
    nats, place,
    workspace::{cargo, tocsin},
};

/// For how long, and from which seed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Minutes of faults, in runs of two; each is a world of its own.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// The seed of the first run; each run prints its own. By chance if none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Do nothing to anybody: to see that all is well without.
    #[arg(long)]
    quiet: bool,
    /// Run every seed that was kept because it found something.
    #[arg(long, conflicts_with_all = ["seed", "minutes", "quiet"])]
    kept: bool,
}

/// The seeds that are kept, each with its minutes and what it found.
const KEPT: &str = include_str!("../../../tests/chaos/seeds.txt");

/// Minutes of each of the two runs among the tests: one is of the first seed that is kept, one of any.
const SHORT: f64 = 0.3;

/// Does faults.
///
/// # Errors
/// When a promise was broken.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    if options.kept {
        return kept().try_for_each(|(seed, minutes)| chaos(seed, minutes, &[]));
    }
    let seed = options.seed.unwrap_or_else(any);
    chaos(seed, options.minutes, if options.quiet { &["quiet"] } else { &[] })
}

/// A short run of a seed that is kept, and one of any seed, side by side: each is a world of its own, and mostly waits.
///
/// # Errors
/// When a promise was broken.
pub(crate) fn short() -> Result<(), Error> {
    let first = kept().next().map_or(1, |(seed, _)| seed);
    let runs = [first, any()].map(|seed| -> Result<_, Error> {
        let mut command = command(seed, SHORT, &["short"])?;
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let run = command.spawn().attempt("run the fault suite")?;
        Ok(thread::spawn(move || run.wait_with_output()))
    });
    let mut outcome = Ok(());
    for run in runs {
        let output = run?.join().map_err(|_| Error::told("the fault suite could not be waited for"))?;
        let output = output.attempt("run the fault suite")?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        outcome = outcome.and(passed(output.status));
    }
    outcome
}

/// A seed that can be typed.
fn any() -> u64 {
    u64::from(rand::random::<u32>())
}

fn kept() -> impl Iterator<Item = (u64, f64)> {
    KEPT.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    })
}

fn chaos(seed: u64, minutes: f64, more: &[&str]) -> Result<(), Error> {
    passed(command(seed, minutes, more)?.status().attempt("run the fault suite")?)
}

fn passed(status: ExitStatus) -> Result<(), Error> {
    if status.success() { Ok(()) } else { Err(Error::told(format!("the fault suite failed ({status})"))) }
}

fn command(seed: u64, minutes: f64, more: &[&str]) -> Result<Command, Error> {
    if !(minutes > 0.0 && minutes < 100_000.0) {
        return Err(Error::told("--minutes should be a number of minutes, such as 60 or 0.5"));
    }
    // Of the workspace, as the other tests are built: of one package, much would be built anew with other features.
    let mut command = cargo(&["test", "--locked", "--quiet", "--workspace", "--test", "chaos", "--", "run"]);
    command
        .args([seed.to_string(), (minutes * 60.0).to_string()])
        .arg(place::target().join("chaos"))
        .args(more)
        .env("NATS_SERVER", nats::server()?)
        .env("TOCSIN", tocsin()?);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_that_is_kept_can_be_read() {
        let lines = KEPT.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        assert_eq!(kept().count(), lines);
        assert!(kept().all(|(_, minutes)| minutes > 0.0));
        assert!(lines > 0);
    }
}
