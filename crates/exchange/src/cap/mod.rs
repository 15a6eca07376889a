//! The Common Alerting Protocol 1.2 (OASIS, 1 July 2010).
//!
//! [`Alert`] is a message as the standard lays it out, and [`Alert::to_xml`] the one writer of it. [`export`] says an
//! event of ours in it, [`acknowledgement`] a receipt; [`import`] reads a message of anybody into a draft.
//!
//! What an event says and CAP has no element for goes as `parameter`s whose names begin with `tocsin:`, by the path of
//! the field in the event's own schema, such as `tocsin:impact.by_area.kent`. So a message that we wrote comes back as
//! the event that it was, whole.

mod export;
mod flat;
#[cfg(test)]
mod fuzz;
mod import;
mod keep;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use export::{Audience, Named, Told, acknowledgement, certainty, export, severity, status, urgency};
pub use import::{Import, Wanted, import};

use jiff::{Timestamp, tz::TimeZone};

/// The namespace of CAP 1.2.
pub const NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";

/// The longest message that is read, in bytes: past the largest event, however it is wrapped.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The longest headline, in characters, that CAP 1.2 recommends (3.2.2).
pub const HEADLINE_MAX: usize = 160;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// CAP's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)+ }
            }

            /// The words that there are.
            pub const WORDS: &'static [&'static str] = &[$(stringify!($variant)),+];

            pub(crate) fn read(text: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|word| word.as_str() == text)
            }
        }
    };
}

words! {
    /// CAP `status`.
    CapStatus {
        /// Act on it.
        Actual,
        /// Exercise participants act on it.
        Exercise,
        /// For the inner workings of alerting networks.
        System,
        /// Technical testing.
        Test,
        /// Not to be acted on in its present form.
        Draft,
    }
}
words! {
    /// CAP `msgType`.
    MessageType {
        /// The first word.
        Alert,
        /// It takes the place of those that it refers to.
        Update,
        /// It cancels those that it refers to.
        Cancel,
        /// Those that it refers to were received and accepted.
        Ack,
        /// Those that it refers to were refused.
        Error,
    }
}

/// CAP `scope`, with what belongs to each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// For everybody.
    Public,
    /// For users with a known operational need, by this rule.
    Restricted(String),
    /// For these alone.
    Private(Vec<String>),
}

/// A time as CAP writes it (3.3.2): whole seconds and an offset in figures, `-00:00` for UTC, never `Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapTime(String);

impl CapTime {
    /// This moment, as the clocks of that zone show it. What is less than a second is dropped.
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        let zoned = at.to_zoned_datetime(zone.clone());
        let offset = zoned.offset();
        let text = zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        // An offset with seconds, of before there were zones, has no place in CAP.
        if offset.seconds() == 0 && *zone == TimeZone::UTC || offset.seconds() % 60 != 0 {
            return Self(at.strftime("%Y-%m-%dT%H:%M:%S-00:00").to_string());
        }
        Self(text)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message. Texts may be anything: they are escaped when they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Unique to its sender; without spaces, commas, `<` and `&`.
    pub identifier: String,
    /// Who sends it; without the same.
    pub sender: String,
    /// When it was said.
    pub sent: CapTime,
    /// Whether to act on it.
    pub status: CapStatus,
    /// What it does to those before it.
    pub message_type: MessageType,
    /// For whom it is.
    pub scope: Scope,
    /// What it is for, where that is no alert.
    pub note: Option<String>,
    /// Those that it is about: `sender,identifier,sent`, oldest first.
    pub references: Vec<String>,
    /// The incidents that it is about.
    pub incidents: Vec<String>,
    /// What is said, once for each language.
    pub info: Vec<Info>,
}

/// What is said, in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// The language, as BCP 47 has it.
    pub language: String,
    /// CAP's categories.
    pub categories: Vec<&'static str>,
    /// What sort of event, for people.
    pub event: String,
    /// What to do, as CAP has words for it.
    pub responses: Vec<&'static str>,
    /// CAP's word.
    pub urgency: &'static str,
    /// CAP's word.
    pub severity: &'static str,
    /// CAP's word.
    pub certainty: &'static str,
    /// When what it is about began.
    pub onset: Option<CapTime>,
    /// Who sends it, for people.
    pub sender_name: Option<String>,
    /// One line.
    pub headline: Option<String>,
    /// More.
    pub description: Option<String>,
    /// What to do, in words.
    pub instruction: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// What has no element of its own: name and value.
    pub parameters: Vec<(String, String)>,
    /// Where.
    pub areas: Vec<Area>,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its codes: which list, and which code of it.
    pub geocodes: Vec<(String, String)>,
}

/// Every language that an event may be said in is marked; what nobody marked is in this one.
pub const LANGUAGE: &str = "en-GB";
