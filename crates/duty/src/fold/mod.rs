//! The fold: both streams' state, and what is owed to the log because of it.
//!
//! It takes the entries of both streams in one order (the broker's time, `TOCSIN_SAID` first, then sequence; see
//! `ledger::follow`), and every replica that takes the same entries owes the same facts. It never reads a clock.
//!
//! Two brokers' clocks may differ by a little when the streams have different leaders, so nothing here rests on the
//! order alone where a time is at hand: a dispatch may come before its event, and an acknowledgement is in time by its
//! own time, not by its place.

mod dispatch;
mod duties;
mod finding;
mod incident;
mod judge;
mod log;
mod owing;
pub(crate) mod snapshot;
mod trails;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

pub use dispatch::serves;
use duties::Moments;
use incident::{EventState, Hearing, Incident, Open, voice};
use judge::{Objection, Valid};
use owing::Owing;
use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    AuthorKey, BodyId, Call, Dispatch, Entry, Event, EventNumber, IncidentId, Linking, NewFact, Receipt,
    RecipientId, Refusal, RefusalCode, Report, ReportId, Signed, StoppedBy, Stream, Subject, Timestamp,
    from_body,
};
use trails::{Standing, Trails};

use crate::{
    answers::Answers,
    directory::{self, Directory, Held, NotInForce, Pin},
    worsening::worsening,
};

/// The state of both streams, folded.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// What may be taken as judged is told anew at each start.
    #[serde(skip)]
    trust: Trust,
    #[serde(with = "snapshot::directories")]
    directories: Vec<(Timestamp, Arc<Directory>)>,
    incidents: HashMap<IncidentId, Incident>,
    owing: Owing,
    /// Dispatches that the skew of two brokers' clocks put before their event: kept until the event comes.
    #[serde(with = "snapshot::early")]
    early: HashMap<(IncidentId, EventNumber), Arc<Dispatch>>,
    trails: Trails,
    said_through: u64,
    log_through: u64,
}

/// What a router has judged before: a replay need not check those signatures again, which is most of its cost.
///
/// It rests on `TOCSIN_LOG`, which only our own services may write. An auditor starts from [`Trust::default`], which
/// believes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Up to this sequence of `TOCSIN_SAID`, everything has been judged and every refusal written.
    pub through: u64,
    /// The sequences up to there that were refused.
    pub refused: BTreeSet<u64>,
}

/// What an entry was found to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// A valid event, the first on its subject.
    Event(Box<Event>),
    /// A valid call, the first on its subject.
    Call(Box<Call>),
    /// A valid receipt, the first on its subject.
    Receipt(Box<Receipt>),
    /// A valid report, the first on its subject.
    Report(Box<Report>),
    /// A valid link, the first on its subject.
    Link(Box<Linking>),
    /// A fact that was said already, said again: a retry.
    Repeated,
    /// Said, and does not count.
    Refused(Refusal),
    /// Judged before, by [`Trust`]: not looked into.
    Trusted,
    /// A fact of the log.
    Recorded(Subject),
    /// A directory on the log that is not in force: it changes nothing.
    NotInForce {
        /// Its version.
        version: u64,
        /// Why.
        why: NotInForce,
    },
    /// On the log, and no fact of ours.
    Foreign,
}

/// Facts that belong together, in order: one atomic append (the ledger splits what is too large for one).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The facts.
    pub facts: Vec<NewFact>,
}

impl Fold {
    /// An empty state that believes nothing: every signature is checked.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty state that takes a router's earlier judgements as they are.
    pub fn trusting(trust: Trust) -> Self {
        Self { trust, ..Self::default() }
    }

    /// A state in which this directory is in force from then on and all that was said has been judged: to see what would
    /// follow.
    pub fn supposing(directory: Directory, from: Timestamp) -> Self {
        let trust = Trust { through: u64::MAX, ..Trust::default() };
        Self { directories: vec![(from, Arc::new(directory))], ..Self::trusting(trust) }
    }

