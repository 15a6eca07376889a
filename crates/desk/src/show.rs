//! A notice as the person at the desk sees it.
//!
//! The order is that of the first minute: is it real; what has happened; whom does it touch; what am I to do; what
//! may I tell people; whom do I ring; by when must I answer. The last stands lowest, beside the place to answer.

use jiff::{Timestamp, tz::TimeZone};
use tocsin_duty::Course;
use tocsin_protocol::{
    Event, EventContact, EventKind, Impact, Platform, Recontact, RecontactFigures, Requirement, Status,
};

use crate::{
    arrivals::{Arrived, Delivered},
    clean,
    read::Author,
    when::{clock, countdown},
};

/// How a notice is to be shown.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The time of looking, for the countdown.
    pub now: Timestamp,
    /// The zone in which people here read times.
    pub zone: &'a TimeZone,
    /// The terminal's width in characters; less than 40 counts as 40.
    pub width: usize,
    /// Whether to mark with bold and colour. Without it there is not one escape sequence.
    pub colour: bool,
}

/// The longest single value shown, in characters.
const VALUE: usize = 300;
/// The most lines of a text shown; the rest is in the notice's JSON.
const LINES: usize = 60;
/// The most areas or services named.
const NAMES: usize = 40;
/// The width of the labels' column.
const LABEL: usize = 18;

/// Renders a notice. Everything in it that a stranger wrote passes [`clean`]. Ends with a line break.
pub fn show(arrived: &Arrived, view: &View<'_>) -> String {
    let (notice, event) = (&arrived.read.notice, &arrived.read.event);
    let mut page = Page { view, width: view.width.max(40), text: String::new() };
    page.rule('=');
    match notice.status {
        Status::Actual => {}
        Status::Exercise => {
            page.marked(Mark::Status, "EXERCISE EXERCISE EXERCISE - this is not a real incident");
        }
        Status::Test => page.marked(Mark::Status, "TEST TEST TEST - this is not a real incident"),
    }
    if let Some(marking) = &event.marking {
        page.marked(Mark::Plain, &clean::line(marking, VALUE));
    }
    page.marked(Mark::Headline, &headline(arrived));
    if let Some(by) = &event.by_rule {
        page.marked(Mark::Plain, &clean::line(&format!("Said {by}"), VALUE));
    }
    page.standing(arrived);
    page.rule('-');
    page.foremost(arrived);
    page.section("WHAT TO DO", event.instruction.as_deref());
    page.section("WHAT TO TELL THE PUBLIC", event.public_advice.as_deref());
    for (language, words) in &event.public_advice_in {
        page.section(&format!("WHAT TO TELL THE PUBLIC ({language})"), Some(words));
    }
    page.section("WHAT HAPPENED", event.description.as_deref());
    page.contact(event);
    page.details(arrived);
    page.rule('-');
    page.answer(arrived);
    page.rule('=');
    page.text
}

/// The headline under the kind of event, which it may name by itself.
fn headline(arrived: &Arrived) -> String {
    let event = &arrived.read.event;
    let course = arrived.before.after(event.kind, event.platform);
    let (kind, words) = (kind(event.kind, course), clean::line(&event.headline, VALUE));
    match words.get(..kind.len()) {
        Some(named) if named.eq_ignore_ascii_case(kind) => format!("{kind}{}", &words[kind.len()..]),
        _ => format!("{kind}{words}"),
    }
}

/// What an event's kind means for the one who reads it.
fn kind(kind: EventKind, course: Course) -> &'static str {
    match kind {
        // More is known of what is over: nobody is to act as if it went on.
        EventKind::Update if course == Course::Resolved => "UPDATE, THE SERVICE IS RESTORED: ",
        EventKind::Correction if course == Course::Resolved => "CORRECTION, THE SERVICE IS RESTORED: ",
        EventKind::Initial => "NEW: ",
        EventKind::Update => "UPDATE: ",
        EventKind::Resolved => "RESOLVED: ",
        EventKind::Correction => "CORRECTION: ",
        EventKind::Cancelled => "CANCELLED: ",
        EventKind::SentInError => "SENT IN ERROR: ",
    }
}

