//! The ledger's front door.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use tocsin_protocol::{
    AuthorKey, Entry, Error as Unreadable, NewFact, RecipientId, Signed, Snapshot, Stream, Subject,
};

use crate::{
    Appended, Backup, Connection, Error, Follow, Found, Notices, Presence, Said, Shape, Touch, Widened, Work,
    WorkOptions, read::Wanted, shared::Shared,
};

/// Both streams, over one connection. Clones share it.
///
/// With [`crate::Wait::UntilConnected`] every call is tried until its outcome is known; with [`crate::Wait::Fail`] it
/// ends after that time with [`Error::Unknown`].
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Shared>);

impl Ledger {
    /// Connects, and refuses a server that is too old.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Setting`], [`Error::TooOld`].
    pub async fn connect(connection: &Connection) -> Result<Self, Error> {
        Shared::connect(connection).await.map(|shared| Self(Arc::new(shared)))
    }

    /// Makes both streams where they are not there, gives those that an older version made the subjects that they lack,
    /// which it tells, and verifies them.
    ///
    /// # Errors
    /// As [`Self::verify`], and [`Error::Refused`] when the server will not make or widen one.
    pub async fn set_up(&self, shape: &Shape) -> Result<Vec<Widened>, Error> {
        self.0.set_up(shape).await
    }

    /// Holds both streams against what they must be.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::NoJetStream`], or [`Error::Differs`] with the setting that differs.
    pub async fn verify(&self) -> Result<(), Error> {
        self.0.verify().await
    }

    /// Takes a back-up of both streams to a new directory. The bus goes on meanwhile; what is written after this has begun
    /// may be in it or not, and what the log rests on is.
    ///
    /// # Errors
    /// As [`Self::verify`], [`Error::Backup`] where the directory is there or cannot be written, [`Error::Transfer`].
    pub async fn back_up(&self, to: &Path) -> Result<Backup, Error> {
        self.0.back_up(to).await
    }

    /// Makes both streams as they are in a back-up: sequences, times, armed windows and consumers. A window that was due
    /// meanwhile closes at once.
    ///
    /// # Errors
    /// [`Error::Occupied`] when a stream is there already, [`Error::Backup`], [`Error::Transfer`], [`Error::Refused`].
    pub async fn restore(&self, backup: &Backup, shape: &Shape) -> Result<(), Error> {
        self.0.restore(backup, shape).await
    }

    /// Says a fact on `TOCSIN_SAID`. However often it is tried, and by however many, these bytes end there once.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooLarge`], [`Error::WrongStream`] for a fact of LOG, [`Error::Unknown`].
    pub async fn say(&self, subject: &Subject, signed: &Signed, body: Bytes) -> Result<Said, Error> {
        self.0.say(subject, signed, &body).await
    }

    /// Appends one fact to `TOCSIN_LOG`, once. `said_through` is the last sequence of SAID that the writer has judged,
    /// every refusal up to there being written.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooLarge`], [`Error::WrongStream`] for a fact of SAID, [`Error::Unknown`].
    pub async fn append(&self, fact: &NewFact, said_through: Option<u64>) -> Result<Appended, Error> {
        self.0.append(fact, said_through).await
    }

