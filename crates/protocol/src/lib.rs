//! The words on the wire: what may be said on the bus, under which subject, in which shape, and signed by whom.
//!
//! This crate holds the grammar of subjects ([`Subject`]), the facts themselves ([`Event`], [`Receipt`],
//! [`Dispatch`], ...), their JSON Schemas ([`schema`]) and signatures ([`Signed`]). [`tree`] and
//! [`Checkpoint`] make what stands on the bus evident: nothing in it can be changed and stay unseen. Everything from outside becomes
//! one of these types here, once.
//!
//! It may touch nothing: no network, no disk, no clock, no randomness beyond the making of a key. Every other crate
//! stands on this one, and it on none of them.

mod checkpoint;
mod entry;
mod error;
mod fact;
mod header;
mod id;
mod language;
mod leaf;
mod link;
pub mod schema;
mod sign;
mod snapshot;
mod subject;
mod trace;
pub mod tree;

pub use checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES, SignedCheckpoint};
pub use entry::{Entry, NewFact, Schedule, Stream};
pub use error::Error;
pub use fact::*;
pub use header::*;
pub use id::{
    AreaId, BodyId, ControlRoomId, DutyId, ExerciseId, IncidentId, LinkId, PolicyId, PublisherId,
    RecipientId, ReportId, RuleId,
};
pub use language::Language;
pub use leaf::{is_window, leaf};
pub use link::{Link, MAX_LINK_BYTES, SignedLink};
pub use sign::{AuthorKey, Signed, SigningKey};
pub use snapshot::{Cut, MAX_SNAPSHOT_HEAD_BYTES, Place, Snapshot};
pub use subject::{AttemptPhase, EventNumber, ReceiptStage, StepNumber, Subject};
pub use trace::{TraceContext, TraceId};

pub use jiff::{SignedDuration, Timestamp};
