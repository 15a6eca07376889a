//! An incident event: what a publisher says.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::trail::Trail;
use super::words::{Category, Certainty, EventKind, Platform, Service, Severity, Stage, Status, Urgency};
use crate::{
    id::{AreaId, BodyId, IncidentId, PublisherId, ReportId, RuleId},
    language::Language,
    subject::{EventNumber, Subject},
};

/// What a publisher says of an incident. Only the fields without `Option` are owed in the first minute: a missing
/// item must not delay the first notice (FCC 13-158).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Which incident.
    pub incident: IncidentId,
    /// Which event of it, from 1.
    pub sequence: EventNumber,
    /// Initial, update, resolved or cancelled.
    pub kind: EventKind,
    /// Actual, exercise or test: the same in every event of an incident.
    pub status: Status,
    /// Who says it.
    pub publisher: PublisherId,
    /// What sort of incident.
    pub category: Category,
    /// Which services are touched.
    pub services: Vec<Service>,
    /// One line that tells it.
    pub headline: String,
    /// Which areas are touched.
    pub areas: Vec<AreaId>,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the recipient should do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// The agreed words for the public, so that a hundred bodies do not each find their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_advice: Option<String>,
    /// The same words in other languages than English, as agreed. The console shows each reader theirs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub public_advice_in: BTreeMap<Language, String>,
    /// CAP severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// CAP urgency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    /// CAP certainty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// When the failure began, as the publisher now knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// When it was noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<Timestamp>,
    /// When the operator was aware of it (Communications Act 2003 s.105K, NIS2 Art. 23).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aware_at: Option<Timestamp>,
    /// When anyone in the chain discovered it (47 CFR 4.9(h)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovered_at: Option<Timestamp>,
    /// When it was classified as reportable (DORA Art. 19).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classified_at: Option<Timestamp>,
    /// When the service was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<Timestamp>,
    /// When restoration is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_restoration_at: Option<Timestamp>,
    /// When the publisher will have said more, if only that nothing has changed. The broker holds it to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update_by: Option<Timestamp>,
    /// How much of a report it is; see [`Event::report_stage`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// That it must be acknowledged anew, though nothing by which we know a worsening is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<bool>,
    /// Which earlier event it corrects: with kind correction, and with no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<EventNumber>,
    /// What carries the service now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// How many calls were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Impact>,
    /// How many of the callers who were lost have been called back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recontact: Option<Recontact>,
    /// Who answers questions now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<EventContact>,
    /// The protective marking, such as OFFICIAL-SENSITIVE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marking: Option<String>,
    /// That no person said it: what a monitor reported became it by a rule of the publisher's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_rule: Option<Box<ByRule>>,
}

impl Event {
    /// The first word of an incident: what every event must say, and nothing else.
    pub fn initial(
        publisher: PublisherId,
        incident: IncidentId,
        status: Status,
        category: Category,
        services: Vec<Service>,
        headline: impl Into<String>,
        areas: Vec<AreaId>,
    ) -> Self {
        Self {
            incident,
            sequence: EventNumber::FIRST,
            kind: EventKind::Initial,
            status,
            publisher,
            category,
            services,
            headline: headline.into(),
            areas,
            description: None,
            instruction: None,
            public_advice: None,
            public_advice_in: BTreeMap::new(),
            severity: None,
            urgency: None,
            certainty: None,
            began_at: None,
            detected_at: None,
            aware_at: None,
            discovered_at: None,
            classified_at: None,
            restored_at: None,
            expected_restoration_at: None,
            next_update_by: None,
            stage: None,
            material: None,
            corrects: None,
            platform: None,
            impact: None,
            recontact: None,
            contact: None,
            marking: None,
            by_rule: None,
        }
    }

    /// The identity of this fact.
    pub fn subject(&self) -> Subject {
        Subject::Incident {
            publisher: self.publisher.clone(),
            incident: self.incident.clone(),
            event: self.sequence,
        }
    }

    /// How much of a report it is: what it says, or else initial for the first event and update for the others.
    pub fn report_stage(&self) -> Stage {
        let by_kind = if self.kind == EventKind::Initial { Stage::Initial } else { Stage::Update };
        self.stage.unwrap_or(by_kind)
    }

    /// Whether its marking forbids that its content leaves by mail, or by a page that asks nobody who they are.
    pub fn is_sensitive(&self) -> bool {
        const WORDS: [&str; 6] =
            ["SENSITIVE", "SECRET", "CONFIDENTIAL", "RESTRICTED", "TLP:RED", "TLP:AMBER"];
        // Letters and signs alone: what cannot be seen must not hide a word.
        let seen = |c: &char| c.is_alphanumeric() || c.is_ascii_punctuation();
        let marking = self.marking.as_deref().unwrap_or_default();
        let marking: String = marking.chars().filter(seen).collect::<String>().to_uppercase();
        WORDS.iter().any(|word| marking.contains(word))
    }
}

/// By which rule of its publisher's an event was said, and because of which report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByRule {
    /// Which rule, by its name in the publisher's configuration.
    pub rule: RuleId,
    /// Whose report it was.
    pub body: BodyId,
    /// Which report.
    pub report: ReportId,
    /// Which monitor: the account by which its report came; absent where it has a key and a name of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// What the alert is known by, so that it is one event however often it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl ByRule {
    /// The trail of the report.
    pub fn trail(&self) -> Trail {
        Trail::report(self.body.clone(), self.report.clone())
    }

    /// Which monitor it was, for people.
    pub fn monitor(&self) -> &str {
        self.monitor.as_deref().unwrap_or(self.body.as_str())
    }
}

impl fmt::Display for ByRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, body, report, .. } = self;
        write!(
            f,
            "by rule {rule}, from report {report} of {body}, by monitor {}: no person had looked",
            self.monitor()
        )
    }
}

/// How many calls were lost. Figures move: each carries where it is from and whether it is provisional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impact {
    /// Calls that did not get through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_unsuccessful: Option<u64>,
    /// The same by area, so that each force gets its own figure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_area: BTreeMap<AreaId, u64>,
    /// When the figure was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it may still change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional: Option<bool>,
}

/// How many of the lost callers have been called back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recontact {
    /// The whole.
    #[serde(flatten)]
    pub total: RecontactFigures,
    /// The same by area.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_area: BTreeMap<AreaId, RecontactFigures>,
    /// When the figures were right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether they may still change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional: Option<bool>,
}

/// The state of a list of lost callers. No caller's data is on the bus: figures only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecontactFigures {
    /// Callers reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<u64>,
    /// Callers not yet reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<u64>,
    /// Callers whose numbers were handed to the police.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_to_police: Option<u64>,
}

/// Who answers questions about an incident now. A role, not a person, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventContact {
    /// The role or desk.
    pub role: String,
    /// A person's name, where a role is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Telephone, as dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// E-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A conference bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
}
