//! How to reach the broker, and as whom.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use async_nats::ConnectOptions;
use tocsin_protocol::SigningKey;

use crate::{Error, secret};

/// Where nats-server listens by default.
const DEFAULT_URL: &str = "nats://127.0.0.1:4222";
/// A connection that stays silent for three of these is dead.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The most time for one try to connect.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages that may wait in one subscription before the library drops them. What we ask for ourselves is bounded
/// well below it.
const SUBSCRIPTION_CAPACITY: usize = 1 << 17;

/// How long to try, to connect and to get an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For ever: a service that must outlive its broker. Every write is tried until its outcome is known.
    UntilConnected,
    /// Until this much time has passed: a command that someone waits for.
    Fail(Duration),
}

/// A secret seed. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub(crate) String);

impl From<String> for Seed {
    fn from(seed: String) -> Self {
        Self(seed)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(not shown)")
    }
}

/// How to reach the broker, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// One or more server URLs, separated by commas, such as `nats://127.0.0.1:4222` or `tls://bus.example:4222`.
    pub url: String,
    /// The name shown to the administrator in the server's list of connections.
    pub name: String,
    /// A file with the NKey seed to log in with.
    pub nkey_seed_file: Option<PathBuf>,
    /// The NKey seed itself, where there is no file.
    pub nkey_seed: Option<Seed>,
    /// A NATS credentials file (JWT and seed).
    pub creds: Option<PathBuf>,
    /// A file of PEM root certificates to trust beside those of the system.
    pub ca: Option<PathBuf>,
    /// This client's PEM certificate chain; goes with `key`.
    pub cert: Option<PathBuf>,
    /// This client's PEM private key; goes with `cert`.
    pub key: Option<PathBuf>,
    /// The prefix of reply subjects that this user may subscribe to, where it is not `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// The prefix under which this user's account has JetStream's API, where it is not `$JS.API`.
    pub api_prefix: Option<String>,
    /// How long to try.
    pub wait: Wait,
}

impl Connection {
    /// A connection to this URL, without credentials, that fails after ten seconds.
    pub fn to(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            name: "tocsin".to_owned(),
            nkey_seed_file: None,
            nkey_seed: None,
            creds: None,
            ca: None,
            cert: None,
            key: None,
            inbox_prefix: None,
            api_prefix: None,
            wait: Wait::Fail(Duration::from_secs(10)),
        }
    }

    /// The connection that the environment names: `NATS_URL` (else `nats://127.0.0.1:4222`), `NATS_NKEY` (a seed
    /// file), `NATS_CREDS`, `NATS_CA`, `NATS_CERT`, `NATS_KEY`, `NATS_INBOX_PREFIX`, `NATS_JS_API_PREFIX`. None of them
    /// may hold a secret: an environment is shown to who lists processes, and handed on to those that are started.
    ///
    /// # Errors
    /// [`Error::Setting`] when two of them exclude each other, one is not text, or the URL holds a login.
    pub fn from_env() -> Result<Self, Error> {
        from_variables(|name| match env::var(name) {
            Ok(value) if value.is_empty() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => {
                Err(Error::Setting { setting: name, why: "it is not text".to_owned() })
            }
        })
    }

    /// The URL without user or password, to be shown.
    pub(crate) fn shown_url(&self) -> String {
        let shown = |url: &str| match url.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)),
            None => url.rsplit('@').next().unwrap_or(url).to_owned(),
        };
        self.url.split(',').map(|url| shown(url.trim())).collect::<Vec<_>>().join(",")
    }

    /// The connection as the client library takes it.
    pub(crate) fn options(&self) -> Result<ConnectOptions, Error> {
        let mut options = ConnectOptions::new()
            .name(&self.name)
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CONNECTION_TIMEOUT)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .reconnect_delay_callback(reconnect_delay);
        let prefixes = [("inbox_prefix", &self.inbox_prefix), ("api_prefix", &self.api_prefix)];
        for (setting, prefix) in prefixes {
            if let Some(prefix) = prefix
                && (prefix.is_empty() || prefix.contains([' ', '*', '>']) || prefix.ends_with('.'))
            {
                let why = format!("{prefix:?} is no subject prefix: write it as _INBOX_pol-west-mercia");
                return Err(Error::Setting { setting, why });
            }
        }
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        if let Some(seed) = self.seed()? {
            options = options.nkey(seed);
        }
        if let Some(creds) = &self.creds {
            let text = secret::read(creds)?;
            // What is wrong with it is not repeated: it may quote the secret.
            options = options.credentials(&text).map_err(|_| Error::Setting {
                setting: "creds",
                why: format!("{} is no NATS credentials file", creds.display()),
            })?;
        }
        if let Some(ca) = &self.ca {
            let ca = secret::find(ca);
            read("ca", &ca)?;
            options = options.add_root_certificates(ca).require_tls(true);
        }
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let (cert, key) = (secret::find(cert), secret::find(key));
                read("cert", &cert)?;
                secret::read(&key)?;
                options = options.add_client_certificate(cert, key).require_tls(true);
            }
            (None, None) => {}
            _ => {
                let why = "a client certificate needs both cert and key: give both or neither".to_owned();
                return Err(Error::Setting { setting: "cert", why });
            }
        }
        Ok(match self.wait {
            Wait::UntilConnected => options.retry_on_initial_connect(),
            Wait::Fail(_) => options,
        })
    }

    fn seed(&self) -> Result<Option<String>, Error> {
        let seed = match (&self.nkey_seed_file, &self.nkey_seed) {
            (Some(_), Some(_)) => {
                let why = "both a seed file and a seed are given: give one of them".to_owned();
                return Err(Error::Setting { setting: "nkey_seed", why });
            }
            (Some(file), None) => secret::read(file)?,
            (None, Some(Seed(seed))) => seed.clone(),
            (None, None) => return Ok(None),
        };
        let seed = seed.trim();
        match SigningKey::from_seed(seed) {
            Ok(_) => Ok(Some(seed.to_owned())),
            Err(_) => Err(Error::Setting {
                setting: "nkey_seed",
                why: "it is no NKey seed (58 characters from SU)".to_owned(),
            }),
        }
    }
}

