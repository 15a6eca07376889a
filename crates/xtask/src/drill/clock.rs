//! Two clocks: the time of the day that is played, and the machine's. Stretches of the day run at one constant speed; what lies
//! between them is left out, and the screen says so.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tocsin_audit::render::{Anchor, Replay, View};
use tocsin_scenario::Stretch;

use super::day::in_zone;

/// Which moment of the machine stands for which moment of the day.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    speed: i32,
    /// The zone in which the day is told.
    zone: TimeZone,
    /// Each stretch with the machine's time of its beginning, in order.
    stretches: Vec<(Stretch, Timestamp)>,
    /// Which machine's time stands for which moment of the day, in order; from each the day goes on at speed.
    anchors: Vec<(Timestamp, Timestamp)>,
}

impl Clock {
    /// A clock that begins with the first stretch at this machine time.
    pub(crate) fn new(begun: Timestamp, speed: i32, stretches: &[Stretch], zone: TimeZone) -> Self {
        let mut machine = begun;
        let mut placed = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            placed.push((*stretch, machine));
            machine += shortened(stretch.to.duration_since(stretch.from), speed);
        }
        let anchors = placed.iter().map(|(stretch, begins)| (*begins, stretch.from)).collect();
        Self { speed, zone, stretches: placed, anchors }
    }

    /// The machine's time at which a moment of the day is played. For a moment that is left out: where the day goes on.
    pub(crate) fn machine(&self, day: Timestamp) -> Timestamp {
        let (stretch, begins) =
            self.stretches.iter().find(|(stretch, _)| day <= stretch.to).unwrap_or(self.last());
        let into = day.duration_since(stretch.from).max(SignedDuration::ZERO);
        *begins + whole(into, self.speed)
    }

    /// The moment of the day for a machine's time. After the last stretch the day simply goes on.
    pub(crate) fn day(&self, machine: Timestamp) -> Timestamp {
        let after = self.anchors.partition_point(|(begins, _)| *begins <= machine);
        let (begins, day) = self.anchors[after.saturating_sub(1)];
        day + machine.duration_since(begins) * self.speed
    }

    /// From this machine's time on, it is this time of day: what the machine took until then took nothing of the day.
    /// So an event is published at its time of day, and what it took from the key pressed to the bus is measured, and
    /// not scaled into the day.
    pub(crate) fn anchor(&mut self, machine: Timestamp, day: Timestamp) {
        let at = self.anchors.partition_point(|(begins, _)| *begins <= machine);
        self.anchors.insert(at, (machine, day));
    }

    /// How long a length of the day takes here.
    pub(crate) fn scaled(&self, day: SignedDuration) -> SignedDuration {
        shortened(day, self.speed)
    }

    /// How much of the day passes in this much time here.
    pub(crate) fn of_day(&self, machine: SignedDuration) -> SignedDuration {
        machine * self.speed
    }

    /// The same for a reader of the report, of a day with this name.
    pub(crate) fn view(&self, date: &str) -> View {
        let mut anchors = self.anchors.iter().map(|(broker, day)| Anchor { broker: *broker, day: *day });
        let speed = u32::try_from(self.speed).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let replay = anchors.next().map(|first| Replay::new(date, speed, first));
        View { replay: replay.map(|replay| anchors.fold(replay, Replay::then)) }
    }

    /// A moment of the day as people there read it.
    pub(crate) fn told(&self, day: Timestamp, format: &str) -> String {
        in_zone(day, &self.zone, format)
    }

    /// The hour of a moment of the day, with its date where that is not the first.
    pub(crate) fn hour(&self, day: Timestamp) -> String {
        let date = |day| self.told(day, "%Y-%m-%d");
        let first = date(day) == date(self.stretches[0].0.from);
        self.told(day, if first { "%H:%M" } else { "%-d %b %H:%M" })
    }

    /// How many times faster than the day.
    pub(crate) fn speed(&self) -> i32 {
        self.speed
    }

    /// What is left out between the stretches: from when to when. Of a stretch that is a moment alone nothing is seen.
    pub(crate) fn left_out(&self) -> Vec<(Timestamp, Timestamp)> {
        let long =
            |stretch: &&Stretch| stretch.to.duration_since(stretch.from) >= SignedDuration::from_mins(1);
        let seen: Vec<_> = self.stretches.iter().map(|(stretch, _)| stretch).filter(long).collect();
        seen.windows(2).map(|pair| (pair[0].to, pair[1].from)).collect()
    }

    /// The machine's time at which the last stretch is over.
    pub(crate) fn ends(&self) -> Timestamp {
        self.machine(self.last().0.to)
    }

    fn last(&self) -> &(Stretch, Timestamp) {
        &self.stretches[self.stretches.len() - 1]
    }
}

