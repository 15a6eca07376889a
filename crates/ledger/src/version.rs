//! Which nats-server is new enough.

use std::fmt;

/// A nats-server version. What follows the three numbers, such as `-RC.1`, is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// [`crate::MINIMUM_SERVER`] as a number.
    pub(crate) const MINIMUM: Self = Self { major: 2, minor: 12, patch: 0 };

    /// Reads `2.15.1`, `v2.15.1` or `2.15.1-RC.1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(str::parse);
        let version =
            Self { major: parts.next()?.ok()?, minor: parts.next()?.ok()?, patch: parts.next()?.ok()? };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text| Version::parse(text).unwrap();
        assert_eq!(version(crate::MINIMUM_SERVER), Version::MINIMUM);
        assert!(version("2.9.10") < Version::MINIMUM);
        assert!(version("v2.12.0") >= Version::MINIMUM);
        assert!(version("2.15.1-RC.1") > Version::MINIMUM);
        for bad in ["", "2", "2.12", "2.12.x", "nats-server:", "2.12.0.1"] {
            assert_eq!(Version::parse(bad), None, "{bad:?}");
        }
    }
}
