//! Which times a reader is shown: the broker's, or those of the day that a drill replays.

use std::num::NonZeroU32;

use tocsin_protocol::{SignedDuration, Timestamp};

/// How a report is shown to people. The default shows the broker's times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Given when the incident is a replay of another day at another speed.
    pub replay: Option<Replay>,
}

/// Which moment of the broker's clock stands for which moment of the day that is replayed.
///
/// What people and the calendar did (began, published, acknowledged, due, closed) is then shown in the time of the
/// replayed day, and lengths of time between such moments are differences of that day. What the machine did
/// (published to noticed, window to finding, finding to mail taken) is shown as measured, by the broker's clock and
/// unscaled, in figures of its own. Both are labelled. JSON and CSV keep the broker's times.
///
/// The day may be played in stretches, with what lies between them left out: each stretch begins at an [`Anchor`], and
/// from there on the day runs [`speed`](Replay::new) times as fast as the broker's clock.
///
/// ```
/// # use std::num::NonZeroU32;
/// # use tocsin_audit::render::{Anchor, Replay, View};
/// # let broker = |text: &str| text.parse().unwrap();
/// let day = broker;
/// let replay = Replay::new(
///     "25 June 2023",
///     NonZeroU32::new(60).unwrap(),
///     Anchor { broker: broker("2026-01-01T00:00:00Z"), day: day("2023-06-25T05:23:00Z") },
/// )
/// .then(Anchor { broker: broker("2026-01-01T00:00:41Z"), day: day("2023-06-25T06:32:00Z") });
/// assert_eq!(replay.day(broker("2026-01-01T00:00:02Z")), day("2023-06-25T05:25:00Z"));
/// assert_eq!(replay.day(broker("2026-01-01T00:00:42Z")), day("2023-06-25T06:33:00Z"));
/// let view = View { replay: Some(replay) };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    label: String,
    speed: NonZeroU32,
    /// By the broker's time; at least one.
    anchors: Vec<Anchor>,
}

/// A moment of the broker's clock, and the moment of the replayed day that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// By the broker's clock.
    pub broker: Timestamp,
    /// On the replayed day.
    pub day: Timestamp,
}

impl Replay {
    /// A replay whose first stretch begins here. `label` names the day for people (`25 June 2023`); `speed` is how many
    /// times faster than that day the broker's clock runs.
    pub fn new(label: impl Into<String>, speed: NonZeroU32, first: Anchor) -> Self {
        Self { label: label.into(), speed, anchors: vec![first] }
    }

    /// With a further stretch that begins here.
    #[must_use]
    pub fn then(mut self, anchor: Anchor) -> Self {
        self.anchors.push(anchor);
        self.anchors.sort_unstable();
        self
    }

    /// The moment of the replayed day that a broker's time stands for. Before the first stretch the day runs back from
    /// it at the same speed. Beyond what can be told it stays at the last moment that can.
    pub fn day(&self, broker: Timestamp) -> Timestamp {
        let after = self.anchors.partition_point(|anchor| anchor.broker <= broker);
        let anchor = self.anchors[after.saturating_sub(1)];
        let passed = broker.duration_since(anchor.broker);
        let speed = i32::try_from(self.speed.get()).unwrap_or(i32::MAX);
        let limit = if passed.is_negative() { SignedDuration::MIN } else { SignedDuration::MAX };
        let passed = passed.checked_mul(speed).unwrap_or(limit);
        let end = if passed.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        anchor.day.checked_add(passed).unwrap_or(end)
    }

    /// The day, for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How many times faster than the day.
    pub fn speed(&self) -> NonZeroU32 {
        self.speed
    }
}

impl View {
    /// The moment that a reader is shown for a broker's time.
    pub(crate) fn shown(&self, broker: Timestamp) -> Timestamp {
        self.replay.as_ref().map_or(broker, |replay| replay.day(broker))
    }

    /// The length of time that a reader is shown, in seconds.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> f64 {
        self.shown(to).duration_since(self.shown(from)).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn replay() -> Replay {
        let anchor = |broker, day| Anchor { broker: at(broker), day: at(day) };
        // The later stretch is given first: the order in which they are told does not matter.
        Replay::new(
            "a day",
            NonZeroU32::new(60).unwrap(),
            anchor("2026-01-01T00:00:41Z", "2023-06-25T06:32:00Z"),
        )
        .then(anchor("2026-01-01T00:00:00Z", "2023-06-25T05:23:00Z"))
    }

    #[test]
    fn the_day_runs_at_speed_from_the_last_anchor() {
        for (broker, day) in [
            ("2025-12-31T23:59:59Z", "2023-06-25T05:22:00Z"),
            ("2026-01-01T00:00:00Z", "2023-06-25T05:23:00Z"),
            ("2026-01-01T00:00:40.5Z", "2023-06-25T06:03:30Z"),
            ("2026-01-01T00:00:41Z", "2023-06-25T06:32:00Z"),
            ("2026-01-01T00:01:41Z", "2023-06-25T07:32:00Z"),
        ] {
            assert_eq!(replay().day(at(broker)), at(day), "{broker}");
        }
    }

    #[test]
    fn a_time_beyond_all_days_is_the_last_that_can_be_told() {
        assert_eq!(replay().day(Timestamp::MAX), Timestamp::MAX);
        assert_eq!(replay().day(Timestamp::MIN), Timestamp::MIN);
        let fastest =
            Replay::new("", NonZeroU32::MAX, Anchor { broker: Timestamp::MIN, day: Timestamp::MAX });
        assert_eq!(fastest.day(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn lengths_are_differences_of_the_day() {
        let view = View { replay: Some(replay()) };
        let (before, after) = (at("2026-01-01T00:00:40Z"), at("2026-01-01T00:00:41Z"));
        assert!((view.between(before, after) - 1_740.0).abs() < 1e-9, "the gap is left out, and counts");
        assert!((View::default().between(before, after) - 1.0).abs() < 1e-9);
    }
}
