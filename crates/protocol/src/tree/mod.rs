//! The Merkle tree of RFC 6962 (section 2.1): what stands in a stream, in one hash, with short proofs that an entry is
//! in it and that a later tree begins with an earlier one.
//!
//! There is a tree for each stream, over its entries in the order of their sequence: see [`leaf`](crate::leaf). One
//! tree over both would need one order, and where the streams have different leaders that order rests on two clocks.

mod frontier;
mod proof;
mod whole;

use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use frontier::Frontier;
pub use proof::{PROOF_MAX, is_consistent, is_included};
pub use whole::Tree;

/// A SHA-256 hash: of a leaf, of a node, or of a whole tree. As text it is base64 with padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; Self::BYTES]);

impl Hash {
    /// Its length.
    pub const BYTES: usize = 32;

    /// The hash of these bytes as a leaf.
    pub fn of_leaf(bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
    }

    /// The root of the tree without a leaf.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    fn of_node(left: &Self, right: &Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// The bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Reads it from base64 with padding, in the one way in which it can be written.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl From<[u8; Hash::BYTES]> for Hash {
    fn from(bytes: [u8; Hash::BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).ok_or_else(|| serde::de::Error::custom("expected a SHA-256 hash in base64"))
    }
}

/// The root of a tree, and how many leaves it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl Head {
    /// The head of the tree without a leaf.
    pub fn of_nothing() -> Self {
        Self { size: 0, root: Hash::of_nothing() }
    }
}

#[cfg(test)]
mod tests;
