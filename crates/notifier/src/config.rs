//! The notifier's configuration as it stands in a file, and what is left of it once it has been checked.

mod domains;
mod fate;
#[cfg(test)]
mod fuzz;
mod link;

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::SignedDuration;
use lettre::{Address, message::Mailbox};
use serde::Deserialize;
use tocsin_protocol::Window;

use self::domains::mails_a_minute;
pub(crate) use self::link::{Links, MailLink};
pub use self::{domains::DomainLimit, link::LinkConfig};
use crate::error::Error;

/// Who the mails are from, by which relays they go, and how patiently they are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The sender: `Tocsin <tocsin@operator.example>`. Bounces go there too.
    pub from: String,
    /// Where answers go, when not to the sender.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// What stands after the `@` of each `Message-ID`. Once in use it must not change: a mail that is sent again
    /// under another identifier is another mail to the receiver.
    pub message_id_domain: String,
    /// The relays, the preferred one first. Two on different providers: mail must not fail with what it reports.
    pub relays: Vec<RelayConfig>,
    /// How gently the domains are treated to which mails go, by their names; `*` holds for each that is not named. What
    /// is not written here is not limited.
    #[serde(default)]
    pub domains: BTreeMap<String, DomainLimit>,
    /// One more line on how to acknowledge, such as the address of a console.
    #[serde(default)]
    pub instructions: Option<String>,
    /// The telephone on which an acknowledgement is taken down by a person, at any hour.
    #[serde(default)]
    pub phone: Option<String>,
    /// The console to which a link in each mail leads. Left out, there is no link.
    #[serde(default)]
    pub link: Option<LinkConfig>,
    /// How patiently mails are tried again.
    #[serde(default)]
    pub retry: Retry,
    /// For how long after a mail others to the same address, of other incidents, are gathered: they go together in one mail
    /// that names all. The same for all notifiers.
    #[serde(default = "a_minute")]
    pub digest: Window,
    /// After how long without a sign of life from a notifier its mails are given to another. The same for all.
    #[serde(default = "fifteen_seconds")]
    pub takeover: Window,
    /// Where figures of what waits for a limit are written, for a monitoring that takes in text files. Left out, nowhere.
    #[serde(default)]
    pub metrics: Option<PathBuf>,
}

/// A mail relay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// Its name in the record of attempts.
    pub name: String,
    /// Its host name or address. With TLS its certificate must be for this name.
    pub host: String,
    /// Its port: 587 for `starttls`, 465 for `tls` when not given.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the line is secured.
    #[serde(default)]
    pub tls: Tls,
    /// The account, where the relay asks for one.
    #[serde(default)]
    pub username: Option<String>,
    /// The file that holds the account's password, and nothing else. Read anew for each connection, so that a new
    /// password needs no restart.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A PEM file of further root certificates to trust, beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long each stage may take: to connect and log in, to hand over the envelope, to hand over the mail.
    #[serde(default = "thirty_seconds")]
    pub timeout: Window,
    /// The most connections at once.
    #[serde(default = "four")]
    pub connections: usize,
    /// The most mails that it is given in any minute, by each notifier: a quarter of them at once, the others evenly.
    /// When they are used up the next relay is asked. Left out, there is no limit.
    #[serde(default)]
    pub mails_a_minute: Option<u32>,
}

/// How the line to a relay is secured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Plain at first, then STARTTLS; a relay that does not offer it is not used.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: for a relay on this machine only.
    None,
}

/// How patiently a mail that no relay took is tried again. It never ends while the incident is open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The pause after the first failure, the second, ...; the last one holds for all that follow.
    #[serde(default = "pauses")]
    pub pauses: Vec<Window>,
    /// After how many failures on every relay a person is told to pick up the telephone.
    #[serde(default = "three")]
    pub alarm_after: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { pauses: pauses(), alarm_after: three() }
    }
}

