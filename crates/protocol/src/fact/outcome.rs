//! What the router writes: dispatch, notice, refusal, finding; and the due that the broker writes for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    event::RecontactFigures,
    policy::{DutyStart, Reach},
    words::{ClockStart, EventKind, Requirement, Stage, Status},
};
use crate::{
    id::{DutyId, IncidentId, PolicyId, PublisherId, RecipientId},
    subject::{EventNumber, StepNumber, Subject},
};

/// What was said does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The sequence in `TOCSIN_SAID`.
    pub said: u64,
    /// The subject there, cut to a length that can be shown.
    pub subject: String,
    /// Why, for machines.
    pub code: RefusalCode,
    /// Why, for people: each fault with its field, value and what was expected.
    pub reasons: Vec<String>,
}

/// Why something said does not count. The words are stable: integrators may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// The subject names nothing that others say.
    UnknownSubject,
    /// No directory is in force, so that nobody is known.
    NoDirectory,
    /// The directory knows no such publisher.
    UnknownPublisher,
    /// The directory knows no such recipient.
    UnknownRecipient,
    /// The directory has no key for the author.
    NoKey,
    /// Unsigned, or not signed by the author's key over this subject and body.
    BadSignature,
    /// Larger than a fact may be.
    TooLarge,
    /// Not JSON, or not as the schema says.
    BadSchema,
    /// The body says another incident, event, author or stage than the subject.
    SubjectMismatch,
    /// Not the next event of its incident, or not of a kind that can stand there.
    WrongSequence,
    /// The incident is another publisher's.
    AnothersIncident,
    /// The event's status is not that of its incident.
    StatusChanged,
    /// The incident was cancelled.
    IncidentClosed,
    /// The author may not speak of that area.
    AreaNotAllowed,
    /// The directory knows no such area.
    UnknownArea,
    /// No such event has been dispatched.
    UnknownEvent,
    /// The recipient was not owed this event.
    NotOwed,
    /// A valid fact stands on this subject already, and it says something else.
    AlreadySaid,
    /// The key that signed the receipt may not say it so: not at this stage, by this method, or for this recipient.
    DoorNotAllowed,
    /// The link that the receipt came by is none of the notifier's, or is for another recipient, incident or event.
    BadLink,
    /// The link that the receipt came by could be used no more.
    LinkExpired,
    /// The directory knows no such body: no publisher, no recipient and no monitor.
    UnknownBody,
    /// There is no such report.
    UnknownReport,
    /// There is no such incident.
    UnknownIncident,
}

impl RefusalCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSubject => "unknown-subject",
            Self::NoDirectory => "no-directory",
            Self::UnknownPublisher => "unknown-publisher",
            Self::UnknownRecipient => "unknown-recipient",
            Self::NoKey => "no-key",
            Self::BadSignature => "bad-signature",
            Self::TooLarge => "too-large",
            Self::BadSchema => "bad-schema",
            Self::SubjectMismatch => "subject-mismatch",
            Self::WrongSequence => "wrong-sequence",
            Self::AnothersIncident => "anothers-incident",
            Self::StatusChanged => "status-changed",
            Self::IncidentClosed => "incident-closed",
            Self::AreaNotAllowed => "area-not-allowed",
            Self::UnknownArea => "unknown-area",
            Self::UnknownEvent => "unknown-event",
            Self::NotOwed => "not-owed",
            Self::AlreadySaid => "already-said",
            Self::DoorNotAllowed => "door-not-allowed",
            Self::BadLink => "bad-link",
            Self::LinkExpired => "link-expired",
            Self::UnknownBody => "unknown-body",
            Self::UnknownReport => "unknown-report",
            Self::UnknownIncident => "unknown-incident",
        }
    }
}

/// Who is owed an event, by when, under which policies and directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Of which incident.
    pub incident: IncidentId,
    /// Which event.
    pub event: EventNumber,
    /// Initial, update, resolved or cancelled.
    pub kind: EventKind,
    /// Actual, exercise or test.
    pub status: Status,
    /// Who said it.
    pub publisher: PublisherId,
    /// The event's sequence in `TOCSIN_SAID`.
    pub said: u64,
    /// The broker's time of the event.
    pub published_at: Timestamp,
    /// The directory's version.
    pub directory: u64,
    /// Whether the event needs an acknowledgement.
    pub acknowledge: bool,
    /// Why an update needs one anew; empty when it does not, or when its kind alone says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worsened: Vec<String>,
    /// The policies that apply, and from which moment their windows run.
    pub policies: Vec<PolicyInForce>,
    /// The windows, in order of closing; empty when no acknowledgement is needed.
    pub steps: Vec<DispatchStep>,
    /// Who is owed it, by policy and requirement.
    pub owed: Vec<Owed>,
    /// What the publisher owes, as far as this event met it or made it due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duties: Vec<DispatchDuty>,
}

