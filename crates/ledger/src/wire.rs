//! What NATS carries, as entries; and our headers.

#[cfg(test)]
mod fuzz;

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use tocsin_protocol::{
    AttemptPhase, Entry, KEY_HEADER, NewFact, SAID_THROUGH_HEADER, SIGNATURE_HEADER, Signed, Stream, Subject,
    TRACEPARENT_HEADER, Timestamp,
};

pub(crate) const EXPECTED_LAST_SEQUENCE: &str = "Nats-Expected-Last-Sequence";
pub(crate) const EXPECTED_LAST_SUBJECT_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";
pub(crate) const EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
const SCHEDULE: &str = "Nats-Schedule";
const SCHEDULE_TARGET: &str = "Nats-Schedule-Target";
const STREAM: &str = "Nats-Stream";
const SUBJECT: &str = "Nats-Subject";
const SEQUENCE: &str = "Nats-Sequence";
const TIME_STAMP: &str = "Nats-Time-Stamp";

/// The condition under which a fact is written: nothing stands on its subject.
pub(crate) fn written_once() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    headers
}

/// For tools that watch the bus: to which trace a fact belongs. It is never read back.
fn trace(headers: &mut HeaderMap, subject: &Subject) {
    if let Some(context) = subject.trace() {
        headers.insert(TRACEPARENT_HEADER, context.to_string());
    }
}

/// The headers of a signed fact, under this condition.
pub(crate) fn signed_headers(subject: &Subject, signed: &Signed, last: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    trace(&mut headers, subject);
    headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE, last.to_string());
    headers.insert(KEY_HEADER, signed.key.as_str());
    headers.insert(SIGNATURE_HEADER, signed.signature.as_str());
    headers
}

/// All of an attempt: its two ends.
pub(crate) fn whole_attempt(subject: &Subject) -> Option<String> {
    let Subject::Attempt { .. } = subject else { return None };
    let subject = subject.to_string();
    let (attempt, _) = subject.rsplit_once('.')?;
    Some(format!("{attempt}.*"))
}

/// The subjects on which nothing may stand for a fact to be written, where that is more than its own: what has ended,
/// without having been begun, is not begun any more.
pub(crate) fn alone_on(subject: &Subject) -> Option<String> {
    let begins = matches!(subject, Subject::Attempt { phase: AttemptPhase::Begun, .. });
    begins.then(|| whole_attempt(subject)).flatten()
}

/// The headers of a fact of ours, under the condition that nothing stands on its subject, or on [`alone_on`] of it.
pub(crate) fn fact_headers(fact: &NewFact, said_through: Option<u64>) -> HeaderMap {
    let mut headers = written_once();
    if let Some(subjects) = alone_on(&fact.subject) {
        headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, subjects);
    }
    trace(&mut headers, &fact.subject);
    if let Some(said_through) = said_through {
        headers.insert(SAID_THROUGH_HEADER, said_through.to_string());
    }
    if let Some(schedule) = &fact.schedule {
        headers.insert(SCHEDULE, format!("@at {}", schedule.at));
        headers.insert(SCHEDULE_TARGET, schedule.target.to_string());
    }
    headers
}

/// The headers that we read, whichever way they came.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Headers {
    key: Option<String>,
    signature: Option<String>,
    said_through: Option<u64>,
}

impl Headers {
    fn of(map: &HeaderMap) -> Self {
        let first = |name: &str| map.get(name).map(|value| value.as_str().to_owned());
        Self {
            key: first(KEY_HEADER),
            signature: first(SIGNATURE_HEADER),
            said_through: map.get(SAID_THROUGH_HEADER).and_then(|value| value.as_str().parse().ok()),
        }
    }

