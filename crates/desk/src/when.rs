//! Times and time left, as the person at the desk reads them.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// `06:39:00 BST (05:39:00 UTC)`, with the day before it when that is not the day of `now`; without UTC where that is
/// the same.
pub fn clock(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (here, utc) = (at.to_zoned_datetime(zone.clone()), at.to_zoned_datetime(TimeZone::UTC));
    let day = if here.date() == now.to_zoned_datetime(zone.clone()).date() { "" } else { "%A %-d %B %Y " };
    let shown = here.strftime(&format!("{day}%H:%M:%S %Z")).to_string();
    if here.offset().is_zero() {
        return shown;
    }
    let utc_day = if here.date() == utc.date() { "" } else { "%A %-d %B " };
    format!("{shown} ({} UTC)", utc.strftime(&format!("{utc_day}%H:%M:%S")))
}

/// How long is left to a window, or how long it has been over: `14 min 52 s left`, `LATE by 1 h 3 min`.
pub fn countdown(due_at: Timestamp, now: Timestamp) -> String {
    let left = due_at.duration_since(now);
    if left.is_negative() { format!("LATE by {}", length(left)) } else { format!("{} left", length(left)) }
}

/// A length of time in its two largest units. What is left is rounded down: nobody is promised a second too many.
fn length(length: SignedDuration) -> String {
    let seconds = length.unsigned_abs().as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_told_here_and_in_utc_and_another_day_is_named() {
        let (london, now) = (TimeZone::get("Europe/London").unwrap(), at("2023-06-25T05:24:00Z"));
        for (time, zone, told) in [
            ("2023-06-25T05:39:00Z", london.clone(), "06:39:00 BST (05:39:00 UTC)"),
            (
                "2023-06-25T23:30:00Z",
                london.clone(),
                "Monday 26 June 2023 00:30:00 BST (Sunday 25 June 23:30:00 UTC)",
            ),
            ("2023-12-25T05:39:00Z", london.clone(), "Monday 25 December 2023 05:39:00 GMT"),
            ("2023-06-25T05:39:00Z", TimeZone::UTC, "05:39:00 UTC"),
        ] {
            assert_eq!(clock(at(time), now, &zone), told);
        }
    }

    #[test]
    fn time_left_is_rounded_down_and_a_window_that_is_over_is_late() {
        let now = at("2023-06-25T05:24:00Z");
        for (due, told) in [
            ("2023-06-25T05:38:52.9Z", "14 min 52 s left"),
            ("2023-06-25T05:24:00Z", "0 s left"),
            ("2023-06-25T05:23:18Z", "LATE by 42 s"),
            ("2023-06-25T04:20:30Z", "LATE by 1 h 3 min"),
            ("2023-06-28T06:24:00Z", "3 d 1 h left"),
        ] {
            assert_eq!(countdown(at(due), now), told, "{due}");
        }
    }
}
