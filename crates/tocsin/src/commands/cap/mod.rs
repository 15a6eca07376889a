//! `tocsin cap`: events as messages of the Common Alerting Protocol, and such messages as drafts of events.

mod export;
mod import;

use clap::Subcommand;

use crate::failure::Failure;

/// Say an event as CAP 1.2, and read a CAP message into the draft of an event
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write an event of an incident as a CAP 1.2 message
    ///
    /// All of it goes out: what CAP has no element for stands in parameters whose names begin with tocsin:, and `tocsin cap
    /// import` makes the same event of them. It is addressed to those who are owed the event, and to nobody else. What is
    /// for the public is on the console's feed.
    #[command(after_help = "Examples:
  tocsin cap export bt-999-2023-06-25
  tocsin cap export bt-999-2023-06-25/3 event-3.xml --domain bt.example
  tocsin cap export bt-999-2023-06-25/3 --edxl
  tocsin cap export bt-999-2023-06-25/3 --acknowledged-by ofcom")]
    Export(export::Args),
    /// Read a CAP 1.2 message into the draft of an event; nothing is published
    ///
    /// The draft goes to standard output, and to standard error what a person must know of it: what is missing, what was
    /// put elsewhere, what was left out. Look at it, mend it, and give it to `tocsin publish`.
    #[command(after_help = "Examples:
  tocsin cap import alert.xml --as bt-cha --category natural-hazard --services 999-voice > draft.json
  tocsin publish draft.json --as bt-cha --key bt-cha.nk

A message that is a draft itself, acknowledges or refuses another, or is about the inner workings of a network becomes
none. Exit code 2 when it cannot be read, or can become no event.")]
    Import(import::Args),
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Export(args) => export::run(args).await,
        What::Import(args) => import::run(args).await,
    }
}