    /// Reads a header block as it is stored, by the rules of the client library, but takes what it would refuse.
    fn raw(block: &[u8]) -> Self {
        let text = String::from_utf8_lossy(block);
        let mut found = Self::default();
        let mut said_through = None;
        let mut lines = text.lines().skip(1).peekable();
        while let Some(line) = lines.next() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let mut value = value.trim_start().to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
                value.push_str(more);
            }
            value.truncate(value.trim_end().len());
            match name {
                KEY_HEADER => _ = found.key.get_or_insert(value),
                SIGNATURE_HEADER => _ = found.signature.get_or_insert(value),
                SAID_THROUGH_HEADER => _ = said_through.get_or_insert(value),
                _ => {}
            }
        }
        // The first value alone, be it a number or not: an entry is the same whichever way it was read.
        found.said_through = said_through.and_then(|value| value.parse().ok());
        found
    }

    fn entry(self, stream: Stream, sequence: u64, time: Timestamp, subject: String, body: Bytes) -> Entry {
        let signed = match (self.key, self.signature) {
            (Some(key), Some(signature)) => Some(Signed { key, signature }),
            _ => None,
        };
        Entry { stream, sequence, time, subject, signed, said_through: self.said_through, body }
    }
}

/// Whether the client library can read this header block. One that it cannot ends its connection.
pub(crate) fn is_readable(block: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(block) else { return false };
    let mut lines = text.lines();
    let plain = lines.next().is_none_or(|version| version == "NATS/1.0");
    plain
        && lines.all(|line| {
            line.is_empty()
                || line.split_once(':').is_some_and(|(name, _)| {
                    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                })
        })
}

/// What a delivery's reply subject tells: `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<stream
/// sequence>.<consumer sequence>.<time>.<pending>[.<random>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// How often it was delivered, this time included.
    pub(crate) deliveries: u64,
    /// Its sequence in the stream.
    pub(crate) sequence: u64,
    /// Its sequence in the consumer's deliveries.
    pub(crate) consumer_sequence: u64,
    /// The broker's time, in nanoseconds since 1970.
    nanoseconds: i64,
    /// How many more the consumer has to deliver.
    pub(crate) pending: u64,
}

impl Delivered {
    pub(crate) fn parse(reply: &str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let mut words = [""; 10];
        let mut count = 0;
        for word in rest.split('.') {
            *words.get_mut(count)? = word;
            count += 1;
        }
        let words = match count {
            7 => words.get(2..7)?,
            9 | 10 => words.get(4..9)?,
            _ => return None,
        };
        let [deliveries, sequence, consumer_sequence, nanoseconds, pending] = words else { return None };
        Some(Self {
            deliveries: deliveries.parse().ok()?,
            sequence: sequence.parse().ok()?,
            consumer_sequence: consumer_sequence.parse().ok()?,
            nanoseconds: nanoseconds.parse().ok()?,
            pending: pending.parse().ok()?,
        })
    }

    /// The message so delivered, as an entry.
    pub(crate) fn entry(&self, stream: Stream, message: Message) -> Entry {
        let headers = message.headers.as_ref().map(Headers::of).unwrap_or_default();
        let subject = message.subject.as_str().to_owned();
        headers.entry(stream, self.sequence, time_of(self.nanoseconds), subject, message.payload)
    }
}

/// The time of these nanoseconds since 1970. Every `i64` of them is within the years that a timestamp has.
fn time_of(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A republished message, or the answer to a direct get: the stored message with its place in headers. The broker's
/// own come last, so that no stored header can stand for them.
pub(crate) fn placed_entry(stream: Stream, message: Message) -> Option<Entry> {
    let map = message.headers.as_ref()?;
    let last = |name: &str| map.get_last(name).map(async_nats::HeaderValue::as_str);
    if last(STREAM)? != stream.name() {
        return None;
    }
    let sequence = last(SEQUENCE)?.parse().ok()?;
    let time = last(TIME_STAMP)?.parse().ok()?;
    let subject = last(SUBJECT)?.to_owned();
    Some(Headers::of(map).entry(stream, sequence, time, subject, message.payload))
}

/// A stored message as `STREAM.MSG.GET` answers it. Its headers are bytes, so nothing in them can do harm.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    subject: String,
    seq: u64,
    time: Timestamp,
    #[serde(default, deserialize_with = "base64")]
    hdrs: Vec<u8>,
    #[serde(default, deserialize_with = "base64")]
    data: Vec<u8>,
}

