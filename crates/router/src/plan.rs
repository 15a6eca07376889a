//! What is owed, in the order in which it is written, each part with the stamp that it may carry.

use std::collections::BTreeSet;

use tocsin_duty::Batch;
use tocsin_protocol::{NewFact, Subject};

/// Facts for one append.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) facts: Vec<NewFact>,
    pub(crate) kind: Kind,
}

/// What leads an append. The order is that of writing: people before paper, so that a flood of what is refused delays
/// no notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Dispatch,
    Notices,
    Finding,
    Escalations,
    Proposals,
    Refusals,
}

impl Kind {
    fn of(fact: &NewFact) -> Self {
        match fact.subject {
            Subject::Dispatch { .. } => Self::Dispatch,
            Subject::Notice { .. } => Self::Notices,
            Subject::Finding { .. } => Self::Finding,
            Subject::Proposal { .. } => Self::Proposals,
            Subject::Refusal { .. } => Self::Refusals,
            _ => Self::Escalations,
        }
    }
}

/// Puts what is owed in order.
pub(crate) fn parts(owed: Vec<Batch>) -> Vec<Part> {
    let mut parts: Vec<_> = owed
        .into_iter()
        .filter_map(|Batch { facts }| facts.first().map(Kind::of).map(|kind| Part { facts, kind }))
        .collect();
    parts.sort_by_key(|part| part.kind);
    parts
}

/// How far `TOCSIN_SAID` counts as judged, with every refusal written: what the stamp says.
#[derive(Debug)]
pub(crate) struct Judged {
    folded: u64,
    /// Refused, and not in the log yet.
    unwritten: BTreeSet<u64>,
}

impl Judged {
    /// `folded` is the last sequence folded when the parts were asked for.
    pub(crate) fn new(folded: u64, parts: &[Part]) -> Self {
        let facts = parts.iter().filter(|part| part.kind == Kind::Refusals).flat_map(|part| &part.facts);
        Self { folded, unwritten: facts.filter_map(refused).collect() }
    }

    /// The stamp for these facts. Refusals among them count as written, as they are written with it or not at all.
    pub(crate) fn stamp(&self, facts: &[NewFact]) -> Option<u64> {
        let with: BTreeSet<u64> = facts.iter().filter_map(refused).collect();
        let first = self.unwritten.iter().find(|said| !with.contains(said));
        Some(first.map_or(self.folded, |said| said.saturating_sub(1))).filter(|through| *through > 0)
    }

    /// These stand in the log now.
    pub(crate) fn written(&mut self, facts: &[NewFact]) {
        for said in facts.iter().filter_map(refused) {
            self.unwritten.remove(&said);
        }
    }
}

fn refused(fact: &NewFact) -> Option<u64> {
    match fact.subject {
        Subject::Refusal { said, .. } => Some(said),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn fact(subject: &str) -> NewFact {
        NewFact { subject: subject.parse().unwrap(), body: Bytes::new(), schedule: None }
    }

    fn batch(subjects: &[&str]) -> Batch {
        Batch { facts: subjects.iter().map(|subject| fact(subject)).collect() }
    }

    #[test]
    fn notices_go_out_before_findings_and_findings_before_refusals() {
        let parts = parts(vec![
            batch(&["tocsin.refusal.bt.3", "tocsin.refusal.bt.4"]),
            batch(&["tocsin.finding.x.1.1", "tocsin.escalation.a.x.1.1"]),
            batch(&["tocsin.dispatch.bt.y.1", "tocsin.window.y.1.1", "tocsin.notice.a.y.1"]),
            batch(&[]),
            batch(&["tocsin.escalation.b.x.1.1"]),
            batch(&["tocsin.notice.b.x.1"]),
        ]);
        let kinds: Vec<_> = parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [Kind::Dispatch, Kind::Notices, Kind::Finding, Kind::Escalations, Kind::Refusals]);
    }

    #[test]
    fn a_stamp_counts_no_further_than_every_refusal_is_written() {
        let (early, late) =
            (batch(&["tocsin.refusal.bt.3"]), batch(&["tocsin.refusal.bt.5", "tocsin.refusal.bt.7"]));
        let parts = parts(vec![batch(&["tocsin.dispatch.bt.y.1"]), early.clone(), late.clone()]);
        let mut judged = Judged::new(9, &parts);
        assert_eq!(judged.stamp(&[fact("tocsin.dispatch.bt.y.1")]), Some(2));
        assert_eq!(judged.stamp(&late.facts), Some(2), "3 is not written yet");
        assert_eq!(judged.stamp(&early.facts), Some(4));
        judged.written(&early.facts);
        assert_eq!(judged.stamp(&late.facts), Some(9), "they are written whole or not at all");
        assert_eq!(judged.stamp(&late.facts[..1]), Some(6));
        judged.written(&late.facts);
        assert_eq!(judged.stamp(&[]), Some(9));
        assert_eq!(Judged::new(0, &[]).stamp(&[]), None);
    }
}
