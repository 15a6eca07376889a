//! Who sees what of an incident: the whole of the rule, for pages, streams and programs alike.
//!
//! | who | which incidents | whose part in them |
//! |---|---|---|
//! | an agency | those that it was told of | its own |
//! | an operator | its own | everyone's |
//! | a regulator, auditor or administrator | every one | everyone's |
//!
//! What an incident's events say is shared with everyone who sees it; an agency sees the figures of its own areas.
//! An incident that somebody does not see is, for them, not there.

use tocsin_protocol::RecipientId;

use super::{Incident, Moment, Refused, Standing, State};
use crate::session::Sees;

/// How much of an incident somebody sees.
#[derive(Debug, Clone, Copy)]
pub enum Sight<'a> {
    /// All of it, and everyone's part in it.
    Whole,
    /// The shared incident, and this recipient's own part in it.
    Own(&'a Standing),
}

impl Sees {
    /// How much of an incident they see; `None` when, for them, it is not there.
    pub fn sight<'a>(&self, incident: &'a Incident) -> Option<Sight<'a>> {
        match self {
            Self::Everything => Some(Sight::Whole),
            Self::Publisher(publisher) => (*publisher == incident.publisher).then_some(Sight::Whole),
            // A stray receipt makes a standing, but no duty: who was not told is not there.
            Self::Recipient(recipient) => {
                incident.standing(recipient).filter(|standing| !standing.duties.is_empty()).map(Sight::Own)
            }
        }
    }

    /// The recipient whose page this is, if it is one's.
    pub fn recipient(&self) -> Option<&RecipientId> {
        match self {
            Self::Recipient(recipient) => Some(recipient),
            Self::Publisher(_) | Self::Everything => None,
        }
    }
}

impl Sight<'_> {
    /// Whether they see what a recipient said and was owed.
    pub fn takes_in(&self, recipient: &RecipientId) -> bool {
        match self {
            Self::Whole => true,
            Self::Own(standing) => standing.recipient == *recipient,
        }
    }

    /// Whether they see that something happened. What is about no single recipient is shared, but for refusals: a
    /// forged event is the operator's concern.
    pub fn takes_in_moment(&self, moment: &Moment) -> bool {
        match moment.what.recipient() {
            Some(recipient) => self.takes_in(recipient),
            None => matches!(self, Self::Whole) || moment.what.is_shared(),
        }
    }

    /// Whether they see that something was refused.
    pub fn takes_in_refusal(&self, refused: &Refused) -> bool {
        match &refused.recipient {
            Some(recipient) => self.takes_in(recipient),
            None => matches!(self, Self::Whole),
        }
    }
}

impl State {
    /// The incidents that somebody sees, and how much of each.
    pub fn seen_by<'a>(&'a self, sees: &'a Sees) -> impl Iterator<Item = (&'a Incident, Sight<'a>)> {
        self.incidents().filter_map(|incident| Some((incident, sees.sight(incident)?)))
    }

    /// One of them.
    pub fn seen<'a>(
        &'a self,
        sees: &Sees,
        id: &tocsin_protocol::IncidentId,
    ) -> Option<(&'a Incident, Sight<'a>)> {
        let incident = self.incident(id)?;
        Some((incident, sees.sight(incident)?))
    }
}
