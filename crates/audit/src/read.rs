//! Reading the evidence from the ledger.

use std::time::{Duration, Instant};

use tocsin_ledger::Ledger;
use tocsin_protocol::{Entry, IncidentId, Stream};

use crate::{bundle, error::Error, evidence::Evidence};

/// Between two looks for a checkpoint.
const LOOK: Duration = Duration::from_millis(100);

/// Reads both streams from their beginning to their end as of now, and gathers the evidence of one incident, or of all.
///
/// # Errors
/// [`Error::Ledger`] when the streams cannot be read.
pub async fn read(ledger: &Ledger, of: Option<&IncidentId>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::of(of);
    each(ledger, |entry| evidence.take(&entry)).await?;
    Ok(evidence)
}

/// Reads every entry of both streams as of now, in their one order.
///
/// # Errors
/// [`Error::Ledger`] when the streams cannot be read.
pub async fn read_entries(ledger: &Ledger) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    each(ledger, |entry| entries.push(entry)).await?;
    Ok(entries)
}

/// Reads every entry of both streams up to a checkpoint that covers all that stood when this was called, for which it
/// waits where routers sign checkpoints. Where none comes within `patience`, all is read that stands then.
///
/// # Errors
/// [`Error::Ledger`] when the streams cannot be read.
pub async fn read_covered(ledger: &Ledger, patience: Duration) -> Result<Vec<Entry>, Error> {
    let until = Instant::now() + patience;
    let entries = read_entries(ledger).await?;
    if bundle::keys(entries.iter()).is_empty() {
        return Ok(entries);
    }
    let wanted = bundle::news(&entries);
    let last = entries.iter().rfind(|entry| entry.stream == Stream::Log).map(|entry| entry.sequence);
    loop {
        let newest = ledger.newest(Stream::Log, "tocsin.checkpoint.*").await?;
        let stated = newest.as_ref().and_then(bundle::checkpoint).map(|read| read.checkpoint);
        if let Some(stated) =
            stated.filter(|stated| stated.log.size >= wanted.0 && stated.said.size >= wanted.1)
        {
            let is_here = newest.is_some_and(|newest| Some(newest.sequence) <= last);
            let entries = if is_here { entries } else { read_entries(ledger).await? };
            return Ok(bundle::up_to(entries, &stated));
        }
        if Instant::now() >= until {
            return read_entries(ledger).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn each(ledger: &Ledger, mut take: impl FnMut(Entry)) -> Result<(), Error> {
    let mut follow = ledger.follow().await?;
    loop {
        let read = follow.next().await?;
        read.entries.into_iter().for_each(&mut take);
        if read.caught_up {
            return Ok(());
        }
    }
}