impl Dispatch {
    /// The subject of this fact.
    pub fn subject(&self) -> Subject {
        let (publisher, incident) = (self.publisher.clone(), self.incident.clone());
        Subject::Dispatch { publisher, incident, event: self.event }
    }

    /// How many windows the broker holds for it from the first: those of its steps and of what the publisher owes.
    pub fn windows(&self) -> usize {
        self.steps.len() + self.duties.iter().filter(|duty| duty.step.is_some()).count()
    }

    /// Every recipient once, with the strictest requirement that any policy lays on it.
    pub fn recipients(&self) -> std::collections::BTreeMap<&RecipientId, Requirement> {
        let mut all = std::collections::BTreeMap::new();
        for owed in &self.owed {
            for recipient in &owed.recipients {
                let strictest: &mut Requirement = all.entry(recipient).or_insert(owed.requirement);
                *strictest = (*strictest).min(owed.requirement);
            }
        }
        all
    }

    /// The required recipients of a step: those of its policy.
    pub fn required(&self, step: StepNumber) -> impl Iterator<Item = &RecipientId> {
        let policy = self.steps.iter().find(|s| s.step == step).map(|s| &s.policy);
        self.owed
            .iter()
            .filter(move |owed| owed.requirement == Requirement::Required && Some(&owed.policy) == policy)
            .flat_map(|owed| &owed.recipients)
    }
}

/// A policy that applies to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInForce {
    /// Which.
    pub policy: PolicyId,
    /// The moment from which its windows run.
    pub clock: ClockStart,
    /// When that was.
    pub clock_at: Timestamp,
    /// True when the event does not tell that moment, and the broker's time of the event stands in for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_assumed: bool,
}

/// A window of a dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchStep {
    /// Its number, from 1.
    pub step: StepNumber,
    /// The policy that it comes from.
    pub policy: PolicyId,
    /// The last moment that is in time.
    pub due_at: Timestamp,
    /// Who is then written to, by the word in the contacts of whoever is reached.
    pub contact: String,
    /// Whose contact that is.
    #[serde(default, skip_serializing_if = "Reach::is_own")]
    pub reach: Reach,
}

/// Something that the publisher owes: met by this event, or due because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchDuty {
    /// Which: the policy's name for it, or [`DispatchDuty::NEXT_UPDATE`].
    pub duty: DutyId,
    /// Under which policy; none for what the publisher itself promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// The stage of the report that meets it.
    pub stage: Stage,
    /// From which moment it runs: a clock, or another duty of the policy.
    pub from: DutyStart,
    /// When that was.
    pub clock_at: Timestamp,
    /// True when no event tells that moment, and the broker's time of an event stands in for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_assumed: bool,
    /// The last moment that is in time.
    pub due_at: Timestamp,
    /// True where that is an internal target, which is never a breach.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub target: bool,
    /// Those who must be telephoned besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub telephone: Vec<RecipientId>,
    /// The window that the broker holds, numbered on from the steps; none where nothing is left to wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepNumber>,
    /// The broker's time of this event, where it is the report that meets the duty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
}

impl DispatchDuty {
    /// The duty of a publisher that said in an event by when it would say more.
    pub const NEXT_UPDATE: &'static str = "next-update";

    /// The same, owed again.
    #[must_use]
    pub fn again(&self, again: Again) -> Self {
        Self { due_at: again.due_at, step: Some(again.step), ..self.clone() }
    }
}

/// The recipients that one policy owes a notice with one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The policy.
    pub policy: PolicyId,
    /// Required or informed.
    pub requirement: Requirement,
    /// Who, in the order of the directory.
    pub recipients: Vec<RecipientId>,
}