/// A length of the day, as long as it takes here and no less: a nanosecond too early is shown as the minute before.
pub(crate) fn whole(day: SignedDuration, speed: i32) -> SignedDuration {
    let short = shortened(day, speed);
    if short * speed == day { short } else { short + SignedDuration::from_nanos(1) }
}

/// A length of the day, as long as it takes here.
pub(crate) fn shortened(day: SignedDuration, speed: i32) -> SignedDuration {
    day / speed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn london() -> TimeZone {
        TimeZone::get("Europe/London").unwrap()
    }

    fn clock() -> Clock {
        let stretch = |from: &str, to: &str| Stretch {
            from: at(&format!("2023-06-25T{from}Z")),
            to: at(&format!("2023-06-25T{to}Z")),
        };
        let stretches = [stretch("05:23:00", "06:02:00"), stretch("06:32:00", "07:12:00")];
        Clock::new(at("2026-01-01T00:00:00Z"), 60, &stretches, london())
    }

    #[test]
    fn a_minute_of_the_day_is_a_second_here_and_what_is_left_out_takes_none() {
        let clock = clock();
        for (day, machine) in [
            ("2023-06-25T05:23:00Z", "2026-01-01T00:00:00Z"),
            ("2023-06-25T05:24:30Z", "2026-01-01T00:00:01.5Z"),
            ("2023-06-25T06:32:00Z", "2026-01-01T00:00:39Z"),
            ("2023-06-25T06:33:00Z", "2026-01-01T00:00:40Z"),
            ("2023-06-25T07:13:00Z", "2026-01-01T00:01:20Z"),
        ] {
            assert_eq!(clock.machine(at(day)), at(machine), "{day}");
            assert_eq!(clock.day(at(machine)), at(day), "{machine}");
        }
        assert_eq!(clock.machine(at("2023-06-25T06:20:00Z")), at("2026-01-01T00:00:39Z"), "left out");
        assert_eq!(clock.left_out(), [(at("2023-06-25T06:02:00Z"), at("2023-06-25T06:32:00Z"))]);
        assert_eq!(clock.ends(), at("2026-01-01T00:01:19Z"));
        let replay = clock.view("25 June 2023").replay.unwrap();
        for machine in ["2026-01-01T00:00:01.5Z", "2026-01-01T00:00:39Z", "2026-01-01T00:02:00Z"] {
            assert_eq!(replay.day(at(machine)), clock.day(at(machine)), "{machine}");
        }
    }

    #[test]
    fn what_the_machine_took_to_publish_takes_nothing_of_the_day() {
        let mut clock = clock();
        clock.anchor(at("2026-01-01T00:00:01.1Z"), at("2023-06-25T05:24:00Z"));
        assert_eq!(clock.day(at("2026-01-01T00:00:01Z")), at("2023-06-25T05:24:00Z"), "the key is pressed");
        assert_eq!(clock.day(at("2026-01-01T00:00:01.1Z")), at("2023-06-25T05:24:00Z"), "the bus has it");
        assert_eq!(clock.day(at("2026-01-01T00:00:16.1Z")), at("2023-06-25T05:39:00Z"), "the window closes");
        assert_eq!(clock.day(at("2026-01-01T00:00:39Z")), at("2023-06-25T06:32:00Z"), "the next stretch");
    }

    #[test]
    fn a_moment_is_never_shown_as_the_minute_before() {
        let stretches = clock().stretches.iter().map(|(stretch, _)| *stretch).collect::<Vec<_>>();
        let clock = Clock::new(at("2026-01-01T00:00:00.123456789Z"), 180, &stretches, london());
        let began = at("2023-06-25T05:24:00Z");
        assert_eq!(clock.told(clock.day(clock.machine(began)), "%H:%M:%S"), "06:24:00");
    }

    #[test]
    fn the_day_is_told_in_the_time_of_the_place_and_with_its_date_once_it_is_another() {
        assert_eq!(clock().told(at("2023-06-25T05:24:00Z"), "%H:%M:%S %Z"), "06:24:00 BST");
        assert_eq!(clock().hour(at("2023-06-25T22:59:00Z")), "23:59");
        assert_eq!(clock().hour(at("2023-06-25T23:01:00Z")), "26 Jun 00:01");
    }

    proptest! {
        #[test]
        fn neither_clock_runs_backwards(a in -1000i64..10_000_000, b in -1000i64..10_000_000) {
            let clock = clock();
            let machine = |ms| at("2026-01-01T00:00:00Z") + SignedDuration::from_millis(ms);
            let (early, late) = (machine(a.min(b)), machine(a.max(b)));
            prop_assert!(clock.day(early) <= clock.day(late));
            let again = clock.machine(clock.day(late));
            prop_assert!(a.max(b) < 0 || again == late, "{again} {late}");
        }
    }
}
