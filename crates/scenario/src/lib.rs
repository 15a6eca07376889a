//! A day to be drilled, as a file that anybody can write: what happened and when, what is said of it, who answers and who
//! stays silent, and how it is to end.
//!
//! [`check`] reads such a file with the directory that it names and tells every fault of both, by line. [`Scenario`] is
//! what it found, and [`Course`] what follows from it by the rules of `tocsin-duty`: who is owed which event, by when.
//! Playing it is for others.
//!
//! It may touch nothing: no network, no disk, no clock, no randomness, no async runtime. Whoever calls it has read the
//! files and makes the keys.

mod check;
mod course;
mod judge;
mod model;
mod place;
mod read;
#[cfg(test)]
mod tests;

pub use check::{Sound, Texts, bodies, check, directory_file};
pub use course::{Course, Stretch};
pub use model::{
    Acknowledged, Does, End, Expectation, Fate, Happening, Lot, Mailbox, Measures, Part, Scenario, Share,
    Then, Whose,
};
