//! The lines of the file.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    Entry, IncidentId, Signed, Stream, Timestamp,
    tree::{Hash, PROOF_MAX},
};

use super::{BUNDLE_VERSION, Bundle, Link, Proven};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub(super) enum Line {
    Bundle(HeadingLine),
    Entry(EntryLine),
    Consistency(LinkLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadingLine {
    pub(super) version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) incident: Option<IncidentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) newest: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    stream: Stream,
    sequence: u64,
    time: Timestamp,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_through: Option<u64>,
    body: String,
    leaf: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<Vec<Hash>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkLine {
    stream: Stream,
    from: u64,
    to: u64,
    proof: Vec<Hash>,
}

impl Line {
    pub(super) fn heading(bundle: &Bundle) -> Self {
        let Bundle { incident, newest, .. } = bundle;
        Self::Bundle(HeadingLine { version: BUNDLE_VERSION, incident: incident.clone(), newest: *newest })
    }

    pub(super) fn entry(Proven { entry, leaf, proof }: &Proven) -> Self {
        let (key, signature) =
            entry.signed.as_ref().map(|signed| (signed.key.clone(), signed.signature.clone())).unzip();
        Self::Entry(EntryLine {
            stream: entry.stream,
            sequence: entry.sequence,
            time: entry.time,
            subject: entry.subject.clone(),
            key,
            signature,
            // In what is said it means nothing, and is in no leaf.
            said_through: entry.said_through.filter(|_| entry.stream == Stream::Log),
            body: BASE64.encode(&entry.body),
            leaf: *leaf,
            proof: proof.clone(),
        })
    }

    pub(super) fn link(link: &Link) -> Self {
        let Link { stream, from, to, proof } = link.clone();
        Self::Consistency(LinkLine { stream, from, to, proof })
    }
}

impl TryFrom<EntryLine> for Proven {
    type Error = String;

    fn try_from(line: EntryLine) -> Result<Self, String> {
        let signed = match (line.key, line.signature) {
            (Some(key), Some(signature)) => Some(Signed { key, signature }),
            (None, None) => None,
            _ => return Err("key and signature belong together".to_owned()),
        };
        if line.stream == Stream::Said && line.said_through.is_some() {
            return Err("said_through is for TOCSIN_LOG".to_owned());
        }
        let body = BASE64.decode(line.body.as_bytes()).map_err(|why| format!("body is not base64: {why}"))?;
        bounded(line.proof.as_deref().unwrap_or_default())?;
        let entry = Entry {
            stream: line.stream,
            sequence: line.sequence,
            time: line.time,
            subject: line.subject,
            signed,
            said_through: line.said_through,
            body: body.into(),
        };
        Ok(Self { entry, leaf: line.leaf, proof: line.proof })
    }
}

impl TryFrom<LinkLine> for Link {
    type Error = String;

    fn try_from(LinkLine { stream, from, to, proof }: LinkLine) -> Result<Self, String> {
        bounded(&proof)?;
        Ok(Self { stream, from, to, proof })
    }
}

fn bounded(proof: &[Hash]) -> Result<(), String> {
    if proof.len() > PROOF_MAX { Err("no proof is so long".to_owned()) } else { Ok(()) }
}
