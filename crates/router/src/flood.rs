//! When a finding may be written although the end of `TOCSIN_SAID` runs away from the router.
//!
//! The moment at which both streams are read to their end may never come while somebody floods the bus. A finding
//! then waits for a mark instead: the last sequence of `TOCSIN_SAID` as of some moment after its `due` was folded. By
//! the time of the mark everything said before the `due` is in the stream, so once the mark has been folded, the
//! finding can be told.

use std::collections::BTreeSet;

use tocsin_protocol::Subject;

use crate::plan::{Kind, Part};

/// The findings that wait for a mark.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    findings: BTreeSet<Subject>,
    mark: u64,
}

impl Waiting {
    /// Takes out the findings that must wait, given how far `TOCSIN_SAID` has been folded. True when a mark is to be
    /// asked for and set.
    pub(crate) fn sift(&mut self, parts: &mut Vec<Part>, folded: u64) -> bool {
        let reached = folded >= self.mark;
        let mut wait = BTreeSet::new();
        parts.retain(|part| {
            let Some(lead) = part.facts.first().filter(|_| part.kind == Kind::Finding) else { return true };
            let ready = reached && self.findings.contains(&lead.subject);
            if !ready {
                wait.insert(lead.subject.clone());
            }
            ready
        });
        let ask = (reached || self.findings.is_empty()) && !wait.is_empty();
        if ask {
            self.findings = wait;
            // Until the mark is set none is reached.
            self.mark = u64::MAX;
        }
        ask
    }

    /// The last sequence of `TOCSIN_SAID`, asked for after [`Self::sift`] said so.
    pub(crate) fn mark(&mut self, end: u64) {
        self.mark = end;
    }

    /// Whether any finding waits.
    pub(crate) fn any(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Both streams were read to their end: none waits.
    pub(crate) fn over(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tocsin_protocol::NewFact;

    use super::*;

    fn parts(findings: &[&str]) -> Vec<Part> {
        let part = |(kind, subject): (Kind, &str)| Part {
            facts: vec![NewFact { subject: subject.parse().unwrap(), body: Bytes::new(), schedule: None }],
            kind,
        };
        std::iter::once((Kind::Dispatch, "tocsin.dispatch.y.1"))
            .chain(findings.iter().map(|finding| (Kind::Finding, *finding)))
            .map(part)
            .collect()
    }

    fn sift(waiting: &mut Waiting, findings: &[&str], folded: u64) -> (bool, Vec<String>) {
        let mut parts = parts(findings);
        let ask = waiting.sift(&mut parts, folded);
        (ask, parts.iter().map(|part| part.facts[0].subject.to_string()).collect())
    }

    #[test]
    fn a_finding_waits_for_the_end_as_of_after_its_due_and_nothing_else_waits() {
        let mut waiting = Waiting::default();
        let (one, two) = ("tocsin.finding.x.1.1", "tocsin.finding.x.1.2");
        assert_eq!(sift(&mut waiting, &[one], 10), (true, vec!["tocsin.dispatch.y.1".into()]));
        waiting.mark(50);
        assert_eq!(sift(&mut waiting, &[one], 49), (false, vec!["tocsin.dispatch.y.1".into()]));
        // The second one's due came after the mark: it needs one of its own.
        let (ask, left) = sift(&mut waiting, &[one, two], 50);
        assert_eq!((ask, left), (true, vec!["tocsin.dispatch.y.1".into(), one.into()]));
        waiting.mark(90);
        assert_eq!(sift(&mut waiting, &[two], 90), (false, vec!["tocsin.dispatch.y.1".into(), two.into()]));
    }
}
