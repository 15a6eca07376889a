//! `tocsin router`: one router.

use tocsin_router::Router;

use crate::{bus, failure::Failure, shutdown::Shutdown};

/// Run a router: it dispatches what is said on the bus, and finds who was silent
///
/// Any number may run at once, on any machines; they write one log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  NATS_URL=tls://bus-1.example:4222,tls://bus-2.example:4222 NATS_NKEY=/etc/tocsin/router.nk tocsin router

It waits for a bus that is away. SIGTERM ends it once the append under way is done.")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args) -> Result<(), Failure> {
    let shutdown = Shutdown::listen()?;
    let Some(ledger) = bus::service("router", &shutdown).await? else { return Ok(()) };
    Ok(Router::new(ledger).run(shutdown.wait()).await?)
}
