//! What a run left behind, read with nothing of ours.

use std::time::Duration;

use async_nats::{
    Client, HeaderMap,
    jetstream::{self, consumer::pull::OrderedConfig},
};
use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use mail_parser::MessageParser;
use tocsin_notifier::sink::Sink;

use super::checker::{Entry, Mail, Told};

/// The longest wait for the next entry of a stream.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that a stream holds.
pub(super) async fn entries(client: &Client, stream: &str) -> Result<Vec<Entry>, String> {
    let told = |why: &dyn std::fmt::Display| format!("{stream} cannot be read: {why}");
    let context = jetstream::new(client.clone());
    let found = context.get_stream(stream).await.map_err(|why| told(&why))?;
    let last = found.cached_info().state.last_sequence;
    let mut entries = Vec::new();
    if last == 0 {
        return Ok(entries);
    }
    let consumer = found.create_consumer(OrderedConfig::default()).await.map_err(|why| told(&why))?;
    let mut messages = consumer.messages().await.map_err(|why| told(&why))?;
    loop {
        let next = tokio::time::timeout(PATIENCE, messages.next()).await;
        let message = next.map_err(|why| told(&why))?.ok_or_else(|| told(&"it ended"))?;
        let message = message.map_err(|why| told(&why))?;
        let info = message.info().map_err(|why| told(&why))?;
        let (sequence, at) = (info.stream_sequence, info.published.unix_timestamp_nanos());
        entries.push(Entry {
            sequence,
            at: Timestamp::from_nanosecond(at).map_err(|why| told(&why))?,
            subject: message.subject.to_string(),
            signed: message.headers.as_ref().and_then(signed),
            upon: message.headers.as_ref().and_then(upon),
            body: Bytes::clone(&message.payload),
        });
        if sequence >= last || info.pending == 0 {
            return Ok(entries);
        }
    }
}

fn signed(headers: &HeaderMap) -> Option<(String, String)> {
    let header = |name: &str| headers.get(name).map(ToString::to_string);
    Some((header("Tocsin-Key")?, header("Tocsin-Signature")?))
}

fn upon(headers: &HeaderMap) -> Option<u64> {
    headers.get("Nats-Expected-Last-Subject-Sequence")?.as_str().parse().ok()
}

/// The mails that the relays accepted.
pub(super) fn mails(relays: &[Sink]) -> Vec<Mail> {
    let read = |caught: std::sync::Arc<tocsin_notifier::sink::Caught>| {
        let message = MessageParser::default().parse(&caught.bytes[..]).expect("a mail of ours can be read");
        Mail {
            to: caught.to.clone(),
            message_id: format!("<{}>", message.message_id().unwrap_or_default()),
            subject: message.subject().unwrap_or_default().to_owned(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
        }
    };
    relays.iter().flat_map(Sink::mails).map(read).collect()
}

/// What was acknowledged to desks, from what their processes printed. A line that a kill cut off was told to nobody.
pub(super) fn told_to_desks(printed: &str) -> Vec<Told> {
    let read = |words: [&str; 5]| {
        let [stage, recipient, incident, event, sequence] = words;
        let subject = format!("tocsin.receipt.{recipient}.{incident}.{event}.{stage}");
        (stage != OVERDUE).then(|| Told { subject, sequence: sequence.parse().ok(), fact: None })
    };
    lines(printed).filter_map(read).collect()
}

/// Of which promises desks were shown that they were not kept: recipient, incident, event and step.
pub(super) fn shown_at_desks(printed: &str) -> Vec<(String, String, u64, u64)> {
    let read = |words: [&str; 5]| {
        let [what, recipient, incident, event, step] = words;
        let key = (recipient.to_owned(), incident.to_owned(), event.parse().ok()?, step.parse().ok()?);
        (what == OVERDUE).then_some(key)
    };
    lines(printed).filter_map(read).collect()
}

/// The word of such a line.
const OVERDUE: &str = "overdue";

fn lines(printed: &str) -> impl Iterator<Item = [&str; 5]> {
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    whole.lines().filter_map(|line| line.split(' ').collect::<Vec<_>>().try_into().ok())
}
