//! (f) From a fact on the bus to everyone who has its page open: many pages on one console, half of them of operators and
//! regulators who see everybody, half of agencies who see themselves, while the recipients acknowledge. The raw limit is a
//! server of the same library that passes the same bytes to the same number of connections.

mod served;
mod visitor;

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
pub(crate) use served::serve;
use tocsin_console::{Accounts, Sees, generated_password};
use tocsin_ledger::Ledger;
use tocsin_protocol::{EventKind, IncidentId, to_body};
use tocsin_router::Router;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use self::{
    served::Served,
    visitor::{Shown, Way},
};
use super::{
    bus::{Account, Bus},
    spread::Spread,
    world::{SignedReceipt, World, incident},
};
use crate::error::{Attempt, Error};

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) pages: usize,
    pub(super) recipients: usize,
    /// How many events are published, one after another.
    pub(super) rounds: usize,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) size: Size,
    /// From the broker's time of an event to each page that shows it, in milliseconds.
    pub(super) event: Spread,
    /// From the broker's time of an acknowledgement to pages that see everybody.
    pub(super) acknowledged: Spread,
    /// From the word given to each connection that has it.
    pub(super) raw: Spread,
    /// What a page was sent from one event to the next, in bytes; the raw side sends as much.
    pub(super) bytes_each: usize,
    /// The console's memory with no page open, with all of them, and at most.
    pub(super) bytes: [u64; 3],
    /// The raw server's memory with all connections open.
    pub(super) raw_bytes: u64,
    /// The share of one processor that the console took while events and acknowledgements came.
    pub(super) processor: f64,
}

/// Between two events, in which a part of the recipients acknowledges.
const PACE: Duration = Duration::from_secs(2);
/// The longest wait for the last page.
const MOST: Duration = Duration::from_mins(1);
/// How many connections are opened at once.
const AT_A_TIME: usize = 32;
/// Of so many pages it is told when they show an acknowledgement: to look for it on all would measure the looking.
const WATCHED: usize = 20;
/// What stands before the number of a round in its event's headline.
const ROUND: &str = "ROUND ";
/// What stands before a recipient that has acknowledged, on pages that see everybody.
const TILE: &str = "class=\"tile acknowledged\" id=\"r-";

pub(super) async fn measure(bus: &Bus, ground: &Path, size: Size) -> Result<Pages, Error> {
    room(size.pages)?;
    let world = World::new(size.recipients)?;
    let ledger = bus.set_up(Account::Pages).await?;
    world.apply(&ledger, 1, size.recipients, SignedDuration::from_hours(2)).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Router::new(bus.ledger(Account::Pages).await?);
    let router = tokio::spawn(router.run(async { drop(stopped.await) }));
    let incident = incident("pages")?;
    publish(&ledger, &world, &incident, 0).await?;

    let accounts = ground.join("accounts.toml");
    let passwords = accounts_of(&accounts, &world)?;
    let served = Served::console(&bus.url(), &bus.seed(Account::Pages)?, &accounts)?;
    let ways = ways(&served, &passwords).await?;
    let before = served.used()?;
    let (tell, mut heard) = mpsc::unbounded_channel();
    let (tell_tiles, tiles) = mpsc::unbounded_channel();
    let (mut pages, counted) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    let path = format!("/live/incidents/{incident}");
    // Half of them see everybody; the other half is shared out among the agencies.
    let agencies = ways.iter().skip(1).cycle().take(size.pages / 2);
    let opened = std::iter::repeat_n(&ways[0], size.pages - size.pages / 2).chain(agencies);
    open(opened, &path, (ROUND, &tell), &counted, &mut pages).await?;
    open(std::iter::repeat_n(&ways[0], WATCHED), &path, (TILE, &tell_tiles), &counted, &mut pages).await?;
    let open_now = served.used()?;
    counted.store(0, Ordering::Relaxed);

    let said = tokio::spawn(acknowledge(
        bus.ledger(Account::Pages).await?,
        world.receipts(&incident)?,
        PACE * u32::try_from(size.rounds).unwrap_or(u32::MAX),
    ));
    let began = Instant::now();
    let mut event = Vec::new();
    for round in 1..=size.rounds {
        let at = publish(&ledger, &world, &incident, round).await?;
        event.extend(all(&mut heard, size.pages, &round.to_string(), at).await?);
        tokio::time::sleep(
            (began + PACE * u32::try_from(round).unwrap_or(u32::MAX))
                .saturating_duration_since(Instant::now()),
        )
        .await;
    }
    let processor = (served.used()?.processor - open_now.processor) / began.elapsed().as_secs_f64();
    let said = said.await.attempt("acknowledge")??;
    let acknowledged = shown(tiles, &said).await?;
    let most = served.used()?.most;
    let bytes_each = usize::try_from(counted.load(Ordering::Relaxed)).unwrap_or_default()
        / ((size.pages + WATCHED) * size.rounds);
    pages.shutdown().await;
    drop((served, stop));
    router.await.attempt("stop the bench's router")?.attempt("run the bench's router")?;

    let (raw, raw_bytes) = raw(size, bytes_each).await?;
    Ok(Pages {
        size,
        event: Spread::of(event),
        acknowledged: Spread::of(acknowledged),
        raw: Spread::of(raw),
        bytes_each,
        bytes: [before.bytes, open_now.bytes, most],
        raw_bytes,
        processor,
    })
}

/// Two ends of each connection are files, one here and one in the server.
fn room(pages: usize) -> Result<(), Error> {
    let limits = std::fs::read_to_string("/proc/self/limits").attempt("read /proc/self/limits")?;
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    let needed = pages + 500;
    match files {
        Some(files) if files < needed => Err(Error::told(format!(
            "{pages} pages need {needed} open files and this shell allows {files}: run `ulimit -n {needed}` first"
        ))),
        _ => Ok(()),
    }
}

