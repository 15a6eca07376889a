//! The events of a scenario: each says what it changes of the one before.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use tocsin_duty::{
    Fault,
    reading::{Reader, Source},
};
use tocsin_protocol::{
    AreaId, Category, Event, EventKind, EventNumber, Impact, IncidentId, PublisherId, Recontact,
    RecontactFigures, Status, Timestamp, schema, to_body,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Ground, line, meant, moment, need_moment};
use crate::{model::Happening, place::Placed};

/// The most events: a drill is watched by people.
const EVENTS_MAX: usize = 100;

/// The events, each on top of the one before, and whether all of them were read.
pub(super) fn events<'r, 't>(
    reader: &mut Reader<'r, 't, '_>,
    publisher: Option<&PublisherId>,
    incident: Option<&IncidentId>,
    ground: Ground<'_>,
) -> (Vec<Placed<Happening>>, bool) {
    let values: &'r [Spanned<DeValue<'t>>] = reader.values("events").unwrap_or_default();
    if values.is_empty() || values.len() > EVENTS_MAX {
        let count = values.len();
        reader.fault(
            "events",
            format_args!("there are {count} events: write 1 to {EVENTS_MAX}, each under [[events]]"),
        );
        return (Vec::new(), false);
    }
    let placeholder = (PublisherId::new("publisher"), IncidentId::new("incident"));
    let (Ok(no_publisher), Ok(no_incident)) = placeholder else { return (Vec::new(), false) };
    let identity = (publisher.cloned().unwrap_or(no_publisher), incident.cloned().unwrap_or(no_incident));
    let mut read: Vec<Placed<Happening>> = Vec::new();
    for (value, number) in values.iter().zip(1_u32..) {
        let Some(number) = EventNumber::new(number) else { continue };
        let (source, faults) = reader.within();
        let what = format!("event {number}");
        let Some(mut table) = Reader::new(source, value, what.clone(), faults) else { continue };
        let previous = read.last().map(|placed| &placed.entry);
        let entry = happening(&mut table, number, previous, &identity);
        if let (Some(()), Some(entry)) = (table.finish(), entry) {
            let placed = Placed::new(source, value, what, entry);
            let own = |field: &str| {
                value.get_ref().as_table().is_some_and(|table: &DeTable<'_>| table.contains_key(field))
            };
            // What it carries over from one that could not be read is not its own fault.
            if read.len() + 1 == number.get() as usize {
                say(source, own, &placed, faults);
            }
            if own("areas") {
                speak(source, &placed, publisher, ground, faults);
            }
            read.push(placed);
        }
    }
    let all = read.len() == values.len();
    (read, all)
}

/// What the schema of events says of it, on the line of the field.
fn say(source: &Source<'_>, own: impl Fn(&str) -> bool, placed: &Placed<Happening>, faults: &mut Vec<Fault>) {
    let Ok(body) = to_body("event", &placed.entry.event) else { return };
    let Err(problems) = schema::check_event(&body) else { return };
    for problem in problems {
        let field = problem.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
        let field = if field == "impact" { "calls_unsuccessful" } else { field };
        // Of what was carried over the event before has told; and which kind may stand where, in the words of the file.
        if own(field) && !["kind", "corrects"].contains(&field) {
            faults.push(placed.fault(source, field, problem.message));
        }
    }
}

/// Its areas are of the directory, and the publisher may speak of them.
fn speak(
    source: &Source<'_>,
    placed: &Placed<Happening>,
    publisher: Option<&PublisherId>,
    ground: Ground<'_>,
    faults: &mut Vec<Fault>,
) {
    let Some(directory) = ground.directory else { return };
    let known = publisher.and_then(|publisher| directory.publisher(publisher));
    for area in &placed.entry.event.areas {
        if directory.area(area).is_none() {
            let areas: Vec<_> = directory.document().areas.iter().map(|area| area.id.as_str()).collect();
            let hint = meant(area.as_str(), &areas);
            faults.push(placed.fault(
                source,
                "areas",
                format_args!("{area} is no area of the directory: {hint}"),
            ));
        } else if let Some(known) = known.filter(|known| !directory.may_speak_of(known, area)) {
            faults.push(placed.fault(
                source,
                "areas",
                format_args!(
                    "publisher {} may not speak of {area}: the router would refuse it; take the area out, or let it \
                     in the directory",
                    known.id
                ),
            ));
        }
    }
}

