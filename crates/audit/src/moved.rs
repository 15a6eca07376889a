//! How the figures of an incident moved, and who had acknowledged the smaller one.

use std::collections::BTreeMap;

use tocsin_duty::serves;
use tocsin_protocol::{AreaId, Event, EventNumber, PublisherId, RecipientId, RecontactFigures, Timestamp};

use crate::{
    compute::JudgedEvent,
    facts::{At, Facts, SaidEvent},
    report::{AnewRecipient, AnewReport, Figure, FigureReport, FigureStatement, RecipientReport, State},
};

/// Which areas' figures are told: none, or those of the areas that one recipient serves.
pub(crate) fn figures(facts: &Facts, only: Option<&RecipientId>) -> Vec<FigureReport> {
    let mut told: BTreeMap<(Option<AreaId>, Figure), Vec<FigureStatement>> = BTreeMap::new();
    for (number, said) in &facts.events {
        let here = |area: &AreaId| only.is_some_and(|only| is_here(facts, *number, only, area));
        for (key, value, source) in stated(&said.fact.event, here) {
            let all = told.entry(key).or_default();
            let before = all.iter().rev().find(|before| before.source == source.whose);
            let change = before.map(|before| signed(value).saturating_sub(signed(before.value)));
            all.push(FigureStatement {
                event: *number,
                stated_at: said.time,
                value,
                change,
                source: source.whose.to_owned(),
                as_of: source.as_of,
                provisional: source.provisional,
            });
        }
    }
    told.into_iter()
        .map(|((area, figure), stated)| FigureReport { figure, area, disputed: is_disputed(&stated), stated })
        .collect()
}

/// Whether the last figures of its sources differ.
fn is_disputed(stated: &[FigureStatement]) -> bool {
    let last: BTreeMap<&str, u64> = stated.iter().map(|one| (one.source.as_str(), one.value)).collect();
    let mut values = last.into_values();
    let first = values.next();
    values.any(|value| Some(value) != first)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Whose figures they are.
#[derive(Clone, Copy)]
struct Source<'a> {
    whose: &'a str,
    as_of: Option<Timestamp>,
    provisional: Option<bool>,
}

impl<'a> Source<'a> {
    fn of(
        publisher: &'a PublisherId,
        source: Option<&'a str>,
        as_of: Option<Timestamp>,
        provisional: Option<bool>,
    ) -> Self {
        Self { whose: source.unwrap_or(publisher.as_str()), as_of, provisional }
    }
}

type Stated<'a> = ((Option<AreaId>, Figure), u64, Source<'a>);

fn stated<'a>(event: &'a Event, here: impl Fn(&AreaId) -> bool) -> Vec<Stated<'a>> {
    let mut all: Vec<Stated<'a>> = Vec::new();
    if let Some(impact) = &event.impact {
        let source = Source::of(&event.publisher, impact.source.as_deref(), impact.as_of, impact.provisional);
        all.extend(impact.calls_unsuccessful.map(|calls| ((None, Figure::CallsUnsuccessful), calls, source)));
        let by_area = impact.by_area.iter().filter(|(area, _)| here(area));
        all.extend(
            by_area.map(|(area, calls)| ((Some(area.clone()), Figure::CallsUnsuccessful), *calls, source)),
        );
    }
    if let Some(recontact) = &event.recontact {
        let source =
            Source::of(&event.publisher, recontact.source.as_deref(), recontact.as_of, recontact.provisional);
        let by_area = recontact.by_area.iter().filter(|(area, _)| here(area));
        let areas = by_area.map(|(area, figures)| (Some(area.clone()), figures));
        for (area, figures) in [(None, &recontact.total)].into_iter().chain(areas) {
            all.extend(of_list(figures).map(|(figure, value)| ((area.clone(), figure), value, source)));
        }
    }
    all
}

fn of_list(figures: &RecontactFigures) -> impl Iterator<Item = (Figure, u64)> {
    [
        (Figure::Reached, figures.reached),
        (Figure::Outstanding, figures.outstanding),
        (Figure::HandedToPolice, figures.handed_to_police),
    ]
    .into_iter()
    .filter_map(|(figure, value)| Some((figure, value?)))
}

/// Whether an area is one that a recipient serves, in the directory of that event.
fn is_here(facts: &Facts, event: EventNumber, recipient: &RecipientId, area: &AreaId) -> bool {
    let register = facts.dispatches.get(&event).and_then(|at| at.fact.register.as_ref());
    let directory = register.and_then(|register| register.directory.as_ref());
    directory.is_some_and(|directory| {
        directory.recipient(recipient).is_some_and(|known| serves(directory, &known.entry, area))
    })
}

/// The events that had to be taken in anew, and when those did who had acknowledged less.
pub(crate) fn anew(facts: &Facts, events: &[JudgedEvent]) -> Vec<AnewReport> {
    let asked_anew = events.iter().filter(|event| !event.report.worsened.is_empty());
    let report = |event: &JudgedEvent| AnewReport {
        event: event.report.event,
        why: event.report.worsened.clone(),
        calls_unsuccessful: calls_through(facts, event.report.event),
        had_acknowledged: event
            .judged
            .iter()
            .filter(|judged| judged.row.state != State::NotAsked)
            .filter_map(|judged| had_acknowledged(facts, &judged.row))
            .collect(),
    };
    asked_anew.map(report).collect()
}

/// What a recipient had acknowledged before it took in an event.
fn had_acknowledged(facts: &Facts, row: &RecipientReport) -> Option<AnewRecipient> {
    let mut earlier =
        facts.acknowledged.range((row.id.clone(), EventNumber::FIRST)..(row.id.clone(), row.event));
    let before = |at: Timestamp| row.acknowledged_at.is_none_or(|taken_in| at < taken_in);
    let ((_, event), at) = earlier.rfind(|(_, at)| before(at.time))?;
    Some(AnewRecipient {
        recipient: row.id.clone(),
        name: row.name.clone(),
        earlier_event: *event,
        earlier_at: at.time,
        earlier_calls_unsuccessful: calls_through(facts, *event),
        taken_in_event: row.acknowledged_event,
        taken_in_at: row.acknowledged_at,
    })
}

/// The calls lost as last stated by an event or before it.
fn calls_through(facts: &Facts, event: EventNumber) -> Option<u64> {
    let calls = |said: &At<SaidEvent>| said.fact.event.impact.as_ref()?.calls_unsuccessful;
    facts.events.range(..=event).rev().find_map(|(_, said)| calls(said))
}