/// An account that sees everything, and one of each recipient, each with its password.
fn accounts_of(file: &Path, world: &World) -> Result<Vec<(String, String)>, Error> {
    Accounts::change(file, |accounts| {
        let agencies = world.recipients.iter().map(|(id, _)| (id.to_string(), Sees::Recipient(id.clone())));
        std::iter::once(("everything".to_owned(), Sees::Everything))
            .chain(agencies)
            .map(|(name, sees)| {
                let password = generated_password();
                accounts.add(&name.parse()?, sees, None, &password)?;
                Ok((name, password))
            })
            .collect()
    })
    .attempt("make the bench's accounts")
}

/// Everybody signs in.
async fn ways(served: &Served, passwords: &[(String, String)]) -> Result<Vec<Way>, Error> {
    let signing_in = passwords
        .iter()
        .enumerate()
        .map(|(number, (account, password))| Way::signed_in(served.address, number, account, password));
    stream::iter(signing_in).buffered(2).try_collect().await
}

async fn open(
    ways: impl Iterator<Item = &Way>,
    path: &str,
    (mark, tell): (&'static str, &visitor::Heard),
    counted: &Arc<AtomicU64>,
    pages: &mut JoinSet<()>,
) -> Result<(), Error> {
    let opening = ways.map(|way| way.open(path, mark, tell.clone(), Arc::clone(counted)));
    let mut opened = stream::iter(opening).buffer_unordered(AT_A_TIME);
    while let Some(page) = opened.next().await {
        pages.spawn(page?.read());
    }
    Ok(())
}

/// Says the event of a round, and gives the broker's time of it.
async fn publish(
    ledger: &Ledger,
    world: &World,
    incident: &IncidentId,
    round: usize,
) -> Result<Timestamp, Error> {
    const WHAT: &str = "say the bench's event";
    let mut event = world.event(incident);
    event.sequence = (round + 1).to_string().parse().attempt(WHAT)?;
    event.kind = if round == 0 { EventKind::Initial } else { EventKind::Update };
    event.headline = format!("{ROUND}{round} of 999 and 112 calls not reaching control rooms");
    let body = to_body("event", &event).attempt(WHAT)?;
    let signed = world.key.sign(&event.subject().to_string(), &body).attempt(WHAT)?;
    Ok(ledger.say(&event.subject(), &signed, body).await.attempt(WHAT)?.position().time)
}

/// Waits until every page has shown a round, and gives how long each took.
async fn all(
    heard: &mut mpsc::UnboundedReceiver<Result<Shown, Error>>,
    pages: usize,
    round: &str,
    from: Timestamp,
) -> Result<Vec<f64>, Error> {
    let mut taken = Vec::with_capacity(pages);
    let listening = async {
        while taken.len() < pages {
            let shown = heard.recv().await.ok_or_else(|| Error::told("no page is open any more"))??;
            if shown.what == round {
                taken.push(milliseconds(from, shown.at));
            }
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(MOST, listening).await.attempt("see the event on every page")??;
    Ok(taken)
}

/// Every recipient acknowledges, spread over this time. Gives the broker's time of each.
async fn acknowledge(
    ledger: Ledger,
    receipts: Vec<SignedReceipt>,
    over: Duration,
) -> Result<HashMap<String, Timestamp>, Error> {
    let mut pace = tokio::time::interval(over / u32::try_from(receipts.len().max(1)).unwrap_or(u32::MAX));
    let mut said = HashMap::new();
    for SignedReceipt { recipient, subject, body, signed } in receipts {
        pace.tick().await;
        let position = ledger.say(&subject, &signed, body).await.attempt("acknowledge")?.position();
        said.insert(recipient.to_string(), position.time);
    }
    Ok(said)
}

/// How long each acknowledgement took to each page that is watched.
async fn shown(
    mut tiles: mpsc::UnboundedReceiver<Result<Shown, Error>>,
    said: &HashMap<String, Timestamp>,
) -> Result<Vec<f64>, Error> {
    let mut taken = Vec::new();
    let listening = async {
        while taken.len() < said.len() * WATCHED {
            let shown = tiles.recv().await.ok_or_else(|| Error::told("no page is open any more"))??;
            taken.extend(said.get(&shown.what).map(|at| milliseconds(*at, shown.at)));
        }
        Ok::<_, Error>(())
    };
    tokio::time::timeout(MOST, listening).await.attempt("see every acknowledgement on the pages")??;
    Ok(taken)
}

/// The same number of connections to a server that does nothing but pass on what it is given.
async fn raw(size: Size, bytes_each: usize) -> Result<(Vec<f64>, u64), Error> {
    let served = Served::raw()?;
    let way = Way { address: served.address, headers: String::new() };
    let (tell, mut heard) = mpsc::unbounded_channel();
    let (mut pages, counted) = (JoinSet::new(), Arc::default());
    open(std::iter::repeat_n(&way, size.pages), "/live", (ROUND, &tell), &counted, &mut pages).await?;
    let bytes = served.used()?.bytes;
    let mut taken = Vec::new();
    for round in 1..=size.rounds {
        let said = format!("data: {ROUND}{round} {}\n\n", "x".repeat(bytes_each)).into_bytes();
        let from = Timestamp::now();
        way.ask("POST /say", "", &said).await?;
        taken.extend(all(&mut heard, size.pages, &round.to_string(), from).await?);
    }
    pages.shutdown().await;
    Ok((taken, bytes))
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}
