//! What of an incident is for the public: the agreed words, and that they no longer apply.
//!
//! An exercise or test is not, nor is an incident without such words. Of what else an event says (headline,
//! description, figures, contacts, marking) nothing leaves the console here: of each word below it is said where it is
//! from.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use tocsin_duty::Course;
use tocsin_exchange::cap::{self, CapTime, LANGUAGE, MessageType, Scope};
use tocsin_protocol::{Event, EventKind, EventNumber, IncidentId, Language, Status, Timestamp};

use super::words::Words;
use crate::{
    model::{Incident, State},
    page::names::Names,
};

/// The most earlier alerts that one refers to, the newest ones: each supersedes those before it.
const REFERENCES: usize = 50;

/// One message to the public. Every text is fit for XML once it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    /// The event's own subject, which is its identity.
    pub(super) identifier: String,
    pub(super) sender: String,
    pub(super) sender_name: String,
    /// When the broker had it.
    pub(super) at: Timestamp,
    sent: CapTime,
    /// An alert, an update, or that the earlier words no longer apply.
    pub(super) kind: MessageType,
    /// Those that it supersedes or cancels, as CAP writes them.
    references: Vec<String>,
    pub(super) incident: IncidentId,
    pub(super) number: EventNumber,
    /// The agreed words. None where the earlier ones are withdrawn without any.
    pub(super) advice: Option<String>,
    /// The same in other languages.
    advice_in: BTreeMap<Language, String>,
    /// The first line of them, or of those that are withdrawn.
    headline: String,
    /// The same of those in other languages.
    headline_in: BTreeMap<Language, String>,
    /// CAP's word for what it is about, in each of these languages.
    event: Vec<(String, String)>,
    /// What is said where the earlier words are withdrawn without any, in each of these languages.
    withdrawn: String,
    /// Whether the incident is over.
    pub(super) over: bool,
    pub(super) urgency: &'static str,
    pub(super) severity: &'static str,
    pub(super) certainty: &'static str,
    /// The names of the areas that are touched.
    pub(super) areas: Vec<String>,
}

impl Alert {
    /// The headline and the words, in that language where there are words in it (which the last tells), else in English.
    pub(super) fn said(&self, language: &Language, words: &Words) -> (String, Option<String>, bool) {
        let own = [Some(language.as_str()), Some(language.primary())].into_iter().flatten().find_map(|tag| {
            let headline = self.headline_in.iter().find(|(of, _)| of.as_str() == tag)?.1;
            Some((headline, self.advice_in.iter().find(|(of, _)| of.as_str() == tag).map(|(_, words)| words)))
        });
        let (headline, advice, is_own) = match own {
            Some((headline, advice)) => (headline, advice.cloned(), true),
            None => (&self.headline, self.advice.clone(), false),
        };
        let headline = if self.kind == MessageType::Cancel {
            let language = if is_own { language } else { words.english() };
            words.text(language, "withdrawn-headline", &[("headline", headline)])
        } else {
            headline.clone()
        };
        (headline, advice, is_own)
    }

    /// As CAP says it.
    pub(super) fn cap(&self) -> cap::Alert {
        let english = self.advice.as_ref().map(|advice| (LANGUAGE, &self.headline, advice));
        let others = self.advice_in.iter().map(|(language, advice)| {
            (language.as_str(), self.headline_in.get(language).unwrap_or(&self.headline), advice)
        });
        let info = english.into_iter().chain(others).map(|(language, headline, advice)| cap::Info {
            language: language.to_owned(),
            categories: vec!["Infra"],
            event: self.event_in(language),
            responses: if self.over { vec!["AllClear"] } else { Vec::new() },
            urgency: self.urgency,
            severity: self.severity,
            certainty: self.certainty,
            sender_name: Some(self.sender_name.clone()),
            headline: Some(headline.clone()),
            description: Some(advice.clone()),
            areas: self
                .areas
                .iter()
                .map(|name| cap::Area { name: name.clone(), geocodes: Vec::new() })
                .collect(),
            ..cap::Info::default()
        });
        cap::Alert {
            identifier: self.identifier.clone(),
            sender: self.sender.clone(),
            sent: self.sent.clone(),
            status: cap::CapStatus::Actual,
            message_type: self.kind,
            scope: Scope::Public,
            note: self.advice.is_none().then(|| self.withdrawn.clone()),
            references: self.references.clone(),
            incidents: vec![self.incident.to_string()],
            info: info.collect(),
        }
    }

    fn event_in(&self, language: &str) -> String {
        let known = self.event.iter().find(|(of, _)| of == language).or(self.event.first());
        known.map(|(_, words)| words.clone()).unwrap_or_default()
    }
}

