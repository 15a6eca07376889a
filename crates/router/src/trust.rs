//! What earlier routers have judged, so that a replay need not verify those signatures again.
//!
//! A router stamps what it writes with `Tocsin-Said-Through: n` once it has folded `TOCSIN_SAID` up to `n` and every
//! refusal owed up to there stands in the log. Hence up to the highest such `n` that is found, whatever is not refused
//! counts, and no signature need be held against a key to know it. This is safe because:
//!
//! - Only our services may write to the log. Whoever could forge the stamp could forge a dispatch as well; an auditor
//!   trusts neither, and judges everything anew.
//! - Every router judges the same: the fold is a function of one sequence that is the same for all. So it does not
//!   matter whose stamp it is, nor whether a router that lagged wrote a lower one later. Any stamp holds.
//! - The stamp is read before the refusals, so none that precedes it can be missed. Those beyond it do no harm: what
//!   they are about is judged anew.
//! - A stamp is a claim about the `TOCSIN_SAID` of then. If that stream was put back from an older copy and grew again,
//!   other facts stand under those sequences. So the entry at `n` must not be younger than the stamp; else nothing is
//!   trusted.

use std::collections::BTreeSet;

use tocsin_duty::Trust;
use tocsin_ledger::{Error, Ledger};
use tocsin_protocol::{Entry, SignedDuration, Stream, Subject};

/// The facts that carry the stamp.
const STAMPED: [&str; 4] =
    ["tocsin.dispatch.>", "tocsin.finding.>", "tocsin.escalation.>", "tocsin.refusal.>"];

/// By how much the clocks of two brokers may differ, each leading one stream.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Reads from the log what may be trusted.
pub(crate) async fn read(ledger: &Ledger) -> Result<Trust, Error> {
    let mut highest: Option<(u64, Entry)> = None;
    for filter in STAMPED {
        let Some(entry) = ledger.last_matching(Stream::Log, filter).await? else { continue };
        if let Some(through) = entry.said_through.filter(|n| highest.as_ref().is_none_or(|(h, _)| n > h)) {
            highest = Some((through, entry));
        }
    }
    let Some((through, stamped)) = highest.filter(|(through, _)| *through > 0) else {
        return Ok(Trust::default());
    };
    let said = ledger.read(Stream::Said, through).await?;
    if !is_of_then(said.as_ref(), &stamped) {
        tracing::error!(
            through,
            stamped_by = %stamped.subject,
            "TOCSIN_SAID is not what the log says it was: it seems to have been put back from an older copy. Every signature is checked again; have the log audited"
        );
        return Ok(Trust::default());
    }
    let refusals = ledger.entries(Stream::Log, &["tocsin.refusal.>".to_owned()]).await?;
    let refused: BTreeSet<u64> = refusals
        .iter()
        .filter_map(|entry| match entry.subject.parse() {
            Ok(Subject::Refusal { said, .. }) if said <= through => Some(said),
            _ => None,
        })
        .collect();
    tracing::info!(through, refused = refused.len(), "judged before: not verified again");
    Ok(Trust { through, refused })
}

/// Whether the entry that a stamp counts up to stood there when the stamp was made.
fn is_of_then(said: Option<&Entry>, stamped: &Entry) -> bool {
    said.is_some_and(|said| said.time.duration_since(stamped.time) <= SKEW)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entry(time: &str) -> Entry {
        Entry {
            stream: Stream::Said,
            sequence: 7,
            time: time.parse().unwrap(),
            subject: String::new(),
            signed: None,
            said_through: None,
            body: Bytes::new(),
        }
    }

    #[test]
    fn a_stamp_holds_only_for_what_stood_there_when_it_was_made() {
        let stamp = entry("2026-06-25T06:24:00Z");
        assert!(is_of_then(Some(&entry("2026-06-25T06:23:59Z")), &stamp));
        assert!(is_of_then(Some(&entry("2026-06-25T06:24:30Z")), &stamp), "the skew of two brokers' clocks");
        assert!(!is_of_then(Some(&entry("2026-06-25T07:00:00Z")), &stamp), "put back and grown again");
        assert!(!is_of_then(None, &stamp), "put back and shorter");
    }
}
