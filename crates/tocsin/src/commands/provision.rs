//! `tocsin provision`: the bus's configuration, from the directory.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{DirectoryDocument, Timestamp};
use tocsin_provision::{Bus, Cluster, Member, Plan, Provisioned, Tls};

use crate::{
    directory_file::Files,
    failure::Failure,
    out,
    reload::{self, Reloaded},
};

/// Write the configuration of a guarded bus: who may log in, what each may do there, TLS
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  tocsin provision --directory deploy/directory/uk.toml --keys keys/public.toml --out bus --tls-dev
  nats-server --config bus/nats-server.conf

Run again it changes nothing unless the directory, the keys or the names have changed, or certificates near their end;
it then needs --out alone. DIR/env holds the
settings of each user: `set -a; . bus/env/router.env; set +a; tocsin router`. With --reload a server that runs on this
machine takes the change at once.

Every body has a NATS account of its own, which has of the bus what its role needs and nothing else. There is no
--isolation shared: in one shared account a body can have the broker's answers stored under anybody's subjects, and no
permission prevents it (deploy/nats/ATTACKS.md).

A bus on three servers is named whole:
  tocsin provision --directory deploy/directory/uk.toml --keys keys/public.toml --out bus --tls-dev \\
    --cluster bus-1.example --cluster bus-2.example --cluster bus-3.example --at /etc/tocsin/nats --state /var/lib/tocsin
Bring DIR/tocsin-1 to the first of them as /etc/tocsin/nats, and so on, then `tocsin setup --replicas 3`. After a change bring
accounts.conf to each and run `nats-server --signal reload=PID` there, twice, one server after the other: those whose rights
stay notice nothing.

Without --tls-dev put your own certificates at DIR/tls/ca.pem, server.pem and server-key.pem, and a user's at
DIR/tls/clients/ID.pem and ID-key.pem; for a bus on three at DIR/tocsin-N/tls, with route.pem, route-key.pem and
routes-ca.pem beside them. The authority of routes-ca.pem must sign these servers and nobody else.")]
pub(crate) struct Args {
    /// The directory file
    #[arg(long, value_name = "FILE", requires = "keys")]
    directory: Option<PathBuf>,
    /// The file of public keys that `tocsin keys new --directory` writes; the seeds beside it are named in the settings
    #[arg(long, value_name = "FILE", requires = "directory")]
    keys: Option<PathBuf>,
    /// Where the files go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make a private authority for development and exercises, and certificates for everybody
    #[arg(long)]
    tls_dev: bool,
    /// Where the server listens [default: 127.0.0.1:4222]; of several the address alone counts [default: each on its own]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A name or address by which clients reach the server; may be given again [default: localhost and the address it
    /// listens on]
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// A server of several: its name or address, its port for clients (4222 where it is left out) and the one for the
    /// other servers (6222); give three, or five
    #[arg(long, value_name = "HOST[:PORT[:ROUTES]]")]
    cluster: Vec<Member>,
    /// Where each of several has its files on its own machine [default: where they are written]
    #[arg(long, value_name = "DIR")]
    at: Option<PathBuf>,
    /// Where each server keeps its streams, log and process id on its machine, a directory that is there [default: beside
    /// its files]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Make the certificates of --tls-dev anew [default: when less than a third of their year is left]
    #[arg(long)]
    renew: bool,
    /// Make the server of this bus that runs on this machine take the change
    #[arg(long)]
    reload: bool,
}

/// What was asked for, kept beside what was written, so that it need be said once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    directory: PathBuf,
    pub(super) keys: PathBuf,
    tls_dev: bool,
    listen: SocketAddr,
    names: Vec<String>,
    /// The servers of a bus on several, and on which address all of them listen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cluster: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_listens: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<PathBuf>,
}

/// Where it is kept.
const ASKED: &str = "provision.toml";

impl Asked {
    /// What was asked for when the bus in this directory was provisioned.
    pub(super) fn of(dir: &Path) -> Result<Self, Failure> {
        let file = dir.join(ASKED);
        let wrong = |why: &dyn std::fmt::Display| {
            Failure::wrong(format!(
                "{} holds no provisioned bus ({}: {why}): give --directory and --keys to `tocsin provision`",
                dir.display(),
                file.display()
            ))
        };
        let text = fs::read_to_string(&file).map_err(|why| wrong(&why))?;
        toml::from_str(&text).map_err(|why| wrong(&why))
    }

    fn keep(&self, dir: &Path) -> Result<(), Failure> {
        let file = dir.join(ASKED);
        let text = format!("# What `tocsin provision` was asked for.\n{}", toml::to_string(self)?);
        if fs::read_to_string(&file).is_ok_and(|there| there == text) {
            return Ok(());
        }
        fs::write(&file, text)
            .map_err(|why| Failure::failed(format!("cannot write {}: {why}", file.display())))
    }

