//! Who there was: the names and kinds of one version of the directory, as it stood.

use std::collections::BTreeMap;

use tocsin_duty::Directory;
use tocsin_protocol::{Contact, ControlRoom, DirectoryDocument, RecipientId};

/// One version of the directory, as far as a report needs it.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) time_zone: String,
    who: BTreeMap<RecipientId, Who>,
    /// The whole of it; none where it is none by the rules, and then nothing was dispatched under it.
    pub(crate) directory: Option<Directory>,
}

/// A recipient as the directory had it.
#[derive(Debug)]
pub(crate) struct Who {
    /// Its place in the directory.
    pub(crate) place: usize,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// How its roles are reached, by their words in policies.
    pub(crate) contacts: BTreeMap<String, Contact>,
    /// Where it takes calls, each with its critical contact number.
    pub(crate) control_rooms: Vec<ControlRoom>,
}

impl Register {
    pub(crate) fn of(version: u64, document: DirectoryDocument) -> Self {
        let who = document.recipients.iter().enumerate().map(|(place, recipient)| {
            let who = Who {
                place,
                name: recipient.name.clone(),
                kind: recipient.kind.clone(),
                contacts: recipient.contacts.clone(),
                control_rooms: recipient.control_rooms.clone(),
            };
            (recipient.id.clone(), who)
        });
        let who = who.collect();
        let (name, time_zone) = (document.name.clone(), document.time_zone.clone());
        Self { name, time_zone, who, directory: Directory::build(version, document).ok() }
    }

    pub(crate) fn who(&self, id: &RecipientId) -> Option<&Who> {
        self.who.get(id)
    }
}
