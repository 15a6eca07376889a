//! Making a bundle from entries that are at hand.

use std::collections::{BTreeMap, BTreeSet};

use tocsin_duty::Fold;
use tocsin_protocol::{
    AuthorKey, Checkpoint, Entry, IncidentId, Receipt, Refusal, SignedCheckpoint, Stream, Subject, from_body,
    leaf, tree::Tree,
};

use super::{Bundle, Link, Proven, checkpoint, merged};
use crate::{error::Error, evidence::named};

impl Bundle {
    /// Makes a bundle of one incident, or of everything, from all entries of both streams.
    ///
    /// A bundle of one incident holds its entries, what was refused of it, every directory, and the checkpoints from the
    /// oldest that a receipt of it repeats, or that covers its first entry, to the newest.
    ///
    /// # Errors
    /// [`Error::UnknownIncident`] when there is no entry of it.
    pub fn of(entries: &[Entry], incident: Option<&IncidentId>) -> Result<Self, Error> {
        let [said, log] = [Stream::Said, Stream::Log].map(|stream| {
            let mut of_stream: Vec<_> = entries.iter().filter(|entry| entry.stream == stream).collect();
            of_stream.sort_by_key(|entry| entry.sequence);
            of_stream
        });
        let counted = said.len() as u64;
        let entries = merged(said, log, |entry| *entry);
        let mut trees = [Tree::new(), Tree::new()];
        let mut leaves = Vec::with_capacity(entries.len());
        for &entry in &entries {
            let Some(hash) = leaf(entry) else { continue };
            let tree = &mut trees[place(entry.stream)];
            leaves.push((entry, tree.size()));
            tree.push(hash);
        }
        let checkpoints = stated(&entries, &trees);
        let newest = checkpoints.iter().max_by_key(|checkpoint| checkpoint.number()).copied();
        let wanted = match incident {
            None => None,
            Some(incident) => Some(
                Wanted::of(&leaves, incident)
                    .ok_or_else(|| Error::UnknownIncident { incident: incident.clone(), said: counted })?,
            ),
        };
        let proven = leaves.iter().filter(|(entry, _)| wanted.as_ref().is_none_or(|w| w.takes(entry))).map(
            |(entry, leaf)| {
                let size = newest.map_or(0, |newest| newest.head(entry.stream).size);
                let proof = trees[place(entry.stream)].inclusion(*leaf, size);
                Proven { entry: (*entry).clone(), leaf: *leaf, proof }
            },
        );
        let since = wanted.as_ref().map_or(0, |wanted| wanted.since);
        Ok(Self {
            incident: incident.cloned(),
            newest: newest.map(|newest| newest.number()),
            entries: proven.collect(),
            links: links(&checkpoints, since, &trees),
            unreadable: Vec::new(),
        })
    }
}

fn place(stream: Stream) -> usize {
    match stream {
        Stream::Said => 0,
        Stream::Log => 1,
    }
}

/// The checkpoints that are signed with a key of any directory, of trees that are there. What they state is not held
/// against those trees: whoever verifies is to see where it differs.
fn stated(entries: &[&Entry], trees: &[Tree; 2]) -> Vec<Checkpoint> {
    let keys: Vec<AuthorKey> = keys(entries.iter().copied());
    let there = |checkpoint: &Checkpoint| {
        [Stream::Said, Stream::Log]
            .iter()
            .all(|stream| checkpoint.head(*stream).size <= trees[place(*stream)].size())
    };
    let signed = |read: &SignedCheckpoint| keys.iter().any(|key| read.verify(key).is_ok());
    entries
        .iter()
        .filter_map(|entry| checkpoint(entry))
        .filter(signed)
        .map(|read| read.checkpoint)
        .filter(there)
        .collect()
}

/// The keys with which the directories that were in force let checkpoints be signed.
pub(crate) fn keys<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<AuthorKey> {
    let (mut keys, mut fold) = (BTreeMap::new(), Fold::new());
    for entry in entries.filter(|entry| entry.stream == Stream::Log) {
        let Ok(Subject::Directory { .. }) = entry.subject.parse() else { continue };
        fold.apply(entry);
        if let Some(key) = fold.directory().and_then(|directory| directory.checkpoint_key()) {
            keys.insert(key.as_str().to_owned(), key.clone());
        }
    }
    keys.into_values().collect()
}

/// The proofs that lead from each checkpoint's tree to the next larger one of the same stream.
fn links(checkpoints: &[Checkpoint], since: u64, trees: &[Tree; 2]) -> Vec<Link> {
    let mut links = Vec::new();
    for stream in [Stream::Said, Stream::Log] {
        let wanted = checkpoints.iter().filter(|checkpoint| checkpoint.number() >= since);
        let sizes: BTreeSet<u64> = wanted.map(|checkpoint| checkpoint.head(stream).size).collect();
        for (from, to) in sizes.iter().zip(sizes.iter().skip(1)) {
            if let Some(proof) = trees[place(stream)].consistency(*from, *to) {
                links.push(Link { stream, from: *from, to: *to, proof });
            }
        }
    }
    links
}

/// What belongs to one incident.
struct Wanted<'i> {
    incident: &'i IncidentId,
    /// The sequences of `TOCSIN_SAID` that are of it.
    said: BTreeSet<u64>,
    /// The number of the first checkpoint that is needed.
    since: u64,
}

impl<'i> Wanted<'i> {
    fn of(leaves: &[(&Entry, u64)], incident: &'i IncidentId) -> Option<Self> {
        let mut wanted = Self { incident, said: BTreeSet::new(), since: u64::MAX };
        let mut any = false;
        for (entry, leaf) in leaves {
            match entry.stream {
                Stream::Said if named(&entry.subject).as_ref() == Some(incident) => {
                    wanted.said.insert(entry.sequence);
                    let receipt = from_body::<Receipt>("receipt", &entry.body).ok();
                    let note = receipt.and_then(|receipt| receipt.checkpoint);
                    if let Some(Ok(read)) = note.map(|note| SignedCheckpoint::read(note.as_bytes())) {
                        wanted.since = wanted.since.min(read.checkpoint.number());
                    }
                }
                Stream::Log if wanted.takes(entry) && is_of(entry, incident) => {
                    wanted.since = wanted.since.min(leaf + 1);
                }
                _ => continue,
            }
            any = true;
        }
        any.then_some(wanted)
    }

    fn takes(&self, entry: &Entry) -> bool {
        if entry.stream == Stream::Said {
            return self.said.contains(&entry.sequence);
        }
        match entry.subject.parse::<Subject>() {
            Ok(Subject::Directory { .. }) => true,
            Ok(Subject::Checkpoint { number }) => number >= self.since,
            Ok(Subject::Refusal { said, .. }) => {
                let refusal = from_body::<Refusal>("refusal", &entry.body).ok();
                self.said.contains(&said)
                    || refusal.and_then(|refusal| named(&refusal.subject)).as_ref() == Some(self.incident)
            }
            Ok(_) => is_of(entry, self.incident),
            Err(_) => false,
        }
    }
}

fn is_of(entry: &Entry, incident: &IncidentId) -> bool {
    entry.subject.parse::<Subject>().is_ok_and(|subject| subject.incident() == Some(incident))
}
