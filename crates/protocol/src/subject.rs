//! The grammar of subjects. The subject is the identity of a fact, and so its idempotency key, for ever.

mod number;
mod read;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::number::{EventNumber, StepNumber};
use crate::{
    Stream,
    id::{BodyId, IncidentId, LinkId, PublisherId, RecipientId, ReportId},
};

/// How far a notice has come at its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptStage {
    /// The recipient's system holds the notice.
    Delivered,
    /// A named person there has acknowledged it.
    Acknowledged,
}

impl ReceiptStage {
    /// The word in the subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// The two ends of an attempt to send a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptPhase {
    /// Written before SMTP starts, so that a crash leaves a trace.
    Begun,
    /// Written when the relay has answered, or when it is known that nobody will learn what it answered.
    Ended,
}

impl AttemptPhase {
    /// The word in the subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Ended => "ended",
        }
    }
}

/// The identity of a fact. Parsing and printing are each other's inverse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// `tocsin.incident.<publisher>.<incident>.<n>`: an event, said by a publisher.
    Incident {
        /// Who says it.
        publisher: PublisherId,
        /// Of which incident.
        incident: IncidentId,
        /// Which event of it.
        event: EventNumber,
    },
    /// `tocsin.incident.<publisher>.<incident>.<n>.called.<recipient>`: a telephone call, logged by a publisher.
    Called {
        /// Who called.
        publisher: PublisherId,
        /// Of which incident.
        incident: IncidentId,
        /// About which event.
        event: EventNumber,
        /// Who was called.
        recipient: RecipientId,
    },
    /// `tocsin.receipt.<recipient>.<incident>.<n>.<stage>`: said by a recipient.
    Receipt {
        /// Who says it.
        recipient: RecipientId,
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
        /// Delivered or acknowledged.
        stage: ReceiptStage,
    },
    /// `tocsin.report.<body>.<report>`: what a body sees, said by it.
    Report {
        /// Who says it.
        body: BodyId,
        /// Its own name for it.
        report: ReportId,
    },
    /// `tocsin.link.<publisher>.<link>`: a person's word that two trails are of the same outage, or are not.
    Link {
        /// Who says it.
        publisher: PublisherId,
        /// Its own name for it.
        link: LinkId,
    },
    /// `tocsin.directory.<version>`: the directory and policies in force from here on.
    Directory {
        /// From 1.
        version: u64,
    },
    /// `tocsin.refusal.<body>.<sequence in SAID>`: what was said there does not count, and why. See [`Subject::refusal`].
    Refusal {
        /// Whose message was refused, as its subject names it; `None`, written `_`, where that names nobody.
        body: Option<BodyId>,
        /// The sequence in `TOCSIN_SAID`.
        said: u64,
    },
    /// `tocsin.proposal.<publisher>.<sequence in SAID>`: what was said there may be of the same outage as other trails.
    Proposal {
        /// Who is to say whether it is.
        publisher: PublisherId,
        /// The sequence in `TOCSIN_SAID`.
        said: u64,
    },
    /// `tocsin.dispatch.<publisher>.<incident>.<n>`: who is owed this event, by when.
    Dispatch {
        /// Who said the event.
        publisher: PublisherId,
        /// Of which incident.
        incident: IncidentId,
        /// Which event.
        event: EventNumber,
    },
    /// `tocsin.notice.<recipient>.<incident>.<n>`: the notice owed to one recipient.
    Notice {
        /// To whom.
        recipient: RecipientId,
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
    },
    /// `tocsin.notice.<recipient>.<incident>.<n>.overdue.<step>`: that what event n promised did not come, told to one
    /// who was owed that. It is among the notices, so that desks have it as they have those.
    Overdue {
        /// To whom.
        recipient: RecipientId,
        /// Of which incident.
        incident: IncidentId,
        /// Which event promised it.
        event: EventNumber,
        /// Of which window.
        step: StepNumber,
    },
    /// `tocsin.window.<incident>.<n>.<step>`: a window, armed.
    Window {
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
        /// Of which step.
        step: StepNumber,
    },
    /// `tocsin.due.<incident>.<n>.<step>`: that window, closed by the broker itself.
    Due {
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
        /// Of which step.
        step: StepNumber,
    },
    /// `tocsin.finding.<incident>.<n>.<step>`: who was silent when it closed.
    Finding {
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
        /// Of which step.
        step: StepNumber,
    },
    /// `tocsin.escalation.<recipient>.<incident>.<n>.<step>`: an e-mail owed to a silent required recipient.
    Escalation {
        /// To whom.
        recipient: RecipientId,
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
        /// Of which step.
        step: StepNumber,
    },
    /// `tocsin.attempt.<recipient>.<incident>.<n>.<step>.<k>.<phase>`: an attempt to send it.
    Attempt {
        /// To whom.
        recipient: RecipientId,
        /// Of which incident.
        incident: IncidentId,
        /// Of which event.
        event: EventNumber,
        /// Of which step.
        step: StepNumber,
        /// Which attempt, from 1.
        attempt: u32,
        /// Begun or ended.
        phase: AttemptPhase,
    },
    /// `tocsin.checkpoint.<number>`: a signed statement of both streams so far.
    Checkpoint {
        /// From 1.
        number: u64,
    },
}

