//! The numbers in subjects: plain decimals from 1.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, shown};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The first.
            pub const FIRST: Self = Self(NonZeroU32::MIN);

            /// Takes a number from 1.
            pub fn new(value: u32) -> Option<Self> {
                NonZeroU32::new(value).map(Self)
            }

            /// The plain number, from 1.
            pub fn get(self) -> u32 {
                self.0.get()
            }

            /// The one after this.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            fn parse(value: &str) -> Result<Self, Error> {
                decimal(value)
                    .and_then(|n| u32::try_from(n).ok())
                    .and_then(Self::new)
                    .ok_or_else(|| Error::Number { what: $what, value: shown(value) })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(value: &str) -> Result<Self, Error> {
                Self::parse(value)
            }
        }
    };
}

number!(
    /// An event's place in its incident: 1, 2, ...
    EventNumber, "event number"
);
number!(
    /// A step of an event's dispatch: 1, 2, ... in the order of the dispatch record.
    StepNumber, "step number"
);

/// A plain decimal without sign or leading zero: only so is print the inverse of parse.
pub(super) fn decimal(value: &str) -> Option<u64> {
    let plain = value.bytes().all(|b| b.is_ascii_digit()) && !value.starts_with('0');
    if plain { value.parse().ok() } else { None }
}
