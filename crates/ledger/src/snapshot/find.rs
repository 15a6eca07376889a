//! Finding one that can be believed.
//!
//! A snapshot is believed when all of this holds:
//!
//! - its form is that of this program;
//! - the `checkpoint_key` of the directory in force signed it, and its bytes are those that it names;
//! - the log holds a checkpoint, signed by the same key, that states the same two trees: so the entries that were folded
//!   are those of this record, and not of one that was put back from an older copy and grew otherwise;
//! - both streams still reach as far, begin where they began, and have the entries there that it says they had, at the
//!   start and at the cut; `TOCSIN_SAID`, from which nothing ever goes, has every one between;
//! - whoever reads its state finds no other directories in it than the log puts in force, all of which are read for it.
//!
//! What was taken out of the middle of `TOCSIN_LOG` is not seen here, but by an auditor, who reads everything.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_protocol::{AuthorKey, Entry, Error as Unreadable, SignedCheckpoint, Snapshot, Stream, Subject};

use super::{AT_ONCE, Head, PART, PATIENCE, part_of};
use crate::{Error, patience::Patience, read::Wanted, shared::Shared};

/// The largest state that is read, in bytes: what some tens of millions of entries leave.
const STATE_MOST: u64 = 4 << 30;

/// Why a snapshot is not believed. The record is read whole instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// It is another program's.
    #[error("it is of {found}, and this program reads {wanted}")]
    Form {
        /// Its form.
        found: String,
        /// The form that is read here.
        wanted: String,
    },
    /// The directory in force names no key for checkpoints.
    #[error("no directory names a checkpoint_key that could have signed it")]
    NoKey,
    /// It is not signed by the directory's key, or not to be read.
    #[error("its head is not the router's: {0}")]
    Head(String),
    /// Its bytes are not those that it names.
    #[error("its bytes are not those that were signed")]
    Bytes,
    /// No checkpoint states what it says was folded.
    #[error("no checkpoint in the log states the trees that it says it is of")]
    Checkpoint,
    /// A stream is not as it says.
    #[error("{stream} is not the stream that it is of: {why}")]
    Stream {
        /// Which.
        stream: &'static str,
        /// In what it differs.
        why: String,
    },
    /// The state cannot be read.
    #[error("its state cannot be read: {0}")]
    State(String),
    /// The broker did not say.
    #[error("it could not be looked at: {0}")]
    Unanswered(#[from] Error),
}

/// What was found.
#[derive(Debug)]
pub struct Found<T> {
    /// The state, and what it is of.
    pub state: Option<(T, Snapshot)>,
    /// Why others, or all, were not believed, the newest first.
    pub doubts: Vec<Doubt>,
}

impl Shared {
    /// The newest that can be believed. `read` makes the state of its bytes.
    pub(crate) async fn find_snapshot<T>(
        &self,
        form: &str,
        key: impl Fn(&[Entry]) -> Option<AuthorKey>,
        read: impl Fn(&Snapshot, &[u8], &[Entry]) -> Result<T, Unreadable>,
    ) -> Found<T> {
        let mut found = Found { state: None, doubts: Vec::new() };
        let mut heads = match self.heads().await {
            Ok(heads) => heads,
            Err(why) => {
                found.doubts.push(why.into());
                return found;
            }
        };
        // An empty one is being written, or its writer has died.
        heads.retain(|head| !head.body.is_empty());
        heads.sort_by_key(|head| std::cmp::Reverse(head.sequence));
        if heads.is_empty() {
            return found;
        }
        let directories = match self.directories().await {
            Ok(directories) => directories,
            Err(why) => {
                found.doubts.push(why.into());
                return found;
            }
        };
        let key = key(&directories);
        for head in heads {
            let read = |snapshot: &Snapshot, bytes: &[u8]| read(snapshot, bytes, &directories);
            match self.believe(&head, form, key.as_ref(), read).await {
                Ok(state) => {
                    found.state = Some(state);
                    break;
                }
                Err(doubt) => found.doubts.push(doubt),
            }
        }
        for doubt in &found.doubts {
            tracing::warn!("a snapshot of the fold is not used: {doubt}");
        }
        found
    }

