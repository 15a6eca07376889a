//! A checkpoint: a signed statement of both streams so far, as a signed note.
//!
//! The text follows C2SP `tlog-checkpoint` for `TOCSIN_LOG`, with `TOCSIN_SAID` in an extension line, and the form of
//! the note C2SP `signed-note`, so that witnesses and tools made for those can read it:
//!
//! ```text
//! tocsin/<public NKey>
//! <leaves of TOCSIN_LOG>
//! <root of TOCSIN_LOG, base64>
//! TOCSIN_SAID <leaves> <root, base64>
//!
//! — tocsin/<public NKey> <signature, base64>
//! ```
//!
//! It stands on `tocsin.checkpoint.<number>`, and its number is the size of the LOG that it states. Ed25519 signs the
//! same text the same way each time, so routers that hold the same key write the same bytes.

use bytes::Bytes;
use data_encoding::{BASE32_NOPAD, BASE64};
use sha2::{Digest, Sha256};

use crate::{
    entry::{NewFact, Stream},
    error::Error,
    sign::{AuthorKey, SigningKey},
    subject::Subject,
    tree::{Hash, Head},
};

/// The longest note that is read, in bytes.
pub const MAX_CHECKPOINT_BYTES: usize = 1000;

const ORIGIN: &str = "tocsin/";
const SIGNED_BY: &str = "\u{2014} ";

/// C2SP's number for Ed25519.
const ED25519: u8 = 1;

/// What both streams held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The tree of `TOCSIN_LOG`.
    pub log: Head,
    /// The tree of `TOCSIN_SAID`.
    pub said: Head,
}

impl Checkpoint {
    /// Its number, which is the size of the LOG.
    pub fn number(&self) -> u64 {
        self.log.size
    }

    /// The head that it states of a stream.
    pub fn head(&self, stream: Stream) -> Head {
        match stream {
            Stream::Said => self.said,
            Stream::Log => self.log,
        }
    }

    /// The identity of this fact.
    pub fn subject(&self) -> Subject {
        Subject::Checkpoint { number: self.number() }
    }

    /// The checkpoint as a fact for the log, signed.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn fact(&self, key: &SigningKey) -> Result<NewFact, Error> {
        Ok(NewFact { subject: self.subject(), body: Bytes::from(self.note(key)?), schedule: None })
    }

    /// The checkpoint as a signed note.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn note(&self, key: &SigningKey) -> Result<String, Error> {
        let name = format!("{ORIGIN}{}", key.public());
        let text = self.text(&name);
        let mut signature = key_hash(&name, &key.public()).ok_or(Error::Seed)?.to_vec();
        signature.extend(key.sign_bytes(text.as_bytes())?);
        Ok(format!("{text}\n{SIGNED_BY}{name} {}\n", BASE64.encode(&signature)))
    }

    fn text(&self, name: &str) -> String {
        let Self { log, said } = self;
        format!("{name}\n{}\n{}\nTOCSIN_SAID {} {}\n", log.size, log.root, said.size, said.root)
    }
}

/// A note that was read: what it states, and whose it says that it is. Whether that is so is for
/// [`SignedCheckpoint::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it states.
    pub checkpoint: Checkpoint,
    /// The public NKey in its origin.
    pub key: String,
    signature: [u8; 64],
}

impl SignedCheckpoint {
    /// Reads a note, which may be anything. Signatures of others beside the log's own are let stand.
    ///
    /// # Errors
    /// [`Error::Checkpoint`].
    pub fn read(note: &[u8]) -> Result<Self, Error> {
        let bad = |why| Error::Checkpoint { why };
        if note.len() > MAX_CHECKPOINT_BYTES {
            return Err(bad("it is longer than any"));
        }
        let note = std::str::from_utf8(note).map_err(|_| bad("it is not UTF-8 text"))?;
        let (text, signatures) =
            note.split_once("\n\n").ok_or_else(|| bad("it has no empty line before its signatures"))?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [name, log_size, log_root, said] = lines[..] else {
            return Err(bad("it should have an origin, a size, a root and a line for TOCSIN_SAID"));
        };
        let key = name.strip_prefix(ORIGIN).ok_or_else(|| bad("its origin is not tocsin/<key>"))?;
        let hash = key_hash(name, key).ok_or_else(|| bad("its origin names no public NKey"))?;
        let head = |size, root| {
            Some(Head { size: size_of(size)?, root: Hash::from_base64(root)? })
                .filter(|head| head.size > 0 || *head == Head::of_nothing())
        };
        let said = said.strip_prefix("TOCSIN_SAID ").and_then(|said| said.split_once(' '));
        let said = said.and_then(|(size, root)| head(size, root));
        let checkpoint = Checkpoint {
            log: head(log_size, log_root).ok_or_else(|| bad("its size or root cannot be read"))?,
            said: said.ok_or_else(|| bad("its line for TOCSIN_SAID cannot be read"))?,
        };
        let signatures =
            signatures.strip_suffix('\n').ok_or_else(|| bad("its last line does not end"))?.split('\n');
        let mut own = None;
        for line in signatures {
            let (by, signature) = line
                .strip_prefix(SIGNED_BY)
                .and_then(|line| line.split_once(' '))
                .ok_or_else(|| bad("a line of its signatures cannot be read"))?;
            let signature =
                BASE64.decode(signature.as_bytes()).map_err(|_| bad("a signature is not base64"))?;
            if by == name && signature.starts_with(&hash) {
                let signature = signature[hash.len()..].try_into();
                let signature = signature.map_err(|_| bad("its signature has not the length of one"))?;
                if own.replace(signature).is_some() {
                    return Err(bad("its key signs it twice"));
                }
            }
        }
        let signature = own.ok_or_else(|| bad("the key that its origin names has not signed it"))?;
        Ok(Self { checkpoint, key: key.to_owned(), signature })
    }

