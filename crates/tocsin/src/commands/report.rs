//! `tocsin report`: who knew what, when.

use std::{fs, path::PathBuf};

use clap::ValueEnum;
use jiff::{Timestamp, civil::Date};
use tocsin_audit::{
    Error, PeriodRequest, Request,
    render::{
        View, csv, html, json, pdf, period_csv, period_html, period_json, period_pdf, period_table, table,
    },
};
use tocsin_ledger::Ledger;
use tocsin_protocol::{IncidentId, PublisherId, Status};

use crate::{bus, failure::Failure, out};

/// Tell who was told of an incident, when, who acknowledged in time, and who was written to; or how timely everybody was
/// between two days
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin report bt-cha-2023-06-25-0624
  tocsin report bt-cha-2023-06-25-0624 --format html --out report.html
  tocsin report bt-cha-2023-06-25-0624 --format json | jq .totals
  tocsin report --from 2026-01-01 --to 2026-06-30
  tocsin report --from 2026-01-01 --to 2026-06-30 --status exercise --format html --out exercises.html

Every time is the broker's, every signature is verified anew, and what does not hold is told.
Days are those of the directory's time zone, and both are included. Actual incidents, exercises and tests are never
counted together.
JSON follows schemas/timeliness-report.schema.json and schemas/period-report.schema.json.")]
pub(crate) struct Args {
    /// The incident, as `tocsin incidents` lists it; left out with --from and --to
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    incident: Option<IncidentId>,
    /// The first day of a period, such as 2026-01-01
    #[arg(long, value_name = "DAY", requires = "to")]
    from: Option<Date>,
    /// The last day of the period
    #[arg(long, value_name = "DAY", requires = "from")]
    to: Option<Date>,
    /// Which incidents of the period: actual, exercise or test
    #[arg(long, value_name = "STATUS", default_value_t = Status::Actual, requires = "from")]
    status: Status,
    /// The incidents of the period that this publisher published, alone
    #[arg(long, value_name = "PUBLISHER", requires = "from")]
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
    /// For programs.
    Json,
    /// One line for each event, recipient and e-mail.
    Csv,
    /// One self-contained page with a timeline.
    Html,
    /// A tagged file to print or to keep: give --out, or send it on.
    Pdf,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("report").await?;
    let document = match (&args.incident, args.from, args.to) {
        (Some(incident), ..) => of_incident(&ledger, incident, args.format).await?,
        (None, Some(from), Some(to)) => {
            let as_of = Some(Timestamp::now());
            let (status, publisher) = (args.status, args.publisher.clone());
            let request = PeriodRequest { status, as_of, publisher, ..PeriodRequest::new(from, to) };
            of_period(&ledger, &request, args.format).await?
        }
        _ => return Err(Failure::wrong("name an incident, or give --from and --to")),
    };
    let Some(file) = args.out else { return out::bytes(&document) };
    fs::write(&file, document).map_err(|why| {
        Failure::failed(format!("cannot write the report to {}: {why}; choose another --out", file.display()))
    })?;
    out::note(&format!("The report is in {}", file.display()));
    Ok(())
}

async fn of_incident(ledger: &Ledger, incident: &IncidentId, format: Format) -> Result<Vec<u8>, Failure> {
    let evidence = tocsin_audit::read(ledger, Some(incident)).await?;
    let request = Request { as_of: Some(Timestamp::now()), ..Request::default() };
    let report = evidence.report(incident, request).map_err(input)?;
    let view = View { replay: None };
    Ok(match format {
        Format::Table => table(&report, &view).into_bytes(),
        Format::Json => (json(&report)? + "\n").into_bytes(),
        Format::Csv => csv(&report)?.into_bytes(),
        Format::Html => html(&report, &view)?.into_bytes(),
        Format::Pdf => pdf(&report, &view)?,
    })
}

async fn of_period(ledger: &Ledger, request: &PeriodRequest, format: Format) -> Result<Vec<u8>, Failure> {
    let evidence = tocsin_audit::read(ledger, None).await?;
    let report = evidence.period(request).map_err(input)?;
    Ok(match format {
        Format::Table => period_table(&report).into_bytes(),
        Format::Json => (period_json(&report)? + "\n").into_bytes(),
        Format::Csv => period_csv(&report)?.into_bytes(),
        Format::Html => period_html(&report)?.into_bytes(),
        Format::Pdf => period_pdf(&report)?,
    })
}

/// What was asked for, and not how it was tried, is at fault.
fn input(why: Error) -> Failure {
    match why {
        Error::UnknownIncident { .. } | Error::Period { .. } => Failure::input(&why),
        other => other.into(),
    }
}
