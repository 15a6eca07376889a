//! The four questions of the first minute, and the one before an event goes out.

use std::fmt::Write as _;

use tocsin_desk::clean;
use tocsin_duty::Directory;
use tocsin_protocol::{Area, AreaId, Category, Event, EventKind, PublisherId, Service, Status};

use super::flags::First;
use crate::{
    failure::{Exit, Failure},
    terminal::{ask, ask_until, tell},
};

/// The longest headline, as the event's schema has it.
const HEADLINE_MAX: usize = 160;

/// Asks for what is missing of the four.
pub(super) async fn first_minute(
    given: First,
    status: Status,
    publisher: &PublisherId,
    directory: Option<&Directory>,
) -> Result<First, Failure> {
    let missing = given.missing().len();
    if missing == 0 {
        return Ok(given);
    }
    let questions = if missing == 1 { "one question".to_owned() } else { format!("{missing} questions") };
    tell(&format!(
        "{}New incident by {publisher}: {questions}, then a look before it is sent.\nAll else may follow in an update. Ctrl-C sends nothing.\n",
        banner(status)
    ));
    let category = match given.category {
        Some(category) => category,
        None => category().await?,
    };
    let services = if given.services.is_empty() { services(directory).await? } else { given.services };
    let areas = if given.areas.is_empty() { areas(publisher, directory).await? } else { given.areas };
    let headline = match given.headline {
        Some(headline) if !headline.trim().is_empty() => headline,
        _ => headline().await?,
    };
    Ok(First { category: Some(category), services, areas, headline: Some(headline) })
}

/// What stands over everything that is no actual incident.
pub(super) fn banner(status: Status) -> &'static str {
    match status {
        Status::Actual => "",
        Status::Exercise => "*** EXERCISE EXERCISE EXERCISE ***\n",
        Status::Test => "*** TEST TEST TEST ***\n",
    }
}

async fn category() -> Result<Category, Failure> {
    let meaning = |category| match category {
        Category::Outage => "the service is lost",
        Category::Degradation => "the service is worse than it should be",
        Category::Failover => "the service moves to another platform",
        Category::CyberAttack => "the cause is an attack",
        Category::NaturalHazard => "the cause is flood, storm, fire or the like",
        Category::CallSurge => "more calls than can be answered",
        Category::PlannedWork => "work that was planned",
    };
    let mut question = "\n1. What is it?\n".to_owned();
    for (number, category) in (1..).zip(Category::ALL) {
        let _ = writeln!(question, "   {number}  {:16}{}", category.as_str(), meaning(*category));
    }
    question += "number or word: ";
    ask_until(&question, |answer| one_of(answer, Category::ALL, Category::as_str)).await
}

async fn services(directory: Option<&Directory>) -> Result<Vec<Service>, Failure> {
    let offered = offered(directory);
    let mut question = "\n2. Which services?\n".to_owned();
    for (place, service) in offered.iter().enumerate() {
        let end = if place % 4 == 3 || place + 1 == offered.len() { "\n" } else { "" };
        let _ = write!(question, "  {:>2}  {:15}{end}", place + 1, service.as_str());
    }
    question += "numbers or words, several with spaces (such as: 1 2): ";
    ask_until(&question, |answer| several(answer, |word| one_of(word, &offered, Service::as_str))).await
}

/// The services that the directory's policies are about, in their usual order; all of them where one is about all.
fn offered(directory: Option<&Directory>) -> Vec<Service> {
    let policies = directory.map(Directory::policies).unwrap_or_default();
    let about = |service: &Service| policies.iter().any(|policy| policy.services.contains(service));
    if policies.iter().all(|policy| !policy.services.is_empty()) && !policies.is_empty() {
        Service::ALL.iter().copied().filter(about).collect()
    } else {
        Service::ALL.to_vec()
    }
}

async fn headline() -> Result<String, Failure> {
    let question = "\n4. One line that tells it to a control room (such as: 999 and 112 calls are not connected)\nheadline: ";
    ask_until(question, |answer| match answer.chars().count() {
        0 => Err("a few words are needed: what does a control room notice?".to_owned()),
        length if length > HEADLINE_MAX => {
            Err(format!("that is {length} characters: {HEADLINE_MAX} at most; the rest goes into an update"))
        }
        _ => Ok(answer.to_owned()),
    })
    .await
}

