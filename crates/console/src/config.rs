//! The `[console]` of the configuration.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use jiff::SignedDuration;
use serde::Deserialize;
use tocsin_duty::{EventRule, Pin};
use tocsin_protocol::{AreaId, PublisherId, Service, Status};

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
    /// What becomes of what monitors report.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Where events are kept on disk before they are sent, a directory for each publisher.
    #[serde(default = "spool")]
    pub spool: PathBuf,
    /// A directory of Fluent files, a language each (`gd.ftl`), of the fixed words of what the public reads. English and
    /// Welsh are built in; a file of theirs takes the place of the words that it has.
    #[serde(default)]
    pub words: Option<PathBuf>,
    /// The `directory_key` under which the directory in force must stand: the `[trust]` of the file, which stands beside its
    /// `[console]`. Left out: any directory in force will do.
    #[serde(skip)]
    pub trusts: Option<Pin>,
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
            monitoring: Monitoring::default(),
            spool: spool(),
            words: None,
            trusts: None,
        }
    }
}

/// What becomes of what monitors report, and how an Alertmanager's labels name services and areas. A label's value that is listed stands for what it lists; one that
/// is not, for the service or area of that very name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Monitoring {
    /// The label that names a service.
    pub service_label: String,
    /// The label that names an area.
    pub area_label: String,
    /// The services that a value of that label stands for.
    pub services: BTreeMap<String, Vec<Service>>,
    /// The areas that a value of that label stands for.
    pub areas: BTreeMap<String, Vec<AreaId>>,
    /// The services of a group of which no label names one.
    pub default_services: Vec<Service>,
    /// The areas of a group of which no label names one.
    pub default_areas: Vec<AreaId>,
    /// Whether what is reported is real: `exercise` while it is tried out.
    pub status: Status,
    /// When what a monitor reports becomes an event without a person. Left out: never.
    pub rules: Vec<EventRule>,
    /// How many events each publisher's rules may open in any hour, all together.
    pub opens_an_hour: usize,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            service_label: "service".to_owned(),
            area_label: "area".to_owned(),
            services: BTreeMap::new(),
            areas: BTreeMap::new(),
            default_services: Vec::new(),
            default_areas: Vec::new(),
            status: Status::Actual,
            rules: Vec::new(),
            opens_an_hour: 2,
        }
    }
}

impl Monitoring {
    /// Adds the services that the labels name, and what of them names none.
    pub(crate) fn services(
        &self,
        labels: &BTreeMap<String, String>,
        services: &mut Vec<Service>,
        unmapped: &mut Vec<String>,
    ) {
        mapped(&self.service_label, &self.services, labels, services, unmapped);
    }

    /// The same of areas.
    pub(crate) fn areas(
        &self,
        labels: &BTreeMap<String, String>,
        areas: &mut Vec<AreaId>,
        unmapped: &mut Vec<String>,
    ) {
        mapped(&self.area_label, &self.areas, labels, areas, unmapped);
    }
}

fn mapped<T: Clone + PartialEq + std::str::FromStr>(
    label: &str,
    known: &BTreeMap<String, Vec<T>>,
    labels: &BTreeMap<String, String>,
    found: &mut Vec<T>,
    unmapped: &mut Vec<String>,
) {
    let Some(value) = labels.get(label) else { return };
    let named = match known.get(value) {
        Some(listed) => listed.clone(),
        None => value.parse().into_iter().collect(),
    };
    if named.is_empty() {
        unmapped.push(format!("{label}={value}"));
    }
    for one in named {
        if !found.contains(&one) {
            found.push(one);
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
