//! A scenario out of its TOML file.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use tocsin_duty::{
    Directory, Fault,
    reading::{Reader, Source, nearest, shown},
};
use tocsin_protocol::{
    AreaId, Event, EventKind, EventNumber, Impact, IncidentId, PublisherId, Recontact, RecontactFigures,
    Status, Timestamp, Window, schema, to_body,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    model::{Does, End, Expectation, Happening, Lot, Mailbox, Measures, Part, Scenario, Share, Then, Whose},
    place::Placed,
};

/// How many times faster than the day, where the file does not say.
const SPEED: i32 = 180;
/// The fastest that is played: a window of fifteen minutes is half a second then.
const SPEED_MAX: i32 = 1800;
/// What the lots are drawn from, where the file does not say.
const SEED: u64 = 25;
/// The most events, and the most entries of any other list: a drill is watched by people.
const EVENTS_MAX: usize = 100;
const ENTRIES_MAX: usize = 1_000;
/// How the two times of a day are written.
const MOMENT: &str = "2023-06-25T06:24:00+01:00";

/// What was read, and where it stands. What could not be read is not there.
#[derive(Default)]
pub(crate) struct Read {
    name: Option<String>,
    basis: Option<String>,
    directory: Option<String>,
    incident: Option<IncidentId>,
    publisher: Option<PublisherId>,
    pub(crate) began_at: Option<Timestamp>,
    speed: Option<i32>,
    seed: Option<u64>,
    notes: Option<Vec<String>>,
    end: Option<End>,
    clean: bool,
    pub(crate) events: Vec<Placed<Happening>>,
    pub(crate) lots: Vec<Placed<Lot>>,
    pub(crate) people: Vec<Placed<Part>>,
    pub(crate) mailboxes: Vec<Placed<Mailbox>>,
    pub(crate) then: Vec<Placed<Then>>,
    pub(crate) expect: Vec<Placed<Expectation>>,
}

impl Read {
    /// The events, when all of them were read.
    pub(crate) fn events(&self) -> Option<Vec<&Happening>> {
        let all = self.clean && !self.events.is_empty();
        all.then(|| self.events.iter().map(|event| &event.entry).collect())
    }

    /// The whole, when all of it was read.
    pub(crate) fn scenario(self) -> Option<Scenario> {
        fn bare<T>(placed: Vec<Placed<T>>) -> Vec<T> {
            placed.into_iter().map(|placed| placed.entry).collect()
        }
        if !self.clean || self.events.is_empty() {
            return None;
        }
        Some(Scenario {
            name: self.name?,
            basis: self.basis?,
            directory: self.directory?,
            incident: self.incident?,
            publisher: self.publisher?,
            began_at: self.began_at?,
            speed: self.speed?,
            seed: self.seed?,
            notes: self.notes?,
            end: self.end?,
            events: bare(self.events),
            lots: bare(self.lots),
            people: bare(self.people),
            mailboxes: bare(self.mailboxes),
            then: bare(self.then),
            expect: bare(self.expect),
        })
    }
}

/// What entries are held against while they are read.
#[derive(Clone, Copy)]
struct Ground<'d> {
    directory: Option<&'d Directory>,
    began_at: Option<Timestamp>,
}

