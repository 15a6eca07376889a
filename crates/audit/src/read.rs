//! Reading the evidence from the ledger.

use tocsin_ledger::Ledger;
use tocsin_protocol::IncidentId;

use crate::{error::Error, evidence::Evidence};

/// Reads both streams from their beginning to their end as of now, and gathers the evidence of one incident, or of all.
///
/// # Errors
/// [`Error::Ledger`] when the streams cannot be read.
pub async fn read(ledger: &Ledger, of: Option<&IncidentId>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::of(of);
    let mut follow = ledger.follow().await?;
    loop {
        let read = follow.next().await?;
        for entry in &read.entries {
            evidence.take(entry);
        }
        if read.caught_up {
            return Ok(evidence);
        }
    }
}
