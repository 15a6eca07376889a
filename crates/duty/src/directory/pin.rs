//! Whether the directory in force is under the key that a service was told to trust.
//!
//! A record's first directory vouches for itself, so whoever erases the record can begin another with a first directory of
//! their own. A service that knows the `directory_key` from elsewhere, its pin, can tell: the directory in force stands
//! under it when the pin signed that version, or one before it from which each later one is signed by the key that the one
//! before it names. To be named is not enough, as a key need not sign the version that names it after another: whoever
//! begins a record could name any.
//!
//! It says whose directory it is. It does not say that it is the newest that was ever signed: what was signed once can be
//! put on another record again, under its own number. Nor does it vouch for what was in force before the first version that
//! the pin signed, which is told with it: what was said then was judged by whosever directory that was.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};
use tocsin_protocol::{AuthorKey, Error};

use super::Directory;

/// The public half of the `directory_key` that a service was told to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // A seed in its place is a secret, and is not repeated.
        if text.starts_with('S') {
            let expected = "public user key (56 characters from U), but a seed, which stays where it is";
            return Err(Error::Key { value: "S...".to_owned(), expected });
        }
        AuthorKey::new(text).map(|key| Self(key.as_str().to_owned()))
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the directory in force stands to a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// There is none yet.
    None,
    /// It stands under the pin.
    Under {
        /// Its version.
        version: u64,
        /// The first version in the chain that the pin signed.
        from: u64,
    },
    /// It does not.
    Not(NotUnder),
}

impl Held {
    /// Whether a service that has the pin may act on the record.
    pub fn is_under(&self) -> bool {
        matches!(self, Self::Under { .. })
    }
}

/// A directory that is in force and does not stand under a pin. In words: what was found, and how it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnder {
    /// Its version.
    pub version: u64,
    /// The key that was to sign it, and did; `None` where none was.
    pub signed_by: Option<String>,
    /// The pin.
    pub pin: Pin,
}

impl fmt::Display for NotUnder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, signed_by, pin } = self;
        write!(f, "version {version} of the directory is in force, ")?;
        match signed_by {
            Some(key) => write!(f, "signed by {key}")?,
            None => f.write_str("which no key had to sign")?,
        }
        write!(
            f,
            ", and does not stand under the directory_key {pin} that is trusted here: either that setting ([trust] of the configuration, or TOCSIN_TRUST) is wrong, or somebody has begun the record anew; see `tocsin directory show`, and deploy/RUNBOOK.md, \"The directory is not under the trusted key\""
        )
    }
}

impl std::error::Error for NotUnder {}

/// Holds the directories that were in force, the newest first, against a pin.
pub(crate) fn held<'a>(newest_first: impl Iterator<Item = &'a Directory>, pin: &Pin) -> Held {
    let mut chain = newest_first.peekable();
    let mut found = Held::None;
    while let Some(directory) = chain.next() {
        let asked = chain.peek().and_then(|before| before.directory_key());
        let signer = asked.or(directory.directory_key());
        if found == Held::None {
            found = Held::Not(NotUnder {
                version: directory.version(),
                signed_by: signer.map(|key| key.as_str().to_owned()),
                pin: pin.clone(),
            });
        }
        if signer.is_some_and(|key| key.as_str() == pin.as_str())
            && let Held::Not(NotUnder { version, .. }) | Held::Under { version, .. } = found
        {
            found = Held::Under { version, from: directory.version() };
        }
        if asked.is_none() {
            // It vouches for itself: what was in force before it says nothing of it.
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_a_public_user_key_and_nothing_else() {
        let key = tocsin_protocol::SigningKey::generate();
        let pin: Pin = key.public().parse().unwrap();
        assert_eq!(pin.to_string(), key.public());
        let other: Pin = tocsin_protocol::SigningKey::generate().public().parse().unwrap();
        assert!(pin == pin.clone() && pin != other);
        let seed = key.seed().unwrap();
        for wrong in ["", "U", &key.public()[1..], &key.public().to_lowercase(), &format!("{pin} "), &seed] {
            let why = wrong.parse::<Pin>().unwrap_err().to_string();
            assert!(why.contains("public user key") && !why.contains(&seed), "{why}");
        }
    }
}
