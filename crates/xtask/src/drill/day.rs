//! The day that is played: a scenario, what follows from it, and what its events say here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tocsin_duty::{Directory, Fault, Gravity, Text, policy_files};
use tocsin_protocol::{AreaId, Event, SigningKey};
use tocsin_scenario::{Course, Happening, Scenario, Stretch, Texts, bodies, check, directory_file};

use super::{clock::Clock, split::split};
use crate::{
    error::{Attempt, Error},
    place,
};

/// Where the scenarios that are shipped stand, from the top of the repository.
const SHIPPED: &str = "deploy/scenarios";

/// The day that is played.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    /// What the file says.
    pub(crate) scenario: Scenario,
    /// What follows from it.
    pub(crate) course: Course,
    /// The zone in which its times are told.
    pub(crate) zone: TimeZone,
}

/// A scenario that was found sound, with everybody's keys.
pub(crate) struct Found {
    /// The directory, with the public halves.
    pub(crate) document: tocsin_protocol::DirectoryDocument,
    /// The scenario.
    pub(crate) scenario: Scenario,
    /// Everybody's keys, by identifier.
    pub(crate) keys: BTreeMap<String, SigningKey>,
}

/// Finds a scenario by its name among those that are shipped, or by its file, and makes a key for everybody in it.
///
/// # Errors
/// When it is not there, or has a fault.
pub(crate) fn find(named: &str) -> Result<Found, Error> {
    let file = file(named)?;
    let scenario = read(&file, shown(&file))?;
    let beside = file.parent().map(Path::to_owned).unwrap_or_default();
    let mut keys = BTreeMap::new();
    let directory = match directory_file(&scenario).map(|named| beside.join(named)) {
        Some(file) if file.is_file() => Some(directory(&file, &mut keys)?),
        _ => None,
    };
    let (sound, faults) = check(&Texts { scenario, directory });
    let Some(sound) = sound else { return Err(told(&shown(&file), &faults)) };
    Ok(Found { document: sound.document, scenario: sound.scenario, keys })
}

/// The file of a scenario.
fn file(named: &str) -> Result<PathBuf, Error> {
    let plain = named.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain {
        return Ok(PathBuf::from(named));
    }
    let shipped = place::root().join(SHIPPED);
    let file = shipped.join(format!("{named}.toml"));
    if file.is_file() {
        return Ok(file);
    }
    let there = fs::read_dir(&shipped).attempt(format!("list {}", shipped.display()))?;
    let mut there: Vec<_> = there
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    there.sort();
    Err(Error::told(format!(
        "there is no scenario {named}: name one of {}, or a file of your own",
        there.join(", ")
    )))
}

/// The texts of a directory, with a key for everybody in it.
fn directory(file: &Path, keys: &mut BTreeMap<String, SigningKey>) -> Result<tocsin_duty::Texts, Error> {
    let directory = read(file, shown(file))?;
    let beside = file.parent().map(Path::to_owned).unwrap_or_default();
    let mut policies = BTreeMap::new();
    for named in policy_files(&directory) {
        let file = beside.join(&named);
        // One that is not there is told as a fault, on the line that names it.
        if file.is_file() {
            policies.insert(named, read(&file, shown(&file))?);
        }
    }
    // Who is a publisher and a recipient is one body, with one key.
    keys.extend(bodies(&directory).into_iter().map(|id| (id, SigningKey::generate())));
    let public: BTreeMap<_, _> = keys.iter().map(|(id, key)| (id, key.public())).collect();
    let public = toml::to_string(&public).attempt("list the public keys")?;
    let keys = Some(Text { file: "the drill's keys".to_owned(), text: public });
    Ok(tocsin_duty::Texts { directory, policies, keys, today: None })
}

fn read(path: &Path, file: String) -> Result<Text, Error> {
    let text =
        fs::read_to_string(path).map_err(|source| Error::io(format!("read {}", path.display()), source))?;
    Ok(Text { file, text })
}

