//! A bus that `tocsin provision` wrote, run as it is and used as people use it: TLS, and a login for each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what a test cannot do without")]

mod bus;
mod keys;
mod listeners;
mod provisioned;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod traces;