impl From<Entry> for Stored {
    fn from(entry: Entry) -> Self {
        let signed = entry.signed.iter().flat_map(|Signed { key, signature }| {
            [(KEY_HEADER, key.clone()), (SIGNATURE_HEADER, signature.clone())]
        });
        let through = entry.said_through.map(|through| (SAID_THROUGH_HEADER, through.to_string()));
        let lines = signed.chain(through).map(|(name, value)| format!("{name}: {value}\r\n"));
        let hdrs = ["NATS/1.0\r\n".to_owned()].into_iter().chain(lines).collect::<String>();
        Self {
            subject: entry.subject,
            seq: entry.sequence,
            time: entry.time,
            hdrs: hdrs.into_bytes(),
            data: entry.body.to_vec(),
        }
    }
}

impl Stored {
    pub(crate) fn into_entry(self, stream: Stream) -> Entry {
        Headers::raw(&self.hdrs).entry(stream, self.seq, self.time, self.subject, self.data.into())
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.seq
    }

    /// Whether a consumer could have delivered it to the client library.
    pub(crate) fn is_readable(&self) -> bool {
        is_readable(&self.hdrs) && self.subject.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    // Not borrowed: Go escapes `+` in JSON strings as it likes.
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    data_encoding::BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_read_in_both_forms() {
        let delivered = Delivered::parse("$JS.ACK.TOCSIN_LOG.c.2.17.5.1687674240000000001.9").unwrap();
        assert_eq!((delivered.deliveries, delivered.sequence, delivered.pending), (2, 17, 9));
        assert_eq!(time_of(delivered.nanoseconds).to_string(), "2023-06-25T06:24:00.000000001Z");
        let second =
            Delivered::parse("$JS.ACK.hub.ACC.TOCSIN_LOG.c.2.17.5.1687674240000000001.9.rnd").unwrap();
        assert_eq!(second, delivered);
        for bad in ["", "$JS.ACK.a.b", "$JS.FC.x", "$JS.ACK.a.b.c.d.e.f.g", "$JS.ACK.1.2.3.4.5.6.7.8.9.10.11"]
        {
            assert_eq!(Delivered::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn raw_headers_are_read_as_the_library_reads_them() {
        let block = b"NATS/1.0\r\nTocsin-Key:  UA \r\nTocsin-Signature: si\r\n g\r\nTocsin-Key: UB\r\nTocsin-Said-Through: 12\r\n\r\n";
        let headers = Headers::raw(block);
        assert_eq!(headers.key.as_deref(), Some("UA"));
        assert_eq!(headers.signature.as_deref(), Some("si g"));
        assert_eq!(headers.said_through, Some(12));
        let twice = b"NATS/1.0\r\nTocsin-Said-Through: x\r\nTocsin-Said-Through: 12\r\n\r\n";
        assert_eq!(Headers::raw(twice).said_through, None, "as the library's first value");
        assert!(is_readable(b"NATS/1.0\r\nTocsin-Key: UA\r\n\r\n"));
        assert!(is_readable(b""));
    }

    #[test]
    fn headers_that_would_end_a_connection_are_known() {
        for bad in [
            &b"NATS/1.0\r\n\xff\xfe: x\r\n\r\n"[..],
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0 100 Idle\r\n\r\n",
            b"NATS/9.9\r\n\r\n",
            b"NATS/1.0\r\n: x\r\n\r\n",
        ] {
            assert!(!is_readable(bad), "{:?}", String::from_utf8_lossy(bad));
            let _ = Headers::raw(bad);
        }
    }
}
