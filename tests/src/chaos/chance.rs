//! Chance that a seed fixes.

use std::{ops::Range, time::Duration};

/// SplitMix64 (Steele, Lea, Flood 2014). A library's generator may change with its version, and a seed that was kept
/// because it found something must go on meaning the same.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A chance of its own for something that has a name: what one part draws is then no other's concern.
    pub(super) fn of(seed: u64, name: &str) -> Self {
        let mut chance = Self(seed);
        for byte in name.bytes() {
            chance.0 = chance.next() ^ u64::from(byte);
        }
        chance.next();
        chance
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The bias is one in 2^50 and less, for the small numbers drawn here.
        self.next() % end.max(1)
    }

    /// Whether something of this likelihood happens.
    pub(super) fn percent(&mut self, likely: u64) -> bool {
        self.below(100) < likely
    }

    /// A length of time in this range of milliseconds.
    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.below(range.end - range.start))
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let place = self.below(all.len() as u64);
        all[usize::try_from(place).unwrap()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut chance = Chance::new(1_234_567);
        // The reference's own first values for this seed.
        let reference = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([chance.next(), chance.next(), chance.next()], reference);
        assert_ne!(Chance::of(1, "a").next(), Chance::of(1, "b").next());
    }
}
