//! The fold as bytes, and back: so that a start need not read what was folded before.
//!
//! Every field of the state goes in by derivation, so that none is forgotten; here is what JSON needs help with, and what
//! a state that was read back has to be told anew. Whether such bytes may be believed is not decided here.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tocsin_protocol::{
    AuthorKey, DirectoryDocument, Dispatch, Entry, Error, EventNumber, IncidentId, RecipientId, Signed,
    Snapshot, Subject, Timestamp, from_body, to_body,
};

use super::{Fold, Trust, incident::voice};
use crate::directory::Directory;

/// The number of the state's form. It goes up whenever a change of the fold could make another state, or other bytes, of
/// the same entries: `crates/audit/tests/kept/form.rs` sees that it does.
const FORM: u32 = 4;

impl Fold {
    /// Whose bytes can be read here: those of the same form of the state, of the same version of the program, and of one
    /// that remembers signatures by the same hash, which a compiler may change.
    pub fn form() -> String {
        let known = Signed { key: String::new(), signature: "tocsin".to_owned() };
        format!("tocsin-fold {FORM}, version {}, hash {:016x}", env!("CARGO_PKG_VERSION"), voice(&known))
    }

    /// The whole state as bytes, for [`Self::restored`].
    ///
    /// # Errors
    /// When something in it has no form as bytes, which nothing that was folded lacks.
    pub fn snapshot(&self) -> Result<Bytes, Error> {
        to_body("snapshot", self)
    }

    /// The state that [`Self::snapshot`] was of, in a program of the same [`Self::form`]. What may be taken as judged is
    /// told anew, as it may be more by now.
    ///
    /// # Errors
    /// When the bytes are none of it.
    pub fn restored(bytes: &[u8], trust: Trust) -> Result<Self, Error> {
        let mut fold: Self = from_body("snapshot", bytes)?;
        fold.trust = trust;
        fold.share();
        Ok(fold)
    }

    /// The same, of bytes that a snapshot tells of: which must be of the entries that it says, and have in force what these
    /// directories of the log put in force. So nobody puts one in force by a snapshot, not even with the key that signs it.
    ///
    /// # Errors
    /// As [`Self::restored`], or that they are of others.
    pub fn begun(
        snapshot: &Snapshot,
        bytes: &[u8],
        directories: &[Entry],
        trust: Trust,
    ) -> Result<Self, Error> {
        let fold = Self::restored(bytes, trust)?;
        let other = |why: &str| Err(Error::Body { what: "snapshot", why: why.to_owned() });
        if (fold.said_through, fold.log_through) != (snapshot.said.through, snapshot.log.through) {
            return other("it is of other entries than its head says");
        }
        let through = snapshot.log.through;
        if fold.directories == Self::of_directories(directories.iter().filter(|e| e.sequence <= through)) {
            Ok(fold)
        } else {
            other("it has other directories in force than the log has put in force")
        }
    }

    /// The key with which the directory that these of the log put in force lets checkpoints, and snapshots, be signed.
    pub fn checkpoint_key_by(directories: &[Entry]) -> Option<AuthorKey> {
        Self::of_directories(directories).last()?.1.checkpoint_key().cloned()
    }

    fn of_directories<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<(Timestamp, Arc<Directory>)> {
        let mut fold = Self::new();
        for entry in entries {
            fold.apply(entry);
        }
        fold.directories
    }

    /// Has the same names and events stand in memory once, as they did.
    fn share(&mut self) {
        let newest = self.directories.last().map(|(_, directory)| Arc::clone(directory));
        for incident in self.incidents.values_mut() {
            incident.share(newest.as_deref());
            for event in &mut incident.events {
                let Some(dispatch) = event.dispatch.as_mut().and_then(Arc::get_mut) else { continue };
                let version = dispatch.directory;
                let mut newest_first = self.directories.iter().rev().map(|(_, directory)| &**directory);
                share_names(dispatch, newest_first.find(|directory| directory.version() == version));
            }
        }
    }
}

/// The recipients of a dispatch by the very names of a directory: there are as many of them as duties.
pub(super) fn share_names(dispatch: &mut Dispatch, directory: Option<&Directory>) {
    let Some(directory) = directory else { return };
    for recipient in dispatch.owed.iter_mut().flat_map(|owed| &mut owed.recipients) {
        *recipient = shared(recipient, directory);
    }
}

/// A recipient by the very name of a directory, where that lists it.
pub(super) fn shared(recipient: &RecipientId, directory: &Directory) -> RecipientId {
    directory.recipient(recipient).map_or(recipient, |known| &known.entry.id).clone()
}

/// A receipt as a row, of which a long record holds millions: the event, whether it is an acknowledgement and not a
/// delivery, when by the nanosecond, and in which voice.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Row(pub(super) EventNumber, pub(super) bool, pub(super) i128, pub(super) u64);

