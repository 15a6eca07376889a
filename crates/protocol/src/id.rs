//! Identifiers: a string from outside becomes one of these once, and stays one.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, shown};

/// The longest identifier, in bytes. Four of them and a subject's fixed words stay well under NATS' limits.
const ID_MAX: usize = 64;

fn is_slug(value: &str) -> bool {
    let bytes = value.as_bytes();
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !bytes.is_empty()
        && bytes.len() <= ID_MAX
        && bytes.iter().all(|b| word(b) || *b == b'-')
        && bytes.first().is_some_and(word)
        && bytes.last().is_some_and(word)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $example:literal) => {
        $(#[$doc])*
        ///
        /// One token of a subject: 1 to 64 of `a-z`, `0-9` and inner hyphens.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes an identifier from outside.
            ///
            /// # Errors
            /// [`Error::Id`] when it is outside the grammar.
            pub fn new(value: &str) -> Result<Self, Error> {
                if is_slug(value) {
                    Ok(Self(value.into()))
                } else {
                    Err(Error::Id { what: $what, value: shown(value), max: ID_MAX, example: $example })
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(value: &str) -> Result<Self, Error> {
                Self::new(value)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&value).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One failure of an emergency call service, from its first event to its last.
    IncidentId, "incident", "bt-999-2023-06-25"
);
id!(
    /// A body that is told: a police force, fire service, ambulance trust, department, regulator.
    RecipientId, "recipient", "pol-west-mercia"
);
id!(
    /// A body that tells: an operator, or a force whose own control room has failed.
    PublisherId, "publisher", "bt-cha"
);
id!(
    /// A body as a subject names it, be it publisher, recipient or both.
    BodyId, "body", "pol-west-mercia"
);
id!(
    /// A notification duty: who must be told, by when, and on what authority.
    PolicyId, "policy", "uk-999"
);
id!(
    /// Something that a publisher owes under a policy, by its name in that.
    DutyId, "duty", "first-notice"
);
id!(
    /// A control room of a body, by its name among that body's.
    ControlRoomId, "control room", "hindlip"
);
id!(
    /// An exercise or test by schedule.
    ExerciseId, "exercise", "tuesday-call-out"
);
id!(
    /// By which an operator lets what a monitor reports become an event, by its name in the configuration.
    RuleId, "rule", "test-calls-fail"
);
id!(
    /// A place that an incident touches and that recipients serve.
    AreaId, "area", "west-mercia"
);
id!(
    /// What a body says that it sees, by its own count.
    ReportId, "report", "calls-stopped-0631"
);
id!(
    /// One person's word that two trails are of the same outage, or are not, by the publisher's own count.
    LinkId, "link", "kent-is-ours"
);

impl From<&RecipientId> for BodyId {
    fn from(recipient: &RecipientId) -> Self {
        Self(Arc::clone(&recipient.0))
    }
}

impl BodyId {
    /// The recipient of that name.
    pub fn as_recipient(&self) -> RecipientId {
        RecipientId(Arc::clone(&self.0))
    }

    /// The publisher of that name.
    pub fn as_publisher(&self) -> PublisherId {
        PublisherId(Arc::clone(&self.0))
    }
}

impl From<&PublisherId> for BodyId {
    fn from(publisher: &PublisherId) -> Self {
        Self(Arc::clone(&publisher.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_one_plain_token() {
        for good in ["a", "0", "bt-999-2023-06-25", "pol-west-mercia", &"x".repeat(64)] {
            assert_eq!(IncidentId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "*", ">", "a/b", "é", "a\n", &"x".repeat(65)] {
            assert!(IncidentId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_expected() {
        insta::assert_snapshot!(
            RecipientId::new("Police*").unwrap_err(),
            @r#"recipient "Police*" is not valid: use 1 to 64 of a-z, 0-9 and inner hyphens, such as "pol-west-mercia""#
        );
    }
}
