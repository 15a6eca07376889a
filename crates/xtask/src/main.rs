//! For developers and first-time users: `cargo xtask drill | test | bench | fuzz | chaos | deb`.
//!
//! The drill replays a day such as 25 June 2023 through the real parts; `test` is everything that a change must pass; `bench`
//! measures ours beside the raw limit on the same work; `fuzz` looks for bytes that break a parser; `chaos` for faults
//! that break a promise. It may touch whatever the parts it runs may touch, use NATS and SMTP directly to measure
//! against, and write under `target/` alone. Nothing depends on it.

mod bench;
mod chaos;
mod deb;
mod drill;
mod error;
mod fuzz;
mod interrupted;
mod nats;
mod place;
mod python;
mod readme;
#[cfg(test)]
mod rules;
mod test;
mod wheel;
mod workspace;

use std::{error::Error as _, process::ExitCode};

use clap::{Parser, Subcommand};
use error::Error;

/// Developers' tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Replay a day through the real parts: 25 June 2023, when the UK's 999 failed, or another scenario.
    Drill(drill::Options),
    /// Check everything that a change must pass.
    Test(test::Options),
    /// Measure ours beside the raw limit on the same work.
    Bench(bench::Options),
    /// Let chance and coverage look for bytes that break a parser.
    Fuzz(fuzz::Options),
    /// Kill, pause and cut off every part of a cluster while incidents are published, and look for a broken promise.
    Chaos(chaos::Options),
    /// Make a Debian package of the program, its units and its runbook.
    Deb(deb::Options),
    /// What the bench measures in a process of its own.
    #[command(hide = true)]
    BenchMemory {
        /// How many incidents.
        incidents: usize,
    },
    /// A replay of the bench in a process of its own.
    #[command(hide = true)]
    BenchReplay {
        /// Who reads.
        #[arg(value_enum)]
        reader: bench::Reader,
        /// Where the bus is.
        url: String,
        /// How many entries `TOCSIN_SAID` has.
        said: u64,
        /// How many `TOCSIN_LOG` has.
        log: u64,
    },
    /// What serves the bench's pages in a process of its own: a console, or without arguments the raw limit.
    #[command(hide = true)]
    BenchPages {
        /// Where the bus is.
        #[arg(requires = "accounts")]
        url: Option<String>,
        /// Who may sign in.
        accounts: Option<std::path::PathBuf>,
    },
    /// A router or a notifier of the bench's storm in a process of its own.
    #[command(hide = true)]
    BenchStorm {
        /// Which: `router` or `notifier`.
        part: String,
        /// Where the bus is.
        url: String,
        /// The notifier's configuration.
        config: String,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::io("start", source))
        .and_then(|runtime| runtime.block_on(run(arguments.task)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> Result<(), Error> {
    match task {
        Task::Drill(options) => Box::pin(drill::run(&options)).await,
        Task::Test(options) => test::run(&options),
        Task::Deb(options) => deb::run(&options),
        Task::Bench(options) => bench::run(&options).await,
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Chaos(options) => chaos::run(&options),
        Task::BenchMemory { incidents } => bench::memory_alone(incidents),
        Task::BenchStorm { part, url, config } => bench::work_in_storm(&part, &url, &config).await,
        Task::BenchReplay { reader, url, said, log } => bench::replay_alone(reader, &url, (said, log)).await,
        Task::BenchPages { url, accounts } => bench::serve_pages(url.zip(accounts)).await,
    }
}
