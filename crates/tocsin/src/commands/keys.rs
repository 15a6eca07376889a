//! `tocsin keys`: makes signing keys.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use tocsin_ledger::Ledger;
use tocsin_protocol::{AuthorKey, DirectoryDocument, SigningKey};
use tocsin_provision::{Service, make_seed};

use super::{
    directory::{self, Standing, sign::DirectoryKey},
    provision::{self, Asked},
};
use crate::{bus, failure::Failure, keys, out};

/// Make keys, with which bodies sign what they say
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key for one body, or for every body of a directory that has none
    ///
    /// A seed goes to a file that only its owner may read; it is never shown and never overwritten. In use each body
    /// makes its own and sends in the public half alone.
    #[command(after_help = "Examples:
  tocsin keys new pol-west-mercia
  tocsin keys new directory_key --out safe
  tocsin keys new --directory deploy/directory/uk.toml --out keys")]
    New(New),
    /// Give a body, or a service, another key: from now on its old one counts no more
    ///
    /// It puts a new version of the directory in force, writes the new key into the files, and makes the bus that runs
    /// on this machine take it. The body must have its new seed before it can log in again.
    #[command(after_help = "Examples:
  (set -a; . bus/env/administrator.env; tocsin keys rotate pol-kent --bus bus)
  tocsin keys rotate pol-kent --bus bus --public UABC...
  tocsin keys rotate router --bus bus
  tocsin keys rotate checkpoint_key --bus bus
  tocsin keys rotate directory_key --bus bus --directory-key safe/directory_key.nk

It reaches the bus by the variables of `tocsin --help`, as the administrator.")]
    Rotate(Rotate),
    /// Take a body's key away: it can neither log in nor be believed until it is given another
    #[command(after_help = "Example:
  (set -a; . bus/env/administrator.env; tocsin keys revoke pol-kent --bus bus)

It puts a new version of the directory in force and makes the bus that runs on this machine take it, which ends the
body's connections. `tocsin keys rotate` gives it another key.")]
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Rotate {
    /// Whose key: a body of the directory in force; administrator, router, notifier, console or auditor for the key that
    /// it logs in with; checkpoint_key, console_key or link_key for the one that routers, the console or notifiers sign
    /// with; directory_key for the one that signs the directory
    id: String,
    /// The directory that `tocsin provision` wrote
    #[arg(long, value_name = "DIR")]
    bus: PathBuf,
    /// The public half of a key that the body made itself [default: make one]
    #[arg(long, value_name = "KEY")]
    public: Option<String>,
    #[command(flatten)]
    key: DirectoryKey,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// Whose key: a body of the directory in force
    id: String,
    /// The directory that `tocsin provision` wrote
    #[arg(long, value_name = "DIR")]
    bus: PathBuf,
    #[command(flatten)]
    key: DirectoryKey,
}

#[derive(Debug, clap::Args)]
struct New {
    /// Whose key: the identifier in the directory; directory_key for the one that signs the directory
    #[arg(required_unless_present = "directory")]
    id: Option<String>,
    /// Make one for every body of this directory that has none, and DIR/public.toml with the public halves
    #[arg(long, value_name = "FILE", conflicts_with = "id", requires = "out")]
    directory: Option<PathBuf>,
    /// Where the seed files go [default: here]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::New(new) => make(&new),
        What::Rotate(Rotate { id, bus, public, key }) => match Service::named(&id) {
            Some(service) => rotate_service(service, &bus, public).await,
            None => rotate(&id, &bus, public, &key).await,
        },
        What::Revoke(Revoke { id, bus, key }) => revoke(&id, &bus, &key).await,
    }
}

fn make(new: &New) -> Result<(), Failure> {
    let to = new.out.clone().unwrap_or_else(|| PathBuf::from("."));
    if let Some(directory) = &new.directory {
        let all = keys::for_directory(directory, &to)?;
        out::line(&format!(
            "{} made, {} kept. Seeds, one file for each body: {}; hand each to its body and keep no copy.",
            all.made,
            all.kept,
            to.display()
        ))?;
        return out::line(&format!(
            "Public halves: {public}\nNext: tocsin directory apply {} --keys {public}",
            directory.display(),
            public = all.public.display(),
        ));
    }
    let made = keys::for_body(new.id.as_deref().unwrap_or_default(), &to)?;
    out::line(&made.public)?;
    // Scripts take the key from stdout.
    out::note(&format!(
        "The seed is in {}: guard it. The line above is the public half, for the directory.",
        made.seed_file.display()
    ));
    Ok(())
}

/// The public half that was given, or that of a key made in this directory.
fn new_key(id: &str, seeds: &Path, public: Option<String>) -> Result<String, Failure> {
    if let Some(public) = public {
        AuthorKey::new(&public).map_err(|error| Failure::input(&error))?;
        return Ok(public);
    }
    let made = make_seed(seeds, id)?;
    out::line(&format!("Made a key; its seed is in {}.", made.seed_file.display()))?;
    Ok(made.public)
}

async fn rotate_service(service: Service, dir: &Path, public: Option<String>) -> Result<(), Failure> {
    let (asked, bus) = (Asked::of(dir)?, provision::bus(dir)?);
    // The directory does not change with it; it is what the bus is written from.
    let (_, document) = directory::in_force(&bus::command("keys").await?).await?;
    let mut keys = bus.services()?;
    keys.insert(service, new_key(service.name(), &bus.seeds(), public)?);
    bus.set_services(&keys)?;
    asked.provision(&bus, &document, false)?;
    out::line(&format!(
        "{service} has another key. Start it anew with {}.",
        bus.settings(service.name()).display()
    ))?;
    provision::tell_reload(&bus).await
}

