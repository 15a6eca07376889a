//! What of an incident is for the public: the agreed words, and that they no longer apply.
//!
//! An exercise or test is not, nor is an incident without such words. Of what else an event says (headline,
//! description, figures, contacts, marking) nothing leaves the console here: of each word below it is said where it is
//! from.

use jiff::tz::TimeZone;
use tocsin_protocol::{
    Certainty, Event, EventKind, EventNumber, IncidentId, Severity, Status, Timestamp, Urgency,
};

use crate::{
    model::{Incident, State},
    page::names::Names,
};

/// The longest headline, in characters, that CAP 1.2 recommends.
const HEADLINE: usize = 160;
/// The most earlier alerts that one refers to, the newest ones: each supersedes those before it.
const REFERENCES: usize = 50;

/// What a CAP message does to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first words about an incident.
    Alert,
    /// Words that take the place of the earlier ones.
    Update,
    /// The earlier words no longer apply.
    Cancel,
}

impl Kind {
    /// CAP's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Alert => "Alert",
            Self::Update => "Update",
            Self::Cancel => "Cancel",
        }
    }
}

/// One CAP message to the public. Every text is fit for XML once it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    /// The event's own subject, which is its identity.
    pub(super) identifier: String,
    pub(super) sender: String,
    pub(super) sender_name: String,
    /// When the broker had it.
    pub(super) at: Timestamp,
    /// The same, as CAP writes it: whole seconds with an offset in figures.
    pub(super) sent: String,
    pub(super) kind: Kind,
    /// Those that it supersedes or cancels, as CAP writes them.
    pub(super) references: String,
    pub(super) incident: IncidentId,
    pub(super) number: EventNumber,
    /// The agreed words. None where the earlier ones are withdrawn without any.
    pub(super) advice: Option<String>,
    /// The first line of them, or of those that are withdrawn.
    pub(super) headline: String,
    /// Whether the incident is over.
    pub(super) over: bool,
    pub(super) urgency: &'static str,
    pub(super) severity: &'static str,
    pub(super) certainty: &'static str,
    /// The names of the areas that are touched.
    pub(super) areas: Vec<String>,
}

impl Alert {
    /// A line for a list.
    pub(super) fn title(&self) -> String {
        match (self.kind, &self.advice) {
            (Kind::Cancel, _) => format!("No longer applies: {}", self.headline),
            _ => self.headline.clone(),
        }
    }
}

/// What was told the public of an incident, in order. `domain` makes a sender's name unique.
pub(super) fn alerts(state: &State, incident: &Incident, domain: Option<&str>) -> Vec<Alert> {
    let mut all: Vec<Alert> = Vec::new();
    if incident.status != Status::Actual {
        return all;
    }
    let names = Names::of(state, incident);
    let zone = names.directory().and_then(|directory| TimeZone::get(directory.time_zone()).ok());
    let zone = zone.unwrap_or(TimeZone::UTC);
    let sender = match domain {
        Some(domain) => format!("{}@{domain}", incident.publisher),
        None => incident.publisher.to_string(),
    };
    // Where in `all` those begin that still apply.
    let mut since = 0;
    for said in &incident.events {
        let event = &*said.event;
        let advice = event.public_advice.as_deref().map(fit).filter(|words| !words.trim().is_empty());
        let earlier = &all[since..];
        let Some(kind) = kind(event, advice.is_some(), !earlier.is_empty()) else { continue };
        let from = earlier.len().saturating_sub(REFERENCES);
        let references: Vec<String> =
            earlier[from..].iter().map(|it| format!("{},{},{}", it.sender, it.identifier, it.sent)).collect();
        let headline = match (&advice, earlier.last()) {
            (Some(words), _) => headline(words),
            (None, Some(last)) => last.headline.clone(),
            (None, None) => String::new(),
        };
        let over = event.kind.lifts_duties();
        let alert = Alert {
            identifier: event.subject().to_string(),
            sender: sender.clone(),
            sender_name: fit(&names.publisher(&incident.publisher)),
            at: said.published_at,
            sent: sent(said.published_at, &zone),
            kind,
            references: references.join(" "),
            incident: incident.id.clone(),
            number: event.sequence,
            advice,
            headline,
            over,
            urgency: if over { "Past" } else { urgency(event.urgency) },
            severity: severity(event.severity),
            certainty: certainty(event.certainty),
            areas: event.areas.iter().map(|area| fit(&names.area(area))).collect(),
        };
        all.push(alert);
        if kind == Kind::Cancel {
            since = all.len();
        }
    }
    all
}

