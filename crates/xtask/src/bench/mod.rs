//! Ours beside the raw limit on the same work, in one run on one nats-server that syncs every write to disk.
//!
//! Timings are told and never fail a run; work that does not come out right does.

mod bus;
mod chart;
mod curves;
mod fanout;
mod lateness;
mod mail;
mod memory;
mod pages;
mod process;
mod raw;
mod replay;
mod report;
mod spread;
mod storm;
mod world;

use std::{fs, time::Duration};

use jiff::SignedDuration;

use bus::Bus;
pub(crate) use memory::alone as memory_alone;
pub(crate) use pages::serve as serve_pages;
pub(crate) use replay::{Reader, alone as replay_alone};
use report::Report;
pub(crate) use storm::work as work_in_storm;

use crate::{
    error::{Attempt, Error},
    interrupted::interrupted,
    place,
    workspace::cargo,
};

/// How to run it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A small run that shows that every part works; its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Replay a log of ten million entries too: some minutes more, and ten gigabytes of disk under `target/bench`.
    #[arg(long, conflicts_with = "quick")]
    deep: bool,
    /// Of the fan-outs only that to so many recipients.
    #[arg(long, conflicts_with = "quick", value_parser = clap::value_parser!(u32).range(1..=15_000))]
    recipients: Option<u32>,
    /// Only these parts; all of them if none is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

/// One of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// From publication to the last recipient's durable delivery.
    Fanout,
    /// Mails a second for overdue recipients.
    Mail,
    /// Replay of both streams into the fold.
    Replay,
    /// Memory per open duty.
    Memory,
    /// How late a finding stands behind its window.
    Lateness,
    /// From a fact to everyone who has its page open in a browser.
    Pages,
    /// A thousand incidents in a minute that nobody answers, and a relay that takes seconds over each mail.
    Storm,
}

