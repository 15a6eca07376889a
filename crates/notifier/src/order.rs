//! Which mail goes next, of those that wait: the rule, and nothing else.
//!
//! Actual incidents go before exercises and tests, and of either the first step before the later ones. Nobody starves:
//! of the turns at which both wait, every [`REHEARSED`]th goes to exercises and tests, and every [`LATER`]th to a later
//! step. So an exercise has at least a tenth of the capacity however many actual mails wait, and a later step a quarter
//! of its side's.

use tocsin_protocol::{Status, StepNumber};

/// Every which turn goes to exercises and tests while actual mails wait too.
pub(crate) const REHEARSED: u32 = 10;
/// Every which turn goes to the steps after the first while first ones wait too.
pub(crate) const LATER: u32 = 4;

/// Mails that are of one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// The first step of an actual incident.
    Actual,
    /// The steps after it.
    ActualLater,
    /// The first step of an exercise or a test.
    Rehearsed,
    /// The steps after it.
    RehearsedLater,
}

impl Lane {
    /// All of them, the most urgent first.
    pub(crate) const ALL: [Self; 4] =
        [Self::Actual, Self::ActualLater, Self::Rehearsed, Self::RehearsedLater];

    /// The lane of a mail. One whose status is not known is taken for actual.
    pub(crate) fn of(status: Option<Status>, step: StepNumber) -> Self {
        let rehearsed = matches!(status, Some(Status::Exercise | Status::Test));
        match (rehearsed, step == StepNumber::FIRST) {
            (false, true) => Self::Actual,
            (false, false) => Self::ActualLater,
            (true, true) => Self::Rehearsed,
            (true, false) => Self::RehearsedLater,
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) fn place(self) -> usize {
        self as usize
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    sides: Share,
    steps: [Share; 2],
}

impl Turns {
    /// The lane whose turn it is, of those in which something waits, by their places; none where nothing does.
    pub(crate) fn next(&mut self, waits: [bool; 4]) -> Option<Lane> {
        let [actual, actual_later, rehearsed, rehearsed_later] = waits;
        let is_rehearsed =
            self.sides.is_second(actual || actual_later, rehearsed || rehearsed_later, REHEARSED)?;
        let (first, later) = if is_rehearsed { (rehearsed, rehearsed_later) } else { (actual, actual_later) };
        let is_later = self.steps[usize::from(is_rehearsed)].is_second(first, later, LATER)?;
        Lane::ALL.get(2 * usize::from(is_rehearsed) + usize::from(is_later)).copied()
    }
}

/// Turns shared by two, counted while both wait.
#[derive(Debug, Clone, Default)]
struct Share {
    contested: u32,
}

impl Share {
    /// Whether it is the second one's turn: each `every`th where both wait.
    fn is_second(&mut self, first: bool, second: bool, every: u32) -> Option<bool> {
        match (first, second) {
            (false, false) => None,
            (true, false) => Some(false),
            (false, true) => Some(true),
            (true, true) => {
                self.contested = (self.contested + 1) % every;
                Some(self.contested == 0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many of these turns each lane has, when the same ones wait at all of them.
    fn shares(waits: [bool; 4], turns: u32) -> [u32; 4] {
        let (mut order, mut had) = (Turns::default(), [0; 4]);
        for _ in 0..turns {
            if let Some(lane) = order.next(waits) {
                had[lane.place()] += 1;
            }
        }
        had
    }

    #[test]
    fn each_lane_has_the_share_that_is_named() {
        for (waits, wanted) in [
            ([true, true, true, true], [270, 90, 30, 10]),
            ([true, false, true, false], [360, 0, 40, 0]),
            ([false, true, true, false], [0, 360, 40, 0]),
            ([true, true, false, false], [300, 100, 0, 0]),
            ([false, false, true, true], [0, 0, 300, 100]),
            ([true, false, false, false], [400, 0, 0, 0]),
            ([false, false, false, true], [0, 0, 0, 400]),
            ([false, false, false, false], [0, 0, 0, 0]),
        ] {
            assert_eq!(shares(waits, 400), wanted, "{waits:?}");
        }
    }

    #[test]
    fn a_mail_has_the_lane_of_its_status_and_step() {
        let second = StepNumber::FIRST.next();
        for (status, step, wanted) in [
            (Some(Status::Actual), StepNumber::FIRST, Lane::Actual),
            (Some(Status::Actual), second, Lane::ActualLater),
            (Some(Status::Exercise), StepNumber::FIRST, Lane::Rehearsed),
            (Some(Status::Test), second, Lane::RehearsedLater),
            (None, StepNumber::FIRST, Lane::Actual),
        ] {
            assert_eq!(Lane::of(status, step), wanted, "{status:?} {step}");
        }
        assert!(Lane::ALL.iter().enumerate().all(|(place, lane)| lane.place() == place));
    }

    proptest! {
        /// Whatever comes and goes: a turn is never wasted and never given to a lane in which nothing waits, the actual
        /// side has nine of any ten turns running at which it waits, and none waits longer than its share says.
        #[test]
        fn no_turn_is_wasted_and_nobody_starves(came in prop::collection::vec(any::<[bool; 4]>(), 1..400)) {
            let mut order = Turns::default();
            let mut waited = [0_u32; 4];
            let (mut contested, mut rehearsed) = (0_u32, 0_u32);
            for waits in came {
                let lane = order.next(waits);
                prop_assert_eq!(lane.is_some(), waits.contains(&true));
                let Some(lane) = lane else { continue };
                prop_assert!(waits[lane.place()]);
                if (waits[0] || waits[1]) && (waits[2] || waits[3]) {
                    contested += 1;
                    rehearsed += u32::from(lane >= Lane::Rehearsed);
                    prop_assert!(rehearsed <= contested.div_ceil(REHEARSED));
                }
                for place in 0..4 {
                    // One that goes away and comes again has not waited.
                    waited[place] = if place == lane.place() || !waits[place] { 0 } else { waited[place] + 1 };
                    prop_assert!(waited[place] < REHEARSED * LATER, "lane {} waited for {} turns", place, waited[place]);
                }
            }
        }
    }
}
