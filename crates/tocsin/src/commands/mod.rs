//! The commands, one module each: its arguments, and `run`.

// Those who tell.

// Those who are told.

// The record.

// Services.

// Administrators.
mod setup;

use clap::Subcommand;

use crate::failure::Failure;

/// How a command behaves towards signals and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It runs until it is told to end, ends in good order, and logs what it does.
    Service,
    /// Somebody waits for it: quiet, and an interrupt ends it at once.
    Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    // Those who tell.

    // Those who are told.

    // The record.

    // Services.

    // Administrators.
    Setup(setup::Args),
}

impl Command {
    pub(crate) fn manner(&self) -> Manner {
        match self {
            // Services.

            // All others.
            Self::Setup(_) => Manner::Command,
        }
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            // Those who tell.

            // Those who are told.

            // The record.

            // Services.

            // Administrators.
            Self::Setup(args) => setup::run(args).await,
        }
    }
}
