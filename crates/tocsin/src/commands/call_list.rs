//! `tocsin call-list`: whom to telephone.

use std::{fs, path::PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;
use tocsin_audit::{
    CallListRequest, Error, gather,
    render::{call_list_html, call_list_json, call_list_pdf, call_list_text},
};
use tocsin_protocol::{IncidentId, PublisherId};

use crate::{bus, failure::Failure, out};

/// List whom to telephone: who must acknowledge and has not, their numbers, and what became of their mails, the most
/// urgent first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin call-list bt-cha-2023-06-25-0624
  tocsin call-list --all --pdf calls.pdf
  tocsin call-list --all --bundle everything.bundle

It needs neither router nor mail, only the record: from the bus, or from a file of `tocsin audit export` when there is no
bus. Numbers are those of the directory in force now. The list has room to write who was spoken to, in which role, and when.")]
pub(crate) struct Args {
    /// The incident, as `tocsin incidents` lists it; left out with --all
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    incident: Option<IncidentId>,
    /// Every incident
    #[arg(long)]
    all: bool,
    /// The incidents that this publisher published, alone
    #[arg(long, value_name = "PUBLISHER", conflicts_with = "incident")]
    publisher: Option<PublisherId>,
    /// Read this file of `tocsin audit export` instead of the bus
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Print to this PDF file, A4, for the desk
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pdf: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal, or a printer that takes text.
    #[default]
    Text,
    /// For programs, by schemas/call-list.schema.json.
    Json,
    /// One self-contained page.
    Html,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let (evidence, as_of) = if let Some(file) = &args.bundle {
        let bundle = super::audit::read(file)?;
        // What a file holds is as of its last entry: nothing is known of what came after.
        (gather(bundle.entries.iter().map(|proven| &proven.entry), None), None)
    } else {
        let ledger = bus::command("call-list").await?;
        (tocsin_audit::read(&ledger, None).await?, Some(Timestamp::now()))
    };
    let request =
        CallListRequest { incident: args.incident.clone(), publisher: args.publisher.clone(), as_of };
    let list = evidence.call_list(&request).map_err(|why| match why {
        Error::UnknownIncident { .. } => Failure::input(&why),
        other => other.into(),
    })?;
    let Some(file) = &args.pdf else {
        return out::text(&match args.format {
            Format::Text => call_list_text(&list),
            Format::Json => call_list_json(&list)? + "\n",
            Format::Html => call_list_html(&list)?,
        });
    };
    fs::write(file, call_list_pdf(&list)?).map_err(|why| {
        Failure::failed(format!(
            "cannot write the call list to {}: {why}; choose another --pdf",
            file.display()
        ))
    })?;
    out::note(&format!("The call list is in {}", file.display()));
    Ok(())
}
