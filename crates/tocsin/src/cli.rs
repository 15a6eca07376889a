//! The arguments that every command takes.

use clap::Parser;

use crate::{commands::Command, logging::Logging};

/// The alarm bus between the operator of an emergency call service and everyone who must know when it fails.
#[derive(Debug, Parser)]
#[command(
    name = "tocsin",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = "The bus is found by these variables:
  NATS_URL           one or more servers, separated by commas [default: nats://127.0.0.1:4222]
  NATS_NKEY          an NKey seed file to log in with
  NATS_CREDS         a NATS credentials file, instead of NATS_NKEY
  NATS_CA            a PEM file of root certificates to trust, beside those of the system
  NATS_CERT, NATS_KEY  this client's certificate and its private key, as PEM files
  NATS_INBOX_PREFIX  the prefix of reply subjects, where this user may not use _INBOX
  NATS_JS_API_PREFIX  the prefix of JetStream requests, where this user has them under another than $JS.API

Secrets come from files that only their owner may read, and never from a variable or an option. A file that tocsin cannot
open is looked for, by its name, among the credentials that systemd hands a service: with NATS_NKEY=/etc/tocsin/bt-cha.nk,
`LoadCredential=bt-cha.nk:/etc/tocsin/bt-cha.nk` in its unit. The same holds for --key, and for password_file and key in
a configuration.

With TOCSIN_TRUST (or --trust, or [trust] of a configuration) the directory's directory_key is known from elsewhere: a
service does nothing under a directory that does not stand under it.

Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn each(command: &clap::Command, told: &mut impl FnMut(&clap::Command)) {
        told(command);
        command.get_subcommands().filter(|c| c.get_name() != "help").for_each(|c| each(c, told));
    }

    #[test]
    fn the_commands_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        each(&Cli::command(), &mut |command| {
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                let example = format!("tocsin {}", command.get_name());
                assert!(help.contains("Example") && help.contains("tocsin "), "{example}: {help}");
            }
        });
    }
}
