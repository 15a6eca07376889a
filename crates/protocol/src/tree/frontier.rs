//! A tree of which only the root is wanted: it keeps a hash for each bit of its size, and no leaf.

use serde::{Deserialize, Serialize};

use super::{Hash, Head};

/// The right edge of a growing tree. It costs a few hashes of memory, however many leaves were added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Frontier {
    size: u64,
    /// The roots of the complete subtrees that the leaves fall into, the largest first.
    complete: Vec<Hash>,
}

/// A frontier as it was written, which may be none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    size: u64,
    complete: Vec<Hash>,
}

impl TryFrom<Written> for Frontier {
    type Error = &'static str;

    fn try_from(Written { size, complete }: Written) -> Result<Self, Self::Error> {
        if complete.len() == size.count_ones() as usize {
            Ok(Self { size, complete })
        } else {
            Err("a tree has one complete subtree for each bit of its size")
        }
    }
}

impl Frontier {
    /// Without a leaf.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.complete.pop() else { break };
            node = Hash::of_node(&left, &node);
        }
        self.complete.push(node);
        self.size += 1;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its head as of now.
    pub fn head(&self) -> Head {
        let mut right_to_left = self.complete.iter().rev();
        let root = match right_to_left.next() {
            None => Hash::of_nothing(),
            Some(last) => right_to_left.fold(*last, |right, left| Hash::of_node(left, &right)),
        };
        Head { size: self.size, root }
    }
}
