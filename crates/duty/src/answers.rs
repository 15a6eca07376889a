//! What people, or a publisher's rule, have said of trails that may be one outage: the newest word on two of them holds.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{Candidate, Event, EventKind, LinkAnswer, Linking, Proposal, Trail};

/// The newest word on each two trails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    #[serde(with = "crate::fold::snapshot::pairs")]
    pairs: HashMap<(Trail, Trail), LinkAnswer>,
    linked: HashSet<Trail>,
}

impl Answers {
    /// Takes in a link that counts, in the order of `TOCSIN_SAID`.
    pub fn take(&mut self, linking: &Linking) {
        let own = Trail::incident(linking.publisher.clone(), linking.incident.clone());
        if linking.answer == LinkAnswer::Same {
            self.linked.insert(linking.with.clone());
            self.linked.insert(own.clone());
        }
        self.pairs.insert(pair(&own, &linking.with), linking.answer);
    }

    /// Takes in an event that counts: where a rule made it of a report, the two are one.
    pub fn opened(&mut self, event: &Event) {
        let Some(by) = event.by_rule.as_ref().filter(|_| event.kind == EventKind::Initial) else { return };
        let own = Trail::incident(event.publisher.clone(), event.incident.clone());
        self.linked.insert(by.trail());
        self.linked.insert(own.clone());
        self.pairs.entry(pair(&own, &by.trail())).or_insert(LinkAnswer::Same);
    }

    /// Whether two trails are of the same outage, where somebody has said.
    pub fn of(&self, one: &Trail, other: &Trail) -> Option<LinkAnswer> {
        self.pairs.get(&pair(one, other)).copied()
    }

    /// What of a proposal still waits for a person: the candidates that a link can be made with and nobody has spoken
    /// of. `None` when it waits no more. A report that fits nothing waits, with no candidate, until it is linked.
    pub fn open<'p>(&self, proposal: &'p Proposal) -> Option<Vec<&'p Candidate>> {
        let is_incident = |trail: &Trail| matches!(trail, Trail::Incident(_));
        let can_be_linked =
            |candidate: &&Candidate| is_incident(&proposal.of.trail) || is_incident(&candidate.seen.trail);
        let fits: Vec<_> = proposal.candidates.iter().filter(can_be_linked).collect();
        if fits.is_empty() {
            return (!self.linked.contains(&proposal.of.trail)).then(Vec::new);
        }
        let left: Vec<_> = fits
            .into_iter()
            .filter(|candidate| self.of(&proposal.of.trail, &candidate.seen.trail).is_none())
            .collect();
        (!left.is_empty()).then_some(left)
    }
}

/// Two trails, the lesser first.
fn pair(one: &Trail, other: &Trail) -> (Trail, Trail) {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}
