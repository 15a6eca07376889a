//! Snapshots of the fold, kept beside the two streams: written, found, and held against what the streams are.
//!
//! A snapshot is only ever an optimisation. It stands in a stream of its own, `TOCSIN_FOLD`, which no back-up holds and
//! which may be removed at any time. There are two places; one is written while the other holds the newest whole one.
//! Each has a head, which names the bytes by their hash and is written last, and parts. So whoever dies while writing
//! leaves the former, or none, and never half of one that is taken for whole.
//!
//! What it is of is held against the streams before it is used ([`find`]); in any doubt it is not. An auditor never looks
//! at one.

mod find;
mod keep;

use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use serde_json::json;
use tocsin_protocol::{KEY_HEADER, SIGNATURE_HEADER, Signed, Timestamp};

use crate::{
    Error, Shape,
    api::code,
    patience::Patience,
    shared::{NoAnswer, Shared},
};

pub use find::{Doubt, Found};

/// The stream that holds them.
pub const SNAPSHOTS: &str = "TOCSIN_FOLD";
/// Its subjects.
pub const SNAPSHOT_SUBJECTS: &str = "tocsin.fold.*.*";

/// The two places.
const PLACES: [u8; 2] = [0, 1];
/// A state goes in parts of this size, below the least that a broker is set to take.
const PART: usize = 512 * 1024;
/// Parts that are on their way at once.
const AT_ONCE: usize = 8;
/// How long a broker that does not answer is asked for one: what was folded can be read instead.
const PATIENCE: Duration = Duration::from_secs(5);

fn head_of(place: u8) -> String {
    format!("tocsin.fold.{place}.head")
}

fn part_of(place: u8, part: usize) -> String {
    format!("tocsin.fold.{place}.{part}")
}

/// What stands at the head of a place.
#[derive(Debug, Clone)]
struct Head {
    place: u8,
    /// Its sequence in the stream.
    sequence: u64,
    time: Timestamp,
    /// Empty while somebody writes.
    body: Bytes,
    signed: Option<Signed>,
}

impl Shared {
    /// Makes the stream where it is not there. Who may not has none, and loses nothing but time.
    pub(crate) async fn make_snapshots(&self, shape: &Shape) -> Result<(), Error> {
        let config = json!({
            "name": SNAPSHOTS,
            "description": "Snapshots of the fold: an optimisation, which may be removed at any time",
            "subjects": [SNAPSHOT_SUBJECTS],
            "retention": "limits",
            "storage": "file",
            "discard": "old",
            "max_msgs_per_subject": 1,
            "num_replicas": shape.replicas,
            "allow_direct": true,
        });
        let attempted = format!("making stream {SNAPSHOTS}");
        match self.api::<serde_json::Value>(&attempted, &format!("STREAM.CREATE.{SNAPSHOTS}"), &config).await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.err_code == code::STREAM_NAME_IN_USE => Ok(()),
            Ok(Err(error)) => {
                Err(Error::Refused { attempted, code: error.err_code, description: error.description })
            }
            Err(Error::Denied { .. }) => {
                tracing::warn!(
                    "this user may not make stream {SNAPSHOTS}, so that every start reads the whole record: make the bus's configuration anew with `tocsin provision`, and run `tocsin setup` again"
                );
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The heads of both places, where anything stands there.
    async fn heads(&self) -> Result<Vec<Head>, Error> {
        let mut heads = Vec::new();
        for place in PLACES {
            let Some(message) = self.kept(&head_of(place)).await? else { continue };
            let header =
                |name: &str| message.headers.as_ref()?.get_last(name).map(|value| value.as_str().to_owned());
            let placed = header("Nats-Sequence")
                .and_then(|sequence| sequence.parse().ok())
                .zip(header("Nats-Time-Stamp").and_then(|time| time.parse().ok()));
            let Some((sequence, time)) = placed else { continue };
            let signed = header(KEY_HEADER).zip(header(SIGNATURE_HEADER));
            let signed = signed.map(|(key, signature)| Signed { key, signature });
            heads.push(Head { place, sequence, time, body: message.payload.clone(), signed });
        }
        Ok(heads)
    }

    /// The last message on a subject of the stream of snapshots.
    async fn kept(&self, subject: &str) -> Result<Option<Message>, Error> {
        let api = self.api_subject(&format!("DIRECT.GET.{SNAPSHOTS}.{subject}"));
        let mut patience = Patience::up_to(PATIENCE);
        loop {
            match self.ask(&api, None, Bytes::new(), patience.answer_within()).await {
                Ok(message) if message.status.is_some_and(|status| status.as_u16() == 404) => {
                    return Ok(None);
                }
                Ok(message) => return Ok(Some(message)),
                // No such stream: one that is without a leader for the moment is not worth the wait.
                Err(NoAnswer::NobodyThere) => return Ok(None),
                Err(NoAnswer::Never(error)) => return Err(error),
                Err(NoAnswer::Lost(why)) => patience.pause(&format!("reading {subject}"), &why).await?,
            }
        }
    }
}
