//! `tocsin notifier`: one notifier.

use std::path::PathBuf;

use tocsin_ledger::{Job, Progress};
use tocsin_notifier::Notifier;

use crate::{bus, config::Config, failure::Failure, shutdown::Shutdown, systemd, trust::Trust};

/// Run a notifier: it writes to silent recipients by e-mail
///
/// Any number may run at once, on any machines; they share the work.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  NATS_URL=tls://bus-1.example:4222 NATS_NKEY=/etc/tocsin/notifier.nk tocsin notifier --config /etc/tocsin/tocsin.toml

It waits for a bus that is away. SIGTERM ends it once the mails under way are sent and written down.")]
pub(crate) struct Args {
    /// The configuration: the `[notifier]` and `[trust]` of the file that `tocsin up` takes
    #[arg(long, value_name = "FILE", env = "TOCSIN_CONFIG")]
    config: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    let pin = args.trust.beside(config.trust)?;
    let shutdown = Shutdown::listen()?;
    let Some(ledger) = bus::service("notifier", &shutdown).await? else { return Ok(()) };
    ledger.verify().await?;
    let progress = Progress::default();
    systemd::tell_of(&ledger, &progress, Job::Working, None, &shutdown);
    let notifier = Notifier::new(ledger, &config.notifier).map_err(|error| Failure::input(&error))?;
    Ok(notifier.trusting(pin).telling(progress).run(shutdown.wait()).await?)
}
