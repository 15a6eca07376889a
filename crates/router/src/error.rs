//! What can stop a router. A fact that cannot be written is no error here: it is told, and the rest goes on.

/// Why the router cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The streams are not there, not as they must be, or not to be had.
    #[error("the router cannot start: {source}")]
    Start {
        /// What the ledger said, and how to mend it.
        #[source]
        source: tocsin_ledger::Error,
    },
    /// The streams could be followed no longer.
    #[error(
        "the router cannot follow the streams any more: {source}; start it again, and it goes on where the log stands"
    )]
    Follow {
        /// What the ledger said.
        #[source]
        source: tocsin_ledger::Error,
    },
    /// The key for checkpoints has no public half, which no key made or read by us lacks.
    #[error("the key for checkpoints cannot be used: {source}")]
    Key {
        /// What is wrong with it.
        #[source]
        source: tocsin_protocol::Error,
    },
    /// Nothing can be written any more.
    #[error(
        "the router cannot write any more: {source}; start it again, and it goes on where the log stands"
    )]
    Append {
        /// What the ledger said.
        #[source]
        source: tocsin_ledger::Error,
    },
}
