//! From an entry of the bus to a notice that can be believed, or the reason why not.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use tocsin_protocol::{
    AuthorKey, Entry, Event, EventNumber, IncidentId, Notice, PublisherId, RecipientId, Signed, Subject,
    Timestamp, from_body,
};

use crate::clean;

/// A notice whose author signed what it carries.
#[derive(Debug, Clone)]
pub struct ReadNotice {
    /// The notice.
    pub notice: Notice,
    /// The event that it carries.
    pub event: Event,
    /// How far the author is known.
    pub author: Author,
    /// The broker's time of the notice.
    pub stored_at: Timestamp,
    /// Its sequence in `TOCSIN_LOG`.
    pub sequence: u64,
    /// The notice's exact bytes: JSON.
    pub body: Bytes,
}

/// How far the author of an event is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Author {
    /// The key that signed it is pinned for this publisher at this desk.
    Pinned,
    /// The signature holds, but the key is the one that the notice itself names: the desk trusts the router that this
    /// is the publisher's.
    NotPinned {
        /// The key.
        key: String,
    },
}

/// A notice that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The subject as it came, fit to be shown.
    pub subject: String,
    /// Its sequence in `TOCSIN_LOG`.
    pub sequence: u64,
    /// The incident and event, when the subject names them.
    pub of: Option<(IncidentId, EventNumber)>,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no notice to this recipient.
    NotForUs,
    /// It, or the event that it carries, is not what it should be.
    Unreadable(String),
    /// It and the event that it carries contradict each other.
    Contradiction(&'static str),
    /// The event is not signed by its author.
    Forged(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, sequence, fault, .. } = self;
        write!(f, "{subject} (number {sequence}) ")?;
        match fault {
            Fault::NotForUs => f.write_str("is no notice to this recipient"),
            Fault::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Fault::Contradiction(what) => write!(f, "contradicts the event that it carries: {what}"),
            Fault::Forged(why) => write!(f, "is not signed by the author of the event: {why}"),
        }
    }
}

/// Reads a notice to this recipient and holds the author's signature against the event's exact bytes, under the
/// subject that the event itself names. `pinned` are the publishers' keys that this desk knows by other ways.
///
/// # Errors
/// [`Unfit`] with the fault. Its words are fit to be shown.
pub fn read_notice(
    entry: &Entry,
    recipient: &RecipientId,
    pinned: &BTreeMap<PublisherId, AuthorKey>,
) -> Result<ReadNotice, Unfit> {
    let subject = entry.subject.parse();
    let of = match &subject {
        Ok(Subject::Notice { incident, event, .. }) => Some((incident.clone(), *event)),
        _ => None,
    };
    let unfit = |fault| Unfit {
        subject: clean::line(&entry.subject, SHOWN),
        sequence: entry.sequence,
        of: of.clone(),
        fault,
    };
    match &subject {
        Ok(Subject::Notice { recipient: to, .. }) if to == recipient => {}
        _ => return Err(unfit(Fault::NotForUs)),
    }
    let (notice, event) = parse(&entry.body).map_err(|why| unfit(Fault::Unreadable(why)))?;
    if let Some(what) = contradiction(&notice, &event, of.as_ref(), recipient) {
        return Err(unfit(Fault::Contradiction(what)));
    }
    let author = author(&notice, &event, pinned).map_err(|why| unfit(Fault::Forged(why)))?;
    Ok(ReadNotice {
        notice,
        event,
        author,
        stored_at: entry.time,
        sequence: entry.sequence,
        body: entry.body.clone(),
    })
}

/// The longest part of a stranger's words that is repeated in a fault.
pub(crate) const SHOWN: usize = 300;

fn parse(body: &[u8]) -> Result<(Notice, Event), String> {
    let shown = |why: tocsin_protocol::Error| clean::line(&why.to_string(), SHOWN);
    let notice: Notice = from_body("notice", body).map_err(shown)?;
    let event: Event = from_body("event", notice.said_body.get().as_bytes()).map_err(shown)?;
    Ok((notice, event))
}

fn contradiction(
    notice: &Notice,
    event: &Event,
    subject: Option<&(IncidentId, EventNumber)>,
    recipient: &RecipientId,
) -> Option<&'static str> {
    let names = (&notice.incident, notice.event);
    if notice.recipient != *recipient {
        Some("it is for another recipient than its subject says")
    } else if subject.map(|(incident, event)| (incident, *event)) != Some(names)
        || names != (&event.incident, event.sequence)
    {
        Some("incident or event number differ")
    } else if notice.status != event.status {
        Some("one says that it is an exercise or test, the other does not")
    } else {
        None
    }
}

