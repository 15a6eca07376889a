//! `tocsin link`: a person says whether two trails are of one outage.

use std::time::Duration;

use jiff::Timestamp;
use tocsin_protocol::{
    BodyId, IncidentId, LinkAnswer, LinkId, Linking, Person, PublisherId, ReportId, Trail,
};
use tocsin_publisher::{refusal_of, say_link};

use super::tell::{made_of, told};
use crate::{bus, failure::Failure, moment, out, seed::KeyFile};

/// Say whether an incident of yours and a report, or another's incident, are of the same outage
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin link bt-cha-2023-06-25-0624 --with-report pol-kent/2023-06-25-053107-412 --as bt-cha --key bt-cha.nk \\
      --by \"B. Example\" --role \"duty manager\"
  tocsin link bt-cha-2023-06-25-0624 --with-incident example-mobile/fibre-cut-leeds --not-the-same \\
      --note \"Their fibre was cut at 03:10\" --as bt-cha --key bt-cha.nk --by \"B. Example\" --role \"duty manager\"

Nothing is merged: both trails stay as they are, and the reports of both show the link. The newest word on the same two
holds. What waits for such a word: tocsin proposals --as bt-cha

Exit codes: 0 it stands on the bus; 1 not, or the router refuses it; 2 what was given cannot be used.")]
pub(crate) struct Args {
    /// Your incident
    incident: IncidentId,
    /// A report, as BODY/REPORT
    #[arg(long, value_name = "BODY/REPORT", value_parser = report, required_unless_present = "with_incident")]
    with_report: Option<Trail>,
    /// Another's incident, as PUBLISHER/INCIDENT
    #[arg(long, value_name = "PUBLISHER/INCIDENT", value_parser = incident, conflicts_with = "with_report")]
    with_incident: Option<Trail>,
    /// They are not of the same outage: say why with --note
    #[arg(long, requires = "note")]
    not_the_same: bool,
    /// Anything to be kept with it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// As which publisher of the directory
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: PublisherId,
    #[command(flatten)]
    key: KeyFile,
    /// Who says so: the person's name
    #[arg(long, value_name = "NAME")]
    by: String,
    /// In which role
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// How long to wait whether the router refuses it; it writes nothing for one that counts
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = moment::length)]
    wait: Duration,
}

fn halves(text: &str) -> Result<(&str, &str), String> {
    text.split_once('/')
        .ok_or_else(|| format!("expected two names with a stroke between them, found {text:?}"))
}

fn report(text: &str) -> Result<Trail, String> {
    let (body, report) = halves(text)?;
    let body = body.parse::<BodyId>().map_err(|why| why.to_string())?;
    Ok(Trail::report(body, report.parse::<ReportId>().map_err(|why| why.to_string())?))
}

fn incident(text: &str) -> Result<Trail, String> {
    let (publisher, incident) = halves(text)?;
    let publisher = publisher.parse::<PublisherId>().map_err(|why| why.to_string())?;
    Ok(Trail::incident(publisher, incident.parse::<IncidentId>().map_err(|why| why.to_string())?))
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.read()?;
    let with = args.with_report.or(args.with_incident);
    let with = with.ok_or_else(|| Failure::wrong("give --with-report or --with-incident"))?;
    let now = Timestamp::now();
    let linking = Linking {
        link: LinkId::new(&made_of(now)).map_err(|error| Failure::input(&error))?,
        publisher: args.publisher,
        incident: args.incident,
        with,
        answer: if args.not_the_same { LinkAnswer::NotTheSame } else { LinkAnswer::Same },
        at: now,
        by: Person { name: args.by, role: args.role },
        note: args.note,
    };
    let ledger = bus::command("link").await?;
    let spoken = say_link(&ledger, &key, &linking).await.map_err(told)?;
    if let Some(refusal) = refusal_of(&ledger, &spoken, args.wait).await? {
        return Err(Failure::failed(format!("the link does not count: {}", refusal.reasons.join("; "))));
    }
    let words = match linking.answer {
        LinkAnswer::Same => "is of the same outage as",
        LinkAnswer::NotTheSame => "is not of the same outage as",
    };
    out::line(&format!("Said: incident {} {words} {}", linking.incident, linking.with))
}
