//! A telephone call: what a publisher says that its people did besides the bus.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::receipt::Person;
use crate::{
    id::{IncidentId, PublisherId, RecipientId},
    subject::{EventNumber, Subject},
};

/// That a person of the publisher told a person of a recipient by telephone, logged by hand. Some duties ask for it
/// besides writing (47 CFR 4.9(h)(4)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Of which incident.
    pub incident: IncidentId,
    /// About which event.
    pub event: EventNumber,
    /// Who called.
    pub publisher: PublisherId,
    /// Who was called.
    pub recipient: RecipientId,
    /// When, by whoever logged it: a claim. The broker's time of this fact decides.
    pub at: Timestamp,
    /// The person who called.
    pub by: Person,
    /// The person who was spoken to.
    pub spoke_to: Person,
    /// The number that was dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Which control room of the recipient answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_room: Option<String>,
    /// Anything to be kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Call {
    /// The identity of this fact: one call for each event and recipient is logged.
    pub fn subject(&self) -> Subject {
        Subject::Called {
            publisher: self.publisher.clone(),
            incident: self.incident.clone(),
            event: self.event,
            recipient: self.recipient.clone(),
        }
    }
}