    /// Holds it against a key.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it names another key, or the signature is not this key's.
    pub fn verify(&self, key: &AuthorKey) -> Result<(), Error> {
        if self.key != key.as_str() {
            return Err(Error::Checkpoint { why: "it is signed with another key" });
        }
        let text = self.checkpoint.text(&format!("{ORIGIN}{}", self.key));
        key.verify_bytes(text.as_bytes(), &self.signature)
            .map_err(|()| Error::Checkpoint { why: "its signature does not verify" })
    }
}

/// A size as we write it: decimal, without sign or leading zero.
fn size_of(text: &str) -> Option<u64> {
    text.parse().ok().filter(|size: &u64| size.to_string() == text)
}

/// The first four bytes that stand for a key in a signature line; `None` when the key is no NKey.
fn key_hash(name: &str, key: &str) -> Option<[u8; 4]> {
    AuthorKey::new(key).ok()?;
    // An NKey is a byte for its kind, the key, and two bytes to check it by.
    let bytes = BASE32_NOPAD.decode(key.as_bytes()).ok()?;
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(bytes.get(1..33)?)
        .finalize();
    hash.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            log: Head { size: 120, root: Hash::of_leaf(b"log") },
            said: Head { size: 45, root: Hash::of_leaf(b"said") },
        }
    }

    #[test]
    fn a_note_is_what_the_page_says() {
        let key = SigningKey::generate();
        let note = checkpoint().note(&key).unwrap();
        let (text, signature) = note.trim_end().rsplit_once(' ').unwrap();
        let signature = BASE64.decode(signature.as_bytes()).unwrap();
        assert_eq!(signature.len(), 4 + 64);
        insta::assert_snapshot!(text.replace(&key.public(), "U..."), @r"
        tocsin/U...
        120
        e9i+Q91fn9b2qLH2U1H/BZy0dqYt42bahgxP4LuZqm8=
        TOCSIN_SAID 45 gzxsOmaRa+XmMlVB1sHDh2Tlz6/9t4sijThnmMYB9MY=

        — tocsin/U...
        ");
    }

    #[test]
    fn a_note_comes_back_and_holds_for_its_key_alone() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let note = checkpoint().note(&key).unwrap();
        assert_eq!(checkpoint().note(&key).unwrap(), note, "the same each time");
        let read = SignedCheckpoint::read(note.as_bytes()).unwrap();
        assert_eq!((read.checkpoint, read.key.as_str()), (checkpoint(), key.public().as_str()));
        assert_eq!(read.verify(&AuthorKey::new(&key.public()).unwrap()), Ok(()));
        assert!(read.verify(&AuthorKey::new(&other.public()).unwrap()).is_err());
    }

    #[test]
    fn what_is_changed_in_a_note_does_not_verify() {
        let key = SigningKey::generate();
        let author = AuthorKey::new(&key.public()).unwrap();
        let note = checkpoint().note(&key).unwrap();
        for at in 0..note.len() {
            for byte in [b'0', b'1', b'\n', b' ', b'A', 0xff] {
                let mut changed = note.clone().into_bytes();
                if changed[at] == byte {
                    continue;
                }
                changed[at] = byte;
                let read = SignedCheckpoint::read(&changed);
                assert!(read.and_then(|read| read.verify(&author)).is_err(), "{at}: {byte}");
            }
        }
    }

    #[test]
    fn a_witness_may_sign_beside_the_log() {
        let key = SigningKey::generate();
        let note = checkpoint().note(&key).unwrap();
        let witnessed = format!("{note}{SIGNED_BY}witness.example {}\n", BASE64.encode(&[7; 76]));
        let read = SignedCheckpoint::read(witnessed.as_bytes()).unwrap();
        assert_eq!(read.verify(&AuthorKey::new(&key.public()).unwrap()), Ok(()));
        let twice = format!("{note}{}", &note[note.find(SIGNED_BY).unwrap()..]);
        assert!(SignedCheckpoint::read(twice.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            let _ = SignedCheckpoint::read(&bytes);
        }

        #[test]
        fn no_text_like_a_note_makes_it_panic(text in "(tocsin/[A-Z2-7]{0,60}|\n|[0-9]{1,22}|TOCSIN_SAID| |\u{2014} |[A-Za-z0-9+/=]{1,90}){0,20}") {
            let _ = SignedCheckpoint::read(text.as_bytes());
        }
    }
}
