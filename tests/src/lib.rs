//! End to end: a real nats-server, real SMTP, real faults.
//!
//! A [`World`] is all that one test needs: a nats-server of its own with both streams, a directory with fresh keys,
//! a mail relay, and the publishers, desks, routers and notifiers that the test asks for. Routers and notifiers run as
//! tasks in this process, or as processes of the real program that are killed as a power cut would. [`World::finish`]
//! ends every test: it waits until every duty has come to its end, stops the services, and holds both streams and the
//! mails against the promises twice: by [`checker`], which shares no rule with the rest, and by the audit.
//!
//! It may touch whatever the parts that it tests may touch, and the bus and mail raw, to be hostile with.
//!
//! Nothing here asks how fast something was. What is waited for is a fact, with a deadline that only a failure meets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test's world: what it cannot do without ends the test"
)]

// Built with the counters of a guided run, these unit tests too need what they count into.
#[cfg(test)]
use tocsin_fuzz as _;

pub mod browser;
mod cast;
pub mod chaos;
pub mod checker;
mod console;
mod desk;
mod finish;
mod mail;
mod program;
mod publisher;
mod service;
mod stranger;
mod wait;
mod world;

pub use browser::Browser;
pub use cast::{CONSOLE, Cast, DIRECTORY, LINKS, PUBLISHER, seconds};
pub use console::PASSWORD;
pub use desk::{Gate, Manner, RunningDesk};
pub use finish::{Finished, Service};
pub use mail::Mail;
pub use program::Program;
pub use publisher::{event, receipt};
pub use service::Here;
pub use stranger::{Stranger, signed_headers};
pub use wait::{LONG, until};
pub use world::{Config, World, put_in_force};
