//! How to reach the broker, and as whom.

use std::{fmt, path::PathBuf, time::Duration};

use crate::Error;

/// How long to try, to connect and to get an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For ever: a service that must outlive its broker. Every write is tried until its outcome is known.
    UntilConnected,
    /// Until this much time has passed: a command that someone waits for.
    Fail(Duration),
}

/// A secret seed. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub(crate) String);

impl From<String> for Seed {
    fn from(seed: String) -> Self {
        Self(seed)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(not shown)")
    }
}

/// How to reach the broker, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// One or more server URLs, separated by commas, such as `nats://127.0.0.1:4222` or `tls://bus.example:4222`.
    pub url: String,
    /// The name shown to the administrator in the server's list of connections.
    pub name: String,
    /// A file with the NKey seed to log in with.
    pub nkey_seed_file: Option<PathBuf>,
    /// The NKey seed itself, where there is no file.
    pub nkey_seed: Option<Seed>,
    /// A NATS credentials file (JWT and seed).
    pub creds: Option<PathBuf>,
    /// A file of PEM root certificates to trust beside those of the system.
    pub ca: Option<PathBuf>,
    /// This client's PEM certificate chain; goes with `key`.
    pub cert: Option<PathBuf>,
    /// This client's PEM private key; goes with `cert`.
    pub key: Option<PathBuf>,
    /// The prefix of reply subjects that this user may subscribe to, where it is not `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// How long to try.
    pub wait: Wait,
}

impl Connection {
    /// A connection to this URL, without credentials, that fails after ten seconds.
    pub fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            name: "tocsin".to_owned(),
            nkey_seed_file: None,
            nkey_seed: None,
            creds: None,
            ca: None,
            cert: None,
            key: None,
            inbox_prefix: None,
            wait: Wait::Fail(Duration::from_secs(10)),
        }
    }

    /// The connection that the environment names: `NATS_URL` (else `nats://127.0.0.1:4222`), `NATS_NKEY` (a seed
    /// file's path, or the seed), `NATS_CREDS`, `NATS_CA`, `NATS_CERT`, `NATS_KEY`, `NATS_INBOX_PREFIX`.
    ///
    /// # Errors
    /// [`Error::Setting`] when two of them exclude each other or one is not text.
    pub fn from_env() -> Result<Self, Error> {
        todo!()
    }
}