#[derive(Clone, Copy)]
enum Mark {
    Plain,
    Headline,
    Status,
    Urgent,
}

impl Mark {
    /// The SGR parameters (ECMA-48, 8.3.117).
    fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Headline => Some("1"),
            Self::Status => Some("1;7"),
            Self::Urgent => Some("1;31"),
        }
    }
}

struct Page<'a> {
    view: &'a View<'a>,
    width: usize,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn rule(&mut self, of: char) {
        let rule: String = std::iter::repeat_n(of, self.width).collect();
        self.line(&rule);
    }

    /// Our own words, and cleaned ones, wrapped.
    fn marked(&mut self, mark: Mark, words: &str) {
        for line in clean::wrapped(words, self.width) {
            match mark.parameters().filter(|_| self.view.colour) {
                Some(parameters) => self.line(&format!("\u{1b}[{parameters}m{line}\u{1b}[0m")),
                None => self.line(&line),
            }
        }
    }

    fn row(&mut self, label: &str, value: &str) {
        for (place, line) in clean::wrapped(value, self.width - LABEL).iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            self.line(&format!("{label:LABEL$}{line}"));
        }
    }

    fn section(&mut self, title: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        self.line("");
        self.marked(Mark::Headline, title);
        let mut lines = clean::wrapped(text, self.width - 2);
        let more = lines.len().saturating_sub(LINES);
        lines.truncate(LINES);
        for line in lines {
            self.line(&format!("  {line}"));
        }
        if more > 0 {
            self.line(&format!("  ... and {more} lines more, which the notice's JSON holds"));
        }
    }

    /// What makes this notice less than news.
    fn standing(&mut self, arrived: &Arrived) {
        if let Some(newer) = arrived.superseded_by {
            self.marked(
                Mark::Urgent,
                &format!("OUT OF DATE: event {newer} of this incident is here too. Act on that one."),
            );
        }
        match &arrived.delivered {
            Delivered::Said(_) => {}
            Delivered::Before(at) => {
                let at = self.clock(*at);
                self.marked(
                    Mark::Plain,
                    &format!("Not new here: this desk, or another of yours, held it at {at}."),
                );
            }
            Delivered::NotSaid(why) => {
                let why = clean::line(why, VALUE);
                self.marked(
                    Mark::Urgent,
                    &format!("The bus does not know that this has reached you ({why}). Your acknowledgement will tell it."),
                );
            }
        }
    }

    /// Whom and what it touches.
    fn foremost(&mut self, arrived: &Arrived) {
        let (notice, event) = (&arrived.read.notice, &arrived.read.event);
        let services = names(event.services.iter().map(ToString::to_string));
        self.row("What", &format!("{}: {services}", event.category));
        self.row("Where", &names(event.areas.iter().map(ToString::to_string)));
        if let Some(platform) = event.platform {
            let words = match platform {
                Platform::Primary => "the primary platform",
                Platform::Backup => "the backup platform",
                Platform::None => "NOTHING: total loss",
            };
            self.row("Carried now by", words);
        }
        if let Some(here) = notice.calls_unsuccessful_here {
            self.row("CALLS LOST HERE", &figure(here));
        }
        if let Some(at) = event.next_update_by {
            let at = self.clock(at);
            self.row("Next update by", &at);
        }
    }

    fn details(&mut self, arrived: &Arrived) {
        let (notice, event) = (&arrived.read.notice, &arrived.read.event);
        self.line("");
        let grades = [
            event.severity.map(|word| format!("severity {word}")),
            event.urgency.map(|word| format!("urgency {word}")),
            event.certainty.map(|word| format!("certainty {word}")),
        ];
        let grades: Vec<_> = grades.into_iter().flatten().collect();
        if !grades.is_empty() {
            self.row("Graded", &grades.join(", "));
        }
        if let Some(impact) = &event.impact {
            let words = self.impact(impact);
            self.row("Calls lost in all", &words);
        }
        if let Some(words) = event.recontact.as_ref().and_then(called_back) {
            self.row("Callers rung back", &words);
        }
        for (label, at) in [
            ("Began", event.began_at),
            ("Noticed", event.detected_at),
            ("Restored", event.restored_at),
            ("Restoration by", event.expected_restoration_at),
            ("Published", Some(notice.published_at)),
        ] {
            if let Some(at) = at {
                let at = self.clock(at);
                self.row(label, &at);
            }
        }
        self.row("Incident", &format!("{}, event {}", notice.incident, notice.event));
        let known = match &arrived.read.author {
            Author::Pinned => "signed with the key that is pinned here",
            Author::NotPinned { .. } => "signed; its key is not pinned here",
        };
        self.row("From", &format!("{} ({known})", event.publisher));
    }

    fn impact(&self, impact: &Impact) -> String {
        let mut words = impact.calls_unsuccessful.map_or_else(|| "no figure yet".to_owned(), figure);
        let about = [
            (impact.provisional == Some(true)).then(|| "provisional".to_owned()),
            impact.as_of.map(|at| format!("as of {}", self.clock(at))),
            impact.source.as_deref().map(|source| format!("by {}", clean::line(source, VALUE))),
        ];
        let about: Vec<_> = about.into_iter().flatten().collect();
        if !about.is_empty() {
            words = format!("{words} ({})", about.join("; "));
        }
        words
    }

    fn contact(&mut self, event: &Event) {
        let Some(EventContact { role, name, phone, email, bridge }) = &event.contact else { return };
        self.line("");
        self.marked(Mark::Headline, "WHO ANSWERS NOW");
        let rows = [
            ("  Role", Some(role)),
            ("  Name", name.as_ref()),
            ("  Telephone", phone.as_ref()),
            ("  E-mail", email.as_ref()),
            ("  Bridge", bridge.as_ref()),
        ];
        for (label, value) in rows {
            if let Some(value) = value {
                self.row(label, &clean::line(value, VALUE));
            }
        }
    }

    fn answer(&mut self, arrived: &Arrived) {
        let notice = &arrived.read.notice;
        if let (true, Some(newer)) = (notice.acknowledge, arrived.superseded_by) {
            self.marked(
                Mark::Plain,
                &format!("An acknowledgement of event {newer} or a later one covers this."),
            );
            return;
        }
        match (notice.acknowledge, notice.due_at) {
            (true, Some(due_at)) => {
                let (by, left) = (self.clock(due_at), countdown(due_at, self.view.now));
                self.marked(Mark::Urgent, &format!("ACKNOWLEDGE BY {by}: {left}"));
            }
            (true, None) => self.marked(Mark::Urgent, "ACKNOWLEDGE as soon as you can: no time is set."),
            (false, _) if notice.requirement == Requirement::Informed => {
                self.marked(Mark::Plain, "For your information: no acknowledgement is asked of you.");
            }
            (false, _) => self.marked(Mark::Plain, "No acknowledgement is needed for this event."),
        }
    }

    fn clock(&self, at: Timestamp) -> String {
        clock(at, self.view.now, self.view.zone)
    }
}

