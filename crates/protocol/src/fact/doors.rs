//! Through which doors the console may acknowledge for a body.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Unexpected, Visitor},
};

use super::receipt::ReceiptMethod;

/// What a recipient lets the console's key do in its name: `console` of its entry in a directory.
///
/// Written as `true`, `false` or `"links"`. A program that knows the first two alone takes a directory with the third for
/// none, and so goes by the one before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConsoleDoors {
    /// `true`, and where nothing is said: on the page, by a program and by a mail's link.
    #[default]
    Open,
    /// `"links"`: by a mail's link alone, whose token the notifier signed and the console cannot make.
    Links,
    /// `false`: by none. Its own key alone counts.
    Shut,
}

impl ConsoleDoors {
    /// The word of [`Self::Links`].
    pub const LINKS: &'static str = "links";

    /// Whether the console's key may acknowledge by a method. By those that are none of its doors it never may.
    #[must_use]
    pub fn opens(self, door: ReceiptMethod) -> bool {
        match door {
            ReceiptMethod::Page | ReceiptMethod::Program => self == Self::Open,
            ReceiptMethod::Link => self != Self::Shut,
            _ => false,
        }
    }

    /// Whether it is what is meant where nothing is said.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }

    /// For a field of that name, so that what cannot be read names it.
    pub(super) fn of_field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map_err(|why| de::Error::custom(format_args!("console: {why}")))
    }
}

impl Serialize for ConsoleDoors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open => serializer.serialize_bool(true),
            Self::Links => serializer.serialize_str(Self::LINKS),
            Self::Shut => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for ConsoleDoors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = ConsoleDoors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "true, false or {:?}", ConsoleDoors::LINKS)
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<ConsoleDoors, E> {
                Ok(if flag { ConsoleDoors::Open } else { ConsoleDoors::Shut })
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<ConsoleDoors, E> {
                if word == ConsoleDoors::LINKS {
                    Ok(ConsoleDoors::Links)
                } else {
                    Err(E::invalid_value(Unexpected::Str(word), &self))
                }
            }
        }

        deserializer.deserialize_any(Word)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fact::{Recipient, from_body, to_body};

    fn entry(console: Option<&Value>) -> Value {
        let mut entry =
            json!({"id": "pol-kent", "name": "Kent Police", "kind": "police", "areas": [], "contacts": {}});
        if let Some(console) = console {
            entry["console"] = console.clone();
        }
        entry
    }

    fn read(console: Option<&Value>) -> Result<Recipient, String> {
        from_body("directory", entry(console).to_string().as_bytes()).map_err(|why| why.to_string())
    }

    #[test]
    fn what_was_written_before_there_were_three_is_read_and_written_as_it_was() {
        for (written, doors, again) in [
            (None, ConsoleDoors::Open, None),
            (Some(json!(true)), ConsoleDoors::Open, None),
            (Some(json!(false)), ConsoleDoors::Shut, Some(json!(false))),
            (Some(json!("links")), ConsoleDoors::Links, Some(json!("links"))),
        ] {
            let read = read(written.as_ref()).unwrap();
            assert_eq!(read.console, doors, "{written:?}");
            let body: Value = from_body("directory", &to_body("directory", &read).unwrap()).unwrap();
            assert_eq!(body.get("console"), again.as_ref(), "{written:?}");
            assert_eq!(serde_json::from_value::<Recipient>(body).unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_choice_is_told_by_field_and_value_and_with_what_is_expected() {
        for (hostile, shown) in [
            (json!("yes"), "string \"yes\""),
            (json!("true"), "string \"true\""),
            (json!("Links"), "string \"Links\""),
            (json!("links "), "string \"links \""),
            (json!(""), "string \"\""),
            (json!(1), "integer `1`"),
            (json!(0.5), "floating point `0.5`"),
            (json!(null), "null"),
            (json!(["links"]), "sequence"),
            (json!({"links": true}), "map"),
        ] {
            let told = read(Some(&hostile)).unwrap_err();
            let whole = told.contains("console: ") && told.contains(shown);
            assert!(whole && told.contains("expected true, false or \"links\""), "{hostile}: {told}");
        }
    }

    #[test]
    fn each_choice_opens_its_own_doors() {
        use ReceiptMethod::{Command, Desk, InPerson, Link, Page, PhoneLogged, Program};
        let all = [Desk, Program, Command, Page, Link, PhoneLogged, InPerson];
        let opened =
            |doors: ConsoleDoors| all.into_iter().filter(|door| doors.opens(*door)).collect::<Vec<_>>();
        assert_eq!(opened(ConsoleDoors::Open), [Program, Page, Link]);
        assert_eq!(opened(ConsoleDoors::Links), [Link]);
        assert_eq!(opened(ConsoleDoors::Shut), []);
    }
}
