//! What a snapshot of the fold says of itself: of which entries it is, and in which bytes it stands.
//!
//! It is no fact and vouches for nothing. It is made where a [`Checkpoint`] stands that states the same two trees, so that
//! whoever finds both knows that the entries folded are those that the log holds.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::Checkpoint,
    entry::{Entry, Stream},
    error::Error,
    fact::{from_body, to_body},
    leaf::leaf,
    sign::{AuthorKey, Signed, SigningKey},
    tree::{Frontier, Hash},
};

/// The longest that is read, in bytes.
pub const MAX_SNAPSHOT_HEAD_BYTES: usize = 16 * 1024;

/// What its signature is over besides its bytes, so that it can be taken for nothing else.
const SIGNED_AS: &str = "tocsin.fold";

/// What a snapshot of the fold says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Who can read the bytes: the form of the state and the version of the program.
    pub form: String,
    /// What was folded of `TOCSIN_SAID`.
    pub said: Cut,
    /// What was folded of `TOCSIN_LOG`.
    pub log: Cut,
    /// How many bytes the state has.
    pub bytes: u64,
    /// Their hash, as one leaf.
    pub digest: Hash,
}

/// A stream up to a place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The last sequence that was taken in.
    pub through: u64,
    /// The tree of the leaves up to there.
    pub tree: Frontier,
    /// The first leaf.
    pub first: Option<Place>,
    /// The last leaf.
    pub last: Option<Place>,
}

/// Where a leaf stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The sequence of its entry.
    pub sequence: u64,
    /// Its hash.
    pub leaf: Hash,
}

impl Cut {
    /// Takes in the next entry of the stream.
    pub fn take(&mut self, entry: &Entry) {
        self.through = self.through.max(entry.sequence);
        let Some(leaf) = leaf(entry) else { return };
        self.tree.push(leaf);
        let place = Place { sequence: entry.sequence, leaf };
        self.first.get_or_insert(place);
        self.last = Some(place);
    }
}

impl Place {
    /// Whether this entry stands there.
    pub fn is_of(&self, entry: &Entry) -> bool {
        entry.sequence == self.sequence && leaf(entry) == Some(self.leaf)
    }
}

impl Snapshot {
    /// Of the state in these bytes, of what was folded up to these places.
    pub fn of(body: &[u8], form: String, said: Cut, log: Cut) -> Self {
        Self { form, said, log, bytes: body.len() as u64, digest: Hash::of_leaf(body) }
    }

    /// The checkpoint that states the same.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { log: self.log.tree.head(), said: self.said.tree.head() }
    }

    /// What was folded of a stream.
    pub fn cut(&self, stream: Stream) -> &Cut {
        match stream {
            Stream::Said => &self.said,
            Stream::Log => &self.log,
        }
    }

    /// How many entries were folded.
    pub fn entries(&self) -> u64 {
        self.said.through.saturating_add(self.log.through)
    }

    /// Whether the state is these bytes.
    pub fn is_of(&self, body: &[u8]) -> bool {
        self.bytes == body.len() as u64 && self.digest == Hash::of_leaf(body)
    }

    /// As bytes, signed.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn signed(&self, key: &SigningKey) -> Result<(Bytes, Signed), Error> {
        let head = to_body("snapshot", self)?;
        let signed = key.sign(SIGNED_AS, &head)?;
        Ok((head, signed))
    }

    /// Reads what may be anything, if this key signed it.
    ///
    /// # Errors
    /// [`Error::Signature`] and its like, or [`Error::Body`].
    pub fn read(head: &[u8], signed: &Signed, key: &AuthorKey) -> Result<Self, Error> {
        if head.len() > MAX_SNAPSHOT_HEAD_BYTES {
            return Err(Error::Body { what: "snapshot", why: "it is longer than any".to_owned() });
        }
        key.verify(SIGNED_AS, head, signed)?;
        from_body("snapshot", head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(sequence: u64, subject: &str) -> Entry {
        Entry {
            stream: Stream::Log,
            sequence,
            time: "2023-06-25T06:24:00Z".parse().unwrap(),
            subject: subject.to_owned(),
            signed: None,
            said_through: None,
            body: Bytes::from_static(b"{}"),
        }
    }

    fn snapshot() -> Snapshot {
        let mut log = Cut::default();
        for n in 1..=5 {
            log.take(&entry(n, &format!("tocsin.notice.a.x.{n}")));
        }
        log.take(&entry(6, "tocsin.window.x.1.1"));
        Snapshot::of(b"state", "1".to_owned(), Cut::default(), log)
    }

    #[test]
    fn a_window_is_folded_and_is_no_place() {
        let log = snapshot().log;
        assert_eq!((log.through, log.tree.size()), (6, 5));
        assert_eq!((log.first.unwrap().sequence, log.last.unwrap().sequence), (1, 5));
        assert!(log.last.unwrap().is_of(&entry(5, "tocsin.notice.a.x.5")));
        assert!(!log.last.unwrap().is_of(&entry(5, "tocsin.notice.a.x.4")));
    }

    #[test]
    fn what_is_read_is_what_was_signed_and_nothing_else() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let public = AuthorKey::new(&key.public()).unwrap();
        let (head, signed) = snapshot().signed(&key).unwrap();
        let read = Snapshot::read(&head, &signed, &public).unwrap();
        assert_eq!(read, snapshot());
        assert!(read.is_of(b"state") && !read.is_of(b"stats") && !read.is_of(b"state "));
        let (_, forged) = snapshot().signed(&stranger).unwrap();
        assert!(Snapshot::read(&head, &forged, &public).is_err());
        let mut altered = head.to_vec();
        let at = altered.iter().position(|byte| *byte == b'6').unwrap();
        altered[at] = b'7';
        assert!(Snapshot::read(&altered, &signed, &public).is_err());
    }

    #[test]
    fn a_tree_that_is_none_is_not_read() {
        let tree = snapshot().log.tree;
        let text = serde_json::to_string(&tree).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&text).unwrap(), tree);
        assert!(serde_json::from_str::<Frontier>(&text.replace("\"size\":5", "\"size\":4")).is_err());
    }
}
