//! So many mails a minute: the rule, and nothing else.
//!
//! A generic cell rate: one moment is kept, no history. The crate `governor` has it too, but it takes a place as it looks,
//! and here it is looked at for many mails before one of them goes.

use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_mins(1);

/// A limit, and how far it is used up.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    /// The time that each mail is worth.
    every: Duration,
    /// How many may go at once after a rest.
    at_once: u32,
    /// When all that went is paid for.
    paid: Option<Instant>,
}

impl Limit {
    /// Never more than so many in any minute: a quarter of them at once, the others evenly.
    pub(crate) fn a_minute(mails: u32) -> Self {
        let mails = mails.max(1);
        let at_once = (mails / 4).max(1);
        // Rounded up, so that the last one stays out of the minute.
        let every = MINUTE / (mails - at_once + 1) + Duration::from_nanos(1);
        Self { every, at_once, paid: None }
    }

    /// When the next mail may go; none where it may go now.
    pub(crate) fn until(&self, now: Instant) -> Option<Instant> {
        // All but one of those that may go at once can still be owed.
        let free = self.paid?.checked_sub(self.every * (self.at_once - 1))?;
        (now < free).then_some(free)
    }

    /// A mail goes.
    pub(crate) fn take(&mut self, now: Instant) {
        let paid = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(paid + self.every);
    }

    /// Whether it has forgotten all that went.
    pub(crate) fn is_rested(&self, now: Instant) -> bool {
        self.paid.is_none_or(|paid| paid <= now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quarter_goes_at_once_and_the_others_evenly() {
        let (mut limit, start) = (Limit::a_minute(60), Instant::now());
        for _ in 0..15 {
            assert_eq!(limit.until(start), None);
            limit.take(start);
        }
        let next = limit.until(start).unwrap() - start;
        assert!((Duration::from_millis(1300)..Duration::from_millis(1310)).contains(&next), "{next:?}");
        assert!(!limit.is_rested(start));
        assert!(limit.is_rested(start + MINUTE));
        let (mut one, start) = (Limit::a_minute(1), Instant::now());
        one.take(start);
        let next = one.until(start).unwrap() - start;
        assert!(next >= MINUTE && next < MINUTE + Duration::from_millis(1), "{next:?}");
    }

    proptest! {
        /// Whenever mails come, no minute has more than the limit; and who asks without pause gets it all.
        #[test]
        fn no_minute_has_more_and_none_is_wasted(mails in 1_u32..400, pauses in prop::collection::vec(0_u64..3_000, 1..900)) {
            let (mut limit, start) = (Limit::a_minute(mails), Instant::now());
            let (mut now, mut went) = (start, Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                now = limit.until(now).unwrap_or(now);
                limit.take(now);
                went.push(now);
            }
            for (place, from) in went.iter().enumerate() {
                let within = went[place..].iter().take_while(|at| **at < *from + MINUTE).count();
                prop_assert!(within <= mails as usize, "{} within a minute", within);
            }
            let (mut greedy, mut now, mut count) = (Limit::a_minute(mails), start, 0);
            while now < start + MINUTE {
                greedy.take(now);
                count += 1;
                now = greedy.until(now).unwrap_or(now);
            }
            prop_assert_eq!(count, mails);
        }
    }
}
