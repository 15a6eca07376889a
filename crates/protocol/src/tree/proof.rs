//! Proofs, held against heads. They come from strangers: nothing in them makes this take longer than they are long.

use super::{Hash, Head};

/// The longest proof that any tree can need: an inclusion takes a hash for each bit of the size, a consistency one more.
pub const PROOF_MAX: usize = 65;

/// Whether a proof shows that `leaf` stands at `index` of the tree (RFC 9162, section 2.1.3.2).
pub fn is_included(leaf: &Hash, index: u64, head: &Head, proof: &[Hash]) -> bool {
    if index >= head.size {
        return false;
    }
    let (mut place, mut last) = (index, head.size - 1);
    let mut root = *leaf;
    for node in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            root = Hash::of_node(node, &root);
            climb(&mut place, &mut last);
        } else {
            root = Hash::of_node(&root, node);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && root == head.root
}

/// Whether a proof shows that the later tree begins with the earlier (RFC 9162, section 2.1.4.2).
pub fn is_consistent(earlier: &Head, later: &Head, proof: &[Hash]) -> bool {
    if earlier.size == 0 {
        return earlier.root == Hash::of_nothing() && proof.is_empty();
    }
    if earlier.size >= later.size {
        return earlier == later && proof.is_empty();
    }
    // A tree of a power of two is a subtree of the later one, and the proof leaves its root out.
    let whole = earlier.size.is_power_of_two().then_some(&earlier.root);
    let mut nodes = whole.into_iter().chain(proof);
    let Some(first) = nodes.next() else { return false };
    let (mut place, mut last) = (earlier.size - 1, later.size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut early_root, mut late_root) = (*first, *first);
    for node in nodes {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            early_root = Hash::of_node(node, &early_root);
            late_root = Hash::of_node(node, &late_root);
            climb(&mut place, &mut last);
        } else {
            late_root = Hash::of_node(&late_root, node);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && early_root == earlier.root && late_root == later.root
}

/// Passes the levels at which the right edge has no sibling.
fn climb(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        *place >>= 1;
        *last >>= 1;
    }
}