/// What an event is to the public, if it is anything.
fn kind(event: &Event, advised: bool, told: bool) -> Option<Kind> {
    match (event.kind, advised, told) {
        (EventKind::Cancelled | EventKind::SentInError, _, true) | (EventKind::Resolved, false, true) => {
            Some(Kind::Cancel)
        }
        (_, true, true) => Some(Kind::Update),
        (_, true, false) => Some(Kind::Alert),
        (_, false, _) => None,
    }
}

/// CAP 1.2, 3.2.1: no fraction, and -00:00 for UTC.
fn sent(at: Timestamp, zone: &TimeZone) -> String {
    let text = at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    if *zone == TimeZone::UTC { text.replace("+00:00", "-00:00") } else { text }
}

/// The first line, cut at a word where it is long.
fn headline(words: &str) -> String {
    let line = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let Some((end, _)) = line.char_indices().nth(HEADLINE) else { return line.to_owned() };
    let room = line[..end].char_indices().next_back().map_or(0, |(last, _)| last);
    let cut = line[..room].rfind(char::is_whitespace).unwrap_or(room);
    format!("{}\u{2026}", line[..cut].trim_end())
}

/// Without the characters that XML 1.0 has no way to write.
fn fit(text: &str) -> String {
    let may = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(may).collect()
}

fn urgency(urgency: Option<Urgency>) -> &'static str {
    match urgency {
        Some(Urgency::Immediate) => "Immediate",
        Some(Urgency::Expected) => "Expected",
        Some(Urgency::Future) => "Future",
        Some(Urgency::Past) => "Past",
        Some(Urgency::Unknown) | None => "Unknown",
    }
}

fn severity(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Extreme) => "Extreme",
        Some(Severity::Severe) => "Severe",
        Some(Severity::Moderate) => "Moderate",
        Some(Severity::Minor) => "Minor",
        Some(Severity::Unknown) | None => "Unknown",
    }
}

fn certainty(certainty: Option<Certainty>) -> &'static str {
    match certainty {
        Some(Certainty::Observed) => "Observed",
        Some(Certainty::Likely) => "Likely",
        Some(Certainty::Possible) => "Possible",
        Some(Certainty::Unlikely) => "Unlikely",
        Some(Certainty::Unknown) | None => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_the_first_line_and_not_too_long() {
        assert_eq!(headline("\n  Call 112. \nOr 101."), "Call 112.");
        let long = "word ".repeat(60);
        let cut = headline(&long);
        assert!(cut.chars().count() <= HEADLINE && cut.ends_with("word\u{2026}"), "{cut}");
        let unbroken = headline(&"\u{1f514}".repeat(300));
        assert_eq!(unbroken.chars().count(), HEADLINE);
    }

    #[test]
    fn what_xml_cannot_write_is_left_out() {
        assert_eq!(fit("a\u{0}b\u{b}c\u{ffff}d\te\nf\u{1f514}"), "abcd\te\nf\u{1f514}");
    }

    #[test]
    fn the_time_is_written_as_cap_asks() {
        let at: Timestamp = "2023-06-25T05:24:00.987Z".parse().unwrap();
        assert_eq!(sent(at, &TimeZone::get("Europe/London").unwrap()), "2023-06-25T06:24:00+01:00");
        assert_eq!(sent(at, &TimeZone::UTC), "2023-06-25T05:24:00-00:00");
        let winter: Timestamp = "2023-12-25T05:24:00Z".parse().unwrap();
        assert_eq!(sent(winter, &TimeZone::get("Europe/London").unwrap()), "2023-12-25T05:24:00+00:00");
    }
}
