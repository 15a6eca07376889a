//! Which `directory_key` a service or command was told to trust.

use serde::Deserialize;
use tocsin_duty::Pin;

use crate::failure::Failure;

/// The key, as the command line or the environment gives it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Trust {
    /// The public directory_key to trust: under a directory that does not stand under it nothing is done. Without it, any
    /// directory in force will do
    // Read by us, as whatever reads it for us would repeat a seed that was given in its place.
    #[arg(long, value_name = "PUBLIC", env = "TOCSIN_TRUST", hide_env_values = true)]
    trust: Option<String>,
}

/// The `[trust]` of the configuration file.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Section {
    /// The public `directory_key` under which the directory in force must stand, for every service that reads the file.
    pub(crate) directory_key: Option<Pin>,
}

impl Trust {
    /// For a command without a configuration file.
    ///
    /// # Errors
    /// When it is no key.
    pub(crate) fn pin(&self) -> Result<Option<Pin>, Failure> {
        let wrong = |why| Failure::wrong(format!("--trust (or TOCSIN_TRUST) cannot be used: {why}"));
        self.trust.as_ref().map(|key| key.parse().map_err(wrong)).transpose()
    }

    /// What both say, where either says something.
    ///
    /// # Errors
    /// When either is no key, or they do not say the same: neither goes before the other, as either may be the one that was
    /// forgotten.
    pub(crate) fn beside(&self, section: Section) -> Result<Option<Pin>, Failure> {
        match (self.pin()?, section.directory_key) {
            (Some(given), Some(written)) if given != written => Err(Failure::wrong(format!(
                "--trust (or TOCSIN_TRUST) names the key {given}, and [trust] directory_key of the configuration {written}: give the same, or one of them alone"
            ))),
            (given, written) => Ok(given.or(written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::SigningKey;

    use super::*;
    use crate::failure::Exit;

    #[test]
    fn the_key_may_be_given_in_two_places_if_they_say_the_same() {
        let key = || -> Pin { SigningKey::generate().public().parse().unwrap() };
        let (one, other) = (key(), key());
        let agreed = |given: Option<&Pin>, written: Option<&Pin>| {
            Trust { trust: given.map(Pin::to_string) }.beside(Section { directory_key: written.cloned() })
        };
        assert_eq!(agreed(None, None), Ok(None));
        for (given, written) in [(Some(&one), None), (None, Some(&one)), (Some(&one), Some(&one))] {
            assert_eq!(agreed(given, written), Ok(Some(one.clone())));
        }
        let why = agreed(Some(&one), Some(&other)).unwrap_err();
        assert!(why.words().contains(one.as_str()) && why.words().contains(other.as_str()), "{why:?}");
    }

    #[test]
    fn what_is_no_key_is_wrong_input_and_a_seed_is_not_repeated() {
        let seed = SigningKey::generate().seed().unwrap();
        for wrong in ["", "keys/directory_key.nk", &seed] {
            let why = Trust { trust: Some(wrong.to_owned()) }.pin().unwrap_err();
            assert_eq!(why.exit(), Exit::Input);
            assert!(why.words().contains("56 characters from U") && !why.words().contains(&seed), "{why:?}");
        }
    }
}
