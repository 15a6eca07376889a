//! (a) From the publication of an event to the last of its recipients' durable delivery.
//!
//! Ours is measured from the operator's spool (its disk sync included) through the router to the last desk's hands;
//! then, apart, until the last desk's signed `delivered` receipt stands on the bus too. The raw side stores notices of
//! the same bytes under as many subjects, in atomic batches, and delivers them to as many durable consumers over as many
//! connections: once as the client library pulls from a durable, and once with the stream repeating each message to
//! plain subscribers, which is quicker but of which a subscriber that was away gets nothing.

use std::{
    collections::HashSet,
    future::Future,
    path::Path,
    time::{Duration, Instant},
};

use async_nats::{
    HeaderMap,
    jetstream::{self, consumer::pull::MessagesErrorKind},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_desk::{Content, Delivered, Desk};
use tocsin_protocol::{SignedDuration, SigningKey, Stream, Timestamp};
use tocsin_publisher::Spool;
use tocsin_router::Router;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    bus::{Account, Bus},
    raw,
    spread::Spread,
    world::{World, incident},
};
use crate::error::{Attempt, Error};

/// Connections opened at a time.
const AT_A_TIME: usize = 64;
/// The longest that one round may take.
const ROUND_MOST: Duration = Duration::from_mins(3);

/// Rounds of each kind, in milliseconds.
#[derive(Debug)]
pub(super) struct Fanout {
    pub(super) recipients: usize,
    pub(super) ours: Spread,
    pub(super) receipts: Spread,
    pub(super) raw: Spread,
    pub(super) wake: Spread,
}

/// Measures this many recipients. The first round of each kind is not counted.
pub(super) async fn measure(
    bus: &Bus,
    spool: &Path,
    recipients: usize,
    rounds: usize,
) -> Result<Fanout, Error> {
    let world = World::new(recipients)?;
    let raw = raw_side(bus, &world, recipients, rounds, Way::Durable).await?;
    let wake = raw_side(bus, &world, recipients, rounds, Way::Wake).await?;
    let ours = Ours::start(bus, &world, &spool.join(recipients.to_string()), recipients).await?;
    let held = ours.rounds(bus, "held", rounds, hold).await?;
    let receipts = ours.rounds(bus, "receipts", rounds, receive).await?;
    ours.stop().await?;
    Ok(Fanout { recipients, ours: held, receipts, raw, wake })
}

/// Those who listen, each with a connection of its own, and what they heard: on which subject, when.
struct Listeners {
    heard: mpsc::UnboundedReceiver<Result<(String, Instant), Error>>,
    tasks: JoinSet<()>,
}

type Heard = mpsc::UnboundedSender<Result<(String, Instant), Error>>;

impl Listeners {
    /// Waits for as many deliveries of this round, which end so, and gives the time until the last of them. What a
    /// durable gives out again of an earlier round is not counted.
    async fn all(&mut self, count: usize, round: &str, start: Instant) -> Result<Duration, Error> {
        let mut last = Duration::ZERO;
        let mut subjects = HashSet::with_capacity(count);
        let all = async {
            while subjects.len() < count {
                match self.heard.recv().await {
                    Some(heard) => {
                        let (subject, at) = heard?;
                        if subject.ends_with(round) && subjects.insert(subject) {
                            last = last.max(at - start);
                        }
                    }
                    None => return Err(Error::told("the bench's listeners ended")),
                }
            }
            Ok(())
        };
        tokio::time::timeout(ROUND_MOST, all)
            .await
            .attempt(format!("hear from {count} recipients in time"))??;
        Ok(last)
    }

    async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// How the raw side hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The client library's own stream of a durable pull consumer, each message acknowledged.
    Durable,
    /// A plain subscription to what the stream repeats. The durables are there, as for us, but not pulled from.
    Wake,
}

