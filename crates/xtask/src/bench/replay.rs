//! (c) Replay: both streams from their beginning into the fold, as a router does at its start, beside ordered consumers
//! of the client library that read the same two streams and drop what they read.
//!
//! The streams are filled with what incidents leave: each an event, a dispatch, a window, and for every recipient a
//! notice, a `delivered` and an `acknowledged` receipt, every one with its true signature.

use std::time::Instant;

use async_nats::{Client, HeaderMap, jetstream};
use bytes::Bytes;
use futures_util::StreamExt;
use tocsin_duty::{Fold, Trust};
use tocsin_protocol::{
    EventNumber, IncidentId, KEY_HEADER, Person, Receipt, ReceiptMethod, ReceiptStage, RecipientId,
    SIGNATURE_HEADER, Signed, SignedDuration, SigningKey, Stream, Subject, Timestamp, to_body,
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    bus::{Account, Bus},
    raw::{self, Message},
    spread::Spread,
    world::{World, directory_fact, incident, log_entry, said_entry},
};
use crate::error::{Attempt, Error};

/// Recipients of each incident.
const RECIPIENTS: usize = 100;
/// Incidents written together.
const TOGETHER: usize = 5;

/// Rounds of each kind, in entries a second.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) entries: u64,
    /// As a router that has judged these entries before.
    pub(super) ours: Spread,
    /// Every signature checked, as an auditor does, and a router that is given streams without its log.
    pub(super) checked: Spread,
    pub(super) raw: Spread,
}

/// Measures in turn: raw, ours, raw, ...
pub(super) async fn measure(bus: &Bus, entries: u64, rounds: usize) -> Result<Replay, Error> {
    bus.set_up(Account::Replay).await?;
    let client = bus.raw(Account::Replay).await?;
    let ends = fill(&client, entries).await?;
    let total = ends.0 + ends.1;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        raw.push(rate(total, drop_all(bus, ends).await?));
        ours.push(rate(total, fold_all(bus, total, Trust { through: ends.0, ..Trust::default() }).await?));
    }
    let checked = vec![rate(total, fold_all(bus, total, Trust::default()).await?)];
    Ok(Replay { entries: total, ours: Spread::of(ours), checked: Spread::of(checked), raw: Spread::of(raw) })
}

#[expect(clippy::cast_precision_loss, reason = "a count of entries is far below 2^52")]
fn rate(entries: u64, since: f64) -> f64 {
    entries as f64 / since
}