/// Reads a scenario. Names are held against the directory, where it is sound.
pub(crate) fn read(
    source: &Source<'_>,
    directory: Option<&Directory>,
    directory_there: bool,
    faults: &mut Vec<Fault>,
) -> Read {
    let before = faults.len();
    let mut reader = Reader::of_file(source, "the scenario".to_owned(), faults);
    let name = line(&mut reader, "name", "\"the day on which 999 failed\"");
    let basis = line(&mut reader, "basis", "\"What it rests on, and what of it is your own\"");
    let named: Option<String> = reader.need("directory", "\"../directory/uk.toml\"");
    if let (Some(named), false) = (&named, directory_there) {
        reader.fault(
            "directory",
            format_args!("there is no directory file {}: correct the path, or write the file", shown(named)),
        );
    }
    let incident: Option<IncidentId> = reader.need("incident", "\"drill-999-2023-06-25\"");
    let publisher: Option<PublisherId> = reader.need("publisher", "\"bt-cha\"");
    if let (Some(publisher), Some(directory)) = (&publisher, directory)
        && directory.publisher(publisher).is_none()
    {
        let known: Vec<_> =
            directory.document().publishers.iter().map(|publisher| publisher.id.as_str()).collect();
        let hint = meant(publisher.as_str(), &known);
        reader.fault("publisher", format_args!("{publisher} is no publisher of the directory: {hint}"));
    }
    let began_at = need_moment(&mut reader, "began_at");
    let speed = reader.may::<i32>("speed").map(|speed| speed.unwrap_or(SPEED));
    if let Some(speed) = speed.filter(|speed| !(1..=SPEED_MAX).contains(speed)) {
        reader.fault("speed", format_args!("speed is {speed}: it may be 1 to {SPEED_MAX}"));
    }
    let lots_from = reader.may::<u64>("seed").map(|seed| seed.unwrap_or(SEED));
    let notes = reader.list("notes");
    let end = end(&mut reader);
    let ground = Ground { directory, began_at };
    let (events, events_clean) = events(&mut reader, publisher.as_ref(), incident.as_ref(), ground);
    let lots = parts(&mut reader, "lots", "lot", lot);
    let people = parts(&mut reader, "people", "people", |reader| part(reader, ground));
    let mailboxes = parts(&mut reader, "mailboxes", "mailbox", |reader| mailbox(reader, ground));
    let then = parts(&mut reader, "then", "figure", |reader| figure(reader, ground));
    let expect = parts(&mut reader, "expect", "expectation", |reader| expectation(reader, ground));
    reader.finish();
    let clean = events_clean && faults.len() == before;
    Read {
        name,
        basis,
        directory: named,
        incident,
        publisher,
        began_at,
        speed,
        seed: lots_from,
        notes,
        end,
        clean,
        events,
        lots,
        people,
        mailboxes,
        then,
        expect,
    }
}

impl Read {
    /// Who says what is said.
    pub(crate) fn publisher(&self) -> Option<PublisherId> {
        self.publisher.clone()
    }
}

/// A text that says something.
fn line(reader: &mut Reader<'_, '_, '_>, name: &'static str, example: &str) -> Option<String> {
    let text: String = reader.need(name, example)?;
    if text.trim().is_empty() {
        reader.fault(name, format_args!("{name} says nothing: write {example}"));
        return None;
    }
    Some(text.trim().to_owned())
}

/// A moment of the day, with its offset.
#[allow(clippy::option_option, reason = "as the reader has it: the outer one is a fault")]
fn moment(reader: &mut Reader<'_, '_, '_>, name: &'static str) -> Option<Option<Timestamp>> {
    let Some(value) = reader.value(name) else { return Some(None) };
    let written = match value.get_ref() {
        DeValue::Datetime(written) => written.to_string(),
        DeValue::String(written) => written.to_string(),
        _ => String::new(),
    };
    let Ok(moment) = written.parse::<Timestamp>() else {
        let found = if written.is_empty() { String::new() } else { format!(", found {}", shown(&written)) };
        let what = format!("{name} should be a time with its offset from UTC, such as {MOMENT}{found}");
        reader.fault(name, what);
        return None;
    };
    Some(Some(moment))
}

fn need_moment(reader: &mut Reader<'_, '_, '_>, name: &'static str) -> Option<Timestamp> {
    let moment = moment(reader, name)?;
    if moment.is_none() {
        reader.fault(name, format_args!("there is no {name}: add {name} = {MOMENT}"));
    }
    moment
}

/// A length of the day.
#[allow(clippy::option_option, reason = "as the reader has it: the outer one is a fault")]
fn length(reader: &mut Reader<'_, '_, '_>, name: &'static str) -> Option<Option<jiff::SignedDuration>> {
    reader.may::<Window>(name).map(|window| window.map(|window| window.0))
}

