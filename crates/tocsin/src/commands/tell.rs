//! `tocsin tell`: a body reports up what it sees.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use tocsin_protocol::{
    Alert, AreaId, BodyId, EventContact, Person, Report, ReportId, ReportSays, ReportSource, Service, Status,
};
use tocsin_publisher::{Error, refusal_of, say_report};

use crate::{
    bus,
    failure::Failure,
    moment::{self, Moment, Side},
    out,
    seed::KeyFile,
};

/// Report what you see of a service to those who answer for it: "no 999 call has reached us since 06:25"
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin tell --as pol-kent --key pol-kent.nk --services 999-voice --areas kent \\
      --headline \"No 999 call has reached us since 06:25\" --seen-at 06:25 \\
      --by \"A. Example\" --role \"control room supervisor\"
  tocsin tell --as pol-kent --key pol-kent.nk --services 999-voice --areas kent --restored --adds-to kent-1 \\
      --headline \"999 calls reach us again\" --by \"A. Example\" --role \"control room supervisor\"

Any body of the directory may report of its own areas. A report is evidence and no incident: it tells nobody by itself. It
is proposed to the publishers of those areas, who say whether it is of an outage of theirs (`tocsin proposals`).

Exit codes: 0 it stands on the bus; 1 not, or the router refuses it; 2 what was given cannot be used.")]
pub(crate) struct Args {
    /// As which body of the directory
    #[arg(long = "as", value_name = "BODY", env = "TOCSIN_RECIPIENT")]
    body: BodyId,
    #[command(flatten)]
    key: KeyFile,
    /// Which services, separated by commas: 999-voice, 112-voice, ecall, emergency-sms, text-relay, ...
    #[arg(long, value_name = "WORDS", value_delimiter = ',', required = true)]
    services: Vec<Service>,
    /// Which areas, separated by commas: your own, or parts of them
    #[arg(long, value_name = "AREAS", value_delimiter = ',', required = true)]
    areas: Vec<AreaId>,
    /// One line that tells it
    #[arg(long, value_name = "TEXT")]
    headline: String,
    /// More about it: how it shows, since when, what you have tried
    #[arg(long, value_name = "TEXT")]
    what: Option<String>,
    /// When it was seen: 06:25 (the last that has been), or a full time with its offset [default: now]
    #[arg(long, value_name = "TIME")]
    seen_at: Option<Moment>,
    /// Who says it: the person's name
    #[arg(long, value_name = "NAME", requires = "role")]
    by: Option<String>,
    /// In which role
    #[arg(long, value_name = "ROLE", requires = "by")]
    role: Option<String>,
    /// Who saw it: people at an agency, a machine (monitoring), or people at an operator
    #[arg(long, value_name = "WORD", default_value = "agency", value_parser = source)]
    source: ReportSource,
    /// actual, exercise or test
    #[arg(long, value_name = "WORD", default_value = "actual")]
    status: Status,
    /// How many calls you know to be lost
    #[arg(long, value_name = "N")]
    calls_lost: Option<u64>,
    /// An earlier report of yours that this adds to
    #[arg(long, value_name = "REPORT")]
    adds_to: Option<ReportId>,
    /// The service is there again
    #[arg(long, requires = "adds_to")]
    restored: bool,
    /// Who answers questions about it now: the role or desk
    #[arg(long, value_name = "TEXT")]
    contact_role: Option<String>,
    /// Its telephone
    #[arg(long, value_name = "NUMBER", requires = "contact_role")]
    contact_phone: Option<String>,
    #[command(flatten)]
    alert: AlertArgs,
    /// Your own name for the report, by which the same said twice is one [default: made of the time]
    #[arg(long, value_name = "REPORT")]
    id: Option<ReportId>,
    /// How long to wait whether the router refuses it; it writes nothing for one that counts
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = moment::length)]
    wait: Duration,
}

/// What a machine's alert is known by: a publisher's rule goes by it.
#[derive(Debug, Default, clap::Args)]
struct AlertArgs {
    /// Of a machine: the same whenever the same alert fires
    #[arg(long, value_name = "TEXT")]
    fingerprint: Option<String>,
    /// Of a machine: a label of the alert, once for each
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

impl AlertArgs {
    fn of(self) -> Option<Alert> {
        let Self { fingerprint, labels } = self;
        let told = fingerprint.is_some() || !labels.is_empty();
        told.then(|| Alert { monitor: None, fingerprint, labels: labels.into_iter().collect() })
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as severity=critical")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn source(text: &str) -> Result<ReportSource, String> {
    match text {
        "agency" => Ok(ReportSource::Agency),
        "monitoring" => Ok(ReportSource::Monitoring),
        "operator" => Ok(ReportSource::Operator),
        _ => Err("use one of agency, monitoring, operator".to_owned()),
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.read()?;
    let wait = args.wait;
    let report = report(args, Timestamp::now())?;
    let ledger = bus::command("tell").await?;
    let spoken = say_report(&ledger, &key, &report).await.map_err(told)?;
    if let Some(refusal) = refusal_of(&ledger, &spoken, wait).await? {
        return Err(Failure::failed(format!("the report does not count: {}", refusal.reasons.join("; "))));
    }
    let at = spoken.at.to_zoned_datetime(TimeZone::system());
    out::line(&format!(
        "Reported at {}: {} of {}. What is new goes in another: --adds-to {}",
        at.strftime("%H:%M:%S %Z"),
        report.report,
        report.body,
        report.report
    ))
}

fn report(args: Args, now: Timestamp) -> Result<Report, Failure> {
    let seen_at = args.seen_at.map(|at| at.on(Side::Past, now, &TimeZone::system())).transpose();
    let observed_at = seen_at.map_err(|why| Failure::wrong(format!("--seen-at: {why}")))?.unwrap_or(now);
    let id = match args.id {
        Some(id) => id,
        None => ReportId::new(&made_of(now)).map_err(|error| Failure::input(&error))?,
    };
    Ok(Report {
        report: id,
        body: args.body,
        status: args.status,
        says: if args.restored { ReportSays::Restored } else { ReportSays::Failing },
        observed_at,
        services: args.services,
        areas: args.areas,
        headline: args.headline,
        source: args.source,
        what: args.what,
        adds_to: args.adds_to,
        calls_lost: args.calls_lost,
        contact: args.contact_role.map(|role| EventContact {
            role,
            name: None,
            phone: args.contact_phone,
            email: None,
            bridge: None,
        }),
        by: args.by.zip(args.role).map(|(name, role)| Person { name, role }),
        alert: args.alert.of(),
    })
}

/// A name made of a time, down to the millisecond.
pub(super) fn made_of(now: Timestamp) -> String {
    let at = now.strftime("%Y-%m-%d-%H%M%S");
    format!("{at}-{:03}", now.subsec_millisecond())
}

/// What the person gave cannot be used, or it could not be done.
pub(super) fn told(error: Error) -> Failure {
    match error {
        Error::Unfit { .. } => Failure::input(&error),
        other => other.into(),
    }
}