    /// Takes in one entry.
    pub fn apply(&mut self, entry: &Entry) -> Verdict {
        match entry.stream {
            Stream::Said => {
                self.said_through = self.said_through.max(entry.sequence);
                self.said(entry)
            }
            Stream::Log => {
                self.log_through = self.log_through.max(entry.sequence);
                self.log(entry)
            }
        }
    }

    /// What is owed to the log and not there yet, in the order in which it is to be written. Writing it and folding
    /// what was written leaves nothing owed; asking again before that gives the same.
    pub fn follows(&self) -> Vec<Batch> {
        self.owing.batches(self)
    }

    /// Takes in a fact of the log that was met outside the fold's order: the one that stood already where an append
    /// was refused. So nothing stays owed that stands, whatever two brokers' clocks did to the order.
    pub fn settle(&mut self, entry: &Entry) {
        if let Ok(subject) = entry.subject.parse::<Subject>() {
            let _ = self.record(&subject, entry);
        }
    }

    /// The directory in force.
    pub fn directory(&self) -> Option<&Arc<Directory>> {
        self.directories.last().map(|(_, directory)| directory)
    }

    /// The directory in force at a time by the broker.
    pub fn directory_at(&self, time: Timestamp) -> Option<&Arc<Directory>> {
        self.directories.iter().rev().find(|(from, _)| *from <= time).map(|(_, directory)| directory)
    }

    /// A directory by its version.
    pub fn directory_version(&self, version: u64) -> Option<&Arc<Directory>> {
        self.directories
            .iter()
            .rev()
            .map(|(_, directory)| directory)
            .find(|directory| directory.version() == version)
    }

    /// The key that was to sign a version that has been in force, and did; `None` when none was.
    pub fn directory_signer(&self, version: u64) -> Option<&AuthorKey> {
        let at = self.directories.iter().position(|(_, directory)| directory.version() == version)?;
        let before = at.checked_sub(1).and_then(|before| self.directories.get(before));
        let asked = before.and_then(|(_, directory)| directory.directory_key());
        asked.or_else(|| self.directories.get(at)?.1.directory_key())
    }

    /// How the directory in force stands to the key that a service was told to trust.
    pub fn held_against(&self, pin: &Pin) -> Held {
        directory::held(self.directories.iter().rev().map(|(_, directory)| directory.as_ref()), pin)
    }

    /// The last sequence of `TOCSIN_SAID` folded.
    pub fn said_through(&self) -> u64 {
        self.said_through
    }

    /// The last sequence of `TOCSIN_LOG` folded.
    pub fn log_through(&self) -> u64 {
        self.log_through
    }

    /// The broker's time of the earliest valid acknowledgement that covers an event: of it, or of a later one.
    pub fn acknowledgement(
        &self,
        recipient: &RecipientId,
        incident: &IncidentId,
        event: EventNumber,
    ) -> Option<Timestamp> {
        self.incidents.get(incident)?.acknowledged(recipient, event)
    }

    /// The later event that ended the incident and so makes escalation of this one pointless, if there is one.
    pub fn stopped(&self, incident: &IncidentId, event: EventNumber) -> Option<StoppedBy> {
        self.incidents.get(incident)?.stopped(event, Timestamp::MAX)
    }

    /// The newest event of an incident.
    pub fn newest_event(&self, incident: &IncidentId) -> Option<EventNumber> {
        let (newest, _) = self.incidents.get(incident)?.numbered().last()?;
        Some(newest)
    }

    /// How many required recipients' duties are open: events that need an acknowledgement, not acknowledged, with a
    /// window still to close.
    pub fn open_duties(&self) -> usize {
        let open = |incident: &Incident, state: &EventState| {
            state.dispatch.as_ref().map_or(0, |dispatch| {
                let waiting =
                    dispatch.steps.iter().any(|s| !state.steps.get(&s.step).is_some_and(|s| s.found));
                let silent = |r: &&RecipientId| incident.acknowledged(r, dispatch.event).is_none();
                let required: BTreeSet<_> =
                    dispatch.steps.iter().flat_map(|s| dispatch.required(s.step)).filter(silent).collect();
                if waiting { required.len() } else { 0 }
            })
        };
        self.incidents.values().flat_map(|i| i.events.iter().map(move |e| open(i, e))).sum()
    }

