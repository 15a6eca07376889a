use ct_merkle::{HashableLeaf, mem_backed_tree::MemoryBackedTree};
use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

/// The leaves of the reference implementation of Certificate Transparency, and the roots of the trees that they make.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(text: &str) -> Hash {
    let bytes: [u8; 32] = HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap();
    bytes.into()
}

fn reference() -> Tree {
    let mut tree = Tree::new();
    for leaf in LEAVES {
        tree.push(Hash::of_leaf(&HEXLOWER.decode(leaf.as_bytes()).unwrap()));
    }
    tree
}

#[test]
fn the_roots_are_those_of_the_reference() {
    let (tree, mut frontier) = (reference(), Frontier::new());
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(tree.head_at(size).unwrap(), Head { size, root: hex(root) });
        assert_eq!(frontier.head(), Head { size, root: hex(root) });
        if let Some(leaf) = LEAVES.get(usize::try_from(size).unwrap()) {
            frontier.push(Hash::of_leaf(&HEXLOWER.decode(leaf.as_bytes()).unwrap()));
        }
    }
    assert_eq!(tree.head_at(9), None);
}

#[test]
fn the_proofs_are_those_of_the_reference() {
    let tree = reference();
    let inclusion = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(tree.inclusion(0, 8).unwrap(), inclusion.map(hex));
    let consistency = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(tree.consistency(6, 8).unwrap(), consistency.map(hex));
    assert_eq!(tree.inclusion(8, 8), None);
    assert_eq!(tree.consistency(9, 8), None);
    assert_eq!(tree.consistency(1, 9), None);
}

/// A leaf for the oracle, which hashes it by itself.
struct Leaf(u64);

impl HashableLeaf for Leaf {
    fn hash<H: ct_merkle::digest::Update>(&self, hasher: &mut H) {
        hasher.update(&self.0.to_be_bytes());
    }
}

type Oracle = MemoryBackedTree<sha2_oracle::Sha256, Leaf>;

fn grown(size: u64) -> (Tree, Oracle) {
    let (mut tree, mut oracle) = (Tree::new(), Oracle::new());
    for n in 0..size {
        tree.push(Hash::of_leaf(&n.to_be_bytes()));
        oracle.push(Leaf(n));
    }
    (tree, oracle)
}

fn bytes(path: &[Hash]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn every_root_and_proof_is_what_another_implementation_makes() {
    for size in 1..=66 {
        let (tree, oracle) = grown(size);
        let head = tree.head_at(size).unwrap();
        assert_eq!(head.root.as_bytes(), &oracle.root().as_bytes()[..], "{size}");
        for index in 0..size {
            let ours = tree.inclusion(index, size).unwrap();
            let theirs = oracle.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(bytes(&ours), theirs.as_bytes(), "{index} in {size}");
        }
        for earlier in 1..=size {
            let ours = tree.consistency(earlier, size).unwrap();
            let theirs = oracle.prove_consistency(usize::try_from(size - earlier).unwrap());
            assert_eq!(bytes(&ours), theirs.as_bytes(), "{earlier} to {size}");
        }
    }
}

proptest! {
    #[test]
    fn a_leaf_is_shown_to_stand_where_it_stands_and_nowhere_else(
        size in 1..300_u64, a: prop::sample::Index, b: prop::sample::Index, bit in 0..256_usize
    ) {
        let (tree, _) = grown(size);
        let head = tree.head_at(size).unwrap();
        let index = a.index(usize::try_from(size).unwrap()) as u64;
        let leaf = Hash::of_leaf(&index.to_be_bytes());
        let mut proof = tree.inclusion(index, size).unwrap();
        prop_assert!(is_included(&leaf, index, &head, &proof));
        let elsewhere = b.index(usize::try_from(size).unwrap()) as u64;
        prop_assert_eq!(is_included(&leaf, elsewhere, &head, &proof), elsewhere == index);
        prop_assert!(!is_included(&flipped(leaf, bit), index, &head, &proof));
        let other = Head { root: flipped(head.root, bit), ..head };
        prop_assert!(!is_included(&leaf, index, &other, &proof));
        if !proof.is_empty() {
            let at = b.index(proof.len());
            proof[at] = flipped(proof[at], bit);
            prop_assert!(!is_included(&leaf, index, &head, &proof));
            proof.pop();
            prop_assert!(!is_included(&leaf, index, &head, &proof));
        }
    }

    #[test]
    fn a_tree_is_shown_to_begin_with_another_only_where_it_does(
        size in 1..300_u64, a: prop::sample::Index, b: prop::sample::Index, bit in 0..256_usize
    ) {
        let (tree, _) = grown(size);
        let later = tree.head_at(size).unwrap();
        let earlier = tree.head_at(a.index(usize::try_from(size).unwrap()) as u64 + 1).unwrap();
        let mut proof = tree.consistency(earlier.size, size).unwrap();
        prop_assert!(is_consistent(&earlier, &later, &proof));
        let other = Head { root: flipped(earlier.root, bit), ..earlier };
        prop_assert!(!is_consistent(&other, &later, &proof));
        let other = Head { root: flipped(later.root, bit), ..later };
        prop_assert!(!is_consistent(&earlier, &other, &proof));
        if !proof.is_empty() {
            let at = b.index(proof.len());
            proof[at] = flipped(proof[at], bit);
            prop_assert!(!is_consistent(&earlier, &later, &proof));
            proof.pop();
            prop_assert!(!is_consistent(&earlier, &later, &proof));
        }
    }

    #[test]
    fn no_proof_however_wrong_does_harm(
        index: u64, sizes: (u64, u64), roots: ([u8; 32], [u8; 32]), proof in prop::collection::vec(any::<[u8; 32]>(), 0..80)
    ) {
        let proof: Vec<Hash> = proof.into_iter().map(Hash::from).collect();
        let earlier = Head { size: sizes.0, root: roots.0.into() };
        let later = Head { size: sizes.1, root: roots.1.into() };
        prop_assert!(!is_included(&roots.1.into(), index, &earlier, &proof) || (sizes.0 == 1 && roots.0 == roots.1));
        prop_assert!(!is_consistent(&earlier, &later, &proof) || (earlier == later && proof.is_empty()));
    }
}

fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = hash.0;
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash(bytes)
}
