//! The commands, one module each: its arguments, and `run`.

// Those who tell.

// Those who are told.

// The record.

// Services.
mod notifier;
mod router;
mod up;

// Administrators.
mod directory;
mod keys;
mod policy;
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
    Up(up::Args),
    Router(router::Args),
    Notifier(notifier::Args),

    // Administrators.
    Setup(setup::Args),
    Keys(keys::Args),
    Directory(directory::Args),
    Policy(policy::Args),
}

impl Command {
    pub(crate) fn manner(&self) -> Manner {
        match self {
            // Services.
            Self::Up(_) | Self::Router(_) | Self::Notifier(_) => Manner::Service,

            // All others.
            Self::Setup(_) | Self::Keys(_) | Self::Directory(_) | Self::Policy(_) => Manner::Command,
        }
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            // Those who tell.

            // Those who are told.

            // The record.

            // Services.
            Self::Up(args) => up::run(args).await,
            Self::Router(args) => router::run(args).await,
            Self::Notifier(args) => notifier::run(args).await,

            // Administrators.
            Self::Setup(args) => setup::run(args).await,
            Self::Keys(args) => keys::run(&args),
            Self::Directory(args) => directory::run(args).await,
            Self::Policy(args) => policy::run(args).await,
        }
    }
}