async fn raw_side(
    bus: &Bus,
    world: &World,
    recipients: usize,
    rounds: usize,
    way: Way,
) -> Result<Spread, Error> {
    let client = bus.raw(Account::Fanout).await?;
    let context = jetstream::new(client.clone());
    let name = format!("RAW-{way:?}-{recipients}");
    let root = format!("raw.{way:?}.{recipients}").to_lowercase();
    let made = context
        .create_stream(jetstream::stream::Config {
            name: name.clone(),
            subjects: vec![format!("{root}.>")],
            max_consumers: 20_000,
            allow_atomic_publish: true,
            allow_direct: true,
            republish: (way == Way::Wake).then(|| jetstream::stream::Republish {
                source: format!("{root}.>"),
                destination: format!("wake.{root}.>"),
                headers_only: false,
            }),
            ..Default::default()
        })
        .await
        .attempt("make the raw stream")?;
    let durables = stream::iter(0..recipients).map(|n| {
        let (made, root) = (&made, &root);
        async move {
            let config = jetstream::consumer::pull::Config {
                durable_name: Some(format!("desk_{n}")),
                filter_subject: format!("{root}.{n}.>"),
                ..Default::default()
            };
            made.create_consumer(config).await.attempt("make a raw durable").map(drop)
        }
    });
    durables.buffer_unordered(32).try_collect::<()>().await?;

    let (tell, heard) = mpsc::unbounded_channel();
    let mut listeners = Listeners { heard, tasks: JoinSet::new() };
    let mut connected =
        stream::iter(0..recipients).map(|_| bus.raw(Account::Fanout)).buffer_unordered(AT_A_TIME).enumerate();
    while let Some((n, client)) = connected.next().await {
        let client = client?;
        match way {
            Way::Durable => {
                let consumer: jetstream::consumer::PullConsumer = jetstream::new(client)
                    .get_consumer_from_stream(format!("desk_{n}"), name.as_str())
                    .await
                    .attempt("find a raw durable")?;
                listeners.tasks.spawn(raw_pull(consumer, tell.clone()));
            }
            Way::Wake => {
                let wakes = client.subscribe(format!("wake.{root}.{n}.>")).await.attempt("subscribe")?;
                client.flush().await.attempt("subscribe")?;
                let tell = tell.clone();
                listeners.tasks.spawn(async move {
                    let _client = client;
                    let mut wakes = wakes;
                    while let Some(wake) = wakes.next().await {
                        if tell.send(Ok((wake.subject.to_string(), Instant::now()))).is_err() {
                            return;
                        }
                    }
                });
            }
        }
    }
    drop(connected);

    let notices = world.notices(recipients, &incident("raw")?)?;
    let mut taken = Vec::new();
    for round in 0..=rounds {
        let messages = notices
            .iter()
            .enumerate()
            .map(|(n, notice)| raw::Message {
                subject: format!("{root}.{n}.{round}"),
                headers: HeaderMap::new(),
                body: notice.body.clone(),
            })
            .collect();
        bus.rest(&client, &name).await?;
        let start = Instant::now();
        raw::store(&client, &format!("{way:?}{recipients}{round}"), messages).await?;
        taken.push(listeners.all(recipients, &format!(".{round}"), start).await?);
    }
    listeners.stop().await;
    context.delete_stream(&name).await.attempt("remove the raw stream")?;
    Ok(Spread::milliseconds(&taken[1..]))
}

async fn raw_pull(consumer: jetstream::consumer::PullConsumer, tell: Heard) {
    let pulled = async {
        let mut messages = consumer.messages().await.attempt("pull from a raw durable")?;
        while let Some(message) = messages.next().await {
            // A broker that is too busy to be heard from is heard from later: the library asks it anew.
            if message.as_ref().is_err_and(|error| error.kind() == MessagesErrorKind::MissingHeartbeat) {
                continue;
            }
            let message = message.attempt("pull from a raw durable")?;
            if tell.send(Ok((message.subject.to_string(), Instant::now()))).is_err() {
                return Ok(());
            }
            message.ack().await.attempt("acknowledge a raw delivery")?;
        }
        Ok(())
    };
    if let Err(error) = pulled.await {
        // Nobody listens only when the bench has ended.
        let _ = tell.send(Err(error));
    }
}

/// Our side: an operator with its spool, a router, and the recipients' durables.
struct Ours<'a> {
    world: &'a World,
    recipients: usize,
    spool: Spool,
    operator: tocsin_ledger::Ledger,
    stop: oneshot::Sender<()>,
    router: tokio::task::JoinHandle<Result<(), tocsin_router::Error>>,
}

impl<'a> Ours<'a> {
    async fn start(bus: &Bus, world: &'a World, spool: &Path, recipients: usize) -> Result<Self, Error> {
        let operator = bus.set_up(Account::Fanout).await?;
        let version = u64::try_from(recipients).attempt("number the bench's directory")?;
        world.apply(&operator, version, recipients, SignedDuration::from_hours(2)).await?;
        let ids: Vec<_> = world.recipients.iter().map(|(id, _)| id.clone()).collect();
        operator.ensure_desks(&ids).await.attempt("make the recipients' durables")?;
        let spool = Spool::open(spool).attempt("open the bench's spool")?;
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new(bus.ledger(Account::Fanout).await?);
        let router = tokio::spawn(router.run(async { drop(stopped.await) }));
        Ok(Self { world, recipients, spool, operator, stop, router })
    }

