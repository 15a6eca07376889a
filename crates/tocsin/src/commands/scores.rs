//! `tocsin audit exercises`: how each recipient did in the exercises of a period.

use std::{fs, path::PathBuf};

use clap::ValueEnum;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use tocsin_audit::{
    Error, PeriodRequest,
    render::{scores_csv, scores_html, scores_json, scores_table},
};
use tocsin_protocol::PublisherId;

use crate::{bus, failure::Failure, out};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first day, such as 2026-01-01 [default: a year before the last]
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<Date>,
    /// The exercises that this publisher published, alone
    #[arg(long, value_name = "PUBLISHER")]
    publisher: Option<PublisherId>,
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
    /// For programs, by schemas/exercise-scores.schema.json.
    Json,
    /// One line for each recipient, and for each of its exercises.
    Csv,
    /// One self-contained page.
    Html,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("audit").await?;
    let now = Timestamp::now();
    let to = args.to.unwrap_or_else(|| now.to_zoned_datetime(TimeZone::UTC).date());
    let from = match args.from {
        Some(from) => from,
        None => to.checked_sub(1.year()).map_err(|_| Failure::wrong("give a later --to"))?,
    };
    let request =
        PeriodRequest { as_of: Some(now), publisher: args.publisher, ..PeriodRequest::new(from, to) };
    let scores = tocsin_audit::read(&ledger, None).await?.exercises(&request).map_err(|why| match why {
        Error::Period { .. } => Failure::input(&why),
        other => other.into(),
    })?;
    let text = match args.format {
        Format::Table => scores_table(&scores),
        Format::Json => scores_json(&scores)? + "\n",
        Format::Csv => scores_csv(&scores)?,
        Format::Html => scores_html(&scores)?,
    };
    let Some(file) = args.out else { return out::text(&text) };
    fs::write(&file, text).map_err(|why| {
        Failure::failed(format!("cannot write the scores to {}: {why}; choose another --out", file.display()))
    })?;
    out::note(&format!("The scores are in {}", file.display()));
    Ok(())
}
