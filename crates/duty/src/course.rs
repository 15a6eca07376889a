//! How an incident goes, by everything that was said of it.
//!
//! More is said of an incident after its end as a rule: figures are corrected for days (of the calls of 25 June 2023 for
//! weeks), a final report is due a month after restoration. So the newest event's kind alone does not tell.

use serde::{Deserialize, Serialize};
use tocsin_protocol::{Event, EventKind, Platform};

/// How an incident goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// It is not over.
    #[default]
    Open,
    /// The service is restored.
    Resolved,
    /// It was called off.
    Cancelled,
    /// It should not have been said.
    SentInError,
}

impl Course {
    /// How it goes once this was said too. An update or correction of what is over tells more of it, and it stays over;
    /// one that says that the service is not on its primary platform opens it anew.
    #[must_use]
    pub fn after(self, kind: EventKind, platform: Option<Platform>) -> Self {
        match kind {
            EventKind::Initial => Self::Open,
            EventKind::Update | EventKind::Correction => match platform {
                Some(Platform::Backup | Platform::None) => Self::Open,
                Some(Platform::Primary) | None => self,
            },
            EventKind::Resolved => Self::Resolved,
            EventKind::Cancelled => Self::Cancelled,
            EventKind::SentInError => Self::SentInError,
        }
    }

    /// By these events, in order.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
        events.into_iter().fold(Self::default(), |course, event| course.after(event.kind, event.platform))
    }

    /// Whether it is not over.
    pub fn is_open(self) -> bool {
        self == Self::Open
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Cancelled => "cancelled",
            Self::SentInError => "sent-in-error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_after_the_end_does_not_open_it_anew_unless_it_says_that_the_service_fails() {
        use Course::{Cancelled, Open, Resolved, SentInError};
        use EventKind::{Correction, Initial, Update};
        let course = |said: &[(EventKind, Option<Platform>)]| {
            said.iter().fold(Course::default(), |course, (kind, platform)| course.after(*kind, *platform))
        };
        let failed = (Initial, Some(Platform::None));
        let restored = (EventKind::Resolved, None);
        for (said, expected) in [
            (&[failed][..], Open),
            (&[failed, (Update, None)], Open),
            (&[failed, (Update, Some(Platform::Primary))], Open),
            (&[failed, restored], Resolved),
            (&[failed, restored, (Update, None)], Resolved),
            (&[failed, restored, (Update, Some(Platform::Primary)), (Correction, None)], Resolved),
            (&[failed, restored, (Update, Some(Platform::Backup))], Open),
            (&[failed, restored, (Correction, Some(Platform::None)), (Update, None)], Open),
            (&[failed, restored, (Update, Some(Platform::None)), restored], Resolved),
            (&[failed, (EventKind::Cancelled, None)], Cancelled),
            (&[failed, (EventKind::SentInError, None)], SentInError),
        ] {
            assert_eq!(course(said), expected, "{said:?}");
        }
    }
}
