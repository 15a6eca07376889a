//! What was reported, what is proposed for linking, and what people have said of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tocsin_duty::Answers;
use tocsin_protocol::{
    BodyId, Candidate, IncidentId, Linking, Proposal, PublisherId, Refusal, Report, ReportId, ReportSays,
    ReportSource, Timestamp, Trail,
};

/// How many proposals are kept, the newest.
const PROPOSALS_KEPT: usize = 2_000;
/// How many reports of machines are looked at for what a rule makes of them, the newest.
const BY_MACHINES_KEPT: usize = 1_000;
/// How many refusals are kept, the newest: strangers can cause any number.
const REFUSALS_KEPT: usize = 200;

/// Reports, links and proposals.
#[derive(Debug, Default)]
pub struct Trails {
    reports: BTreeMap<(BodyId, ReportId), SaidReport>,
    links: Vec<SaidLink>,
    /// Those of which their author has said that they are over.
    over: BTreeSet<(BodyId, ReportId)>,
    /// Those that machines saw, the newest last.
    by_machines: VecDeque<(BodyId, ReportId)>,
    proposals: VecDeque<Proposal>,
    refusals: VecDeque<Refusal>,
}

/// A report that counts.
#[derive(Debug)]
pub struct SaidReport {
    /// The broker's time of it.
    pub at: Timestamp,
    /// What it says.
    pub report: Report,
}

/// A link that counts.
#[derive(Debug)]
pub struct SaidLink {
    /// The broker's time of it.
    pub at: Timestamp,
    /// What it says.
    pub linking: Linking,
}

impl Trails {
    pub(super) fn report(&mut self, at: Timestamp, report: Report) {
        let key = (report.body.clone(), report.report.clone());
        if let (ReportSays::Restored, Some(of)) = (report.says, &report.adds_to) {
            self.over.insert((report.body.clone(), of.clone()));
        }
        if report.source == ReportSource::Monitoring {
            if self.by_machines.len() >= BY_MACHINES_KEPT {
                self.by_machines.pop_front();
            }
            self.by_machines.push_back(key.clone());
        }
        self.reports.entry(key).or_insert(SaidReport { at, report });
    }

    pub(super) fn link(&mut self, at: Timestamp, linking: Linking) {
        self.links.push(SaidLink { at, linking });
    }

    pub(super) fn proposed(&mut self, proposal: Proposal) {
        if self.proposals.len() >= PROPOSALS_KEPT {
            self.proposals.pop_front();
        }
        self.proposals.push_back(proposal);
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        if self.refusals.len() >= REFUSALS_KEPT {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
    }

    /// A report, if it counts.
    pub fn said(&self, body: &BodyId, report: &ReportId) -> Option<&SaidReport> {
        self.reports.get(&(body.clone(), report.clone()))
    }

    /// A link, if it counts.
    pub fn linked(&self, linking: &Linking) -> Option<&SaidLink> {
        self.links.iter().rev().find(|said| said.linking.subject() == linking.subject())
    }

    /// Why what stands at this sequence of `TOCSIN_SAID` does not count.
    pub fn refusal(&self, said: u64) -> Option<&Refusal> {
        self.refusals.iter().rev().find(|refusal| refusal.said == said)
    }

    /// The reports of one body, or of all; the newest first.
    pub fn reports(&self, body: Option<&BodyId>) -> Vec<&SaidReport> {
        let mut all: Vec<_> =
            self.reports.values().filter(|said| body.is_none_or(|body| said.report.body == *body)).collect();
        all.sort_by_key(|said| std::cmp::Reverse(said.at));
        all
    }

    /// Whether its author has said that what a report tells is over.
    pub fn is_over(&self, report: &Report) -> bool {
        self.over.contains(&(report.body.clone(), report.report.clone()))
    }

    /// The newest reports of what machines saw, in the order in which they were said.
    pub fn by_machines(&self) -> impl Iterator<Item = &SaidReport> {
        self.by_machines.iter().filter_map(|(body, report)| self.said(body, report))
    }

    /// The newest report of a body whose name begins so and of which it has not said that it is over.
    pub fn open_report(&self, body: &BodyId, begins: &str) -> Option<&SaidReport> {
        let of_body = |said: &&SaidReport| said.report.body == *body;
        self.reports
            .values()
            .filter(of_body)
            .filter(|said| {
                said.report.says == ReportSays::Failing && said.report.report.as_str().starts_with(begins)
            })
            .filter(|said| !self.is_over(&said.report))
            .max_by_key(|said| said.at)
    }

    /// The newest word on each trail that is linked with an incident, or was said not to be: the other trail, and the word.
    pub fn with_incident(&self, incident: &IncidentId) -> Vec<(Trail, &SaidLink)> {
        let mut newest = BTreeMap::new();
        for said in &self.links {
            let Linking { publisher, incident: from, with, .. } = &said.linking;
            if from == incident {
                newest.insert(with.clone(), said);
            } else if matches!(with, Trail::Incident(trail) if trail.incident == *incident) {
                newest.insert(Trail::incident(publisher.clone(), from.clone()), said);
            }
        }
        newest.into_iter().collect()
    }

    /// The newest word on each incident that a report is linked with, or was said not to be.
    pub fn with_report(&self, trail: &Trail) -> Vec<&SaidLink> {
        let mut newest = BTreeMap::new();
        for said in self.links.iter().filter(|said| said.linking.with == *trail) {
            newest.insert(said.linking.incident.clone(), said);
        }
        newest.into_values().collect()
    }

    /// What waits for a publisher's word, the newest first, with the candidates that nobody has spoken of; of every
    /// publisher where none is named.
    pub fn waiting<'t>(
        &'t self,
        answers: &'t Answers,
        publisher: Option<&'t PublisherId>,
    ) -> impl Iterator<Item = (&'t Proposal, Vec<&'t Candidate>)> {
        let theirs = self.proposals.iter().rev();
        let theirs =
            theirs.filter(move |proposal| publisher.is_none_or(|publisher| proposal.publisher == *publisher));
        theirs.filter_map(|proposal| Some((proposal, answers.open(proposal)?)))
    }
}
