//! A directory document out of its TOML files.

use std::collections::BTreeMap;

use tocsin_protocol::{
    Area, AreaScope, ConsoleDoors, Contact, ControlRoom, DirectoryDocument, DutyDocument, ExerciseDocument,
    ExerciseStatus, Monitor, OwedRule, PolicyDocument, Publisher, Reach, Recipient, StepDocument, Trigger,
};
use toml::{Spanned, de::DeValue};

use super::{
    fault::{Fault, Place, Section, Step},
    reader::{Reader, called, id},
    source::{Source, shown, text},
    structure::Unread,
};

/// The names of the keys that are the administrator's and our own services': no identifier has an underscore, so no body
/// can have one.
pub(super) const DIRECTORY_KEY: &str = DirectoryDocument::DIRECTORY_KEY;
pub(super) const CHECKPOINT_KEY: &str = "checkpoint_key";
pub(super) const CONSOLE_KEY: &str = "console_key";
pub(super) const LINK_KEY: &str = "link_key";

/// What was read, and where each entry stands.
pub(super) struct Read<'r, 't> {
    pub(super) document: DirectoryDocument,
    pub(super) unread: Unread,
    directory: &'r Source<'t>,
    areas: Vec<Origin<'r, 't>>,
    publishers: Vec<Origin<'r, 't>>,
    exercises: Vec<Origin<'r, 't>>,
    monitors: Vec<Origin<'r, 't>>,
    recipients: Vec<Origin<'r, 't>>,
    policies: Vec<Origin<'r, 't>>,
    /// The lines of the keys that came from a file of their own.
    keys: BTreeMap<String, (&'r str, usize)>,
}

/// Where an entry stands: a file, and the value in it (none for the file as a whole).
type Origin<'r, 't> = (&'r Source<'t>, Option<&'r Spanned<DeValue<'t>>>);

/// Reads a directory and the policy files that it names.
pub(super) fn read<'r, 't>(
    directory: &'r Source<'t>,
    policies: &'r BTreeMap<&str, Option<Source<'t>>>,
    faults: &mut Vec<Fault>,
) -> Read<'r, 't> {
    let mut reader = Reader::of_file(directory, "the directory".to_owned(), faults);
    let name = reader.need("name", "\"Whose directory this is\"");
    let time_zone = reader.need("time_zone", "\"Europe/London\"");
    let [directory_key, checkpoint_key, console_key, link_key] =
        [DIRECTORY_KEY, CHECKPOINT_KEY, CONSOLE_KEY, LINK_KEY].map(|name| reader.may(name));
    let areas = reader.values("areas").unwrap_or_default();
    let publishers = reader.values("publishers").unwrap_or_default();
    let monitors = reader.values("monitors").unwrap_or_default();
    let exercises = reader.values("exercises").unwrap_or_default();
    let recipients = reader.values("recipients").unwrap_or_default();
    let named = reader.values("policies").unwrap_or_default();
    let keys_unread =
        [&directory_key, &checkpoint_key, &console_key, &link_key].into_iter().any(Option::is_none);
    let mut unread =
        Unread { any: name.is_none() || time_zone.is_none() || keys_unread, ..Unread::default() };
    unread.any |= reader.finish().is_none();

    let (areas, area_origins, ids) = section(directory, "area", areas, area, faults);
    unread.any |= !ids.is_empty();
    unread.areas = ids;
    let (publishers, publisher_origins, ids) = section(directory, "publisher", publishers, publisher, faults);
    unread.any |= !ids.is_empty();
    let (monitors, monitor_origins, ids) = section(directory, "monitor", monitors, monitor, faults);
    unread.any |= !ids.is_empty();
    let (exercises, exercise_origins, ids) = section(directory, "exercise", exercises, exercise, faults);
    unread.any |= !ids.is_empty();
    let (recipients, recipient_origins, ids) = section(directory, "recipient", recipients, recipient, faults);
    unread.any |= !ids.is_empty();
    unread.recipients = ids;
    let (policies, policy_origins) = read_policies(directory, named, policies, &mut unread, faults);

    Read {
        document: DirectoryDocument {
            name: name.unwrap_or_default(),
            time_zone: time_zone.unwrap_or_default(),
            directory_key: directory_key.flatten(),
            checkpoint_key: checkpoint_key.flatten(),
            console_key: console_key.flatten(),
            link_key: link_key.flatten(),
            areas,
            publishers,
            monitors,
            exercises,
            recipients,
            policies,
        },
        unread,
        directory,
        areas: area_origins,
        publishers: publisher_origins,
        monitors: monitor_origins,
        exercises: exercise_origins,
        recipients: recipient_origins,
        policies: policy_origins,
        keys: BTreeMap::new(),
    }
}

/// The entries of a section that could be read, where they stand, and the identifiers of those that could not.
fn section<'r, 't, T>(
    source: &'r Source<'t>,
    what: &str,
    values: &'r [Spanned<DeValue<'t>>],
    entry: impl Fn(Reader<'_, 't, '_>) -> Option<T>,
    faults: &mut Vec<Fault>,
) -> (Vec<T>, Vec<Origin<'r, 't>>, Vec<String>) {
    let (mut entries, mut origins, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    for (index, value) in values.iter().enumerate() {
        let read = Reader::new(source, value, called(what, index, value), faults).and_then(&entry);
        if let Some(read) = read {
            entries.push(read);
            origins.push((source, Some(value)));
        } else {
            unread.push(id(value).unwrap_or_default().to_owned());
        }
    }
    (entries, origins, unread)
}

fn area(mut reader: Reader<'_, '_, '_>) -> Option<Area> {
    let id = reader.need("id", "\"west-mercia\"");
    let name = reader.need("name", "\"West Mercia\"");
    let within = reader.may("within");
    let population = reader.may("population");
    reader.finish()?;
    Some(Area { id: id?, name: name?, within: within?, population: population? })
}

fn publisher(mut reader: Reader<'_, '_, '_>) -> Option<Publisher> {
    let id = reader.need("id", "\"bt-cha\"");
    let name = reader.need("name", "\"The operator\"");
    let key = reader.may("key");
    let areas = scope(&mut reader);
    let contacts = contacts(&mut reader);
    reader.finish()?;
    Some(Publisher { id: id?, name: name?, key: key?, areas: areas?, contacts: contacts? })
}

fn monitor(mut reader: Reader<'_, '_, '_>) -> Option<Monitor> {
    let id = reader.need("id", "\"probe-midlands\"");
    let name = reader.need("name", "\"Test calls, Midlands\"");
    let key = reader.may("key");
    let areas = scope(&mut reader);
    reader.finish()?;
    Some(Monitor { id: id?, name: name?, key: key?, areas: areas? })
}

fn exercise(mut reader: Reader<'_, '_, '_>) -> Option<ExerciseDocument> {
    let id = reader.need("id", "\"tuesday\"");
    let schedule = reader.need("schedule", "\"30 10 * * TUE\"");
    let publisher = reader.need("publisher", "\"bt-cha\"");
    let status: Option<Option<ExerciseStatus>> = reader.may("status");
    let category = reader.need("category", "\"outage\"");
    let services = reader.need_list("services", "[\"999-voice\"]");
    let areas = reader.need_list("areas", "[\"uk\"]");
    let headline = reader.need("headline", "\"Exercise: 999 calls are not being connected\"");
    let description = reader.may("description");
    reader.finish()?;
    Some(ExerciseDocument {
        id: id?,
        schedule: schedule?,
        publisher: publisher?,
        status: status?.unwrap_or(ExerciseStatus::Exercise),
        category: category?,
        services: services?,
        areas: areas?,
        headline: headline?,
        description: description?,
    })
}

fn scope(reader: &mut Reader<'_, '_, '_>) -> Option<AreaScope> {
    if reader.value("areas").is_some_and(|value| value.get_ref().is_array()) {
        reader.list("areas").map(AreaScope::These)
    } else {
        reader.need("areas", "\"all\" or a list of areas")
    }
}

fn recipient(mut reader: Reader<'_, '_, '_>) -> Option<Recipient> {
    let id = reader.need("id", "\"pol-west-mercia\"");
    let name = reader.need("name", "\"West Mercia Police\"");
    let kind = reader.need("kind", "\"police-territorial\"");
    let nation = reader.may("nation");
    let areas = reader.need_list("areas", "[\"west-mercia\"]");
    let neighbours = reader.list("neighbours");
    let buddy = reader.may("buddy");
    let coordinating_body = reader.may("coordinating_body");
    let control_rooms = parts(&mut reader, "control_rooms", "control room", control_room);
    let key = reader.may("key");
    let console: Option<Option<ConsoleDoors>> = reader.may("console");
    let contacts = contacts(&mut reader);
    let valid_from = reader.day("valid_from");
    let valid_to = reader.day("valid_to");
    let last_verified_at = reader.day("last_verified_at");
    reader.finish()?;
    Some(Recipient {
        id: id?,
        name: name?,
        kind: kind?,
        nation: nation?,
        areas: areas?,
        neighbours: neighbours?,
        buddy: buddy?,
        coordinating_body: coordinating_body?,
        control_rooms: control_rooms?,
        key: key?,
        console: console?.unwrap_or_default(),
        contacts: contacts?,
        valid_from: valid_from?,
        valid_to: valid_to?,
        last_verified_at: last_verified_at?,
    })
}

fn contacts(reader: &mut Reader<'_, '_, '_>) -> Option<BTreeMap<String, Contact>> {
    let entries = reader.entries("contacts")?;
    let owner = reader.what().to_owned();
    let mut contacts = Vec::with_capacity(entries.len());
    for (word, value) in entries {
        let (source, faults) = reader.within();
        let what = format!("contact {} of {owner}", shown(word));
        contacts.push(
            Reader::new(source, value, what, faults)
                .and_then(contact)
                .map(|contact| (word.to_owned(), contact)),
        );
    }
    contacts.into_iter().collect()
}

fn contact(mut reader: Reader<'_, '_, '_>) -> Option<Contact> {
    let role = reader.need("role", "\"Duty officer\"");
    let email = reader.need("email", "\"duty.officer@west-mercia.police.example\"");
    let phone = reader.may("phone");
    reader.finish()?;
    Some(Contact { role: role?, email: email?, phone: phone? })
}

/// Policies stand in the directory itself, or in files that it names.
fn read_policies<'r, 't>(
    directory: &'r Source<'t>,
    named: &'r [Spanned<DeValue<'t>>],
    files: &'r BTreeMap<&str, Option<Source<'t>>>,
    unread: &mut Unread,
    faults: &mut Vec<Fault>,
) -> (Vec<PolicyDocument>, Vec<Origin<'r, 't>>) {
    let (mut policies, mut origins) = (Vec::new(), Vec::new());
    for (index, value) in named.iter().enumerate() {
        let (reader, origin) = match text(value).map(|path| (path, files.get(path))) {
            None => (
                Reader::new(directory, value, called("policy", index, value), faults),
                (directory, Some(value)),
            ),
            Some((_, Some(Some(source)))) => {
                let what = match source.root.get_ref().get("id").and_then(text) {
                    Some(id) => format!("policy {}", shown(id)),
                    None => "the policy".to_owned(),
                };
                (Some(Reader::of_file(source, what, faults)), (source, None))
            }
            // It is not TOML, which has been told.
            Some((_, Some(None))) => (None, (directory, None)),
            Some((path, None)) => {
                let what = format_args!(
                    "there is no policy file {}: correct the path, or write the file",
                    shown(path)
                );
                faults.push(directory.fault(directory.line(value), what));
                (None, (directory, None))
            }
        };
        if let Some(read) = reader.and_then(policy) {
            policies.push(read);
            origins.push(origin);
        } else {
            unread.any = true;
        }
    }
    (policies, origins)
}

fn policy(mut reader: Reader<'_, '_, '_>) -> Option<PolicyDocument> {
    let id = reader.need("id", "\"uk-999\"");
    let name = reader.need("name", "\"What it is called\"");
    let basis = reader.need("basis", "\"The paragraph that it rests on, or that there is none\"");
    let as_of = reader.day("as_of");
    let source = reader.may("source");
    let in_force_from = reader.day("in_force_from");
    let confidence = reader.need("confidence", "\"assumption\"");
    let clock = reader.need("clock", "\"published\"");
    let services = reader.list("services");
    let trigger: Option<Option<Trigger>> = reader.may("trigger");
    let acknowledge = reader.need_list("acknowledge", "[\"initial\"]");
    let owed = parts(&mut reader, "owed", "rule", owed_rule);
    let steps = parts(&mut reader, "steps", "step", step);
    let duties = parts(&mut reader, "duties", "duty", duty);
    reader.finish()?;
    Some(PolicyDocument {
        id: id?,
        name: name?,
        basis: basis?,
        as_of: as_of?,
        source: source?,
        in_force_from: in_force_from?,
        confidence: confidence?,
        clock: clock?,
        services: services?,
        trigger: trigger?.unwrap_or_default(),
        acknowledge: acknowledge?,
        owed: owed?,
        steps: steps?,
        duties: duties?,
    })
}

/// The tables of a list within a table.
fn parts<T>(
    reader: &mut Reader<'_, '_, '_>,
    name: &'static str,
    what: &str,
    part: impl Fn(Reader<'_, '_, '_>) -> Option<T>,
) -> Option<Vec<T>> {
    let values = reader.values(name)?;
    let owner = reader.what().to_owned();
    let mut parts = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let (source, faults) = reader.within();
        let what = format!("{what} {} of {owner}", index + 1);
        parts.push(Reader::new(source, value, what, faults).and_then(&part));
    }
    parts.into_iter().collect()
}

fn owed_rule(mut reader: Reader<'_, '_, '_>) -> Option<OwedRule> {
    let kinds = reader.list("kinds");
    let recipients = reader.list("recipients");
    let place = reader.need("where", "\"affected\"");
    let requirement = reader.need("requirement", "\"required\"");
    reader.finish()?;
    Some(OwedRule { kinds: kinds?, recipients: recipients?, place: place?, requirement: requirement? })
}

fn step(mut reader: Reader<'_, '_, '_>) -> Option<StepDocument> {
    let within = reader.need("within", "\"15m\"");
    let contact = reader.need("contact", "\"duty\"");
    let reach: Option<Option<Reach>> = reader.may("reach");
    reader.finish()?;
    Some(StepDocument { within: within?, contact: contact?, reach: reach?.unwrap_or_default() })
}

fn duty(mut reader: Reader<'_, '_, '_>) -> Option<DutyDocument> {
    let id = reader.need("id", "\"first-notice\"");
    let what = reader.need("what", "\"What is owed, for people\"");
    let stage = reader.need("stage", "\"initial\"");
    let from = reader.need("from", "\"aware\"");
    let within = reader.may("within");
    let target = reader.may("target");
    let repeat = reader.may("repeat");
    let lasting = reader.may("for");
    let kinds = reader.list("kinds");
    let channels = reader.list("channels");
    reader.finish()?;
    Some(DutyDocument {
        id: id?,
        what: what?,
        stage: stage?,
        from: from?,
        within: within?,
        target: target?,
        repeat: repeat?,
        lasting: lasting?,
        kinds: kinds?,
        channels: channels?,
    })
}

fn control_room(mut reader: Reader<'_, '_, '_>) -> Option<ControlRoom> {
    let id = reader.need("id", "\"north\"");
    let name = reader.need("name", "\"North control room\"");
    let critical_contact_number = reader.need("critical_contact_number", "\"+44 1632 960001\"");
    let areas = reader.list("areas");
    reader.finish()?;
    Some(ControlRoom {
        id: id?,
        name: name?,
        critical_contact_number: critical_contact_number?,
        areas: areas?,
    })
}

impl<'r> Read<'r, '_> {
    /// Gives each body the key that the keys' file has for it.
    pub(super) fn take_keys(&mut self, source: &'r Source<'_>, faults: &mut Vec<Fault>) {
        let mut keys = BTreeMap::new();
        for (id, value) in source.root.get_ref() {
            let (line, id) = (source.line(value), id.get_ref().as_ref());
            let Some(key) = text(value) else {
                faults.push(
                    source.fault(line, format_args!("{}: a key should be a text: \"U...\"", shown(id))),
                );
                continue;
            };
            keys.insert(id, key);
            self.keys.insert(id.to_owned(), (source.file, line));
        }
        let publishers = self.document.publishers.iter_mut().map(|entry| (entry.id.as_str(), &mut entry.key));
        let monitors = self.document.monitors.iter_mut().map(|entry| (entry.id.as_str(), &mut entry.key));
        let recipients = self.document.recipients.iter_mut().map(|entry| (entry.id.as_str(), &mut entry.key));
        let mut strangers = keys.clone();
        let services = [
            (DIRECTORY_KEY, &mut self.document.directory_key),
            (CHECKPOINT_KEY, &mut self.document.checkpoint_key),
            (CONSOLE_KEY, &mut self.document.console_key),
            (LINK_KEY, &mut self.document.link_key),
        ];
        for (id, own) in publishers.chain(monitors).chain(recipients).chain(services) {
            let Some(key) = keys.get(id) else { continue };
            strangers.remove(id);
            match own {
                Some(own) if own != key => {
                    let line = self.keys.get(id).map_or(1, |(_, line)| *line);
                    let what = format!("{id} has another key here than in the directory: keep one of them");
                    faults.push(source.fault(line, what));
                }
                _ => *own = Some((*key).to_owned()),
            }
        }
        if self.unread.any {
            return;
        }
        for id in strangers.into_keys() {
            let line = self.keys.get(id).map_or(1, |(_, line)| *line);
            let what =
                format!("{} is nobody in the directory: correct the name, or take the key out", shown(id));
            faults.push(source.fault(line, what));
        }
    }

