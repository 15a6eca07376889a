//! The console as people see it: a real Chromium on a console that follows a real bus.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in tests: the lint's own exception does not reach helper functions"
)]

mod acknowledge;
mod every_page;
mod harness;
mod publish;
mod scene;
mod sight;
mod touch;
mod watch;