/// A file as a person at the top of the repository would name it.
fn shown(file: &Path) -> String {
    let mut parts: Vec<_> = Vec::new();
    for part in file.strip_prefix(place::root()).unwrap_or(file).components() {
        match part {
            std::path::Component::ParentDir if parts.last().is_some_and(|last| *last != part) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.iter().collect::<PathBuf>().display().to_string()
}

/// The faults of a scenario.
pub(crate) fn told(file: &str, faults: &[Fault]) -> Error {
    let grave = faults.iter().filter(|fault| fault.gravity == Gravity::Error);
    Error::told(grave.fold(format!("{file} cannot be played:"), |all, fault| format!("{all}\n  {fault}")))
}

impl Day {
    /// The day of a scenario, with this directory.
    ///
    /// # Errors
    /// When the directory cannot be indexed, or is of no zone that is known.
    pub(crate) fn new(scenario: Scenario, directory: &Directory) -> Result<Self, Error> {
        let events: Vec<_> = scenario.events.iter().collect();
        let course = Course::of(directory, &scenario.publisher, &events).attempt("foresee what follows")?;
        let zone = TimeZone::get(directory.time_zone()).attempt("tell the time of day")?;
        Ok(Self { scenario, course, zone })
    }

    /// What is played of it.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        self.course.stretches(self.scenario.began_at, &self.scenario.events)
    }

    /// A moment as people there read it.
    pub(crate) fn told(&self, day: Timestamp, format: &str) -> String {
        in_zone(day, &self.zone, format)
    }

    /// The day itself, for a title: 25 June 2023.
    pub(crate) fn date(&self) -> String {
        self.told(self.scenario.began_at, "%-d %B %Y")
    }

    /// Its year, for a column.
    pub(crate) fn year(&self) -> String {
        self.told(self.scenario.began_at, "%Y")
    }

    /// The event that the publisher says. Every time in it is the machine's: nothing on the bus pretends to be of that
    /// day. What was lost is split over the areas by how many live there, where the scenario wishes it.
    pub(crate) fn event(&self, happening: &Happening, clock: &Clock, populations: &Populations) -> Event {
        let mut event = happening.event.clone();
        let description = event.description.take().unwrap_or_default();
        let replayed = self.replayed(happening.at, clock);
        event.description = Some(format!("{description} {replayed}").trim().to_owned());
        for moment in [
            &mut event.began_at,
            &mut event.detected_at,
            &mut event.aware_at,
            &mut event.discovered_at,
            &mut event.classified_at,
            &mut event.restored_at,
            &mut event.expected_restoration_at,
            &mut event.next_update_by,
        ] {
            *moment = moment.map(|moment| clock.machine(moment));
        }
        if event.began_at.is_none() {
            event.began_at = Some(clock.machine(self.scenario.began_at));
        }
        if let Some(impact) = &mut event.impact {
            impact.as_of = impact.as_of.map(|as_of| clock.machine(as_of));
            if let (true, Some(calls)) = (happening.split, impact.calls_unsuccessful) {
                impact.by_area = split(calls, &populations.of(&event.areas));
            }
        }
        event
    }

    /// The sentence that stands in every event, so that whoever reads a mail of the drill knows what they read.
    fn replayed(&self, at: Timestamp, clock: &Clock) -> String {
        format!(
            "REPLAY of {}, {} times as fast: fifteen minutes of that day are {:.1} s here. Times in this message are \
             those of the machine that replays it.",
            self.told(at, "%H:%M %Z on %-d %B %Y"),
            clock.speed(),
            clock.scaled(SignedDuration::from_mins(15)).as_secs_f64(),
        )
    }
}

/// A moment as people in a zone read it.
pub(crate) fn in_zone(day: Timestamp, zone: &TimeZone, format: &str) -> String {
    day.to_zoned_datetime(zone.clone()).strftime(format).to_string()
}

/// Where people live.
#[derive(Debug, Clone)]
pub(crate) struct Populations(Directory);

impl Populations {
    pub(crate) fn new(directory: Directory) -> Self {
        Self(directory)
    }

    /// The areas of an incident that people live in, with how many.
    pub(crate) fn of(&self, areas: &[AreaId]) -> BTreeMap<AreaId, u64> {
        let all = self.0.document().areas.iter();
        all.filter(|area| self.0.touches(areas, std::slice::from_ref(&area.id)))
            .filter_map(|area| Some((area.id.clone(), area.population?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{EventKind, EventKind::*, Status};

    use super::*;
    use crate::drill::world::World;

    const SHIPPED: [&str; 3] = ["uk-2023", "west-mercia", "optus-2025"];

    fn played(named: &str) -> (Day, Vec<Event>) {
        let world = World::of(find(named).unwrap(), 180, 0).unwrap();
        let (day, populations) = (world.day.clone(), world.populations().unwrap());
        let begun = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::new(begun, 180, &day.stretches(), day.zone.clone());
        let events = day.scenario.events.iter().map(|happening| day.event(happening, &clock, &populations));
        let events = events.collect();
        (day, events)
    }

    #[test]
    fn every_event_of_every_day_is_valid_and_marked_as_an_exercise() {
        for named in SHIPPED {
            let (_, events) = played(named);
            for event in &events {
                tocsin_publisher::prepare(event, &SigningKey::generate(), &event.publisher).unwrap();
                assert_eq!(event.status, Status::Exercise);
                assert!(event.description.as_deref().unwrap().contains("REPLAY of"));
            }
        }
    }

    #[test]
    fn an_acknowledgement_is_asked_of_the_first_event_and_of_the_one_worsening() {
        let (day, events) = played("uk-2023");
        let told: Vec<_> = events.iter().map(|event| (event.sequence.get(), event.kind)).collect();
        let kinds: [(u32, EventKind); 5] =
            [(1, Initial), (2, Update), (3, Update), (4, Resolved), (5, Update)];
        assert_eq!(told, kinds);
        let asking: Vec<_> = day.course.asking().map(|dispatch| dispatch.event.get()).collect();
        assert_eq!(asking, [1, 2]);
    }

    #[test]
    fn the_figure_of_the_day_is_told_once_as_provisional_and_split_by_who_lives_where() {
        let (_, events) = played("uk-2023");
        let told: Vec<_> = events.iter().filter_map(|event| event.impact.as_ref()).collect();
        let [impact] = told[..] else { panic!("{told:?}") };
        assert_eq!(impact.calls_unsuccessful, Some(11_470));
        assert_eq!(impact.by_area.values().sum::<u64>(), 11_470);
        assert_eq!(impact.provisional, Some(true));
    }

    #[test]
    fn times_on_the_bus_are_the_machines() {
        let (_, events) = played("uk-2023");
        let began = events[0].began_at.unwrap();
        assert_eq!(began.to_string(), "2026-01-01T00:00:00.333333334Z");
        assert!(events[3].restored_at.unwrap() > began);
    }

    #[test]
    fn every_event_and_all_its_windows_lie_in_what_is_played() {
        for named in SHIPPED {
            let (day, _) = played(named);
            let stretches = day.stretches();
            assert!(stretches.windows(2).all(|pair| pair[0].to < pair[1].from), "{stretches:?}");
            for happening in &day.scenario.events {
                let dispatch = day.course.dispatch(happening.event.sequence).unwrap();
                let over = dispatch.steps.iter().map(|step| step.due_at).max().unwrap_or(happening.at);
                assert!(stretches.iter().any(|s| s.from < happening.at && over < s.to), "{}", happening.at);
            }
        }
    }
}
