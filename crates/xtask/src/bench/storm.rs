//! (g) The worst day: more than anybody would say in a minute, to people of whom nobody answers. Router and notifier are
//! processes of their own, and their memory is what the operating system says.
//!
//! - **A storm**: incidents at a steady pace, each owed to everybody. One desk pulls, none of the others ever does; one
//!   agency floods the bus with receipts of what it was never sent; nobody acknowledges, so that everybody is owed a mail
//!   of each incident.
//! - **A slow relay**: mails of an exercise are due at once at a relay that takes seconds over each; then an actual
//!   incident's are. Then the relay is quick again, and all of them leave.

use std::{
    collections::{BTreeSet, HashMap},
    env,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tocsin_ledger::{Connection, Ledger, Wait};
use tocsin_notifier::{
    Config, Notifier,
    sink::{Behaviour, Sink, SinkOptions},
};
use tocsin_protocol::{
    AttemptBegun, AttemptPhase, EventNumber, Receipt, SignedDuration, Status, Stream, Subject, Timestamp,
    from_body, to_body,
};
use tocsin_router::Router;
use tokio::task::JoinHandle;

use super::{
    bus::{Account, Bus},
    mail::{Said, escalation_facts},
    process::{self, Process, SEED, Used},
    world::{World, incident},
};
use crate::error::{Attempt, Error};

/// The longest wait for anything to come to its end.
const MOST: Duration = Duration::from_mins(20);
/// How often the processes' memory is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is told how far a storm has come.
const TELL: Duration = Duration::from_secs(15);
/// Connections to the relay.
const CONNECTIONS: usize = 4;
/// The notices of an actual incident among those of the exercise.
const ACTUAL: usize = 10;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) incidents: usize,
    pub(super) recipients: usize,
    pub(super) within: Duration,
    /// From publication until the mails are owed.
    pub(super) window: SignedDuration,
    pub(super) flood: usize,
    /// For how long what is owed to one address is gathered.
    pub(super) digest: Duration,
    pub(super) mails: usize,
    pub(super) relay_takes: Duration,
    pub(super) slow_for: Duration,
}

/// The memory of a process: when it had read what was there, when most was open, at its end, and the most ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) most: u64,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Storm {
    pub(super) size: Size,
    /// The longest from an event until it was dispatched to everybody.
    pub(super) dispatched: SignedDuration,
    /// From the last event until nothing more was owed to anybody, the windows' length left out.
    pub(super) settled: Duration,
    pub(super) duties: usize,
    pub(super) mails: u64,
    /// The shortest time between two digests to one recipient, by the broker's clock; none where nobody had two.
    pub(super) apart: Option<SignedDuration>,
    pub(super) refused: usize,
    pub(super) router: Memory,
    pub(super) notifier: Memory,
    pub(super) bus: Memory,
    /// The longest from when an actual incident's mails were owed until the slow relay had one of them.
    pub(super) overtaken: Duration,
    /// The notifier that holds the mails to the slow relay.
    pub(super) holding: Memory,
}

/// Starts a router or a notifier as a process of its own.
fn start(part: &str, bus: &Bus, account: Account, config: &str) -> Result<Process, Error> {
    let mut program = process::program("bench-storm")?;
    program.args([part, &bus.url(), config]).env(SEED, bus.seed(account)?).env("RUST_LOG", "error");
    Ok(Process::start(&mut program, "start a process of the bench's storm")?.0)
}

fn memory(process: &Process, before: u64) -> Result<Memory, Error> {
    let used = process.used()?;
    Ok(Memory { before, after: used.bytes, most: used.most })
}

/// The process itself: works until its input ends.
pub(crate) async fn work(part: &str, url: &str, config: &str) -> Result<(), Error> {
    let ended = process::unwanted();
    let connection = Connection {
        wait: Wait::UntilConnected,
        nkey_seed: env::var(SEED).ok().map(Into::into),
        ..Connection::to(url)
    };
    let ledger = Ledger::connect(&connection).await.attempt("connect a part of the bench's storm")?;
    println!("ready");
    if part == "router" {
        return Router::new(ledger).run(ended).await.attempt("run the storm's router");
    }
    let config: Config = toml::from_str(config).attempt("configure the storm's notifier")?;
    let notifier = Notifier::new(ledger, &config).attempt("make the storm's notifier")?;
    notifier.run(ended).await.attempt("run the storm's notifier")
}

