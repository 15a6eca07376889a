//! What the publisher owes, and what became of it: reports by a time, telephone calls, its own promises. What recipients
//! owe is another matter.

use serde::{Deserialize, Serialize};
use tocsin_protocol::{
    Confidence, DutyId, DutyStart, EventNumber, Person, PolicyId, RecipientId, RecontactFigures, Stage,
    StepNumber, Timestamp,
};

use super::{EscalationReport, State};

/// What the publisher owed over an incident, counted. A target is no duty and a promise is no law: each has a count of its
/// own, and none is in another's denominator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyTotals {
    /// What policies lay on it.
    pub duties: DutyTally,
    /// What it aims at itself: beyond a target is no breach.
    pub targets: DutyTally,
    /// By when it said that it would say more.
    pub promises: DutyTally,
}

/// Counts of one sort. `owed` is the sum of `in_time`, `late`, `not_called` and `overdue`: what can be told of by now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyTally {
    /// Those of which it can be told.
    pub owed: u32,
    /// Done by their time.
    pub in_time: u32,
    /// Done after it.
    pub late: u32,
    /// Written in time, and not all who were to be telephoned were.
    pub not_called: u32,
    /// Not done, and their time is over.
    pub overdue: u32,
    /// Not done, and there is time. Not in `owed`.
    pub open: u32,
    /// Replaced, as an event told another start of the clock. Not in `owed`.
    pub superseded: u32,
    /// Lifted, as the incident ended. Not in `owed`.
    pub lifted: u32,
}

/// How a duty stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DutyState {
    /// Done by its time.
    InTime,
    /// Done after it.
    Late,
    /// Written in time, and not all who were to be telephoned were.
    NotCalled,
    /// Not done, and its time is over.
    Overdue,
    /// Not done, and there is time.
    Open,
    /// An event told another start of its clock, so that another window took its place.
    Superseded,
    /// The incident ended before it was due.
    Lifted,
}

impl DutyState {
    /// The words that people read; of a target others than of a duty, as it is never a breach.
    pub fn words(self, target: bool) -> &'static str {
        match (self, target) {
            (Self::InTime, false) => "in time",
            (Self::InTime, true) => "within target",
            (Self::Late, false) => "late",
            (Self::Late | Self::Overdue | Self::NotCalled, true) => "beyond target",
            (Self::NotCalled, false) => "calls missing",
            (Self::Overdue, false) => "overdue",
            (Self::Open, _) => "open",
            (Self::Superseded, _) => "superseded",
            (Self::Lifted, _) => "lifted",
        }
    }
}

/// Something that the publisher owed, each time that it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DutyReport {
    /// The event whose dispatch says so.
    pub event: EventNumber,
    /// The policy's name for it; `next-update` for the publisher's own promise.
    pub duty: DutyId,
    /// Under which policy; absent for the publisher's own promise.
    pub policy: Option<PolicyId>,
    /// What it is, as the policy of that directory has it.
    pub what: Option<String>,
    /// The paragraph on which the policy rests.
    pub basis: Option<String>,
    /// How sure the directory is of that.
    pub confidence: Option<Confidence>,
    /// The stage of the report that meets it.
    pub stage: Stage,
    /// From which moment it runs.
    pub from: DutyStart,
    /// When that was.
    pub clock_at: Timestamp,
    /// True when no event tells that moment, and the broker's time of an event stands in for it.
    pub clock_assumed: bool,
    /// The last moment that is in time.
    pub due_at: Timestamp,
    /// True where that is an internal target, which is never a breach.
    pub target: bool,
    /// How it stands.
    pub state: DutyState,
    /// The report that met it, in time or not.
    pub met_by: Option<EventNumber>,
    /// When the broker stored that.
    pub met_at: Option<Timestamp>,
    /// How long after `due_at`, in seconds.
    pub late_by_seconds: Option<f64>,
    /// Those who were to be telephoned besides.
    pub telephone: Vec<RecipientId>,
    /// Those of them of whom no call was logged by `due_at`.
    pub not_called: Vec<RecipientId>,
    /// The event that told another start of its clock.
    pub superseded_by: Option<EventNumber>,
    /// The event that ended the incident.
    pub lifted_by: Option<EventNumber>,
    /// Its window, where the broker held one.
    pub step: Option<StepNumber>,
    /// When the broker closed that.
    pub closed_at: Option<Timestamp>,
    /// When the router wrote what it found.
    pub found_at: Option<Timestamp>,
    /// The e-mail that reminded the publisher.
    pub reminder: Option<EscalationReport>,
    /// How many recipients were told that what was promised did not come.
    pub told_overdue: u32,
}

/// A telephone call that a person of the publisher logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallReport {
    /// About which event.
    pub event: EventNumber,
    /// Who was called.
    pub recipient: RecipientId,
    /// Its name in the directory of that event.
    pub name: String,
    /// When it was logged, by the broker: that decides.
    pub logged_at: Timestamp,
    /// When it was made, by whoever logged it: a claim.
    pub claimed_at: Timestamp,
    /// The person who called.
    pub by: Person,
    /// The person who was spoken to.
    pub spoke_to: Person,
    /// The number that was dialled.
    pub number: Option<String>,
    /// Which control room answered.
    pub control_room: Option<String>,
}

/// A list of lost callers that was handed to a force, and its taking it in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandoverReport {
    /// The event that hands it over.
    pub event: EventNumber,
    /// Under which policy.
    pub policy: PolicyId,
    /// To whom.
    pub recipient: RecipientId,
    /// Its name in the directory of that event.
    pub name: String,
    /// Its own list as that event states it: the figures of the areas that it serves.
    pub list: RecontactFigures,
    /// When it had the notice waiting.
    pub noticed_at: Option<Timestamp>,
    /// By when it was to acknowledge.
    pub due_at: Option<Timestamp>,
    /// How it stood.
    pub state: State,
    /// When it acknowledged the handover, or a later event.
    pub acknowledged_at: Option<Timestamp>,
    /// Who did so there.
    pub acknowledged_by: Option<Person>,
}
