//! The audit: who knew what, when, told a year on, so that the answer can be trusted.
//!
//! [`gather`] folds the entries of both streams anew, believing nothing: every signature is verified here, and what the
//! router wrote is held against what the rules say. [`Evidence::report`] computes the [`Report`] from it; [`render`]
//! shows it as a table, JSON, CSV or one self-contained HTML page.
//!
//! Two timelinesses are kept apart throughout: the operator's (from each moment that its events tell to the
//! record and to the notices) and the recipients' (from the notice to the acknowledgement). Every figure keeps its
//! denominator.
//!
//! A [`Bundle`] carries the entries to where there is no bus, and [`verify()`] says there what is proven of them, what is
//! missing, and which was altered, trusting nobody who made it.
//!
//! It may touch the bus through `tocsin-ledger`, in [`read`], [`read_entries`], [`read_covered`] and [`Reporter`] and [`Watcher`] alone and only to read; everything else here is
//! pure. Nothing is written, and no clock is read but by the [`Reporter`] and the [`Watcher`].

mod bundle;
mod calls;
mod compute;
mod duties;
mod error;
mod evidence;
mod facts;
mod judge;
mod linked;
mod moved;
mod operator;
mod period;
mod problem;
mod read;
mod register;
pub mod render;
mod report;
mod reporter;
mod timeliness;
mod verify;
mod watch;
mod words;

pub use bundle::{BUNDLE_VERSION, Bundle, FILE_MAX, LINE_MAX, Link, Proven};
pub use calls::{CallList, CallListEntry, CallListRequest, CallNumber, MailFate, Unanswered};
pub use error::Error;
pub use evidence::{Evidence, Request, gather};
pub use linked::{AddedReport, LinkedReport};
pub use period::*;
pub use problem::{Problem, ProblemCode};
pub use read::{read, read_covered, read_entries};
pub use report::*;
pub use reporter::{Asked, Made, Reporter, Whose, Written};
pub use verify::{Fault, FaultCode, Standing, Told, ToldFault, ToldIncident, Verdict, verify, verify_under};
pub use watch::{Alarm, AlarmCode, AlarmState, Bell, Limits, Lookout, Rung, Watcher};
