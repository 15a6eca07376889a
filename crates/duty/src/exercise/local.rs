//! What croner searches on: a moment in a time zone, by jiff.

use std::cmp::Ordering;

use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday, errors::CronError};
use jiff::{SignedDuration, Timestamp, ZonedDateTime, civil::DateTime, tz::TimeZone};

/// A moment with the zone in which a schedule is read.
#[derive(Debug, Clone)]
pub(super) struct Local {
    at: ZonedDateTime,
    civil: CivilDateTime,
}

impl Local {
    pub(super) fn new(at: Timestamp, zone: &TimeZone) -> Result<Self, CronError> {
        checked(at.to_zoned_datetime(zone.clone()))
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        self.at.timestamp()
    }
}

fn small<T: TryFrom<U>, U>(part: U) -> Result<T, CronError> {
    T::try_from(part).map_err(|_| CronError::InvalidDate)
}

fn from_civil(civil: CivilDateTime) -> Result<DateTime, CronError> {
    DateTime::new(
        small(civil.year())?,
        small(civil.month())?,
        small(civil.day())?,
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
        0,
    )
    .map_err(|_| CronError::InvalidDate)
}

/// Jiff keeps every part within its bounds, and so within croner's.
fn to_civil(at: DateTime) -> Result<CivilDateTime, CronError> {
    let date = CivilDate::from_ymd(at.year().into(), small(at.month())?, small(at.day())?)?;
    let time = CivilTime::from_hms_opt(small(at.hour())?, small(at.minute())?, small(at.second())?);
    Ok(CivilDateTime::new(date, time.ok_or(CronError::InvalidTime)?))
}

/// The moment of which [`Local`] keeps the parts, so that asking for them cannot fail.
fn checked(at: ZonedDateTime) -> Result<Local, CronError> {
    Ok(Local { civil: to_civil(at.datetime())?, at })
}

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        self.civil
    }

    fn civil_weekday(&self) -> Weekday {
        let day = self.at.weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(u32::try_from(day).unwrap_or_default())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let ambiguous = self.at.time_zone().to_ambiguous_zoned_datetime(from_civil(civil)?);
        let none = |_| CronError::InvalidTime;
        Ok(match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { .. } => {
                Resolution::Single(checked(ambiguous.unambiguous().map_err(none)?)?)
            }
            jiff::tz::AmbiguousOffset::Fold { .. } => {
                let earlier = ambiguous.clone().earlier().map_err(none)?;
                Resolution::Ambiguous(checked(earlier)?, checked(ambiguous.later().map_err(none)?)?)
            }
            jiff::tz::AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        checked(self.at.checked_add(SignedDuration::from_secs(seconds)).ok()?).ok()
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.timestamp().cmp(&other.timestamp())
    }
}