fn config(port: u16, digest: Duration) -> String {
    format!(
        "from = 'Tocsin <tocsin@operator.example>'\nmessage_id_domain = 'tocsin.operator.example'\n\
         digest = '{}ms'\n[[relays]]\nname = 'sink'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n\
         connections = {CONNECTIONS}\n",
        digest.as_millis()
    )
}

async fn sink() -> Result<Sink, Error> {
    // Of a storm only the newest are kept: here it is our own memory.
    let options = SinkOptions { keep: 20_000, mail_max: 64 << 20, ..SinkOptions::default() };
    Sink::start(options).await.attempt("start the storm's SMTP sink")
}

/// What both streams have told so far.
#[derive(Debug, Default)]
struct Told {
    said: HashMap<String, Timestamp>,
    dispatched: usize,
    longest: SignedDuration,
    notices: usize,
    escalations: usize,
    letters: BTreeSet<String>,
    accepted: BTreeSet<String>,
    refused: usize,
    /// When the last digest to each recipient was begun.
    digests: HashMap<String, Timestamp>,
    apart: Option<SignedDuration>,
}

/// Follows both streams and counts; keeps nothing of what it counts but the names of mails.
struct Watch {
    told: Arc<Mutex<Told>>,
    following: JoinHandle<()>,
}

impl Watch {
    async fn start(ledger: &Ledger) -> Result<Self, Error> {
        let told: Arc<Mutex<Told>> = Arc::default();
        let mut follow = ledger.follow().await.attempt("follow the storm")?;
        let into = Arc::clone(&told);
        let following = tokio::spawn(async move {
            while let Ok(read) = follow.next().await {
                let mut told = into.lock().unwrap_or_else(PoisonError::into_inner);
                for entry in &read.entries {
                    told.take(&entry.subject, entry.time, &entry.body);
                }
            }
        });
        Ok(Self { told, following })
    }