    async fn believe<T>(
        &self,
        head: &Head,
        form: &str,
        key: Option<&AuthorKey>,
        read: impl Fn(&Snapshot, &[u8]) -> Result<T, Unreadable>,
    ) -> Result<(T, Snapshot), Doubt> {
        let key = key.ok_or(Doubt::NoKey)?;
        let signed = head.signed.as_ref().ok_or_else(|| Doubt::Head("it is not signed".to_owned()))?;
        let snapshot = Snapshot::read(&head.body, signed, key).map_err(|why| Doubt::Head(why.to_string()))?;
        if snapshot.form != form {
            return Err(Doubt::Form { found: snapshot.form, wanted: form.to_owned() });
        }
        self.hold_checkpoint(&snapshot, key).await?;
        for stream in [Stream::Said, Stream::Log] {
            self.hold_stream(&snapshot, stream).await?;
        }
        let body = self.state_of(head.place, &snapshot).await?;
        let state = read(&snapshot, &body).map_err(|why| Doubt::State(why.to_string()))?;
        Ok((state, snapshot))
    }

    /// Every directory on the log, in order, whether it is in force or not.
    async fn directories(&self) -> Result<Vec<Entry>, Error> {
        let (mut all, mut seq) = (Vec::new(), 1);
        loop {
            let wanted = Wanted::Next { seq, next_by_subj: "tocsin.directory.*" };
            let stored = self.leader_read(Stream::Log, wanted, &mut Patience::up_to(PATIENCE)).await?;
            let Some(entry) = stored.map(|stored| stored.into_entry(Stream::Log)) else { return Ok(all) };
            seq = entry.sequence + 1;
            all.push(entry);
        }
    }

    async fn hold_checkpoint(&self, snapshot: &Snapshot, key: &AuthorKey) -> Result<(), Doubt> {
        let stated = snapshot.checkpoint();
        let subject = Subject::Checkpoint { number: stated.number() }.to_string();
        let wanted = Wanted::Last { last_by_subj: &subject };
        let stored = self.leader_read(Stream::Log, wanted, &mut Patience::up_to(PATIENCE)).await?;
        let entry = stored.map(|stored| stored.into_entry(Stream::Log)).ok_or(Doubt::Checkpoint)?;
        let read = SignedCheckpoint::read(&entry.body).map_err(|_| Doubt::Checkpoint)?;
        let holds = read.verify(key).is_ok() && read.checkpoint == stated;
        if holds && entry.sequence > snapshot.log.through { Ok(()) } else { Err(Doubt::Checkpoint) }
    }

    async fn hold_stream(&self, snapshot: &Snapshot, stream: Stream) -> Result<(), Doubt> {
        let cut = snapshot.cut(stream);
        let differs = |why: String| Doubt::Stream { stream: stream.name(), why };
        let extent = self.extent(stream, &mut Patience::up_to(PATIENCE)).await?;
        if extent.last < cut.through {
            return Err(differs(format!("it ends at {}, and was folded up to {}", extent.last, cut.through)));
        }
        // Windows go as they close, and nothing else does.
        let whole = if stream == Stream::Said { extent.last } else { cut.tree.size() };
        if extent.messages < whole || cut.first.is_some_and(|first| extent.first > first.sequence) {
            return Err(differs("entries were taken out of it".to_owned()));
        }
        for place in cut.first.into_iter().chain(cut.last) {
            let wanted = Wanted::At { seq: place.sequence };
            let stored = self.leader_read(stream, wanted, &mut Patience::up_to(PATIENCE)).await?;
            let entry = stored.map(|stored| stored.into_entry(stream));
            if !entry.is_some_and(|entry| place.is_of(&entry)) {
                return Err(differs(format!("entry {} is not the one that was folded", place.sequence)));
            }
        }
        Ok(())
    }

    async fn state_of(&self, place: u8, snapshot: &Snapshot) -> Result<Bytes, Doubt> {
        if snapshot.bytes > STATE_MOST {
            return Err(Doubt::State(format!("it has {} bytes, more than any", snapshot.bytes)));
        }
        let size = usize::try_from(snapshot.bytes).map_err(|why| Doubt::State(why.to_string()))?;
        let mut body = BytesMut::with_capacity(size);
        let wanted = (0..size.div_ceil(PART)).map(|part| part_of(place, part));
        let parts = wanted.map(|subject| async move { self.kept(&subject).await });
        let mut parts = stream::iter(parts).buffered(AT_ONCE);
        while let Some(part) = parts.try_next().await? {
            body.extend_from_slice(&part.ok_or(Doubt::Bytes)?.payload);
        }
        if snapshot.is_of(&body) { Ok(body.freeze()) } else { Err(Doubt::Bytes) }
    }
}
