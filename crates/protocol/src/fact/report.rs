//! A report: what a body sees of a service that is not its own to speak for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    event::EventContact,
    receipt::Person,
    words::{Service, Status},
};
use crate::{
    id::{AreaId, BodyId, ReportId},
    subject::Subject,
};

/// What a body sees: an agency whose calls have stopped, a monitor that alerts, an operator's own desk. It is evidence,
/// and no incident: nobody is owed a notice because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The author's own name for it, which makes it one however often it is said.
    pub report: ReportId,
    /// Who says it.
    pub body: BodyId,
    /// Actual, exercise or test.
    pub status: Status,
    /// What it says of the service.
    pub says: ReportSays,
    /// When it was seen, by the author's clock.
    pub observed_at: Timestamp,
    /// Which services are touched.
    pub services: Vec<Service>,
    /// Which areas are touched, as far as the author sees.
    pub areas: Vec<AreaId>,
    /// One line that tells it.
    pub headline: String,
    /// Who saw it: people at an agency, a machine, people at an operator.
    pub source: ReportSource,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// An earlier report of the same body that this adds to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adds_to: Option<ReportId>,
    /// How many calls the author knows to be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_lost: Option<u64>,
    /// Who answers questions about it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<EventContact>,
    /// Who says it there: always, but for what a machine saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// Of what a machine saw: what its alert is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Alert>,
}

/// What a machine's alert is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// The account by which it came, where the monitor has no key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// The same whenever the same alert, or group of them, fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its labels; of a group those that all in it have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Report {
    /// The identity of this fact.
    pub fn subject(&self) -> Subject {
        Subject::Report { body: self.body.clone(), report: self.report.clone() }
    }
}

/// What a report says of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportSays {
    /// It fails, as far as the author sees.
    Failing,
    /// It is there again, as far as the author sees.
    Restored,
}

impl ReportSays {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Restored => "restored",
        }
    }
}

/// Who saw what a report tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportSource {
    /// People at a body that is told.
    Agency,
    /// A machine.
    Monitoring,
    /// People at a publisher.
    Operator,
}

impl ReportSource {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::Monitoring => "monitoring",
            Self::Operator => "operator",
        }
    }
}