/// The tables of a list, each with its place.
fn parts<'r, 't, T>(
    reader: &mut Reader<'r, 't, '_>,
    name: &'static str,
    what: &str,
    part: impl Fn(&mut Reader<'_, 't, '_>) -> Option<T>,
) -> Vec<Placed<T>> {
    let values = reader.values(name).unwrap_or_default();
    if values.len() > ENTRIES_MAX {
        reader.fault(name, format_args!("there are {} {name} and may be {ENTRIES_MAX}", values.len()));
        return Vec::new();
    }
    let mut read = Vec::with_capacity(values.len());
    for (value, number) in values.iter().zip(1..) {
        let (source, faults) = reader.within();
        let what = format!("{what} {number}");
        let Some(mut table) = Reader::new(source, value, what.clone(), faults) else { continue };
        let entry = part(&mut table);
        if let (Some(()), Some(entry)) = (table.finish(), entry) {
            read.push(Placed::new(source, value, what, entry));
        }
    }
    read
}

fn end(reader: &mut Reader<'_, '_, '_>) -> Option<End> {
    let Some(value) = reader.value("end") else { return Some(End::default()) };
    let (source, faults) = reader.within();
    let mut reader = Reader::new(source, value, "the end".to_owned(), faults)?;
    let (in_time, escalated, mails) = (reader.may("in_time"), reader.may("escalated"), reader.may("mails"));
    reader.finish()?;
    Some(End { in_time: in_time?, escalated: escalated?, mails: mails? })
}

/// The events, each on top of the one before, and whether all of them were read.
fn events<'r, 't>(
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
            tocsin_protocol::Category::Outage,
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

fn lot(reader: &mut Reader<'_, '_, '_>) -> Option<Lot> {
    let answer = reader.need_list::<Window>("answer", "[\"1m\", \"12m\"]");
    let never = reader.may::<Share>("never");
    let mut once_mailed = BTreeMap::new();
    let mut clean = true;
    for (contact, value) in reader.entries("once_mailed")? {
        let (source, faults) = reader.within();
        match Share::deserialize_from(value) {
            Ok(share) => _ = once_mailed.insert(contact.to_owned(), share),
            Err(why) => {
                clean = false;
                faults.push(source.misread(value, format_args!("once_mailed.{}", shown(contact)), &why));
            }
        }
    }
    let answer = answer.and_then(|answer| match &answer[..] {
        [soonest, latest] if soonest <= latest => Some([soonest.0, latest.0]),
        _ => {
            reader.fault("answer", "answer should be the soonest and the latest, such as [\"1m\", \"12m\"]");
            None
        }
    });
    clean.then_some(Lot { answer: answer?, never: never?.unwrap_or(Share::Count(0)), once_mailed })
}

impl Share {
    fn deserialize_from(value: &Spanned<DeValue<'_>>) -> Result<Self, toml::de::Error> {
        serde::Deserialize::deserialize(toml::de::ValueDeserializer::from(value.clone()))
    }
}

fn part(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Part> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        Answers,
        AnswersMail,
        Nothing,
    }
    let recipients = recipients(reader, ground);
    let event = reader.may("event");
    let word = reader.need::<Word>("does", "\"answers\", \"answers-mail\" or \"nothing\"");
    let contact: Option<Option<String>> = reader.may("contact");
    let after = length(reader, "after");
    let does = match (word?, contact?) {
        (Word::AnswersMail, Some(contact)) => Does::AnswersMail(contact),
        (Word::AnswersMail, None) => {
            reader.fault("does", "whose mail do they answer? Add contact = \"duty\"");
            return None;
        }
        (Word::Answers | Word::Nothing, Some(_)) => {
            reader.fault("contact", "a contact is for does = \"answers-mail\": say that, or take it out");
            return None;
        }
        (Word::Answers, None) => Does::Answers,
        (Word::Nothing, None) => Does::Nothing,
    };
    if does == Does::Nothing && after?.is_some() {
        reader.fault("after", "they do nothing, so there is no time after which: take it out");
        return None;
    }
    Some(Part { recipients: recipients?, event: event?, does, after: after? })
}

fn mailbox(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Mailbox> {
    let recipient = reader.need("recipient", "\"dsit\"");
    let contact: Option<String> = reader.need("contact", "\"duty\"");
    let fate = reader.need("fate", "\"retired\" or \"refused\"");
    let (recipient, contact) = (recipient?, contact?);
    if let Some(directory) = ground.directory {
        match directory.recipient(&recipient) {
            None => unknown(reader, "recipient", recipient.as_str(), directory),
            Some(known) if !known.entry.contacts.contains_key(&contact) => {
                let words: Vec<_> = known.entry.contacts.keys().map(String::as_str).collect();
                let hint = meant(&contact, &words);
                reader
                    .fault("contact", format_args!("{recipient} has no contact {}: {hint}", shown(&contact)));
            }
            Some(_) => {}
        }
    }
    Some(Mailbox { recipient, contact, fate: fate? })
}

fn figure(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Then> {
    let label = line(reader, "label", "\"The regulator is told\"");
    let at = moment(reader, "at");
    let since = moment(reader, "since");
    let recipient = reader.may("recipient");
    let measures = reader.may("measures");
    let recipient: Option<tocsin_protocol::RecipientId> = recipient?;
    if let (Some(recipient), Some(directory)) = (&recipient, ground.directory)
        && directory.recipient(recipient).is_none()
    {
        unknown(reader, "recipient", recipient.as_str(), directory);
    }
    let measures = measures?.unwrap_or(Measures::Told);
    if recipient.is_none() && measures == Measures::Acknowledged {
        reader.fault("measures", "whose acknowledgement? Add recipient = \"dsit\", or measure who was told");
    }
    let (at, since) = (at?, since?.or(ground.began_at)?);
    if at.is_some_and(|at| at < since) {
        reader
            .fault("at", "it lies before the moment from which it is counted: correct one of the two times");
    }
    Some(Then { label: label?, at, since, recipient, measures })
}

fn expectation(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Expectation> {
    let says = line(reader, "says", "\"The regulator acknowledges in time\"");
    let event = reader.need("event", "1");
    let given = reader.value("recipients").is_some();
    let these = if given { Some(recipients(reader, ground)) } else { None };
    let kinds: Option<Vec<String>> = reader.list("kinds");
    if let (Some(kinds), Some(directory)) = (&kinds, ground.directory) {
        let known: BTreeSet<_> = directory.recipients().map(|known| known.entry.kind.as_str()).collect();
        let known: Vec<_> = known.into_iter().collect();
        for kind in kinds.iter().filter(|kind| !known.contains(&kind.as_str())) {
            let hint = meant(kind, &known);
            reader.fault("kinds", format_args!("no recipient is of kind {}: {hint}", shown(kind)));
        }
    }
    let requirement = reader.may("requirement");
    let acknowledged = reader.may("acknowledged");
    let silent_after = length(reader, "silent_after");
    let mailed = if reader.value("mailed").is_some() { reader.list("mailed").map(Some) } else { Some(None) };
    let whose = match (these, kinds?) {
        (Some(these), kinds) if kinds.is_empty() => Whose::These(these?),
        (None, kinds) if !kinds.is_empty() => Whose::Kinds(kinds),
        (None, _) => Whose::Everybody,
        (Some(_), _) => {
            reader.fault("kinds", "say recipients or kinds, not both");
            return None;
        }
    };
    Some(Expectation {
        says: says?,
        event: event?,
        whose,
        requirement: requirement?,
        acknowledged: acknowledged?,
        silent_after: silent_after?,
        mailed: mailed?,
    })
}

/// Those whom an entry names.
fn recipients(
    reader: &mut Reader<'_, '_, '_>,
    ground: Ground<'_>,
) -> Option<Vec<tocsin_protocol::RecipientId>> {
    let named: Vec<tocsin_protocol::RecipientId> = reader.need_list("recipients", "[\"dsit\"]")?;
    if named.is_empty() {
        reader.fault("recipients", "nobody is named: name one at least");
        return None;
    }
    if let Some(directory) = ground.directory {
        for one in named.iter().filter(|one| directory.recipient(one).is_none()) {
            unknown(reader, "recipients", one.as_str(), directory);
        }
    }
    Some(named)
}

fn unknown(reader: &mut Reader<'_, '_, '_>, field: &str, id: &str, directory: &Directory) {
    let known: Vec<_> = directory.recipients().map(|known| known.entry.id.as_str()).collect();
    let hint = meant(id, &known);
    reader.fault(field, format_args!("{id} is no recipient of the directory: {hint}"));
}

/// What somebody is likely to have meant.
fn meant(word: &str, words: &[&str]) -> String {
    const FEW: usize = 8;
    match nearest(word, words.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if words.is_empty() => "there is none".to_owned(),
        None if words.len() <= FEW => format!("there is {}", words.join(", ")),
        None => "correct the name, or add it there".to_owned(),
    }
}