    /// Publishes once per round to desks that listen in this way.
    async fn rounds<F, W>(&self, bus: &Bus, name: &str, rounds: usize, listen: F) -> Result<Spread, Error>
    where
        F: Fn(Desk, tocsin_ledger::Ledger, Heard) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        let (tell, heard) = mpsc::unbounded_channel();
        let mut listeners = Listeners { heard, tasks: JoinSet::new() };
        let mut connected = stream::iter(&self.world.recipients)
            .map(|(id, key)| async move { (id, key, bus.ledger(Account::Fanout).await) })
            .buffer_unordered(AT_A_TIME);
        while let Some((id, key, ledger)) = connected.next().await {
            let (ledger, key) = (ledger?, copy(key)?);
            let desk = Desk::new(ledger.clone(), id.clone(), key).attempt("make a desk")?;
            listeners.tasks.spawn(listen(desk, ledger, tell.clone()));
        }
        drop(connected);
        let client = bus.raw(Account::Fanout).await?;
        let mut taken = Vec::new();
        for round in 0..=rounds {
            let incident = incident(&format!("{name}-{}-{round}", self.recipients))?;
            let event = self.world.event(&incident);
            let prepared = tocsin_publisher::prepare(&event, &self.world.key, &self.world.operator)
                .attempt("prepare the bench's event")?;
            bus.rest(&client, Stream::Log.name()).await?;
            let start = Instant::now();
            self.spool.put(&prepared, Timestamp::now()).attempt("spool the bench's event")?;
            let sending = tocsin_publisher::send(&self.operator, &self.spool, ROUND_MOST)
                .await
                .attempt("send the bench's event")?;
            if sending.sent.len() != 1 {
                return Err(Error::told(format!("the bench's event was not sent: {sending}")));
            }
            taken.push(listeners.all(self.recipients, &format!(".{incident}.1"), start).await?);
        }
        listeners.stop().await;
        Ok(Spread::milliseconds(&taken[1..]))
    }

    async fn stop(self) -> Result<(), Error> {
        drop(self.stop);
        self.router.await.attempt("stop the bench's router")?.attempt("run the bench's router")
    }
}

/// A key is not to be copied at will, so it goes by its seed.
fn copy(key: &SigningKey) -> Result<SigningKey, Error> {
    SigningKey::from_seed(&key.seed().attempt("copy a key")?).attempt("copy a key")
}

/// A desk's hands: the notice is there, and settled.
async fn hold(desk: Desk, ledger: tocsin_ledger::Ledger, tell: Heard) {
    let heard = async {
        let mut notices = ledger.notices(desk.recipient()).await.attempt("take notices")?;
        loop {
            let held = notices.next().await.attempt("take a notice")?;
            if tell.send(Ok((held.entry.subject.clone(), Instant::now()))).is_err() {
                return Ok(());
            }
            // One that the broker is too busy to settle now is given out again, and not counted then.
            let _ = held.settle().await;
        }
    };
    if let Err(error) = heard.await {
        // Nobody listens only when the bench has ended.
        let _ = tell.send(Err(error));
    }
}

/// A whole desk: the notice is held against its author's key, and its `delivered` receipt stands on the bus.
async fn receive(desk: Desk, _ledger: tocsin_ledger::Ledger, tell: Heard) {
    let heard = async {
        let mut arrivals = desk.arrivals().await.attempt("take notices")?;
        loop {
            let arrival = arrivals.next().await.attempt("take a notice")?;
            match &arrival.content {
                Content::Notice(arrived) if !arrived.seen_before() => {
                    if let Delivered::NotSaid(why) = &arrived.delivered {
                        return Err(Error::told(format!("a receipt of the bench was not said: {why}")));
                    }
                    let notice = &arrived.read.notice;
                    let subject = format!("{}.{}.{}", notice.recipient, notice.incident, notice.event);
                    if tell.send(Ok((subject, Instant::now()))).is_err() {
                        return Ok(());
                    }
                }
                Content::Notice(_) | Content::Overdue(_) => {}
                Content::Unfit(unfit) => {
                    return Err(Error::told(format!(
                        "a desk does not believe a notice of the bench: {unfit}"
                    )));
                }
            }
            // As above.
            let _ = arrival.settle().await;
        }
    };
    if let Err(error) = heard.await {
        // Nobody listens only when the bench has ended.
        let _ = tell.send(Err(error));
    }
}
