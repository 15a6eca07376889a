//! The link of an escalation mail: a signed token that lets whoever has the mail acknowledge without an account.
//!
//! ```text
//! 1.<signature, base64url>.<recipient>.<incident>.<event>.<step>.<expires, seconds since 1970>
//! ```
//!
//! It is for one recipient and one event, until a time, and says from which step's mail it came. The notifier signs it
//! with the directory's `link_key`; Ed25519 signs the same the same way each time, so a mail that is sent again is the
//! same mail. Every character of it stands in an address as it is, and it ends in a digit, so that no mail program takes
//! its end for punctuation.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;

use crate::{
    error::Error,
    id::{IncidentId, RecipientId},
    sign::{AuthorKey, SigningKey},
    subject::{EventNumber, StepNumber},
};

/// The longest token that is read, in bytes. The longest that can be is 253.
pub const MAX_LINK_BYTES: usize = 300;

/// The first word of a token: its version.
const VERSION: &str = "1";

/// The first line of what is signed: no fact and no checkpoint begins so, so that no signature over one is of the other.
const DOMAIN: &str = "tocsin-link/1";

/// What the holder of a link may acknowledge, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// In whose name.
    pub recipient: RecipientId,
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event.
    pub event: EventNumber,
    /// By the mail of which step it went out.
    pub step: StepNumber,
    /// The last moment at which it may be used, to the second: a token carries no fraction.
    pub expires_at: Timestamp,
}

impl Link {
    /// The link as a signed token.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn token(&self, key: &SigningKey) -> Result<String, Error> {
        let Self { recipient, incident, event, step, expires_at } = self;
        let signature = BASE64URL_NOPAD.encode(&key.sign_bytes(&self.signed_bytes())?);
        let expires = expires_at.as_second();
        Ok(format!("{VERSION}.{signature}.{recipient}.{incident}.{event}.{step}.{expires}"))
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let Self { recipient, incident, event, step, expires_at } = self;
        let expires = expires_at.as_second();
        format!("{DOMAIN}\n{recipient}\n{incident}\n{event}\n{step}\n{expires}\n").into_bytes()
    }
}

/// A token that was read: what it lets. Whether it was ever signed is for [`SignedLink::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLink {
    /// What it lets.
    pub link: Link,
    signature: [u8; 64],
}

impl SignedLink {
    /// Reads a token, which may be anything. It is not repeated in errors, as it lets whoever has it acknowledge.
    ///
    /// # Errors
    /// [`Error::Link`].
    pub fn read(token: &str) -> Result<Self, Error> {
        let bad = |why| Error::Link { why };
        if token.len() > MAX_LINK_BYTES {
            return Err(bad("it is longer than any"));
        }
        let (version, rest) = token.split_once('.').ok_or_else(|| bad("it is none"))?;
        if version != VERSION {
            return Err(bad("it is none, or of a later version than is known here"));
        }
        let words: Vec<&str> = rest.split('.').collect();
        let [signature, recipient, incident, event, step, expires] = words[..] else {
            return Err(bad("it is not whole: copy all of it"));
        };
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok();
        let signature = signature.and_then(|signature| signature.try_into().ok());
        Ok(Self {
            signature: signature.ok_or_else(|| bad("its signature is not whole: copy all of it"))?,
            link: Link {
                recipient: recipient.parse().map_err(|_| bad("its recipient cannot be read"))?,
                incident: incident.parse().map_err(|_| bad("its incident cannot be read"))?,
                event: event.parse().map_err(|_| bad("its event cannot be read"))?,
                step: step.parse().map_err(|_| bad("its step cannot be read"))?,
                expires_at: seconds(expires).ok_or_else(|| bad("its time cannot be read"))?,
            },
        })
    }

    /// Holds it against the key that signs links.
    ///
    /// # Errors
    /// [`Error::Link`] when the signature is not this key's over what the token says.
    pub fn verify(&self, key: &AuthorKey) -> Result<(), Error> {
        key.verify_bytes(&self.link.signed_bytes(), &self.signature)
            .map_err(|()| Error::Link { why: "its signature does not verify" })
    }
}

