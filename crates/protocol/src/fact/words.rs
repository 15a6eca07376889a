//! The field's closed lists of words.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(value: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|word| word.as_str() == value).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    format!("expected one of: {}", all.join(", "))
                })
            }
        }
    };
}

words! {
    /// What an event says of its incident.
    EventKind {
        /// The first word of it: always event 1.
        Initial = "initial",
        /// More, or other, is known.
        Update = "update",
        /// The service is restored.
        Resolved = "resolved",
        /// Something that an earlier event said was wrong. It goes to those who had that.
        Correction = "correction",
        /// It was no incident. Nothing follows it.
        Cancelled = "cancelled",
        /// It should not have been sent: to nobody, or not as what it was. Nothing follows it.
        SentInError = "sent-in-error",
    }
}

impl EventKind {
    /// Whether nothing can follow it in its incident.
    pub fn ends_incident(self) -> bool {
        matches!(self, Self::Cancelled | Self::SentInError)
    }

    /// Whether there is no use any more in asking who has taken in what was said before.
    pub fn lifts_duties(self) -> bool {
        self == Self::Resolved || self.ends_incident()
    }
}

words! {
    /// How much of a report an event is, least first. NIS2 Art. 23(4) calls them early warning, notification and final
    /// report; 47 CFR 4.9(e) notification, initial and final report; DORA Art. 19 initial, intermediate and final report.
    Stage {
        /// The first word.
        Initial = "initial",
        /// More is known, or nothing new is.
        Update = "update",
        /// The full notification: what is known of cause, extent and effect.
        Full = "full",
        /// The final report.
        Final = "final",
    }
}
words! {
    /// A way in which somebody is told.
    Channel {
        /// By a telephone call that a person makes and logs.
        Telephone = "telephone",
        /// In writing: a notice on the bus is that.
        Writing = "writing",
    }
}
words! {
    /// What brings a policy into play.
    #[derive(Default)]
    Trigger {
        /// A failure of a service that it is about.
        #[default]
        Failure = "failure",
        /// That callers who were lost are handed to the police: an event by which more are than before.
        Handover = "handover",
    }
}

impl Trigger {
    /// Whether it is a failure of a service.
    pub fn is_failure(&self) -> bool {
        *self == Self::Failure
    }
}
words! {
    /// What an exercise by schedule may be: never anything real.
    ExerciseStatus {
        /// For people: they acknowledge.
        Exercise = "exercise",
        /// For machines: it wakes nobody.
        Test = "test",
    }
}

impl From<ExerciseStatus> for Status {
    fn from(status: ExerciseStatus) -> Self {
        match status {
            ExerciseStatus::Exercise => Self::Exercise,
            ExerciseStatus::Test => Self::Test,
        }
    }
}

words! {
    /// CAP 1.2 `status`, of which three have a use here. It is part of an incident's identity: it never changes.
    Status {
        /// A real failure.
        Actual = "actual",
        /// An exercise: behaves as actual, marked everywhere.
        Exercise = "exercise",
        /// A technical test that notices reach every desk: marked everywhere, and acknowledged by nobody.
        Test = "test",
    }
}
words! {
    /// What sort of incident.
    Category {
        /// The service is lost.
        Outage = "outage",
        /// The service is worse than it should be.
        Degradation = "degradation",
        /// The service moves to another platform.
        Failover = "failover",
        /// The cause is an attack.
        CyberAttack = "cyber-attack",
        /// The cause is flood, storm, fire or the like.
        NaturalHazard = "natural-hazard",
        /// More calls than can be answered.
        CallSurge = "call-surge",
        /// Work that was planned.
        PlannedWork = "planned-work",
    }
}
words! {
    /// A service that people in need of help use, or that those who help them use.
    Service {
        /// Voice calls to 999.
        Voice999 = "999-voice",
        /// Voice calls to 112.
        Voice112 = "112-voice",
        /// Voice calls to 911.
        Voice911 = "911-voice",
        /// Voice calls to 000.
        Voice000 = "000-voice",
        /// Voice calls to 988.
        Voice988 = "988-voice",
        /// Voice calls to 101, the police's other number.
        Voice101 = "101-voice",
        /// Voice calls to 111, the NHS' other number.
        Voice111 = "111-voice",
        /// Calls that a car makes by itself.
        Ecall = "ecall",
        /// Text messages to 999 or 112.
        EmergencySms = "emergency-sms",
        /// Relay by text (Relay UK).
        TextRelay = "text-relay",
        /// Relay by video (999 BSL).
        VideoRelay = "video-relay",
        /// The caller's location.
        LocationData = "location-data",
        /// A force's, service's or trust's own control room.
        ControlRoom = "control-room",
        /// The radio network of the emergency services.
        EmergencyRadio = "emergency-radio",
    }
}
words! {
    /// CAP 1.2 `severity`, least first.
    Severity {
        /// Not known.
        Unknown = "unknown",
        /// Little threat to life.
        Minor = "minor",
        /// Possible threat to life.
        Moderate = "moderate",
        /// Significant threat to life.
        Severe = "severe",
        /// Extraordinary threat to life.
        Extreme = "extreme",
    }
}
words! {
    /// CAP 1.2 `urgency`.
    Urgency {
        /// Act at once.
        Immediate = "immediate",
        /// Act within the hour.
        Expected = "expected",
        /// Act in the near future.
        Future = "future",
        /// No action is needed any more.
        Past = "past",
        /// Not known.
        Unknown = "unknown",
    }
}
words! {
    /// CAP 1.2 `certainty`.
    Certainty {
        /// Seen to be so.
        Observed = "observed",
        /// More likely than not.
        Likely = "likely",
        /// Possible.
        Possible = "possible",
        /// Not expected.
        Unlikely = "unlikely",
        /// Not known.
        Unknown = "unknown",
    }
}
words! {
    /// What carries the service now, best first.
    Platform {
        /// The platform it is meant to be on.
        Primary = "primary",
        /// The disaster-recovery platform.
        Backup = "backup",
        /// None: total loss.
        None = "none",
    }
}
words! {
    /// Whether a recipient must acknowledge.
    Requirement {
        /// Must acknowledge within the windows, or is escalated to.
        Required = "required",
        /// Is told, and never escalated to.
        Informed = "informed",
    }
}
words! {
    /// The moment from which a policy's windows run. Where an event does not tell that moment, the broker's time of
    /// the event stands in for it, and the dispatch says so.
    ClockStart {
        /// The failure began (`began_at`).
        Occurred = "occurred",
        /// A machine or person noticed it (`detected_at`).
        Detected = "detected",
        /// The operator was aware of it (`aware_at`).
        Aware = "aware",
        /// Anyone in the chain discovered it (`discovered_at`).
        Discovered = "discovered",
        /// It was classified as reportable (`classified_at`).
        Classified = "classified",
        /// The broker stored the event.
        Published = "published",
        /// The service was restored (`restored_at`).
        Restored = "restored",
    }
}
words! {
    /// How sure we are that a policy says what its source says.
    Confidence {
        /// Our own choice: no public source gives a figure.
        Assumption = "assumption",
        /// Known in general, not looked up.
        Medium = "medium",
        /// Read in the source or in a good account of it.
        High = "high",
        /// A proposal that was not law when last seen.
        Proposed = "proposed",
    }
}
