//! What keeps the console from serving.

use std::{net::SocketAddr, path::PathBuf};

/// Why the console cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration cannot be used.
    #[error("console configuration: {field} {value:?} cannot be used: {why}")]
    Setting {
        /// Which value, as it is written in the file.
        field: String,
        /// What was given. Never a secret.
        value: String,
        /// What is wrong, and what to write.
        why: String,
    },
    /// A file that the configuration names cannot be used.
    #[error("console configuration: {field} {path}: {why}", path = path.display())]
    File {
        /// Which value names it.
        field: String,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A file of its own cannot be written.
    #[error("console configuration: {field} {path}: it cannot be written: {source}", path = path.display())]
    Write {
        /// Which value names it.
        field: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// An account cannot be made or changed as asked.
    #[error("account {account:?}: {why}")]
    Account {
        /// Its name.
        account: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}; is another console running? choose another with `listen`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The ledger refused or could not be reached.
    #[error(transparent)]
    Ledger(#[from] tocsin_ledger::Error),
}
