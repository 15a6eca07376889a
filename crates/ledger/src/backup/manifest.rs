//! What a back-up says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tocsin_protocol::{Stream, Timestamp};

use super::{MANIFEST, ORDER};

/// The form of the manifest.
const VERSION: u32 = 1;

/// The parts of a back-up, each with what it must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    backup_version: u32,
    pub(super) taken_at: Timestamp,
    /// The version of the nats-server.
    pub(super) server: String,
    /// By the stream's name.
    pub(super) streams: BTreeMap<String, Part>,
}

/// One stream's snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// The stream's state in it, as the broker told it and wants to be told it again.
    pub(super) state: State,
}

/// How a stream stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) messages: u64,
    pub(super) last_seq: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Manifest {
    pub(super) fn new(taken_at: Timestamp, server: String, streams: BTreeMap<String, Part>) -> Self {
        Self { backup_version: VERSION, taken_at, server, streams }
    }

    /// Reads one; the error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            backup_version: u32,
        }
        let wrong = |why: serde_json::Error| format!("{MANIFEST} is none of ours: {why}");
        let Version { backup_version } = serde_json::from_str(text).map_err(wrong)?;
        if backup_version != VERSION {
            return Err(format!(
                "{MANIFEST} has version {backup_version}, and this tocsin knows version {VERSION}: use the tocsin that took the back-up, or a newer one"
            ));
        }
        let read: Self = serde_json::from_str(text).map_err(wrong)?;
        let names = ORDER.map(Stream::name);
        match read.streams.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(format!("{MANIFEST} tells of stream {name}, which is none of ours")),
            None => Ok(read),
        }
    }
}