impl Part {
    fn name(self) -> String {
        use clap::ValueEnum;
        // No variant is skipped, so each has its value.
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How much of each thing is measured.
struct Sizes {
    /// Recipients, and rounds.
    fanouts: &'static [(usize, usize)],
    /// Mails, and rounds, over as many connections as a relay commonly allows.
    mails: (usize, usize),
    /// Other numbers of connections, with the rounds of each.
    connections: (&'static [usize], usize),
    /// Entries, and rounds.
    replay: &'static [(u64, usize)],
    /// The replay whose signatures are checked besides, and whose figures are told.
    replay_told: u64,
    memory: usize,
    windows: usize,
    pages: pages::Size,
    storm: storm::Size,
}

const FULL: Sizes = Sizes {
    fanouts: &[(10, 9), (30, 9), (100, 9), (250, 9), (1000, 7), (3000, 5), (10_000, 3)],
    mails: (1000, 5),
    connections: (&[1, 2, 8, 16, 32, 64], 3),
    replay: &[(10_000, 5), (100_000, 3), (1_000_000, 3)],
    replay_told: 1_000_000,
    memory: 3000,
    windows: 200,
    pages: pages::Size { pages: 2000, recipients: 250, rounds: 20 },
    storm: storm::Size {
        incidents: 1000,
        recipients: 250,
        within: Duration::from_mins(1),
        window: SignedDuration::from_secs(90),
        flood: 20_000,
        digest: Duration::from_mins(1),
        mails: 10_000,
        relay_takes: Duration::from_secs(5),
        slow_for: Duration::from_secs(20),
    },
};

/// What is replayed besides when it is asked for.
const DEEP: (u64, usize) = (10_000_000, 1);

const QUICK: Sizes = Sizes {
    fanouts: &[(10, 1), (20, 1)],
    mails: (20, 1),
    connections: (&[2], 1),
    replay: &[(2000, 1), (4000, 1)],
    replay_told: 2000,
    memory: 20,
    windows: 10,
    pages: pages::Size { pages: 20, recipients: 5, rounds: 2 },
    storm: storm::Size {
        incidents: 10,
        recipients: 10,
        within: Duration::from_secs(1),
        window: SignedDuration::from_secs(1),
        flood: 100,
        digest: Duration::from_secs(1),
        mails: 100,
        relay_takes: Duration::from_millis(100),
        slow_for: Duration::ZERO,
    },
};

/// Runs it: a full one in a release build, which is made first when this is not one.
///
/// # Errors
/// When something did not come out right.
pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    if cfg!(debug_assertions) && !options.quick {
        return in_release(options);
    }
    tokio::select! {
        measured = Box::pin(measure(options)) => measured,
        () = interrupted()? => {
            Err(Error::told("stopped: the bench was interrupted, and nothing of it is running any more"))
        }
    }
}

async fn measure(options: &Options) -> Result<(), Error> {
    let sizes = if options.quick { QUICK } else { FULL };
    let home = place::target().join("bench");
    fs::create_dir_all(&home).attempt(format!("make {}", home.display()))?;
    let wanted = |part: Part| options.parts.is_empty() || options.parts.contains(&part);
    let mut report = Report::new(options.quick);
    if wanted(Part::Memory) {
        tell("memory per open duty");
        report.memory(memory::measure(sizes.memory)?);
    }
    // Of this run alone: two at once would otherwise take the ground from under each other.
    let ground = tempfile::tempdir_in(&home).attempt(format!("make a directory in {}", home.display()))?;
    let spool = ground.path().join("spool");
    let bus = Bus::start(&ground.path().join("nats")).await?;
    if wanted(Part::Lateness) {
        tell("lateness of findings");
        report.lateness(&lateness::measure(&bus, sizes.windows).await?);
    }
    if wanted(Part::Pages) {
        tell(&format!("{} open pages", sizes.pages.pages));
        report.pages(&pages::measure(&bus, ground.path(), sizes.pages).await?);
    }
    if wanted(Part::Mail) {
        tell("mails a second");
        for relay in [mail::Relay::Networked, mail::Relay::Instant] {
            report.mail(&mail::measure(&bus, relay, mail::CONNECTIONS, sizes.mails).await?);
        }
        let (others, rounds) = sizes.connections;
        for connections in others {
            tell(&format!("mails a second over {connections} connections"));
            let size = (sizes.mails.0, rounds);
            report.mail(&mail::measure(&bus, mail::Relay::Networked, *connections, size).await?);
        }
    }
    if wanted(Part::Storm) {
        tell(&format!("a storm of {} incidents", sizes.storm.incidents));
        report.storm(&storm::measure(&bus, sizes.storm).await?);
    }
    if wanted(Part::Fanout) {
        for (recipients, rounds) in fanouts(&sizes, options) {
            tell(&format!("fan-out to {recipients}"));
            report.fanout(&fanout::measure(&bus, &spool, recipients, rounds).await?);
        }
    }
    if wanted(Part::Replay) {
        let deep = options.deep.then_some(DEEP);
        let all: Vec<_> = sizes.replay.iter().copied().chain(deep).collect();
        for replay in replay::measure(&bus, &all, sizes.replay_told).await? {
            report.replay(&replay);
        }
    }
    println!("{report}");
    // Scripts rely on the one of a whole run.
    let name = match (options.quick, options.parts.is_empty()) {
        (true, _) => "quick.json",
        (false, true) => "report.json",
        (false, false) => "part.json",
    };
    let path = home.join(name);
    let json = serde_json::to_string_pretty(&report.figures).attempt("write the bench's report")?;
    fs::write(&path, json + "\n").attempt(format!("write {}", path.display()))?;
    println!("{}", path.display());
    for chart in report.charts() {
        let Some(svg) = chart.svg() else { continue };
        let name =
            if options.quick { format!("quick-{}.svg", chart.name) } else { format!("{}.svg", chart.name) };
        let path = home.join(name);
        fs::write(&path, svg).attempt(format!("write {}", path.display()))?;
        println!("{}", path.display());
    }
    bus.end().await
}

/// Recipients, and rounds.
fn fanouts(sizes: &Sizes, options: &Options) -> Vec<(usize, usize)> {
    let Some(only) = options.recipients else { return sizes.fanouts.to_vec() };
    let only = usize::try_from(only).unwrap_or(usize::MAX);
    let rounds = sizes.fanouts.iter().find(|(most, _)| only <= *most).or(sizes.fanouts.last());
    vec![(only, rounds.map_or(1, |(_, rounds)| *rounds))]
}

fn tell(what: &str) {
    eprintln!("measuring: {what} ...");
}

/// The same again, by cargo, in a release build.
fn in_release(options: &Options) -> Result<(), Error> {
    let mut again = cargo(&["run", "--release", "--package", "xtask", "--", "bench"]);
    again.args(options.deep.then_some("--deep"));
    again.args(options.recipients.map(|recipients| format!("--recipients={recipients}")));
    again.args(options.parts.iter().map(|part| part.name()));
    let status = again.status().attempt("run cargo")?;
    if status.success() { Ok(()) } else { Err(Error::told("the bench in its release build failed")) }
}