/// What was told the public of an incident, in order. `domain` makes a sender's name unique.
pub(super) fn alerts(state: &State, incident: &Incident, domain: Option<&str>, words: &Words) -> Vec<Alert> {
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
    let mut course = Course::default();
    for said in &incident.events {
        let event = &*said.event;
        course = course.after(event.kind, event.platform);
        let advice = event.public_advice.as_deref().map(fit).filter(|words| !words.trim().is_empty());
        let earlier = &all[since..];
        let Some(kind) = kind(event, advice.is_some(), !earlier.is_empty()) else { continue };
        let from = earlier.len().saturating_sub(REFERENCES);
        let references: Vec<String> = earlier[from..]
            .iter()
            .map(|it| format!("{},{},{}", it.sender, it.identifier, it.sent.as_str()))
            .collect();
        let headline = match (&advice, earlier.last()) {
            (Some(words), _) => headline(words),
            (None, Some(last)) => last.headline.clone(),
            (None, None) => String::new(),
        };
        let others = event.public_advice_in.iter().filter(|_| advice.is_some());
        let advice_in: BTreeMap<Language, String> = others
            .map(|(language, words)| (language.clone(), fit(words)))
            .filter(|(_, words)| !words.trim().is_empty())
            .collect();
        let headline_in = match (&advice, earlier.last()) {
            (None, Some(last)) => last.headline_in.clone(),
            _ => advice_in
                .iter()
                .map(|(language, words)| (language.clone(), crate::feed::alert::headline(words)))
                .collect(),
        };
        let languages: Vec<&Language> = [words.english()].into_iter().chain(headline_in.keys()).collect();
        let fixed =
            |name: &'static str| languages.iter().map(move |language| words.text(language, name, &[]));
        let over = !course.is_open();
        let alert = Alert {
            identifier: event.subject().to_string(),
            sender: sender.clone(),
            sender_name: fit(&names.publisher(&incident.publisher)),
            at: said.published_at,
            sent: CapTime::of(said.published_at, &zone),
            kind,
            references,
            incident: incident.id.clone(),
            number: event.sequence,
            event: languages.iter().map(ToString::to_string).zip(fixed("cap-event")).collect(),
            withdrawn: fixed("withdrawn").collect::<Vec<_>>().join(" / "),
            advice,
            advice_in,
            headline,
            headline_in,
            over,
            urgency: if over { "Past" } else { cap::urgency(event.urgency, over) },
            severity: cap::severity(event.severity),
            certainty: cap::certainty(event.certainty),
            areas: event.areas.iter().map(|area| fit(&names.area(area))).collect(),
        };
        all.push(alert);
        if kind == MessageType::Cancel {
            since = all.len();
        }
    }
    all
}

/// What an event is to the public, if it is anything.
fn kind(event: &Event, advised: bool, told: bool) -> Option<MessageType> {
    match (event.kind, advised, told) {
        (EventKind::Cancelled | EventKind::SentInError, _, true) | (EventKind::Resolved, false, true) => {
            Some(MessageType::Cancel)
        }
        (_, true, true) => Some(MessageType::Update),
        (_, true, false) => Some(MessageType::Alert),
        (_, false, _) => None,
    }
}

/// The first line, cut at a word where it is long.
fn headline(words: &str) -> String {
    let line = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let Some((end, _)) = line.char_indices().nth(cap::HEADLINE_MAX) else { return line.to_owned() };
    let room = line[..end].char_indices().next_back().map_or(0, |(last, _)| last);
    let cut = line[..room].rfind(char::is_whitespace).unwrap_or(room);
    format!("{}\u{2026}", line[..cut].trim_end())
}

/// Without the characters that XML 1.0 has no way to write.
fn fit(text: &str) -> String {
    let may = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(may).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_the_first_line_and_not_too_long() {
        assert_eq!(headline("\n  Call 112. \nOr 101."), "Call 112.");
        let long = "word ".repeat(60);
        let cut = headline(&long);
        assert!(cut.chars().count() <= cap::HEADLINE_MAX && cut.ends_with("word\u{2026}"), "{cut}");
        let unbroken = headline(&"\u{1f514}".repeat(300));
        assert_eq!(unbroken.chars().count(), cap::HEADLINE_MAX);
    }

    #[test]
    fn what_xml_cannot_write_is_left_out() {
        assert_eq!(fit("a\u{0}b\u{b}c\u{ffff}d\te\nf\u{1f514}"), "abcd\te\nf\u{1f514}");
    }
}
