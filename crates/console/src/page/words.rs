//! Times, lengths of time and the field's words, as people read them.

use jiff::{civil::Date, tz::TimeZone};
use tocsin_protocol::{
    Category, Certainty, EventKind, Outcome, Platform, ReceiptMethod, Service, Severity, SignedDuration,
    Status, Timestamp, Urgency,
};

use crate::model::State;

/// The zone in which people read times.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// That of the directory in force; UTC where there is none, or nobody knows it.
    pub(crate) fn of(state: &State) -> Self {
        state
            .fold
            .directory()
            .map_or_else(|| Self::named("UTC"), |directory| Self::named(directory.time_zone()))
    }

    /// A zone by its IANA name. The database is built in, so that this is the same on every machine.
    pub(crate) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) => Self { zone, name: name.to_owned() },
            Err(_) => Self { zone: TimeZone::UTC, name: "UTC".to_owned() },
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `06:24:00`.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        self.form("%H:%M:%S", at)
    }

    /// `06:24` on the same day as `now`, else `25 Jun, 06:24`.
    pub(crate) fn minute(&self, at: Timestamp, now: Timestamp) -> String {
        self.form(if self.is_same_day(at, now) { "%H:%M" } else { "%-d %b, %H:%M" }, at)
    }

    /// `06:24:00` on the same day as `now`, else `25 Jun, 06:24:00`.
    pub(crate) fn second(&self, at: Timestamp, now: Timestamp) -> String {
        self.form(if self.is_same_day(at, now) { "%H:%M:%S" } else { "%-d %b, %H:%M:%S" }, at)
    }

    /// `25 June 2023, 06:24:00 BST`.
    pub(crate) fn whole(&self, at: Timestamp) -> String {
        self.form("%-d %B %Y, %H:%M:%S %Z", at)
    }

    /// `25 June 2023, 06:24:00 BST (05:24:00 UTC)`.
    pub(crate) fn both(&self, at: Timestamp) -> String {
        format!("{} ({} UTC)", self.whole(at), at.strftime("%H:%M:%S"))
    }

    /// The moment that a form's `datetime-local` says, by the clock here.
    pub(crate) fn local(&self, text: &str) -> Option<Timestamp> {
        let form = if text.len() > "2023-06-25T06:24".len() { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M" };
        let local = jiff::civil::DateTime::strptime(form, text).ok()?;
        self.zone.to_timestamp(local).ok()
    }

    /// The day by the clock on the wall.
    pub(crate) fn day(&self, at: Timestamp) -> Date {
        at.to_zoned_datetime(self.zone.clone()).date()
    }

    fn is_same_day(&self, a: Timestamp, b: Timestamp) -> bool {
        self.day(a) == self.day(b)
    }

    fn form(&self, form: &str, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime(form).to_string()
    }
}

/// A length of time: `under a second`, `42 s`, `4 min 12 s`, `2 h 41 min`, `1 d 2 h`.
pub(crate) fn length(length: SignedDuration) -> String {
    let whole = length.abs().as_secs();
    let two = |large: i64, large_word: &str, small: i64, small_word: &str| {
        if small == 0 {
            format!("{large} {large_word}")
        } else {
            format!("{large} {large_word} {small} {small_word}")
        }
    };
    match whole {
        0 => "under a second".to_owned(),
        1..60 => format!("{whole} s"),
        60..3_600 => two(whole / 60, "min", whole % 60, "s"),
        3_600..86_400 => two(whole / 3_600, "h", whole % 3_600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3_600, "h"),
    }
}

/// Through which door an acknowledgement came.
pub(crate) fn door(method: ReceiptMethod) -> &'static str {
    match method {
        ReceiptMethod::Desk => "at a desk on the bus",
        ReceiptMethod::Program => "by a program",
        ReceiptMethod::Command => "by the command line",
        ReceiptMethod::Page => "on this page",
        ReceiptMethod::Link => "by the link in the mail",
        ReceiptMethod::PhoneLogged => "by telephone, logged",
        ReceiptMethod::InPerson => "in person",
    }
}

/// What an event says of its incident.
pub(crate) fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Initial => "First notice",
        EventKind::Update => "Update",
        EventKind::Resolved => "Resolved",
        EventKind::Correction => "Correction",
        EventKind::Cancelled => "Cancelled",
        EventKind::SentInError => "Sent in error",
    }
}

/// Actual, exercise or test.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Actual => "Actual",
        Status::Exercise => "EXERCISE",
        Status::Test => "TEST",
    }
}