    fn said(&mut self, entry: &Entry) -> Verdict {
        if entry.sequence <= self.trust.through {
            if !self.trust.refused.contains(&entry.sequence) {
                self.believe(entry);
            }
            return Verdict::Trusted;
        }
        match self.judge(entry) {
            Ok(verdict) => verdict,
            Err(objection) => {
                let refusal = objection.into_refusal(entry);
                self.owing.refuse(refusal.clone());
                Verdict::Refused(refusal)
            }
        }
    }

    fn judge(&mut self, entry: &Entry) -> Result<Verdict, Objection> {
        match judge::valid(self, entry)? {
            Valid::Event(event, signed) => {
                let known = self.incidents.get(&event.incident);
                if judge::stands(known, &event, voice(&signed))?.is_none() {
                    return Ok(Verdict::Repeated);
                }
                self.admit((*event).clone(), signed, entry);
                Ok(Verdict::Event(event))
            }
            Valid::Call(call, signed) => {
                judge::callable(self.incidents.get(&call.incident), &call)?;
                let Some(incident) = self.incidents.get_mut(&call.incident) else {
                    return Ok(Verdict::Repeated);
                };
                match incident.hear_call(&call.recipient, call.event, entry.time, voice(&signed)) {
                    Hearing::First => Ok(Verdict::Call(call)),
                    Hearing::Again => Ok(Verdict::Repeated),
                    Hearing::Other(first) => Err(Objection::new(
                        RefusalCode::AlreadySaid,
                        format!(
                            "a call to recipient {} about event {} was logged at {first}, in other words: the first counts",
                            call.recipient, call.event
                        ),
                    )),
                }
            }
            Valid::Receipt(receipt, signed) => {
                let directory = self.directory_at(entry.time).cloned();
                judge::owed(self, &receipt, directory.as_ref())?;
                let Some(incident) = self.incidents.get_mut(&receipt.incident) else {
                    return Ok(Verdict::Repeated);
                };
                match incident.hear(
                    &receipt.recipient,
                    receipt.event,
                    receipt.stage,
                    entry.time,
                    voice(&signed),
                ) {
                    Hearing::First => Ok(Verdict::Receipt(receipt)),
                    Hearing::Again => Ok(Verdict::Repeated),
                    Hearing::Other(first) => Err(Objection::new(
                        RefusalCode::AlreadySaid,
                        format!(
                            "already {} for recipient {} at {first}, in other words: the first counts",
                            receipt.stage.as_str(),
                            receipt.recipient
                        ),
                    )),
                }
            }
            Valid::Report(report, signed) => {
                let voice = voice(&signed);
                match self.trails.standing_report(&report, voice) {
                    Standing::Same => return Ok(Verdict::Repeated),
                    Standing::Other => return Err(judge::said_otherwise("report", &report.report)),
                    Standing::Nothing => {}
                }
                if let Some(earlier) = &report.adds_to {
                    let there = self.trails.report_status(&report.body, earlier);
                    judge::adds_to(&report, earlier, there)?;
                }
                self.hear_report(&report, voice, entry);
                Ok(Verdict::Report(report))
            }
            Valid::Link(linking, signed) => {
                let voice = voice(&signed);
                match self.trails.standing_link(&linking, voice) {
                    Standing::Same => return Ok(Verdict::Repeated),
                    Standing::Other => return Err(judge::said_otherwise("link", &linking.link)),
                    Standing::Nothing => {}
                }
                judge::links(self, &linking)?;
                self.trails.link(&linking, voice);
                Ok(Verdict::Link(linking))
            }
        }
    }

    /// Takes in a report that counts.
    fn hear_report(&mut self, report: &Report, voice: u64, entry: &Entry) {
        let directory = self.directory_at(entry.time).cloned();
        let said = (entry.sequence, entry.time);
        for proposal in self.trails.report(report, voice, said, directory.as_ref()) {
            self.owing.propose(proposal);
        }
    }

