//! What a scenario says.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use tocsin_protocol::{
    Event, EventNumber, IncidentId, PublisherId, Recipient, RecipientId, Requirement, SignedDuration,
    Timestamp,
};

/// A day to be played. Its times are those of that day; who plays it puts its own in their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What the day is: completes "Tocsin drill: ...".
    pub name: String,
    /// What it rests on, and what of it is ours.
    pub basis: String,
    /// The directory file, relative to the scenario's own.
    pub directory: String,
    /// The incident's name on the bus.
    pub incident: IncidentId,
    /// Who says what is said: an incident has one publisher.
    pub publisher: PublisherId,
    /// When the failure began.
    pub began_at: Timestamp,
    /// How many times faster than the day it is played, where nobody wishes otherwise.
    pub speed: i32,
    /// What the lots are drawn from, where nobody wishes otherwise.
    pub seed: u64,
    /// What happened and is said of it, in order; at least one.
    pub events: Vec<Happening>,
    /// How those who are not named below answer: the first lot is for the first event that asks for an
    /// acknowledgement, and so on; the last also for all that follow.
    pub lots: Vec<Lot>,
    /// How those who are named answer.
    pub people: Vec<Part>,
    /// The mailboxes that are not read, or not there.
    pub mailboxes: Vec<Mailbox>,
    /// What it is held against.
    pub then: Vec<Then>,
    /// What must be known to read that.
    pub notes: Vec<String>,
    /// The figures it is to end with, with its own lots.
    pub end: End,
    /// What is to have come of it.
    pub expect: Vec<Expectation>,
}

/// Something that happened, and what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// When it is said.
    pub at: Timestamp,
    /// What is said, whole: what the file does not say anew is carried over from the event before. Every time in it is
    /// the day's.
    pub event: Event,
    /// Whether the calls lost are split over the areas by population, for want of better.
    pub split: bool,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Count(usize),
    /// One in so many of those who must acknowledge.
    OneIn(usize),
}

impl Share {
    /// How many of so many that is.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::OneIn(share) => all / share.max(1),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 2, or a share such as \"1 in 14\"")
            }

            fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<Share, E> {
                usize::try_from(count)
                    .map(Share::Count)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(count), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Share, E> {
                let share = text.strip_prefix("1 in ").and_then(|share| share.trim().parse().ok());
                let share = share.filter(|share| *share > 0).map(Share::OneIn);
                share.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// How those answer who are not named, drawn by lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The soonest and the latest that somebody acknowledges who is not silent.
    pub answer: [SignedDuration; 2],
    /// How many never answer, whoever is written to.
    pub never: Share,
    /// How many answer only once the mail to this contact has arrived.
    pub once_mailed: BTreeMap<String, Share>,
}

/// How somebody who is named answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Who.
    pub recipients: Vec<RecipientId>,
    /// To which event; none for every one that asks.
    pub event: Option<EventNumber>,
    /// What they do about it.
    pub does: Does,
    /// How long after the event, or after the mail; none to draw it by lot.
    pub after: Option<SignedDuration>,
}

/// What somebody does about an event that asks for an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// Acknowledges.
    Answers,
    /// Acknowledges only once the mail to this contact has arrived.
    AnswersMail(String),
    /// Nothing.
    Nothing,
}

/// A mailbox that does not do what a mailbox is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Whose.
    pub recipient: RecipientId,
    /// Which, by the word in its contacts.
    pub contact: String,
    /// What becomes of a mail to it.
    pub fate: Fate,
}

/// What becomes of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The relay takes it, and nobody ever reads it.
    Retired,
    /// The relay answers 550: there is no such mailbox.
    Refused,
}

/// Something that was measured then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// What.
    pub label: String,
    /// When it was so; none where the public record does not say.
    pub at: Option<Timestamp>,
    /// From when that is counted.
    pub since: Timestamp,
    /// Whose figure it is; none for everybody's.
    pub recipient: Option<RecipientId>,
    /// What of the drill stands beside it.
    pub measures: Measures,
}

/// What of a drill is held against a figure of then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measures {
    /// That its desk was told: measured by the machine's clock.
    Told,
    /// That a person acknowledged: in the time of the day.
    Acknowledged,
}

/// The figures of the end. What is not given is not held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    /// How many that must acknowledge did so in time, of every event that asked them.
    pub in_time: Option<u32>,
    /// How many were escalated to.
    pub escalated: Option<u32>,
    /// How many mails the relay took.
    pub mails: Option<u64>,
}

/// Something that is to have come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// In a sentence.
    pub says: String,
    /// Of which event.
    pub event: EventNumber,
    /// Of whom.
    pub whose: Whose,
    /// Whether they must acknowledge it, or are informed.
    pub requirement: Option<Requirement>,
    /// How they acknowledged it.
    pub acknowledged: Option<Acknowledged>,
    /// The window that found them silent, by its length.
    pub silent_after: Option<SignedDuration>,
    /// The contacts to whom an e-mail was owed for it, in order.
    pub mailed: Option<Vec<String>>,
}

/// Of whom something is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Of these.
    These(Vec<RecipientId>),
    /// Of everybody of these kinds who is owed the event.
    Kinds(Vec<String>),
    /// Of everybody who is owed the event.
    Everybody,
}

impl Whose {
    /// Whether it is about somebody who is owed the event.
    pub fn is(&self, recipient: &RecipientId, kind: &str) -> bool {
        match self {
            Self::These(these) => these.contains(recipient),
            Self::Kinds(kinds) => kinds.iter().any(|one| one == kind),
            Self::Everybody => true,
        }
    }

    /// Whether it is about this entry of the directory.
    pub fn is_entry(&self, entry: &Recipient) -> bool {
        self.is(&entry.id, &entry.kind)
    }
}

/// How somebody acknowledged an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledged {
    /// Within the first window.
    InTime,
    /// After it.
    Late,
    /// Not at all.
    Never,
    /// Once more: they had acknowledged an earlier event, were asked again because it is worse, and did.
    Anew,
}
