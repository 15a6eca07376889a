//! What a service tells systemd, where that started it: that it works, that it still gets on, that it ends.
//!
//! "Ready" is told when the service does what it is there for, and not before; what waits for a bus says so in its status.
//! The watchdog is fed as long as the work gets on (`tocsin_ledger::Watch`): a service whose timers go round while its work
//! stands is not fed, and systemd starts it again. A bus that is away is no fault of a service, so it is fed then.

use std::{net::SocketAddr, time::Duration};

use tocsin_ledger::{Job, Ledger, Progress, Seen, Watch};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    alive::{Alive, LOOK},
    shutdown::Shutdown,
};

/// Looks between two words that the watchdog waits for at most: work must have stood at two of them.
const LOOKS: u32 = 4;
/// How long a page of our own may take.
const PAGE: Duration = Duration::from_secs(5);

/// Tells systemd of this service from here on, in the background. Where it serves pages too, it must answer at `serves`.
pub(crate) fn tell_of(
    ledger: &Ledger,
    progress: &Progress,
    job: Job,
    serves: Option<SocketAddr>,
    shutdown: &Shutdown,
) {
    let (watch, progress) = (Watch::new(ledger.clone(), progress.clone(), job), progress.clone());
    let shutdown = shutdown.wait();
    tokio::spawn(async move {
        say(&[State::Status("reading both streams")]);
        tokio::select! {
            () = feed(watch, progress, serves) => {}
            () = shutdown => {}
        }
    });
}

/// A service that waits for its bus says so.
pub(crate) fn waits_for_the_bus() {
    say(&[State::Status("waiting for the bus")]);
}

/// A service that outlives its bus is at work as soon as it looks for it.
pub(crate) fn at_work() {
    say(&[State::Ready, State::Status("at work")]);
}

/// It gets on: told by its work itself, and not by a timer.
pub(crate) fn still_there() {
    if watchdog().is_some() {
        say(&[State::Watchdog]);
    }
}

async fn feed(mut watch: Watch, progress: Progress, serves: Option<SocketAddr>) {
    let alive = Alive::of_environment();
    tokio::select! {
        () = progress.until_ready() => {}
        () = alive.beats() => {}
    }
    say(&[State::Ready, State::Status("at work")]);
    let looks = [watchdog().map(|within| within / LOOKS), alive.is_wanted().then_some(LOOK)];
    let Some(look) = looks.into_iter().flatten().min() else { return std::future::pending().await };
    let mut stood = false;
    loop {
        tokio::time::sleep(look).await;
        let mut stands = watch.look().await == Seen::Stands;
        if let Some(address) = serves {
            stands |= !answers(address).await;
        }
        if stands != stood {
            stood = stands;
            if stands {
                tracing::error!("work waits and none is done: the watchdog is not fed");
            } else {
                tracing::info!("work is done again");
            }
        }
        if !stands {
            say(&[State::Watchdog]);
            alive.beat();
        }
    }
}

/// Whether pages are served there.
async fn answers(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status == *b"HTTP/1.1 200")
    };
    matches!(tokio::time::timeout(PAGE, ask).await, Ok(Ok(true)))
}

/// The service was told to end.
pub(crate) fn ends() {
    say(&[State::Stopping, State::Status("ending: what is under way is finished first")]);
}

#[cfg(unix)]
use sd_notify::NotifyState as State;

#[cfg(unix)]
fn say(states: &[State]) {
    if let Err(why) = sd_notify::notify(states) {
        tracing::debug!(error = %why, "systemd could not be told");
    }
}

/// Within which time systemd wants a word, if it does.
#[cfg(unix)]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// There is no systemd elsewhere.
#[cfg(not(unix))]
enum State {
    Status(&'static str),
    Ready,
    Watchdog,
    Stopping,
}

#[cfg(not(unix))]
fn say(_: &[State]) {}

#[cfg(not(unix))]
fn watchdog() -> Option<Duration> {
    None
}
