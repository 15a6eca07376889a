//! `tocsin up`: bus, router, notifier and console in one process, for use on one machine.

use std::{path::PathBuf, time::Duration};

use tocsin_ledger::{Connection, Ledger, Shape, Wait};
use tocsin_notifier::Notifier;
use tocsin_router::Router;

use super::{console, directory};
use crate::{
    bus, config::Config, failure::Failure, keys, out, own_server::OwnServer, shutdown::Shutdown, trust::Trust,
};

/// Run bus, router, notifier and web console on this machine, from one configuration file
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin up --config deploy/tocsin.toml
  NATS_URL=tls://bus-1.example:4222 NATS_NKEY=/etc/tocsin/up.nk tocsin up --config /etc/tocsin/tocsin.toml

Without NATS_URL it starts a nats-server of its own (NATS_SERVER, else the one on the PATH), which listens on 127.0.0.1
alone. The console runs where the configuration has a [console]. For more than one machine run the bus by itself (see
deploy/nats), with `tocsin router`, `tocsin notifier` and `tocsin console` on each.")]
pub(crate) struct Args {
    /// The configuration file; deploy/tocsin.toml is an example
    #[arg(long, value_name = "FILE", env = "TOCSIN_CONFIG", default_value = "tocsin.toml")]
    config: PathBuf,
    /// On how many servers each stream is kept, where the bus is not our own: 1, 3 or 5
    #[arg(long, value_name = "N", default_value_t = Shape::default().replicas, value_parser = super::setup::replicas)]
    replicas: usize,
    #[command(flatten)]
    trust: Trust,
}

/// Between two looks whether our own nats-server still runs.
const LOOK: Duration = Duration::from_millis(500);
/// How long a console that failed is left before it is tried again.
const AGAIN: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut config = Config::read(&args.config)?;
    let pin = args.trust.beside(config.trust)?;
    if let Some(console) = &mut config.console {
        console.trusts.clone_from(&pin);
    }
    let key = config.router.key.as_deref().map(keys::own).transpose()?;
    let link = config.notifier.link.as_ref().map(|link| &link.key);
    for file in link.into_iter().chain(config.console.as_ref().and_then(|console| console.key.as_ref())) {
        keys::own(file)?;
    }
    let shutdown = Shutdown::listen()?;
    let (connection, own) = if bus::is_named() {
        (bus::connection("up", Wait::UntilConnected)?, None)
    } else {
        let own = OwnServer::start(&config.bus).await?;
        let connection = Connection { wait: Wait::UntilConnected, ..Connection::to(&own.url()) };
        (connection, Some(own))
    };
    let shape = Shape { replicas: if own.is_some() { 1 } else { args.replicas }, ..Shape::default() };
    let connect = async {
        // Each on a connection of its own, so that a fan-out holds up no mail.
        let router =
            Ledger::connect(&Connection { name: "tocsin-router".to_owned(), ..connection.clone() }).await?;
        router.set_up(&shape).await?;
        let notifier = Connection { name: "tocsin-notifier".to_owned(), ..connection.clone() };
        let console = Connection { name: "tocsin-console".to_owned(), ..connection.clone() };
        let console = match &config.console {
            Some(_) => Some(Ledger::connect(&console).await?),
            None => None,
        };
        Ok::<_, Failure>((router, Ledger::connect(&notifier).await?, console))
    };
    let (router, notifier, console) = tokio::select! {
        connected = connect => connected?,
        () = shutdown.wait() => return stop(own).await,
    };
    let notifier = Notifier::new(notifier, &config.notifier).map_err(|error| Failure::input(&error))?;
    let notifier = notifier.trusting(pin.clone());
    tell(&router, own.as_ref()).await?;

    let mut router = tokio::spawn(Router::new(router).signing(key)?.trusting(pin).run(shutdown.wait()));
    let mut notifier = tokio::spawn(notifier.run(shutdown.wait()));
    let pages = console.zip(config.console);
    let pages = pages.map(|(ledger, config)| {
        tokio::spawn(serve_pages(ledger, connection.clone(), config, shutdown.clone()))
    });
    let mut own = own;
    let (mut router_ended, mut notifier_ended) = (None, None);
    while router_ended.is_none() || notifier_ended.is_none() {
        tokio::select! {
            ended = &mut router, if router_ended.is_none() => {
                router_ended = Some(ended?);
                shutdown.begin();
            }
            ended = &mut notifier, if notifier_ended.is_none() => {
                notifier_ended = Some(ended?);
                shutdown.begin();
            }
            // Both wait for the bus, so it must be there until they have ended.
            () = tokio::time::sleep(LOOK), if own.is_some() => if let Some(own) = &mut own {
                own.see_that_it_runs().await;
            },
        }
    }
    if let Some(pages) = pages {
        pages.await?;
    }
    let stopped = stop(own).await;
    router_ended.transpose()?;
    notifier_ended.transpose()?;
    stopped
}

/// The console beside router and notifier. Nobody is told by it, so that its failing ends neither: it is told, and tried
/// again, as when nobody may sign in yet.
async fn serve_pages(
    ledger: Ledger,
    connection: Connection,
    config: tocsin_console::Config,
    shutdown: Shutdown,
) {
    let mut told = String::new();
    while !shutdown.is_told() {
        let served = async { console::serve(ledger.clone(), &connection, config.clone(), &shutdown).await };
        if let Err(failure) = served.await {
            if failure.words() != told {
                tracing::error!("no console, which is tried again: {}", failure.words());
                failure.words().clone_into(&mut told);
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = shutdown.wait() => {}
            }
        }
    }
}

async fn stop(own: Option<OwnServer>) -> Result<(), Failure> {
    match own {
        Some(own) => own.stop().await,
        None => Ok(()),
    }
}

async fn tell(ledger: &Ledger, own: Option<&OwnServer>) -> Result<(), Failure> {
    if let Some(own) = own {
        out::line(&format!(
            "Tocsin is up. Its bus listens on {} and keeps what is said in {}.",
            own.url(),
            own.store()
        ))?;
    } else {
        out::line("Tocsin is up, on the bus that NATS_URL names.")?;
    }
    let directory = directory::if_in_force(ledger).await?;
    out::line(if directory.is_some() {
        "Next: `tocsin publish` tells of an incident, `tocsin desk --as ID` takes notices in."
    } else {
        "Next: no directory is in force yet, so nobody can be told. Put one in force:
  tocsin keys new --directory deploy/directory/example.toml --out keys
  tocsin directory apply deploy/directory/example.toml --keys keys/public.toml"
    })
}
