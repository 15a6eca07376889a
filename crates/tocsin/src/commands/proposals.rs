//! `tocsin proposals`: what may be of one outage, and waits for a person.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use tocsin_desk::clean;
use tocsin_protocol::{Candidate, Proposal, PublisherId, Seen, Status, Trail};
use tocsin_publisher::proposals;

use crate::{bus, failure::Failure, out};

/// List what may be of the same outage and waits for a person to say: reports, and incidents of others
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin proposals --as bt-cha
  tocsin proposals --all

Two trails are proposed when they have the same status, are of different bodies, share a service, touch each other's areas, and
had their newest words within six hours of each other. Answer with `tocsin link`.

A publisher with an account of its own on the bus may read the newest alone; the console shows all.")]
pub(crate) struct Args {
    /// Those for this publisher of the directory alone
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: Option<PublisherId>,
    /// Those that were answered too
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("proposals").await?;
    let read = proposals(&ledger, args.publisher.as_ref()).await?;
    let zone = TimeZone::system();
    let mut shown = 0_usize;
    for (at, proposal) in &read.all {
        let open = read.answers.open(proposal);
        if let Some(candidates) = open {
            out::line(&lines(*at, proposal, &candidates, "", &zone))?;
        } else if args.all {
            let candidates: Vec<_> = proposal.candidates.iter().collect();
            out::line(&lines(*at, proposal, &candidates, " (answered)", &zone))?;
        } else {
            continue;
        }
        shown += 1;
    }
    if read.newest_alone {
        out::line("Only the newest can be read with this account: the console shows all.")?;
    }
    if shown == 0 { out::line("Nothing waits to be linked.") } else { Ok(()) }
}

fn lines(
    at: Timestamp,
    proposal: &Proposal,
    candidates: &[&Candidate],
    answered: &str,
    zone: &TimeZone,
) -> String {
    let at = at.to_zoned_datetime(zone.clone());
    let mut text = format!(
        "{}  for {}{answered}\n    {}",
        at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        proposal.publisher,
        seen(&proposal.of, zone)
    );
    for candidate in candidates {
        let services: Vec<_> = candidate.shared_services.iter().map(ToString::to_string).collect();
        let areas: Vec<_> = candidate.touching_areas.iter().take(5).map(ToString::to_string).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n    may be of the same outage as {}\n      both name {}; {} touches; {} apart",
            seen(&candidate.seen, zone),
            services.join(", "),
            areas.join(", "),
            minutes(candidate.apart_seconds)
        );
    }
    if candidates.is_empty() {
        text.push_str("\n    nothing of yours that is open fits it: publish, or link it when there is");
    }
    text
}

fn seen(seen: &Seen, zone: &TimeZone) -> String {
    let status = match seen.status {
        Status::Actual => "",
        Status::Exercise => "EXERCISE: ",
        Status::Test => "TEST: ",
    };
    let name = match &seen.trail {
        Trail::Incident(trail) => format!("{}/{}", trail.publisher, trail.incident),
        Trail::Report(trail) => format!("{}/{}", trail.body, trail.report),
    };
    let said_at = seen.said_at.to_zoned_datetime(zone.clone());
    let headline = seen.headline.as_deref().unwrap_or("(its marking keeps its words)");
    format!("{name}, said {}: {status}{}", said_at.strftime("%H:%M:%S %Z"), clean::line(headline, 200))
}

fn minutes(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
