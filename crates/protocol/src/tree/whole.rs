//! A tree with all its leaves, from which proofs are made.

use super::{Hash, Head};

/// A tree that keeps every complete subtree's root, so that a proof costs no more than its own length, squared.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// By level: the leaves, then the roots of each two, of each four, ...
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Without a leaf.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            match nodes[..] {
                [.., left, right] if nodes.len().is_multiple_of(2) => node = Hash::of_node(&left, &right),
                _ => return,
            }
        }
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The head of the tree of the first `size` leaves; none where there are not so many.
    pub fn head_at(&self, size: u64) -> Option<Head> {
        let end = self.reach(size)?;
        let root = if end == 0 { Hash::of_nothing() } else { self.range(0, end) };
        Some(Head { size, root })
    }

    /// The proof that the leaf at `index` is in the tree of the first `size` leaves: `PATH(m, D[n])` of RFC 6962. None
    /// where it is not.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        let end = self.reach(size)?;
        let index = usize::try_from(index).ok().filter(|index| *index < end)?;
        let mut path = Vec::new();
        let (mut from, mut to) = (0, end);
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                path.push(self.range(middle, to));
                to = middle;
            } else {
                path.push(self.range(from, middle));
                from = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The proof that the tree of the first `size` leaves begins with that of the first `earlier`: `PROOF(m, D[n])` of
    /// RFC 6962. None where it does not, for one of them is not there.
    pub fn consistency(&self, earlier: u64, size: u64) -> Option<Vec<Hash>> {
        let end = self.reach(size)?;
        let earlier = usize::try_from(earlier).ok().filter(|earlier| *earlier <= end)?;
        let mut path = Vec::new();
        if earlier == 0 || earlier == end {
            return Some(path);
        }
        let (mut from, mut to) = (0, end);
        while to != earlier {
            let middle = from + split(to - from);
            if earlier <= middle {
                path.push(self.range(middle, to));
                to = middle;
            } else {
                path.push(self.range(from, middle));
                from = middle;
            }
        }
        if from > 0 {
            path.push(self.range(from, to));
        }
        path.reverse();
        Some(path)
    }

    /// A size as a place among the leaves, where there are so many.
    fn reach(&self, size: u64) -> Option<usize> {
        usize::try_from(size).ok().filter(|_| size <= self.size())
    }

    /// The root of the subtree over `from..to`, which the tree has, with `from` on a boundary of that subtree.
    fn range(&self, from: usize, to: usize) -> Hash {
        let length = to - from;
        if length.is_power_of_two() {
            return self.levels[length.ilog2() as usize][from / length];
        }
        let middle = from + split(length);
        Hash::of_node(&self.range(from, middle), &self.range(middle, to))
    }
}

/// The largest power of two below a length of at least two.
fn split(length: usize) -> usize {
    1 << (length - 1).ilog2()
}
