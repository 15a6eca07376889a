//! Who there was: the names and kinds of one version of the directory, as it stood.

use std::collections::BTreeMap;

use tocsin_protocol::{Contact, DirectoryDocument, RecipientId};

/// One version of the directory, as far as a report needs it.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) time_zone: String,
    who: BTreeMap<RecipientId, Who>,
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
}

impl Register {
    pub(crate) fn of(document: &DirectoryDocument) -> Self {
        let who = document.recipients.iter().enumerate().map(|(place, recipient)| {
            let who = Who {
                place,
                name: recipient.name.clone(),
                kind: recipient.kind.clone(),
                contacts: recipient.contacts.clone(),
            };
            (recipient.id.clone(), who)
        });
        Self { name: document.name.clone(), time_zone: document.time_zone.clone(), who: who.collect() }
    }

    pub(crate) fn who(&self, id: &RecipientId) -> Option<&Who> {
        self.who.get(id)
    }
}
