//! The command line: it parses, wires and prints. No rules live here. It may touch files, the terminal and the
//! environment, and through the crates that it wires whatever they may touch.
//!
//! Each command is a module of [`commands`]: its arguments and `run`. What they share has a module each: how to reach
//! the bus ([`bus`]), what systemd is told ([`systemd`]) and a container's engine sees ([`alive`]), seed files ([`seed`], [`keys`]), signals ([`shutdown`]), the configuration ([`config`]), the bus of `tocsin up` ([`own_server`]), a
//! directory's files ([`directory_file`]), the key that it must stand under ([`trust`]), the log ([`logging`]), output ([`out`]), and
//! what a failure looks like to a person and to a script ([`failure`]).

mod alive;
mod bus;
mod cli;
mod commands;
mod config;
mod directory_file;
mod failure;
mod hands;
mod keys;
mod logging;
mod moment;
mod out;
mod own_server;
mod press;
mod reload;
mod reports;
mod seed;
mod shutdown;
mod systemd;
mod terminal;
mod trust;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::Cli,
    commands::Manner,
    failure::{Exit, Failure},
};

fn main() -> ExitCode {
    // Before anything may open a connection. An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let told = logging::start(&cli.logging, cli.command.manner()).and_then(|()| run(cli));
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit().into()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match cli.command.manner() {
            // It ends its work by itself: see `shutdown`.
            Manner::Service => Box::pin(cli.command.run()).await,
            Manner::Command => tokio::select! {
                ended = cli.command.run() => ended,
                () = shutdown::interrupted() => Err(Failure::told(Exit::Interrupted)),
            },
        }
    });
    // A read of a terminal or pipe that nobody ends must not keep the process.
    runtime.shutdown_background();
    ended
}