impl Subject {
    /// The first token of every subject of ours.
    pub const ROOT: &'static str = "tocsin";

    /// What stands for the body in a refusal of what nobody can be named for. No identifier is written so.
    const NOBODY: &'static str = "_";

    /// Where it is written that what was said on a subject, which may be anything, does not count. The body in it is who
    /// the bus let speak there, and whom it lets read why.
    pub fn refusal(subject: &str, said: u64) -> Self {
        Self::Refusal { body: Self::speaker(subject), said }
    }

    /// Whom a subject of `TOCSIN_SAID`, which may be anything, names as the one who speaks.
    pub fn speaker(subject: &str) -> Option<BodyId> {
        let mut words = subject.split('.');
        match (words.next(), words.next(), words.next()) {
            (Some(Self::ROOT), Some("incident" | "receipt" | "report" | "link"), Some(body)) => {
                BodyId::new(body).ok()
            }
            _ => None,
        }
    }

    /// The stream that holds the facts of this form.
    pub fn stream(&self) -> Stream {
        match self {
            Self::Incident { .. }
            | Self::Called { .. }
            | Self::Receipt { .. }
            | Self::Report { .. }
            | Self::Link { .. } => Stream::Said,
            _ => Stream::Log,
        }
    }

    /// The incident that the fact is about, if it is about one.
    pub fn incident(&self) -> Option<&IncidentId> {
        self.about().map(|(incident, _)| incident)
    }

