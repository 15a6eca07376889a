//! Lengths of time, times of day and free text, as people read them.

use jiff::{Timestamp, tz::TimeZone};
use tocsin_protocol::{ClockStart, Outcome, ReceiptMethod, SignedDuration};

/// The zone of the local times that stand beside UTC.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    zone: TimeZone,
    /// False when nobody knows a zone of that name: the times are then UTC.
    pub(crate) known: bool,
}

impl Zone {
    /// A zone by its IANA name. The database is built in, so that this is the same on every machine.
    pub(crate) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) => Self { zone, known: true },
            Err(_) => Self { zone: TimeZone::UTC, known: false },
        }
    }

    pub(crate) fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// `2023-06-25`.
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.form("%Y-%m-%d", at)
    }

    /// `06:24:00`.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        self.form("%H:%M:%S", at)
    }

    /// `06:24`.
    pub(crate) fn minute(&self, at: Timestamp) -> String {
        self.form("%H:%M", at)
    }

    /// `BST`: the zone's own word at that time.
    pub(crate) fn word(&self, at: Timestamp) -> String {
        self.form("%Z", at)
    }

    /// `25 Jun`.
    pub(crate) fn short_day(&self, at: Timestamp) -> String {
        self.form("%-d %b", at)
    }

    /// `2023-06-25 06:24:00 BST (05:24:00Z)`; with the day in UTC where that is another.
    pub(crate) fn both(&self, at: Timestamp) -> String {
        let same_day = self.day(at) == at.strftime("%Y-%m-%d").to_string();
        let utc = at.strftime(if same_day { "%H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%SZ" });
        format!("{} ({utc})", self.form("%Y-%m-%d %H:%M:%S %Z", at))
    }

    /// How many seconds its clocks are before UTC.
    pub(crate) fn offset_seconds(&self, at: Timestamp) -> i64 {
        self.zone.to_offset(at).seconds().into()
    }

    fn form(&self, form: &str, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime(form).to_string()
    }
}

/// `2023-06-25 05:24:00Z`.
pub(crate) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A length of time: `240 ms`, `4.2 s`, `4 min 12 s`, `2 h 41 min`, `1 d 2 h`.
pub(crate) fn length(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    let Ok(length) = SignedDuration::try_from_secs_f64(seconds) else {
        return "not a length of time".to_owned();
    };
    let millis = length.as_millis();
    if length.is_zero() {
        return "0 s".to_owned();
    }
    if millis < 1 {
        return format!("{sign}under 1 ms");
    }
    if millis < 1_000 {
        return format!("{sign}{millis} ms");
    }
    if millis < 9_950 {
        return format!("{sign}{seconds:.1} s");
    }
    let whole = (millis + 500) / 1_000;
    let parts =
        [(whole / 86_400, "d"), (whole / 3_600 % 24, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    format!("{sign}{}", words.join(" "))
}

/// A length of time since something: `4 min after`, `2 s before`.
pub(crate) fn since(seconds: f64) -> String {
    let way = if seconds < 0.0 { "before" } else { "after" };
    format!("{} {way}", length(seconds.abs()))
}

/// The same in at most two units, for a table: `2 h 41 min`, `150 d 2 h`.
pub(crate) fn rough(seconds: f64) -> String {
    const UNITS: [f64; 3] = [86_400.0, 3_600.0, 60.0];
    // What is told in two units is rounded to the second of them, which is the one after the first that fits.
    let least = match UNITS.iter().position(|unit| seconds.abs() >= *unit) {
        Some(0) => 3_600.0,
        Some(1) => 60.0,
        _ => return length(seconds),
    };
    length((seconds / least).round() * least)
}

/// Free text from outside, on one line: control characters and those that turn the direction of writing are taken out,
/// so that a headline cannot move a terminal's cursor or turn a line round.
pub(crate) fn plain(text: &str) -> String {
    let spaced = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
    spaced.filter(|c| !is_hidden(*c)).collect::<String>().trim().to_owned()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A kind of recipient for people: `police territorial`.
pub(crate) fn kind(kind: &str) -> String {
    plain(kind).replace('-', " ")
}

/// A part of a whole, with the whole: `58 of 60 asked (96.6%)`. Never rounded up: all but one of many is not all.
pub(crate) fn share(part: u32, whole: u32, noun: &str) -> String {
    if whole == 0 {
        return format!("{part} of {whole}{noun}");
    }
    let tenths = u64::from(part) * 1_000 / u64::from(whole);
    let percent = if tenths.is_multiple_of(10) {
        format!("{}", tenths / 10)
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    format!("{part} of {whole}{noun} ({percent}%)")
}

/// How an e-mail ended, for people.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "taken by the relay",
        Outcome::Temporary => "not taken yet",
        Outcome::RelayFault => "relay at fault",
        Outcome::Permanent => "refused for good",
        Outcome::Unknown => "unknown",
        Outcome::StoodDown => "stood down",
    }
}

/// Through which door an acknowledgement came, for people.
pub(crate) fn method(method: ReceiptMethod) -> &'static str {
    match method {
        ReceiptMethod::Desk => "at its desk",
        ReceiptMethod::Program => "by its program",
        ReceiptMethod::Command => "by the command line",
        ReceiptMethod::Page => "on the console's page",
        ReceiptMethod::Link => "by the link of a mail",
        ReceiptMethod::PhoneLogged => "by telephone, logged",
        ReceiptMethod::InPerson => "in person",
    }
}

/// What happened at a moment that an event tells, for people.
pub(crate) fn happened(clock: ClockStart) -> &'static str {
    match clock {
        ClockStart::Occurred => "the failure began",
        ClockStart::Detected => "the failure was noticed",
        ClockStart::Aware => "the operator was aware",
        ClockStart::Discovered => "the failure was discovered",
        ClockStart::Classified => "it was classified as reportable",
        ClockStart::Published => "the event was recorded",
        ClockStart::Restored => "the service was restored",
    }
}

