//! An event that stands on the bus, or its acknowledgement, as CAP.

use std::{path::PathBuf, str::FromStr};

use jiff::tz::TimeZone;
use tocsin_exchange::{
    cap::{self, Alert, Audience, Named, Told},
    edxl,
};
use tocsin_ledger::Ledger;
use tocsin_protocol::{
    AuthorKey, DirectoryDocument, Dispatch, Entry, Event, EventNumber, IncidentId, Receipt, RecipientId,
    Stream, Subject, from_body,
};

use crate::{bus, commands::directory, failure::Failure, out};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The incident, and which event of it [default: the newest]
    #[arg(value_name = "INCIDENT[/N]")]
    which: Which,
    /// The file to write [default: standard output]
    file: Option<PathBuf>,
    /// In an envelope of the EDXL Distribution Element 1.0
    #[arg(long)]
    edxl: bool,
    /// What makes senders unique in the world: bt-cha is then bt-cha@DOMAIN
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    domain: Option<String>,
    /// The acknowledgement of the event by this recipient (msgType Ack), instead of the event
    #[arg(long, value_name = "RECIPIENT")]
    acknowledged_by: Option<RecipientId>,
}

/// An incident, or one event of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Which {
    incident: IncidentId,
    event: Option<EventNumber>,
}

impl FromStr for Which {
    type Err = tocsin_protocol::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (incident, event) = match text.split_once('/') {
            Some((incident, event)) => (incident, Some(event.parse()?)),
            None => (text, None),
        };
        Ok(Self { incident: incident.parse()?, event })
    }
}

/// A domain has nothing in it that may not stand in a CAP sender.
fn domain(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !text.is_empty() && text.len() <= 253 && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("use a domain, such as operator.example".to_owned())
    }
}

/// An event that counts, as the router's dispatch says.
struct Counted {
    event: Event,
    told: Told,
    dispatch: Dispatch,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let ledger = bus::command("cap").await?;
    let (_, document) = directory::in_force(&ledger).await?;
    let all = counted(&ledger, &args.which.incident).await?;
    let at = match args.which.event {
        None => all.len().checked_sub(1),
        Some(number) => all.iter().position(|one| one.event.sequence == number),
    };
    let Some(one) = at.and_then(|at| all.get(at)) else {
        return Err(Failure::failed(format!(
            "no such event has been dispatched on this bus: `tocsin incidents` lists what there is ({})",
            args.which.incident
        )));
    };
    let zone = TimeZone::get(&document.time_zone).unwrap_or(TimeZone::UTC);
    let named = Named {
        zone: &zone,
        domain: args.domain.as_deref(),
        publisher: &|id| {
            let known = document.publishers.iter().find(|publisher| publisher.id == *id);
            known.map_or_else(|| id.to_string(), |publisher| publisher.name.clone())
        },
        area: &|id| {
            let known = document.areas.iter().find(|area| area.id == *id);
            known.map_or_else(|| id.to_string(), |area| area.name.clone())
        },
    };
    let alert = match &args.acknowledged_by {
        None => {
            let earlier: Vec<Told> =
                all.iter().map(|other| other.told).filter(|told| told.event < one.event.sequence).collect();
            cap::export(&one.event, one.told.at, &earlier, &audience(&one.dispatch), &named)
        }
        Some(recipient) => acknowledged(&ledger, &document, one, recipient, &named).await?,
    };
    let xml = if args.edxl { edxl::envelope(&alert) } else { alert.to_xml() };
    match args.file {
        None => out::text(&xml),
        Some(file) => std::fs::write(&file, xml)
            .map_err(|why| Failure::failed(format!("cannot write {}: {why}", file.display()))),
    }
}

/// Those who are owed it, each once.
fn audience(dispatch: &Dispatch) -> Audience {
    let mut all: Vec<RecipientId> = Vec::new();
    for recipient in dispatch.owed.iter().flat_map(|owed| &owed.recipients) {
        if !all.contains(recipient) {
            all.push(recipient.clone());
        }
    }
    Audience::Private(all)
}

/// The events of an incident that count, in order: the router's dispatch names the message of each.
async fn counted(ledger: &Ledger, incident: &IncidentId) -> Result<Vec<Counted>, Failure> {
    let log = ledger.entries(Stream::Log, &[format!("tocsin.dispatch.*.{incident}.*")]).await?;
    let said = ledger.entries(Stream::Said, &[format!("tocsin.incident.*.{incident}.*")]).await?;
    let mut all = Vec::new();
    for dispatch in log.iter().filter_map(|entry| from_body::<Dispatch>("dispatch", &entry.body).ok()) {
        let Some(entry) = said.iter().find(|entry| entry.sequence == dispatch.said) else { continue };
        let event: Event = from_body("event", &entry.body)?;
        let told = Told { event: event.sequence, at: entry.time };
        all.push(Counted { event, told, dispatch });
    }
    all.sort_by_key(|one| one.event.sequence);
    Ok(all)
}

/// The acknowledgement of that very event which counts.
async fn acknowledged(
    ledger: &Ledger,
    document: &DirectoryDocument,
    one: &Counted,
    recipient: &RecipientId,
    named: &Named<'_>,
) -> Result<Alert, Failure> {
    let (incident, number) = (&one.event.incident, one.event.sequence);
    let subject = format!("tocsin.receipt.{recipient}.{incident}.{number}.acknowledged");
    let keys: Vec<AuthorKey> = document
        .recipients
        .iter()
        .filter(|entry| entry.id == *recipient)
        .filter_map(|entry| entry.key.as_deref())
        .chain(document.console_key.as_deref())
        .filter_map(|key| AuthorKey::new(key).ok())
        .collect();
    let is_signed = |entry: &Entry| {
        let signed = entry.signed.as_ref();
        signed.is_some_and(|signed| {
            keys.iter().any(|key| key.verify(&entry.subject, &entry.body, signed).is_ok())
        })
    };
    for entry in ledger.entries(Stream::Said, &[subject]).await?.iter().filter(|entry| is_signed(entry)) {
        if ledger.last(&Subject::refusal(&entry.subject, entry.sequence)).await?.is_some() {
            continue;
        }
        let receipt: Receipt = from_body("receipt", &entry.body)?;
        if let Some(ack) = cap::acknowledgement(&receipt, entry.time, &one.event, one.told, named) {
            return Ok(ack);
        }
    }
    Err(Failure::failed(format!(
        "{recipient} has not acknowledged event {number} of {incident} itself; see `tocsin report {incident}` for which it has"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_by_its_incident_and_number() {
        let which: Which = "bt-999-2023-06-25/3".parse().unwrap();
        assert_eq!(
            (which.incident.as_str(), which.event.map(EventNumber::get)),
            ("bt-999-2023-06-25", Some(3))
        );
        assert_eq!("x".parse::<Which>().unwrap().event, None);
        for bad in ["", "x/", "x/0", "x/y", "X", "x/1/2", "/1"] {
            assert!(bad.parse::<Which>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_domain_is_a_domain() {
        assert!(domain("operator.example").is_ok());
        for bad in ["", "a b", "a,b", "a<b", "a&b"] {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }
}