/// The notice owed to one recipient. It carries the event's exact bytes with the author's signature, so that the
/// recipient need trust nobody between.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Notice {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event.
    pub event: EventNumber,
    /// To whom.
    pub recipient: RecipientId,
    /// Actual, exercise or test.
    pub status: Status,
    /// Required or informed.
    pub requirement: Requirement,
    /// Whether this event needs an acknowledgement from this recipient.
    pub acknowledge: bool,
    /// The last moment that is in time, when one is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The policies under which it is owed.
    pub policies: Vec<PolicyId>,
    /// The directory's version.
    pub directory: u64,
    /// The event's sequence in `TOCSIN_SAID`.
    pub said: u64,
    /// The broker's time of the event.
    pub published_at: Timestamp,
    /// The calls lost in the areas that this recipient serves, when the event tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_unsuccessful_here: Option<u64>,
    /// What has become of the lost callers of those areas, when the event tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recontact_here: Option<RecontactFigures>,
    /// The author's public key.
    pub key: String,
    /// The author's signature over the event's subject, a newline and its exact bytes.
    pub signature: String,
    /// The event's exact bytes.
    pub said_body: Box<RawValue>,
}

/// What the broker writes when a window closes: the body that was armed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event.
    pub event: EventNumber,
    /// Of which step.
    pub step: StepNumber,
    /// When it was to close.
    pub due_at: Timestamp,
}

/// What the router found when a window closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event.
    pub event: EventNumber,
    /// Of which step.
    pub step: StepNumber,
    /// Under which policy; none where it is about what the publisher itself promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// Actual, exercise or test.
    pub status: Status,
    /// The last moment that was in time.
    pub due_at: Timestamp,
    /// When the broker closed the window.
    pub closed_at: Timestamp,
    /// How many required recipients the step is about.
    pub required: u32,
    /// How many of them had acknowledged by `due_at`.
    pub acknowledged: u32,
    /// Those who had not, in the order of the directory. Each is escalated to, unless `stopped_by`.
    pub silent: Vec<RecipientId>,
    /// Those of the silent who acknowledged after `due_at` and before the broker closed the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<Late>,
    /// The later event that makes escalation of this one pointless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
    /// What was found of something that the publisher owes. Such a finding is about no recipient's silence: nobody is
    /// required or silent in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<DutyFinding>,
}

/// What became of something that a publisher owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyFinding {
    /// Which, by the name in the dispatch.
    pub duty: DutyId,
    /// Whether it was not done in time. Of an internal target too, of which that is no breach.
    pub overdue: bool,
    /// True where the time is an internal target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub target: bool,
    /// The report that met it, in time or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_by: Option<EventNumber>,
    /// The broker's time of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
    /// Those who were to be telephoned and of whom no call was logged in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_called: Vec<RecipientId>,
    /// The event that told another start of its clock, so that another window takes the place of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<EventNumber>,
    /// True where it is owed again and again. The first releases left it out, and then nothing says when it was owed next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// When it is owed next, as nobody met it and it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// The next time that a repeated duty is owed, after one at which nobody met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The window that the broker holds for it: numbered on from the last one by as many as the dispatch has.
    pub step: StepNumber,
    /// The last moment that is in time.
    pub due_at: Timestamp,
}

impl DutyFinding {
    /// Whether the publisher is to be reminded.
    pub fn reminds(&self) -> bool {
        self.overdue && self.superseded_by.is_none()
    }
}

/// That the publisher promised more by a time, and nothing came: told to each who was owed the event that promised it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// Of which incident.
    pub incident: IncidentId,
    /// Which event promised it.
    pub event: EventNumber,
    /// By which window it was held to that.
    pub step: StepNumber,
    /// To whom this is told.
    pub recipient: RecipientId,
    /// Actual, exercise or test.
    pub status: Status,
    /// Who promised.
    pub publisher: PublisherId,
    /// By when.
    pub promised_by: Timestamp,
}

/// An acknowledgement after the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Whose.
    pub recipient: RecipientId,
    /// When, by the broker.
    pub acknowledged_at: Timestamp,
}

/// A later event that makes escalation of an earlier one pointless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedBy {
    /// Which event.
    pub event: EventNumber,
    /// Resolved or cancelled.
    pub kind: EventKind,
    /// The broker's time of it.
    pub published_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusals_code_is_the_word_on_the_wire() {
        for code in [
            RefusalCode::UnknownSubject,
            RefusalCode::AnothersIncident,
            RefusalCode::AlreadySaid,
            RefusalCode::DoorNotAllowed,
            RefusalCode::BadLink,
            RefusalCode::LinkExpired,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
