//! Times and lengths of time as people type them.

use std::{str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Time, tz::TimeZone};

/// A moment as it was typed: in full, or by the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// RFC 3339, with an offset.
    At(Timestamp),
    /// A time of day here.
    Clock(Time),
}

/// On which side of now a time of day is to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The last such time that has been.
    Past,
    /// The next such time that will be.
    Future,
}

impl FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let clock = Time::strptime("%H:%M", text).or_else(|_| Time::strptime("%H:%M:%S", text));
        clock.map(Self::Clock).map_err(|_| {
            "expected a time of day such as 06:24, or a full time with its offset such as 2023-06-25T06:24:00+01:00"
                .to_owned()
        })
    }
}

impl Moment {
    /// The moment that is meant, in the zone of the clock on the wall.
    pub(crate) fn on(self, side: Side, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        let clock = match self {
            Self::At(at) => return Ok(at),
            Self::Clock(clock) => clock,
        };
        let today = now.to_zoned_datetime(zone.clone()).date();
        let cannot = |why: jiff::Error| format!("{clock} cannot be placed: {why}");
        let on = |date: jiff::civil::Date| zone.to_timestamp(date.to_datetime(clock));
        let here = on(today).map_err(cannot)?;
        let other = match side {
            Side::Past if here > now => today.checked_sub(1.day()),
            Side::Future if here < now => today.checked_add(1.day()),
            _ => return Ok(here),
        };
        other.and_then(on).map_err(cannot)
    }
}

/// A length of time such as `30s`, `5m` or `1h 30m`.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|length| Duration::try_from(length).ok())
        .filter(|length| !length.is_zero())
        .ok_or_else(|| "expected a length of time such as 30s, 5m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_last_or_the_next_one() {
        let zone = TimeZone::get("Europe/London").unwrap();
        let now: Timestamp = "2023-06-25T05:33:00Z".parse().unwrap();
        for (text, side, meant) in [
            ("06:24", Side::Past, "2023-06-25T05:24:00Z"),
            ("23:50", Side::Past, "2023-06-24T22:50:00Z"),
            ("07:00", Side::Future, "2023-06-25T06:00:00Z"),
            ("06:24:30", Side::Future, "2023-06-26T05:24:30Z"),
            ("2023-06-25T06:24:00+01:00", Side::Future, "2023-06-25T05:24:00Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.on(side, now, &zone).unwrap(), meant.parse().unwrap(), "{text}");
        }
        for bad in ["", "6", "24:01", "2023-06-25T06:24:00", "yesterday"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_length_of_time_is_longer_than_nothing() {
        assert_eq!(length("1h 30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "5", "0s", "-1m"] {
            assert!(length(bad).is_err(), "{bad}");
        }
    }
}
