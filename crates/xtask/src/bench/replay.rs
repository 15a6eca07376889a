//! (c) Replay: both streams from their beginning into the fold, as a router does at its start, beside ordered consumers
//! of the client library that read the same two streams and drop what they read. Each in a process of its own, whose
//! memory is told too: the most that it ever was, by what the operating system says. And the same from a snapshot of the
//! fold that lies as far behind as one may: found, held against the streams, read back, and what came since folded.
//!
//! The streams are filled with what incidents leave: each an event, a dispatch, a window, and for every recipient a
//! notice, a `delivered` and an `acknowledged` receipt, every one with its true signature.

mod fill;
mod keep;

use std::{env, process::Stdio, time::Instant};

use async_nats::jetstream;
use futures_util::StreamExt;
use tocsin_duty::{Fold, Trust};
use tocsin_ledger::{Connection, Ledger};
use tocsin_protocol::{Entry, SigningKey, Snapshot, Stream};
use tokio::task::JoinSet;

use super::{
    bus::{Account, Bus},
    memory::most_resident,
    process::{self, SEED},
    spread::Spread,
};
use crate::error::{Attempt, Error};
use fill::Filling;

/// Replays of logs that grow.
#[derive(Debug)]
pub(super) struct Replay {
    /// How many entries it was to have, and how many it has.
    pub(super) asked: u64,
    pub(super) entries: u64,
    /// As a router that has judged these entries before.
    pub(super) ours: Measured,
    pub(super) raw: Measured,
    /// From a snapshot.
    pub(super) kept: Measured,
    /// Its size in bytes, and the seconds that the router stood still to write it out.
    pub(super) snapshot: (u64, f64),
    /// Entries a second with every signature checked, as an auditor does, and a router that is given streams without
    /// its log.
    pub(super) checked: Option<f64>,
}

/// Rounds of one kind.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) seconds: Spread,
    pub(super) bytes: Spread,
}

/// What one process tells of its reading.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Told {
    seconds: f64,
    bytes: u64,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reader {
    /// A fold that trusts what its log vouches for.
    Ours,
    /// A fold that was kept.
    Kept,
    /// A fold that checks every signature.
    Checked,
    /// Nobody: what is read is dropped.
    Raw,
}

