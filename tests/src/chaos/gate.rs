//! How a run's bus is entered: by anybody, or as it is provisioned, over TLS between all, each body in an account of its
//! own and each service with the rights of its role.

use std::{
    fs,
    path::{Path, PathBuf},
};

use async_nats::ConnectOptions;
use serde_json::Value;
use tocsin_ledger::{Connection, Wait};
use tocsin_protocol::{DirectoryDocument, SigningKey, Timestamp};
use tocsin_provision::{Bus, Cluster, Member, Plan, Service, Tls, provision};

use super::{chance::Chance, cluster::SERVERS};

/// Who lets whom in.
#[derive(Debug)]
pub(super) enum Gate {
    /// Everybody may do everything.
    Open,
    /// A bus that is provisioned.
    Guarded {
        /// Its files, and where they are.
        bus: Bus,
        at: PathBuf,
        /// The key of the suite itself, which alone may do everything there.
        suite: Box<SigningKey>,
        /// Where the bodies' seeds are.
        seeds: PathBuf,
    },
}

impl Gate {
    /// That of a run: every other one is guarded. The bodies' seeds are in this directory, and the bus comes to be there.
    pub(super) fn of(seed: u64, directory: &Path) -> Self {
        if Chance::of(seed, "gate").below(2) == 0 {
            return Self::Open;
        }
        let at = fs::canonicalize(directory).unwrap().join("bus");
        Self::Guarded {
            bus: Bus::at(&at),
            at,
            suite: Box::new(SigningKey::generate()),
            seeds: directory.to_owned(),
        }
    }

    /// What a run on it is called in what is told.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Open => "an open",
            Self::Guarded { .. } => "a guarded",
        }
    }

    /// The URLs of servers at these ports.
    pub(super) fn urls(&self, ports: impl IntoIterator<Item = u16>) -> String {
        let scheme = if matches!(self, Self::Open) { "nats" } else { "tls" };
        let urls: Vec<String> =
            ports.into_iter().map(|port| format!("{scheme}://127.0.0.1:{port}")).collect();
        urls.join(",")
    }

    /// Provisions the bus for servers at these ports.
    pub(super) fn provision(
        &self,
        document: &DirectoryDocument,
        clients: [u16; SERVERS],
        routes: [u16; SERVERS],
    ) {
        let Self::Guarded { bus, suite, seeds, .. } = self else { return };
        let members: Vec<Member> = clients
            .iter()
            .zip(routes)
            .map(|(clients, routes)| format!("127.0.0.1:{clients}:{routes}").parse().unwrap())
            .collect();
        let plan = Plan {
            document,
            listen: "127.0.0.1:4222",
            names: &[],
            tls: Tls::Development,
            seeds: Some(seeds),
            now: Timestamp::now(),
            renew: false,
            cluster: Cluster { members: &members, ..Cluster::default() },
        };
        provision(bus, &plan).unwrap();
        let suite =
            format!("{{ nkey: {}, permissions: {{ publish: \">\", subscribe: \">\" }} }}", suite.public());
        for home in bus.homes() {
            let file = home.join("accounts.conf");
            let accounts = fs::read_to_string(&file).unwrap();
            fs::write(&file, with(&accounts, "    users: [\n", &format!("    users: [\n      {suite}\n")))
                .unwrap();
        }
    }

    /// The file of a server's configuration as it was provisioned, but for what keeps every byte between servers on a link,
    /// as in an open run; none where the bus is not provisioned.
    pub(super) fn configuration(
        &self,
        number: usize,
        (name, store, log): (&str, &Path, &Path),
        [clients, routes, monitor]: [u16; 3],
        peers: &[String],
    ) -> Option<PathBuf> {
        let Self::Guarded { bus, .. } = self else { return None };
        let quoted = |path: &Path| Value::from(path.to_string_lossy()).to_string();
        let home = bus.homes()[number].clone();
        let file = home.join("nats-server.conf");
        let mut text = fs::read_to_string(&file).unwrap();
        let own = format!("server_name: tocsin-{}\n", number + 1);
        for (was, is) in [
            (own, format!("server_name: {name}\nhttp: \"127.0.0.1:{monitor}\"\n")),
            (quoted(&home.join("nats-server.log")), quoted(log)),
            (quoted(&home.join("store")), quoted(store)),
            ("max_file_store: 100GB".to_owned(), "max_file_store: 8GB".to_owned()),
            (format!("client_advertise: \"127.0.0.1:{clients}\"\n"), String::new()),
            (
                format!("  advertise: \"127.0.0.1:{routes}\"\n"),
                "  no_advertise: true\n  advertise: \"127.0.0.1:1\"\n".to_owned(),
            ),
        ] {
            text = with(&text, &was, &is);
        }
        let (before, after) = text.split_once("  routes: [\n").expect("a server is told of its peers");
        let (_, after) = after.split_once("  ]\n").expect("and of no more");
        let text = format!("{before}  routes: [{}]\n{after}", peers.join(", "));
        let file = file.with_file_name("of-this-run.conf");
        fs::write(&file, text).unwrap();
        Some(file)
    }

    /// What a program is told of how it reaches the bus, but for the URLs.
    pub(super) fn environment(&self, who: &str) -> Vec<(String, String)> {
        let Self::Guarded { bus, .. } = self else {
            // An empty one counts as none.
            return vec![("NATS_NKEY".to_owned(), String::new())];
        };
        let settings = fs::read_to_string(bus.settings(who)).unwrap();
        let named =
            settings.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
        let named = named.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
        named.filter(|(name, _)| name != "NATS_URL").collect()
    }

    /// How a service of ours reaches it.
    pub(super) fn service(&self, service: Service, urls: &str, wait: Wait) -> Connection {
        let connection = match self {
            Self::Open => Connection::to(urls),
            Self::Guarded { bus, .. } => bus.service(service, urls).unwrap(),
        };
        Connection { wait, ..connection }
    }

    /// Where the bus's files are, if it has any.
    pub(super) fn files(&self) -> Option<&Path> {
        match self {
            Self::Open => None,
            Self::Guarded { at, .. } => Some(at),
        }
    }

    /// How the suite itself reaches it, with nothing of ours.
    pub(super) fn suite(&self) -> ConnectOptions {
        let options = ConnectOptions::new().retry_on_initial_connect().max_reconnects(None);
        let Self::Guarded { bus, suite, .. } = self else { return options };
        let (certificate, key) = bus.client(Service::Administrator.name());
        options
            .nkey(suite.seed().unwrap())
            .add_root_certificates(bus.ca())
            .add_client_certificate(certificate, key)
    }
}

/// A text with one part, which it has once, put otherwise.
fn with(text: &str, was: &str, is: &str) -> String {
    assert!(text.contains(was), "what is provisioned has no {was:?}");
    text.replacen(was, is, 1)
}
