//! The operator's side: draft an event, check it, keep it on disk, send it, and learn who is told by when.
//!
//! The way of one event: [`first_minute`] or [`follow_up`] drafts it, [`prepare`] checks and signs it, [`Spool::put`]
//! keeps it, [`send`] says it on the bus ([`publish`] is these two), [`await_answer`] tells what the router made of
//! it; and before any of it, [`preview`] tells who would be told. An event is on disk before the network is tried, so
//! neither a crash nor a bus that is away loses it; and its subject is its identity, so sending it twice leaves one
//! fact.
//!
//! This crate may touch the spool directory and the bus through `tocsin-ledger`. No time is decided by a clock of its
//! own: it is an argument, or the broker's. What it has to tell, it returns; every such type has a `Display`.

mod answer;
mod draft;
mod error;
mod exercises;
mod known;
mod notified;
mod objections;
mod past;
mod prepare;
mod preview;
mod send;
mod spool;
mod trails;

pub use answer::{Answer, Dispatched, await_answer};
pub use draft::{Changes, Details, FirstMinute, FollowUp, first_minute, follow_up};
pub use error::Error;
pub use exercises::{Came, Exerciser, Happened};
pub use known::{events_of, held_against, newest_directory};
pub use notified::{Notified, NotifiedRecipient};
pub use past::{Past, begin};
pub use prepare::{Prepared, prepare, prepare_bytes};
pub use preview::{Preview, preview};
pub use send::{Published, RefusedAtTheDoor, Sending, publish, send};
pub use spool::{PENDING_MAX, Pending, Sent, SetAside, Spool, Spooled};
pub use trails::{Proposals, Spoken, proposals, refusal_of, say_call, say_link, say_report};
