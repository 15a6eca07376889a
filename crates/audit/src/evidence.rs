//! From entries to evidence: both streams are folded anew, every signature verified, nothing believed.

use std::{collections::BTreeMap, sync::Arc};

use tocsin_duty::{Fold, Verdict};
use tocsin_protocol::{
    BodyId, Entry, IncidentId, RecipientId, Refusal, Stream, Subject, Timestamp, from_body,
};

use crate::{
    calls::{self, CallList, CallListRequest},
    compute,
    error::Error,
    facts::Facts,
    linked::Trails,
    period::{self, PeriodProvenance, PeriodReport, PeriodRequest, Scores},
    register::Register,
    report::{Comparison, DirectoryRead, Provenance, Report, StreamRead},
};

/// How many incidents are kept of which there are refusals and no event: strangers can name any number.
const STRANGERS: usize = 1_000;

/// How many directories are told of: the administrator's or a router's login can write any number that are not in force.
const DIRECTORIES: usize = 1_000;

/// How much is told of why one is not in force, in characters.
const WHY_SHOWN: usize = 400;

/// The counted facts of one incident, or of all, with the broker's times.
///
/// It takes the entries of both streams in their one order (the broker's time, `TOCSIN_SAID` first, then sequence).
/// The same entries give the same report, whoever reads them.
#[derive(Debug, Default)]
pub struct Evidence {
    of: Option<IncidentId>,
    fold: Fold,
    registers: BTreeMap<u64, Arc<Register>>,
    incidents: BTreeMap<IncidentId, Facts>,
    strangers: usize,
    trails: Trails,
    directories: Vec<DirectoryRead>,
    said: StreamRead,
    log: StreamRead,
}

/// What a report is to hold beside the evidence.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The moment at which the streams were read, by the reader's clock: windows that the broker should have closed
    /// by then are told as overdue. Without it, the broker's time of the last entry stands in for it.
    pub as_of: Option<Timestamp>,
    /// Another timeliness to hold this one against.
    pub comparison: Option<Comparison>,
    /// The one recipient that it is for. The report then holds its own rows and what is computed of them, the incident
    /// that it was told of, and nothing that another recipient said or was sent.
    pub only: Option<RecipientId>,
}

/// Gathers the evidence from entries that are at hand, in their one order.
pub fn gather<'a>(entries: impl IntoIterator<Item = &'a Entry>, of: Option<&IncidentId>) -> Evidence {
    let mut evidence = Evidence::of(of);
    for entry in entries {
        evidence.take(entry);
    }
    evidence
}

impl Evidence {
    /// No evidence yet, of one incident or of all.
    pub fn of(incident: Option<&IncidentId>) -> Self {
        Self { of: incident.cloned(), ..Self::default() }
    }

    /// Takes in the next entry.
    pub fn take(&mut self, entry: &Entry) {
        let read = match entry.stream {
            Stream::Said => &mut self.said,
            Stream::Log => &mut self.log,
        };
        read.entries += 1;
        read.last_sequence = entry.sequence;
        read.last_at = Some(entry.time);
        match self.fold.apply(entry) {
            Verdict::Event(event) => {
                self.trails.event(entry.time, &event);
                if let Some(facts) = self.facts(&event.incident) {
                    facts.event(entry, *event);
                }
            }
            Verdict::Receipt(receipt) => {
                let key = entry.signed.as_ref().map(|signed| signed.key.as_str());
                let directory = self.fold.directory_at(entry.time);
                let signer =
                    directory.zip(key).and_then(|(known, key)| known.signer(&receipt.recipient, key));
                if let Some(facts) = self.facts(&receipt.incident) {
                    facts.receipt(entry, *receipt, signer);
                }
            }
            Verdict::Refused(refusal) => {
                if let Some(facts) = self.facts_of_refused(&refusal) {
                    facts.judged(entry.time, refusal);
                }
            }
            Verdict::Recorded(subject) => self.recorded(&subject, entry),
            Verdict::NotInForce { why, .. } => {
                self.directory(entry, None, Some(why.to_string().chars().take(WHY_SHOWN).collect()));
            }
            Verdict::Foreign => self.foreign(entry),
            Verdict::Report(report) => self.trails.report(entry.time, *report),
            Verdict::Link(linking) => self.trails.link(entry.time, *linking),
            Verdict::Call(call) => {
                if let Some(facts) = self.facts(&call.incident) {
                    facts.call(entry, *call);
                }
            }
            Verdict::Repeated | Verdict::Trusted => {}
        }
    }

