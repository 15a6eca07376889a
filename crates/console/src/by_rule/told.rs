//! What becomes of a report, for programs and people.

use serde::Serialize;
use tocsin_duty::{Judged, Why};
use tocsin_protocol::{IncidentId, RuleId, Timestamp};

use super::Look;
use crate::model::SaidReport;

/// What becomes of a report by a rule.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Told {
    /// `opens`, `resolves`, `waits`, `draft` or `stands`.
    pub outcome: &'static str,
    /// The rule, but where an incident stands already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The incident that it is, becomes, or adds to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Until when it must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why it is a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Told {
    /// What becomes of a report at this moment; none where no rule is for it.
    pub(crate) fn of(look: &Look<'_>, said: &SaidReport) -> Option<Self> {
        let (_, judged) = look.of(said)?;
        Self::judged(judged, look.rulings.failure(&said.report))
    }

    /// The same, of what it was judged to be, and why what a rule wanted said because of it was not.
    pub(crate) fn judged(judged: Judged, failure: Option<String>) -> Option<Self> {
        let told = Self { outcome: "stands", rule: None, incident: None, until: None, why: None };
        Some(match judged {
            Judged::NoRule => return None,
            Judged::Stands(incident) => Self { incident: Some(incident), ..told },
            Judged::Waits(rule, until) => {
                Self { outcome: "waits", rule: Some(rule), until: Some(until), ..told }
            }
            Judged::Opens(event) => Self {
                outcome: if failure.is_some() { "draft" } else { "opens" },
                rule: event.by_rule.map(|by| by.rule),
                incident: Some(event.incident),
                why: failure,
                ..told
            },
            Judged::Resolves(incident, by) => Self {
                outcome: if failure.is_some() { "draft" } else { "resolves" },
                rule: Some(by.rule),
                incident: Some(incident),
                why: failure,
                ..told
            },
            Judged::Draft(rule, why) => Self {
                outcome: "draft",
                rule: Some(rule),
                incident: incident_of(&why),
                // A fault before its time had passed says more than that it has.
                why: Some(failure.unwrap_or_else(|| why.to_string())),
                ..told
            },
        })
    }
}

fn incident_of(why: &Why) -> Option<IncidentId> {
    match why {
        Why::SameAlert(incident)
        | Why::SameOutage(incident)
        | Why::ForAPerson(incident)
        | Why::LookedAt(incident)
        | Why::FiresAgain(incident) => Some(incident.clone()),
        _ => None,
    }
}