/// Measures logs of these many entries, so many times each, in turn: raw, ours, raw, ... Signatures are checked in the
/// replay of one of these sizes.
pub(super) async fn measure(bus: &Bus, sizes: &[(u64, usize)], checked: u64) -> Result<Vec<Replay>, Error> {
    let key = SigningKey::generate();
    let mut filling = Filling::begin(bus, sizes.iter().map(|(entries, _)| *entries).collect(), &key).await?;
    let mut replays = Vec::new();
    for (entries, rounds) in sizes {
        super::tell(&format!("replay of {entries} entries"));
        let ends = filling.next().await?;
        let snapshot = keep::keep(&bus.ledger(Account::Replay).await?, ends, &key).await?;
        // The checkpoint that states what was kept.
        let ends = (ends.0, ends.1 + 1);
        let (mut ours, mut kept, mut raw) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..*rounds {
            raw.push(apart(bus, Reader::Raw, ends)?);
            ours.push(apart(bus, Reader::Ours, ends)?);
            kept.push(apart(bus, Reader::Kept, ends)?);
        }
        let total = ends.0 + ends.1;
        let checked = if *entries == checked {
            Some(rate(total, apart(bus, Reader::Checked, ends)?.seconds))
        } else {
            None
        };
        replays.push(Replay {
            asked: *entries,
            entries: total,
            ours: Measured::of(&ours),
            raw: Measured::of(&raw),
            kept: Measured::of(&kept),
            snapshot,
            checked,
        });
    }
    filling.end().await?;
    Ok(replays)
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
    fn of(told: &[Told]) -> Self {
        Self {
            seconds: Spread::of(told.iter().map(|told| told.seconds).collect()),
            bytes: Spread::of(told.iter().map(|told| told.bytes as f64).collect()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of entries is far below 2^52")]
pub(super) fn rate(entries: u64, seconds: f64) -> f64 {
    entries as f64 / seconds
}

/// Reads in a process of its own.
fn apart(bus: &Bus, reader: Reader, ends: (u64, u64)) -> Result<Told, Error> {
    use clap::ValueEnum as _;
    const WHAT: &str = "replay in a process of its own";
    let mut program = process::program("bench-replay")?;
    let name = reader.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    program.args([&name, &bus.url(), &ends.0.to_string(), &ends.1.to_string()]);
    program.env(SEED, bus.seed(Account::Replay)?).stdin(Stdio::null());
    let output = program.output().attempt(WHAT)?;
    if !output.status.success() {
        return Err(Error::part(WHAT, String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    serde_json::from_slice(&output.stdout).attempt("read what a replay told")
}

/// The process of its own: reads both streams to these ends and prints a [`Told`] as JSON.
pub(crate) async fn alone(reader: Reader, url: &str, ends: (u64, u64)) -> Result<(), Error> {
    let seed = env::var(SEED).attempt("read the key of the bench's account")?;
    let seconds = match reader {
        Reader::Raw => drop_all(url, seed, ends).await?,
        Reader::Ours => fold_all(url, seed, ends, trusting(ends), false).await?,
        Reader::Kept => fold_all(url, seed, ends, trusting(ends), true).await?,
        Reader::Checked => fold_all(url, seed, ends, Trust::default(), false).await?,
    };
    let told = Told { seconds, bytes: most_resident()? };
    println!("{}", serde_json::to_string(&told).attempt("print what was measured")?);
    Ok(())
}

fn trusting(ends: (u64, u64)) -> Trust {
    Trust { through: ends.0, ..Trust::default() }
}

/// Reads both streams into a fold, or one that was kept and what came since, and gives the seconds that it took.
async fn fold_all(url: &str, seed: String, ends: (u64, u64), trust: Trust, kept: bool) -> Result<f64, Error> {
    let connection = Connection { nkey_seed: Some(seed.into()), ..Connection::to(url) };
    let ledger = Ledger::connect(&connection).await.attempt("connect to the bench's nats-server")?;
    let start = Instant::now();
    let (mut fold, mut follow, mut read) = if kept {
        let read = |snapshot: &Snapshot, bytes: &[u8], directories: &[Entry]| {
            Fold::begun(snapshot, bytes, directories, trust.clone())
        };
        let found = ledger.find_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await;
        let (fold, snapshot) =
            found.state.ok_or_else(|| Error::told(format!("no snapshot is believed: {:?}", found.doubts)))?;
        let follow = ledger.follow_after(&snapshot).await.attempt("follow both streams")?;
        (fold, follow, snapshot.entries())
    } else {
        (Fold::trusting(trust), ledger.follow().await.attempt("follow both streams")?, 0)
    };
    while read < ends.0 + ends.1 {
        let entries = follow.next().await.attempt("follow both streams")?.entries;
        for entry in &entries {
            fold.apply(entry);
        }
        read += entries.len() as u64;
    }
    let taken = start.elapsed().as_secs_f64();
    if fold.open_duties() > 0 || !fold.follows().is_empty() {
        return Err(Error::told("the replayed fold is not where the log left off"));
    }
    Ok(taken)
}

/// Reads both streams with ordered consumers and drops what comes, and gives the seconds that it took.
async fn drop_all(url: &str, seed: String, ends: (u64, u64)) -> Result<f64, Error> {
    let client = async_nats::ConnectOptions::with_nkey(seed).connect(url).await;
    let context = jetstream::new(client.attempt("connect to the bench's nats-server")?);
    let start = Instant::now();
    let mut reading = JoinSet::new();
    for (stream, end) in [(Stream::Said, ends.0), (Stream::Log, ends.1)] {
        let context = context.clone();
        reading.spawn(async move {
            let stream = context.get_stream(stream.name()).await.attempt("find a stream")?;
            let config = jetstream::consumer::pull::OrderedConfig::default();
            let consumer = stream.create_consumer(config).await.attempt("make an ordered consumer")?;
            let mut messages = consumer.messages().await.attempt("read an ordered consumer")?;
            let mut read = 0;
            while read < end {
                let Some(message) = messages.next().await else { break };
                message.attempt("read an ordered consumer")?;
                read += 1;
            }
            if read == end { Ok(()) } else { Err(Error::told("an ordered consumer ended too soon")) }
        });
    }
    while let Some(read) = reading.join_next().await {
        read.attempt("read an ordered consumer")??;
    }
    Ok(start.elapsed().as_secs_f64())
}
