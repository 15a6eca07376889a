//! Trails of what may be one outage: reports, incidents, and the links between them.
//!
//! Two trails are proposed for linking when they
//!
//! - have the same status, and are different bodies' (of its own two a body knows whether they are one, but for what a
//!   machine of its own saw),
//! - share a service, and touch each other's areas,
//! - have had their newest words within [`NEAR`] of each other by the broker's clock, and
//! - neither had ended before the other was first seen, by what their authors say.
//!
//! It rests on `TOCSIN_SAID` alone, taken in its order, so that every router proposes the same. A person says whether
//! they are one; nothing is merged.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    BodyId, Candidate, Event, EventKind, IncidentId, LinkId, Linking, Proposal, PublisherId, Report,
    ReportId, ReportSays, ReportSource, Seen, SignedDuration, Status, Timestamp, Trail,
};

use super::snapshot;
use crate::{answers::Answers, directory::Directory};

/// How far apart two trails' newest words may be, by the broker's clock.
const NEAR: SignedDuration = SignedDuration::from_hours(6);
/// The most candidates of one proposal: whom more would tell nothing.
const CANDIDATES_MAX: usize = 20;
/// The most trails that are held against a new one, the newest of them.
const COMPARED_MAX: usize = 4_096;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trails {
    #[serde(with = "snapshot::pairs")]
    reports: HashMap<(BodyId, ReportId), Known>,
    #[serde(with = "snapshot::pairs")]
    links: HashMap<(PublisherId, LinkId), u64>,
    /// The trails whose newest word is near the newest of all, by its sequence in SAID.
    near: BTreeMap<u64, Near>,
    /// Where an incident stands in `near`.
    places: HashMap<IncidentId, u64>,
    /// What people have said of them.
    pub(super) answers: Answers,
}

/// A report that counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Known {
    voice: u64,
    status: Status,
    said_at: Timestamp,
}

/// A trail that others are held against.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Near {
    seen: Seen,
    /// When it was over, by the broker's clock.
    over_at: Option<Timestamp>,
    /// The trails that it was proposed with.
    proposed: HashSet<Trail>,
}

/// What stands under a name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Nothing,
    /// The same, said again.
    Same,
    /// Another fact.
    Other,
}

impl Trails {
    pub(super) fn standing_report(&self, report: &Report, voice: u64) -> Standing {
        standing(
            self.reports.get(&(report.body.clone(), report.report.clone())).map(|known| known.voice),
            voice,
        )
    }

    pub(super) fn standing_link(&self, linking: &Linking, voice: u64) -> Standing {
        standing(self.links.get(&(linking.publisher.clone(), linking.link.clone())).copied(), voice)
    }

    /// The status of a report that counts.
    pub(super) fn report_status(&self, body: &BodyId, report: &ReportId) -> Option<Status> {
        self.reports.get(&(body.clone(), report.clone())).map(|known| known.status)
    }

    /// When a report that counts was said, by the broker's clock.
    pub(super) fn report_said_at(&self, body: &BodyId, report: &ReportId) -> Option<Timestamp> {
        self.reports.get(&(body.clone(), report.clone())).map(|known| known.said_at)
    }

    /// Takes in a report that counts, and tells what to propose because of it.
    pub(super) fn report(
        &mut self,
        report: &Report,
        voice: u64,
        (said, said_at): (u64, Timestamp),
        directory: Option<&Arc<Directory>>,
    ) -> Vec<Proposal> {
        let key = (report.body.clone(), report.report.clone());
        self.reports.insert(key, Known { voice, status: report.status, said_at });
        // What adds to an earlier one, or ends it, is part of that one's trail.
        if report.says == ReportSays::Restored || report.adds_to.is_some() {
            return Vec::new();
        }
        let seen = Seen {
            trail: Trail::report(report.body.clone(), report.report.clone()),
            event: None,
            source: Some(report.source),
            said,
            said_at,
            seen_at: Some(report.observed_at),
            status: report.status,
            services: report.services.clone(),
            areas: report.areas.clone(),
            headline: Some(report.headline.clone()),
        };
        self.forget(said_at);
        let Some(directory) = directory else { return Vec::new() };
        let candidates = self.candidates(&seen, None, directory);
        let concerned = directory.publishers().filter(|publisher| {
            // What its own people say they know; what its machines see they are told.
            let own = BodyId::from(&publisher.id) == report.body && !by_machine(&seen);
            !own && report.areas.iter().any(|area| directory.may_speak_of(publisher, area))
        });
        let mut proposals = Vec::new();
        for publisher in concerned {
            // Another publisher's incident is that one's to say of.
            let of_theirs = candidates.iter().filter(|candidate| match &candidate.seen.trail {
                Trail::Incident(trail) => trail.publisher == publisher.id,
                Trail::Report(_) => true,
            });
            proposals.push(Proposal {
                publisher: publisher.id.clone(),
                directory: directory.version(),
                of: seen.clone(),
                candidates: of_theirs.cloned().collect(),
            });
        }
        self.note(&seen, &proposals);
        self.near.insert(said, Near { seen, over_at: None, proposed: HashSet::new() });
        proposals
    }

