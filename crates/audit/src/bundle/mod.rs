//! A bundle: entries of both streams in one file, with what proves that they stand in the log and that the log was
//! never rewritten. It is made on the bus and verified anywhere: see [`verify`](crate::verify).
//!
//! The file is JSON Lines; `schemas/bundle-line.schema.json` describes a line. The first is the heading. Then come the
//! entries in the one order of both streams, each with its place among the leaves of its stream's tree and the proof
//! that it is in the tree that the newest checkpoint states; and proofs that the tree of each checkpoint begins with
//! that of the one before. Checkpoints, directories and receipts are entries like all others. Windows are left out:
//! they are no leaves, and the `due` of each is.

mod line;
mod make;
mod read;

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use tocsin_protocol::{
    Checkpoint, Entry, IncidentId, SignedCheckpoint, Stream, Subject, is_window, tree::Hash,
};

use line::Line;
pub(crate) use make::keys;

/// The version of the file's form.
pub const BUNDLE_VERSION: u32 = 1;

/// The longest line, in bytes: the largest message that the bus takes, in base64, and its proof.
pub const LINE_MAX: usize = 16 * 1024 * 1024;

/// The largest file that is read, in bytes.
pub const FILE_MAX: u64 = 1024 * 1024 * 1024;

/// Entries, and what proves that they stand in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// The incident that it is of; none for everything that both streams hold.
    pub incident: Option<IncidentId>,
    /// The number of the checkpoint that the proofs of inclusion are held against; none where there was none.
    pub newest: Option<u64>,
    /// The entries, in the order of the file.
    pub entries: Vec<Proven>,
    /// That later trees begin with earlier ones.
    pub links: Vec<Link>,
    /// Lines that cannot be read, with their number and why.
    pub unreadable: Vec<(usize, String)>,
}

/// An entry, with what proves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The entry.
    pub entry: Entry,
    /// Its place among the leaves of its stream's tree.
    pub leaf: u64,
    /// The proof that it is in the tree that the newest checkpoint states; none where it is newer.
    pub proof: Option<Vec<Hash>>,
}

/// That the later tree of a stream begins with the earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Of which stream.
    pub stream: Stream,
    /// The size of the earlier tree.
    pub from: u64,
    /// The size of the later.
    pub to: u64,
    /// The proof.
    pub proof: Vec<Hash>,
}

impl Bundle {
    /// Writes the file.
    ///
    /// # Errors
    /// As `to` has it.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut put = |line: Line| {
            serde_json::to_writer(&mut to, &line)?;
            to.write_all(b"\n")
        };
        put(Line::heading(self))?;
        for proven in &self.entries {
            put(Line::entry(proven))?;
        }
        for link in &self.links {
            put(Line::link(link))?;
        }
        to.flush()
    }
}

/// What a note on a checkpoint's own subject states, where its number is the subject's.
pub(crate) fn checkpoint(entry: &Entry) -> Option<SignedCheckpoint> {
    let Ok(Subject::Checkpoint { number }) = entry.subject.parse() else { return None };
    SignedCheckpoint::read(&entry.body).ok().filter(|read| read.checkpoint.number() == number)
}

/// Whether an entry stands where checkpoints do.
pub(crate) fn is_checkpoint(entry: &Entry) -> bool {
    entry.stream == Stream::Log && matches!(entry.subject.parse(), Ok(Subject::Checkpoint { .. }))
}

/// The sizes of both trees, of the log and of what is said, up to the last entry that is no checkpoint.
pub(crate) fn news(entries: &[Entry]) -> (u64, u64) {
    let (mut log, mut said, mut news) = (0, 0, (0, 0));
    for entry in entries.iter().filter(|entry| !is_window(entry)) {
        match entry.stream {
            Stream::Log => log += 1,
            Stream::Said => said += 1,
        }
        if !is_checkpoint(entry) {
            news = (log, said);
        }
    }
    news
}

/// The entries that a checkpoint covers, and that checkpoint.
pub(crate) fn up_to(entries: Vec<Entry>, stated: &Checkpoint) -> Vec<Entry> {
    let (mut log, mut said) = (0, 0);
    let own = stated.subject().to_string();
    let covered = |entry: &Entry| {
        if is_window(entry) {
            return true;
        }
        let place = match entry.stream {
            Stream::Log => &mut log,
            Stream::Said => &mut said,
        };
        *place += 1;
        *place <= stated.head(entry.stream).size || (entry.stream == Stream::Log && entry.subject == own)
    };
    entries.into_iter().filter(covered).collect()
}

/// The entries of each stream, in the order of their sequences, as the one sequence that every reader takes them in.
pub(crate) fn merged<T>(said: Vec<T>, log: Vec<T>, entry: impl Fn(&T) -> &Entry) -> Vec<T> {
    let (mut said, mut log) = (VecDeque::from(said), VecDeque::from(log));
    let mut merged = Vec::with_capacity(said.len() + log.len());
    loop {
        let from_said = match (said.front(), log.front()) {
            (Some(said), Some(log)) => entry(said).time <= entry(log).time,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return merged,
        };
        merged.extend(if from_said { said.pop_front() } else { log.pop_front() });
    }
}