impl Retry {
    /// The pause after an item has been handed out `deliveries` times, counted from 1.
    pub(crate) fn pause(&self, deliveries: u64) -> Duration {
        let place = usize::try_from(deliveries.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.pauses.get(place).or(self.pauses.last());
        pause.map_or(Duration::from_secs(2), |pause| pause.0.unsigned_abs())
    }

    /// Whether this failure is one to alarm a person about: the third, the sixth, the twelfth, ... so that the log
    /// is loud and still readable.
    pub(crate) fn alarms(&self, deliveries: u64) -> bool {
        let every = self.alarm_after.max(1);
        deliveries.is_multiple_of(every) && (deliveries / every).is_power_of_two()
    }
}

fn a_minute() -> Window {
    Window(SignedDuration::from_mins(1))
}

fn fifteen_seconds() -> Window {
    Window(SignedDuration::from_secs(15))
}

fn thirty_seconds() -> Window {
    Window(SignedDuration::from_secs(30))
}

fn four() -> usize {
    4
}

fn three() -> u64 {
    3
}

fn pauses() -> Vec<Window> {
    [2, 5, 15, 30, 60, 120].map(|seconds| Window(SignedDuration::from_secs(seconds))).to_vec()
}

/// The most connections to one relay that can be asked for.
const CONNECTIONS_MAX: usize = 64;

/// The shortest time after which a notifier may be taken for dead.
const TAKEOVER_MIN: Duration = Duration::from_secs(1);

/// A configuration that has been checked.
pub(crate) struct Settings {
    pub(crate) letterhead: Letterhead,
    pub(crate) relays: Vec<RelaySettings>,
    pub(crate) domains: BTreeMap<String, DomainLimit>,
    pub(crate) retry: Retry,
    pub(crate) digest: Duration,
    pub(crate) takeover: Duration,
    pub(crate) metrics: Option<PathBuf>,
}

/// What every mail carries, whoever it is to.
#[derive(Debug, Clone)]
pub struct Letterhead {
    pub(crate) from: Mailbox,
    pub(crate) reply_to: Option<Mailbox>,
    pub(crate) message_id_domain: String,
    pub(crate) instructions: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) links: Option<Links>,
}

/// A relay whose settings have been checked.
#[derive(Debug, Clone)]
pub(crate) struct RelaySettings {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    pub(crate) account: Option<Account>,
    pub(crate) roots: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) connections: usize,
    pub(crate) mails_a_minute: Option<u32>,
}

/// A relay's account: a name, and where the password is.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) username: String,
    pub(crate) password_file: PathBuf,
}

/// A password. It is never shown.
pub(crate) struct Password(String);

impl Password {
    /// Reads a password file that others may not read, or a credential of systemd: its content without the line's end.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = tocsin_ledger::secret::read(path).map_err(|why| match why {
            tocsin_ledger::Error::Secret { why, .. } => why,
            other => other.to_string(),
        })?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() || password.contains(['\r', '\n', '\0']) {
            return Err("it must hold the password alone, on one line".to_owned());
        }
        Ok(Self(password.to_owned()))
    }

    /// The password itself, for the relay alone.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}

impl Config {
    /// What every mail carries, checked, with the key that signs its links: for those who only render.
    ///
    /// # Errors
    /// [`Error::Setting`] with the field and what to write, [`Error::File`] when the key cannot be read.
    pub fn letterhead(&self) -> Result<Letterhead, Error> {
        let domain = &self.message_id_domain;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if domain.is_empty() || domain.len() > 253 || !domain.chars().all(plain) || domain.starts_with('.') {
            return Err(setting(
                "message_id_domain",
                domain,
                "write a domain of yours, such as \"tocsin.operator.example\"",
            ));
        }
        Ok(Letterhead {
            from: mailbox("from", &self.from)?,
            reply_to: self.reply_to.as_deref().map(|text| mailbox("reply_to", text)).transpose()?,
            message_id_domain: domain.clone(),
            instructions: self.instructions.clone(),
            phone: self.phone.clone(),
            links: self.link.as_ref().map(LinkConfig::check).transpose()?,
        })
    }

    /// Checks all that can be checked without a relay. Files are read here, so that a wrong path is told at the start
    /// and not in the first emergency.
    pub(crate) fn check(&self) -> Result<Settings, Error> {
        if self.relays.is_empty() {
            return Err(setting("relays", "", "name at least one relay, better two on different providers"));
        }
        if self.retry.pauses.is_empty() {
            return Err(setting(
                "retry.pauses",
                "",
                "name at least one pause, such as [\"2s\", \"30s\", \"2m\"]",
            ));
        }
        let takeover = self.takeover.0.unsigned_abs();
        if takeover < TAKEOVER_MIN {
            return Err(setting(
                "takeover",
                &format!("{:#}", self.takeover.0),
                "write 1s at least, and better 15s: a notifier that merely pauses for breath must not be taken for dead",
            ));
        }
        let mut relays: Vec<RelaySettings> = Vec::with_capacity(self.relays.len());
        for relay in &self.relays {
            let checked = relay.check()?;
            if relays.iter().any(|other| other.name == checked.name) {
                return Err(setting(
                    "relays.name",
                    &relay.name,
                    "another relay has this name: give each its own",
                ));
            }
            relays.push(checked);
        }
        let (letterhead, retry, domains) =
            (self.letterhead()?, self.retry.clone(), domains::check(&self.domains)?);
        let (digest, metrics) = (self.digest.0.unsigned_abs(), self.metrics.clone());
        Ok(Settings { letterhead, relays, domains, retry, digest, takeover, metrics })
    }
}

