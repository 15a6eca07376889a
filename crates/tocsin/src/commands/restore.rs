//! `tocsin restore`: puts a back-up back, and verifies what stands then.

use std::path::PathBuf;

use tocsin_audit::{Bundle, FaultCode, read_entries, verify};
use tocsin_ledger::{
    Backup, Connection, Ledger, Shape,
    server::{self, Server, ServerOptions},
};
use tocsin_protocol::AuthorKey;

use super::{backup::in_words, setup::replicas};
use crate::{bus, failure::Failure, keys, out};

/// The most faults that are told.
const TOLD: usize = 10;

/// Put a back-up back on a bus without streams, and verify the record that stands then
///
/// Every part of the back-up is held against what it was when it was written before anything is done. Afterwards the
/// whole record is read and held against its checkpoints, as `tocsin audit verify` does it. Windows that were due
/// meanwhile close at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin restore --rehearse /srv/backup/tocsin-2026-11-26
  tocsin restore /srv/backup/tocsin-2026-11-26 --replicas 3 --key UDEXAMPLE...

A restore never writes over a record: the bus must have neither stream. Put it back before any router, notifier or desk
is started, and start the notifiers last: what they had sent after the back-up was taken, they send again.

Exit codes: 0 it is back and nothing contradicts it; 1 it is not, or the record that is back was altered; 2 the directory
is no back-up.")]
pub(crate) struct Args {
    /// The directory that `tocsin backup` made
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Try it on a nats-server of its own, in a directory that is removed afterwards; no bus is touched
    #[arg(long)]
    rehearse: bool,
    /// The public key of the checkpoints, as you know it from elsewhere; more than one where it was changed. Without it
    /// the back-up's own directories are believed
    #[arg(long, value_name = "PUBLIC")]
    key: Vec<String>,
    /// On how many servers each stream is kept from now on: 1, 3 or 5
    #[arg(long, value_name = "N", default_value_t = Shape::default().replicas, value_parser = replicas)]
    replicas: usize,
    /// The most recipients and services that may read at once
    #[arg(long, value_name = "N", default_value_t = Shape::default().max_consumers, value_parser = clap::value_parser!(i64).range(1..))]
    max_consumers: i64,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let keys = keys::public(&args.key)?;
    let backup = Backup::open(&args.dir).map_err(|why| Failure::input(&why))?;
    if args.rehearse {
        let store = tempfile::tempdir()
            .map_err(|why| Failure::failed(format!("cannot make a directory for a nats-server: {why}")))?;
        let server = Server::start(&ServerOptions {
            binary: server::find()?,
            store_dir: store.path().to_owned(),
            config: None,
            port: None,
        })
        .await?;
        let ledger = Ledger::connect(&Connection::to(&server.url())).await?;
        let told = put_back(&ledger, &backup, Shape::default(), &keys).await;
        drop(ledger);
        server.stop().await?;
        out::line(&told?)?;
        return out::line("That was a rehearsal: no bus was touched.");
    }
    let ledger = bus::command("restore").await?;
    let shape = Shape { replicas: args.replicas, max_consumers: args.max_consumers };
    out::line(&put_back(&ledger, &backup, shape, &keys).await?)?;
    out::line(
        "Next: start a router; when `tocsin audit verify` agrees with what the recipients know, the notifiers.",
    )
}

/// Puts it back, and tells what is proven of what stands then.
async fn put_back(
    ledger: &Ledger,
    backup: &Backup,
    shape: Shape,
    keys: &[AuthorKey],
) -> Result<String, Failure> {
    ledger.restore(backup, &shape).await?;
    let mut told = format!("{} are back.\n", in_words(backup));
    let entries = read_entries(ledger).await?;
    let verdict = verify(&Bundle::of(&entries, None)?, keys);
    let (unsigned, wrong): (Vec<_>, Vec<_>) = verdict
        .faults
        .iter()
        .partition(|fault| matches!(fault.code, FaultCode::Uncovered | FaultCode::NoCheckpoint));
    if !wrong.is_empty() {
        told.push_str("But the record that is back is not as its checkpoints state it:");
        told.extend(wrong.iter().take(TOLD).flat_map(|fault| ["\n  ", &fault.text]));
        told.push_str(
            "\nIt was altered before the back-up was taken, or the back-up was: hold it against an older back-up and the auditor's mirror before anybody relies on it.",
        );
        return Err(Failure::failed(told));
    }
    told.push_str("Nothing contradicts the record that is back:");
    told.extend(verdict.proven.iter().flat_map(|proven| ["\n  ", proven]));
    if let Some(none) = unsigned.iter().find(|fault| fault.code == FaultCode::NoCheckpoint) {
        told.extend(["\nNobody vouches for it: ", &none.text]);
    } else if !unsigned.is_empty() {
        told.push_str(
            "\nNobody vouches yet for what is newer than the newest checkpoint: the next router does.",
        );
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    #[test]
    fn a_restore_is_of_one_backup_to_so_many_servers() {
        for (line, taken) in [
            (&["tocsin", "restore", "x"][..], true),
            (&["tocsin", "restore", "--rehearse", "x", "--key", "U"], true),
            (&["tocsin", "restore", "x", "--replicas", "2"], false),
            (&["tocsin", "restore"], false),
        ] {
            assert_eq!(Cli::try_parse_from(line).is_ok(), taken, "{line:?}");
        }
    }
}
