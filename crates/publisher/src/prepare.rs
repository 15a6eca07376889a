//! From a draft or a user's file to the exact bytes that are sent, checked and signed.

use bytes::Bytes;
use tocsin_protocol::{Event, PublisherId, Signed, SigningKey, Subject, schema};

use crate::error::Error;

/// An event that has been checked and signed: what is spooled and sent, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    event: Event,
    subject: Subject,
    body: Bytes,
    signed: Signed,
}

impl Prepared {
    /// What the bytes say.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The event's identity.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The exact bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The publisher's key and signature over subject and body.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// Checks and signs a draft.
///
/// # Errors
/// [`Error::Invalid`] with every fault, [`Error::AnothersEvent`] when it is not this publisher's.
pub fn prepare(event: &Event, key: &SigningKey, publisher: &PublisherId) -> Result<Prepared, Error> {
    prepare_bytes(&tocsin_protocol::to_body("event", event)?, key, publisher)
}

/// Checks and signs an event as a user's file holds it. Its bytes stay as they are, but for white space around them
/// and a byte order mark before them, which are no part of the JSON.
///
/// # Errors
/// [`Error::Invalid`] with every fault, [`Error::AnothersEvent`] when it is not this publisher's.
pub fn prepare_bytes(bytes: &[u8], key: &SigningKey, publisher: &PublisherId) -> Result<Prepared, Error> {
    let body = trimmed(bytes);
    let event = schema::check_event(body).map_err(|problems| Error::Invalid { problems })?;
    if event.publisher != *publisher {
        return Err(Error::AnothersEvent { found: event.publisher, own: publisher.clone() });
    }
    let subject = event.subject();
    let signed = key.sign(&subject.to_string(), body)?;
    Ok(Prepared { event, subject, body: Bytes::copy_from_slice(body), signed })
}

/// The JSON text alone: a notice carries it as a raw JSON value, which begins and ends with no white space.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let white = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let start = bytes.iter().position(|b| !white(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !white(b)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#" {
  "incident": "x", "sequence": 1, "kind": "initial", "status": "test", "publisher": "bt-cha",
  "category": "outage", "services": ["999-voice"], "headline": "caf\u00e9", "areas": ["uk"],
  "began_at": "2023-06-25T06:24:00+01:00"
} "#;

    fn publisher() -> PublisherId {
        PublisherId::new("bt-cha").unwrap()
    }

    #[test]
    fn the_bytes_of_a_users_file_are_signed_as_they_are() {
        let key = SigningKey::generate();
        let prepared =
            prepare_bytes(format!("\u{feff}\r\n{FILE}\n\n").as_bytes(), &key, &publisher()).unwrap();
        assert_eq!(prepared.body(), FILE.trim().as_bytes());
        let author = tocsin_protocol::AuthorKey::new(&key.public()).unwrap();
        author.verify("tocsin.incident.bt-cha.x.1", FILE.trim().as_bytes(), prepared.signed()).unwrap();
    }

    #[test]
    fn an_event_of_another_publisher_is_not_sent() {
        let other = PublisherId::new("kcom").unwrap();
        let refused = prepare_bytes(FILE.as_bytes(), &SigningKey::generate(), &other).unwrap_err();
        insta::assert_snapshot!(refused);
    }

    #[test]
    fn a_bad_event_is_refused_with_all_its_problems_before_it_is_sent() {
        let bad = FILE.replace("\"x\"", "\"X.1\"").replace("test", "draft").replace("[\"uk\"]", "[]");
        let refused = prepare_bytes(bad.as_bytes(), &SigningKey::generate(), &publisher()).unwrap_err();
        insta::assert_snapshot!(refused);
    }

    #[test]
    fn nothing_at_all_is_refused_too() {
        for nothing in ["", "\u{feff}", "  \n", "\u{feff}{", "null"] {
            let refused = prepare_bytes(nothing.as_bytes(), &SigningKey::generate(), &publisher());
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{nothing:?}");
        }
    }
}
