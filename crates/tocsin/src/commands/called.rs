//! `tocsin called`: a person of a publisher logs a telephone call.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use tocsin_protocol::{Call, EventNumber, IncidentId, Person, PublisherId, RecipientId};
use tocsin_publisher::{refusal_of, say_call};

use super::tell::told;
use crate::{
    bus,
    failure::Failure,
    moment::{self, Moment, Side},
    out,
    seed::KeyFile,
};

/// Log a telephone call that you made about an event, with both names
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tocsin called bt-cha-2023-06-25-0624 --to pol-kent --spoke-to \"A. Example\" --their-role \"force duty officer\" \\
      --as bt-cha --key bt-cha.nk --by \"B. Example\" --role \"duty manager\"
  tocsin called bt-cha-2023-06-25-0624 --event 2 --at 06:55 --to fire-kent --number \"+44 1632 960001\" \\
      --spoke-to \"C. Example\" --their-role \"control room supervisor\" \\
      --as bt-cha --key bt-cha.nk --by \"B. Example\" --role \"duty manager\"

Some duties ask for a call besides the notice. It counts from when the bus has it, whatever --at says, and one call is
logged for each event and recipient. It acknowledges nothing for them: they do that.

Exit codes: 0 it stands on the bus; 1 not, or the router refuses it; 2 what was given cannot be used.")]
pub(crate) struct Args {
    /// The incident
    incident: IncidentId,
    /// About which event of it
    #[arg(long, value_name = "N", default_value = "1")]
    event: EventNumber,
    /// Whom you called
    #[arg(long, value_name = "RECIPIENT")]
    to: RecipientId,
    /// Whom you spoke to there: the person's name
    #[arg(long, value_name = "NAME")]
    spoke_to: String,
    /// In which role
    #[arg(long, value_name = "ROLE")]
    their_role: String,
    /// The number that you dialled
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Which of their control rooms answered
    #[arg(long, value_name = "ROOM")]
    control_room: Option<String>,
    /// When you called; now, where it is left out
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// Anything to be kept with it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// As which publisher of the directory
    #[arg(long = "as", value_name = "PUBLISHER", env = "TOCSIN_PUBLISHER")]
    publisher: PublisherId,
    #[command(flatten)]
    key: KeyFile,
    /// Who called: the person's name
    #[arg(long, value_name = "NAME")]
    by: String,
    /// In which role
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// How long to wait whether the router refuses it; it writes nothing for one that counts
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = moment::length)]
    wait: Duration,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let key = args.key.read()?;
    let now = Timestamp::now();
    let at = match args.at {
        Some(moment) => moment.on(Side::Past, now, &TimeZone::system()).map_err(Failure::wrong)?,
        None => now,
    };
    let call = Call {
        incident: args.incident,
        event: args.event,
        publisher: args.publisher,
        recipient: args.to,
        at,
        by: Person { name: args.by, role: args.role },
        spoke_to: Person { name: args.spoke_to, role: args.their_role },
        number: args.number,
        control_room: args.control_room,
        note: args.note,
    };
    let ledger = bus::command("called").await?;
    let spoken = say_call(&ledger, &key, &call).await.map_err(told)?;
    if let Some(refusal) = refusal_of(&ledger, &spoken, args.wait).await? {
        return Err(Failure::failed(format!("the call does not count: {}", refusal.reasons.join("; "))));
    }
    out::line(&format!(
        "Logged: {} of {} about event {} of {}, at {}",
        call.spoke_to.name, call.recipient, call.event, call.incident, spoken.at
    ))
}
