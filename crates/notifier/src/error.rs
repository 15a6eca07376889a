//! What can keep the notifier from working. A mail that fails is no error here: it is an attempt, and recorded.

use std::path::PathBuf;

/// Why the notifier cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the configuration cannot be used.
    #[error("notifier configuration: {field} {value:?} cannot be used: {why}")]
    Setting {
        /// Which value, as it is written in the file.
        field: String,
        /// What was given. Never a password.
        value: String,
        /// What is wrong, and what to write.
        why: String,
    },
    /// A file that the configuration names cannot be used.
    #[error("notifier configuration: {field} {path}: {why}", path = path.display())]
    File {
        /// Which value names it.
        field: String,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The mail of an escalation cannot be written, whatever is tried.
    #[error("the mail of {subject} cannot be written: {why}")]
    Mail {
        /// The escalation's subject.
        subject: String,
        /// What is wrong with it.
        why: String,
    },
    /// The ledger refused or could not be reached.
    #[error(transparent)]
    Ledger(#[from] tocsin_ledger::Error),
}
