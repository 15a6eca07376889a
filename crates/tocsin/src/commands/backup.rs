//! `tocsin backup`: takes both streams to a directory.

use std::path::PathBuf;

use tocsin_ledger::Backup;
use tocsin_protocol::Stream;

use crate::{bus, failure::Failure, out};

/// Take a back-up of both streams, as the broker keeps them, to a new directory
///
/// The bus goes on meanwhile. What comes back from it is what was: every sequence, time and signature, the windows that
/// are armed, and how far each desk and service had come.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin backup /srv/backup/tocsin-2026-11-26
  tocsin restore --rehearse /srv/backup/tocsin-2026-11-26

It holds what both streams hold: guard it as you guard them, and keep it on another machine. What was said after it was
taken is not in it: three replicas are against the loss of a server, a back-up against the loss of all.")]
pub(crate) struct Args {
    /// The directory to make
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let backup = bus::command("backup").await?.back_up(&args.dir).await?;
    let dir = args.dir.display();
    out::line(&format!(
        "{}, in {} bytes, are in {dir}.\nNext: prove that it can be put back with `tocsin restore --rehearse {dir}`.",
        in_words(&backup),
        backup.bytes()
    ))
}

/// What is in a back-up, and of when.
pub(super) fn in_words(backup: &Backup) -> String {
    format!(
        "{} entries of TOCSIN_SAID and {} of TOCSIN_LOG, as of {}",
        backup.entries(Stream::Said),
        backup.entries(Stream::Log),
        backup.taken_at()
    )
}