    /// Writes what has changed.
    pub(super) fn provision(
        &self,
        bus: &Bus,
        document: &DirectoryDocument,
        renew: bool,
    ) -> Result<Provisioned, Failure> {
        let listen = self.listen.to_string();
        let members = self.cluster.iter().map(|member| member.parse()).collect::<Result<Vec<Member>, _>>()?;
        let cluster = Cluster {
            members: &members,
            listen: self.cluster_listens,
            at: self.at.as_deref(),
            state: self.state.as_deref(),
        };
        let plan = Plan {
            document,
            listen: &listen,
            names: &self.names,
            tls: if self.tls_dev { Tls::Development } else { Tls::Own },
            seeds: self.keys.parent(),
            now: Timestamp::now(),
            renew,
            cluster,
        };
        Ok(tocsin_provision::provision(bus, &plan)?)
    }
}

impl Args {
    /// What is asked for now: as before, where it is not said anew.
    fn asked(&self) -> Result<Asked, Failure> {
        let mut asked = self.of_one()?;
        let places = [&self.at, &self.state];
        if places.into_iter().flatten().any(|place| !place.is_absolute()) {
            return Err(Failure::wrong(
                "--at and --state are places on the server's machine: begin them with /",
            ));
        }
        asked.state = self.state.clone().or(asked.state);
        if !self.cluster.is_empty() {
            asked.cluster = self.cluster.iter().map(ToString::to_string).collect();
        }
        if !asked.cluster.is_empty() {
            asked.cluster_listens = self.listen.map(|listen| listen.ip()).or(asked.cluster_listens);
            asked.at = self.at.clone().or(asked.at);
        } else if self.at.is_some() {
            return Err(Failure::wrong(
                "--at is of a bus on several servers: name those with --cluster; that on one runs from --out",
            ));
        }
        Ok(asked)
    }

    /// As for a bus on one server.
    fn of_one(&self) -> Result<Asked, Failure> {
        let (Some(directory), Some(keys)) = (&self.directory, &self.keys) else {
            let mut before = Asked::of(&self.out)?;
            before.tls_dev |= self.tls_dev;
            before.listen = self.listen.unwrap_or(before.listen);
            if !self.name.is_empty() {
                before.names.clone_from(&self.name);
            }
            return Ok(before);
        };
        let listen = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4222)));
        let names = if self.name.is_empty() && !self.cluster.is_empty() {
            vec!["localhost".to_owned()]
        } else if self.name.is_empty() {
            names_of(listen.ip())
        } else {
            self.name.clone()
        };
        let (directory, keys) = (absolute(directory)?, absolute(keys)?);
        Ok(Asked {
            directory,
            keys,
            tls_dev: self.tls_dev,
            listen,
            names,
            cluster: Vec::new(),
            cluster_listens: None,
            at: None,
            state: None,
        })
    }
}

fn names_of(listen: IpAddr) -> Vec<String> {
    let address = (!listen.is_unspecified()).then(|| listen.to_string());
    address.into_iter().chain(["localhost".to_owned()]).collect()
}

fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(file).map_err(|why| Failure::wrong(format!("cannot read {}: {why}", file.display())))
}

/// The bus in this directory, by its absolute path, which stands in its configuration.
pub(super) fn bus(dir: &Path) -> Result<Bus, Failure> {
    fs::create_dir_all(dir)
        .map_err(|why| Failure::failed(format!("cannot make {}: {why}", dir.display())))?;
    Ok(Bus::at(absolute(dir)?))
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let asked = args.asked()?;
    let checked = Files::of(&asked.directory, &asked.keys).check()?;
    let Some(document) = &checked.document else {
        out::note(checked.told().trim_end());
        return Err(Failure::wrong(format!(
            "nothing was written: {} has {}; mend them first",
            asked.directory.display(),
            checked.counted()
        )));
    };
    let bus = bus(&args.out)?;
    if args.renew && !asked.tls_dev {
        return Err(Failure::wrong(
            "the certificates of this bus are your own: put new ones in their place, then run this with --reload and without --renew",
        ));
    }
    let done = asked.provision(&bus, document, args.renew)?;
    asked.keep(&args.out)?;
    out::text(&told(&bus, &done))?;
    if args.reload {
        return tell_reload(&bus).await;
    }
    Ok(())
}

fn told(bus: &Bus, done: &Provisioned) -> String {
    let Provisioned { bodies, without_key, written, missing } = done;
    let mut lines = vec![match written.len() {
        0 => format!("Nothing changed: {bodies} bodies may log in."),
        n => format!("{n} files written; {bodies} bodies may log in."),
    }];
    if !without_key.is_empty() {
        lines.push(format!("Without a key, and so without a login: {}", without_key.join(", ")));
    }
    for file in missing {
        lines.push(format!("Put a certificate or key at {}, or use --tls-dev", file.display()));
    }
    for home in bus.homes() {
        lines.push(format!("The bus: nats-server --config {}", home.join("nats-server.conf").display()));
    }
    lines.join("\n") + "\n"
}

/// Reloads, and says what became of it.
pub(super) async fn tell_reload(bus: &Bus) -> Result<(), Failure> {
    match reload::reload(bus).await? {
        Reloaded::Done(ids) => {
            let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            out::line(&format!("The running nats-server ({ids}) goes by it from now on."))
        }
        Reloaded::NotHere => out::line(&reload::elsewhere(bus)),
    }
}
