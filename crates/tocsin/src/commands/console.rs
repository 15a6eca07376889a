//! `tocsin console`: the web page.

use std::path::PathBuf;

use tocsin_console::{Console, Error};
use tocsin_ledger::{Connection, Job, Ledger, Progress, Wait};

use crate::{
    bus, config, failure::Failure, hands, out, press::OperatorPress, shutdown::Shutdown, systemd,
    trust::Trust,
};

/// Serve the web console: the board, acknowledgement, publication and audit as pages
///
/// Any number may run at once, on any machines; what a page shows and where it goes on after a break is the same on each.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin account add --help
  NATS_URL=tls://bus-1.example:4222 NATS_NKEY=/etc/tocsin/console.nk tocsin console --config /etc/tocsin/tocsin.toml

It waits for a bus that is away. Once it serves, it serves on without one, and every page says that it is deaf.")]
pub(crate) struct Args {
    /// The configuration: the `[console]` and `[trust]` of the file that `tocsin up` takes
    #[arg(long, value_name = "FILE", env = "TOCSIN_CONFIG", default_value = "tocsin.toml")]
    config: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let (mut config, trust) = config::read_console(&args.config)?;
    config.trusts = args.trust.beside(trust)?;
    let shutdown = Shutdown::listen()?;
    let Some(ledger) = bus::service("console", &shutdown).await? else { return Ok(()) };
    ledger.verify().await?;
    let connection = bus::connection("console", Wait::UntilConnected)?;
    let served = Served::bind(ledger.clone(), &connection, config).await?;
    let progress = Progress::default();
    systemd::tell_of(&ledger, &progress, Job::Reading, Some(served.console.address()), &shutdown);
    Served { console: served.console.telling(progress), ..served }.run(&shutdown).await
}

/// Takes the address, tells it, and serves. `connection` is the way to the bus by which publishers go too.
pub(crate) async fn serve(
    ledger: Ledger,
    connection: &Connection,
    config: tocsin_console::Config,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    Served::bind(ledger, connection, config).await?.run(shutdown).await
}

/// A configuration that cannot be used stays so however often it is tried; an address that is taken, or a disk that is
/// full, does not.
fn unfit(error: Error) -> Failure {
    match error {
        Error::Setting { .. } | Error::File { .. } => Failure::input(&error),
        error => error.into(),
    }
}

/// A console that has its address, and what it publishes with.
struct Served {
    console: Console,
    press: Option<OperatorPress>,
}

impl Served {
    async fn bind(
        ledger: Ledger,
        connection: &Connection,
        config: tocsin_console::Config,
    ) -> Result<Self, Failure> {
        let told = config.public_url.clone();
        let press = OperatorPress::open(&config, connection)?;
        let hands = hands::hands(&ledger, press.clone());
        let console = Console::bind(ledger, config, hands).await.map_err(unfit)?;
        let told = told.unwrap_or_else(|| format!("http://{}", console.address()));
        out::line(&format!("The console is at {told}"))?;
        Ok(Self { console, press })
    }

    async fn run(self, shutdown: &Shutdown) -> Result<(), Failure> {
        let press = self.press;
        let sending = Box::pin(async {
            match press {
                Some(press) => press.keep_sending().await,
                None => std::future::pending().await,
            }
        });
        tokio::select! {
            served = Box::pin(self.console.run(shutdown.wait())) => Ok(served?),
            () = sending => Ok(()),
        }
    }
}
