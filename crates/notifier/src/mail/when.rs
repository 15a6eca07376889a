//! Times as people read them: in the directory's zone, with UTC beside.

use jiff::{Timestamp, tz::TimeZone};

/// A zone to show times in.
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The zone of that name. An unknown one is UTC: a mail with UTC alone is better than none.
    pub(crate) fn named(name: &str) -> Self {
        Self(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    /// `Sunday 25 June 2023 06:24 BST (05:24 UTC)`.
    pub(crate) fn show(&self, at: Timestamp) -> String {
        let (here, utc) = (at.to_zoned_datetime(self.0.clone()), at.to_zoned_datetime(TimeZone::UTC));
        let clock = if utc.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        let day = "%A %-d %B %Y";
        let shown = here.strftime(&format!("{day} {clock} %Z")).to_string();
        if here.offset().is_zero() && here.strftime("%Z").to_string() == "UTC" {
            shown
        } else if here.date() == utc.date() {
            format!("{shown} ({} UTC)", utc.strftime(clock))
        } else {
            format!("{shown} ({} UTC)", utc.strftime(&format!("{day} {clock}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(zone: &str, at: &str) -> String {
        Zone::named(zone).show(at.parse().unwrap())
    }

    #[test]
    fn a_time_is_told_in_the_zone_with_utc_beside() {
        assert_eq!(
            show("Europe/London", "2023-06-25T05:24:00Z"),
            "Sunday 25 June 2023 06:24 BST (05:24 UTC)"
        );
        assert_eq!(
            show("Europe/London", "2023-12-25T05:24:07Z"),
            "Monday 25 December 2023 05:24:07 GMT (05:24:07 UTC)"
        );
        assert_eq!(
            show("America/Los_Angeles", "2023-06-25T05:24:00Z"),
            "Saturday 24 June 2023 22:24 PDT (Sunday 25 June 2023 05:24 UTC)"
        );
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_apart() {
        assert_eq!(
            show("Europe/London", "2026-10-25T00:30:00Z"),
            "Sunday 25 October 2026 01:30 BST (00:30 UTC)"
        );
        assert_eq!(
            show("Europe/London", "2026-10-25T01:30:00Z"),
            "Sunday 25 October 2026 01:30 GMT (01:30 UTC)"
        );
    }

    #[test]
    fn an_unknown_zone_is_utc() {
        assert_eq!(show("Nowhere/Atall", "2023-06-25T05:24:00Z"), "Sunday 25 June 2023 05:24 UTC");
    }
}
