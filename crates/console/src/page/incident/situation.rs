//! What is said of the incident: in the words of the field, each as it was last stated.

use askama::Template;
use tocsin_duty::{Course, serves};
use tocsin_protocol::{
    AreaId, Event, EventContact, EventNumber, Recipient, RecontactFigures, Status, Timestamp,
};

use super::View;
use crate::{
    model::{Incident, Sight},
    page::{
        fragment::{Count, Fragment},
        words,
    },
};

#[derive(Template)]
#[template(path = "incident/title.html")]
struct Title {
    announce: String,
    status_class: &'static str,
    status: &'static str,
    course_class: &'static str,
    course: &'static str,
    publisher: String,
    id: String,
    headline: String,
}

#[derive(Template)]
#[template(path = "incident/situation.html")]
struct Situation {
    description: Option<String>,
    instruction: Option<String>,
    advice: Option<String>,
    facts: Vec<Fact>,
    by_area: Option<ByArea>,
}

impl Situation {
    fn has_texts(&self) -> bool {
        self.description.is_some() || self.instruction.is_some() || self.advice.is_some()
    }
}

struct Fact {
    name: &'static str,
    words: String,
    time: Option<When>,
    stated: Option<String>,
}

/// The calls lost in each area, the most first.
struct ByArea {
    calls: Vec<(String, u64)>,
    stated: Option<String>,
}

struct When {
    at: String,
    clock: String,
    count: Option<Count>,
}

/// A value and the event that last stated it.
struct Stated<T>(T, EventNumber);

/// What the events last stated of something: an update need not repeat what has not changed.
fn stated<'a, T>(incident: &'a Incident, of: impl Fn(&'a Event) -> Option<T>) -> Option<Stated<T>> {
    incident.events.iter().rev().find_map(|said| Some(Stated(of(&said.event)?, said.event.sequence)))
}

/// How an incident goes: a class and a word.
pub(crate) fn course(incident: &Incident) -> (&'static str, &'static str) {
    match incident.course {
        Course::Resolved => ("good", "Resolved"),
        Course::Cancelled => ("plain", "Cancelled"),
        Course::SentInError => ("plain", "Sent in error"),
        Course::Open if incident.status == Status::Test => ("plain", "Test call"),
        Course::Open => ("bad", "Open"),
    }
}

pub(super) fn title(view: &View<'_>) -> Option<Fragment> {
    let incident = view.incident;
    let newest = incident.newest()?;
    let (course_class, course) = course(incident);
    let piece = Title {
        announce: format!("{}: {}", words::kind(newest.event.kind), newest.event.headline),
        status_class: incident.status.as_str(),
        status: words::status(incident.status),
        course_class,
        course,
        publisher: view.names.publisher(&incident.publisher),
        id: incident.id.to_string(),
        headline: newest.event.headline.clone(),
    };
    Some(Fragment::new("title", incident.shared_changed, &piece))
}

pub(super) fn situation(view: &View<'_>) -> Option<Fragment> {
    let incident = view.incident;
    let newest = incident.newest()?;
    let text = |of: fn(&Event) -> Option<&String>| stated(incident, of).map(|Stated(text, _)| text.clone());
    let (facts, by_area) = facts(view, &newest.event);
    let piece = Situation {
        description: text(|event| event.description.as_ref()),
        instruction: text(|event| event.instruction.as_ref()),
        advice: text(|event| event.public_advice.as_ref()),
        facts,
        by_area,
    };
    Some(Fragment::new("situation", incident.shared_changed, &piece))
}

struct Facts<'a> {
    view: &'a View<'a>,
    newest: EventNumber,
    said: Vec<Fact>,
    by_area: Option<ByArea>,
}

impl Facts<'_> {
    fn say(&mut self, name: &'static str, words: String) {
        self.said.push(Fact { name, words, time: None, stated: None });
    }

    /// With the event that said so, where that is not the newest.
    fn say_stated(&mut self, name: &'static str, stated: Option<Stated<String>>) {
        if let Some(Stated(words, by)) = stated {
            let stated = self.of(by);
            self.said.push(Fact { name, words, time: None, stated });
        }
    }

    fn time(
        &mut self,
        name: &'static str,
        at: Option<&Stated<Timestamp>>,
        count: fn(Timestamp, Timestamp) -> Option<Count>,
    ) {
        if let Some(&Stated(at, by)) = at {
            let (zone, now) = (self.view.zone, self.view.now);
            let time = When { at: at.to_string(), clock: zone.minute(at, now), count: count(at, now) };
            let stated = self.of(by);
            self.said.push(Fact { name, words: String::new(), time: Some(time), stated });
        }
    }

    fn of(&self, by: EventNumber) -> Option<String> {
        (by != self.newest).then(|| format!("as event {by} said"))
    }
}

