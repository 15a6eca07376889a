//! The rules without which a directory has no single meaning: identifiers and keys are used once, names resolve, areas
//! form a tree, windows follow each other.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_protocol::{Area, AreaId, AreaScope, AuthorKey, DirectoryDocument, PolicyDocument, RecipientId};

use super::{
    document::{CHECKPOINT_KEY, CONSOLE_KEY, DIRECTORY_KEY, LINK_KEY},
    fault::{Found, Place, Section},
    owing,
};

/// The most policies of a directory, and the most steps of a policy: every event is held against all of them.
const POLICIES_MAX: usize = 64;
const STEPS_MAX: usize = 16;

/// What a file lists and could not be read: a reference to it is no further fault.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) areas: Vec<String>,
    pub(super) recipients: Vec<String>,
    /// Whether there is anything that could not be read, so that nothing can be said of what is missing.
    pub(super) any: bool,
}

/// Finds every such fault.
pub(super) fn judge(document: &DirectoryDocument, unread: &Unread, found: &mut Vec<Found>) {
    let DirectoryDocument { areas, publishers, monitors, exercises, recipients, policies, .. } = document;
    once(Section::Areas, "area", areas.iter().map(|area| area.id.as_str()), found);
    once(Section::Publishers, "publisher", publishers.iter().map(|publisher| publisher.id.as_str()), found);
    once(Section::Monitors, "monitor", monitors.iter().map(|monitor| monitor.id.as_str()), found);
    once(Section::Exercises, "exercise", exercises.iter().map(|exercise| exercise.id.as_str()), found);
    once(Section::Recipients, "recipient", recipients.iter().map(|recipient| recipient.id.as_str()), found);
    once(Section::Policies, "policy", policies.iter().map(|policy| policy.id.as_str()), found);

    let known = Known {
        areas: areas
            .iter()
            .map(|area| area.id.as_str())
            .chain(unread.areas.iter().map(String::as_str))
            .collect(),
        recipients: recipients
            .iter()
            .map(|recipient| recipient.id.as_str())
            .chain(unread.recipients.iter().map(String::as_str))
            .collect(),
    };
    tree(areas, &known, found);
    for (index, publisher) in publishers.iter().enumerate() {
        if let AreaScope::These(own) = &publisher.areas {
            let place = Place::new(Section::Publishers, index).field("areas");
            known.areas(&format!("publisher {}", publisher.id), &place, own, found);
        }
    }
    for (index, exercise) in exercises.iter().enumerate() {
        let place = Place::new(Section::Exercises, index);
        let who = format!("exercise {}", exercise.id);
        known.areas(&who, &place.clone().field("areas"), &exercise.areas, found);
        if !unread.any && !publishers.iter().any(|known| known.id == exercise.publisher) {
            found.push(place.field("publisher").error(format!(
                "{who} names publisher {}, who is not in the directory: name one of its publishers",
                exercise.publisher
            )));
        }
    }
    for (index, monitor) in monitors.iter().enumerate() {
        if let AreaScope::These(own) = &monitor.areas {
            let place = Place::new(Section::Monitors, index).field("areas");
            known.areas(&format!("monitor {}", monitor.id), &place, own, found);
        }
        // Its reports stand under its name, as those of a publisher or recipient of the same name would.
        let id = monitor.id.as_str();
        if publishers.iter().any(|known| known.id.as_str() == id)
            || recipients.iter().any(|known| known.id.as_str() == id)
        {
            found.push(Place::new(Section::Monitors, index).field("id").error(format!(
                "monitor {id} has the name of a publisher or recipient, who reports under it: give it another"
            )));
        }
    }
    for (index, recipient) in recipients.iter().enumerate() {
        let place = Place::new(Section::Recipients, index);
        known.areas(
            &format!("recipient {}", recipient.id),
            &place.clone().field("areas"),
            &recipient.areas,
            found,
        );
        for (number, room) in recipient.control_rooms.iter().enumerate() {
            known.areas(
                &format!("control room {} of recipient {}", room.id, recipient.id),
                &place.clone().field("control_rooms").nth(number).field("areas"),
                &room.areas,
                found,
            );
        }
        owing::stands_in(recipient, &place, |id| known.recipients.contains(id.as_str()), found);
        neighbours(&recipient.id, &place.field("neighbours"), &recipient.neighbours, &known, found);
    }
    keys(document, found);
    if policies.len() > POLICIES_MAX {
        found.push(Place::new(Section::Policies, POLICIES_MAX).error(format!(
            "there are {} policies and may be {POLICIES_MAX}: put rules with one basis into one policy",
            policies.len()
        )));
    }
    for (index, policy) in policies.iter().enumerate() {
        rules(policy, &Place::new(Section::Policies, index), &known, found);
        windows(policy, &Place::new(Section::Policies, index), found);
        owing::structure(policy, &Place::new(Section::Policies, index), found);
    }
}

