//! The rules one by one: given these facts, these follow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dispatches;
mod doors;
mod duties;
mod files;
mod findings;
mod presets;
mod refusals;
mod repeated;
mod story;
mod trails;