async fn areas(publisher: &PublisherId, directory: Option<&Directory>) -> Result<Vec<AreaId>, Failure> {
    let known = directory.map(|directory| allowed(publisher, directory)).unwrap_or_default();
    let mut question = "\n3. Which areas?\n".to_owned();
    if known.is_empty() {
        question +=
            "   (the directory cannot be read now, so names are not checked until the bus takes the event)\n";
    } else {
        question += &tops(&known);
    }
    question += "names, several with commas; ? lists all: ";
    ask_until(&question, |answer| {
        if answer == "?" {
            return Err(listed(&known));
        }
        several_by_comma(answer, |name| area(name, &known))
    })
    .await
}

/// The areas that this publisher may speak of.
fn allowed<'a>(publisher: &PublisherId, directory: &'a Directory) -> Vec<&'a Area> {
    let all = directory.document().areas.iter();
    match directory.publisher(publisher) {
        Some(known) => all.filter(|area| directory.may_speak_of(known, &area.id)).collect(),
        None => all.collect(),
    }
}

/// The largest areas and those just within them.
fn tops(known: &[&Area]) -> String {
    let parent = |area: &Area| known.iter().copied().find(|other| Some(&other.id) == area.within.as_ref());
    let is_top = |area: &&&Area| parent(area).is_none_or(|parent| is_outermost(parent, known));
    let names: Vec<_> = known.iter().filter(is_top).take(12).map(|area| area.id.to_string()).collect();
    format!("   {}, or any of the {} in the directory\n", names.join(", "), known.len())
}

fn is_outermost(area: &Area, known: &[&Area]) -> bool {
    !known.iter().any(|other| Some(&other.id) == area.within.as_ref())
}

fn listed(known: &[&Area]) -> String {
    let names: Vec<_> = known.iter().map(|area| area.id.to_string()).collect();
    if names.is_empty() {
        return "the directory cannot be read now: write the area's identifier, such as uk or kent"
            .to_owned();
    }
    clean::wrapped(&names.join(", "), 76).join("\n  ")
}

/// An area by its identifier or name, or by a part that only one has.
fn area(text: &str, known: &[&Area]) -> Result<AreaId, String> {
    let wanted = text.to_lowercase();
    let slug = wanted.replace([' ', '_'], "-");
    if known.is_empty() {
        return slug.parse().map_err(|why: tocsin_protocol::Error| why.to_string());
    }
    let exact = |area: &&&Area| area.id.as_str() == slug || area.name.to_lowercase() == wanted;
    if let Some(area) = known.iter().find(exact) {
        return Ok(area.id.clone());
    }
    let near: Vec<_> = known
        .iter()
        .filter(|area| area.id.as_str().contains(&slug) || area.name.to_lowercase().contains(&wanted))
        .collect();
    match near[..] {
        [area] => Ok(area.id.clone()),
        [] => Err(format!("{text:?} is no area that you may speak of; ? lists them")),
        _ => {
            let names: Vec<_> = near.iter().take(8).map(|area| area.id.to_string()).collect();
            Err(format!("{text:?} may be any of: {}", names.join(", ")))
        }
    }
}

/// A word of a closed list: by number, by itself, or by a beginning that only one has.
fn one_of<T: Copy>(answer: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Result<T, String> {
    let answer = answer.to_lowercase();
    if let Ok(number) = answer.parse::<usize>()
        && let Some(chosen) = number.checked_sub(1).and_then(|place| all.get(place))
    {
        return Ok(*chosen);
    }
    if let Some(exact) = all.iter().find(|choice| word(**choice) == answer) {
        return Ok(*exact);
    }
    let near: Vec<T> = all
        .iter()
        .copied()
        .filter(|choice| !answer.is_empty() && word(*choice).starts_with(&answer))
        .collect();
    match near[..] {
        [chosen] => Ok(chosen),
        _ => Err(format!("{answer:?} is none of these: a number from 1 to {}, or the word", all.len())),
    }
}

fn several<T: PartialEq>(answer: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    collected(answer.split([' ', ',', ';']), one)
}

fn several_by_comma<T: PartialEq>(
    answer: &str,
    one: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    collected(answer.split([',', ';']), one)
}

fn collected<'a, T: PartialEq>(
    words: impl Iterator<Item = &'a str>,
    one: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut all = Vec::new();
    for word in words.map(str::trim).filter(|word| !word.is_empty()) {
        let found = one(word)?;
        if !all.contains(&found) {
            all.push(found);
        }
    }
    if all.is_empty() { Err("at least one is needed".to_owned()) } else { Ok(all) }
}

