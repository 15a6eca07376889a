//! A scenario out of its TOML file.

mod cast;
mod events;

use tocsin_duty::{
    Directory, Fault,
    reading::{Reader, Source, nearest, shown},
};
use tocsin_protocol::{IncidentId, PublisherId, RecipientId, Timestamp, Window};
use toml::de::DeValue;

use crate::{
    model::{End, Expectation, Happening, Lot, Mailbox, Part, Scenario, Then},
    place::Placed,
};

/// How many times faster than the day, where the file does not say.
const SPEED: i32 = 180;
/// The fastest that is played: a window of fifteen minutes is half a second then.
const SPEED_MAX: i32 = 1800;
/// What the lots are drawn from, where the file does not say.
const SEED: u64 = 25;
/// The most entries of a list: a drill is watched by people.
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
    /// Who says what is said.
    pub(crate) fn publisher(&self) -> Option<PublisherId> {
        self.publisher.clone()
    }

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
    let (events, events_clean) = events::events(&mut reader, publisher.as_ref(), incident.as_ref(), ground);
    let lots = parts(&mut reader, "lots", "lot", cast::lot);
    let people = parts(&mut reader, "people", "people", |reader| cast::part(reader, ground));
    let mailboxes = parts(&mut reader, "mailboxes", "mailbox", |reader| cast::mailbox(reader, ground));
    let then = parts(&mut reader, "then", "figure", |reader| cast::figure(reader, ground));
    let expect = parts(&mut reader, "expect", "expectation", |reader| cast::expectation(reader, ground));
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

/// Those whom an entry names.
fn recipients(reader: &mut Reader<'_, '_, '_>, ground: Ground<'_>) -> Option<Vec<RecipientId>> {
    let named: Vec<RecipientId> = reader.need_list("recipients", "[\"dsit\"]")?;
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