    /// The incidents of which an event counts.
    pub fn incidents(&self) -> impl Iterator<Item = &IncidentId> {
        self.incidents.iter().filter(|(_, facts)| !facts.events.is_empty()).map(|(id, _)| id)
    }

    /// Who knew what, when, of one incident.
    ///
    /// # Errors
    /// [`Error::UnknownIncident`] when no event of it counts.
    pub fn report(&self, incident: &IncidentId, request: Request) -> Result<Report, Error> {
        let unknown = || Error::UnknownIncident { incident: incident.clone(), said: self.said.entries };
        let facts = self.incidents.get(incident).ok_or_else(unknown)?;
        let provenance = self.provenance(facts, request.as_of);
        let linked = self.trails.of(incident, request.only.as_ref().map(BodyId::from).as_ref());
        compute::report(incident, facts, linked, provenance, request).ok_or_else(unknown)
    }

    /// How timely everybody was between two days.
    ///
    /// # Errors
    /// [`Error::Period`] for days that are none.
    pub fn period(&self, request: &PeriodRequest) -> Result<PeriodReport, Error> {
        let (time_zone, provenance) = self.of_a_period(request);
        period::report(&self.incidents, time_zone, provenance, request)
    }

    /// How each recipient did in the exercises between two days, and whether it gets better. The request's status is left
    /// aside.
    ///
    /// # Errors
    /// [`Error::Period`] for days that are none.
    pub fn exercises(&self, request: &PeriodRequest) -> Result<Scores, Error> {
        let (time_zone, provenance) = self.of_a_period(request);
        period::scores(&self.incidents, time_zone, provenance, request)
    }

    fn of_a_period(&self, request: &PeriodRequest) -> (&str, PeriodProvenance) {
        let last_read = self.said.last_at.max(self.log.last_at);
        let register = self.registers.last_key_value();
        let provenance = PeriodProvenance {
            as_of: request.as_of.max(last_read).unwrap_or(Timestamp::UNIX_EPOCH),
            directory_name: register.map(|(_, register)| register.name.clone()),
            directory_version: register.map(|(version, _)| *version),
            said: self.said,
            log: self.log,
        };
        let time_zone = register.map_or("UTC", |(_, register)| register.time_zone.as_str());
        (time_zone, provenance)
    }

    /// Who is still silent, the most urgent first.
    ///
    /// # Errors
    /// [`Error::UnknownIncident`] when one is asked for of which no event counts.
    pub fn call_list(&self, request: &CallListRequest) -> Result<CallList, Error> {
        let last_read = self.said.last_at.max(self.log.last_at);
        let source = calls::Source {
            registers: &self.registers,
            as_of: request.as_of.max(last_read).unwrap_or(Timestamp::UNIX_EPOCH),
            said: self.said,
            log: self.log,
        };
        if let Some(incident) = &request.incident
            && self.incidents.get(incident).is_none_or(|facts| facts.events.is_empty())
        {
            return Err(Error::UnknownIncident { incident: incident.clone(), said: self.said.entries });
        }
        Ok(calls::list(&self.incidents, &source, request))
    }

    /// Every directory of the log, unless none was to be signed and all are in force.
    pub(crate) fn directories_told(&self) -> Vec<DirectoryRead> {
        let plain = |read: &DirectoryRead| read.signed_by.is_none() && read.not_in_force.is_none();
        if self.directories.iter().all(plain) { Vec::new() } else { self.directories.clone() }
    }

