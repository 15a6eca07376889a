//! `tocsin provision`: the bus's configuration, from the directory.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{DirectoryDocument, Timestamp};
use tocsin_provision::{Bus, Plan, Provisioned, Tls};

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

Three servers take the same accounts.conf and a configuration each, with the cluster of deploy/nats/cluster-1.conf in it.
After a change bring accounts.conf to each and run `nats-server --signal reload=PID` there, twice, one server after the
other: those whose rights stay notice nothing.

Without --tls-dev put your own certificates at DIR/tls/ca.pem, server.pem and server-key.pem, and a user's at
DIR/tls/clients/ID.pem and ID-key.pem.")]
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
    /// Where the server listens [default: 127.0.0.1:4222]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A name or address by which clients reach the server; may be given again [default: localhost and the address it
    /// listens on]
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
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
        let plan = Plan {
            document,
            listen: &listen,
            names: &self.names,
            tls: if self.tls_dev { Tls::Development } else { Tls::Own },
            seeds: self.keys.parent(),
            now: Timestamp::now(),
            renew,
        };
        Ok(tocsin_provision::provision(bus, &plan)?)
    }
}

impl Args {
    /// What is asked for now: as before, where it is not said anew.
    fn asked(&self) -> Result<Asked, Failure> {
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
        let names = if self.name.is_empty() { names_of(listen.ip()) } else { self.name.clone() };
        let (directory, keys) = (absolute(directory)?, absolute(keys)?);
        Ok(Asked { directory, keys, tls_dev: self.tls_dev, listen, names })
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
    lines.push(format!("The bus: nats-server --config {}", bus.config().display()));
    lines.join("\n") + "\n"
}

/// Reloads, and says what became of it.
pub(super) async fn tell_reload(bus: &Bus) -> Result<(), Failure> {
    match reload::reload(bus).await? {
        Reloaded::Done(id) => out::line(&format!("The running nats-server ({id}) goes by it from now on.")),
        Reloaded::NotHere => out::line(&reload::elsewhere(bus)),
    }
}
