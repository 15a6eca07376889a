//! The commands, one module each: its arguments, and `run`.

// Those who tell.
mod called;
mod exercises;
mod link;
pub(crate) mod publish;
pub(crate) mod spool;
mod test_call;

// Those who are told.
mod ack;
mod desk;
mod tell;

// The record.
mod audit;
mod call_list;
mod cap;
mod incidents;
mod proposals;
mod refusals;
mod report;
mod scores;

// Services.
mod alive;
mod console;
mod notifier;
mod router;
mod up;
mod watch;

// Administrators.
mod account;
mod backup;
mod directory;
mod drill;
mod keys;
mod policy;
mod provision;
mod restore;
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
    Exercises(exercises::Args),
    Spool(spool::Args),
    TestCall(test_call::Args),
    Called(called::Args),
    Link(link::Args),

    // Those who are told.
    Desk(desk::Args),
    Ack(ack::Args),
    Tell(tell::Args),

    // The record.
    Audit(audit::Args),
    CallList(call_list::Args),
    Cap(cap::Args),
    Incidents(incidents::Args),
    Proposals(proposals::Args),
    Refusals(refusals::Args),
    Report(report::Args),

    // Services.
    Up(up::Args),
    Router(router::Args),
    Notifier(notifier::Args),
    Console(console::Args),
    Watch(watch::Args),
    Alive(alive::Args),

    // Administrators.
    Setup(setup::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Provision(provision::Args),
    Keys(keys::Args),
    Directory(directory::Args),
    Policy(policy::Args),
    Drill(drill::Args),
    Account(account::Args),
}

impl Command {
    pub(crate) fn manner(&self) -> Manner {
        match self {
            // Services.
            Self::Up(_) | Self::Router(_) | Self::Notifier(_) | Self::Console(_) => Manner::Service,
            Self::Desk(_) => desk::Args::manner(),
            Self::Watch(args) => args.manner(),
            Self::Exercises(args) => args.manner(),

            // All others.
            Self::Publish(_)
            | Self::Spool(_)
            | Self::TestCall(_)
            | Self::Called(_)
            | Self::Link(_)
            | Self::Ack(_)
            | Self::Tell(_)
            | Self::Proposals(_)
            | Self::Audit(_)
            | Self::CallList(_)
            | Self::Cap(_)
            | Self::Incidents(_)
            | Self::Refusals(_)
            | Self::Report(_)
            | Self::Alive(_)
            | Self::Setup(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Provision(_)
            | Self::Keys(_)
            | Self::Directory(_)
            | Self::Policy(_)
            | Self::Drill(_)
            | Self::Account(_) => Manner::Command,
        }
    }

    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self {
            // Those who tell.
            Self::Publish(args) => publish::run(*args).await,
            Self::Exercises(args) => exercises::run(args).await,
            Self::Spool(args) => spool::run(args).await,
            Self::TestCall(args) => Box::pin(test_call::run(args)).await,
            Self::Called(args) => called::run(args).await,
            Self::Link(args) => link::run(args).await,

            // Those who are told.
            Self::Desk(args) => desk::run(args).await,
            Self::Ack(args) => ack::run(args).await,
            Self::Tell(args) => tell::run(args).await,

            // The record.
            Self::Audit(args) => audit::run(args).await,
            Self::CallList(args) => call_list::run(args).await,
            Self::Cap(args) => cap::run(args).await,
            Self::Incidents(args) => incidents::run(args).await,
            Self::Proposals(args) => proposals::run(args).await,
            Self::Refusals(args) => refusals::run(args).await,
            Self::Report(args) => report::run(args).await,

            // Services.
            Self::Up(args) => up::run(args).await,
            Self::Router(args) => router::run(args).await,
            Self::Notifier(args) => notifier::run(args).await,
            Self::Console(args) => console::run(args).await,
            Self::Watch(args) => watch::run(args).await,
            Self::Alive(args) => alive::run(&args),

            // Administrators.
            Self::Setup(args) => setup::run(args).await,
            Self::Backup(args) => backup::run(args).await,
            Self::Restore(args) => restore::run(args).await,
            Self::Provision(args) => provision::run(args).await,
            Self::Keys(args) => keys::run(args).await,
            Self::Directory(args) => directory::run(args).await,
            Self::Policy(args) => policy::run(args).await,
            Self::Drill(args) => drill::run(&args),
            Self::Account(args) => account::run(args).await,
        }
    }
}
