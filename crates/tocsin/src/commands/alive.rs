//! `tocsin alive`: whether a service gets on, for whoever starts it again when not.

use std::{path::PathBuf, time::Duration};

use crate::{alive, failure::Failure, moment};

/// Tell whether the router, notifier or console that runs here gets on: the health check of a container
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  TOCSIN_ALIVE=/run/tocsin/alive tocsin router &
  TOCSIN_ALIVE=/run/tocsin/alive tocsin alive

A service that has TOCSIN_ALIVE set writes that file anew every few seconds, as long as its work gets on or it waits for a bus
that is away, which is no fault of its own. Exit code 0 when it does, 1 when not. Under systemd the watchdog does the same.")]
pub(crate) struct Args {
    /// The file that the service writes
    #[arg(long, value_name = "FILE", env = "TOCSIN_ALIVE")]
    file: PathBuf,
    /// How long ago it may have got on last; 10m for a notifier, whose mail may take so long
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = moment::length)]
    within: Duration,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    alive::look(&args.file, args.within).map_err(Failure::failed)
}
