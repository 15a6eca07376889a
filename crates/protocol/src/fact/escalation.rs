//! Escalations, and the attempts to send them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{directory::Contact, policy::Reach, words::Status};
use crate::{
    id::{DutyId, IncidentId, PolicyId, RecipientId},
    subject::{EventNumber, StepNumber},
};

/// An e-mail owed to a silent required recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event.
    pub event: EventNumber,
    /// Of which step.
    pub step: StepNumber,
    /// To whom.
    pub recipient: RecipientId,
    /// The recipient's name.
    pub recipient_name: String,
    /// Under which policy; none where the publisher is reminded of what it promised itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// Which duty of the policy is overdue, where the publisher is reminded of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<DutyId>,
    /// Actual, exercise or test.
    pub status: Status,
    /// The event's sequence in `TOCSIN_SAID`.
    pub said: u64,
    /// The last moment that would have been in time.
    pub due_at: Timestamp,
    /// Why now.
    pub reason: EscalationReason,
    /// The contact's word in the directory: `duty`, `senior`.
    pub contact: String,
    /// How the contact is reached.
    pub to: Contact,
    /// Whose contact it is, where not the recipient's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// The zone in which the mail shows times beside UTC.
    pub time_zone: String,
}

/// A body that is written to for a silent one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// Which.
    pub recipient: RecipientId,
    /// Its name.
    pub name: String,
    /// What it is to the silent one.
    pub reach: Reach,
}

/// Why an e-mail is owed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EscalationReason {
    /// The window closed without an acknowledgement.
    Silent,
    /// The contact of the step before cannot be reached by mail, for good: there is no use in waiting.
    Unreachable,
    /// Something that the publisher owes is overdue: it is the publisher that is reminded.
    Overdue,
}

/// Written before SMTP starts: whoever writes it may send, nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptBegun {
    /// The relay that is tried, by its name in the configuration.
    pub relay: String,
    /// The address.
    pub to: String,
    /// The same for every attempt of an escalation, so that a repeated mail is known as one. Escalations that went in one
    /// digest have it in common.
    pub message_id: String,
    /// A token of whoever began it, new for each piece of work taken up: a writer whose acknowledgement was lost knows
    /// by it that what stands there is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Which digest it goes in, where the mail names several escalations to one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// One mail that names several escalations to one address. Each of them has an attempt of its own, with the same number,
/// written with the others as one or not at all; the first that is written to carries the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The escalation whose attempt has the list, and whose notifier sends the mail for all: its sequence in `TOCSIN_LOG`.
    pub lead: u64,
    /// How many escalations the mail names.
    pub of: u32,
    /// In the lead's attempt alone: all of them by their sequences in `TOCSIN_LOG`, ascending, the lead among them. A mail
    /// that is sent again names the same ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalations: Vec<u64>,
}

/// Written when the relay has answered, or when it is known that nobody will learn what it answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// The relay that was tried; empty where none was, as nobody is written to any more.
    pub relay: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The SMTP reply code, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The relay's own words (its queue id among them), or what went wrong.
    pub reply: String,
}

/// How an attempt to send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The relay took the mail. That is hand-over, not reading: only an acknowledgement is that.
    Accepted,
    /// The relay, or the way to it, failed for now: tried again.
    Temporary,
    /// The relay's configuration is at fault (credentials, certificate): the operator's to mend, tried again.
    RelayFault,
    /// The relay will never take a mail for this address: on to the next contact.
    Permanent,
    /// The line was lost, or the notifier died, when the mail may have been taken: sent again under the same
    /// `Message-ID`.
    Unknown,
    /// Not sent any more: the recipient had acknowledged meanwhile, or the incident was over. The reply says which.
    StoodDown,
}

impl Outcome {
    /// The word in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Temporary => "temporary",
            Self::RelayFault => "relay-fault",
            Self::Permanent => "permanent",
            Self::Unknown => "unknown",
            Self::StoodDown => "stood-down",
        }
    }
}