    /// What people have said of trails that may be of one outage.
    pub fn answers(&self) -> &Answers {
        &self.trails.answers
    }

    /// When a report that counts was said, by the broker's clock.
    pub fn report_said_at(&self, body: &BodyId, report: &ReportId) -> Option<Timestamp> {
        self.trails.report_said_at(body, report)
    }

    /// Takes in what a router judged before. What cannot be read here was refused then.
    fn believe(&mut self, entry: &Entry) {
        let (Ok(subject), Some(signed)) = (entry.subject.parse::<Subject>(), &entry.signed) else {
            return;
        };
        match subject {
            Subject::Incident { .. } => {
                let Ok(event) = from_body::<Event>("event", &entry.body) else {
                    return;
                };
                if matches!(
                    judge::stands(self.incidents.get(&event.incident), &event, voice(signed)),
                    Ok(Some(()))
                ) {
                    self.admit(event, signed.clone(), entry);
                }
            }
            Subject::Called { incident, event, recipient, .. } => {
                if let Some(incident) = self.incidents.get_mut(&incident) {
                    incident.hear_call(&recipient, event, entry.time, voice(signed));
                }
            }
            Subject::Receipt { recipient, incident, event, stage } => {
                if let Some(incident) = self.incidents.get_mut(&incident) {
                    incident.hear(&recipient, event, stage, entry.time, voice(signed));
                }
            }
            Subject::Report { .. } => {
                if let Ok(report) = from_body::<Report>("report", &entry.body)
                    && self.trails.standing_report(&report, voice(signed)) == Standing::Nothing
                {
                    self.hear_report(&report, voice(signed), entry);
                }
            }
            Subject::Link { .. } => {
                if let Ok(linking) = from_body::<Linking>("link", &entry.body)
                    && self.trails.standing_link(&linking, voice(signed)) == Standing::Nothing
                {
                    self.trails.link(&linking, voice(signed));
                }
            }
            _ => {}
        }
    }

    fn admit(&mut self, event: Event, signed: Signed, entry: &Entry) {
        let event = Arc::new(event);
        let directory = self.directory_at(entry.time).cloned();
        let incident = self.incidents.entry(event.incident.clone()).or_insert_with(|| Incident::new(&event));
        let worsened =
            worsening(&event, incident.course(event.sequence), &incident.newest, &incident.baseline);
        let handed_over = incident.handed_over.told(&event);
        for area in &event.areas {
            if !incident.areas.contains(area) {
                incident.areas.push(area.clone());
            }
        }
        for service in &event.services {
            if !incident.services.contains(service) {
                incident.services.push(*service);
            }
        }
        let voice = voice(&signed);
        let open = Open {
            body: entry.body.clone(),
            signed,
            worsened,
            areas: incident.areas.clone(),
            services: incident.services.clone(),
            handed_over,
            event: Arc::clone(&event),
        };
        if directory.as_ref().is_some_and(|d| dispatch::needs_acknowledgement(d, &event, &open)) {
            incident.baseline = Arc::clone(&event);
        }
        incident.newest = Arc::clone(&event);
        let number = event.sequence;
        incident.events.push(EventState {
            kind: event.kind,
            stage: event.report_stage(),
            moments: Moments::told(&event),
            platform: event.platform,
            said: entry.sequence,
            published_at: entry.time,
            voice,
            dispatch: None,
            open: Some(open),
            owed: incident::Bits::default(),
            noticed: incident::Bits::default(),
            steps: std::collections::BTreeMap::new(),
        });
        self.owing.dispatch(entry.sequence, event.incident.clone(), number);
        let said = (entry.sequence, entry.time);
        for proposal in self.trails.event(&event, said, directory.as_ref()) {
            self.owing.propose(proposal);
        }
        if let Some(dispatch) = self.early.remove(&(event.incident.clone(), number)) {
            self.dispatched(&dispatch);
        }
    }
}
