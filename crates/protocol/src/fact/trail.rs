//! Trails of what may be one outage: proposed for linking by rule, linked by a person, never merged.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    receipt::Person,
    report::ReportSource,
    words::{Service, Status},
};
use crate::{
    id::{AreaId, BodyId, IncidentId, LinkId, PublisherId, ReportId},
    subject::{EventNumber, Subject},
};

/// One trail: an incident, or a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Trail {
    /// A publisher's incident.
    Incident(IncidentTrail),
    /// A body's report.
    Report(ReportTrail),
}

/// An incident as a trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentTrail {
    /// Whose it is.
    pub publisher: PublisherId,
    /// Which.
    pub incident: IncidentId,
}

/// A report as a trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportTrail {
    /// Whose it is.
    pub body: BodyId,
    /// Which.
    pub report: ReportId,
}

impl Trail {
    /// An incident's.
    pub fn incident(publisher: PublisherId, incident: IncidentId) -> Self {
        Self::Incident(IncidentTrail { publisher, incident })
    }

    /// A report's.
    pub fn report(body: BodyId, report: ReportId) -> Self {
        Self::Report(ReportTrail { body, report })
    }

    /// Whose it is.
    pub fn body(&self) -> BodyId {
        match self {
            Self::Incident(trail) => BodyId::from(&trail.publisher),
            Self::Report(trail) => trail.body.clone(),
        }
    }
}

impl std::fmt::Display for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incident(trail) => write!(f, "incident {}", trail.incident),
            Self::Report(trail) => write!(f, "report {} of {}", trail.report, trail.body),
        }
    }
}

/// A person's word that an incident and another trail are of the same outage, or are not. Both trails stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linking {
    /// The publisher's own name for it, which makes it one however often it is said.
    pub link: LinkId,
    /// Who says it.
    pub publisher: PublisherId,
    /// The publisher's own incident.
    pub incident: IncidentId,
    /// The other trail.
    pub with: Trail,
    /// Whether they are of the same outage.
    pub answer: LinkAnswer,
    /// When, by the publisher's clock. The broker's time decides.
    pub at: Timestamp,
    /// Who says so.
    pub by: Person,
    /// Why: always where they are not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Linking {
    /// The identity of this fact.
    pub fn subject(&self) -> Subject {
        Subject::Link { publisher: self.publisher.clone(), link: self.link.clone() }
    }
}

/// Whether two trails are of the same outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkAnswer {
    /// They are.
    Same,
    /// They are not.
    NotTheSame,
}

impl LinkAnswer {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::NotTheSame => "not-the-same",
        }
    }
}

/// What was said may be of the same outage as other trails: for a person to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who is to say.
    pub publisher: PublisherId,
    /// The directory in force when it was said.
    pub directory: u64,
    /// What was said.
    pub of: Seen,
    /// What it may belong to, the newest first; empty where nothing that is open fits.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
}

impl Proposal {
    /// The identity of this fact.
    pub fn subject(&self) -> Subject {
        Subject::Proposal { publisher: self.publisher.clone(), said: self.of.said }
    }
}

/// A trail as it stood when the proposal was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which.
    pub trail: Trail,
    /// The newest event, of an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventNumber>,
    /// Who saw it, of a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ReportSource>,
    /// The sequence in `TOCSIN_SAID` of its newest word.
    pub said: u64,
    /// The broker's time of its newest word.
    pub said_at: Timestamp,
    /// When it was seen or began, as its author says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// Actual, exercise or test.
    pub status: Status,
    /// Which services it names.
    pub services: Vec<Service>,
    /// Which areas it names.
    pub areas: Vec<AreaId>,
    /// Its line; not that of an incident whose marking keeps it among those who are owed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
}

/// A trail that may be of the same outage, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    #[serde(flatten)]
    pub seen: Seen,
    /// The services that both name.
    pub shared_services: Vec<Service>,
    /// Those of its areas that touch the other's.
    pub touching_areas: Vec<AreaId>,
    /// Between the newest words of the two, by the broker's clock, in whole seconds.
    pub apart_seconds: u64,
}
