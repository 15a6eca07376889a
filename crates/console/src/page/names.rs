//! What those in an incident are called.

use std::sync::Arc;

use tocsin_duty::Directory;
use tocsin_protocol::{AreaId, PublisherId, Recipient, RecipientId};

use crate::model::{Incident, State};

/// The directory under which an incident's newest event was dispatched, if it is about one, and the one in force: who has
/// left the one may be in the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    then: Option<Arc<Directory>>,
    now: Option<Arc<Directory>>,
}

impl Names {
    /// Of an incident.
    pub(crate) fn of(state: &State, incident: &Incident) -> Self {
        let dispatch = incident.events.iter().rev().find_map(|said| said.dispatch.as_ref());
        let then =
            dispatch.and_then(|(_, dispatch)| state.fold.directory_version(dispatch.directory)).cloned();
        Self { then, now: state.fold.directory().cloned() }
    }

    /// Under the directory in force, of what is about no one incident.
    pub(crate) fn in_force(state: &State) -> Self {
        Self { then: None, now: state.fold.directory().cloned() }
    }

    fn each(&self) -> impl Iterator<Item = &Arc<Directory>> {
        self.then.iter().chain(&self.now)
    }

    /// The directory to ask about areas.
    pub(crate) fn directory(&self) -> Option<&Arc<Directory>> {
        self.each().next()
    }

    /// A recipient's entry.
    pub(crate) fn recipient(&self, id: &RecipientId) -> Option<&Recipient> {
        self.each().find_map(|directory| directory.recipient(id)).map(|known| &known.entry)
    }

    /// A recipient's name; its identifier where nobody knows one.
    pub(crate) fn name(&self, id: &RecipientId) -> String {
        self.recipient(id).map_or_else(|| id.to_string(), |entry| entry.name.clone())
    }

    /// A publisher's name.
    pub(crate) fn publisher(&self, id: &PublisherId) -> String {
        let known = self.each().find_map(|directory| directory.publisher(id));
        known.map_or_else(|| id.to_string(), |known| known.name.clone())
    }

    /// An area's name.
    pub(crate) fn area(&self, id: &AreaId) -> String {
        let known = self.each().find_map(|directory| directory.area(id));
        known.map_or_else(|| id.to_string(), |area| area.name.clone())
    }
}