/// A map whose keys are no texts, as a list of pairs.
pub(crate) mod pairs {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<'m, M, K, V, S>(map: &'m M, serializer: S) -> Result<S::Ok, S::Error>
    where
        &'m M: IntoIterator<Item = (&'m K, &'m V)>,
        K: Serialize + 'm,
        V: Serialize + 'm,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, M, K, V, D>(deserializer: D) -> Result<M, D::Error>
    where
        M: FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// What is shared in memory, written wherever it stands.
pub(super) mod held {
    use super::{Arc, Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<T: Serialize, S: Serializer>(
        held: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        T::serialize(held, serializer)
    }

    pub(in super::super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

/// The same, where it may be absent.
pub(super) mod maybe_held {
    use super::{Arc, Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde asks for it so")]
    pub(in super::super) fn serialize<T: Serialize, S: Serializer>(
        held: &Option<Arc<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        held.as_deref().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<T>>, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map(Arc::new))
    }
}

/// Dispatches whose event is still to come: each tells itself whose it is.
pub(super) mod early {
    use super::{Arc, Deserialize, Deserializer, Dispatch, EventNumber, HashMap, IncidentId, Serializer};

    type Early = HashMap<(IncidentId, EventNumber), Arc<Dispatch>>;

    pub(in super::super) fn serialize<S: Serializer>(
        early: &Early,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(early.values().map(|dispatch| &**dispatch))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Early, D::Error> {
        let all = Vec::<Dispatch>::deserialize(deserializer)?.into_iter();
        Ok(all.map(|one| ((one.incident.clone(), one.event), Arc::new(one))).collect())
    }
}

/// A set of subjects, as texts.
pub(super) mod subjects {
    use std::collections::BTreeSet;

    use super::{Deserialize, Deserializer, Serializer, Subject, subject};

    pub(in super::super) fn serialize<S: Serializer>(
        set: &BTreeSet<Subject>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(set.iter().map(ToString::to_string))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<Subject>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| subject(text)).collect()
    }
}

/// A map by subject, as pairs of a text and what stands by it.
pub(super) mod by_subject {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, Serialize, Serializer, Subject, subject};

    pub(in super::super) fn serialize<V: Serialize, S: Serializer>(
        map: &BTreeMap<Subject, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|(subject, value)| (subject.to_string(), value)))
    }

    pub(in super::super) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Subject, V>, D::Error> {
        let pairs = Vec::<(String, V)>::deserialize(deserializer)?;
        pairs.into_iter().map(|(text, value)| Ok((subject(&text)?, value))).collect()
    }
}

fn subject<E: serde::de::Error>(text: &str) -> Result<Subject, E> {
    text.parse().map_err(E::custom)
}

/// The exact bytes of a body, which is JSON and so is text.
pub(super) mod text {
    use super::{Bytes, Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(body).map_err(serde::ser::Error::custom)?)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer).map(Bytes::from)
    }
}

/// Who has which place in an incident, by their places.
pub(super) mod roster {
    use super::{Deserialize, Deserializer, HashMap, RecipientId, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        roster: &HashMap<RecipientId, u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut names: Vec<_> = roster.iter().collect();
        names.sort_by_key(|(_, place)| **place);
        serializer.collect_seq(names.into_iter().map(|(name, _)| name))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<RecipientId, u32>, D::Error> {
        Ok(Vec::<RecipientId>::deserialize(deserializer)?.into_iter().zip(0..).collect())
    }
}

/// The directories as the log holds them: what is looked up in them is made anew.
pub(super) mod directories {
    use super::{
        Arc, Deserialize, Deserializer, Directory, DirectoryDocument, Serialize, Serializer, Timestamp,
    };

    #[derive(Serialize)]
    struct Written<'d>(Timestamp, u64, &'d DirectoryDocument);

    #[derive(Deserialize)]
    struct Read(Timestamp, u64, DirectoryDocument);

    pub(in super::super) fn serialize<S: Serializer>(
        directories: &[(Timestamp, Arc<Directory>)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            directories
                .iter()
                .map(|(from, directory)| Written(*from, directory.version(), directory.document())),
        )
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(Timestamp, Arc<Directory>)>, D::Error> {
        let build = |Read(from, version, document)| match Directory::build(version, document) {
            Ok(directory) => Ok((from, Arc::new(directory))),
            Err(_) => Err(serde::de::Error::custom(format_args!("directory {version} is none"))),
        };
        Vec::<Read>::deserialize(deserializer)?.into_iter().map(build).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_state_are_refused_and_harm_nothing() {
        let whole = Fold::new().snapshot().unwrap();
        assert_eq!(Fold::restored(&whole, Trust::default()).unwrap(), Fold::new());
        for cut in 0..whole.len() {
            assert!(Fold::restored(&whole[..cut], Trust::default()).is_err());
        }
        let other = String::from_utf8(whole.to_vec()).unwrap().replace("incidents", "incident");
        assert!(Fold::restored(other.as_bytes(), Trust::default()).is_err());
    }
}
