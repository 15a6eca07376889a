//! What the bus knows already: the directory in force, and the events of an incident.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_duty::{Directory, Fold, Held, Pin, Verdict};
use tocsin_ledger::{Error as LedgerError, Ledger};
use tocsin_protocol::{
    AuthorKey, DirectoryDocument, Dispatch, Entry, Event, EventNumber, IncidentId, PublisherId, Stream,
    Subject, Timestamp, from_body,
};

use crate::error::Error;

/// The most events of an incident that are read one by one.
const PROBED: u32 = 1000;

/// How many versions of the directory are asked for at once: whoever publishes waits for all of them.
const AT_ONCE: usize = 16;

/// The directory in force; `None` when there is none yet.
///
/// # Errors
/// [`Error::Ledger`] when the bus cannot be read.
pub async fn newest_directory(ledger: &Ledger) -> Result<Option<Directory>, Error> {
    // Boxed, as what publishes holds it and is large enough.
    Ok(Box::pin(directory_in_force(ledger)).await?.map(|(_, directory)| directory))
}

/// How the directory in force stands to a `directory_key` that is trusted.
///
/// # Errors
/// As [`newest_directory`].
pub async fn held_against(ledger: &Ledger, pin: &Pin) -> Result<Held, Error> {
    Ok(Box::pin(directories(ledger)).await?.0.held_against(pin))
}

/// The directory in force, and since when by the broker's clock.
pub(crate) async fn directory_in_force(ledger: &Ledger) -> Result<Option<(Timestamp, Directory)>, Error> {
    Ok(directories(ledger).await?.1)
}

/// Every version of the directory, folded; the one in force, and since when.
async fn directories(ledger: &Ledger) -> Result<(Fold, Option<(Timestamp, Directory)>), Error> {
    let (mut fold, mut in_force) = (Fold::new(), None);
    let Some(newest) = ledger.newest(Stream::Log, "tocsin.directory.*").await? else {
        return Ok((fold, None));
    };
    let mut take = |entry: &Entry| {
        if let Verdict::Recorded(_) = fold.apply(entry)
            && let Some(directory) = fold.directory()
        {
            in_force = Some((entry.time, Directory::clone(directory)));
        }
    };
    // Each from the first, as each says who signs the next. By their names: a publisher need not be let to search the log.
    // They are numbered without a gap, but for what somebody puts there who does not hold to that.
    let versions = stream::iter(1..).map(async |version| ledger.last(&Subject::Directory { version }).await);
    let mut versions = pin!(versions.buffered(AT_ONCE));
    while let Some(Some(entry)) = versions.try_next().await? {
        take(&entry);
    }
    take(&newest);
    Ok((fold, in_force))
}

/// One version of the directory, that of a dispatch; `None` when it is not there or may not be read: it only adds names to
/// an answer.
pub(crate) async fn directory_version(ledger: &Ledger, version: u64) -> Option<Directory> {
    directory(&ledger.last(&Subject::Directory { version }).await.ok()??)
}

fn directory(entry: &Entry) -> Option<Directory> {
    let Ok(Subject::Directory { version }) = entry.subject.parse() else { return None };
    let document: DirectoryDocument = from_body("directory", &entry.body).ok()?;
    Directory::build(version, document).ok()
}

/// The events of a publisher's incident that stand on the bus, in order: those that were dispatched, and those that
/// the router has not judged yet. Of several on one subject the first that this key signed stands.
///
/// # Errors
/// [`Error::Ledger`] when the bus cannot be read.
pub async fn events_of(
    ledger: &Ledger,
    publisher: &PublisherId,
    incident: &IncidentId,
    key: &AuthorKey,
) -> Result<Vec<Event>, Error> {
    let (said, log) = facts_of(ledger, publisher, incident).await?;
    let dispatched: BTreeMap<EventNumber, u64> = log
        .iter()
        .filter_map(|entry| from_body::<Dispatch>("dispatch", &entry.body).ok())
        .map(|dispatch| (dispatch.event, dispatch.said))
        .collect();
    let mut refused = BTreeSet::new();
    for entry in &said {
        let judged = event_number(entry).is_some_and(|number| dispatched.contains_key(&number));
        if !judged && ledger.last(&Subject::refusal(&entry.subject, entry.sequence)).await?.is_some() {
            refused.insert(entry.sequence);
        }
    }
    Ok(standing(&said, &dispatched, &refused, key))
}

/// What was said of an incident, and what was dispatched.
async fn facts_of(
    ledger: &Ledger,
    publisher: &PublisherId,
    incident: &IncidentId,
) -> Result<(Vec<Entry>, Vec<Entry>), Error> {
    let (events, dispatches) = (
        format!("tocsin.incident.{publisher}.{incident}.*"),
        format!("tocsin.dispatch.{publisher}.{incident}.*"),
    );
    match ledger.entries(Stream::Said, std::slice::from_ref(&events)).await {
        Ok(said) => Ok((said, ledger.entries(Stream::Log, &[dispatches]).await?)),
        // Who may not search reads its own subjects one by one. Where it is so, nobody else can put words there.
        Err(LedgerError::Denied { .. }) => {
            let newest =
                [ledger.newest(Stream::Said, &events).await?, ledger.newest(Stream::Log, &dispatches).await?];
            let through = newest.iter().flatten().filter_map(event_number).map(EventNumber::get).max();
            let (mut said, mut log) = (Vec::new(), Vec::new());
            for event in (1..=through.unwrap_or(0).min(PROBED)).filter_map(EventNumber::new) {
                let (publisher, incident) = (publisher.clone(), incident.clone());
                let of =
                    Subject::Dispatch { publisher: publisher.clone(), incident: incident.clone(), event };
                said.extend(ledger.last(&Subject::Incident { publisher, incident, event }).await?);
                log.extend(ledger.last(&of).await?);
            }
            Ok((said, log))
        }
        Err(why) => Err(why.into()),
    }
}

fn event_number(entry: &Entry) -> Option<EventNumber> {
    match entry.subject.parse() {
        Ok(Subject::Incident { event, .. } | Subject::Dispatch { event, .. }) => Some(event),
        _ => None,
    }
}

/// Which of the events said stand.
fn standing(
    said: &[Entry],
    dispatched: &BTreeMap<EventNumber, u64>,
    refused: &BTreeSet<u64>,
    key: &AuthorKey,
) -> Vec<Event> {
    let mut events: BTreeMap<EventNumber, Event> = BTreeMap::new();
    for entry in said {
        let Some(number) = event_number(entry) else { continue };
        let stands = match dispatched.get(&number) {
            Some(sequence) => *sequence == entry.sequence,
            None => !refused.contains(&entry.sequence),
        };
        let by_us = entry
            .signed
            .as_ref()
            .is_some_and(|signed| key.verify(&entry.subject, &entry.body, signed).is_ok());
        if !stands || !by_us || events.contains_key(&number) {
            continue;
        }
        if let Ok(event) = from_body::<Event>("event", &entry.body) {
            events.insert(number, event);
        }
    }
    events.into_values().collect()
}
