//! Counting recipients, each once for an incident.

use std::{borrow::Borrow, collections::BTreeMap};

use tocsin_protocol::{IncidentId, SignedDuration};

use super::figures::Figures;
use crate::{
    compute::{Judged, count, seconds},
    report::{RecipientReport, State},
    timeliness::nearest_rank,
};

/// What is counted of some recipients.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    counted: Figures,
    /// The incident counted last: they come one after another.
    last: Option<IncidentId>,
    /// From notice to acknowledgement, of each event that asked.
    pub(super) taken: Vec<SignedDuration>,
}

/// From notice to acknowledgement, where one was asked.
pub(super) fn taken(row: &RecipientReport) -> Option<SignedDuration> {
    if row.state == State::NotAsked {
        return None;
    }
    Some(row.acknowledged_at?.duration_since(row.noticed_at?))
}

impl Tally {
    /// Counts a recipient of an incident, by its worst event.
    pub(super) fn row(&mut self, incident: &IncidentId, judged: &Judged) {
        let counted = &mut self.counted;
        if self.last.as_ref() != Some(incident) {
            counted.incidents += 1;
            self.last = Some(incident.clone());
        }
        counted.told += 1;
        counted.delivered += u32::from(judged.delivered);
        counted.escalated += u32::from(!judged.row.escalations.is_empty());
        counted.neither += u32::from(judged.neither);
        match judged.row.state {
            State::NotAsked => return,
            State::InTime => counted.acknowledged_in_time += 1,
            State::Late => counted.acknowledged_late += 1,
            State::Silent => counted.silent += 1,
            State::Open => counted.open += 1,
            State::Excused => counted.excused += 1,
        }
        counted.asked += 1;
    }

    pub(super) fn finish(&self) -> Figures {
        let mut taken = self.taken.clone();
        taken.sort_unstable();
        let nearest = |percent| nearest_rank(taken.len(), percent).map(|at| seconds(taken[at]));
        let Figures { asked, acknowledged_in_time, .. } = self.counted;
        Figures {
            share_in_time: (asked > 0).then(|| f64::from(acknowledged_in_time) / f64::from(asked)),
            measured: count(taken.len()),
            median_seconds: nearest(50),
            p95_seconds: nearest(95),
            slowest_seconds: nearest(100),
            ..self.counted
        }
    }
}

/// A tally for each of something.
#[derive(Debug)]
pub(super) struct Tallies<K>(BTreeMap<K, Tally>);

impl<K> Default for Tallies<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Tallies<K> {
    pub(super) fn of(&mut self, key: &K) -> &mut Tally {
        self.0.entry(key.clone()).or_default()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    pub(super) fn figures<Q: Ord + ?Sized>(&self, key: &Q) -> Figures
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map(Tally::finish).unwrap_or_default()
    }
}