/// Seconds as we write them: decimal, without sign or leading zero.
fn seconds(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok().filter(|seconds: &i64| *seconds >= 0)?;
    if seconds.to_string() == text { Timestamp::from_second(seconds).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link() -> Link {
        Link {
            recipient: "pol-west-mercia".parse().unwrap(),
            incident: "bt-999-2023-06-25".parse().unwrap(),
            event: EventNumber::FIRST,
            step: StepNumber::FIRST.next(),
            expires_at: "2023-06-26T05:45:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_token_is_what_the_page_says() {
        let key = SigningKey::generate();
        let token = link().token(&key).unwrap();
        let (begin, rest) = token.split_at(2);
        assert_eq!(begin, "1.");
        assert_eq!(rest.find('.'), Some(86), "a signature");
        insta::assert_snapshot!(&rest[86..], @".pol-west-mercia.bt-999-2023-06-25.1.2.1687758300");
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
        assert!(token.bytes().all(plain), "nothing in it is written otherwise in an address");
    }

    #[test]
    fn a_token_comes_back_and_holds_for_its_key_alone() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let token = link().token(&key).unwrap();
        assert_eq!(link().token(&key).unwrap(), token, "the same each time");
        let read = SignedLink::read(&token).unwrap();
        assert_eq!(read.link, link());
        assert_eq!(read.verify(&AuthorKey::new(&key.public()).unwrap()), Ok(()));
        assert!(read.verify(&AuthorKey::new(&other.public()).unwrap()).is_err());
    }

    #[test]
    fn what_is_changed_in_a_token_does_not_verify() {
        let key = SigningKey::generate();
        let author = AuthorKey::new(&key.public()).unwrap();
        let token = link().token(&key).unwrap();
        for at in 0..token.len() {
            for byte in *b"0129.-_Aab%" {
                let mut changed = token.clone().into_bytes();
                if changed[at] == byte {
                    continue;
                }
                changed[at] = byte;
                let read = SignedLink::read(std::str::from_utf8(&changed).unwrap());
                assert!(read.and_then(|read| read.verify(&author)).is_err(), "{at}: {byte}");
            }
            assert!(
                SignedLink::read(&token[..at]).and_then(|read| read.verify(&author)).is_err(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_fraction_of_a_second_is_not_carried() {
        let key = SigningKey::generate();
        let late = Link { expires_at: "2023-06-26T05:45:00.9Z".parse().unwrap(), ..link() };
        assert_eq!(late.token(&key).unwrap(), link().token(&key).unwrap());
    }

    #[test]
    fn the_longest_token_is_read() {
        let most = u32::MAX.to_string();
        let longest = Link {
            recipient: "r".repeat(64).parse().unwrap(),
            incident: "i".repeat(64).parse().unwrap(),
            event: most.parse().unwrap(),
            step: most.parse().unwrap(),
            expires_at: Timestamp::MAX,
        };
        let token = longest.token(&SigningKey::generate()).unwrap();
        assert_eq!(token.len(), 253);
        assert!(SignedLink::read(&token).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_and_the_token_is_not() {
        for (token, why) in [
            ("", "it is none"),
            ("2.x", "it is none, or of a later version than is known here"),
            ("1.AAAA.a.x.1.1", "it is not whole: copy all of it"),
            ("1.AAAA.a.x.1.1.9", "its signature is not whole: copy all of it"),
            (&"1".repeat(400), "it is longer than any"),
        ] {
            let told = SignedLink::read(token).unwrap_err();
            assert_eq!(told, Error::Link { why }, "{token}");
        }
    }

    proptest! {
        #[test]
        fn every_link_comes_back(
            recipient in "[a-z0-9]{1,64}",
            incident in "[a-z]([a-z0-9-]{0,20}[a-z0-9])?",
            (event, step) in (1..=u32::MAX, 1..=u32::MAX),
            expires in 0..=253_402_207_200_i64,
        ) {
            let key = SigningKey::generate();
            let link = Link {
                recipient: recipient.parse().unwrap(),
                incident: incident.parse().unwrap(),
                event: EventNumber::new(event).unwrap(),
                step: StepNumber::new(step).unwrap(),
                expires_at: Timestamp::from_second(expires).unwrap(),
            };
            let read = SignedLink::read(&link.token(&key).unwrap()).unwrap();
            prop_assert_eq!(read.verify(&AuthorKey::new(&key.public()).unwrap()), Ok(()));
            prop_assert_eq!(read.link, link);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,400}|1\\.[A-Za-z0-9_-]{86}(\\.[a-z0-9-]{0,22}){0,6}") {
            let _ = SignedLink::read(&text);
        }
    }
}
