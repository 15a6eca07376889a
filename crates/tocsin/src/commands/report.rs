//! `tocsin report`: who knew what, when.

use std::{fs, path::PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;
use tocsin_audit::{
    Error, Request,
    render::{View, csv, html, json, table},
};
use tocsin_protocol::IncidentId;

use crate::{bus, failure::Failure, out};

/// Tell who was told of an incident, when, who acknowledged in time, and who was written to
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin report bt-cha-2023-06-25-0624
  tocsin report bt-cha-2023-06-25-0624 --format html --out report.html
  tocsin report bt-cha-2023-06-25-0624 --format json | jq .totals

Every time is the broker's, every signature is verified anew, and what does not hold is told.
JSON follows schemas/timeliness-report.schema.json.")]
pub(crate) struct Args {
    /// The incident, as `tocsin incidents` lists it
    incident: IncidentId,
    /// How it is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Into this file, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    #[default]
    Table,
    /// For programs.
    Json,
    /// One line for each event, recipient and e-mail.
    Csv,
    /// One self-contained page with a timeline.
    Html,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("report").await?;
    let evidence = tocsin_audit::read(&ledger, Some(&args.incident)).await?;
    let request = Request { as_of: Some(Timestamp::now()), comparison: None };
    let report = evidence.report(&args.incident, request).map_err(|why| match why {
        Error::UnknownIncident { .. } => Failure::input(&why),
        other => other.into(),
    })?;
    let view = View { replay: None };
    let text = match args.format {
        Format::Table => table(&report, &view),
        Format::Json => json(&report)? + "\n",
        Format::Csv => csv(&report)?,
        Format::Html => html(&report, &view)?,
    };
    let Some(file) = args.out else { return out::text(&text) };
    fs::write(&file, text).map_err(|why| {
        Failure::failed(format!("cannot write the report to {}: {why}; choose another --out", file.display()))
    })?;
    out::note(&format!("The report is in {}", file.display()));
    Ok(())
}