fn names(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMES);
    let named = all.take(NAMES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

fn called_back(recontact: &Recontact) -> Option<String> {
    let RecontactFigures { reached, outstanding, handed_to_police } = recontact.total;
    let parts =
        [(reached, "reached"), (outstanding, "outstanding"), (handed_to_police, "handed to the police")];
    let parts: Vec<_> = parts
        .into_iter()
        .filter_map(|(callers, what)| callers.map(|callers| format!("{} {what}", figure(callers))))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A figure as people read it: `11,470`.
fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    fn london() -> TimeZone {
        TimeZone::get("Europe/London").unwrap()
    }

    fn shown(arrived: &Arrived, colour: bool) -> String {
        let zone = london();
        let now = "2023-06-25T05:33:08Z".parse().unwrap();
        show(arrived, &View { now, zone: &zone, width: 78, colour })
    }

    #[test]
    fn what_is_said_after_the_end_does_not_look_as_if_it_went_on() {
        let first = |platform, before| {
            let mut arrived = fixture::arrived(|event| {
                event.kind = EventKind::Update;
                event.sequence = "3".parse().unwrap();
                event.platform = platform;
            });
            arrived.before = before;
            headline(&arrived)
        };
        let restored = "UPDATE, THE SERVICE IS RESTORED: 999 and 112 calls are not being connected";
        let fails = "UPDATE: 999 and 112 calls are not being connected";
        assert_eq!(first(None, Course::Resolved), restored);
        assert_eq!(first(Some(Platform::Primary), Course::Resolved), restored);
        assert_eq!(first(Some(Platform::None), Course::Resolved), fails);
        assert_eq!(first(None, Course::Open), fails);
    }

    #[test]
    fn the_first_word_of_an_incident_can_be_acted_on() {
        insta::assert_snapshot!(shown(&fixture::arrived(|_| {}), false));
    }

    #[test]
    fn whatever_is_known_is_shown_and_an_exercise_says_so_first() {
        let arrived = fixture::arrived(fixture::in_full);
        insta::assert_snapshot!(shown(&arrived, false));
    }

    #[test]
    fn a_notice_that_is_no_longer_news_says_so() {
        let mut arrived = fixture::arrived(|_| {});
        arrived.superseded_by = Some(tocsin_protocol::EventNumber::new(3).unwrap());
        arrived.delivered = Delivered::Before("2023-06-25T05:25:00Z".parse().unwrap());
        let shown = shown(&arrived, false);
        assert!(shown.contains("OUT OF DATE: event 3 of this incident is here too"), "{shown}");
        assert!(shown.contains("held it at 06:25:00 BST"), "{shown}");
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let arrived = fixture::arrived(fixture::in_full);
        assert!(!shown(&arrived, false).contains('\u{1b}'));
        let coloured = shown(&arrived, true);
        assert!(coloured.contains("\u{1b}[1;7mEXERCISE EXERCISE EXERCISE"), "{coloured}");
        assert!(coloured.contains("\u{1b}[1;31mACKNOWLEDGE BY"), "{coloured}");
    }

    proptest! {
        #[test]
        fn a_strangers_bytes_never_reach_the_terminal(text in any::<String>(), width in 0usize..120) {
            let arrived = fixture::arrived(|event| {
                event.status = Status::Test;
                event.headline.clone_from(&text);
                for field in [&mut event.description, &mut event.instruction, &mut event.public_advice, &mut event.marking] {
                    *field = Some(text.clone());
                }
                event.impact = Some(Impact { source: Some(text.clone()), ..Impact::default() });
                event.contact = Some(EventContact {
                    role: text.clone(),
                    name: Some(text.clone()),
                    phone: Some(text.clone()),
                    email: Some(text.clone()),
                    bridge: Some(text.clone()),
                });
            });
            let zone = london();
            let now = arrived.read.stored_at;
            let shown = show(&arrived, &View { now, zone: &zone, width, colour: false });
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
            prop_assert!(!shown.contains(['\u{202e}', '\u{200b}', '\u{2066}']), "{shown:?}");
            prop_assert!(shown.lines().all(|line| line.chars().count() <= width.max(40)), "{shown}");
            prop_assert!(shown.lines().nth(1).unwrap().starts_with("TEST TEST TEST"), "{shown}");
        }
    }
}
