//! `tocsin spool`: the events that are kept on this machine's disk.

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant},
};

use tocsin_desk::clean;
use tocsin_ledger::{Ledger, Wait};
use tocsin_protocol::{Event, Subject, from_body};
use tocsin_publisher::{Answer, Spool, Spooled, await_answer, send};

use crate::{
    bus,
    commands::publish::{failed_already, told},
    failure::Failure,
    moment, out, terminal,
    trust::Trust,
};

/// Where events are kept on disk before they are sent.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SpoolDir {
    /// The directory in which events are kept before they are sent [default: tocsin/spool in $XDG_STATE_HOME or
    /// ~/.local/state]
    #[arg(long, value_name = "DIR", env = "TOCSIN_SPOOL")]
    spool: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

impl SpoolDir {
    /// Opens the spool, and makes it where it is not there yet. Nothing is sent from it under a directory that is not to be
    /// trusted.
    pub(crate) fn open(&self) -> Result<Spool, Failure> {
        let pin = self.trust.pin()?;
        Ok(Spool::open(&self.dir()?)?.trusting(pin))
    }

    fn dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.spool {
            return Ok(dir.clone());
        }
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state =
            absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        state.map(|state| state.join("tocsin/spool")).ok_or_else(|| {
            Failure::wrong(
                "there is no home directory to keep events in: give --spool DIR or set TOCSIN_SPOOL",
            )
        })
    }
}

/// See, send or take out the events that are kept on this machine's disk
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(ListArgs),
    Send(SendArgs),
    Show(ShowArgs),
    Withdraw(ShowArgs),
}

/// List the events that wait to be sent, in the order of sending
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin spool list")]
struct ListArgs {
    #[command(flatten)]
    spool: SpoolDir,
}

/// Send every event that waits, in order
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin spool send --wait 2m

An event that the bus refuses holds back the rest of its own incident alone. Exit code 1 when anything is left, or not
everyone who is owed an event is being told.")]
struct SendArgs {
    #[command(flatten)]
    spool: SpoolDir,
    /// How long to try
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = moment::length)]
    wait: Duration,
}

/// Show one event as it will be, or was, sent: its exact JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin spool show tocsin.incident.bt-cha.bt-cha-2023-06-25-0624.1
  tocsin spool withdraw tocsin.incident.bt-cha.bt-cha-2023-06-25-0624.1
      takes an event out before it is sent; it is kept in the spool's withdrawn/")]
struct ShowArgs {
    /// The event's subject, as `tocsin spool list` prints it
    subject: Subject,
    #[command(flatten)]
    spool: SpoolDir,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::List(args) => list(&args.spool.open()?),
        Command::Send(args) => send_all(&args.spool.open()?, args.wait).await,
        Command::Show(args) => show(&args.spool.open()?, &args.subject),
        Command::Withdraw(args) => {
            let path = args.spool.open()?.withdraw(&args.subject).map_err(told)?;
            out::line(&format!("Withdrawn: it will not be sent. It is kept as {}", path.display()))
        }
    }
}

fn list(spool: &Spool) -> Result<(), Failure> {
    let pending = spool.pending()?;
    for spooled in &pending.events {
        out::line(&line(spooled))?;
    }
    for set_aside in &pending.set_aside {
        terminal::tell(&format!("set aside just now: {set_aside}\n"));
    }
    for path in &pending.set_aside_before {
        terminal::tell(&format!("set aside before: {}\n", path.display()));
    }
    let dir = spool.dir().display();
    match pending.events.len() {
        0 => out::line(&format!("Nothing waits to be sent in {dir}.")),
        1 => out::line(&format!("1 event waits in {dir}. Send it: tocsin spool send --spool {dir}")),
        n => out::line(&format!("{n} events wait in {dir}. Send them: tocsin spool send --spool {dir}")),
    }
}

fn line(spooled: &Spooled) -> String {
    let at = spooled.spooled_at();
    match from_body::<Event>("event", spooled.body()) {
        Ok(event) => format!(
            "{}  {at:.0}  {} {}  {}",
            spooled.subject(),
            event.status,
            event.kind,
            clean::line(&event.headline, 80)
        ),
        Err(_) => format!("{}  {at:.0}", spooled.subject()),
    }
}

async fn send_all(spool: &Spool, wait: Duration) -> Result<(), Failure> {
    if spool.pending()?.events.is_empty() {
        return list(spool);
    }
    let connection = bus::connection("spool", Wait::Fail(wait))?;
    let until = Instant::now() + wait;
    let ledger = Ledger::connect(&connection).await.map_err(|why| {
        Failure::failed(format!(
            "nothing was sent, and everything is kept in {}: {why}",
            spool.dir().display()
        ))
    })?;
    let left = until.saturating_duration_since(Instant::now());
    let sending = send(&ledger, spool, left).await.map_err(told)?;
    out::line(&sending.to_string())?;
    let mut whole = sending.stopped.is_none() && sending.refused.is_empty() && sending.held_back.is_empty();
    // On the bus is not yet told: the router has the last word.
    for sent in &sending.sent {
        let answer = await_answer(&ledger, sent, until.saturating_duration_since(Instant::now())).await;
        let answer = answer.map_err(told)?;
        whole &= matches!(answer, Answer::Dispatched(_));
        out::line(&match answer {
            Answer::Dispatched(dispatched) => format!("\nPUBLISHED: {dispatched}"),
            Answer::Refused(_) => format!("\nNOBODY WAS TOLD of {}: {answer}", sent.spooled.subject()),
            Answer::NotYet => format!("\nNOBODY HAS BEEN TOLD YET of {}: {answer}", sent.spooled.subject()),
        })?;
    }
    if whole { Ok(()) } else { Err(failed_already()) }
}

fn show(spool: &Spool, subject: &Subject) -> Result<(), Failure> {
    let waiting = spool.pending()?.events.into_iter().find(|spooled| spooled.subject() == subject);
    let (spooled, state) = match waiting {
        Some(spooled) => (spooled, "it waits to be sent".to_owned()),
        None => match spool.sent(subject)? {
            Some(sent) => (sent.spooled.clone(), sent.to_string()),
            None => {
                return Err(Failure::wrong(format!(
                    "{subject} is not in the spool {}: see `tocsin spool list`",
                    spool.dir().display()
                )));
            }
        },
    };
    terminal::tell(&format!("{spooled}; {state}\n"));
    out::bytes(spooled.body())?;
    out::line("")
}