/// Some of a list, and how many more: `a, b and 3 more`.
pub(crate) fn some<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let all: Vec<&str> = items.into_iter().collect();
    if all.len() <= SHOWN + 1 {
        return match all.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
            None => "nobody".to_owned(),
        };
    }
    format!("{} and {} more", all[..SHOWN].join(", "), all.len() - SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_say_them() {
        for (seconds, said) in [
            (0.0, "0 s"),
            (0.000_2, "under 1 ms"),
            (0.24, "240 ms"),
            (4.24, "4.2 s"),
            (9.96, "10 s"),
            (59.7, "1 min"),
            (252.0, "4 min 12 s"),
            (9_660.0, "2 h 41 min"),
            (12_060.0, "3 h 21 min"),
            (93_600.0, "1 d 2 h"),
            (-90.0, "-1 min 30 s"),
            (f64::NAN, "not a length of time"),
        ] {
            assert_eq!(length(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn a_rough_length_has_two_units() {
        for (seconds, said) in [
            (0.24, "240 ms"),
            (252.0, "4 min 12 s"),
            (9_690.0, "2 h 42 min"),
            (86_399.0, "1 d"),
            (12_960_123.0, "150 d"),
            (12_967_323.0, "150 d 2 h"),
            (f64::NAN, "not a length of time"),
        ] {
            assert_eq!(rough(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn the_clock_of_an_outage_in_june_is_summer_time() {
        let at: Timestamp = "2023-06-25T05:24:00Z".parse().unwrap();
        let zone = Zone::named("Europe/London");
        assert!(zone.known);
        assert_eq!(zone.both(at), "2023-06-25 06:24:00 BST (05:24:00Z)");
        let nowhere = Zone::named("Nowhere/Land");
        assert!(!nowhere.known);
        assert_eq!(nowhere.both(at), "2023-06-25 05:24:00 UTC (05:24:00Z)");
    }

    #[test]
    fn the_day_in_utc_is_told_where_it_is_another() {
        let zone = Zone::named("Europe/London");
        let at: Timestamp = "2023-06-24T23:30:00Z".parse().unwrap();
        assert_eq!(zone.both(at), "2023-06-25 00:30:00 BST (2023-06-24 23:30:00Z)");
    }

    #[test]
    fn a_share_has_its_whole_and_is_never_rounded_up() {
        assert_eq!(share(58, 60, " asked"), "58 of 60 asked (96.6%)");
        assert_eq!(share(9_999, 10_000, ""), "9999 of 10000 (99.9%)");
        assert_eq!(share(5, 5, ""), "5 of 5 (100%)");
        assert_eq!(share(0, 0, ""), "0 of 0");
    }

    #[test]
    fn free_text_cannot_steer_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\r\nc\u{202e}d\u{7}\u{9b}"), "a[2Jb  cd");
    }

    #[test]
    fn a_long_list_says_how_many_it_leaves_out() {
        assert_eq!(some([]), "nobody");
        assert_eq!(some(["a"]), "a");
        assert_eq!(some(["a", "b", "c"]), "a, b and c");
        assert_eq!(some(["x"; 20]), "x, x, x, x, x, x, x, x and 12 more");
    }
}