/// One event. What it does not say is as the event before had it, but for what belongs to that event alone.
fn happening(
    reader: &mut Reader<'_, '_, '_>,
    number: EventNumber,
    previous: Option<&Happening>,
    (publisher, incident): &(PublisherId, IncidentId),
) -> Option<Happening> {
    let first = number == EventNumber::FIRST;
    let at = need_moment(reader, "at");
    let kind = reader.may("kind").map(|kind: Option<EventKind>| {
        kind.unwrap_or(if first { EventKind::Initial } else { EventKind::Update })
    });
    if let Some(kind) = kind.filter(|kind| (*kind == EventKind::Initial) != first) {
        let rule = if first { "the first event is initial" } else { "only the first event is initial" };
        reader.fault("kind", format_args!("kind is {kind}, and {rule}"));
    }
    let headline = line(reader, "headline", "\"999 calls are failing\"");
    let mut clean = true;
    let mut event = if let Some(previous) = previous {
        carried(&previous.event, number, kind.unwrap_or(EventKind::Update))
    } else {
        Event::initial(
            publisher.clone(),
            incident.clone(),
            Status::Exercise,
            Category::Outage,
            Vec::new(),
            "",
            Vec::new(),
        )
    };
    event.headline = headline.clone().unwrap_or_default();
    // Without these there is no first event; later ones may change them.
    if first {
        clean &= reader.need("category", "\"outage\"").map(|category| event.category = category).is_some();
        clean &= reader
            .need_list("services", "[\"999-voice\"]")
            .map(|services| event.services = services)
            .is_some();
        clean &=
            reader.need_list("areas", "[\"uk\"]").map(|areas: Vec<AreaId>| event.areas = areas).is_some();
    } else {
        clean &= set(reader, "category", &mut event.category);
        if reader.value("services").is_some() {
            clean &= reader.list("services").map(|services| event.services = services).is_some();
        }
        if reader.value("areas").is_some() {
            clean &= reader.list("areas").map(|areas| event.areas = areas).is_some();
        }
    }
    for (name, field) in [
        ("description", &mut event.description),
        ("instruction", &mut event.instruction),
        ("public_advice", &mut event.public_advice),
        ("marking", &mut event.marking),
    ] {
        clean &= change(reader, name, field);
    }
    clean &= change(reader, "stage", &mut event.stage);
    clean &= change(reader, "material", &mut event.material);
    clean &= change(reader, "corrects", &mut event.corrects);
    if let Some(kind) = kind {
        corrects(reader, number, kind, event.corrects);
    }
    clean &= change(reader, "severity", &mut event.severity);
    clean &= change(reader, "urgency", &mut event.urgency);
    clean &= change(reader, "certainty", &mut event.certainty);
    clean &= change(reader, "platform", &mut event.platform);
    clean &= change(reader, "contact", &mut event.contact);
    for (name, field) in [
        ("began_at", &mut event.began_at),
        ("detected_at", &mut event.detected_at),
        ("aware_at", &mut event.aware_at),
        ("discovered_at", &mut event.discovered_at),
        ("classified_at", &mut event.classified_at),
        ("restored_at", &mut event.restored_at),
        ("expected_restoration_at", &mut event.expected_restoration_at),
        ("next_update_by", &mut event.next_update_by),
    ] {
        match moment(reader, name) {
            Some(Some(moment)) => *field = Some(moment),
            Some(None) => {}
            None => clean = false,
        }
    }
    let mut split = previous.is_some_and(|previous| previous.split);
    clean &= figures(reader, at, &mut event, &mut split);
    (clean && headline.is_some() && kind.is_some()).then_some(())?;
    Some(Happening { at: at?, event, split })
}

/// A correction names an earlier event, and nothing else does.
fn corrects(
    reader: &mut Reader<'_, '_, '_>,
    number: EventNumber,
    kind: EventKind,
    corrected: Option<EventNumber>,
) {
    match (kind == EventKind::Correction, corrected) {
        (true, None) => reader.fault("kind", "which event does it correct? Add corrects = 1"),
        (true, Some(corrected)) if corrected >= number => {
            reader.fault("corrects", format_args!("corrects is {corrected}: name an earlier event"));
        }
        (false, Some(_)) => {
            reader.fault("corrects", "it is no correction: add kind = \"correction\", or take it out");
        }
        _ => {}
    }
}

/// The figures of an event: each carries where it is from, and whether it may still change.
fn figures(
    reader: &mut Reader<'_, '_, '_>,
    at: Option<Timestamp>,
    event: &mut Event,
    split: &mut bool,
) -> bool {
    let calls = reader.may("calls_unsuccessful");
    let source = reader.may("figures_source");
    let provisional = reader.may("provisional");
    let by_population = reader.may("split_by_population");
    let recontact: Option<Option<RecontactFigures>> = reader.may("recontact");
    let (Some(calls), Some(source), Some(provisional), Some(by_population), Some(recontact)) =
        (calls, source, provisional, by_population, recontact)
    else {
        return false;
    };
    if let Some(calls) = calls {
        event.impact = Some(Impact {
            calls_unsuccessful: Some(calls),
            by_area: BTreeMap::new(),
            as_of: at,
            source,
            provisional,
        });
        *split = by_population.unwrap_or(false);
    } else if source.is_some() || provisional.is_some() || by_population.is_some() {
        reader.fault(
            "figures_source",
            "figures_source, provisional and split_by_population say something of calls_unsuccessful, which is not there: \
             add calls_unsuccessful = 10, or take them out",
        );
        return false;
    }
    if let Some(total) = recontact {
        event.recontact = Some(Recontact { total, ..Recontact::default() });
    }
    true
}

/// What a later event begins with.
fn carried(previous: &Event, number: EventNumber, kind: EventKind) -> Event {
    let mut event = Event {
        sequence: number,
        kind,
        next_update_by: None,
        stage: None,
        material: None,
        corrects: None,
        ..previous.clone()
    };
    if kind.lifts_duties() {
        // With the end goes what would mislead, as where the operator drafts it.
        event.description = None;
        event.instruction = None;
        event.public_advice = None;
        event.urgency = None;
        event.platform = None;
        event.expected_restoration_at = None;
    }
    event
}

/// Reads a field over what is there already. `false` is a fault.
fn set<T: DeserializeOwned>(reader: &mut Reader<'_, '_, '_>, name: &'static str, field: &mut T) -> bool {
    match reader.may(name) {
        Some(Some(value)) => *field = value,
        Some(None) => {}
        None => return false,
    }
    true
}

/// As [`set`], of a field that may be absent.
fn change<T: DeserializeOwned>(
    reader: &mut Reader<'_, '_, '_>,
    name: &'static str,
    field: &mut Option<T>,
) -> bool {
    match reader.may(name) {
        Some(Some(value)) => *field = Some(value),
        Some(None) => {}
        None => return false,
    }
    true
}
