//! A bus's directory of files: written, and known by its places.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use tocsin_ledger::Connection;
use tocsin_protocol::{AuthorKey, DirectoryDocument, SigningKey, Timestamp};

use crate::{
    cluster::{self, Cluster},
    error::Error,
    files::{self, make_dir, make_seed, read, seed_of, write},
    render::{self, Home},
    rights::{APART_API, inbox_prefix},
    roster::{Body, Service, bodies},
    tls::{Authority, Holder, is_there},
};

/// Whose certificates a bus has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Of a private authority, made here: for development and exercises.
    Development,
    /// Of whoever the administrator trusts, who puts them there.
    Own,
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Who there is.
    pub document: &'a DirectoryDocument,
    /// Where the server listens, of a bus on one: an address and a port.
    pub listen: &'a str,
    /// The names and addresses by which clients reach it; of a bus on one server the first stands in their settings.
    pub names: &'a [String],
    /// Whose certificates it has.
    pub tls: Tls,
    /// Where seeds of bodies may be found, to be named in their settings.
    pub seeds: Option<&'a Path>,
    /// The time, from which certificates are valid.
    pub now: Timestamp,
    /// Whether certificates of the private authority are made anew that are not near their end.
    pub renew: bool,
    /// The servers, of a bus on several.
    pub cluster: Cluster<'a>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// How many bodies may log in.
    pub bodies: usize,
    /// Bodies without a key, which cannot.
    pub without_key: Vec<String>,
    /// Files that were written or made anew. None when nothing has changed.
    pub written: Vec<PathBuf>,
    /// Files that nats-server needs and that are not there.
    pub missing: Vec<PathBuf>,
}

/// The places in a bus's directory of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bus(PathBuf);

impl Bus {
    /// The bus whose files are here. The path should be absolute, as it stands in the configuration.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// The configuration to run nats-server with.
    pub fn config(&self) -> PathBuf {
        self.0.join("nats-server.conf")
    }

    /// Where the configuration of each of its servers is, with what else that server needs: of a bus on one, the directory
    /// itself.
    pub fn homes(&self) -> Vec<PathBuf> {
        let several = (0..).map(|number| self.0.join(cluster::name(number)));
        let several: Vec<_> = several.take_while(|home| is_there(&home.join("nats-server.conf"))).collect();
        if several.is_empty() { vec![self.0.clone()] } else { several }
    }

    /// Who may log in, which the configuration includes.
    pub fn accounts(&self) -> PathBuf {
        self.0.join("accounts.conf")
    }

    /// Where the server with this home keeps its process id and its log, by its configuration; beside it where that is for
    /// another place, so that no other server is taken for this one.
    pub fn kept(home: &Path) -> (PathBuf, PathBuf) {
        let config = fs::read_to_string(home.join("nats-server.conf")).unwrap_or_default();
        let named = |setting: &str| {
            let line = config.lines().find_map(|line| line.trim().strip_prefix(setting));
            line.map(|rest| PathBuf::from(rest.trim().trim_matches('"')))
        };
        let own = named("cert_file:").is_some_and(|certificate| certificate.starts_with(home));
        let place =
            |setting: &str, name: &str| named(setting).filter(|_| own).unwrap_or_else(|| home.join(name));
        (place("pid_file:", "nats-server.pid"), place("log_file:", "nats-server.log"))
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.0.join("tls/ca.pem")
    }

    /// A user's certificate and its key.
    pub fn client(&self, id: &str) -> (PathBuf, PathBuf) {
        let dir = self.0.join("tls/clients");
        (dir.join(format!("{id}.pem")), dir.join(format!("{id}-key.pem")))
    }