/// The identifiers that there are.
struct Known<'a> {
    areas: BTreeSet<&'a str>,
    recipients: BTreeSet<&'a str>,
}

impl Known<'_> {
    fn areas(&self, who: &str, place: &Place, named: &[AreaId], found: &mut Vec<Found>) {
        for (nth, area) in named.iter().enumerate() {
            if !self.areas.contains(area.as_str()) {
                found.push(place.clone().nth(nth).error(format!(
                    "{who} names area {area}, which is not listed: correct the name, or add the area under [[areas]]"
                )));
            }
        }
    }
}

fn once<'a>(section: Section, what: &str, ids: impl Iterator<Item = &'a str>, found: &mut Vec<Found>) {
    let mut seen = BTreeSet::new();
    for (index, id) in ids.enumerate() {
        if !seen.insert(id) {
            found.push(Place::new(section, index).field("id").error(format!(
                "{what} {id} is listed a second time: give this one another id, or remove one"
            )));
        }
    }
}

/// Parents exist, and no area is within itself.
fn tree(areas: &[Area], known: &Known, found: &mut Vec<Found>) {
    let places: BTreeMap<_, _> = areas.iter().enumerate().map(|(index, area)| (&area.id, index)).collect();
    let mut parents = vec![None; areas.len()];
    for (index, area) in areas.iter().enumerate() {
        let Some(parent) = &area.within else { continue };
        parents[index] = places.get(parent).copied();
        if !known.areas.contains(parent.as_str()) {
            found.push(Place::new(Section::Areas, index).field("within").error(format!(
                "area {} is within {parent}, which is not listed: correct the name, or add the area",
                area.id
            )));
        }
    }
    // Each area is walked once. To come upon the walk that is under way is to have gone in a circle.
    let mut walked = vec![None; areas.len()];
    for start in 0..areas.len() {
        let mut at = Some(start);
        while let Some(index) = at.filter(|index| walked[*index].is_none()) {
            walked[index] = Some(start);
            at = parents[index];
        }
        if let Some(index) = at.filter(|index| walked[*index] == Some(start)) {
            found.push(Place::new(Section::Areas, index).field("within").error(format!(
                "area {} is within itself ({}): let one of them be within another area, or none",
                areas[index].id,
                circle(areas, &parents, index)
            )));
        }
    }
}

fn circle(areas: &[Area], parents: &[Option<usize>], start: usize) -> String {
    const SHOWN: usize = 6;
    let mut names = vec![areas[start].id.as_str()];
    let mut at = parents[start];
    while let Some(index) = at {
        if names.len() == SHOWN && index != start {
            names.push("...");
            break;
        }
        names.push(areas[index].id.as_str());
        if index == start {
            break;
        }
        at = parents[index];
    }
    names.join(" within ")
}

