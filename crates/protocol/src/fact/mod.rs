//! The facts: the body of each subject, as a type.
//!
//! The schemas in `schemas/` are the public contract; these types are what our own code reads and writes of them,
//! and a test holds the two against each other.

mod call;
mod directory;
mod doors;
mod escalation;
mod event;
mod outcome;
mod policy;
mod receipt;
mod report;
mod term;
mod trail;
mod words;

pub use call::Call;
pub use directory::{
    Area, AreaScope, Contact, ControlRoom, DirectoryDocument, ExerciseDocument, Monitor, Publisher, Recipient,
};
pub use doors::ConsoleDoors;
pub use escalation::{AttemptBegun, AttemptEnded, Digest, Escalation, EscalationReason, Outcome, Via};
pub use event::{ByRule, Event, EventContact, Impact, Recontact, RecontactFigures};
pub use outcome::{
    Again, Dispatch, DispatchDuty, DispatchStep, Due, DutyFinding, Finding, Late, Notice, Overdue, Owed,
    PolicyInForce, Refusal, RefusalCode, StoppedBy,
};
pub use policy::{DutyDocument, DutyStart, OwedRule, PolicyDocument, Reach, StepDocument, Where};
pub use receipt::{Person, Receipt, ReceiptMethod, SignedIn, Signer};
pub use report::{Alert, Report, ReportSays, ReportSource};
pub use term::{Term, Window};
pub use trail::{Candidate, IncidentTrail, LinkAnswer, Linking, Proposal, ReportTrail, Seen, Trail};
pub use words::{
    Category, Certainty, Channel, ClockStart, Confidence, EventKind, ExerciseStatus, Platform, Requirement,
    Service, Severity, Stage, Status, Trigger, Urgency,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Error;

/// Reads a fact's body that one of our own services wrote, or that a schema has already passed.
///
/// # Errors
/// [`Error::Body`] with the place and reason.
pub fn from_body<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|why| Error::Body { what, why: why.to_string() })
}

/// Writes a fact's body: compact JSON, fields in the order of the type.
///
/// # Errors
/// [`Error::Body`] when a value has no JSON form, which none of the types here can have.
pub fn to_body<T: Serialize>(what: &'static str, fact: &T) -> Result<bytes::Bytes, Error> {
    serde_json::to_vec(fact).map(Into::into).map_err(|why| Error::Body { what, why: why.to_string() })
}
