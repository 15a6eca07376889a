//! The kinds of body, each with its schema and its bound.

use std::{fmt, str::FromStr};

use crate::subject::{AttemptPhase, Subject};

/// The longest body of an event, in bytes.
pub const MAX_EVENT_BYTES: usize = 48 * 1024;

/// The longest body of a receipt, in bytes.
pub const MAX_RECEIPT_BYTES: usize = 4 * 1024;

/// The longest body of a report or a link, in bytes.
pub const MAX_TRAIL_BYTES: usize = 16 * 1024;

/// The longest body of what our own services and the administrator write, in bytes: a message of NATS' larger size.
const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// The longest line of a bundle, in bytes: a record in base64, and its proof.
const MAX_BUNDLE_LINE_BYTES: usize = 16 * 1024 * 1024;

/// The longest report, in bytes.
const MAX_REPORT_BYTES: usize = 256 * 1024 * 1024;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $bytes:expr;)+) => {
        /// What a body is of. The word is the file's name in `schemas/` before `.schema.json`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The longest body, in bytes.
            pub fn max_bytes(self) -> usize {
                match self { $(Self::$name => $bytes,)+ }
            }

            pub(super) fn schema(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../../schemas/", $word, ".schema.json")),)+
                }
            }
        }
    };
}

kinds! {
    /// What a publisher says of an incident.
    Event = "event", MAX_EVENT_BYTES;
    /// A telephone call that a publisher logged.
    Call = "call", MAX_RECEIPT_BYTES;
    /// What a recipient says of a notice.
    Receipt = "receipt", MAX_RECEIPT_BYTES;
    /// What a body sees.
    Report = "report", MAX_TRAIL_BYTES;
    /// A person's word that two trails are of the same outage, or are not.
    Link = "link", MAX_TRAIL_BYTES;
    /// What was said may be of the same outage as other trails.
    Proposal = "proposal", MAX_RECORD_BYTES;
    /// The directory and policies in force.
    Directory = "directory", MAX_RECORD_BYTES;
    /// What was said does not count, and why.
    Refusal = "refusal", MAX_RECORD_BYTES;
    /// Who is owed an event, by when.
    Dispatch = "dispatch", MAX_RECORD_BYTES;
    /// The notice owed to one recipient.
    Notice = "notice", MAX_RECORD_BYTES;
    /// That what an event promised did not come, told to one recipient.
    Overdue = "overdue", MAX_RECORD_BYTES;
    /// A window, armed or closed.
    Due = "due", MAX_RECORD_BYTES;
    /// What the router found when a window closed.
    Finding = "finding", MAX_RECORD_BYTES;
    /// An e-mail owed to a silent required recipient.
    Escalation = "escalation", MAX_RECORD_BYTES;
    /// An attempt to send it, begun.
    AttemptBegun = "attempt-begun", MAX_RECORD_BYTES;
    /// That attempt, ended.
    AttemptEnded = "attempt-ended", MAX_RECORD_BYTES;
    /// The audit's report of one incident. It is not on the bus.
    TimelinessReport = "timeliness-report", MAX_REPORT_BYTES;
    /// The audit's report over a period. It is not on the bus.
    PeriodReport = "period-report", MAX_REPORT_BYTES;
    /// The scores of exercises. They are not on the bus.
    ExerciseScores = "exercise-scores", MAX_REPORT_BYTES;
    /// Whom to telephone. It is not on the bus.
    CallList = "call-list", MAX_REPORT_BYTES;
    /// That escalation fails, as the watcher tells it. It is not on the bus.
    Alarm = "alarm", MAX_RECORD_BYTES;
    /// What a bundle of the audit's proves. It is not on the bus.
    Verdict = "verdict", MAX_REPORT_BYTES;
    /// One line of the audit's bundle. It is not on the bus.
    BundleLine = "bundle-line", MAX_BUNDLE_LINE_BYTES;
}

impl Kind {
    /// Whether its numbers may have fractions.
    pub(super) fn has_fractions(self) -> bool {
        matches!(self, Self::TimelinessReport | Self::PeriodReport | Self::ExerciseScores)
    }

    /// Whether bodies of it stand on the bus. What does not is made of what does.
    pub fn is_on_the_bus(self) -> bool {
        self < Self::TimelinessReport
    }

    /// The kind of body that stands under a subject; none for a checkpoint, which has no schema of its own.
    pub fn of(subject: &Subject) -> Option<Self> {
        Some(match subject {
            Subject::Incident { .. } => Self::Event,
            Subject::Called { .. } => Self::Call,
            Subject::Receipt { .. } => Self::Receipt,
            Subject::Report { .. } => Self::Report,
            Subject::Link { .. } => Self::Link,
            Subject::Proposal { .. } => Self::Proposal,
            Subject::Directory { .. } => Self::Directory,
            Subject::Refusal { .. } => Self::Refusal,
            Subject::Dispatch { .. } => Self::Dispatch,
            Subject::Notice { .. } => Self::Notice,
            Subject::Overdue { .. } => Self::Overdue,
            Subject::Window { .. } | Subject::Due { .. } => Self::Due,
            Subject::Finding { .. } => Self::Finding,
            Subject::Escalation { .. } => Self::Escalation,
            Subject::Attempt { phase: AttemptPhase::Begun, .. } => Self::AttemptBegun,
            Subject::Attempt { phase: AttemptPhase::Ended, .. } => Self::AttemptEnded,
            Subject::Checkpoint { .. } => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == value).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("expected one of: {}", all.join(", "))
        })
    }
}