    /// The seeds of the services.
    pub fn seeds(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The seed file of a service's key in use.
    ///
    /// # Errors
    /// When it is not there.
    pub fn seed(&self, service: Service) -> Result<PathBuf, Error> {
        let file = self.services_file();
        let keys = self.services()?;
        let public = keys.get(&service).ok_or_else(|| Error::Unfit {
            file: file.clone(),
            why: format!("it has no key of the {service}: run `tocsin provision`"),
        })?;
        seed_of(&self.seeds(), service.name(), public).ok_or_else(|| Error::Unfit {
            file,
            why: format!("the seed of the {service}'s key is not beside it"),
        })
    }

    /// A user's settings, as variables of its environment.
    pub fn settings(&self, id: &str) -> PathBuf {
        self.0.join(format!("env/{id}.env"))
    }

    /// How a service reaches its bus, at this URL.
    ///
    /// # Errors
    /// When its seed is not here.
    pub fn service(&self, service: Service, url: &str) -> Result<Connection, Error> {
        let (inbox_prefix, api_prefix) = match service {
            apart if apart.is_apart() => (None, Some(APART_API.to_owned())),
            _ => (Some(inbox_prefix(service)), None),
        };
        Ok(Connection {
            nkey_seed_file: Some(self.seed(service)?),
            inbox_prefix,
            api_prefix,
            ..self.connection(service.name(), url)
        })
    }

    /// How a body reaches its bus, at this URL.
    ///
    /// # Errors
    /// Never for a key made or read here; the signature follows the library's.
    pub fn body(&self, id: &str, key: &SigningKey, url: &str) -> Result<Connection, Error> {
        let seed =
            key.seed().map_err(|why| Error::Unfit { file: PathBuf::from(id), why: why.to_string() })?;
        Ok(Connection { nkey_seed: Some(seed.into()), ..self.connection(id, url) })
    }

    fn connection(&self, id: &str, url: &str) -> Connection {
        let (cert, key) = self.client(id);
        Connection {
            name: id.to_owned(),
            ca: Some(self.ca()),
            cert: Some(cert),
            key: Some(key),
            ..Connection::to(url)
        }
    }

    fn services_file(&self) -> PathBuf {
        self.0.join("services.toml")
    }

    /// The public keys of the services.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn services(&self) -> Result<BTreeMap<Service, String>, Error> {
        let file = self.services_file();
        let unfit = |why: String| Error::Unfit { file: file.clone(), why };
        let mut keys = BTreeMap::new();
        for line in read(&file)?.unwrap_or_default().lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, key) = line
                .split_once('=')
                .and_then(|(name, key)| Some((Service::named(name.trim())?, key.trim().trim_matches('"'))))
                .ok_or_else(|| unfit(format!("{line:?} is no service and its key")))?;
            AuthorKey::new(key).map_err(|why| unfit(why.to_string()))?;
            keys.insert(name, key.to_owned());
        }
        Ok(keys)
    }

    /// Writes the public keys of the services. Says whether they had changed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_services(&self, keys: &BTreeMap<Service, String>) -> Result<bool, Error> {
        let lines = keys.iter().map(|(service, key)| format!("{service} = \"{key}\"\n"));
        let text: String =
            std::iter::once("# The public halves of the services' keys. They are no secret.\n\n".to_owned())
                .chain(lines)
                .collect();
        write(&self.services_file(), &text)
    }
}