    fn told<T>(&self, ask: impl FnOnce(&Told) -> T) -> T {
        ask(&self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells now and then how far it has come and what the processes use, until it is dropped.
    fn tell(&self, processes: [(&'static str, u32); 3]) -> Telling {
        let told = Arc::clone(&self.told);
        let began = Instant::now();
        Telling(tokio::spawn(async move {
            let mut pace = tokio::time::interval(TELL);
            pace.tick().await;
            loop {
                pace.tick().await;
                let far = told.lock().unwrap_or_else(PoisonError::into_inner).far();
                let used = processes.map(|(name, process)| match Used::by(process) {
                    Ok(used) => format!("{name} {} MiB, {:.0} s", used.bytes >> 20, used.processor),
                    Err(_) => format!("{name} gone"),
                });
                eprintln!("  {:.0} s: {far}; {}", began.elapsed().as_secs_f64(), used.join("; "));
            }
        }))
    }

    async fn until(&self, what: &str, wanted: impl Fn(&Told) -> bool) -> Result<(), Error> {
        let seen = async {
            while !self.told(&wanted) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(MOST, seen).await.attempt(what)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Tells until it is dropped.
struct Telling(JoinHandle<()>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Told {
    /// How far it has come, for whoever waits.
    fn far(&self) -> String {
        let Self { said, dispatched, notices, escalations, letters, accepted, refused, .. } = self;
        format!(
            "{} said, {dispatched} dispatched, {notices} notices, {escalations} escalated, {} in {} mails, {refused} refused",
            said.len(),
            accepted.len(),
            letters.len()
        )
    }

    fn take(&mut self, subject: &str, at: Timestamp, body: &[u8]) {
        match subject.parse() {
            Ok(Subject::Incident { incident, .. }) => drop(self.said.insert(incident.to_string(), at)),
            Ok(Subject::Dispatch { incident, .. }) => {
                self.dispatched += 1;
                let since = self.said.get(incident.as_str()).map(|said| at.duration_since(*said));
                self.longest = self.longest.max(since.unwrap_or_default());
            }
            Ok(Subject::Notice { .. }) => self.notices += 1,
            Ok(Subject::Refusal { .. }) => self.refused += 1,
            Ok(Subject::Escalation { .. }) => self.escalations += 1,
            Ok(Subject::Attempt { recipient, phase: AttemptPhase::Begun, .. }) => {
                let Ok(begun) = from_body::<AttemptBegun>("attempt", body) else { return };
                let is_digest = begun.digest.is_some();
                if self.letters.insert(begun.message_id) && is_digest {
                    let since =
                        self.digests.insert(recipient.to_string(), at).map(|last| at.duration_since(last));
                    self.apart = self.apart.into_iter().chain(since).min();
                }
            }
            Ok(Subject::Attempt { recipient, incident, phase: AttemptPhase::Ended, .. })
                if body.windows(10).any(|word| word == b"\"accepted\"") =>
            {
                self.accepted.insert(format!("{recipient} {incident}"));
            }
            _ => {}
        }
    }
}

pub(super) async fn measure(bus: &Bus, size: Size) -> Result<Storm, Error> {
    let mut storm = storm(bus, size).await?;
    (storm.overtaken, storm.holding) = slow(bus, size).await?;
    Ok(storm)
}

async fn storm(bus: &Bus, size: Size) -> Result<Storm, Error> {
    let world = World::new(size.recipients)?;
    let ledger = bus.set_up(Account::Storm).await?;
    world.apply(&ledger, 1, size.recipients, size.window).await?;
    let sink = sink().await?;
    let router = start("router", bus, Account::Storm, "")?;
    let notifier = start("notifier", bus, Account::Storm, &config(sink.address().port(), size.digest))?;
    let watch = Watch::start(&bus.ledger(Account::Storm).await?).await?;
    let server = bus.id()?;
    let before = (router.used()?.bytes, notifier.used()?.bytes, Used::by(server)?.bytes);
    let _telling =
        watch.tell([("router", router.id()), ("notifier", notifier.id()), ("nats-server", server)]);

    let agency = flood(bus, &world, size.flood).await?;
    let (first, _) = world.recipients.first().ok_or_else(|| Error::told("a storm reaches somebody"))?;
    let mut desk =
        bus.ledger(Account::Storm).await?.notices(first).await.attempt("open the one desk that pulls")?;
    let pulls = tokio::spawn(async move { while desk.next().await.is_ok() {} });
    let mut pace = tokio::time::interval(size.within / u32::try_from(size.incidents).unwrap_or(u32::MAX));
    for n in 0..size.incidents {
        pace.tick().await;
        let (subject, body, signed) = world.say(&incident(&format!("storm-{n}"))?)?;
        ledger.say(&subject, &signed, body).await.attempt("say the storm's event")?;
    }
    let last = Instant::now();
    let duties = size.incidents * size.recipients;
    watch
        .until("see everybody told", |told| told.dispatched == size.incidents && told.notices == duties)
        .await?;
    watch.until("see every mail accepted", |told| told.accepted.len() == duties).await?;
    let settled = last.elapsed().saturating_sub(size.window.unsigned_abs());
    agency.await.attempt("flood the bus")??;
    watch.until("see the flood refused", |told| told.refused == size.flood).await?;
    pulls.abort();
    let (letters, escalations) = watch.told(|told| (told.letters.len(), told.escalations));
    if sink.counts().mails != letters as u64 || escalations != duties {
        let counts = sink.counts().mails;
        return Err(Error::told(format!(
            "{counts} mails came of {letters} and {escalations} escalations of {duties}"
        )));
    }
    let used = Used::by(server)?;
    Ok(Storm {
        size,
        dispatched: watch.told(|told| told.longest),
        settled,
        duties,
        mails: sink.counts().mails,
        apart: watch.told(|told| told.apart),
        refused: size.flood,
        router: memory(&router, before.0)?,
        notifier: memory(&notifier, before.1)?,
        bus: Memory { before: before.2, after: used.bytes, most: used.most },
        overtaken: Duration::ZERO,
        holding: Memory { before: 0, after: 0, most: 0 },
    })
}

/// One agency says that it holds what it was never sent, as fast as it can.
async fn flood(bus: &Bus, world: &World, receipts: usize) -> Result<JoinHandle<Result<(), Error>>, Error> {
    let ledger = bus.ledger(Account::Storm).await?;
    let (recipient, key) = world.recipients.last().ok_or_else(|| Error::told("a storm reaches somebody"))?;
    let mut all = Vec::with_capacity(receipts);
    for n in 0..receipts {
        let never = incident(&format!("never-{n}"))?;
        let receipt = Receipt::delivered(recipient.clone(), never, EventNumber::FIRST, Timestamp::now());
        let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).attempt("write a receipt")?);
        let signed = key.sign(&subject.to_string(), &body).attempt("sign a receipt")?;
        all.push((subject, body, signed));
    }
    Ok(tokio::spawn(async move {
        for (subject, body, signed) in all {
            ledger.say(&subject, &signed, body).await.attempt("say a receipt of the flood")?;
        }
        Ok(())
    }))
}

async fn slow(bus: &Bus, size: Size) -> Result<(Duration, Memory), Error> {
    let world = World::new(size.mails)?;
    let ledger = bus.set_up(Account::Slow).await?;
    let sink = sink().await?;
    sink.script_all([Behaviour::Delay(size.relay_takes)]);
    let notifier = start("notifier", bus, Account::Slow, &config(sink.address().port(), size.digest))?;
    let said = Said::new(&ledger, &world, "exercise").await?;
    let facts = escalation_facts(&said.escalations(&world, Status::Exercise)?)?;
    let before = notifier.used()?.bytes;
    ledger.append_all(&facts, None).await.attempt("owe the mails of the exercise")?;
    let wrong = "see the slow relay's first mails";
    sink.wait_until(MOST, |seen| seen.counts.mails >= CONNECTIONS as u64).await.attempt(wrong)?;
    tokio::time::sleep(size.slow_for).await;

    let said = Said::new(&ledger, &world, "actual").await?;
    let mut owed = said.escalations(&world, Status::Actual)?;
    owed.truncate(ACTUAL);
    let actual: BTreeSet<_> = owed.iter().map(|owed| owed.to.email.clone()).collect();
    let began = Instant::now();
    ledger.append_all(&escalation_facts(&owed)?, None).await.attempt("owe the mails of the incident")?;
    let is_actual = |bytes: &[u8]| bytes.windows(23).any(|line| line == b"X-Tocsin-Status: actual");
    let wrong = "see the actual incident's mails";
    sink.wait_until(MOST, |seen| {
        let mails = seen.mails.iter().filter(|mail| is_actual(&mail.bytes));
        mails.flat_map(|mail| &mail.to).filter(|to| actual.contains(*to)).count() >= ACTUAL
    })
    .await
    .attempt(wrong)?;
    let overtaken = began.elapsed();
    let waiting = size.mails.saturating_sub(usize::try_from(sink.counts().mails).unwrap_or(usize::MAX));
    if waiting == 0 {
        return Err(Error::told("nothing waited that could be overtaken: the relay is not slow enough"));
    }
    sink.script_all([Behaviour::Accept]);
    let all = size.mails + ACTUAL;
    sink.wait_until(MOST, |seen| seen.counts.mails >= all as u64).await.attempt("see all mails leave")?;
    let filter = ["tocsin.attempt.*.*.*.*.*.ended".to_owned()];
    let until = Instant::now() + MOST;
    while ledger.entries(Stream::Log, &filter).await.attempt("read the attempts")?.len() < all {
        if Instant::now() > until {
            return Err(Error::told("the mails were not recorded as accepted"));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok((overtaken, memory(&notifier, before)?))
}
