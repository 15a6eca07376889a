//! What can go wrong when a bus is provisioned.

use std::{io, path::PathBuf};

/// Why a configuration could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", file.display())]
    File {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A seed or key file that is not one.
    #[error("{} cannot be used: {why}", file.display())]
    Unfit {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it; never a secret.
        why: String,
    },
    /// A body bears the name of one of our services.
    #[error(
        "the directory has a body called {id}, which is the name of a service of the bus: give it another identifier"
    )]
    Reserved {
        /// Which.
        id: String,
    },
    /// A server of several that is not one.
    #[error("{member:?} is no server: {why}")]
    Member {
        /// What was given.
        member: String,
        /// What is wrong with it.
        why: String,
    },
    /// Servers that cannot keep a bus together.
    #[error("these servers cannot be one bus: {why}")]
    Members {
        /// Why not.
        why: String,
    },
    /// A path that cannot be written into the configuration.
    #[error(
        "the path {} cannot stand in a NATS configuration: use one of letters, digits and . _ - / + @ ~ and spaces alone",
        path.display()
    )]
    Path {
        /// Which.
        path: PathBuf,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificate of {of}: {why}")]
    Certificate {
        /// Whose.
        of: String,
        /// Why not.
        why: String,
    },
}
