//! What serves the pages: the console, or the raw limit, each in a process of its own, so that its memory and its
//! processor time are its alone.

use std::{
    convert::Infallible,
    env,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use tocsin_console::{Config, Console, Hands};
use tocsin_ledger::{Connection, Ledger, Wait};
use tokio::{net::TcpListener, sync::broadcast};

use crate::{
    bench::process::{self, Process, SEED, Used},
    error::{Attempt, Error},
};

/// A server in a process of its own. Dropping it kills it.
pub(super) struct Served {
    process: Process,
    pub(super) address: SocketAddr,
}

impl Served {
    /// A console with these accounts on this bus.
    pub(super) fn console(url: &str, seed: &str, accounts: &Path) -> Result<Self, Error> {
        let mut program = process::program("bench-pages")?;
        program.arg(url).arg(accounts).env(SEED, seed);
        Self::start(program)
    }

    /// The raw limit.
    pub(super) fn raw() -> Result<Self, Error> {
        Self::start(process::program("bench-pages")?)
    }

    fn start(mut program: Command) -> Result<Self, Error> {
        const WHAT: &str = "start what serves the bench's pages";
        let (process, line) = Process::start(program.env("RUST_LOG", "warn"), WHAT)?;
        let address = line.trim().parse().attempt(WHAT)?;
        Ok(Self { process, address })
    }

    /// What it has used so far.
    pub(super) fn used(&self) -> Result<Used, Error> {
        self.process.used()
    }
}

/// The process itself: serves until its input ends.
pub(crate) async fn serve(console: Option<(String, std::path::PathBuf)>) -> Result<(), Error> {
    let ended = process::unwanted();
    let Some((url, accounts)) = console else { return raw(ended).await };
    let connection = Connection {
        wait: Wait::UntilConnected,
        nkey_seed: env::var(SEED).ok().map(Into::into),
        ..Connection::to(&url)
    };
    let ledger = Ledger::connect(&connection).await.attempt("connect the bench's console")?;
    let config = Config { listen: (Ipv4Addr::LOCALHOST, 0).into(), ..Config::of(accounts) };
    let console =
        Console::bind(ledger, config, Hands::default()).await.attempt("open the bench's console")?;
    println!("{}", console.address());
    console.run(ended).await.attempt("run the bench's console")
}

/// The raw limit: what is posted goes to everyone who listens, byte by byte.
async fn raw(ended: impl Future<Output = ()>) -> Result<(), Error> {
    const WHAT: &str = "serve the raw limit";
    let (all, _) = broadcast::channel::<Bytes>(64);
    let routes = Router::new()
        .route(
            "/live",
            get(async |State(all): State<broadcast::Sender<Bytes>>| {
                let begun =
                    stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"event: beat\n\n")) });
                let rest = stream::unfold(all.subscribe(), async |mut heard| {
                    Some((Ok(heard.recv().await.ok()?), heard))
                });
                (
                    [(CONTENT_TYPE, "text/event-stream")],
                    Body::from_stream(futures_util::StreamExt::chain(begun, rest)),
                )
            }),
        )
        .route(
            "/say",
            post(async |State(all): State<broadcast::Sender<Bytes>>, said: Bytes| {
                // Nobody listens: nothing is measured either.
                let _ = all.send(said);
            }),
        )
        .with_state(all);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.attempt(WHAT)?;
    println!("{}", listener.local_addr().attempt(WHAT)?);
    tokio::select! {
        served = async { axum::serve(listener, routes).await } => served.attempt(WHAT),
        () = ended => Ok(()),
    }
}
