//! Who may log in.

use std::{collections::BTreeMap, fmt};

use tocsin_protocol::DirectoryDocument;

use crate::error::Error;

/// A part of the bus itself, with a key of its own that is not in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Makes the streams, and puts directories in force.
    Administrator,
    /// Writes what follows from what was said.
    Router,
    /// Sends mails, and records its attempts.
    Notifier,
    /// Reads everything and writes nothing.
    Auditor,
    /// Serves the pages: reads everything, and says acknowledgements of people at them.
    Console,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Administrator, Self::Router, Self::Notifier, Self::Auditor, Self::Console];

    /// Whether it has an account of its own, as a body has: those that speak with people or strangers. In the streams'
    /// account a user could have the broker's answers stored as facts.
    pub(crate) fn is_apart(self) -> bool {
        matches!(self, Self::Notifier | Self::Auditor | Self::Console)
    }

    /// Its name, as a user of the bus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Router => "router",
            Self::Notifier => "notifier",
            Self::Auditor => "auditor",
            Self::Console => "console",
        }
    }

    /// The service of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A body of the directory. One without a key keeps its account, in which nobody is then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) id: String,
    pub(crate) key: Option<String>,
    pub(crate) publishes: bool,
    pub(crate) receives: bool,
}

/// The bodies of a directory, by identifier: one that publishes and receives is one body. And those without a key.
pub(crate) fn bodies(document: &DirectoryDocument) -> Result<(Vec<Body>, Vec<String>), Error> {
    let mut all: BTreeMap<String, Body> = BTreeMap::new();
    let mut without = Vec::new();
    let publishers = document.publishers.iter().map(|one| (one.id.as_str(), one.key.as_ref(), true, false));
    let recipients = document.recipients.iter().map(|one| (one.id.as_str(), one.key.as_ref(), false, true));
    // A monitor reports, which any body may, and does nothing else.
    let monitors = document.monitors.iter().map(|one| (one.id.as_str(), one.key.as_ref(), false, false));
    for (id, key, publishes, receives) in publishers.chain(recipients).chain(monitors) {
        if Service::named(id).is_some() {
            return Err(Error::Reserved { id: id.to_owned() });
        }
        if key.is_none() && !without.iter().any(|known| known == id) {
            without.push(id.to_owned());
        }
        let body = all.entry(id.to_owned()).or_insert_with(|| Body {
            id: id.to_owned(),
            key: key.cloned(),
            publishes: false,
            receives: false,
        });
        // A directory that was checked gives a body one key, whatever it is.
        body.publishes |= publishes;
        body.receives |= receives;
    }
    Ok((all.into_values().collect(), without))
}