/// What will go out, as its readers will know it.
pub(super) fn summary(event: &Event) -> String {
    let kind = match event.kind {
        EventKind::Initial => "A NEW INCIDENT",
        EventKind::Update => "AN UPDATE",
        EventKind::Resolved => "THE END: SERVICE RESTORED",
        EventKind::Correction => "A CORRECTION",
        EventKind::Cancelled => "A CANCELLATION",
        EventKind::SentInError => "A WITHDRAWAL: SENT IN ERROR",
    };
    let status = match event.status {
        Status::Actual => "ACTUAL",
        Status::Exercise => "EXERCISE",
        Status::Test => "TEST",
    };
    let join = |words: Vec<String>| words.join(", ");
    let mut text = format!(
        "\n{}{status}: {kind}\n  headline   {}\n  what       {}: {}\n  where      {}\n",
        banner(event.status),
        clean::line(&event.headline, 200),
        event.category,
        join(event.services.iter().map(ToString::to_string).collect()),
        join(event.areas.iter().map(ToString::to_string).collect()),
    );
    for (label, value) in
        [("to do", &event.instruction), ("public", &event.public_advice), ("more", &event.description)]
    {
        if let Some(value) = value {
            let _ = writeln!(text, "  {label:11}{}", clean::line(value, 200));
        }
    }
    if let Some(platform) = event.platform {
        let _ = writeln!(text, "  {:11}{platform}", "platform");
    }
    if let Some(calls) = event.impact.as_ref().and_then(|impact| impact.calls_unsuccessful) {
        let _ = writeln!(text, "  {:11}{calls}", "calls lost");
    }
    let _ =
        writeln!(text, "  incident   {}, event {}, by {}", event.incident, event.sequence, event.publisher);
    text
}

/// The one question before an actual event goes out.
pub(super) async fn confirm(told: Option<usize>) -> Result<(), Failure> {
    let whom = match told {
        Some(0) => "Publish it all the same".to_owned(),
        Some(1) => "Tell 1 body now".to_owned(),
        Some(told) => format!("Tell {told} bodies now"),
        None => "Publish now".to_owned(),
    };
    loop {
        match ask(&format!("\n{whom}? yes or no: ")).await?.to_lowercase().as_str() {
            "y" | "yes" => return Ok(()),
            "n" | "no" => {
                tell("Nothing was sent.\n");
                return Err(Failure::told(Exit::Interrupted));
            }
            _ => tell("  write yes or no\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area_of(id: &str, name: &str, within: Option<&str>) -> Area {
        Area {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            within: within.map(|id| id.parse().unwrap()),
            population: None,
        }
    }

    #[test]
    fn an_answer_may_be_a_number_a_word_or_its_beginning() {
        let category = |answer: &str| one_of(answer, Category::ALL, Category::as_str);
        assert_eq!(category("1"), Ok(Category::Outage));
        assert_eq!(category("Outage"), Ok(Category::Outage));
        assert_eq!(category("cy"), Ok(Category::CyberAttack));
        for bad in ["", "0", "8", "c", "fire"] {
            assert!(category(bad).is_err(), "{bad}");
        }
        let services = |answer: &str| several(answer, |word| one_of(word, Service::ALL, Service::as_str));
        assert_eq!(services("1, 2 1"), Ok(vec![Service::Voice999, Service::Voice112]));
        assert!(services(" ,").is_err());
        assert!(services("1 x").is_err());
    }

    #[test]
    fn an_area_is_found_as_people_write_it() {
        let all = [
            area_of("uk", "United Kingdom", None),
            area_of("kent", "Kent", Some("uk")),
            area_of("north-yorkshire", "North Yorkshire", Some("uk")),
            area_of("south-yorkshire", "South Yorkshire", Some("uk")),
        ];
        let known: Vec<&Area> = all.iter().collect();
        for (text, id) in [
            ("Kent", "kent"),
            ("north yorkshire", "north-yorkshire"),
            ("United Kingdom", "uk"),
            ("sou", "south-yorkshire"),
        ] {
            assert_eq!(area(text, &known).unwrap().as_str(), id);
        }
        insta::assert_snapshot!(area("yorkshire", &known).unwrap_err(), @r#""yorkshire" may be any of: north-yorkshire, south-yorkshire"#);
        insta::assert_snapshot!(area("atlantis", &known).unwrap_err(), @r#""atlantis" is no area that you may speak of; ? lists them"#);
        assert_eq!(area("West Mercia", &[]).unwrap().as_str(), "west-mercia");
    }
}
