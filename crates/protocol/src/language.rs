//! The language of words that are said in more than one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, shown};

/// A language by its BCP 47 tag: language, and where it matters script and region, in the letters in which they are
/// usually written, such as `cy` or `zh-Hant-HK`. No variants and no extensions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(String);

impl Language {
    /// What is said where no language is named.
    pub const ENGLISH: &'static str = "en";

    /// Takes a tag from outside.
    ///
    /// # Errors
    /// [`Error::Language`] when it is none.
    pub fn new(tag: &str) -> Result<Self, Error> {
        if is_tag(tag) { Ok(Self(tag.to_owned())) } else { Err(Error::Language { value: shown(tag) }) }
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone, without script and region.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }
}

fn is_tag(tag: &str) -> bool {
    let of = |part: &str, length: std::ops::RangeInclusive<usize>, is: fn(&u8) -> bool| {
        length.contains(&part.len()) && part.as_bytes().iter().all(is)
    };
    let mut parts = tag.split('-').peekable();
    let is_language = parts.next().is_some_and(|part| of(part, 2..=3, u8::is_ascii_lowercase));
    let script = |part: &&str| {
        part.len() == 4
            && part.starts_with(|c: char| c.is_ascii_uppercase())
            && of(&part[1..], 3..=3, u8::is_ascii_lowercase)
    };
    parts.next_if(script);
    let region = |part: &&str| of(part, 2..=2, u8::is_ascii_uppercase) || of(part, 3..=3, u8::is_ascii_digit);
    parts.next_if(region);
    is_language && parts.next().is_none()
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Language {
    type Err = Error;
    fn from_str(tag: &str) -> Result<Self, Error> {
        Self::new(tag)
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&tag).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_plain_tag() {
        for tag in ["en", "cy", "en-GB", "gd", "zh-Hant", "zh-Hant-HK", "es-419", "haw"] {
            assert_eq!(Language::new(tag).unwrap().to_string(), tag);
        }
        for tag in [
            "",
            "e",
            "EN",
            "cy_GB",
            "cymraeg",
            "en-gb",
            "en-",
            "-en",
            "en-GB-x",
            "zh-hant",
            "en-GB-Latn",
            "c\u{17d}",
        ] {
            assert!(Language::new(tag).is_err(), "{tag}");
        }
        assert_eq!(Language::new("zh-Hant-HK").unwrap().primary(), "zh");
    }
}
