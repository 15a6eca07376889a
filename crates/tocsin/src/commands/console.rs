//! `tocsin console`: the web page.

use std::path::PathBuf;

use tocsin_console::Console;

use crate::{bus, config, failure::Failure, hands, out, shutdown::Shutdown};

/// Serve the web console: the board, acknowledgement, publication and audit as pages
///
/// Any number may run at once, on any machines; what a page shows and where it goes on after a break is the same on each.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin account add --help
  NATS_URL=tls://bus-1.example:4222 NATS_NKEY=/etc/tocsin/console.nk tocsin console --config /etc/tocsin/tocsin.toml

It waits for a bus that is away. Once it serves, it serves on without one, and every page says that it is deaf.")]
pub(crate) struct Args {
    /// The configuration: the `[console]` of the file that `tocsin up` takes
    #[arg(long, value_name = "FILE", env = "TOCSIN_CONFIG", default_value = "tocsin.toml")]
    config: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let config = config::read_console(&args.config)?;
    let shutdown = Shutdown::listen()?;
    let Some(ledger) = bus::service("console", &shutdown).await? else { return Ok(()) };
    ledger.verify().await?;
    let console = bind(ledger, config).await?;
    Ok(console.run(shutdown.wait()).await?)
}

/// Takes the address, and tells it.
pub(crate) async fn bind(
    ledger: tocsin_ledger::Ledger,
    config: tocsin_console::Config,
) -> Result<Console, Failure> {
    let told = config.public_url.clone();
    let hands = hands::hands(&ledger);
    let console = Console::bind(ledger, config, hands).await?;
    let told = told.unwrap_or_else(|| format!("http://{}", console.address()));
    out::line(&format!("The console is at {told}"))?;
    Ok(console)
}