impl RelayConfig {
    fn check(&self) -> Result<RelaySettings, Error> {
        let field = |name: &str| format!("relays.{}.{name}", self.name);
        if self.name.is_empty() || self.name.len() > 64 || self.name.chars().any(char::is_control) {
            return Err(setting(
                "relays.name",
                &self.name,
                "write a short name: it stands in the record of attempts",
            ));
        }
        if self.host.is_empty() || self.host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(setting(
                &field("host"),
                &self.host,
                "write a host name or an address, without a port",
            ));
        }
        if self.tls == Tls::None && !is_loopback(&self.host) {
            return Err(setting(
                &field("tls"),
                "none",
                "only a relay on this machine (127.0.0.1, ::1, localhost) may be used without TLS: write \"starttls\" or \"tls\"",
            ));
        }
        let port = match (self.port, self.tls) {
            (Some(0), _) | (None, Tls::None) => {
                return Err(setting(&field("port"), "", "write the relay's port"));
            }
            (Some(port), _) => port,
            (None, Tls::Starttls) => 587,
            (None, Tls::Tls) => 465,
        };
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            let why = format!("write 1 to {CONNECTIONS_MAX}");
            return Err(setting(&field("connections"), &self.connections.to_string(), &why));
        }
        mails_a_minute(&field("mails_a_minute"), self.mails_a_minute)?;
        let account = match (&self.username, &self.password_file) {
            (None, None) => None,
            (Some(username), Some(path)) => {
                Password::read(path).map_err(|why| Error::File {
                    field: field("password_file"),
                    path: path.clone(),
                    why,
                })?;
                Some(Account { username: username.clone(), password_file: path.clone() })
            }
            _ => {
                let given = self.username.as_deref().unwrap_or("");
                return Err(setting(
                    &field("username"),
                    given,
                    "write username and password_file, both or neither",
                ));
            }
        };
        let roots = match &self.ca_file {
            None => Vec::new(),
            Some(path) => {
                let unusable = |why: String| Error::File { field: field("ca_file"), path: path.clone(), why };
                let pem = std::fs::read(path).map_err(|why| unusable(why.to_string()))?;
                lettre::transport::smtp::client::Certificate::from_pem(&pem)
                    .map_err(|_| unusable("it holds no certificate in PEM".to_owned()))?;
                pem
            }
        };
        Ok(RelaySettings {
            name: self.name.clone(),
            host: self.host.clone(),
            port,
            tls: self.tls,
            account,
            roots,
            timeout: self.timeout.0.unsigned_abs(),
            connections: self.connections,
            mails_a_minute: self.mails_a_minute,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn mailbox(field: &str, text: &str) -> Result<Mailbox, Error> {
    let bad = || setting(field, text, "write \"Name <name@domain.example>\" or \"name@domain.example\"");
    if text.chars().any(char::is_control) {
        return Err(bad());
    }
    text.parse()
        .or_else(|_| text.parse::<Address>().map(|address| Mailbox::new(None, address)))
        .map_err(|_| bad())
}

fn setting(field: &str, value: &str, why: &str) -> Error {
    Error::Setting { field: field.to_owned(), value: value.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
        from = "Tocsin <tocsin@operator.example>"
        message_id_domain = "tocsin.operator.example"
    "#;

    fn read(relay: &str) -> Result<Settings, String> {
        let config: Config =
            toml::from_str(&format!("{BASE}\n[[relays]]\n{relay}")).map_err(|why| why.to_string())?;
        config.check().map_err(|why| why.to_string())
    }

    #[test]
    fn a_relay_needs_a_name_and_a_host_and_is_spoken_to_by_starttls() {
        let settings = read("name = 'a'\nhost = 'mail.operator.example'").unwrap();
        let relay = &settings.relays[0];
        assert_eq!((relay.port, relay.tls, relay.connections), (587, Tls::Starttls, 4));
        assert_eq!(relay.timeout, Duration::from_secs(30));
        assert_eq!(read("name = 'a'\nhost = 'b'\ntls = 'tls'").unwrap().relays[0].port, 465);
    }

    #[test]
    fn plain_text_is_for_this_machine_only() {
        for host in ["127.0.0.1", "localhost", "::1", "127.8.8.8"] {
            assert!(read(&format!("name = 'a'\nhost = '{host}'\nport = 25\ntls = 'none'")).is_ok(), "{host}");
        }
        for host in ["mail.operator.example", "192.0.2.1", "localhost.operator.example", "0.0.0.0"] {
            let refused =
                read(&format!("name = 'a'\nhost = '{host}'\nport = 25\ntls = 'none'")).err().unwrap();
            assert!(refused.contains("relays.a.tls") && refused.contains("starttls"), "{host}: {refused}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_password_file_without_an_end_is_refused() {
        let why = Password::read(Path::new("/dev/zero")).unwrap_err();
        assert!(why.contains("more than"), "{why}");
    }

    #[test]
    fn a_password_comes_from_a_file_and_is_shown_nowhere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "correct horse\n").unwrap();
        let text =
            format!("name = 'a'\nhost = 'b'\nusername = 'u'\npassword_file = '{}'", file.path().display());
        let settings = read(&text).unwrap();
        let password = Password::read(file.path()).unwrap();
        assert_eq!(password.reveal(), "correct horse");
        assert!(!format!("{password:?} {:?}", settings.relays).contains("horse"));
        assert!(
            read("name = 'a'\nhost = 'b'\nusername = 'u'\npassword = 'p'")
                .err()
                .unwrap()
                .contains("password")
        );
        assert!(read("name = 'a'\nhost = 'b'\nusername = 'u'").err().unwrap().contains("password_file"));
        for bad in ["", "\n", "two\nlines"] {
            std::fs::write(file.path(), bad).unwrap();
            assert!(read(&text).err().unwrap().contains("password_file"), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_field() {
        for (relay, field) in [
            ("name = ''\nhost = 'b'", "relays.name"),
            ("name = 'a'\nhost = ''", "relays.a.host"),
            ("name = 'a'\nhost = 'b'\nconnections = 0", "relays.a.connections"),
            ("name = 'a'\nhost = 'b'\nport = 0", "relays.a.port"),
            ("name = 'a'\nhost = 'b'\nmails_a_minute = 0", "relays.a.mails_a_minute"),
            ("name = 'a'\nhost = 'b'\n[domains.'x.example']", "domains.x.example"),
            (
                "name = 'a'\nhost = 'b'\n[domains.'x.example']\nconnections = 0",
                "domains.x.example.connections",
            ),
            ("name = 'a'\nhost = 'b'\n[domains.'*']\nmails_a_minute = 0", "domains.*.mails_a_minute"),
            ("name = 'a'\nhost = 'b'\n[domains.'a@b.example']\nconnections = 1", "after the @"),
            (
                "name = 'a'\nhost = 'b'\n[domains.'x.example']\nconnections = 1\n[domains.'X.example']\nconnections = 2",
                "twice",
            ),
            ("name = 'a'\nhost = 'b'\nca_file = 'no/such/file.pem'", "relays.a.ca_file"),
            ("name = 'a'\nhost = 'b'\ntimeout = '0s'", "longer than nothing"),
            ("name = 'a'\nhost = 'b'\ntypo = 1", "typo"),
            ("name = 'a'\nhost = 'b'\n[[relays]]\nname = 'a'\nhost = 'c'", "its own"),
        ] {
            let refused = read(relay).err().unwrap();
            assert!(refused.contains(field), "{relay}: {refused}");
        }
        for (from, domain) in [
            ("no address", "x.example"),
            ("a@b.example\r\nBcc: c@d.example", "x.example"),
            ("a@b.example", "x>y"),
        ] {
            let config = Config {
                from: from.to_owned(),
                reply_to: None,
                message_id_domain: domain.to_owned(),
                relays: Vec::new(),
                domains: BTreeMap::new(),
                instructions: None,
                phone: None,
                link: None,
                retry: Retry::default(),
                digest: a_minute(),
                takeover: fifteen_seconds(),
                metrics: None,
            };
            assert!(config.letterhead().is_err(), "{from:?} {domain}");
        }
    }

    #[test]
    fn pauses_grow_to_the_last_one_and_stay_there() {
        let retry = Retry::default();
        let seconds: Vec<_> = (1..=8).map(|n| retry.pause(n).as_secs()).collect();
        assert_eq!(seconds, [2, 5, 15, 30, 60, 120, 120, 120]);
        let alarms: Vec<_> = (1..=30).filter(|n| retry.alarms(*n)).collect();
        assert_eq!(alarms, [3, 6, 12, 24]);
    }
}
