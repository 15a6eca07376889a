//! `tocsin ack`: acknowledges from a script or a shell.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use tocsin_desk::{Acknowledge, Desk, Error};
use tocsin_protocol::{EventNumber, IncidentId, Person, ReceiptMethod, RecipientId};

use crate::{bus, failure::Failure, moment, out, seed::KeyFile};

/// Acknowledge an incident for a recipient, in the name of a person
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin ack bt-cha-2023-06-25-0624 --as pol-kent --key pol-kent.nk \\
      --by \"A. Example\" --role \"control room supervisor\"

An acknowledgement of an event covers every earlier one of its incident. Given twice, it ends as one. Late ones count,
as late.

Exit codes: 0 acknowledged; 1 not, or the router refuses it; 2 what was given cannot be used.")]
pub(crate) struct Args {
    /// The incident
    incident: IncidentId,
    /// For which recipient of the directory
    #[arg(long = "as", value_name = "RECIPIENT", env = "TOCSIN_RECIPIENT")]
    recipient: RecipientId,
    #[command(flatten)]
    key: KeyFile,
    /// Who acknowledges: the person's name
    #[arg(long, value_name = "NAME")]
    by: String,
    /// In which role
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Which event [default: the newest that this recipient was told of]
    #[arg(long, value_name = "N")]
    event: Option<EventNumber>,
    /// For whom, when a deputy or another body acknowledges
    #[arg(long, value_name = "TEXT")]
    on_behalf_of: Option<String>,
    /// Anything to be kept with it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// The control room
    #[arg(long, value_name = "NAME")]
    control_room: Option<String>,
    /// How long to wait whether the router refuses it; it writes nothing for one that counts
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = moment::length)]
    wait: Duration,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.read()?;
    let mut desk = Desk::new(bus::command("ack").await?, args.recipient, key)?;
    if let Some(room) = args.control_room {
        desk = desk.in_control_room(room);
    }
    let what = Acknowledge {
        by: Person { name: args.by, role: args.role },
        method: ReceiptMethod::Command,
        on_behalf_of: args.on_behalf_of,
        note: args.note,
    };
    let acknowledged = desk.acknowledge(&args.incident, args.event, &what).await.map_err(told)?;
    if let Some(refusal) = desk.refusal(&acknowledged, args.wait).await? {
        return Err(Failure::failed(format!(
            "the acknowledgement does not count: {}",
            refusal.reasons.join("; ")
        )));
    }
    out::line(&acknowledged.told(Timestamp::now(), &TimeZone::system()))
}

/// What the person gave cannot be used, or it could not be done.
pub(super) fn told(error: Error) -> Failure {
    match error {
        Error::Invalid { .. } | Error::NoNotice { .. } => Failure::input(&error),
        other => other.into(),
    }
}
