//! `tocsin setup`: makes both streams.

use tocsin_ledger::Shape;

use super::directory;
use crate::{bus, failure::Failure, out};

/// Make both streams on the bus and the places of all desks, or verify those that are there
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin setup
  NATS_URL=nats://bus-1.example:4222 NATS_NKEY=admin.nk tocsin setup --replicas 3

Of streams that are there it changes one thing: to those that an older Tocsin made it adds the subjects that this one needs,
and says so. Where one differs in anything else, it names the difference.
The number of replicas is that of streams it makes; to change it later: nats stream edit TOCSIN_SAID --replicas 3.")]
pub(crate) struct Args {
    /// On how many servers each stream is kept: 1, 3 or 5
    #[arg(long, value_name = "N", default_value_t = Shape::default().replicas, value_parser = replicas)]
    replicas: usize,
    /// The most recipients and services that may read at once
    #[arg(long, value_name = "N", default_value_t = Shape::default().max_consumers, value_parser = clap::value_parser!(i64).range(1..))]
    max_consumers: i64,
}

pub(super) fn replicas(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => {
            Err("use 1, 3 or 5: an even number survives no more failures than the odd one below it"
                .to_owned())
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("setup").await?;
    let shape = Shape { replicas: args.replicas, max_consumers: args.max_consumers };
    for widened in ledger.set_up(&shape).await? {
        out::line(&format!(
            "{} was made by an older Tocsin. It takes these subjects now too, and is unchanged otherwise: {}",
            widened.stream,
            widened.subjects.join(", ")
        ))?;
    }
    out::line("Both streams, TOCSIN_SAID and TOCSIN_LOG, are there as Tocsin needs them.")?;
    match directory::if_in_force(&ledger).await? {
        Some(document) => {
            let desks = directory::desks(&ledger, &document).await?;
            out::line(&format!("So are the places of {desks} desks."))
        }
        None => out::line("Next: put a directory in force with `tocsin directory apply FILE`."),
    }
}