fn facts(view: &View<'_>, newest: &Event) -> (Vec<Fact>, Option<ByArea>) {
    let incident = view.incident;
    let mut facts = Facts { view, newest: newest.sequence, said: Vec::new(), by_area: None };
    let said_at = incident.last_said();
    facts.said.push(Fact {
        name: "Newest word",
        words: format!("{} (event {}), ", words::kind(newest.kind), newest.sequence),
        time: Some(When { at: said_at.to_string(), clock: view.zone.second(said_at, view.now), count: None }),
        stated: None,
    });
    facts.say("Category", words::category(newest.category).to_owned());
    let services: Vec<_> = newest.services.iter().map(|service| words::service(*service)).collect();
    facts.say("Services", services.join(", "));
    let areas: Vec<_> = newest.areas.iter().map(|area| view.names.area(area)).collect();
    facts.say("Areas", areas.join(", "));
    facts.say_stated(
        "Platform",
        stated(incident, |event| event.platform.map(|p| words::platform(p).to_owned())),
    );
    facts.say_stated("Gravity", stated(incident, gravity));
    figures(&mut facts);
    let nothing: fn(Timestamp, Timestamp) -> Option<Count> = |_, _| None;
    let promised: fn(Timestamp, Timestamp) -> Option<Count> = |at, now| Some(Count::promised(at, now));
    facts.time("Began", stated(incident, |event| event.began_at).as_ref(), nothing);
    facts.time("Detected", stated(incident, |event| event.detected_at).as_ref(), nothing);
    if incident.is_open() {
        facts.time(
            "Restoration expected",
            stated(incident, |event| event.expected_restoration_at).as_ref(),
            promised,
        );
        // What an earlier event promised was kept by the newest.
        let next = newest.next_update_by.map(|at| Stated(at, newest.sequence));
        if next.is_none() {
            facts.say("Next update", "no time promised".to_owned());
        }
        facts.time("Next update due", next.as_ref(), promised);
    } else {
        facts.time("Restored", stated(incident, |event| event.restored_at).as_ref(), nothing);
    }
    if let Some(by) = &newest.by_rule {
        facts.say("Said", by.to_string());
    }
    facts.say_stated("Contact", stated(incident, |event| event.contact.as_ref().map(contact)));
    facts.say_stated("Marking", stated(incident, |event| event.marking.clone()));
    (facts.said, facts.by_area)
}

fn gravity(event: &Event) -> Option<String> {
    let words: Vec<_> = [
        event.severity.map(words::severity),
        event.urgency.map(words::urgency),
        event.certainty.map(words::certainty),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn contact(contact: &EventContact) -> String {
    let mut words = vec![contact.role.clone()];
    words.extend(contact.name.clone());
    words.extend(contact.phone.as_ref().map(|phone| format!("telephone {phone}")));
    words.extend(contact.email.clone());
    words.extend(contact.bridge.as_ref().map(|bridge| format!("bridge {bridge}")));
    words.join(", ")
}

/// The calls lost: for an agency those of its own areas, and the whole beside them.
fn figures(facts: &mut Facts<'_>) {
    let view = facts.view;
    let own = match view.sight {
        Sight::Own(standing) => view.names.recipient(&standing.recipient),
        Sight::Whole => None,
    };
    let incident = view.incident;
    if let Some(Stated(impact, by)) = stated(incident, |event| event.impact.as_ref()) {
        let mut basis: Vec<String> = Vec::new();
        basis.extend(impact.as_of.map(|at| format!("as of {}", view.zone.minute(at, view.now))));
        basis.extend(impact.source.clone());
        basis.extend((impact.provisional == Some(true)).then(|| "provisional".to_owned()));
        let basis = if basis.is_empty() { String::new() } else { format!(" ({})", basis.join(", ")) };
        if let Some(own) = own {
            let here = here(view, own, impact.by_area.iter());
            let calls = here.map(|calls| calls.copied().fold(0, u64::saturating_add));
            let words =
                calls.map_or("not told yet".to_owned(), |calls| format!("{calls} unsuccessful{basis}"));
            facts.say_stated("Calls lost in your area", Some(Stated(words, by)));
        }
        if let Some(calls) = impact.calls_unsuccessful {
            facts.say_stated("Calls lost in all", Some(Stated(format!("{calls} unsuccessful{basis}"), by)));
        }
        if own.is_none() && !impact.by_area.is_empty() {
            let named = impact.by_area.iter().map(|(area, calls)| (view.names.area(area), *calls));
            let mut calls: Vec<_> = named.collect();
            calls.sort_by(|(name, calls), (other, fewer)| fewer.cmp(calls).then_with(|| name.cmp(other)));
            facts.by_area = Some(ByArea { calls, stated: facts.of(by) });
        }
    }
    if let Some(Stated(recontact, by)) = stated(incident, |event| event.recontact.as_ref()) {
        if let Some(own) = own
            && let Some(here) = here(view, own, recontact.by_area.iter())
        {
            let words: Vec<_> = here.map(recontacted).collect();
            facts.say_stated("Callers of your area", Some(Stated(words.join("; "), by)));
        }
        facts.say_stated("Callers in all", Some(Stated(recontacted(&recontact.total), by)));
    }
}

/// The figures of a recipient's own areas; nothing where there is none.
fn here<'a, T: 'a>(
    view: &View<'_>,
    own: &Recipient,
    by_area: impl Iterator<Item = (&'a AreaId, &'a T)>,
) -> Option<impl Iterator<Item = &'a T>> {
    let directory = view.names.directory()?;
    let here: Vec<_> =
        by_area.filter(|(area, _)| serves(directory, own, area)).map(|(_, figure)| figure).collect();
    (!here.is_empty()).then(|| here.into_iter())
}

fn recontacted(figures: &RecontactFigures) -> String {
    let words: Vec<_> = [
        figures.reached.map(|n| format!("{n} reached")),
        figures.outstanding.map(|n| format!("{n} outstanding")),
        figures.handed_to_police.map(|n| format!("{n} handed to police")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if words.is_empty() { "no figures yet".to_owned() } else { words.join(", ") }
}