    /// The incident and the event that the fact is about, if it is about one.
    pub fn about(&self) -> Option<(&IncidentId, EventNumber)> {
        match self {
            Self::Incident { incident, event, .. }
            | Self::Called { incident, event, .. }
            | Self::Receipt { incident, event, .. }
            | Self::Dispatch { incident, event, .. }
            | Self::Notice { incident, event, .. }
            | Self::Overdue { incident, event, .. }
            | Self::Window { incident, event, .. }
            | Self::Due { incident, event, .. }
            | Self::Finding { incident, event, .. }
            | Self::Escalation { incident, event, .. }
            | Self::Attempt { incident, event, .. } => Some((incident, *event)),
            Self::Report { .. }
            | Self::Link { .. }
            | Self::Proposal { .. }
            | Self::Directory { .. }
            | Self::Refusal { .. }
            | Self::Checkpoint { .. } => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident { publisher, incident, event } => {
                write!(f, "tocsin.incident.{publisher}.{incident}.{event}")
            }
            Self::Called { publisher, incident, event, recipient } => {
                write!(f, "tocsin.incident.{publisher}.{incident}.{event}.called.{recipient}")
            }
            Self::Receipt { recipient, incident, event, stage } => {
                write!(f, "tocsin.receipt.{recipient}.{incident}.{event}.{}", stage.as_str())
            }
            Self::Report { body, report } => write!(f, "tocsin.report.{body}.{report}"),
            Self::Link { publisher, link } => write!(f, "tocsin.link.{publisher}.{link}"),
            Self::Proposal { publisher, said } => write!(f, "tocsin.proposal.{publisher}.{said}"),
            Self::Directory { version } => write!(f, "tocsin.directory.{version}"),
            Self::Refusal { body, said } => {
                write!(f, "tocsin.refusal.{}.{said}", body.as_ref().map_or(Self::NOBODY, BodyId::as_str))
            }
            Self::Dispatch { publisher, incident, event } => {
                write!(f, "tocsin.dispatch.{publisher}.{incident}.{event}")
            }
            Self::Notice { recipient, incident, event } => {
                write!(f, "tocsin.notice.{recipient}.{incident}.{event}")
            }
            Self::Overdue { recipient, incident, event, step } => {
                write!(f, "tocsin.notice.{recipient}.{incident}.{event}.overdue.{step}")
            }
            Self::Window { incident, event, step } => write!(f, "tocsin.window.{incident}.{event}.{step}"),
            Self::Due { incident, event, step } => write!(f, "tocsin.due.{incident}.{event}.{step}"),
            Self::Finding { incident, event, step } => write!(f, "tocsin.finding.{incident}.{event}.{step}"),
            Self::Escalation { recipient, incident, event, step } => {
                write!(f, "tocsin.escalation.{recipient}.{incident}.{event}.{step}")
            }
            Self::Attempt { recipient, incident, event, step, attempt, phase } => {
                write!(f, "tocsin.attempt.{recipient}.{incident}.{event}.{step}.{attempt}.{}", phase.as_str())
            }
            Self::Checkpoint { number } => write!(f, "tocsin.checkpoint.{number}"),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slug() -> impl Strategy<Value = String> {
        "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
    }

    fn subject() -> impl Strategy<Value = Subject> {
        (slug(), slug(), 1..=u32::MAX, 1..=u32::MAX, 1..=u64::MAX, 1..=u32::MAX, 0..19_usize).prop_map(
            |(a, b, event, step, long, attempt, form)| {
                let (recipient, publisher) = (RecipientId::new(&a).unwrap(), PublisherId::new(&a).unwrap());
                let incident = IncidentId::new(&b).unwrap();
                let (event, step) = (EventNumber::new(event).unwrap(), StepNumber::new(step).unwrap());
                match form {
                    0 => Subject::Incident { publisher, incident, event },
                    1 => Subject::Receipt { recipient, incident, event, stage: ReceiptStage::Delivered },
                    2 => Subject::Receipt { recipient, incident, event, stage: ReceiptStage::Acknowledged },
                    3 => Subject::Directory { version: long },
                    4 => Subject::Refusal { body: Some(BodyId::new(&a).unwrap()), said: long },
                    17 => Subject::Called { publisher, incident, event, recipient },
                    18 => Subject::Overdue { recipient, incident, event, step },
                    13 => Subject::Refusal { body: None, said: long },
                    14 => {
                        Subject::Report { body: BodyId::new(&a).unwrap(), report: ReportId::new(&b).unwrap() }
                    }
                    15 => Subject::Link { publisher, link: LinkId::new(&b).unwrap() },
                    16 => Subject::Proposal { publisher, said: long },
                    5 => Subject::Dispatch { publisher, incident, event },
                    6 => Subject::Notice { recipient, incident, event },
                    7 => Subject::Window { incident, event, step },
                    8 => Subject::Due { incident, event, step },
                    9 => Subject::Finding { incident, event, step },
                    10 => Subject::Escalation { recipient, incident, event, step },
                    11 => Subject::Attempt {
                        recipient,
                        incident,
                        event,
                        step,
                        attempt,
                        phase: AttemptPhase::Begun,
                    },
                    _ => Subject::Attempt {
                        recipient,
                        incident,
                        event,
                        step,
                        attempt,
                        phase: AttemptPhase::Ended,
                    },
                }
            },
        )
    }

    proptest! {
        #[test]
        fn printing_then_parsing_gives_the_same_subject(subject in subject()) {
            prop_assert_eq!(subject.to_string().parse::<Subject>(), Ok(subject));
        }

        #[test]
        fn whatever_parses_prints_as_it_was(text in "(tocsin|x)\\.(incident|receipt|report|link|proposal|directory|refusal|dispatch|due|window|notice|attempt|checkpoint)(\\.([a-z0-9*>_-]{1,4}|called|overdue)){0,7}") {
            if let Ok(subject) = text.parse::<Subject>() {
                prop_assert_eq!(subject.to_string(), text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(text in ".{0,200}") {
            let _ = text.parse::<Subject>();
        }
    }

    #[test]
    fn a_refusal_stands_under_whom_the_subject_of_what_was_refused_names() {
        let long = format!("tocsin.incident.{}.x.1", "b".repeat(65));
        for (said, stands) in [
            ("tocsin.incident.bt.x.1", "tocsin.refusal.bt.7"),
            ("tocsin.incident.bt.NO SLUG.0", "tocsin.refusal.bt.7"),
            ("tocsin.receipt.kent.x.1.acknowledged", "tocsin.refusal.kent.7"),
            ("tocsin.receipt.Kent.x.1.acknowledged", "tocsin.refusal._.7"),
            ("tocsin.receipt._.x.1.acknowledged", "tocsin.refusal._.7"),
            ("tocsin.report.kent.x", "tocsin.refusal.kent.7"),
            ("tocsin.link.bt.x.y", "tocsin.refusal.bt.7"),
            ("tocsin.proposal.bt.1", "tocsin.refusal._.7"),
            ("tocsin.dispatch.bt.x.1", "tocsin.refusal._.7"),
            ("other.incident.bt.x.1", "tocsin.refusal._.7"),
            (&long, "tocsin.refusal._.7"),
            ("", "tocsin.refusal._.7"),
        ] {
            let subject = Subject::refusal(said, 7);
            assert_eq!(subject.to_string(), stands, "{said}");
            assert_eq!(stands.parse(), Ok(subject));
        }
    }

    #[test]
    fn near_misses_are_refused() {
        for bad in [
            "tocsin.refusal.1",
            "tocsin.report.kent",
            "tocsin.report._.x",
            "tocsin.report.kent.x.1",
            "tocsin.link.bt",
            "tocsin.proposal.bt.x",
            "tocsin.proposal.bt.0",
            "tocsin.refusal.-.1",
            "tocsin.dispatch.x.1",
            "tocsin.dispatch._.x.1",
            "tocsin.incident.bt.x.0",
            "tocsin.incident.bt.x.01",
            "tocsin.incident.bt.x.+1",
            "tocsin.incident.bt.x.4294967296",
            "tocsin.incident.bt.*.1",
            "tocsin.incident.bt.x.1.y",
            "tocsin.receipt.a.x.1.seen",
            "tocsin.attempt.a.x.1.1.0.begun",
            "tocsin",
            "",
            "other.incident.bt.x.1",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad}");
        }
    }
}
