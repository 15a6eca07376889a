//! What can go wrong in a task.

use std::io;

/// Why a task did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The operating system said no.
    #[error("cannot {attempted}")]
    Io {
        /// What was attempted, on what.
        attempted: String,
        /// Its words.
        #[source]
        source: io::Error,
    },
    /// One of Tocsin's parts said no.
    #[error("cannot {attempted}")]
    Part {
        /// What was attempted, on what.
        attempted: String,
        /// Its words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else, in whole sentences.
    #[error("{0}")]
    Told(String),
}

impl Error {
    pub(crate) fn io(attempted: impl Into<String>, source: io::Error) -> Self {
        Self::Io { attempted: attempted.into(), source }
    }

    pub(crate) fn part(
        attempted: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Part { attempted: attempted.into(), source: source.into() }
    }

    pub(crate) fn told(words: impl Into<String>) -> Self {
        Self::Told(words.into())
    }
}

/// Says what was attempted when it fails.
pub(crate) trait Attempt<T> {
    /// Completes "cannot ...".
    fn attempt(self, what: impl Into<String>) -> Result<T, Error>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Attempt<T> for Result<T, E> {
    fn attempt(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::part(what, source))
    }
}
