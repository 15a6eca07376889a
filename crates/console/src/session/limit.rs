//! How often somebody may try.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lets each key through `burst` times at once and then once in each `refill`. The table is bounded: beyond it those who
/// have tried least are forgotten first.
pub(crate) struct Limit<K> {
    burst: u32,
    refill: Duration,
    keys_max: usize,
    /// When each would have its whole burst again.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    pub(crate) fn new(burst: u32, refill: Duration, keys_max: usize) -> Self {
        Self { burst, refill, keys_max, full_at: Mutex::default() }
    }

    /// Counts one try.
    ///
    /// # Errors
    /// How long to wait before the next one, when there were too many.
    pub(crate) fn take(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.get(key).map_or(now, |full| (*full).max(now)) + self.refill;
        if let Some(wait) = (full - now).checked_sub(self.refill * self.burst)
            && !wait.is_zero()
        {
            return Err(wait);
        }
        if !full_at.contains_key(key) && full_at.len() >= self.keys_max {
            full_at.retain(|_, full| *full > now);
            if full_at.len() >= self.keys_max
                && let Some(least) = full_at.iter().min_by_key(|(_, full)| **full).map(|(key, _)| key.clone())
            {
                full_at.remove(&least);
            }
        }
        full_at.insert(key.clone(), full);
        Ok(())
    }

    /// Gives one try back: it was a good one.
    pub(super) fn give_back(&self, key: &K) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full) = full_at.get_mut(key)
            && let Some(less) = full.checked_sub(self.refill)
        {
            *full = less;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFILL: Duration = Duration::from_secs(30);

    #[test]
    fn a_burst_is_let_through_and_then_one_in_each_while() {
        let (limit, start) = (Limit::new(3, REFILL, 10), Instant::now());
        for _ in 0..3 {
            assert_eq!(limit.take(&"a", start), Ok(()));
        }
        assert_eq!(limit.take(&"a", start), Err(REFILL));
        assert_eq!(limit.take(&"b", start), Ok(()), "each has tries of their own");
        assert_eq!(limit.take(&"a", start + REFILL), Ok(()));
        assert_eq!(limit.take(&"a", start + REFILL + REFILL / 3), Err(REFILL / 3 * 2));
        limit.give_back(&"a");
        assert_eq!(limit.take(&"a", start + REFILL), Ok(()));
        for _ in 0..3 {
            assert_eq!(limit.take(&"a", start + 100 * REFILL), Ok(()), "a pause gives the whole burst back");
        }
    }

    #[test]
    fn the_table_is_bounded_and_who_tried_most_is_remembered_longest() {
        let (limit, now) = (Limit::new(3, REFILL, 3), Instant::now());
        for _ in 0..3 {
            limit.take(&0, now).unwrap();
        }
        for stranger in 1..1000 {
            limit.take(&stranger, now).unwrap();
        }
        assert!(limit.full_at.lock().unwrap().len() <= 3);
        assert!(limit.take(&0, now).is_err());
    }
}