    /// The file and line of a place in the document: as near as the file has it.
    pub(super) fn locate(&self, place: &Place) -> (&'r str, usize) {
        let origins = match place.section {
            Section::Top => &[(self.directory, None)][..],
            Section::Areas => &self.areas,
            Section::Publishers => &self.publishers,
            Section::Monitors => &self.monitors,
            Section::Exercises => &self.exercises,
            Section::Recipients => &self.recipients,
            Section::Policies => &self.policies,
        };
        let Some(&(source, entry)) = origins.get(place.index) else { return (self.directory.file, 1) };
        if let ([Step::Field(name)], None) = (&place.path[..], entry)
            && !source.root.get_ref().contains_key(name.as_str())
            && let Some(found) = self.keys.get(name).filter(|_| DirectoryDocument::is_own_key(name))
        {
            return *found;
        }
        if let ([Step::Field(name)], Some(entry)) = (&place.path[..], entry) {
            let elsewhere = entry.get_ref().as_table().is_some_and(|table| !table.contains_key("key"));
            if let Some(found) =
                id(entry).filter(|_| name == "key" && elsewhere).and_then(|id| self.keys.get(id))
            {
                return *found;
            }
        }
        let mut at = entry;
        for step in &place.path {
            let next = match (step, at.map(Spanned::get_ref)) {
                (Step::Field(name), None) => source.root.get_ref().get(name.as_str()),
                (Step::Field(name), Some(DeValue::Table(table))) => table.get(name.as_str()),
                (Step::Nth(index), Some(DeValue::Array(values))) => values.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            at = Some(next);
        }
        (source.file, at.map_or(1, |value| source.line(value)))
    }
}
