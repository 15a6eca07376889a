//! The two streams: set-up, append, atomic append, follow, work; and beside them snapshots of what was folded.
//!
//! This is the only crate that knows NATS. It may touch the network and, in [`server`], start a nats-server of our
//! own; it decides nothing about duties. What it promises: a fact is written once under its subject, however often
//! and by however many it is tried; both streams are read as one sequence, in one order, without loss or repetition.

mod api;
mod append;
mod backup;
mod batch;
mod connection;
mod consumers;
mod desks;
mod error;
mod follow;
mod ledger;
mod notices;
mod outcome;
mod pace;
mod patience;
mod presence;
mod progress;
mod pull;
mod read;
mod reader;
mod say;
pub mod secret;
pub mod server;
mod settled;
mod shape;
mod shared;
mod signals;
mod snapshot;
mod sounding;
mod streams;
mod stretch;
mod version;
mod wire;
mod work;

pub use backup::Backup;
pub use connection::{Connection, Seed, Wait};
pub use desks::desk_name;
pub use error::Error;
pub use follow::{Follow, Read};
pub use ledger::Ledger;
pub use notices::{Held, Notices};
pub use outcome::{Appended, Position, Said};
pub use presence::{BEAT, Presence, present_subject};
pub use progress::{Job, Progress, Seen, Watch};
pub use shape::{MINIMUM_SERVER, Shape};
pub use snapshot::{Doubt, Found, SNAPSHOT_SUBJECTS, SNAPSHOTS};
pub use sounding::{LOG_SOUNDING, SAID_SOUNDING};
pub use streams::{Touch, Widened};
pub use work::{Item, NOTIFIER_WORK, Work, WorkOptions};
