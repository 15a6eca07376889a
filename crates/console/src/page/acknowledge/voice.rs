//! The key with which the console acknowledges.

use std::{path::PathBuf, time::Duration};

use tocsin_duty::Directory;
use tocsin_ledger::secret;
use tocsin_protocol::{ConsoleDoors, EventNumber, IncidentId, ReceiptMethod, RecipientId, SigningKey};

use crate::{config::Config, error::Error, model::State, session::Limit};

/// How often one link may be used to try: a person, with a slow line, who presses again.
const TRIES: (u32, Duration) = (10, Duration::from_secs(6));
/// The most links whose tries are counted at a time.
const LINKS_MAX: usize = 4096;

/// What the console acknowledges with.
pub(crate) struct Voice {
    key: Option<SigningKey>,
    /// Tries by link.
    pub(super) tries: Limit<(RecipientId, IncidentId, EventNumber)>,
}

impl Voice {
    /// Reads the key, where the configuration names one.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let read = |file: &PathBuf| {
            let unfit = |path: PathBuf, why: String| Error::File { field: "key".to_owned(), path, why };
            let seed = secret::read(file).map_err(|why| match why {
                // By its word for the file: what was given may be a seed.
                tocsin_ledger::Error::Secret { file, why } => unfit(file.into(), why),
                other => Error::Ledger(other),
            })?;
            SigningKey::from_seed(&seed).map_err(|why| unfit(file.clone(), why.to_string()))
        };
        Ok(Self {
            key: config.key.as_ref().map(read).transpose()?,
            tries: Limit::new(TRIES.0, TRIES.1, LINKS_MAX),
        })
    }

    /// The key with which to acknowledge in a recipient's name by a door, or why the console may not, and what to do
    /// instead.
    pub(crate) fn of(
        &self,
        state: &State,
        recipient: &RecipientId,
        door: ReceiptMethod,
    ) -> Result<&SigningKey, String> {
        let Some(key) = &self.key else {
            return Err(format!(
                "This console has no key to acknowledge with. {INSTEAD}; and tell whoever runs the console: [console] key."
            ));
        };
        let directory = state.fold.directory();
        let listed = directory.and_then(|directory| directory.console_key());
        if listed.is_none_or(|listed| listed.as_str() != key.public()) {
            return Err(format!(
                "The directory in force does not let this console acknowledge. {INSTEAD}; and tell whoever runs the \
                 console: its key is not the directory's console_key."
            ));
        }
        match directory.and_then(|directory| shut(directory, recipient, door)) {
            Some(why) => Err(why),
            None => Ok(key),
        }
    }
}

const INSTEAD: &str = "Acknowledge at your own desk, or by telephone";

/// Why a door is shut to the console by a recipient's entry in the directory, and what to do instead.
pub(crate) fn shut(directory: &Directory, recipient: &RecipientId, door: ReceiptMethod) -> Option<String> {
    let doors = directory.console_doors(recipient);
    if doors.opens(door) {
        return None;
    }
    Some(match doors {
        ConsoleDoors::Links => "By the directory, nobody acknowledges for your organisation by having signed in here: it lets \
            this console do so by a mail's link alone. Acknowledge at your own desk; or by the link in the mail that is sent \
            when a window has closed; or by telephone."
            .to_owned(),
        ConsoleDoors::Open | ConsoleDoors::Shut => format!(
            "By the directory, your organisation acknowledges with its own key alone, and not on this console. {INSTEAD}."
        ),
    })
}
