//! Lengths of time, as people write them.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Span, SpanFieldwise, Timestamp, ToSpan, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A length of time as people write it: `15m`, `2h`, `1h 30m`, `500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(pub SignedDuration);

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#}", self.0))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let window: SignedDuration = text.parse().map_err(|_| {
            serde::de::Error::custom(format!(
                "expected a length of time such as \"15m\" or \"2h\", found {text:?}"
            ))
        })?;
        if window.is_positive() {
            Ok(Self(window))
        } else {
            Err(serde::de::Error::custom(format!("a window must be longer than nothing, found {text:?}")))
        }
    }
}

/// A length of time in a law: so many hours, or calendar days, or calendar months.
///
/// A day and a month are counted on the calendar of the directory's zone and end at the same time of day: over a change
/// to summer time a day has 23 hours, and one month from 31 January is the last day of February. Where a law lets the
/// time run to the end of that day (Regulation (EEC, Euratom) No 1182/71, Article 3), this is the stricter reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// So long by the clock.
    Length(Window),
    /// So many calendar days.
    Days(u16),
    /// So many calendar months.
    Months(u16),
}

impl Term {
    /// The moment that lies this long after another, in a zone. The last that there is where none lies so late.
    pub fn after(self, start: Timestamp, zone: &TimeZone) -> Timestamp {
        self.times_after(1, start, zone)
    }

    /// The moment that lies so many times this long after another. On the calendar all are counted from that one, so that
    /// twice a month from 31 January is the last day of March, and a time of day that one day lacks is that of the next.
    pub fn times_after(self, times: u32, start: Timestamp, zone: &TimeZone) -> Timestamp {
        let times = i64::from(times);
        let on_calendar = |span: Result<Span, jiff::Error>| {
            let end = span.and_then(|span| start.to_zoned_datetime(zone.clone()).checked_add(span));
            end.map_or(Timestamp::MAX, |end| end.timestamp())
        };
        match self {
            Self::Length(Window(length)) => {
                let length = i32::try_from(times).ok().and_then(|times| length.checked_mul(times));
                length.and_then(|length| start.checked_add(length).ok()).unwrap_or(Timestamp::MAX)
            }
            Self::Days(days) => on_calendar(Span::new().try_days(i64::from(days) * times)),
            Self::Months(months) => on_calendar(Span::new().try_months(i64::from(months) * times)),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(Window(length)) => write!(f, "{length:#}"),
            Self::Days(1) => f.write_str("1 day"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Months(1) => f.write_str("1 month"),
            Self::Months(months) => write!(f, "{months} months"),
        }
    }
}

impl FromStr for Term {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected a length of time such as \"30m\", \"72h\", \"30 days\" or \"1 month\", found {text:?}"
            )
        };
        if let Ok(length) = text.parse::<SignedDuration>() {
            return if length.is_positive() {
                Ok(Self::Length(Window(length)))
            } else {
                Err(format!("a term must be longer than nothing, found {text:?}"))
            };
        }
        let span: Span = text.parse().map_err(|_| expected())?;
        let whole = |count: i32| u16::try_from(count).ok().filter(|count| *count > 0);
        let (days, months) = (span.get_days(), span.get_months());
        let same = |other: Span| SpanFieldwise(span) == SpanFieldwise(other);
        match (whole(days), whole(months)) {
            (Some(count), None) if same(days.days()) => Ok(Self::Days(count)),
            (None, Some(count)) if same(months.months()) => Ok(Self::Months(count)),
            _ => Err(expected()),
        }
    }
}

impl Serialize for Term {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_reads_as_it_is_written() {
        for (text, term) in [
            ("30m", Term::Length(Window(SignedDuration::from_mins(30)))),
            ("72h", Term::Length(Window(SignedDuration::from_hours(72)))),
            ("1 day", Term::Days(1)),
            ("30 days", Term::Days(30)),
            ("1 month", Term::Months(1)),
            ("2 months", Term::Months(2)),
        ] {
            assert_eq!(text.parse(), Ok(term), "{text}");
            assert_eq!(term.to_string().parse(), Ok(term), "{text}");
        }
        assert_eq!("P1M".parse(), Ok(Term::Months(1)));
        assert_eq!("30d".parse(), Ok(Term::Days(30)));
        for bad in
            ["", "soon", "0h", "-1 month", "0 days", "1 month 1 day", "1d 1h", "1 year", "1", "70000 days"]
        {
            assert!(bad.parse::<Term>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_and_months_are_the_calendars() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let london = TimeZone::get("Europe/London").unwrap();
        for (term, start, end) in [
            // The clocks go forward on 29 March 2026, so that this day has 23 hours.
            ("1 day", "2026-03-28T12:00:00Z", "2026-03-29T11:00:00Z"),
            ("24h", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
            ("1 month", "2026-03-10T09:30:00Z", "2026-04-10T08:30:00Z"),
            // A month of 28 days, and one that has no such day.
            ("1 month", "2026-02-01T09:00:00Z", "2026-03-01T09:00:00Z"),
            ("1 month", "2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z"),
            ("1 month", "2028-01-31T09:00:00Z", "2028-02-29T09:00:00Z"),
        ] {
            assert_eq!(
                term.parse::<Term>().unwrap().after(at(start), &london),
                at(end),
                "{term} from {start}"
            );
        }
        assert_eq!("9000h".parse::<Term>().unwrap().after(Timestamp::MAX, &london), Timestamp::MAX);
    }
}