    /// Takes in an event that counts, and tells what to propose because of it.
    pub(super) fn event(
        &mut self,
        event: &Event,
        (said, said_at): (u64, Timestamp),
        directory: Option<&Arc<Directory>>,
    ) -> Vec<Proposal> {
        self.forget(said_at);
        let before = self.places.remove(&event.incident).and_then(|place| self.near.remove(&place));
        // It was no incident after all.
        if event.kind.ends_incident() {
            return Vec::new();
        }
        self.answers.opened(event);
        let trail = Trail::incident(event.publisher.clone(), event.incident.clone());
        let (began_at, proposed) = match before {
            Some(Near { seen, proposed, .. }) => (seen.seen_at, proposed),
            None => (None, HashSet::new()),
        };
        let seen = Seen {
            trail,
            event: Some(event.sequence),
            source: None,
            said,
            said_at,
            seen_at: event.began_at.or(event.detected_at).or(began_at),
            status: event.status,
            services: event.services.clone(),
            areas: event.areas.clone(),
            headline: (!event.is_sensitive()).then(|| event.headline.clone()),
        };
        let over_at = (event.kind == EventKind::Resolved).then_some(said_at);
        let mut proposals = Vec::new();
        if let (Some(directory), None) = (directory, over_at) {
            let candidates = self.candidates(&seen, Some(&proposed), directory);
            let mut theirs: BTreeMap<PublisherId, Vec<Candidate>> = BTreeMap::new();
            for candidate in &candidates {
                if let Trail::Incident(trail) = &candidate.seen.trail {
                    theirs.entry(trail.publisher.clone()).or_default().push(candidate.clone());
                }
            }
            // Either publisher may say that the two are one.
            let all = (!candidates.is_empty()).then(|| (event.publisher.clone(), candidates));
            proposals.extend(all.into_iter().chain(theirs).map(|(publisher, candidates)| Proposal {
                publisher,
                directory: directory.version(),
                of: seen.clone(),
                candidates,
            }));
            self.note(&seen, &proposals);
        }
        let mut now = Near { seen, over_at, proposed };
        now.proposed.extend(
            proposals.iter().flat_map(|proposal| {
                proposal.candidates.iter().map(|candidate| candidate.seen.trail.clone())
            }),
        );
        self.places.insert(event.incident.clone(), said);
        self.near.insert(said, now);
        proposals
    }

    /// Takes in a link that counts.
    pub(super) fn link(&mut self, linking: &Linking, voice: u64) {
        self.links.insert((linking.publisher.clone(), linking.link.clone()), voice);
        self.answers.take(linking);
    }

    /// Lets go of what is too long ago for anything that comes from here on.
    fn forget(&mut self, now: Timestamp) {
        while let Some((place, near)) = self.near.first_key_value() {
            let late = now.duration_since(near.seen.said_at) > NEAR;
            if !late && self.near.len() < COMPARED_MAX {
                return;
            }
            let place = *place;
            if let Some(Near { seen: Seen { trail: Trail::Incident(trail), .. }, .. }) =
                self.near.remove(&place)
            {
                self.places.remove(&trail.incident);
            }
        }
    }

    /// What a new word may be of the same outage as, the newest first.
    fn candidates(
        &self,
        new: &Seen,
        proposed: Option<&HashSet<Trail>>,
        directory: &Directory,
    ) -> Vec<Candidate> {
        let touching = directory.touching(&new.areas);
        let fits = |near: &Near| {
            let Near { seen, over_at, proposed: theirs } = near;
            let first_seen = new.seen_at.unwrap_or(new.said_at);
            let done = theirs.contains(&new.trail)
                || proposed.is_some_and(|proposed| proposed.contains(&seen.trail))
                || self.answers.of(&new.trail, &seen.trail).is_some();
            if seen.status != new.status
                || (seen.trail.body() == new.trail.body() && by_machine(seen) == by_machine(new))
                || over_at.is_some_and(|over_at| over_at < first_seen)
                || done
            {
                return None;
            }
            let shared_services: Vec<_> =
                seen.services.iter().filter(|service| new.services.contains(service)).copied().collect();
            if shared_services.is_empty() {
                return None;
            }
            let touching_areas: Vec<_> = seen.areas.iter().filter(|area| touching(area)).cloned().collect();
            if touching_areas.is_empty() {
                return None;
            }
            let apart = new.said_at.duration_since(seen.said_at).abs();
            Some(Candidate {
                seen: seen.clone(),
                shared_services,
                touching_areas,
                apart_seconds: apart.as_secs().unsigned_abs(),
            })
        };
        self.near.values().rev().filter_map(fits).take(CANDIDATES_MAX).collect()
    }

    /// Remembers with the candidates that they were proposed with this one.
    fn note(&mut self, seen: &Seen, proposals: &[Proposal]) {
        for candidate in proposals.iter().flat_map(|proposal| &proposal.candidates) {
            if let Some(near) = self.near.get_mut(&candidate.seen.said) {
                near.proposed.insert(seen.trail.clone());
            }
        }
    }
}

fn by_machine(seen: &Seen) -> bool {
    seen.source == Some(ReportSource::Monitoring)
}

fn standing(there: Option<u64>, voice: u64) -> Standing {
    match there {
        None => Standing::Nothing,
        Some(there) if there == voice => Standing::Same,
        Some(_) => Standing::Other,
    }
}
