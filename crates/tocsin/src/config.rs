//! The configuration file of `tocsin up`, `tocsin notifier` and `tocsin console`.

#[cfg(test)]
mod fuzz;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{failure::Failure, trust};

/// The whole file.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The bus that `tocsin up` starts.
    #[serde(default)]
    pub(crate) bus: Bus,
    /// Whose directory is worked under.
    #[serde(default)]
    pub(crate) trust: trust::Section,
    /// How the router signs.
    #[serde(default)]
    pub(crate) router: Router,
    /// Who the mails are from, and by which relays they go.
    pub(crate) notifier: tocsin_notifier::Config,
    /// How the web console serves. Without it `tocsin up` runs none.
    #[serde(default)]
    pub(crate) console: Option<tocsin_console::Config>,
}

/// The nats-server that `tocsin up` starts when `NATS_URL` names none.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bus {
    /// Where it keeps both streams.
    pub(crate) store: PathBuf,
    /// Its port on 127.0.0.1; 0 for any that is free, which it tells.
    pub(crate) port: u16,
}

/// The router that `tocsin up` runs.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Router {
    /// The seed file of the key with which it signs checkpoints; it is made where it is not there. Without one it
    /// signs none.
    pub(crate) key: Option<PathBuf>,
}

impl Default for Bus {
    fn default() -> Self {
        Self { store: PathBuf::from("tocsin-store"), port: 4222 }
    }
}

impl Config {
    /// Reads a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        Self::parse(&text(file)?).map_err(|why| unusable(file, &why))
    }

    fn parse(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

/// Reads the `[console]` and the `[trust]` of a file, whatever else it has or lacks: a machine that only serves pages sends
/// no mail.
pub(crate) fn read_console(file: &Path) -> Result<(tocsin_console::Config, trust::Section), Failure> {
    let part: ConsolePart = parse(&text(file)?).map_err(|why| unusable(file, &why))?;
    Ok((part.console, part.trust))
}

#[derive(Deserialize)]
struct ConsolePart {
    console: tocsin_console::Config,
    #[serde(default)]
    trust: trust::Section,
}

/// What is wrong is told without the line's own words, which may be a password in the wrong place.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|why| {
        let before = why.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", before.matches('\n').count() + 1, why.message())
    })
}

fn text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|why| {
        Failure::wrong(format!(
            "cannot read the configuration {}: {why}; begin with a copy of deploy/tocsin.toml",
            file.display()
        ))
    })
}

fn unusable(file: &Path, why: &str) -> Failure {
    Failure::wrong(format!("the configuration {} cannot be used:\n{why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_that_we_ship_is_a_configuration() {
        let config = Config::parse(include_str!("../../../deploy/tocsin.toml")).unwrap();
        assert_eq!(config.bus.port, 4222);
        assert_eq!(config.notifier.relays.len(), 2, "mail must not fail with what it reports");
        config.notifier.letterhead().unwrap();
        assert!(config.console.unwrap().listen.ip().is_loopback());
    }

    #[test]
    fn a_field_that_is_none_is_told_by_its_line() {
        let why = Config::parse("[bus]\nstore = \"x\"\nprot = 4222\n").unwrap_err();
        assert_eq!(why, "line 3: unknown field `prot`, expected `store` or `port`");
    }

    #[test]
    fn a_key_to_trust_that_is_none_is_told_with_what_was_expected() {
        let text = include_str!("../../../deploy/tocsin.toml");
        let trusting = |key: &str| format!("{text}\n[trust]\ndirectory_key = \"{key}\"\n");
        let key = tocsin_protocol::SigningKey::generate().public();
        let config = Config::parse(&trusting(&key)).unwrap();
        assert_eq!(config.trust.directory_key.unwrap().as_str(), key);
        for wrong in ["", "keys/directory_key.nk", &key[..55]] {
            let why = Config::parse(&trusting(wrong)).unwrap_err();
            assert!(why.starts_with("line ") && why.contains("56 characters from U"), "{why}");
        }
        let why = Config::parse("[trust]\ndirectory = \"x\"\n").unwrap_err();
        assert!(why.contains("expected `directory_key`"), "{why}");
    }

    #[test]
    fn the_one_in_the_manifests_is_a_configuration_of_notifier_and_console() {
        let manifest = include_str!("../../../deploy/kubernetes/config.yaml");
        let (_, text) = manifest.split_once("tocsin.toml: |\n").unwrap();
        let text: String = text.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
        let config = Config::parse(&text).unwrap();
        config.notifier.letterhead().unwrap_err();
        assert_eq!(config.notifier.relays.len(), 2);
        assert!(config.console.unwrap().public_url.is_some());
    }

    #[test]
    fn a_password_in_the_configuration_is_refused_and_not_repeated() {
        let text = include_str!("../../../deploy/tocsin.toml");
        let misplaced = text.replacen("tls = \"starttls\"", "password = \"hidden\" #", 1);
        let why = Config::parse(&misplaced).unwrap_err();
        assert!(why.contains("password_file") && !why.contains("hidden"), "{why}");
        let unquoted = text.replacen("tls = \"starttls\"", "password = hidden", 1);
        let why = parse::<ConsolePart>(&unquoted).err().unwrap();
        assert!(why.starts_with("line ") && !why.contains("hidden"), "{why}");
    }

    #[test]
    fn without_a_notifier_nobody_silent_would_be_written_to() {
        let why = Config::parse("[bus]\n").unwrap_err();
        assert!(why.contains("missing field `notifier`"), "{why}");
    }
}
