//! The commands, one module each: its arguments, and `run`.

// Those who tell.
pub(crate) mod publish;
pub(crate) mod spool;

// Those who are told.
mod ack;
mod desk;

// The record.
mod incidents;
mod refusals;

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
    Publish(Box<publish::Args>),
    Spool(spool::Args),

    // Those who are told.
    Desk(desk::Args),
    Ack(ack::Args),

    // The record.
    Incidents(incidents::Args),
    Refusals(refusals::Args),

    // Services.

    // Administrators.
    Setup(setup::Args),
}

impl Command {
    pub(crate) fn manner(&self) -> Manner {
        match self {
            // Services.
            Self::Desk(_) => desk::Args::manner(),

            // All others.
            Self::Publish(_)
            | Self::Spool(_)
            | Self::Ack(_)
            | Self::Incidents(_)
            | Self::Refusals(_)
            | Self::Setup(_) => Manner::Command,
        }
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            // Those who tell.
            Self::Publish(args) => publish::run(*args).await,
            Self::Spool(args) => spool::run(args).await,

            // Those who are told.
            Self::Desk(args) => desk::run(args).await,
            Self::Ack(args) => ack::run(args).await,

            // The record.
            Self::Incidents(args) => incidents::run(args).await,
            Self::Refusals(args) => refusals::run(args).await,

            // Services.

            // Administrators.
            Self::Setup(args) => setup::run(args).await,
        }
    }
}
