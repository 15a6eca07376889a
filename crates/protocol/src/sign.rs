//! Signatures: Ed25519 by NKeys over the subject, a newline and the exact body bytes.
//!
//! The subject is in the signature so that a signed fact cannot be said again under another name.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize};

use crate::error::{Error, shown};

/// A fact's author and the signature, as the two headers carry them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The `Tocsin-Key` header.
    pub key: String,
    /// The `Tocsin-Signature` header.
    pub signature: String,
}

fn signed_bytes(subject: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(subject.len() + 1 + body.len());
    bytes.extend_from_slice(subject.as_bytes());
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes
}

/// The private half of an author's key. It is never printed.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// Makes a new key from the operating system's randomness.
    pub fn generate() -> Self {
        Self(KeyPair::new_user())
    }

    /// Takes a seed as it stands in a seed file.
    ///
    /// # Errors
    /// [`Error::Seed`]; what was given is not repeated, as it may be a secret.
    pub fn from_seed(seed: &str) -> Result<Self, Error> {
        let pair = KeyPair::from_seed(seed.trim()).map_err(|_| Error::Seed)?;
        if pair.key_pair_type() == KeyPairType::User { Ok(Self(pair)) } else { Err(Error::Seed) }
    }

    /// The seed, to be written to a file that only its owner may read.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn seed(&self) -> Result<String, Error> {
        self.0.seed().map_err(|_| Error::Seed)
    }

    /// The public half, as the directory lists it.
    pub fn public(&self) -> String {
        self.0.public_key()
    }

    /// Signs a fact: the subject and the exact bytes that will be sent.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn sign(&self, subject: &str, body: &[u8]) -> Result<Signed, Error> {
        let signature = self.sign_bytes(&signed_bytes(subject, body))?;
        Ok(Signed { key: self.public(), signature: BASE64URL_NOPAD.encode(&signature) })
    }

    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(bytes).map_err(|_| Error::Seed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, seed not shown)", self.public())
    }
}

/// The public half of an author's key, ready to verify with.
#[derive(Clone)]
pub struct AuthorKey {
    pair: KeyPair,
    text: String,
}

impl AuthorKey {
    /// Takes a public NKey (a user's: 56 characters that begin with `U`).
    ///
    /// # Errors
    /// [`Error::Key`] for anything else.
    pub fn new(public: &str) -> Result<Self, Error> {
        let bad = || Error::Key { value: shown(public), expected: "public user key (56 characters from U)" };
        if !public.starts_with('U') {
            return Err(bad());
        }
        let pair = KeyPair::from_public_key(public).map_err(|_| bad())?;
        Ok(Self { pair, text: public.to_owned() })
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Holds a signature against this key, the subject and the exact bytes.
    ///
    /// # Errors
    /// [`Error::Signature`] when the fact names another key, or the signature is not this key's over these bytes.
    pub fn verify(&self, subject: &str, body: &[u8], signed: &Signed) -> Result<(), Error> {
        let refused = |why| Error::Signature { key: self.text.clone(), subject: shown(subject), why };
        if signed.key != self.text {
            return Err(refused("it names another key"));
        }
        let signature = BASE64URL_NOPAD
            .decode(signed.signature.as_bytes())
            .map_err(|_| refused("it is not base64url without padding"))?;
        self.verify_bytes(&signed_bytes(subject, body), &signature)
            .map_err(|()| refused("it does not verify"))
    }

    pub(crate) fn verify_bytes(&self, bytes: &[u8], signature: &[u8]) -> Result<(), ()> {
        self.pair.verify(bytes, signature).map_err(|_| ())
    }
}

impl fmt::Debug for AuthorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorKey({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_subject_and_bytes_alone() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let author = AuthorKey::new(&key.public()).unwrap();
        let signed = key.sign("tocsin.incident.bt.x.1", b"{}").unwrap();
        assert_eq!(author.verify("tocsin.incident.bt.x.1", b"{}", &signed), Ok(()));
        assert!(author.verify("tocsin.incident.bt.x.2", b"{}", &signed).is_err());
        assert!(author.verify("tocsin.incident.bt.x.1", b"{ }", &signed).is_err());
        let others = other.sign("tocsin.incident.bt.x.1", b"{}").unwrap();
        assert!(author.verify("tocsin.incident.bt.x.1", b"{}", &others).is_err());
        let posing = Signed { key: key.public(), ..others };
        assert!(author.verify("tocsin.incident.bt.x.1", b"{}", &posing).is_err());
        for junk in ["", "!", "AAAA", &"A".repeat(86), &"A".repeat(2000)] {
            let junk = Signed { key: key.public(), signature: junk.to_owned() };
            assert!(author.verify("tocsin.incident.bt.x.1", b"{}", &junk).is_err());
        }
    }

    #[test]
    fn a_seed_comes_back_and_is_not_shown() {
        let key = SigningKey::generate();
        let seed = key.seed().unwrap();
        assert_eq!(SigningKey::from_seed(&format!("{seed}\n")).unwrap().public(), key.public());
        assert!(!format!("{key:?}").contains(&seed));
        let refused = SigningKey::from_seed("SUSECRET").unwrap_err().to_string();
        assert!(!refused.contains("SUSECRET"));
    }
}
