//! A policy: who is owed a notice of a failure, what becomes of a recipient's silence, and what the publisher owes.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    term::{Term, Window},
    words::{Channel, ClockStart, Confidence, EventKind, Requirement, Service, Stage, Trigger},
};
use crate::id::{DutyId, PolicyId, RecipientId};

/// A notification duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// Its identifier.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// The paragraph that it rests on, or that there is none.
    pub basis: String,
    /// The day on which the basis was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
    /// Where the basis can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// From which day the basis is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force_from: Option<Date>,
    /// How sure we are.
    pub confidence: Confidence,
    /// From which moment the windows run.
    pub clock: ClockStart,
    /// The services whose failure it is about; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// What brings it into play.
    #[serde(default, skip_serializing_if = "Trigger::is_failure")]
    pub trigger: Trigger,
    /// The kinds of event that need an acknowledgement. A worsening always needs one anew.
    pub acknowledge: Vec<EventKind>,
    /// Who is owed a notice: the first rule that fits a recipient holds.
    pub owed: Vec<OwedRule>,
    /// What happens to a required recipient who stays silent, in order.
    pub steps: Vec<StepDocument>,
    /// What the publisher owes, and by when. A recipient's silence is another matter: that is what the steps are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duties: Vec<DutyDocument>,
}

/// Who is owed a notice, and whether it must be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwedRule {
    /// The kinds of recipient that it is about; empty for every kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The recipients that it is about, by name; empty for all of these kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientId>,
    /// Where they must stand to the incident.
    #[serde(rename = "where")]
    pub place: Where,
    /// Required or informed.
    pub requirement: Requirement,
}

/// Where a recipient stands to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Where {
    /// Anywhere: it is owed every event.
    Anywhere,
    /// It serves an area that the incident touches.
    Affected,
    /// It is a neighbour of a body that serves such an area.
    Neighbour,
    /// It serves an area of whose lost callers more were handed to the police with this event.
    HandedOver,
}

/// A window and what follows when it closes on silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDocument {
    /// How long after the clock's start, such as `15m`.
    pub within: Window,
    /// The contact who is then written to, by the word in the `contacts` of whoever is reached.
    pub contact: String,
    /// Whose contact that is.
    #[serde(default, skip_serializing_if = "Reach::is_own")]
    pub reach: Reach,
}

/// Who is written to for a silent recipient.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The recipient itself.
    #[default]
    Own,
    /// Its buddy, who takes its calls when it cannot.
    Buddy,
    /// The body that coordinates those of its kind.
    CoordinatingBody,
}

impl Reach {
    /// Whether the recipient itself is written to.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// Something that a publisher owes under a policy: a report of a stage, by a time that runs from a clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutyDocument {
    /// Its identifier in the policy.
    pub id: DutyId,
    /// What it is, for people.
    pub what: String,
    /// The stage of the report that meets it.
    pub stage: Stage,
    /// The moment from which it runs.
    pub from: DutyStart,
    /// Within which time the law wants it. Left out where the law says "as soon as practicable" and no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Term>,
    /// Within which time we want it ourselves: an internal target, which is never a breach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Term>,
    /// That it is owed again this long after each report, and after each time at which none came, until the incident is
    /// over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Term>,
    /// For how long it is repeated, from the same moment.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub lasting: Option<Term>,
    /// The kinds of recipient to whom it is owed; empty for all whom the policy requires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The ways in which it must be done, all of them. Empty for a notice on the bus alone, which is in writing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
}

/// The moment from which a duty runs: a clock's, or that at which an earlier duty of the policy was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DutyStart {
    /// A clock: `published` is the broker's time of the first event.
    Clock(ClockStart),
    /// When that duty was met.
    Duty(DutyId),
}

impl std::fmt::Display for DutyStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clock(clock) => clock.fmt(f),
            Self::Duty(duty) => duty.fmt(f),
        }
    }
}

impl Serialize for DutyStart {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DutyStart {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<ClockStart>() {
            Ok(clock) => Ok(Self::Clock(clock)),
            Err(_) => text.parse().map(Self::Duty).map_err(serde::de::Error::custom),
        }
    }
}
