//! The trails that a person has said are, or are not, of the same outage as an incident.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    BodyId, ByRule, Event, IncidentId, LinkAnswer, Linking, Person, PublisherId, Report as Said, ReportId,
    ReportSource, ReportTrail, RuleId, Timestamp, Trail,
};

use crate::facts::At;

/// Another trail that a person, or a rule, has said is of the same outage as this incident, or is not. Nothing was merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkedReport {
    /// Which.
    pub trail: Trail,
    /// Whether it is of the same outage: the newest word of whoever said so.
    pub answer: LinkAnswer,
    /// When its first word was stored, by the broker's clock.
    pub said_at: Timestamp,
    /// When it was seen or began, as its author says: a claim.
    pub seen_at: Option<Timestamp>,
    /// From its first word to this incident's first event, in seconds, by the broker's clock: more than nothing where it
    /// came before.
    pub before_seconds: f64,
    /// Its line; absent of an incident whose marking keeps it among those who are owed it.
    pub headline: Option<String>,
    /// Who saw it, of a report.
    pub source: Option<ReportSource>,
    /// Who said it there, of a report.
    pub reported_by: Option<Person>,
    /// The later reports that add to it.
    pub added: Vec<AddedReport>,
    /// When the link was stored, by the broker's clock.
    pub linked_at: Timestamp,
    /// Which publisher's word the link is.
    pub linked_by: PublisherId,
    /// Whose there; absent where a rule of the publisher's made the incident of a monitor's report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_by_person: Option<Person>,
    /// By which rule of the publisher's the incident was made of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_by_rule: Option<RuleId>,
    /// Why.
    pub note: Option<String>,
}

/// A later report that adds to one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedReport {
    /// Which.
    pub report: ReportId,
    /// When it was stored, by the broker's clock.
    pub said_at: Timestamp,
    /// What it says.
    pub headline: String,
}

/// Every report and link that counts, and the head of every incident.
#[derive(Debug, Default)]
pub(crate) struct Trails {
    reports: BTreeMap<(BodyId, ReportId), At<Said>>,
    links: Vec<At<Linking>>,
    heads: BTreeMap<IncidentId, Head>,
}

#[derive(Debug)]
struct Head {
    publisher: PublisherId,
    said_at: Timestamp,
    began_at: Option<Timestamp>,
    headline: Option<String>,
    /// By which rule its first event was said.
    by_rule: Option<ByRule>,
}

impl Trails {
    pub(crate) fn report(&mut self, time: Timestamp, report: Said) {
        let key = (report.body.clone(), report.report.clone());
        self.reports.entry(key).or_insert(At { time, fact: report });
    }

    pub(crate) fn link(&mut self, time: Timestamp, linking: Linking) {
        self.links.push(At { time, fact: linking });
    }

    pub(crate) fn event(&mut self, time: Timestamp, event: &Event) {
        let head = self.heads.entry(event.incident.clone()).or_insert_with(|| Head {
            publisher: event.publisher.clone(),
            said_at: time,
            began_at: None,
            headline: None,
            by_rule: event.by_rule.as_deref().cloned(),
        });
        head.began_at = event.began_at.or(head.began_at);
        head.headline = (!event.is_sensitive()).then(|| event.headline.clone());
    }

    /// The trails that are linked with an incident, or were said not to be: the earliest first. Of one body's alone where
    /// the report is for it.
    pub(crate) fn of(&self, incident: &IncidentId, only: Option<&BodyId>) -> Vec<LinkedReport> {
        let Some(own) = self.heads.get(incident) else { return Vec::new() };
        let mut newest: BTreeMap<Trail, &At<Linking>> = BTreeMap::new();
        for link in &self.links {
            let Linking { publisher, incident: from, with, .. } = &link.fact;
            let other = if from == incident {
                with.clone()
            } else if matches!(with, Trail::Incident(trail) if trail.incident == *incident) {
                Trail::incident(publisher.clone(), from.clone())
            } else {
                continue;
            };
            newest.insert(other, link);
        }
        let wanted = |trail: &Trail| only.is_none_or(|only| trail.body() == *only);
        let mut linked: Vec<_> = newest
            .into_iter()
            .filter(|(trail, _)| wanted(trail))
            .filter_map(|(trail, link)| {
                let row = self.row(own, trail)?;
                Some(LinkedReport {
                    answer: link.fact.answer,
                    linked_at: link.time,
                    linked_by: link.fact.publisher.clone(),
                    linked_by_person: Some(link.fact.by.clone()),
                    note: link.fact.note.clone(),
                    ..row
                })
            })
            .collect();
        // What a rule made of a report is of it, unless a person has said otherwise.
        if let Some(by) = own.by_rule.as_ref().filter(|by| wanted(&by.trail()))
            && linked.iter().all(|row| row.trail != by.trail())
            && let Some(row) = self.row(own, by.trail())
        {
            linked.push(LinkedReport { linked_by_rule: Some(by.rule.clone()), ..row });
        }
        linked.sort_by(|a, b| (a.said_at, &a.trail).cmp(&(b.said_at, &b.trail)));
        linked
    }

    /// A trail that is one with an incident, by whom it will be said.
    fn row(&self, own: &Head, trail: Trail) -> Option<LinkedReport> {
        let mut row = LinkedReport {
            answer: LinkAnswer::Same,
            said_at: own.said_at,
            seen_at: None,
            before_seconds: 0.0,
            headline: None,
            source: None,
            reported_by: None,
            added: Vec::new(),
            linked_at: own.said_at,
            linked_by: own.publisher.clone(),
            linked_by_person: None,
            linked_by_rule: None,
            note: None,
            trail,
        };
        match &row.trail {
            Trail::Incident(trail) => {
                let head =
                    self.heads.get(&trail.incident).filter(|head| head.publisher == trail.publisher)?;
                row.said_at = head.said_at;
                row.seen_at = head.began_at;
                row.headline.clone_from(&head.headline);
            }
            Trail::Report(trail) => {
                let said = self.reports.get(&(trail.body.clone(), trail.report.clone()))?;
                row.said_at = said.time;
                row.seen_at = Some(said.fact.observed_at);
                row.headline = Some(said.fact.headline.clone());
                row.source = Some(said.fact.source);
                row.reported_by.clone_from(&said.fact.by);
                row.added = self.added(trail);
            }
        }
        row.before_seconds = own.said_at.duration_since(row.said_at).as_secs_f64();
        Some(row)
    }

    fn added(&self, trail: &ReportTrail) -> Vec<AddedReport> {
        let mut added: Vec<_> = self
            .reports
            .iter()
            .filter(|((body, _), at)| *body == trail.body && at.fact.adds_to.as_ref() == Some(&trail.report))
            .map(|((_, report), at)| AddedReport {
                report: report.clone(),
                said_at: at.time,
                headline: at.fact.headline.clone(),
            })
            .collect();
        added.sort_by(|a, b| (a.said_at, &a.report).cmp(&(b.said_at, &b.report)));
        added
    }
}
