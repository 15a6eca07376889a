//! Everything that a change must pass, step by step, with the time each takes.

mod alerts;
mod browser;
mod counts;
mod deny;
mod manifests;
mod programs;
mod units;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clap::ValueEnum;
use counts::Counts;

use crate::{
    chaos,
    error::Error,
    fuzz, nats, place, python, readme,
    workspace::{cargo, tocsin},
};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these steps; all of them if none is named.
    #[arg(value_enum)]
    steps: Vec<Step>,
}

/// One step. Their order is the order they run in: what fails soonest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Step {
    /// The layout of the code.
    Fmt,
    /// Licences, banned and doubled dependencies, and where they come from.
    Deny,
    /// The alerts that we ship, by Prometheus' own tool where it is installed.
    Alerts,
    /// The systemd units that we ship, by systemd's own tool where it is installed.
    Units,
    /// The Kubernetes manifests that we ship, by Kubernetes' own schemas.
    Manifests,
    /// Lints, none of them a warning only.
    Clippy,
    /// Unit, integration, documentation and end-to-end tests, and the rules of the architecture.
    Tests,
    /// The console in a real Chromium, which is installed where it is missing and this is root on Debian.
    Browser,
    /// Every fuzz target for a moment, by chance.
    Fuzz,
    /// Faults for a moment: from a seed that is kept, and from any.
    Chaos,
    /// The documentation of every crate, without a broken link.
    Doc,
    /// The commands of README.md, as a reader would paste them.
    Readme,
    /// The drill, once; the other scenarios at once, as fast as they can be played.
    Drill,
    /// Every part of the bench, small: that they work, not how fast.
    Bench,
}

/// Runs the steps, all of them even when one fails.
///
/// # Errors
/// When one failed.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let steps: BTreeSet<Step> = if options.steps.is_empty() {
        Step::value_variants().iter().copied().collect()
    } else {
        options.steps.iter().copied().collect()
    };
    let (mut done, mut failed, mut counts) = (Vec::new(), Vec::new(), Counts::default());
    for step in steps {
        println!("\n== {} ==", step.name());
        let start = Instant::now();
        let outcome = step.run(&mut counts);
        let taken = start.elapsed();
        if let Err(error) = &outcome {
            eprintln!("{}: {error}", step.name());
            failed.push(step);
        }
        done.push((step, outcome.is_ok(), taken));
    }
    println!();
    for (step, ok, taken) in &done {
        println!(
            "{:<8} {:<6} {:>6.1} s",
            step.name(),
            if *ok { "ok" } else { "FAILED" },
            taken.as_secs_f64()
        );
    }
    println!(
        "{:<15} {:>6.1} s",
        "all",
        done.iter().map(|(_, _, taken)| *taken).sum::<Duration>().as_secs_f64()
    );
    for step in &failed {
        println!("see {} alone: cargo xtask test {}", step.name(), step.name());
    }
    if counts.ran() {
        println!("{counts}");
    }
    if failed.is_empty() { Ok(()) } else { Err(Error::told("not everything passed")) }
}

impl Step {
    /// Its name on the command line.
    fn name(self) -> String {
        // No variant is skipped, so each has its value.
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, counts: &mut Counts) -> Result<(), Error> {
        match self {
            Self::Fmt => pass(cargo(&["fmt", "--all", "--check"])),
            Self::Deny => {
                let mut deny = Command::new(deny::program()?);
                deny.args([
                    "--all-features",
                    "check",
                    "--hide-inclusion-graph",
                    "bans",
                    "licenses",
                    "sources",
                ]);
                pass(deny)
            }
            Self::Alerts => alerts::run(),
            Self::Units => units::run(),
            Self::Manifests => manifests::run(),
            Self::Clippy => {
                let clippy = |what: &[&str]| {
                    pass(cargo(&[&["clippy", "--locked"], what, &["--", "--deny", "warnings"]].concat()))
                };
                clippy(&["--workspace", "--all-targets"])?;
                // "All" leaves out what `cargo test` does not run.
                clippy(&["--workspace", "--test", "browser", "--test", "chaos"])
            }
            Self::Tests => {
                let told = [
                    ("NATS_SERVER", nats::server()?),
                    ("TOCSIN", tocsin()?),
                    ("TOCSIN_DESK_PYTHONPATH", python::desk_libraries()?),
                    ("TOCSIN_FORMS_PYTHONPATH", python::form_libraries()?),
                ];
                programs::run(&told, counts)
            }
            Self::Browser => {
                // A target that `cargo test` leaves alone: it needs more than Rust.
                let mut tests = cargo(&["test", "--locked", "--workspace", "--test", "browser"]);
                tests.env("NATS_SERVER", nats::server()?).env("TOCSIN", tocsin()?);
                browser::prepare(&mut tests)?;
                counted(tests, counts)
            }
            Self::Fuzz => fuzz::short(),
            Self::Chaos => chaos::short(),
            Self::Doc => {
                let mut doc = cargo(&["doc", "--locked", "--workspace", "--no-deps"]);
                doc.env("RUSTDOCFLAGS", "--deny warnings");
                pass(doc)
            }
            Self::Readme => {
                // With xtask, whose build this one then shares but for the program itself.
                pass(cargo(&["build", "--locked", "--package", "xtask", "--package", "tocsin"]))?;
                readme::run(&place::target().join("debug"))
            }
            Self::Drill => {
                pass(cargo(&["xtask", "drill"]))?;
                // The others as fast as their windows allow.
                pass(cargo(&["xtask", "drill", "--scenario", "west-mercia", "--speed", "900"]))?;
                pass(cargo(&["xtask", "drill", "--scenario", "optus-2025", "--speed", "900"]))
            }
            Self::Bench => pass(cargo(&["xtask", "bench", "--quick"])),
        }
    }
}

fn pass(mut command: Command) -> Result<(), Error> {
    command.current_dir(place::root()).stdin(Stdio::null());
    let status = command.status().map_err(|source| Error::io(format!("run {}", shown(&command)), source))?;
    if status.success() { Ok(()) } else { Err(Error::told(format!("{} failed ({status})", shown(&command)))) }
}

/// As [`pass`], and adds up the tests told on its output, which is shown as it comes.
fn counted(mut command: Command, counts: &mut Counts) -> Result<(), Error> {
    let attempted = format!("run {}", shown(&command));
    let io = |source| Error::io(attempted.clone(), source);
    command.current_dir(place::root()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(io)?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(io)?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts.take(&line);
        }
    }
    let status = child.wait().map_err(io)?;
    if !status.success() {
        return Err(Error::told(format!("{} failed ({status})", shown(&command))));
    }
    if counts.ran() { Ok(()) } else { Err(Error::told("no test ran")) }
}

/// A command as it would be typed.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_says_which_command_did() {
        let error = pass(cargo(&["no-such-command-of-cargo"])).unwrap_err();
        assert!(error.to_string().contains("no-such-command-of-cargo failed"), "{error}");
    }

    #[test]
    fn a_test_run_without_a_test_does_not_pass() {
        let mut quiet = Command::new("true");
        quiet.env_clear();
        assert!(counted(quiet, &mut Counts::default()).is_err());
    }
}