fn author(
    notice: &Notice,
    event: &Event,
    pinned: &BTreeMap<PublisherId, AuthorKey>,
) -> Result<Author, String> {
    let signed = Signed { key: notice.key.clone(), signature: notice.signature.clone() };
    let verify = |key: &AuthorKey| {
        key.verify(&event.subject().to_string(), notice.said_body.get().as_bytes(), &signed)
            .map_err(|why| clean::line(&why.to_string(), SHOWN))
    };
    if let Some(key) = pinned.get(&event.publisher) {
        verify(key)?;
        return Ok(Author::Pinned);
    }
    let key = AuthorKey::new(&notice.key).map_err(|why| clean::line(&why.to_string(), SHOWN))?;
    verify(&key)?;
    Ok(Author::NotPinned { key: key.as_str().to_owned() })
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{SigningKey, Status, to_body};

    use super::*;
    use crate::fixture;

    fn read(entry: &Entry) -> Result<ReadNotice, Unfit> {
        read_notice(entry, &fixture::RECIPIENT.parse().unwrap(), &BTreeMap::new())
    }

    #[test]
    fn a_notice_that_its_author_signed_is_believed() {
        let (event, key) = (fixture::event(), SigningKey::generate());
        let read = read(&fixture::entry(&fixture::notice(&event, &key))).unwrap();
        assert_eq!(read.event, event);
        assert_eq!(read.author, Author::NotPinned { key: key.public() });
    }

    #[test]
    fn a_pinned_key_is_the_only_one_that_counts() {
        let (event, key) = (fixture::event(), SigningKey::generate());
        let entry = fixture::entry(&fixture::notice(&event, &key));
        let pinned = |key: &SigningKey| {
            let known = AuthorKey::new(&key.public()).unwrap();
            read_notice(
                &entry,
                &fixture::RECIPIENT.parse().unwrap(),
                &BTreeMap::from([(event.publisher.clone(), known)]),
            )
        };
        assert_eq!(pinned(&key).unwrap().author, Author::Pinned);
        assert!(matches!(pinned(&SigningKey::generate()).unwrap_err().fault, Fault::Forged(_)));
    }

    #[test]
    fn what_cannot_be_believed_is_told_as_such() {
        let (event, key) = (fixture::event(), SigningKey::generate());
        let good = fixture::notice(&event, &key);
        let changed = |change: &dyn Fn(&mut Notice)| {
            let mut notice = good.clone();
            change(&mut notice);
            Entry { body: to_body("notice", &notice).unwrap(), ..fixture::entry(&good) }
        };
        let other_words =
            to_body("event", &Event { headline: "all is well".to_owned(), ..event.clone() }).unwrap();
        let (forged, contradicts) = ("is not signed by the author", "contradicts the event");
        let cases = [
            (
                "other words",
                changed(&|n| n.said_body = serde_json::from_slice(&other_words).unwrap()),
                forged,
            ),
            ("another's signature", changed(&|n| n.signature = "AAAA".to_owned()), forged),
            ("another's key", changed(&|n| n.key = SigningKey::generate().public()), forged),
            ("no key at all", changed(&|n| n.key = String::new()), forged),
            ("another event", changed(&|n| n.event = n.event.next()), contradicts),
            ("another recipient", changed(&|n| n.recipient = "x".parse().unwrap()), contradicts),
            ("said to be a test", changed(&|n| n.status = Status::Test), contradicts),
            (
                "junk",
                Entry { body: Bytes::from_static(b"\x1b[2J{"), ..fixture::entry(&good) },
                "cannot be read",
            ),
            (
                "another's subject",
                Entry { subject: "tocsin.notice.x.y.\u{1b}[2J".to_owned(), ..fixture::entry(&good) },
                "is no notice to this recipient",
            ),
        ];
        for (what, entry, told) in cases {
            let unfit = read(&entry).unwrap_err().to_string();
            assert!(unfit.contains(told), "{what}: {unfit}");
            assert!(!unfit.contains('\u{1b}'), "{what}: {unfit}");
        }
    }
}