async fn rotate(id: &str, dir: &Path, public: Option<String>, signing: &DirectoryKey) -> Result<(), Failure> {
    let asked = Asked::of(dir)?;
    let ledger = bus::command("keys").await?;
    let (standing, mut document) = directory::standing(&ledger).await?;
    if id == DirectoryDocument::DIRECTORY_KEY && document.directory_key.is_none() {
        return Err(Failure::wrong(
            "the directory in force names no directory_key: make one with `tocsin keys new directory_key`, name it in the directory file, and apply that with --directory-key",
        ));
    }
    keys_of(&mut document, id)?;
    // Before a key is made that would be for nothing.
    let signer = standing.signer(&document, signing)?;
    let key = new_key(id, asked.keys.parent().unwrap_or(Path::new(".")), public)?;
    set_key(&mut document, id, Some(&key))?;
    let mut public = keys::known(&asked.keys)?;
    let listed = public.insert(id.to_owned(), key).is_some();
    change(id, dir, &asked, &ledger, (&standing, signer.as_ref()), &document, &public).await?;
    if !listed {
        out::note(&format!(
            "{} did not list {id}: if the directory file names its key, change it there too, or the next `tocsin directory apply` brings the old one back.",
            asked.keys.display()
        ));
    }
    Ok(())
}

async fn revoke(id: &str, dir: &Path, signing: &DirectoryKey) -> Result<(), Failure> {
    if Service::named(id).is_some() {
        return Err(Failure::wrong(format!(
            "{id} is a service, without which the bus does not work: give it another key with `tocsin keys rotate {id}`"
        )));
    }
    let asked = Asked::of(dir)?;
    let ledger = bus::command("keys").await?;
    let (standing, mut document) = directory::standing(&ledger).await?;
    set_key(&mut document, id, None)?;
    let signer = standing.signer(&document, signing)?;
    let mut public = keys::known(&asked.keys)?;
    public.remove(id);
    change(id, dir, &asked, &ledger, (&standing, signer.as_ref()), &document, &public).await
}

/// Where the document has this key: a body's as a publisher, as a recipient, or both; a service's by its name.
fn keys_of<'a>(
    document: &'a mut DirectoryDocument,
    id: &str,
) -> Result<Vec<&'a mut Option<String>>, Failure> {
    if DirectoryDocument::is_own_key(id) {
        return Ok(document.own_key_mut(id).into_iter().collect());
    }
    let publishers =
        document.publishers.iter_mut().filter(|one| one.id.as_str() == id).map(|one| &mut one.key);
    let monitors = document.monitors.iter_mut().filter(|one| one.id.as_str() == id).map(|one| &mut one.key);
    let recipients =
        document.recipients.iter_mut().filter(|one| one.id.as_str() == id).map(|one| &mut one.key);
    let all: Vec<_> = publishers.chain(monitors).chain(recipients).collect();
    if all.is_empty() {
        return Err(Failure::wrong(format!(
            "the directory in force has no body called {id}: see `tocsin directory show`; the keys of no body are {}, {}",
            DirectoryDocument::SERVICE_KEYS.join(", "),
            DirectoryDocument::DIRECTORY_KEY
        )));
    }
    Ok(all)
}

fn set_key(document: &mut DirectoryDocument, id: &str, key: Option<&str>) -> Result<(), Failure> {
    for place in keys_of(document, id)? {
        *place = key.map(str::to_owned);
    }
    Ok(())
}

/// Puts the changed directory in force first, so that the old key is not believed from then on; then the files; then the
/// bus.
async fn change(
    id: &str,
    dir: &Path,
    asked: &Asked,
    ledger: &Ledger,
    (standing, signer): (&Standing, Option<&SigningKey>),
    document: &DirectoryDocument,
    public: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let version = directory::put(ledger, standing, document, signer).await?;
    out::line(&format!("Directory version {version} is in force: the old key of {id} counts no more."))?;
    keys::write_public(&asked.keys, public)
        .map_err(|why| Failure::failed(format!("cannot write {}: {why}", asked.keys.display())))?;
    let bus = provision::bus(dir)?;
    asked.provision(&bus, document, false)?;
    match left_to_do(id, public.contains_key(id)) {
        Some(what) => out::line(&what),
        None => provision::tell_reload(&bus).await,
    }
}

/// What is left for a person to do once a key has changed with which our services sign; `None` for a body's. Only the
/// router's is among the settings that `tocsin provision` writes.
fn left_to_do(id: &str, has_another: bool) -> Option<String> {
    let to_do = match id {
        "checkpoint_key" => {
            "Start every router anew with its settings in env, or with this seed as key under [router]: no checkpoint of it counts until then."
        }
        "console_key" => {
            "Name this seed as key under [console] and start every console anew: it acknowledges nothing until then."
        }
        DirectoryDocument::DIRECTORY_KEY => {
            "Give this seed with --directory-key from now on, whenever a directory is put in force anew; and keep it on no machine of the bus. Services that trust the old one (TOCSIN_TRUST, [trust]) go on under it; to have them trust this one, apply the directory once with it, then tell them."
        }
        "link_key" => {
            "Name this seed as key under [notifier.link] and start every notifier anew: its mails go out without a link until then."
        }
        _ => return None,
    };
    Some(if has_another {
        to_do.to_owned()
    } else {
        format!("Nothing is signed in its place until there is another: `tocsin keys rotate {id}`.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_key_of_our_services_it_is_told_what_is_left_to_do() {
        for id in DirectoryDocument::SERVICE_KEYS.iter().chain([&DirectoryDocument::DIRECTORY_KEY]) {
            assert!(left_to_do(id, true).unwrap().contains("anew"), "{id}");
            assert!(left_to_do(id, false).unwrap().contains("keys rotate"), "{id}");
        }
        assert_eq!(left_to_do("pol-kent", true), None);
    }
}
