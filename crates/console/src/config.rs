//! The `[console]` of the configuration.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use jiff::SignedDuration;
use serde::Deserialize;
use tocsin_protocol::PublisherId;

/// How the console serves. Every field has a default but the accounts, without which nobody could sign in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens. Beyond loopback it belongs behind a proxy that does TLS.
    #[serde(default = "loopback")]
    pub listen: SocketAddr,
    /// The address under which people reach it, such as `https://tocsin.operator.example`: cookies are `Secure` when it
    /// is `https`, and a posted form must come from it. Left out: `http://` and where it listens.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Who may sign in: a file made by `tocsin account`.
    pub accounts: PathBuf,
    /// The file of the key with which cookies are signed; it is made where it is not there. With one, sessions outlive a
    /// restart, and another console that shares it takes them for `session_idle` after signing in. What was signed out of
    /// is remembered by that console alone until it restarts: for the rest change the password. Left out: a new key at each
    /// start.
    #[serde(default)]
    pub cookie_key: Option<PathBuf>,
    /// How long a session lasts at most: a shift, for a display on the wall.
    #[serde(default = "shift")]
    pub session_max: SignedDuration,
    /// How long a session lasts while no page of it is open.
    #[serde(default = "pause")]
    pub session_idle: SignedDuration,
    /// The proxies that are believed about whose request they pass on (`X-Forwarded-For`), beside any on this machine.
    #[serde(default)]
    pub proxies: Vec<IpAddr>,
    /// The seed file (mode 600) of the directory's `console_key`, with which it signs what is acknowledged on its pages.
    /// Left out: nothing is.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The telephone on which an acknowledgement is taken down by a person, at any hour.
    #[serde(default)]
    pub phone: Option<String>,
    /// How long a mail to a silent recipient may be owed until a relay has taken it: then every page of an operator or
    /// regulator says that escalation fails.
    #[serde(default = "mail")]
    pub mail_within: SignedDuration,
    /// The seed files (mode 600) of the publishers whose duty managers publish here. Left out: nobody does.
    #[serde(default)]
    pub publishers: BTreeMap<PublisherId, PathBuf>,
    /// Where events are kept on disk before they are sent, a directory for each publisher.
    #[serde(default = "spool")]
    pub spool: PathBuf,
}

impl Config {
    /// The configuration that names its accounts and nothing else.
    pub fn of(accounts: PathBuf) -> Self {
        Self {
            listen: loopback(),
            public_url: None,
            accounts,
            cookie_key: None,
            session_max: shift(),
            session_idle: pause(),
            proxies: Vec::new(),
            key: None,
            phone: None,
            mail_within: mail(),
            publishers: BTreeMap::new(),
            spool: spool(),
        }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8911))
}

fn spool() -> PathBuf {
    PathBuf::from("spool")
}

fn mail() -> SignedDuration {
    SignedDuration::from_mins(5)
}

fn shift() -> SignedDuration {
    SignedDuration::from_hours(12)
}

fn pause() -> SignedDuration {
    SignedDuration::from_hours(1)
}
