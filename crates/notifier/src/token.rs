//! Tokens by which a writer knows its own `begun` again.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// Gives tokens that no other process gives.
pub(crate) struct Tokens {
    process: u64,
    given: AtomicU64,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        // Keyed by the system's randomness, afresh in each process; the process's number tells apart a copied machine.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        Self { process: hasher.finish(), given: AtomicU64::new(0) }
    }

    /// A token that was not given before.
    pub(crate) fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.given.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_given_twice() {
        let (a, b) = (Tokens::new(), Tokens::new());
        let all: std::collections::BTreeSet<_> =
            (0..100).flat_map(|_| [a.next(), b.next()]).filter(|token| token.len() <= 64).collect();
        assert_eq!(all.len(), 200);
    }
}
