//! Who plays what.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_audit::Report;
use tocsin_protocol::{AreaId, DirectoryDocument, RecipientId, Requirement};

use super::{
    Options,
    day::HAPPENINGS,
    people::{Answer, Behaviour, draw},
    world::World,
};
use crate::error::Error;

/// Who plays what.
pub(crate) struct Cast {
    /// Those who must acknowledge, and what they do.
    pub(crate) people: BTreeMap<RecipientId, Behaviour>,
    /// The territorial forces, which share the country out among themselves.
    pub(crate) forces: BTreeSet<RecipientId>,
    /// How many are told.
    pub(crate) recipients: usize,
    /// How many of them must not acknowledge.
    pub(crate) informed: usize,
}

impl Cast {
    /// Draws the lots.
    ///
    /// # Errors
    /// When the directory lacks what the drill is about.
    pub(crate) fn of(world: &World, options: &Options) -> Result<Self, Error> {
        let required = required(&world.document)?;
        let asking = HAPPENINGS.iter().filter(|happening| happening.asks).count();
        let forces =
            world.document.recipients.iter().filter(|recipient| recipient.kind == "police-territorial");
        Ok(Self {
            forces: forces.map(|recipient| recipient.id.clone()).collect(),
            recipients: world.document.recipients.len(),
            informed: world.document.recipients.len() - required.len(),
            people: draw(&required, asking, options.seed),
        })
    }

    /// Who never answers.
    pub(crate) fn never(&self) -> BTreeSet<RecipientId> {
        let never = self.people.iter().filter(|(_, behaviour)| behaviour.answers.contains(&Answer::Never));
        never.map(|(id, _)| id.clone()).collect()
    }

    /// The agency that a visitor may speak for, by identifier and name: one of those who never answer by themselves.
    ///
    /// # Errors
    /// When everybody answers.
    pub(crate) fn agency(&self, document: &DirectoryDocument) -> Result<(RecipientId, String), Error> {
        let never = self.never();
        let agency = document.recipients.iter().find(|recipient| never.contains(&recipient.id));
        agency
            .map(|recipient| (recipient.id.clone(), recipient.name.clone()))
            .ok_or_else(|| Error::told("nobody was drawn to stay silent: use another --seed"))
    }

    /// How many were to answer in time and were late all the same: the machine's doing, not theirs.
    pub(crate) fn overtaken(&self, report: &Report) -> usize {
        let asking = report.events.iter().filter(|event| event.acknowledge);
        asking
            .enumerate()
            .flat_map(|(nth, event)| event.recipients.iter().map(move |row| (nth, row)))
            .filter(|(nth, row)| {
                let answer = self.people.get(&row.id).and_then(|behaviour| behaviour.answers.get(*nth));
                matches!(answer, Some(Answer::After(_))) && row.in_time == Some(false)
            })
            .count()
    }
}

/// Those whom the policy requires to acknowledge a failure of the whole country: identifier and kind.
fn required(document: &DirectoryDocument) -> Result<Vec<(RecipientId, String)>, Error> {
    let directory = tocsin_duty::Directory::build(1, document.clone())
        .map_err(|_| Error::told("the directory cannot be used: run `tocsin directory check` on it"))?;
    let uk = AreaId::new("uk").map_err(|why| Error::part("name the area", why))?;
    let policy = directory
        .policies()
        .iter()
        .find(|policy| policy.id.as_str() == "uk-999")
        .ok_or_else(|| Error::told("the directory has no policy uk-999: the drill is about that one"))?;
    let owed = directory.owed(policy, &[uk], &[]);
    Ok(owed
        .into_iter()
        .filter(|(_, requirement)| *requirement == Requirement::Required)
        .map(|(recipient, _)| (recipient.id.clone(), recipient.kind.clone()))
        .collect())
}
