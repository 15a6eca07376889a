//! A receipt: what a recipient says of a notice.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{IncidentId, RecipientId},
    subject::{EventNumber, ReceiptStage, Subject},
};

/// What a recipient says of a notice: that its system holds it, or that a person has acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event. An acknowledgement covers every earlier event of the incident too.
    pub event: EventNumber,
    /// Who says it.
    pub recipient: RecipientId,
    /// Delivered or acknowledged.
    pub stage: ReceiptStage,
    /// When, by the recipient's own clock: a claim. The broker's time decides.
    pub at: Timestamp,
    /// Who acknowledged: always with `acknowledged`, never with `delivered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// How it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<ReceiptMethod>,
    /// Which control room of the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_room: Option<String>,
    /// For whom, when a deputy or another body acknowledges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Anything to be kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The newest checkpoint that the recipient had seen, the whole note: it witnesses that this stood then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The token of the mail's link by which it came, the whole of it: the proof that belongs to the method `link`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Who was signed in at the console that vouches for it: only with the methods `page` and `program`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<SignedIn>,
}

impl Receipt {
    /// That the recipient's system holds the notice of an event, and nothing else. `at` is by its own clock.
    pub fn delivered(
        recipient: RecipientId,
        incident: IncidentId,
        event: EventNumber,
        at: Timestamp,
    ) -> Self {
        Self {
            incident,
            event,
            recipient,
            stage: ReceiptStage::Delivered,
            at,
            by: None,
            method: None,
            control_room: None,
            on_behalf_of: None,
            note: None,
            checkpoint: None,
            link: None,
            signed_in: None,
        }
    }

    /// That a person there has acknowledged it, through this door, and nothing else.
    pub fn acknowledged(
        recipient: RecipientId,
        incident: IncidentId,
        event: EventNumber,
        at: Timestamp,
        (by, method): (Person, ReceiptMethod),
    ) -> Self {
        Self {
            stage: ReceiptStage::Acknowledged,
            by: Some(by),
            method: Some(method),
            ..Self::delivered(recipient, incident, event, at)
        }
    }

    /// The identity of this fact.
    pub fn subject(&self) -> Subject {
        Subject::Receipt {
            recipient: self.recipient.clone(),
            incident: self.incident.clone(),
            event: self.event,
            stage: self.stage,
        }
    }
}

/// A named person in a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The role in which they act, such as control room supervisor.
    pub role: String,
}

/// Who was signed in at a console, by what its own accounts and log tell further: it names no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedIn {
    /// The console's account, such as `pol-kent.control`.
    pub account: String,
    /// Which session, or which API token, of that account: 32 hexadecimal digits of a SHA-256, from which neither can be had
    /// back.
    pub session: String,
}

/// Whose key signed a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// The recipient's own.
    Recipient,
    /// The directory's `console_key`.
    Console,
}

impl Signer {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Console => "console",
        }
    }
}

/// Through which door an acknowledgement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptMethod {
    /// At a desk on the bus.
    Desk,
    /// By a program: one on the bus, whose exit code said so, or one that has an account's token for the console.
    Program,
    /// By the command line.
    Command,
    /// On the console's page.
    Page,
    /// By the link in an escalation mail.
    Link,
    /// By telephone, logged by a person.
    PhoneLogged,
    /// In person.
    InPerson,
}

impl ReceiptMethod {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Program => "program",
            Self::Command => "command",
            Self::Page => "page",
            Self::Link => "link",
            Self::PhoneLogged => "phone-logged",
            Self::InPerson => "in-person",
        }
    }
}
