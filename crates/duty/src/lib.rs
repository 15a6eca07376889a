//! The rules of notification: who is owed what, by when, and what follows when nobody answers.
//!
//! [`Directory`] says who there is and what they are owed; [`Fold`] is the state of both streams and tells what is
//! owed to the log because of it. Entries in, entries out.
//!
//! It may touch nothing: no network, no disk, no clock, no randomness, no async runtime. The time of a fact is the
//! broker's, and comes with the fact. So any replica that folds the same entries decides the same, and every rule can
//! be tested without a socket.

mod answers;
mod by_rule;
mod course;
mod directory;
mod doors;
mod exercise;
mod fold;
mod worsening;

pub use answers::Answers;
pub use by_rule::{
    EventRule, Judged, KnownIncident, May, Reported, Rules, Template, Why, judge_later, judge_report,
};
pub use course::Course;
pub use directory::*;
pub use doors::{Shut, check_link};
pub use exercise::{Due, EXERCISE_ID_MAX, Schedule, event_of, incident_of};
pub use fold::{Batch, Fold, Trust, Verdict, serves};
pub use worsening::worsening;
