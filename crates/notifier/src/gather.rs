//! When mails to one address become one: the rule, and nothing else.
//!
//! The first mail to an address goes at once and begins a minute. Those about the same incident still go as they come;
//! those about others wait until the minute is over. Then the first that goes takes along all that is owed to that address,
//! of the same recipient and status, where any of it is about another incident, and begins the next minute. What was begun
//! once goes on as it was begun.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The most escalations that one mail names. The others go in the next one.
pub(crate) const MOST: usize = 500;

/// An incident, as far as telling it from another goes.
pub(crate) type About = u64;

/// The minute that the last mail to an address began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minute {
    began: Instant,
    /// The one incident that its mails are about; none where they are about several.
    about: Option<About>,
}

impl Minute {
    /// The minute once a mail has gone, or one more is known to have.
    pub(crate) fn after(before: Option<Self>, about: About, at: Instant, every: Duration) -> Self {
        match before {
            Some(Self { began, about: other }) if at < began + every => {
                Self { began, about: other.filter(|other| *other == about) }
            }
            _ => Self { began: at, about: Some(about) },
        }
    }

    /// The minute once what began it is begun indeed: one that was taken in hand at a time is begun at another.
    pub(crate) fn begun_late(self, taken: Instant, at: Instant) -> Self {
        if self.began == taken { Self { began: at, ..self } } else { self }
    }

    /// Whether it no longer holds anything up.
    pub(crate) fn is_over(self, now: Instant, every: Duration) -> bool {
        now >= self.began + every
    }
}

/// Until when a mail about an incident waits; none where it may go now.
pub(crate) fn waits_until(
    minute: Option<Minute>,
    about: About,
    now: Instant,
    every: Duration,
) -> Option<Instant> {
    let minute = minute.filter(|minute| !minute.is_over(now, every) && minute.about != Some(about))?;
    Some(minute.began + every)
}

/// What goes in one mail with the one that goes: by their sequences, that one included, ascending; that one alone while a
/// minute goes on, and where all is about one incident. `owed` is what is owed to the same address and was never begun.
pub(crate) fn together(
    minute: Option<Minute>,
    goes: (u64, About),
    owed: &BTreeMap<u64, About>,
    now: Instant,
    every: Duration,
) -> Vec<u64> {
    let (sequence, about) = goes;
    let goes_on = minute.is_some_and(|minute| !minute.is_over(now, every));
    if goes_on || owed.values().all(|other| *other == about) {
        return vec![sequence];
    }
    let others = owed.keys().copied().filter(|other| *other != sequence).take(MOST - 1);
    let mut all: Vec<_> = others.chain([sequence]).collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY: Duration = Duration::from_mins(1);

    #[test]
    fn the_first_goes_at_once_and_those_of_other_incidents_wait_for_the_minute_to_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(waits_until(None, 1, start, EVERY), None);
        let first = Some(Minute::after(None, 1, start, EVERY));
        assert_eq!(waits_until(first, 1, at(5), EVERY), None, "its own incident goes on as it would alone");
        assert_eq!(waits_until(first, 2, at(5), EVERY), Some(at(60)));
        assert_eq!(waits_until(first, 2, at(60), EVERY), None);
        // More about the same incident do not make the others wait longer.
        let second = Some(Minute::after(first, 1, at(30), EVERY));
        assert_eq!(waits_until(second, 2, at(40), EVERY), Some(at(60)));
        let digest = Some(Minute::after(second, 2, at(60), EVERY));
        let digest = Some(Minute::after(digest, 1, at(60), EVERY));
        for about in [1, 2, 3] {
            assert_eq!(waits_until(digest, about, at(70), EVERY), Some(at(120)));
        }
    }

    #[test]
    fn mails_about_one_incident_are_not_put_together_and_those_about_several_are() {
        let owed = |all: &[(u64, About)]| all.iter().copied().collect::<BTreeMap<_, _>>();
        let now = Instant::now();
        let goes = |goes, all: &[(u64, About)]| together(None, goes, &owed(all), now, EVERY);
        assert_eq!(goes((7, 1), &[]), [7]);
        assert_eq!(goes((7, 1), &[(7, 1), (8, 1)]), [7]);
        assert_eq!(goes((7, 1), &[(7, 1), (8, 1), (9, 2)]), [7, 8, 9]);
        assert_eq!(goes((9, 2), &[(7, 1), (8, 1)]), [7, 8, 9]);
        let many: Vec<_> = (1..=1000).map(|sequence| (sequence, sequence)).collect();
        let all = goes((900, 900), &many);
        assert_eq!((all.len(), all.contains(&900), all[..3].to_vec()), (MOST, true, vec![1, 2, 3]));
        let minute = Some(Minute::after(None, 1, now, EVERY));
        assert_eq!(
            together(minute, (7, 1), &owed(&[(9, 2)]), now, EVERY),
            [7],
            "the others go when it is over"
        );
    }

    proptest! {
        /// However mails come: two that name several incidents are a minute apart, nothing waits for longer than that, and
        /// nothing is forgotten.
        #[test]
        fn a_storm_is_one_mail_a_minute(came in prop::collection::vec((0_u64..20_000, 0_u64..6), 1..120)) {
            let start = Instant::now();
            let (mut minute, mut digests) = (None, Vec::new());
            let mut waiting: BTreeMap<u64, About> = BTreeMap::new();
            let mut came = came.into_iter().scan(start, |at, (pause, about)| {
                *at += Duration::from_millis(pause);
                Some((*at, about))
            }).enumerate().peekable();
            let mut arrived = BTreeMap::new();
            for second in 0..3_000 {
                let now = start + Duration::from_secs(second);
                while let Some((sequence, (at, about))) = came.next_if(|(_, (at, _))| *at <= now) {
                    waiting.insert(sequence as u64, about);
                    arrived.insert(sequence as u64, at);
                }
                while let Some((sequence, about)) = waiting
                    .iter()
                    .map(|(sequence, about)| (*sequence, *about))
                    .find(|(_, about)| waits_until(minute, *about, now, EVERY).is_none())
                {
                    let all = together(minute, (sequence, about), &waiting, now, EVERY);
                    if all.len() > 1 {
                        digests.push(now);
                    }
                    for sequence in all {
                        let Some(about) = waiting.remove(&sequence) else { continue };
                        let waited = now.duration_since(arrived[&sequence]);
                        prop_assert!(waited <= EVERY + Duration::from_secs(1), "{:?}", waited);
                        minute = Some(Minute::after(minute, about, now, EVERY));
                    }
                }
            }
            prop_assert!(came.next().is_none() && waiting.is_empty(), "none is forgotten");
            for pair in digests.windows(2) {
                prop_assert!(pair[1].duration_since(pair[0]) >= EVERY, "two digests within a minute");
            }
        }
    }
}