fn neighbours(id: &RecipientId, place: &Place, named: &[RecipientId], known: &Known, found: &mut Vec<Found>) {
    let mut seen = BTreeSet::new();
    for (nth, neighbour) in named.iter().enumerate() {
        let place = place.clone().nth(nth);
        if neighbour == id {
            found.push(place.error(format!("recipient {id} names itself as a neighbour: take it out")));
        } else if !seen.insert(neighbour) {
            found
                .push(place.error(format!("recipient {id} names neighbour {neighbour} twice: take one out")));
        } else if !known.recipients.contains(neighbour.as_str()) {
            found.push(place.error(format!(
                "recipient {id} names neighbour {neighbour}, which is not listed: correct the name, or add the recipient"
            )));
        }
    }
}

/// Keys are NKeys, and each is one body's. A body that publishes and is told may use one key for both.
fn keys(document: &DirectoryDocument, found: &mut Vec<Found>) {
    let publishers = document.publishers.iter().enumerate().map(|(index, publisher)| {
        (Section::Publishers, index, publisher.id.as_str(), publisher.key.as_deref())
    });
    let monitors = document
        .monitors
        .iter()
        .enumerate()
        .map(|(index, monitor)| (Section::Monitors, index, monitor.id.as_str(), monitor.key.as_deref()));
    let recipients = document.recipients.iter().enumerate().map(|(index, recipient)| {
        (Section::Recipients, index, recipient.id.as_str(), recipient.key.as_deref())
    });
    let services = [
        (Section::Top, 0, DIRECTORY_KEY, document.directory_key.as_deref()),
        (Section::Top, 0, CHECKPOINT_KEY, document.checkpoint_key.as_deref()),
        (Section::Top, 0, CONSOLE_KEY, document.console_key.as_deref()),
        (Section::Top, 0, LINK_KEY, document.link_key.as_deref()),
    ];
    let mut holders = BTreeMap::new();
    for (section, index, id, key) in publishers.chain(monitors).chain(recipients).chain(services) {
        let Some(key) = key else { continue };
        let field = if section == Section::Top { id } else { "key" };
        let place = Place::new(section, index).field(field);
        let make = match section {
            Section::Top if id == DIRECTORY_KEY => id,
            Section::Top => "--directory FILE --out keys",
            _ => id,
        };
        if let Err(why) = AuthorKey::new(key) {
            found.push(place.error(format!("{id}: {why}: make one with `tocsin keys new {make}`")));
        } else if let Some(holder) = holders.insert(key, id).filter(|holder| *holder != id) {
            found.push(place.error(format!(
                "{id} has the key of {holder}: each needs its own, so make one with `tocsin keys new {make}`"
            )));
        }
    }
}

fn rules(policy: &PolicyDocument, place: &Place, known: &Known, found: &mut Vec<Found>) {
    for (number, rule) in policy.owed.iter().enumerate() {
        for (nth, id) in rule.recipients.iter().enumerate() {
            if !known.recipients.contains(id.as_str()) {
                found.push(place.clone().field("owed").nth(number).field("recipients").nth(nth).error(format!(
                    "policy {} names recipient {id}, which is not listed: correct the name, or add the recipient",
                    policy.id
                )));
            }
        }
    }
}

fn windows(policy: &PolicyDocument, place: &Place, found: &mut Vec<Found>) {
    if policy.steps.len() > STEPS_MAX {
        found.push(place.clone().field("steps").nth(STEPS_MAX).error(format!(
            "policy {} has {} steps and may have {STEPS_MAX}: whoever is silent after so many is not reached by a letter",
            policy.id,
            policy.steps.len()
        )));
    }
    for (number, pair) in policy.steps.windows(2).enumerate() {
        let [before, step] = pair else { continue };
        if step.within <= before.within {
            found.push(place.clone().field("steps").nth(number + 1).field("within").error(format!(
                "window closes before it opens: step {} of policy {} is {:#}, step {} is {:#}: let each step be longer \
                 than the one before it",
                number + 2,
                policy.id,
                step.within.0,
                number + 1,
                before.within.0
            )));
        }
    }
}
