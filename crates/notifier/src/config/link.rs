//! The link by which whoever reads a mail acknowledges without an account.

use std::{path::PathBuf, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tocsin_duty::Directory;
use tocsin_ledger::secret;
use tocsin_protocol::{Escalation, Link, ReceiptMethod, SigningKey, Window};
use url::{Host, Url};

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
        let no_address = || bad("write the console's address, such as \"https://tocsin.operator.example\"");
        let url = Url::parse(&self.url).map_err(|_| no_address())?;
        let has_more = url.query().is_some() || url.fragment().is_some();
        let has_login = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "https" | "http") || has_more || has_login || url.as_str().len() > URL_MAX
        {
            return Err(no_address());
        }
        let here = match url.host() {
            Some(Host::Domain(name)) => is_loopback(name),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if url.scheme() == "http" && !here {
            return Err(bad(
                "only a console on this machine may be reached without TLS, as whoever reads a link on its way can use it: write \"https://...\"",
            ));
        }
        let unusable = |path: PathBuf, why: String| Error::File { field: "link.key".to_owned(), path, why };
        let seed = secret::read(&self.key).map_err(|why| match why {
            // By its word for the file: what was given may be a seed.
            tocsin_ledger::Error::Secret { file, why } => unusable(file.into(), why),
            other => Error::Ledger(other),
        })?;
        let key = SigningKey::from_seed(&seed).map_err(|why| unusable(self.key.clone(), why.to_string()))?;
        Ok(Links {
            url: url.as_str().trim_end_matches('/').to_owned(),
            key: Arc::new(key),
            valid: self.valid.0,
        })
    }
}

impl Links {
    /// The link of a mail. The same mail has the same one each time: its end is counted from the broker's time of the
    /// escalation. None where a link would lead to nothing: the directory in force then must let this key sign links,
    /// and let the console acknowledge by a link for the recipient.
    pub(crate) fn of(
        &self,
        escalation: &Escalation,
        escalated_at: Timestamp,
        directory: Option<&Directory>,
    ) -> Option<MailLink> {
        let directory = directory?;
        let doors = directory.console_doors(&escalation.recipient);
        if !self.is_listed(directory) || !doors.opens(ReceiptMethod::Link) {
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
    pub(crate) fn is_listed(&self, directory: &Directory) -> bool {
        directory.link_key().is_some_and(|listed| listed.as_str() == self.key.public())
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

    #[test]
    fn a_seed_in_place_of_its_file_is_refused_and_not_repeated() {
        let seed = SigningKey::generate().seed().unwrap();
        let config = LinkConfig {
            url: "https://tocsin.operator.example".to_owned(),
            key: PathBuf::from(&seed),
            valid: a_day(),
        };
        let why = config.check().map(drop).unwrap_err().to_string();
        assert!(why.contains("link.key") && !why.contains(&seed[5..20]), "{why}");
    }
}
