//! The `[console]` of the configuration.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

/// How the console serves. Every field has a default but the accounts, without which nobody could sign in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens. Beyond loopback it belongs behind a proxy that does TLS.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// The address under which people reach it, such as `https://tocsin.operator.example`: cookies are `Secure` when it
    /// is `https`, and a posted form must come from it. Left out: `http://` and where it listens.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Who may sign in: a file made by `tocsin account`.
    pub accounts: PathBuf,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8911))
}
