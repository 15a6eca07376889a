//! `tocsin refusals`: what was said and does not count, and why.

use jiff::tz::TimeZone;
use tocsin_desk::clean;
use tocsin_protocol::{Entry, IncidentId, Refusal, Stream, Subject, from_body};

use crate::{bus, failure::Failure, out};

/// List what was said on the bus and does not count, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin refusals
  tocsin refusals --incident bt-cha-2023-06-25-0624")]
pub(crate) struct Args {
    /// Of this incident alone
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<IncidentId>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("refusals").await?;
    let all = ledger.entries(Stream::Log, &["tocsin.refusal.>".to_owned()]).await?;
    let zone = TimeZone::system();
    let mut shown = 0_usize;
    for entry in &all {
        let Ok(refusal) = from_body::<Refusal>("refusal", &entry.body) else { continue };
        if args.incident.as_ref().is_some_and(|incident| !is_of(&refusal.subject, incident)) {
            continue;
        }
        out::line(&line(entry, &refusal, &zone))?;
        shown += 1;
    }
    match (shown, &args.incident) {
        (0, Some(incident)) => out::line(&format!("Nothing said of {incident} was refused.")),
        (0, None) => out::line("Nothing was refused."),
        _ => Ok(()),
    }
}

/// Whether a subject names an incident, however wrong the rest of it may be.
fn is_of(subject: &str, incident: &IncidentId) -> bool {
    let mut words = subject.split('.');
    words.next() == Some(Subject::ROOT) && words.nth(2) == Some(incident.as_str())
}

fn line(entry: &Entry, refusal: &Refusal, zone: &TimeZone) -> String {
    let at = entry.time.to_zoned_datetime(zone.clone());
    let reasons: Vec<_> = refusal.reasons.iter().map(|reason| clean::line(reason, 400)).collect();
    format!(
        "{}  {}  {}\n    {}",
        at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        refusal.code.as_str(),
        clean::line(&refusal.subject, 200),
        reasons.join("\n    ")
    )
}
