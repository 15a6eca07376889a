//! The operator's timeliness, and how its word on moments and figures moved. Nothing of any recipient's own is in it.

use serde::{Deserialize, Serialize};
use tocsin_protocol::{AreaId, ClockStart, EventNumber, RecipientId, Timestamp};

/// How timely the operator was: from each moment that its events tell, to when that was recorded and to when those who
/// were owed it had it waiting. What the recipients then did is theirs, and stands elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorTimeliness {
    /// When the failure was recorded, and who had a notice of it when.
    pub failure: Recorded,
    /// The same of the service's being restored; absent where no event tells when that was.
    pub restoration: Option<Recorded>,
    /// Each moment that an event tells, in the order of [`ClockStart`].
    pub clocks: Vec<ClockReport>,
}

/// What the record has of a failure, or of its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The first event that tells of it.
    pub event: EventNumber,
    /// When the broker stored that.
    pub recorded_at: Timestamp,
    /// Over everybody who was owed it.
    #[serde(flatten)]
    pub noticed: Noticed,
    /// The same by kind of recipient, in the order of the directory.
    pub by_kind: Vec<KindNoticed>,
}

/// When those who were owed a notice had it waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    /// How many recipients were owed one.
    pub owed: u32,
    /// For how many of them one was stored.
    pub noticed: u32,
    /// When the first was stored.
    pub first_noticed_at: Option<Timestamp>,
    /// When 95 in 100 of those that were stored were there, by nearest rank.
    pub p95_noticed_at: Option<Timestamp>,
    /// When the last was stored.
    pub last_noticed_at: Option<Timestamp>,
}

/// The same of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindNoticed {
    /// Such as `police-territorial`.
    pub kind: String,
    /// When they had it waiting.
    #[serde(flatten)]
    pub noticed: Noticed,
}

/// A moment of the failure as the operator states it: every statement of it, and the lengths of time from the first
/// statement and from the last. Neither is put right by us.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClockReport {
    /// Which moment.
    pub clock: ClockStart,
    /// What was stated of it, in order: each statement that says other than the one before.
    pub stated: Vec<Statement>,
    /// Whether any of them was late entry.
    pub late_entry: bool,
    /// By the first statement.
    pub by_first: Delays,
    /// By the last; the same as by the first where there was one alone.
    pub by_last: Delays,
}

/// What one event says of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Which event.
    pub event: EventNumber,
    /// The moment, as stated: a claim.
    pub at: Timestamp,
    /// When the broker stored that event.
    pub stated_at: Timestamp,
    /// How long after the moment it was stated, in seconds; negative where it was stated before.
    pub after_seconds: f64,
    /// Whether that is late entry: longer than 15 minutes.
    pub late_entry: bool,
}

/// Lengths of time from a moment, in seconds; negative where something came before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Delays {
    /// The moment.
    pub from: Timestamp,
    /// To the first event that tells of the failure; of the restoration, for that moment.
    pub recorded_seconds: f64,
    /// To the first notice.
    pub first_noticed_seconds: Option<f64>,
    /// To 95 in 100 of the notices.
    pub p95_noticed_seconds: Option<f64>,
    /// To the last notice.
    pub last_noticed_seconds: Option<f64>,
}

/// How one figure of an incident moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureReport {
    /// Which figure.
    pub figure: Figure,
    /// Of which area; absent for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<AreaId>,
    /// Whether the sources' last figures differ: none of them is put above another.
    pub disputed: bool,
    /// What was stated, event by event.
    pub stated: Vec<FigureStatement>,
}

/// Which figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Figure {
    /// Calls that did not get through.
    CallsUnsuccessful,
    /// Lost callers who were reached.
    Reached,
    /// Lost callers who are not reached yet.
    Outstanding,
    /// Lost callers whose numbers were handed to the police.
    HandedToPolice,
}

impl Figure {
    /// A few words that name it.
    pub fn words(self) -> &'static str {
        match self {
            Self::CallsUnsuccessful => "calls lost",
            Self::Reached => "callers reached",
            Self::Outstanding => "callers not reached",
            Self::HandedToPolice => "handed to police",
        }
    }
}

/// What one event says of a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureStatement {
    /// Which event.
    pub event: EventNumber,
    /// When the broker stored that.
    pub stated_at: Timestamp,
    /// The figure.
    pub value: u64,
    /// By how much it moved from the one before of the same source; absent for a source's first.
    pub change: Option<i64>,
    /// Whose figure it is: the source that the event names, else the publisher.
    pub source: String,
    /// When it was right, as stated.
    pub as_of: Option<Timestamp>,
    /// Whether it may still change, as stated.
    pub provisional: Option<bool>,
}

/// An event that had to be taken in anew, and by whom it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnewReport {
    /// Which event.
    pub event: EventNumber,
    /// Why it needed an acknowledgement anew.
    pub why: Vec<String>,
    /// The calls lost that it states.
    pub calls_unsuccessful: Option<u64>,
    /// Those who had acknowledged an earlier event by then, in the order of the directory.
    pub had_acknowledged: Vec<AnewRecipient>,
}

/// A recipient that had acknowledged less than was then to be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnewRecipient {
    /// Which.
    pub recipient: RecipientId,
    /// Its name in the directory of that event.
    pub name: String,
    /// The last event that it had acknowledged before this one was stored.
    pub earlier_event: EventNumber,
    /// When.
    pub earlier_at: Timestamp,
    /// The calls lost as last stated by then.
    pub earlier_calls_unsuccessful: Option<u64>,
    /// Which event's acknowledgement took in this one: its own or a later one's; absent where none has.
    pub taken_in_event: Option<EventNumber>,
    /// When.
    pub taken_in_at: Option<Timestamp>,
}
