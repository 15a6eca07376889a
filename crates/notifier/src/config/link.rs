//! The link by which whoever reads a mail acknowledges without an account.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tocsin_ledger::secret;
use tocsin_protocol::{DirectoryDocument, Escalation, Link, SigningKey, Window};

use super::{is_loopback, setting};
use crate::error::Error;

/// Under which path of a console links are.
const PATH: &str = "/a/";
/// The longest address of a console.
const URL_MAX: usize = 200;

/// The console that the links of mails lead to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// The address under which people reach the console: `https://tocsin.operator.example`.
    pub url: String,
    /// The seed file of the directory's `link_key`.
    pub key: PathBuf,
    /// How long a link may be used, from the moment at which its mail was owed.
    #[serde(default = "a_day")]
    pub valid: Window,
}

fn a_day() -> Window {
    Window(SignedDuration::from_hours(24))
}

/// What makes links, checked.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    /// Ends before the path.
    url: String,
    key: Arc<SigningKey>,
    valid: SignedDuration,
}

/// The link of one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailLink {
    /// The whole address.
    pub(crate) url: String,
    /// Until when it may be used.
    pub(crate) expires_at: Timestamp,
}

impl LinkConfig {
    /// Checks the address and reads the key.
    pub(super) fn check(&self) -> Result<Links, Error> {
        let bad = |why| setting("link.url", &self.url, why);
        let url = self.url.trim_end_matches('/');
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_graphic() && !"?#@<>\"'\\".contains(c);
        if host.is_empty() || url.len() > URL_MAX || !url.chars().all(plain) {
            return Err(bad("write the console's address, such as \"https://tocsin.operator.example\""));
        }
        if url.starts_with("http://") && !is_loopback(bare_host(url)) {
            return Err(bad(
                "only a console on this machine may be reached without TLS, as whoever reads a link on its way can use it: write \"https://...\"",
            ));
        }
        let unusable =
            |why: String| Error::File { field: "link.key".to_owned(), path: self.key.clone(), why };
        let seed = secret::read(&self.key).map_err(|why| unusable(why.to_string()))?;
        let key = SigningKey::from_seed(&seed).map_err(|why| unusable(why.to_string()))?;
        Ok(Links { url: url.to_owned(), key: Arc::new(key), valid: self.valid.0 })
    }
}

/// The host of an `http` address, without port and brackets.
fn bare_host(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if let Some((ip, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return ip;
    }
    match host.split_once(':') {
        Some((name, _)) if host.parse::<IpAddr>().is_err() => name,
        _ => host,
    }
}

impl Links {
    /// The link of a mail. The same mail has the same one each time: its end is counted from the broker's time of the
    /// escalation. None where a link would lead to nothing: the directory in force then must let this key sign links,
    /// and let the console acknowledge for the recipient.
    pub(crate) fn of(
        &self,
        escalation: &Escalation,
        escalated_at: Timestamp,
        directory: Option<&DirectoryDocument>,
    ) -> Option<MailLink> {
        let directory = directory?;
        let known = directory.recipients.iter().find(|known| known.id == escalation.recipient)?;
        if !known.console || directory.console_key.is_none() || !self.is_listed(directory) {
            return None;
        }
        let link = Link {
            recipient: escalation.recipient.clone(),
            incident: escalation.incident.clone(),
            event: escalation.event,
            step: escalation.step,
            expires_at: escalated_at.checked_add(self.valid).ok()?,
        };
        let token = link.token(&self.key).ok()?;
        Some(MailLink { url: format!("{}{PATH}{token}", self.url), expires_at: link.expires_at })
    }

    /// Whether the directory has this key as the one that signs links.
    pub(crate) fn is_listed(&self, directory: &DirectoryDocument) -> bool {
        directory.link_key.as_deref() == Some(self.key.public().as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::{fs::OpenOptions, io::Write as _};

    use super::*;

    fn with(url: &str) -> Result<Links, String> {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("link_key.nk");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key).unwrap();
        writeln!(file, "{}", SigningKey::generate().seed().unwrap()).unwrap();
        LinkConfig { url: url.to_owned(), key, valid: a_day() }.check().map_err(|why| why.to_string())
    }

    #[test]
    fn a_link_leads_to_a_console_and_is_not_read_on_its_way() {
        for url in [
            "https://tocsin.operator.example",
            "https://tocsin.operator.example/",
            "https://tocsin.operator.example:8443/console",
            "http://127.0.0.1:8911",
            "http://localhost:8911",
            "http://[::1]:8911",
        ] {
            assert_eq!(with(url).unwrap().url, url.trim_end_matches('/'), "{url}");
        }
        for url in [
            "",
            "tocsin.operator.example",
            "https://",
            "ftp://tocsin.operator.example",
            "http://tocsin.operator.example",
            "http://127.0.0.1.operator.example",
            "http://localhost@operator.example",
            "https://a b",
            "https://operator.example/?x=",
            "https://operator.example/#x",
            "javascript:alert(1)",
            &format!("https://{}.example", "x".repeat(300)),
        ] {
            let why = with(url).map(|links| links.url).unwrap_err();
            assert!(why.contains("link.url"), "{url}: {why}");
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_told_at_the_start() {
        let config = LinkConfig {
            url: "https://tocsin.operator.example".to_owned(),
            key: PathBuf::from("nowhere/link_key.nk"),
            valid: a_day(),
        };
        let why = config.check().map(drop).unwrap_err().to_string();
        assert!(why.contains("link.key nowhere/link_key.nk"), "{why}");
    }
}
