//! `tocsin exercises`: exercises by schedule.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tocsin_duty::Schedule;
use tocsin_ledger::Wait;
use tocsin_protocol::{DirectoryDocument, PublisherId};
use tocsin_publisher::{Came, Exerciser, Happened, newest_directory};

use crate::{
    bus,
    commands::{Manner, publish, spool::SpoolDir},
    directory_file::Files,
    failure::Failure,
    moment, out,
    seed::KeyFile,
    shutdown::Shutdown,
    systemd,
};

/// Exercises by schedule: when each is due, and the service that says it then
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show when each exercise is due next, in the directory's time zone
    #[command(after_help = "Examples:
  tocsin exercises next
  tocsin exercises next --directory deploy/directory/uk.toml --keys keys/public.toml

An exercise is an entry of the directory:
  [[exercises]]
  id = \"tuesday\"
  schedule = \"30 10 * * TUE\"       # minute, hour, day of month, month, day of week
  publisher = \"bt-cha\"
  category = \"outage\"
  services = [\"999-voice\"]
  areas = [\"uk\"]
  headline = \"Exercise: 999 calls are not being connected\"
  # status = \"test\"               # wakes nobody; left out, it is an exercise")]
    Next {
        /// The directory file [default: the directory in force, from the bus]
        #[arg(long, value_name = "FILE")]
        directory: Option<PathBuf>,
        /// Its file of public keys, as `tocsin keys new --directory` writes it
        #[arg(long, value_name = "FILE", requires = "directory")]
        keys: Option<PathBuf>,
    },
    /// Run the service that says a publisher's exercises when they are due
    ///
    /// Any number may run at once: an exercise's name and its moment are its incident, so that it is said once.
    #[command(after_help = "Example:
  NATS_URL=tls://bus-1.example:4222 NATS_NKEY=bt-cha.nk tocsin exercises run --as bt-cha --key bt-cha.nk

None is said while an actual incident of that publisher is open. One whose time has passed by more than --grace is told as
missed, and is not said any more.")]
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// As which publisher of the directory
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: PublisherId,
    #[command(flatten)]
    key: KeyFile,
    #[command(flatten)]
    spool: SpoolDir,
    /// How late an exercise may be said
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = moment::length)]
    grace: Duration,
}

impl Args {
    pub(crate) fn manner(&self) -> Manner {
        if matches!(self.what, What::Run(_)) { Manner::Service } else { Manner::Command }
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Next { directory, keys } => next(directory, keys).await,
        What::Run(args) => serve(args).await,
    }
}

/// How many moments of each are shown.
const SHOWN: usize = 3;

async fn next(file: Option<PathBuf>, keys: Option<PathBuf>) -> Result<(), Failure> {
    let document = if let Some(file) = file {
        let checked = Files::at(file, keys).check()?;
        let Some(document) = checked.document.clone() else {
            out::text(&checked.told())?;
            return Err(Failure::wrong("the directory has faults: mend those above first"));
        };
        document
    } else {
        let ledger = bus::command("exercises").await?;
        let Some(directory) = newest_directory(&ledger).await.map_err(publish::told)? else {
            return Err(Failure::failed("no directory is in force: `tocsin directory apply`"));
        };
        directory.document().clone()
    };
    out::text(&shown(&document, Timestamp::now()))
}

fn shown(document: &DirectoryDocument, now: Timestamp) -> String {
    if document.exercises.is_empty() {
        return "The directory has no exercises: see `tocsin exercises next --help` for how to write one.\n"
            .to_owned();
    }
    let zone = TimeZone::get(&document.time_zone).unwrap_or(TimeZone::UTC);
    let mut text = String::new();
    for exercise in &document.exercises {
        text.extend([
            &format!(
                "{} ({}, by {}, {})\n",
                exercise.id, exercise.status, exercise.publisher, exercise.schedule
            )[..],
            &format!("  {}\n", tocsin_desk::clean::line(&exercise.headline, 200)),
        ]);
        // A directory in force was checked; one that is older than this check may hold anything.
        match Schedule::read(&exercise.schedule, zone.clone()) {
            Ok(schedule) => {
                for at in schedule.after(now).take(SHOWN) {
                    let local = at.to_zoned_datetime(zone.clone());
                    text.extend([&format!(
                        "  {} ({})\n",
                        local.strftime("%a %Y-%m-%d %H:%M %Z"),
                        at.strftime("%H:%MZ")
                    )[..]]);
                }
            }
            Err(why) => text.extend([&format!("  NEVER: {why}\n")[..]]),
        }
    }
    text
}

/// Between two looks at what is due.
const LOOK: Duration = Duration::from_secs(5);
/// How long the bus may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serve(args: Run) -> Result<(), Failure> {
    let key = args.key.read()?;
    let spool = args.spool.open()?;
    let grace = SignedDuration::try_from(args.grace)
        .map_err(|_| Failure::wrong("give a shorter --grace, such as 30m"))?;
    let connection = bus::connection("exercises", Wait::Fail(PATIENCE))?;
    let mut exerciser = Exerciser::new(connection, args.publisher, key, spool, grace);
    let shutdown = Shutdown::listen()?;
    systemd::at_work();
    look_until(shutdown.wait(), async || exerciser.look(Timestamp::now()).await).await?;
    Ok(exerciser.leave()?)
}

/// Looks again and again until `ends` is ready. A look under way is dropped then: with the bus away it takes as long as its
/// patience.
async fn look_until(
    ends: impl Future<Output = ()>,
    mut look: impl AsyncFnMut() -> Result<Vec<Happened>, tocsin_publisher::Error>,
) -> Result<(), Failure> {
    tokio::pin!(ends);
    let mut told = String::new();
    loop {
        let looked = tokio::select! {
            looked = look() => looked,
            () = &mut ends => return Ok(()),
        };
        match looked {
            Ok(happened) => {
                told.clear();
                for one in happened {
                    match one.what {
                        Came::Said { .. } => tracing::info!("{one}"),
                        Came::Postponed | Came::NotSaid(_) => tracing::warn!("{one}"),
                        Came::Missed => tracing::error!("{one}"),
                    }
                    out::line(&one.to_string())?;
                }
            }
            Err(why) => {
                // It is tried again every few seconds, and told once.
                let why = why.to_string();
                if why != told {
                    tracing::warn!("what is due cannot be looked for, which is tried again: {why}");
                    told = why;
                }
            }
        }
        systemd::still_there();
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = &mut ends => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_look_that_does_not_come_back_keeps_nobody_from_ending() {
        let looks = Notify::new();
        let look = async || {
            looks.notify_one();
            std::future::pending().await
        };
        let ended = look_until(looks.notified(), look);
        tokio::time::timeout(Duration::from_mins(1), ended).await.unwrap().unwrap();
    }
}
