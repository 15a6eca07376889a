//! What happened, for the timeline.

use tocsin_protocol::{EventNumber, Outcome, RecipientId, StepNumber, Timestamp};

/// Something that happened in an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The revision at which it came; no two have the same.
    pub revision: u64,
    /// When, by the broker.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened. The particulars stand in the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An event was said.
    Said(EventNumber),
    /// It was settled who is owed it.
    Dispatched(EventNumber),
    /// Everyone's notice is in the log.
    AllNoticed(EventNumber),
    /// Somebody acknowledged.
    Acknowledged(RecipientId, EventNumber),
    /// A window closed, and it was found who was silent.
    Found(EventNumber, StepNumber),
    /// A mail is owed.
    Escalated(RecipientId, EventNumber, StepNumber),
    /// An attempt to send it ended.
    Mailed(RecipientId, EventNumber, StepNumber, u32, Outcome),
    /// Something was said that does not count: its sequence in `TOCSIN_SAID`, and in which recipient's name it was.
    Refused(u64, Option<RecipientId>),
}

impl What {
    /// The one recipient that it is about; none when it is about all.
    pub fn recipient(&self) -> Option<&RecipientId> {
        match self {
            Self::Acknowledged(recipient, _)
            | Self::Escalated(recipient, ..)
            | Self::Mailed(recipient, ..) => Some(recipient),
            Self::Refused(_, recipient) => recipient.as_ref(),
            Self::Said(_) | Self::Dispatched(_) | Self::AllNoticed(_) | Self::Found(..) => None,
        }
    }

    /// Whether everyone who sees the incident sees it. Who was silent is not.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Said(_) | Self::Dispatched(_) | Self::AllNoticed(_))
    }
}