/// Writes a bus's configuration, or as much of it as has changed.
///
/// # Errors
/// When a file cannot be read or written, or a name or path cannot stand in it.
pub fn provision(bus: &Bus, plan: &Plan<'_>) -> Result<Provisioned, Error> {
    let (bodies, without_key) = bodies(plan.document)?;
    make_dir(&bus.0, false)?;
    make_dir(&bus.seeds(), true)?;
    make_dir(&bus.0.join("env"), true)?;
    let mut done = Done::default();
    let services = services(bus, &mut done)?;
    let users: Vec<&str> = Service::ALL
        .iter()
        .map(|service| service.name())
        .chain(bodies.iter().map(|b| b.id.as_str()))
        .collect();
    let clients = bus.0.join("tls/clients");
    make_dir(&bus.0.join("tls"), false)?;
    make_dir(&clients, true)?;
    if plan.tls == Tls::Development {
        let dir = bus.0.join("tls");
        let (authority, made) = Authority::open(&dir, plan.now, plan.renew)?;
        done.note(&bus.ca(), made);
        if plan.cluster.members.is_empty() {
            let signed = authority.sign(&dir, "server", &Holder::Server(plan.names))?;
            done.note(&dir.join("server.pem"), signed);
        }
        for user in &users {
            let signed = authority.sign(&clients, user, &Holder::Client)?;
            done.note(&bus.client(user).0, signed);
        }
    }
    let accounts = render::accounts(&bodies, &services);
    done.write(&bus.accounts(), &accounts)?;
    let missing = if plan.cluster.members.is_empty() {
        let server = Home {
            name: cluster::name(0),
            files: &bus.0,
            state: plan.cluster.state.unwrap_or(&bus.0),
            listen: plan.listen,
        };
        done.write(&bus.config(), &render::server(&server)?)?;
        let needed = ["ca.pem", "server.pem", "server-key.pem"].map(|name| bus.0.join("tls").join(name));
        needed.into_iter().filter(|file| !is_there(file)).collect()
    } else {
        cluster::write(&bus.0, plan, &accounts, &mut done)?
    };
    for service in Service::ALL {
        let seed = bus.seed(service).ok();
        // Those in one account have their answers apart.
        let signing = match (service, plan.seeds, &plan.document.checkpoint_key) {
            (Service::Router, Some(dir), Some(key)) => seed_of(dir, "checkpoint_key", key),
            _ => None,
        };
        let prefix = match service {
            apart if apart.is_apart() => ("NATS_JS_API_PREFIX", APART_API.to_owned()),
            _ => ("NATS_INBOX_PREFIX", inbox_prefix(service)),
        };
        done.write(
            &bus.settings(service.name()),
            &settings(bus, plan, service.name(), seed.as_deref(), signing.as_deref(), Some(prefix))?,
        )?;
    }
    for Body { id, key, .. } in &bodies {
        let seed = plan.seeds.zip(key.as_deref()).and_then(|(dir, key)| seed_of(dir, id, key));
        done.write(&bus.settings(id), &settings(bus, plan, id, seed.as_deref(), seed.as_deref(), None)?)?;
    }
    let keyed = bodies.iter().filter(|body| body.key.is_some()).count();
    Ok(Provisioned { bodies: keyed, without_key, written: done.0, missing })
}

/// Files that were written.
#[derive(Default)]
pub(crate) struct Done(Vec<PathBuf>);

impl Done {
    pub(crate) fn note(&mut self, file: &Path, written: bool) {
        if written {
            self.0.push(file.to_owned());
        }
    }

    pub(crate) fn write(&mut self, file: &Path, text: &str) -> Result<(), Error> {
        let written = files::write(file, text)?;
        self.note(file, written);
        Ok(())
    }
}

/// The services' keys, made where there are none.
fn services(bus: &Bus, done: &mut Done) -> Result<BTreeMap<Service, String>, Error> {
    let mut keys = bus.services()?;
    for service in Service::ALL {
        if let Entry::Vacant(place) = keys.entry(service) {
            let key = make_seed(&bus.seeds(), service.name())?;
            done.note(&key.seed_file, true);
            place.insert(key.public);
        }
    }
    let written = bus.set_services(&keys)?;
    done.note(&bus.services_file(), written);
    Ok(keys)
}

/// What a user sets to reach the bus: for a shell, and for systemd's `EnvironmentFile`.
fn settings(
    bus: &Bus,
    plan: &Plan<'_>,
    id: &str,
    seed: Option<&Path>,
    signing: Option<&Path>,
    prefix: Option<(&str, String)>,
) -> Result<String, Error> {
    let urls: Vec<String> = plan.cluster.members.iter().map(cluster::Member::url).collect();
    let url = if urls.is_empty() {
        let name = plan.names.first().map_or("127.0.0.1", String::as_str);
        let port = plan.listen.rsplit(':').next().unwrap_or("4222");
        let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        format!("tls://{name}:{port}")
    } else {
        urls.join(",")
    };
    let mut text = format!(
        "# How {id} reaches the bus. Written by `tocsin provision`. The files named here go where {id} runs.\nNATS_URL=\"{url}\"\n"
    );
    let mut set = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}={value}");
    };
    match seed {
        Some(seed) => set("NATS_NKEY", &render::path(seed)?),
        None => set("# NATS_NKEY and TOCSIN_KEY", &format!("the seed file that {id} keeps")),
    }
    if let Some(signing) = signing {
        set("TOCSIN_KEY", &render::path(signing)?);
    }
    let (certificate, key) = bus.client(id);
    set("NATS_CA", &render::path(&bus.ca())?);
    set("NATS_CERT", &render::path(&certificate)?);
    set("NATS_KEY", &render::path(&key)?);
    if let Some((name, prefix)) = prefix {
        set(name, &prefix);
    }
    Ok(text)
}
