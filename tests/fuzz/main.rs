//! Fuzz targets for all that reads outside bytes through a public door. What is private is fuzzed inside its crate, in
//! modules of the name `fuzz`. `found/<target>/` holds inputs that once broke one: every run begins with them.
//!
//! As tests they run for a moment; `cargo xtask fuzz` runs them for as long as is wanted, guided by coverage.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a promise that does not hold ends the test")]

mod bundle;
mod bus;
mod desk;
mod directory;
mod mail;
mod records;
mod words;
