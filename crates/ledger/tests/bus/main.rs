//! The ledger against a real nats-server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod append;
mod backup;
mod follow;
mod notices;
mod presence;
mod progress;
mod say;
mod set_up;
mod sounding;
mod support;
mod traces;
mod work;