fn read(setting: &'static str, file: &Path) -> Result<String, Error> {
    fs::read_to_string(file)
        .map_err(|error| Error::Setting { setting, why: format!("cannot read {}: {error}", file.display()) })
}

fn from_variables(
    mut variable: impl FnMut(&'static str) -> Result<Option<String>, Error>,
) -> Result<Connection, Error> {
    let mut connection = Connection::to(variable("NATS_URL")?.as_deref().unwrap_or(DEFAULT_URL));
    if connection.url.contains('@') {
        let why =
            "it holds a login: name a seed file in NATS_NKEY or a credentials file in NATS_CREDS".to_owned();
        return Err(Error::Setting { setting: "NATS_URL", why });
    }
    connection.nkey_seed_file = variable("NATS_NKEY")?.map(PathBuf::from);
    connection.creds = variable("NATS_CREDS")?.map(PathBuf::from);
    connection.ca = variable("NATS_CA")?.map(PathBuf::from);
    connection.cert = variable("NATS_CERT")?.map(PathBuf::from);
    connection.key = variable("NATS_KEY")?.map(PathBuf::from);
    connection.inbox_prefix = variable("NATS_INBOX_PREFIX")?;
    connection.api_prefix = variable("NATS_JS_API_PREFIX")?;
    if connection.creds.is_some() && connection.nkey_seed_file.is_some() {
        let why = "NATS_NKEY is set as well: set one of them".to_owned();
        return Err(Error::Setting { setting: "NATS_CREDS", why });
    }
    Ok(connection)
}

/// Quick at first, as most breaks are short; never slower than one second, as people wait.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(6);
    (Duration::from_millis(20) * 2_u32.pow(doublings)).min(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Connection, Error> {
        from_variables(|name| {
            Ok(pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn the_environment_names_the_connection() {
        let connection =
            from(&[("NATS_URL", "tls://bus.example"), ("NATS_NKEY", "/etc/tocsin/seed")]).unwrap();
        assert_eq!(connection.url, "tls://bus.example");
        assert_eq!(connection.nkey_seed_file, Some("/etc/tocsin/seed".into()));
        assert_eq!(from(&[]).unwrap().url, DEFAULT_URL);
        assert!(from(&[("NATS_NKEY", "a.nk"), ("NATS_CREDS", "a")]).is_err());
    }

    #[test]
    fn a_seed_comes_from_a_file_alone_and_is_never_shown() {
        let seed = SigningKey::generate().seed().unwrap();
        let connection = from(&[("NATS_NKEY", &seed)]).unwrap();
        let Err(error) = connection.options() else { panic!("a seed in the environment was taken") };
        assert!(!error.to_string().contains(&seed[10..20]), "{error}");
        let mut connection = Connection::to(DEFAULT_URL);
        connection.nkey_seed = Some(seed[..50].to_owned().into());
        assert!(!format!("{connection:?}").contains(&seed[10..20]));
        let Err(error) = connection.options() else { panic!("a seed that is none was taken") };
        assert!(!error.to_string().contains(&seed[10..20]), "{error}");
    }

    #[test]
    fn a_login_in_the_url_is_refused_and_not_repeated() {
        let why = from(&[("NATS_URL", "tls://user:hidden@bus.example")]).unwrap_err().to_string();
        assert!(why.contains("NATS_NKEY") && !why.contains("hidden"), "{why}");
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let shown = Connection::to("nats://user:secret@a.example:4222, nats://b.example").shown_url();
        assert_eq!(shown, "nats://a.example:4222,nats://b.example");
    }

    #[test]
    fn half_a_client_certificate_is_refused() {
        let mut connection = Connection::to(DEFAULT_URL);
        connection.cert = Some("client.pem".into());
        assert!(matches!(connection.options(), Err(Error::Setting { setting: "cert", .. })));
    }

    #[test]
    fn a_reconnect_is_quick_at_first_and_never_slower_than_a_second() {
        assert_eq!(reconnect_delay(1), Duration::from_millis(20));
        assert_eq!(reconnect_delay(usize::MAX), Duration::from_secs(1));
    }
}