    /// Appends one fact to `TOCSIN_LOG`, once, with its author's signature, as the administrator does a directory. What
    /// [`Appended::Already`] gives may have another, or none.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_signed(&self, fact: &NewFact, signed: &Signed) -> Result<Appended, Error> {
        self.0.append_signed(fact, signed).await
    }

    /// Appends facts to `TOCSIN_LOG`, each once, in order: a thousand at a time stand whole or not at all. Where some
    /// stand already, the missing ones are written. The answer has the order of the facts.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_all(
        &self,
        facts: &[NewFact],
        said_through: Option<u64>,
    ) -> Result<Vec<Appended>, Error> {
        self.0.append_all(facts, said_through).await
    }

    /// Appends the end of an attempt that nobody has begun: once, and only if nobody has. [`Appended::Already`] gives what
    /// stands there, which may be its beginning. An attempt that was ended so is not begun any more.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_unbegun(&self, fact: &NewFact) -> Result<Appended, Error> {
        self.0.append_unbegun(fact).await
    }

    /// Appends at most a thousand facts to `TOCSIN_LOG` as one: all of them, or none. True when they stand there as they are
    /// given, the first of which no other writer can have written; false when any of them stood there already.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_together(&self, facts: &[NewFact]) -> Result<bool, Error> {
        self.0.append_together(facts).await
    }

    /// The last entry on a subject. Needs no more than the right to read that subject; a replica that lags may answer.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn last(&self, subject: &Subject) -> Result<Option<Entry>, Error> {
        self.0.direct_last(subject, &mut self.0.patience()).await
    }

    /// The last entry whose subject matches `filter`. Needs no more than the right to read those subjects; a replica that
    /// lags may answer.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn newest(&self, stream: Stream, filter: &str) -> Result<Option<Entry>, Error> {
        self.0.direct(stream, filter, &mut self.0.patience()).await
    }

    /// The last entry whose subject matches `filter`, as the stream's leader knows it.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn last_matching(&self, stream: Stream, filter: &str) -> Result<Option<Entry>, Error> {
        self.leader_read(stream, Wanted::Last { last_by_subj: filter }).await
    }

    /// The first entry at or after `sequence` whose subject matches `filter`.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn first(&self, stream: Stream, filter: &str, sequence: u64) -> Result<Option<Entry>, Error> {
        self.leader_read(stream, Wanted::Next { seq: sequence.max(1), next_by_subj: filter }).await
    }

    /// The entry at a sequence.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn read(&self, stream: Stream, sequence: u64) -> Result<Option<Entry>, Error> {
        self.leader_read(stream, Wanted::At { seq: sequence }).await
    }

    async fn leader_read(&self, stream: Stream, wanted: Wanted<'_>) -> Result<Option<Entry>, Error> {
        let stored = self.0.leader_read(stream, wanted, &mut self.0.patience()).await?;
        Ok(stored.map(|stored| stored.into_entry(stream)))
    }

    /// The entries on these subjects, as of now, in order. Each once, where one filter does not overlap another.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn entries(&self, stream: Stream, filters: &[String]) -> Result<Vec<Entry>, Error> {
        self.0.entries(stream, filters).await
    }

    /// Waits until one of these subjects exists; of several, the first of the list. `None` when none does in this time.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`].
    pub async fn wait_for(&self, subjects: &[Subject], within: Duration) -> Result<Option<Entry>, Error> {
        self.0.first_of(subjects, within).await
    }

    /// Both streams as one sequence, from their beginning.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Unknown`].
    pub async fn follow(&self) -> Result<Follow, Error> {
        Follow::after(&self.0, (0, 0)).await
    }

    /// The same, behind what a snapshot is of: one that [`Self::find_snapshot`] gave.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Unknown`].
    pub async fn follow_after(&self, snapshot: &Snapshot) -> Result<Follow, Error> {
        Follow::after(&self.0, (snapshot.said.through, snapshot.log.through)).await
    }

    /// The newest snapshot of this form that can be believed, its state made by `read`. Both are given every directory on the
    /// log, whether it is in force or not: `key` says who may have signed a snapshot. Whatever is in doubt is told as a
    /// warning and left out; there may be none, and a broker that does not answer in some seconds has none.
    pub async fn find_snapshot<T>(
        &self,
        form: &str,
        key: impl Fn(&[Entry]) -> Option<AuthorKey>,
        read: impl Fn(&Snapshot, &[u8], &[Entry]) -> Result<T, Unreadable>,
    ) -> Found<T> {
        self.0.find_snapshot(form, key, read).await
    }

    /// Both streams behind the newest snapshot that can be believed, with its state; from their beginning where there is
    /// none. As [`Self::find_snapshot`].
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Unknown`].
    pub async fn follow_from_snapshot<T>(
        &self,
        form: &str,
        key: impl Fn(&[Entry]) -> Option<AuthorKey>,
        read: impl Fn(&Snapshot, &[u8], &[Entry]) -> Result<T, Unreadable>,
    ) -> Result<(Option<(T, Snapshot)>, Follow), Error> {
        let Some((state, snapshot)) = self.find_snapshot(form, key, read).await.state else {
            return Ok((None, self.follow().await?));
        };
        tracing::info!(
            said = snapshot.said.through,
            log = snapshot.log.through,
            "begun with a snapshot of the fold: what came since is read"
        );
        let follow = self.follow_after(&snapshot).await?;
        Ok((Some((state, snapshot)), follow))
    }

    /// How many entries the newest snapshot of this form is of that this key signed. Its bytes are not looked at.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Unknown`].
    pub async fn newest_snapshot(&self, form: &str, key: &AuthorKey) -> Result<Option<u64>, Error> {
        self.0.newest_snapshot(form, key).await
    }

    /// Keeps a snapshot: this head, signed, of the state in these bytes. The one before it is kept too. False when another
    /// is being written.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Refused`], [`Error::Unknown`]. What stood before stands then.
    pub async fn keep_snapshot(&self, head: Bytes, signed: &Signed, body: Bytes) -> Result<bool, Error> {
        self.0.keep_snapshot(head, signed, body).await
    }

    /// Makes the durables of these recipients where they are not there.
    ///
    /// # Errors
    /// [`Error::Refused`] when the stream takes no more consumers, [`Error::Unknown`].
    pub async fn ensure_desks(&self, recipients: &[RecipientId]) -> Result<(), Error> {
        self.0.ensure_desks(recipients).await
    }

    /// Makes the durables of the notifiers' work where they are not there: a notifier need not be let to make one.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Refused`] when the stream takes no more consumers, [`Error::Unknown`].
    pub async fn ensure_work(&self) -> Result<(), Error> {
        self.0.ensure_work().await
    }

    /// The notices owed to a recipient, from where its desks left off.
    ///
    /// # Errors
    /// [`Error::NoConsumer`] when there is no durable for it.
    pub async fn notices(&self, recipient: &RecipientId) -> Result<Notices, Error> {
        Notices::new(&self.0, recipient).await
    }

    /// Which recipients have a desk at work, as their desks tell it from now on.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn presence(&self) -> Result<Presence, Error> {
        Presence::new(&self.0).await
    }

    /// The names of the durable consumers on `TOCSIN_LOG`: each recipient's, and those of our services.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::Denied`], [`Error::Unknown`].
    pub async fn durables(&self) -> Result<Vec<String>, Error> {
        self.0.consumer_names(Stream::Log).await
    }

    /// A share in work. Makes its durable, or changes it to be so, where this user may; else it must be there.
    ///
    /// # Errors
    /// [`Error::NoStream`], [`Error::NoConsumer`], [`Error::Denied`], [`Error::Refused`].
    pub async fn work(&self, options: &WorkOptions) -> Result<Work, Error> {
        Work::new(&self.0, options).await
    }

    /// Whether work waits under this durable that has been given to nobody, answered within this time or not at all.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no answer in time, [`Error::NoStream`], [`Error::Denied`].
    pub async fn work_waits(&self, name: &str, within: Duration) -> Result<bool, Error> {
        self.0.work_waits(name, within).await
    }

    /// The ends of both streams and the broker's own time, answered within this time or not at all: whoever shows the
    /// record knows by it that they still hear the bus, and how far behind they are.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no answer in time, [`Error::NoStream`], [`Error::Denied`].
    pub async fn touch(&self, within: Duration) -> Result<Touch, Error> {
        self.0.touch(within).await
    }

    /// Whether there is a connection to the broker at this moment.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }
}
