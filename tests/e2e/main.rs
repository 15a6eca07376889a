//! The promises, each as a test, on a real nats-server with real SMTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in tests: the lint's own exception does not reach helper functions"
)]

mod attacks;
mod cluster;
mod crowds;
mod desks;
mod duties;
mod early;
mod exchange;
mod killed;
mod monitoring;
mod owed;
mod python;
mod relays;
mod reports;
mod restored;
mod snapshots;
mod strangers;
mod tampered;
mod trails;
mod watching;
