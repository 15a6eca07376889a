//! The audit: who knew what, when, told a year on, so that the answer can be trusted.
//!
//! [`gather`] folds the entries of both streams anew, believing nothing: every signature is verified here, and what the
//! router wrote is held against what the rules say. [`Evidence::report`] computes the [`Report`] from it; [`render`]
//! shows it as a table, JSON, CSV or one self-contained HTML page.
//!
//! Two timelinesses are kept apart throughout: the operator's (from the failure to the first event) and the recipients'
//! (from the notice to the acknowledgement). Every figure keeps its denominator.
//!
//! It may touch the bus through `tocsin-ledger`, in [`read`] alone and only to read; everything else here is pure.
//! Nothing is written, and no clock is read.

mod compute;
mod error;
mod evidence;
mod facts;
mod judge;
mod problem;
mod read;
mod register;
pub mod render;
mod report;
mod timeliness;
mod words;

pub use error::Error;
pub use evidence::{Evidence, Request, gather};
pub use problem::{Problem, ProblemCode};
pub use read::read;
pub use report::*;