    fn provenance(&self, facts: &Facts, as_of: Option<Timestamp>) -> Provenance {
        let last_read = self.said.last_at.max(self.log.last_at);
        let mut versions: Vec<u64> = facts.dispatches.values().map(|at| at.fact.dispatch.directory).collect();
        versions.sort_unstable();
        versions.dedup();
        let newest_used = versions.last().and_then(|version| self.registers.get(version));
        let register = newest_used.or_else(|| self.registers.values().next_back());
        Provenance {
            as_of: as_of.max(last_read).unwrap_or(Timestamp::UNIX_EPOCH),
            time_zone: register.map_or_else(|| "UTC".to_owned(), |register| register.time_zone.clone()),
            directory_name: register.map(|register| register.name.clone()),
            directory_versions: versions,
            directories: self.directories_told(),
            said: self.said,
            log: self.log,
        }
    }

    /// A directory, whether it is in force or not.
    fn directory(&mut self, entry: &Entry, signed_by: Option<String>, not_in_force: Option<String>) {
        if self.directories.len() < DIRECTORIES {
            let (subject, at) = (entry.subject.clone(), entry.time);
            self.directories.push(DirectoryRead { subject, at, signed_by, not_in_force });
        }
    }

    fn recorded(&mut self, subject: &Subject, entry: &Entry) {
        match subject {
            Subject::Directory { version } => {
                let signed_by = self.fold.directory_signer(*version).map(|key| key.as_str().to_owned());
                self.directory(entry, signed_by, None);
                if let Ok(document) = from_body("directory", &entry.body) {
                    self.registers.insert(*version, Arc::new(Register::of(*version, document)));
                }
            }
            Subject::Refusal { .. } => {
                // The fold takes the subject's word that something was refused; what the body adds is for people.
                let Ok(refusal) = from_body::<Refusal>("refusal", &entry.body) else { return };
                // Under another's name it is hidden from who was refused.
                if *subject == Subject::refusal(&refusal.subject, refusal.said)
                    && let Some(facts) = self.facts_of_refused(&refusal)
                {
                    facts.recorded(refusal);
                }
            }
            _ => {
                let Some(incident) = subject.incident() else { return };
                let registers = self.registers.clone();
                if let Some(facts) = self.facts(incident) {
                    facts.log(subject, entry, |version| registers.get(&version).cloned());
                }
            }
        }
    }

    /// On the log and no fact of ours: told when it names the incident.
    fn foreign(&mut self, entry: &Entry) {
        let Ok(subject) = entry.subject.parse::<Subject>() else { return };
        if let Some(facts) = subject.incident().and_then(|incident| self.stranger(incident)) {
            facts.fault(entry, "its body is not the fact that its subject names".to_owned());
        }
    }

    /// The facts of an incident that is asked for.
    fn facts(&mut self, incident: &IncidentId) -> Option<&mut Facts> {
        let wanted = self.of.as_ref().is_none_or(|of| of == incident);
        wanted.then(|| self.incidents.entry(incident.clone()).or_default())
    }

    /// The same, for what need not be of an incident at all.
    fn stranger(&mut self, incident: &IncidentId) -> Option<&mut Facts> {
        if self.of.is_none() && !self.incidents.contains_key(incident) {
            if self.strangers >= STRANGERS {
                return None;
            }
            self.strangers += 1;
        }
        self.facts(incident)
    }

    fn facts_of_refused(&mut self, refusal: &Refusal) -> Option<&mut Facts> {
        self.stranger(&named(&refusal.subject)?)
    }
}

/// The incident that a subject names, however wrong the rest of it may be.
pub(crate) fn named(subject: &str) -> Option<IncidentId> {
    let mut words = subject.split('.');
    let (root, kind) = (words.next()?, words.next()?);
    let said = root == Subject::ROOT && matches!(kind, "incident" | "receipt");
    if said { IncidentId::new(words.nth(1)?).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_subject_still_names_its_incident() {
        let name = |subject| named(subject).map(|id| id.to_string());
        assert_eq!(name("tocsin.receipt.a.x.1.seen").as_deref(), Some("x"));
        assert_eq!(name("tocsin.incident.bt.x.0").as_deref(), Some("x"));
        assert_eq!(name("tocsin.incident.bt.*.0"), None);
        assert_eq!(name("tocsin.due.bt.x.0"), None);
        assert_eq!(name("tocsin"), None);
    }
}
