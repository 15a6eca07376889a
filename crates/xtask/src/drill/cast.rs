//! Who plays what.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_audit::Report;
use tocsin_protocol::{Contact, DirectoryDocument, EventNumber, RecipientId, Requirement};
use tocsin_scenario::{Does, Fate};

use super::{
    day::{Day, Populations},
    people::{Answer, Behaviour, Draw, draw},
};
use crate::error::Error;

/// The kind of those who share the country out among themselves, one area each.
const FORCE: &str = "police-territorial";

/// Who plays what.
pub(crate) struct Cast {
    /// Those who must acknowledge, and what they do.
    pub(crate) people: BTreeMap<RecipientId, Behaviour>,
    /// How many are told anything.
    pub(crate) owed: usize,
    /// How many of them must acknowledge.
    pub(crate) required: usize,
}

impl Cast {
    /// Draws the lots.
    pub(crate) fn of(day: &Day, document: &DirectoryDocument, seed: u64) -> Self {
        let owed = day.course.owed();
        let required = owed.values().filter(|one| **one == Requirement::Required).count();
        Self { people: draw(&Draw { day, document }, seed), owed: owed.len(), required }
    }

    /// Whether anybody is silent at first, or for ever.
    pub(crate) fn silence(&self) -> bool {
        let answers = self.people.values().flat_map(|behaviour| behaviour.answers.values());
        answers.into_iter().any(|answer| !matches!(answer, Answer::After(_)))
    }

    /// Who never answers.
    pub(crate) fn never(&self) -> BTreeSet<RecipientId> {
        let never = |behaviour: &Behaviour| behaviour.answers.values().all(|answer| *answer == Answer::Never);
        self.people.iter().filter(|(_, behaviour)| never(behaviour)).map(|(id, _)| id.clone()).collect()
    }

    /// The agency that a visitor may speak for, with what becomes of it: one that never answers by itself, else one that
    /// is silent until it is written to, else any that does not publish.
    ///
    /// # Errors
    /// When nobody must answer.
    pub(crate) fn agency(
        &self,
        day: &Day,
        document: &DirectoryDocument,
    ) -> Result<(RecipientId, String), Error> {
        let silence = |behaviour: &Behaviour| -> u32 {
            let answers = behaviour.answers.values();
            answers
                .map(|answer| match answer {
                    Answer::Never => 2,
                    Answer::AfterMail(..) => 1,
                    Answer::After(_) => 0,
                })
                .sum()
        };
        // Of equals the first in the directory: the last of equals is what is taken.
        let publisher = day.scenario.publisher.as_str();
        let listed = document.recipients.iter().rev().filter(|recipient| recipient.id.as_str() != publisher);
        let agency = listed
            .filter_map(|recipient| Some((silence(self.people.get(&recipient.id)?), recipient)))
            .max_by_key(|(silence, _)| *silence);
        agency
            .map(|(silence, recipient)| {
                let answers = match silence {
                    0 => "answers by itself, where you are not quicker",
                    1 => "is silent until it is written to, unless you acknowledge",
                    _ => "nobody there answers unless you acknowledge",
                };
                (recipient.id.clone(), format!("{}: {answers}", recipient.name))
            })
            .ok_or_else(|| Error::told("nobody must acknowledge anything of this scenario"))
    }

    /// Who was to answer an event in time and was late all the same: the machine's doing, not theirs.
    pub(crate) fn overtaken(&self, report: &Report) -> BTreeSet<(RecipientId, EventNumber)> {
        let rows = report.events.iter().flat_map(|event| &event.recipients);
        rows.filter(|row| {
            let answer = self.people.get(&row.id).and_then(|behaviour| behaviour.answers.get(&row.event));
            matches!(answer, Some(Answer::After(_))) && row.in_time == Some(false)
        })
        .map(|row| (row.id.clone(), row.event))
        .collect()
    }
}

/// The calls lost, where an event splits them over areas by population, and the forces that serve those areas, one each.
/// None where they do not share them so: then each is told what duty says, and the whole cannot be added up.
pub(crate) fn shares(
    day: &Day,
    document: &DirectoryDocument,
    populations: &Populations,
) -> Option<(u64, BTreeSet<RecipientId>)> {
    let split = day.scenario.events.iter().rev().find(|happening| happening.split)?;
    let lost = split.event.impact.as_ref()?.calls_unsuccessful?;
    let owed = day.course.dispatch(split.event.sequence)?.recipients();
    let forces: Vec<_> =
        document.recipients.iter().filter(|one| one.kind == FORCE && owed.contains_key(&one.id)).collect();
    let mut areas = populations.of(&split.event.areas).into_keys();
    let once = |area| forces.iter().filter(|force| force.areas.contains(&area)).count() == 1;
    areas.all(once).then(|| (lost, forces.iter().map(|one| one.id.clone()).collect()))
}

/// The addresses of the mailboxes with this fate.
pub(crate) fn mailboxes(day: &Day, document: &DirectoryDocument, fate: Fate) -> Vec<String> {
    let all = day.scenario.mailboxes.iter().filter(|dead| dead.fate == fate);
    all.filter_map(|dead| Some(contact(document, &dead.recipient, &dead.contact)?.email.clone())).collect()
}

/// The address of a mail that is worth a look: one to somebody who was named to be silent.
pub(crate) fn worth_a_look(day: &Day, document: &DirectoryDocument) -> Option<String> {
    let written_to = day.scenario.people.iter().find_map(|part| match &part.does {
        Does::AnswersMail(word) => contact(document, part.recipients.first()?, word),
        _ => None,
    });
    written_to.map(|contact| contact.email.clone())
}

fn contact<'d>(document: &'d DirectoryDocument, id: &RecipientId, word: &str) -> Option<&'d Contact> {
    document.recipients.iter().find(|recipient| recipient.id == *id)?.contacts.get(word)
}
