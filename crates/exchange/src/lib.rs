//! In and out: what is said on the bus in the forms of others, and what others say as a draft for the bus.
//!
//! [`cap`] is the Common Alerting Protocol 1.2, both ways; [`edxl`] is the EDXL-DE 1.0 envelope around it, out alone.
//! [`sheet`] is the directory's recipients as a table for a spreadsheet, both ways.
//!
//! Whatever comes from outside is hostile until it is read: it becomes a draft that a person looks at and publishes,
//! or a clear refusal, and never an event by itself. What has no place in the other form is told, never dropped in
//! silence.
//!
//! It may touch nothing: no network, no disk, no clock. It stands on `protocol` alone.

pub mod cap;
pub mod edxl;
mod error;
pub mod sheet;
mod xml;

pub use error::Error;
