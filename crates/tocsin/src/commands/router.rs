//! `tocsin router`: one router.

use std::path::PathBuf;

use tocsin_ledger::{Job, Progress};
use tocsin_router::Router;

use crate::{bus, failure::Failure, seed, shutdown::Shutdown, systemd, trust::Trust};

/// Run a router: it dispatches what is said on the bus, and finds who was silent
///
/// Any number may run at once, on any machines; they write one log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  NATS_URL=tls://bus-1.example:4222,tls://bus-2.example:4222 NATS_NKEY=/etc/tocsin/router.nk \
    tocsin router --key /etc/tocsin/checkpoint_key.nk

It waits for a bus that is away. SIGTERM ends it once the append under way is done.")]
pub(crate) struct Args {
    /// The seed file of the key with which it signs checkpoints: the directory's `checkpoint_key`, the same for every
    /// router. Without one it signs none
    #[arg(long, value_name = "FILE", env = "TOCSIN_KEY", hide_env_values = true)]
    key: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.as_deref().map(seed::read).transpose()?;
    let pin = args.trust.pin()?;
    let shutdown = Shutdown::listen()?;
    let Some(ledger) = bus::service("router", &shutdown).await? else { return Ok(()) };
    let progress = Progress::default();
    systemd::tell_of(&ledger, &progress, Job::Reading, None, &shutdown);
    let router = Router::new(ledger).signing(key)?.trusting(pin).telling(progress);
    Ok(router.run(shutdown.wait()).await?)
}
