//! The days of a period, and the parts of which its trend is made.

use jiff::{
    ToSpan as _,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use tocsin_protocol::Timestamp;

use super::figures::Each;
use crate::{error::Error, words::Zone};

/// The longest period, in days: ten years and their leap days.
const LONGEST: i32 = 3_653;

/// Up to so many days the parts are weeks: a quarter.
const WEEKS: i32 = 92;

/// A period in one time zone.
pub(super) struct Span {
    pub(super) time_zone: String,
    zone: TimeZone,
    pub(super) begins_at: Timestamp,
    /// The first moment that is after it.
    pub(super) ends_at: Timestamp,
    pub(super) each: Each,
    /// The first and last day of each part.
    pub(super) parts: Vec<(Date, Date)>,
}

impl Span {
    pub(super) fn of(from: Date, to: Date, time_zone: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Period { from, to, why };
        let beyond = |_| wrong("it is beyond the calendar: give days of this century");
        if from > to {
            return Err(wrong("it ends before it begins: give the earlier day first"));
        }
        let days = (to - from).get_days();
        if days >= LONGEST {
            return Err(wrong("it is longer than ten years: ask for less at a time"));
        }
        let named = Zone::named(time_zone);
        let zone = named.zone();
        let midnight = |day: Date| zone.to_timestamp(day.at(0, 0, 0, 0)).map_err(beyond);
        let after = to.tomorrow().map_err(beyond)?;
        let each = if days < WEEKS { Each::Week } else { Each::Month };
        Ok(Self {
            time_zone: if named.known { time_zone.to_owned() } else { "UTC".to_owned() },
            begins_at: midnight(from)?,
            ends_at: midnight(after)?,
            zone,
            each,
            parts: parts(from, to, each),
        })
    }

    /// Whether a moment is within it.
    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.begins_at <= at && at < self.ends_at
    }

    /// The place of the part that a moment is in.
    pub(super) fn part(&self, at: Timestamp) -> Option<usize> {
        let day = at.to_zoned_datetime(self.zone.clone()).date();
        let after = self.parts.partition_point(|(from, _)| *from <= day);
        after.checked_sub(1)
    }
}

/// Whole weeks from Monday, or whole months; the first and the last as far as they are within the period.
fn parts(from: Date, to: Date, each: Each) -> Vec<(Date, Date)> {
    let mut parts = Vec::new();
    let mut begin = from;
    loop {
        let last = match each {
            Each::Week => {
                let left = begin.weekday().until(Weekday::Sunday);
                begin.checked_add(i64::from(left).days()).unwrap_or(to)
            }
            Each::Month => begin.last_of_month(),
        };
        parts.push((begin, last.min(to)));
        match last.tomorrow() {
            Ok(next) if next <= to => begin = next,
            _ => return parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn span(from: &str, to: &str) -> Span {
        Span::of(day(from), day(to), "Europe/London").unwrap()
    }

    #[test]
    fn both_days_are_within_in_the_directorys_time_zone() {
        // Summer time begins within it: it ends at 23:00 UTC.
        let span = span("2026-03-01", "2026-03-31");
        assert_eq!(span.begins_at, "2026-03-01T00:00:00Z".parse().unwrap());
        assert_eq!(span.ends_at, "2026-03-31T23:00:00Z".parse().unwrap());
        for (at, within) in [
            ("2026-02-28T23:59:59.999999999Z", false),
            ("2026-03-01T00:00:00Z", true),
            ("2026-03-31T22:59:59.999999999Z", true),
            ("2026-03-31T23:00:00Z", false),
        ] {
            assert_eq!(span.holds(at.parse().unwrap()), within, "{at}");
        }
    }

    #[test]
    fn a_short_period_has_weeks_and_a_long_one_months_and_no_day_is_in_two() {
        for (from, to, each, parts, second) in [
            ("2026-01-01", "2026-01-01", Each::Week, 1, None),
            // A Thursday: the first week has four days.
            ("2026-01-01", "2026-01-31", Each::Week, 5, Some(("2026-01-05", "2026-01-11"))),
            ("2026-01-01", "2026-04-02", Each::Week, 14, Some(("2026-01-05", "2026-01-11"))),
            ("2026-01-01", "2026-06-30", Each::Month, 6, Some(("2026-02-01", "2026-02-28"))),
            ("2024-01-31", "2024-12-01", Each::Month, 12, Some(("2024-02-01", "2024-02-29"))),
        ] {
            let span = span(from, to);
            assert_eq!((span.each, span.parts.len()), (each, parts), "{from} to {to}");
            assert_eq!(span.parts.first().unwrap().0, day(from));
            assert_eq!(span.parts.last().unwrap().1, day(to));
            assert_eq!(span.parts.get(1).copied(), second.map(|(from, to)| (day(from), day(to))));
            for pair in span.parts.windows(2) {
                assert_eq!(pair[0].1.tomorrow().unwrap(), pair[1].0);
            }
        }
    }

    #[test]
    fn a_moment_belongs_to_the_part_of_its_local_day() {
        let span = span("2026-01-01", "2026-12-31");
        // Half past midnight on 1 July by the clock on the wall.
        assert_eq!(span.part("2026-06-30T23:30:00Z".parse().unwrap()), Some(6));
        assert_eq!(span.part("2026-06-30T22:30:00Z".parse().unwrap()), Some(5));
        assert_eq!(span.part("2025-06-30T22:30:00Z".parse().unwrap()), None);
    }

    #[test]
    fn days_that_are_no_period_are_told() {
        for (from, to, words) in [
            ("2026-02-01", "2026-01-31", "it ends before it begins"),
            ("2016-01-01", "2026-01-02", "longer than ten years"),
            ("9999-12-31", "9999-12-31", "beyond the calendar"),
        ] {
            let told = Span::of(day(from), day(to), "UTC").err().unwrap().to_string();
            assert!(told.contains(words) && told.contains(from), "{told}");
        }
        assert!(Span::of(day("2016-01-01"), day("2025-12-31"), "UTC").is_ok(), "ten years are taken");
    }
}
