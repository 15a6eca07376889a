//! `tocsin incidents`: what there is, and what is open.

use jiff::{Timestamp, tz::TimeZone};
use tocsin_audit::{Report, Request};
use tocsin_desk::clean;
use tocsin_protocol::Status;

use crate::{bus, failure::Failure, out};

/// List the incidents on the bus: who said them, how many events, what is open, who is silent
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin incidents

The newest stands last. `tocsin report INCIDENT` tells all of one.")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args) -> Result<(), Failure> {
    let ledger = bus::command("incidents").await?;
    let evidence = tocsin_audit::read(&ledger, None).await?;
    let now = Timestamp::now();
    let mut reports = Vec::new();
    for incident in evidence.incidents() {
        reports.push(evidence.report(incident, Request { as_of: Some(now), ..Request::default() })?);
    }
    reports.sort_by_key(|report| report.incident.published_at);
    if reports.is_empty() {
        return out::line("No incident has been published on this bus.");
    }
    let zone = TimeZone::system();
    for report in &reports {
        out::line(&lines(report, &zone))?;
    }
    Ok(())
}

/// Three lines of one incident.
fn lines(report: &Report, zone: &TimeZone) -> String {
    let incident = &report.incident;
    let status = match incident.status {
        Status::Actual => "",
        Status::Exercise => "EXERCISE: ",
        Status::Test => "TEST: ",
    };
    let last = report.events.last();
    let headline = last.map_or(&incident.headline, |event| &event.headline);
    let course = incident.course.map(|course| format!(", {}", course.as_str())).unwrap_or_default();
    let events = match report.events.len() {
        1 => "1 event".to_owned(),
        n => format!("{n} events"),
    };
    let at = incident.published_at.to_zoned_datetime(zone.clone());
    let totals = &report.totals;
    let asked = totals.asked;
    let acknowledged = totals.acknowledged_in_time + totals.acknowledged_late;
    let silent = totals.never - totals.open - totals.excused;
    format!(
        "{}  {}\n    {status}{}\n    by {}, {events}{course}; {acknowledged} of {asked} acknowledged ({} late), {} still in time to, {silent} silent, {} e-mails accepted",
        incident.id,
        at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        clean::line(headline, 100),
        incident.publisher,
        totals.acknowledged_late,
        totals.open,
        totals.mails_accepted,
    )
}
