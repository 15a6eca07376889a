//! What serves the pages: the console, or the raw limit, each in a process of its own, so that its memory and its
//! processor time are its alone.

use std::{
    convert::Infallible,
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
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

use crate::error::{Attempt, Error};

/// How the process is told the key of its account on the bus: not on its command line, where others could read it.
const SEED: &str = "BENCH_SEED";

/// A server as a child process. Dropping it kills it.
pub(super) struct Served {
    child: Child,
    pub(super) address: SocketAddr,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) struct Used {
    /// Its resident set now, in bytes.
    pub(in crate::bench) bytes: u64,
    /// The most that it ever was.
    pub(in crate::bench) most: u64,
    /// Seconds of processor time.
    pub(in crate::bench) processor: f64,
}

impl Served {
    /// A console with these accounts on this bus.
    pub(super) fn console(url: &str, seed: &str, accounts: &Path) -> Result<Self, Error> {
        let mut program = Self::program()?;
        program.arg(url).arg(accounts).env(SEED, seed);
        Self::start(program)
    }

    /// The raw limit.
    pub(super) fn raw() -> Result<Self, Error> {
        Self::start(Self::program()?)
    }

    fn program() -> Result<Command, Error> {
        let mut program = Command::new(env::current_exe().attempt("find this program")?);
        program.arg("bench-pages").env("RUST_LOG", "warn");
        Ok(program)
    }

    fn start(mut program: Command) -> Result<Self, Error> {
        const WHAT: &str = "start what serves the bench's pages";
        // Its input stays open as long as it is wanted: it ends with this process, however that ends.
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().attempt(WHAT)?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).attempt(WHAT)?;
        }
        let mut served = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        served.address = line.trim().parse().attempt(WHAT)?;
        Ok(served)
    }

    /// What it has used so far.
    pub(super) fn used(&self) -> Result<Used, Error> {
        Used::by(self.child.id())
    }
}

impl Used {
    /// What a process has used so far.
    pub(in crate::bench) fn by(process: u32) -> Result<Self, Error> {
        let of = Path::new("/proc").join(process.to_string());
        let read = |file: &str| {
            fs::read_to_string(of.join(file)).attempt(format!("read {}", of.join(file).display()))
        };
        let unreadable = || Error::told("the system's account of a process cannot be read");
        let status = read("status")?;
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).ok_or_else(unreadable)
        };
        // The name of the program may hold blanks, so it is counted from its closing bracket; clock ticks are hundredths.
        let stat = read("stat")?;
        let (_, fields) = stat.rsplit_once(')').ok_or_else(unreadable)?;
        let ticks: Option<Vec<f64>> =
            fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().ok()).collect();
        let processor = ticks.ok_or_else(unreadable)?.iter().sum::<f64>() / 100.0;
        Ok(Used { bytes: kilobytes("VmRSS:")? * 1024, most: kilobytes("VmHWM:")? * 1024, processor })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself: serves until its input ends.
pub(crate) async fn serve(console: Option<(String, std::path::PathBuf)>) -> Result<(), Error> {
    let (over, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = over.send(());
    });
    let ended = async { drop(ended.await) };
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
