//! An agency's side: take notices in, hand them on, acknowledge.
//!
//! A [`Desk`] speaks for one recipient. [`Desk::arrivals`] gives its notices in order: each is read, its author's
//! signature is held against the event's exact bytes, the `delivered` receipt is said, and then it is handed to the
//! caller, who settles it when it has been shown or handed on. [`Desk::acknowledge`] says that a named person has
//! taken a notice in; [`Desk::hand_over`] lets a program be that person's hand. [`show`] renders a notice for a
//! terminal.
//!
//! Every receipt repeats the newest checkpoint that its desk has seen, so that the agencies are witnesses: what stood then
//! cannot be rewritten or erased without their word against it.
//!
//! A notice that cannot be read, or is not signed by its author, is told as such and wedges nothing. It is neither
//! delivered nor acknowledged, so the recipient is written to by mail: silence is never taken for knowledge.
//!
//! This crate may touch the bus through `tocsin-ledger`, and start the program that its caller names. It prints
//! nothing. What comes out of an event is a stranger's text: [`clean`] is between it and every terminal.

mod acknowledge;
mod arrivals;
pub mod clean;
mod clock;
mod desk;
mod error;
#[cfg(test)]
mod fixture;
mod hand_over;
mod open;
mod overdue;
mod read;
mod show;
mod when;
mod witness;

pub use acknowledge::{Acknowledge, Acknowledged, Standing};
pub use arrivals::{Arrival, Arrivals, Arrived, Content, Delivered};
pub use clock::Clock;
pub use desk::Desk;
pub use error::Error;
pub use hand_over::{AcknowledgeOn, EXIT_ACKNOWLEDGED, Ended, HandedOver, Program};
pub use overdue::NotCome;
pub use read::{Author, Fault, ReadNotice, Unfit, read_notice};
pub use show::{View, show};
pub use when::{clock, countdown};