/// Reads both streams into a fold, and gives the seconds that it took.
async fn fold_all(bus: &Bus, total: u64, trust: Trust) -> Result<f64, Error> {
    let ledger = bus.ledger(Account::Replay).await?;
    let start = Instant::now();
    let mut follow = ledger.follow().await.attempt("follow both streams")?;
    let mut fold = Fold::trusting(trust);
    let mut read = 0;
    while read < total {
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
async fn drop_all(bus: &Bus, ends: (u64, u64)) -> Result<f64, Error> {
    let context = jetstream::new(bus.raw(Account::Replay).await?);
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

/// Fills both streams with at least so many entries and gives how many each then has.
///
/// The receipts of strangers go in as atomic batches, which SAID does not take: so it is opened to them for the
/// while, as only an administrator can. One by one, each with its own disk sync, they would take many minutes.
async fn fill(client: &Client, entries: u64) -> Result<(u64, u64), Error> {
    let context = jetstream::new(client.clone());
    let said =
        context.get_stream(Stream::Said.name()).await.attempt("find SAID")?.cached_info().config.clone();
    let opened = jetstream::stream::Config { allow_atomic_publish: true, ..said.clone() };
    context.update_stream(opened).await.attempt("open SAID to batches")?;
    let (give, mut made) = mpsc::channel(4);
    let making = tokio::task::spawn_blocking(move || make(entries, &give));
    let mut number = 0;
    while let Some(messages) = made.recv().await {
        number += 1;
        raw::store(client, &format!("fill-{number}"), messages).await?;
    }
    making.await.attempt("make the entries to be replayed")??;
    context.update_stream(said).await.attempt("close SAID to batches")?;
    let mut ends = Vec::new();
    for stream in [Stream::Said, Stream::Log] {
        let mut stream = context.get_stream(stream.name()).await.attempt("find a stream")?;
        ends.push(stream.info().await.attempt("read a stream's state")?.state.messages);
    }
    Ok((ends[0], ends[1]))
}

/// Makes entries as the parties and a router would, and gives them out as they are to be written.
fn make(entries: u64, give: &mpsc::Sender<Vec<Message>>) -> Result<(), Error> {
    let world = World::new(RECIPIENTS)?;
    let mut fold = Fold::trusting(Trust { through: u64::MAX, ..Trust::default() });
    let directory = directory_fact(1, &world.directory(RECIPIENTS, SignedDuration::from_hours(24)))?;
    fold.apply(&log_entry(1, Timestamp::now(), &directory));
    let send = |messages: Vec<Message>| {
        give.blocking_send(messages).map_err(|_| Error::told("the entries to be replayed are not taken"))
    };
    send(vec![logged(&directory.subject, directory.body, 0)])?;
    let (mut said, mut log, mut incidents) = (0, 1, 0);
    while said + log < entries {
        let now = Timestamp::now();
        let together = (0..TOGETHER).map(|n| incident(&format!("incident-{}", incidents + n)));
        let together = together.collect::<Result<Vec<_>, _>>()?;
        incidents += TOGETHER;
        let mut messages = Vec::new();
        for incident in &together {
            let (subject, body, signed) = world.say(incident)?;
            said += 1;
            fold.apply(&said_entry(said, now, &subject, body.clone(), signed.clone()));
            messages.push(signed_message(&subject, body, &signed));
        }
        send(std::mem::take(&mut messages))?;
        for fact in fold.follows().into_iter().flat_map(|batch| batch.facts) {
            log += 1;
            fold.apply(&log_entry(log, now, &fact));
            messages.push(logged(&fact.subject, fact.body, said));
        }
        send(std::mem::take(&mut messages))?;
        for incident in &together {
            for (recipient, key) in &world.recipients {
                for stage in [ReceiptStage::Delivered, ReceiptStage::Acknowledged] {
                    let (subject, body, signed) = receipt(incident, recipient, key, stage, now)?;
                    said += 1;
                    fold.apply(&said_entry(said, now, &subject, body.clone(), signed.clone()));
                    messages.push(signed_message(&subject, body, &signed));
                }
            }
        }
        send(messages)?;
    }
    Ok(())
}

fn receipt(
    incident: &IncidentId,
    recipient: &RecipientId,
    key: &SigningKey,
    stage: ReceiptStage,
    at: Timestamp,
) -> Result<(Subject, Bytes, Signed), Error> {
    let acknowledged = stage == ReceiptStage::Acknowledged;
    let receipt = Receipt {
        stage,
        by: acknowledged.then(|| Person {
            name: "Supervisor on duty".to_owned(),
            role: "Control room supervisor".to_owned(),
        }),
        method: acknowledged.then_some(ReceiptMethod::Desk),
        ..Receipt::delivered(recipient.clone(), incident.clone(), EventNumber::FIRST, at)
    };
    let (subject, body) = (receipt.subject(), to_body("receipt", &receipt).attempt("write a receipt")?);
    let signed = key.sign(&subject.to_string(), &body).attempt("sign a receipt")?;
    Ok((subject, body, signed))
}

fn signed_message(subject: &Subject, body: Bytes, signed: &Signed) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(KEY_HEADER, signed.key.as_str());
    headers.insert(SIGNATURE_HEADER, signed.signature.as_str());
    Message { subject: subject.to_string(), headers, body }
}

fn logged(subject: &Subject, body: Bytes, said_through: u64) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(tocsin_protocol::SAID_THROUGH_HEADER, said_through.to_string());
    Message { subject: subject.to_string(), headers, body }
}