/// What sort of incident.
pub(crate) fn category(category: Category) -> &'static str {
    match category {
        Category::Outage => "Outage: the service is lost",
        Category::Degradation => "Degradation: the service is worse than it should be",
        Category::Failover => "Failover: the service moves to another platform",
        Category::CyberAttack => "Cyber attack",
        Category::NaturalHazard => "Natural hazard",
        Category::CallSurge => "Call surge: more calls than can be answered",
        Category::PlannedWork => "Planned work",
    }
}

/// A service.
pub(crate) fn service(service: Service) -> &'static str {
    match service {
        Service::Voice999 => "999 calls",
        Service::Voice112 => "112 calls",
        Service::Voice911 => "911 calls",
        Service::Voice000 => "000 calls",
        Service::Voice988 => "988 calls",
        Service::Voice101 => "101 calls",
        Service::Voice111 => "111 calls",
        Service::Ecall => "eCall from cars",
        Service::EmergencySms => "emergency SMS",
        Service::TextRelay => "text relay",
        Service::VideoRelay => "video relay",
        Service::LocationData => "caller location",
        Service::ControlRoom => "control room",
        Service::EmergencyRadio => "emergency services' radio",
    }
}

/// How grave it is.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Unknown => "severity not known",
        Severity::Minor => "Minor",
        Severity::Moderate => "Moderate",
        Severity::Severe => "Severe",
        Severity::Extreme => "Extreme",
    }
}

/// How soon to act.
pub(crate) fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Immediate => "act at once",
        Urgency::Expected => "act within the hour",
        Urgency::Future => "act in the near future",
        Urgency::Past => "no action needed any more",
        Urgency::Unknown => "urgency not known",
    }
}

/// How sure it is.
pub(crate) fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Observed => "observed",
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
        Certainty::Unlikely => "unlikely",
        Certainty::Unknown => "certainty not known",
    }
}

/// What carries the service.
pub(crate) fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Primary => "Primary platform",
        Platform::Backup => "Backup platform",
        Platform::None => "No platform: total loss",
    }
}

/// How an attempt to send a mail ended.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "taken by the relay",
        Outcome::Temporary => "not taken yet, to be tried again",
        Outcome::RelayFault => "relay at fault, to be tried again",
        Outcome::Permanent => "refused for good",
        Outcome::Unknown => "not known whether it was taken, to be sent again",
        Outcome::StoodDown => "stood down, no longer needed",
    }
}

/// A sort of recipient, for a heading of several: `police-territorial` is `Police forces`.
pub(crate) fn kinds(kind: &str) -> String {
    let known = match kind {
        "regulator" => "Regulators",
        "government" => "Government",
        "devolved-government" => "Devolved governments",
        "police" | "police-territorial" => "Police forces",
        "police-special" => "Special police forces",
        "fire" => "Fire and rescue services",
        "ambulance" => "Ambulance services",
        "coastguard" => "Coastguard",
        "operator" => "Operators",
        "communications-provider" => "Communications providers",
        "coordination-body" => "Coordination bodies",
        "lrf" => "Local resilience forums",
        other => {
            return capital(&other.replace('-', " "));
        }
    };
    known.to_owned()
}

/// The same in the middle of a sentence: `police forces`.
pub(crate) fn kinds_within(kind: &str) -> String {
    kinds(kind).to_lowercase()
}

/// Words with a capital at the beginning; `eCall` stays as it is.
pub(crate) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let Some(first) = letters.next() else { return String::new() };
    if letters.clone().next().is_some_and(char::is_uppercase) {
        return words.to_owned();
    }
    first.to_uppercase().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_people_say_them() {
        for (seconds, said) in [
            (0, "under a second"),
            (42, "42 s"),
            (60, "1 min"),
            (252, "4 min 12 s"),
            (9_660, "2 h 41 min"),
            (93_600, "1 d 2 h"),
            (-90, "1 min 30 s"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(seconds)), said, "{seconds}");
        }
    }

    #[test]
    fn a_time_has_its_day_where_that_is_not_today() {
        let zone = Zone::named("Europe/London");
        let at: Timestamp = "2023-06-24T23:30:00Z".parse().unwrap();
        let now: Timestamp = "2023-06-25T06:00:00Z".parse().unwrap();
        assert_eq!(zone.minute(at, now), "00:30");
        assert_eq!(zone.minute(at, now + SignedDuration::from_hours(24)), "25 Jun, 00:30");
        assert_eq!(zone.both(at), "25 June 2023, 00:30:00 BST (23:30:00 UTC)");
        assert_eq!(Zone::named("Nowhere/Land").name(), "UTC");
    }

    #[test]
    fn an_unknown_sort_of_recipient_is_shown_as_it_is_called() {
        assert_eq!(kinds("hospital-trust"), "Hospital trust");
        assert_eq!(kinds_within("police-territorial"), "police forces");
    }
}
