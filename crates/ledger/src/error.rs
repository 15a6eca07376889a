//! What can go wrong between us and the two streams.

use std::{path::PathBuf, time::Duration};

/// A failure of the ledger: what was attempted, on what, and what the reader can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker cannot be reached, or does not let us in.
    #[error(
        "cannot connect to NATS at {url} within {within:?}: {why}; check that nats-server runs there, and NATS_URL, NATS_NKEY or NATS_CREDS, NATS_CA"
    )]
    Connect {
        /// Where, without user or password.
        url: String,
        /// How long was tried.
        within: Duration,
        /// The last cause.
        why: String,
    },
    /// A setting of the connection that cannot be used.
    #[error("the connection setting {setting} cannot be used: {why}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it and how to mend it; never a secret.
        why: String,
    },
    /// A file with a secret that cannot be read, or must not be used.
    #[error("cannot take a secret from {file}: {why}")]
    Secret {
        /// The file, unless a secret was given in its place.
        file: String,
        /// What is wrong with it and how to mend it; never a secret.
        why: String,
    },
    /// The broker is too old.
    #[error(
        "nats-server {name} is version {found}, but Tocsin needs {wanted} or newer (schedules and atomic batches): upgrade it; tested with 2.15.1"
    )]
    TooOld {
        /// The server's name.
        name: String,
        /// Its version.
        found: String,
        /// The oldest that serves.
        wanted: &'static str,
    },
    /// The server has no JetStream.
    #[error(
        "JetStream is not enabled on nats-server {name} (or not for this account): add `jetstream {{ store_dir: ..., sync_interval: always }}` to its configuration; see deploy/nats"
    )]
    NoJetStream {
        /// The server's name, or the URL.
        name: String,
    },
    /// A stream is not there.
    #[error(
        "stream {stream} does not exist on this NATS account: an administrator makes both streams with `tocsin setup`"
    )]
    NoStream {
        /// Which.
        stream: &'static str,
    },
    /// A stream is there but differs from ours.
    #[error("stream {stream} has {setting} = {found}, but Tocsin needs {wanted}: {mend}")]
    Differs {
        /// Which stream.
        stream: &'static str,
        /// Which setting, as NATS calls it.
        setting: &'static str,
        /// Its value there.
        found: String,
        /// The value that is needed.
        wanted: String,
        /// How to mend it.
        mend: String,
    },
    /// A durable consumer that the administrator or router makes is not there.
    #[error("there is no durable consumer {consumer} on stream {stream}: {mend}")]
    NoConsumer {
        /// Which.
        consumer: String,
        /// On which stream.
        stream: &'static str,
        /// Who makes it, and how.
        mend: String,
    },
    /// The broker's permissions deny it.
    #[error(
        "NATS permissions deny {attempted} on {subject}: allow this user that subject in the server's configuration (see deploy/nats), or use the right credentials"
    )]
    Denied {
        /// What was attempted: to publish or to subscribe.
        attempted: &'static str,
        /// The subject denied.
        subject: String,
    },
    /// The broker refused a request of ours.
    #[error("{attempted}: NATS refused it: {description} (code {code})")]
    Refused {
        /// What was attempted, on what.
        attempted: String,
        /// JetStream's own error code.
        code: u64,
        /// JetStream's own words.
        description: String,
    },
    /// No answer in the time allowed. Whether it was done is not known.
    #[error(
        "{attempted}: no answer within {within:?} ({why}); it is not known whether it was done; try again: it will end as one fact"
    )]
    Unknown {
        /// What was attempted, on what.
        attempted: String,
        /// How long was tried.
        within: Duration,
        /// The last cause.
        why: String,
    },
    /// A fact that is too large for the broker.
    #[error("{subject} is {size} bytes, but NATS takes at most {most} here: make it smaller")]
    TooLarge {
        /// Of which fact.
        subject: String,
        /// Its size in bytes.
        size: usize,
        /// The most allowed.
        most: usize,
    },
    /// A fact given to the wrong stream.
    #[error("{subject} does not belong to stream {stream}: {mend}")]
    WrongStream {
        /// Of which fact.
        subject: String,
        /// The stream it was given to.
        stream: &'static str,
        /// Which call takes it.
        mend: &'static str,
    },
    /// An answer from the broker that is not what its protocol says.
    #[error(
        "{attempted}: the answer of NATS cannot be read: {why}; check that every server is nats-server 2.12 or newer"
    )]
    Answer {
        /// What was attempted, on what.
        attempted: String,
        /// What is wrong with it.
        why: String,
    },
    /// The connection has been closed for good.
    #[error("the connection to NATS is closed: {why}; connect again")]
    Closed {
        /// Why.
        why: String,
    },
    /// A back-up that cannot be written or used.
    #[error("the back-up {what} cannot be used: {why}")]
    Backup {
        /// Its directory.
        what: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A stream that is there where a back-up is to be put back.
    #[error("stream {stream} is there already, with {entries} entries: {mend}")]
    Occupied {
        /// Which.
        stream: &'static str,
        /// How many entries it has.
        entries: u64,
        /// What to do.
        mend: String,
    },
    /// A back-up that did not come through, in one direction or the other.
    #[error("{attempted}: {why}; run it again: what was written by halves is not used")]
    Transfer {
        /// What was attempted, on what.
        attempted: String,
        /// Why it ended.
        why: String,
    },
    /// No nats-server program to start.
    #[error(
        "no nats-server of at least {wanted} was found ({why}): set NATS_SERVER to one, put one on the PATH, or run through `cargo xtask test` or `cargo xtask drill`, which take the pinned one"
    )]
    NoServer {
        /// The oldest that serves.
        wanted: &'static str,
        /// What was looked at.
        why: String,
    },
    /// A nats-server of our own did not start or stopped.
    #[error("cannot start {} with store {}: {why}", binary.display(), store.display())]
    Start {
        /// The program.
        binary: PathBuf,
        /// Its store directory.
        store: PathBuf,
        /// Why, with the end of its log.
        why: String,
    },
}
