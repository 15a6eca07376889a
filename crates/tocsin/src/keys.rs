//! Making keys: a seed file for each body, and a file of public halves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tocsin_ledger::secret;
use tocsin_protocol::{AuthorKey, DirectoryDocument, RecipientId, SigningKey};
use tocsin_provision::{seed_of, write_seed};

use crate::{directory_file, failure::Failure, seed};

/// The file of public halves.
const PUBLIC: &str = "public.toml";

/// A key that was made, or was there.
pub(crate) struct Made {
    pub(crate) seed_file: PathBuf,
    pub(crate) public: String,
}

/// Reads public keys that a person gives.
pub(crate) fn public(given: &[String]) -> Result<Vec<AuthorKey>, Failure> {
    given.iter().map(|key| AuthorKey::new(key).map_err(|why| Failure::input(&why))).collect()
}

/// Makes a key for one body. A seed that is there is never overwritten.
pub(crate) fn for_body(id: &str, out: &Path) -> Result<Made, Failure> {
    if !DirectoryDocument::is_own_key(id) {
        RecipientId::new(id).map_err(|error| Failure::input(&error))?;
    }
    make_dir(out)?;
    let seed_file = seed_file(out, id);
    let key = SigningKey::generate();
    match write_seed(&seed_file, &key) {
        Ok(()) => Ok(Made { public: key.public(), seed_file }),
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Err(Failure::wrong(format!(
            "{} is there already and is not overwritten: what was signed with it must stay verifiable; move it away to make another",
            seed_file.display()
        ))),
        Err(why) => Err(Failure::failed(format!("cannot write {}: {why}", seed_file.display()))),
    }
}

/// What [`for_directory`] did.
pub(crate) struct MadeAll {
    pub(crate) made: usize,
    pub(crate) kept: usize,
    /// The file of public halves.
    pub(crate) public: PathBuf,
}

/// As much of a directory file as tells who needs a key. Whether the rest is sound is for `directory check` to say.
#[derive(Deserialize)]
struct Bodies {
    #[serde(default)]
    publishers: Vec<Body>,
    #[serde(default)]
    monitors: Vec<Body>,
    #[serde(default)]
    recipients: Vec<Body>,
}

#[derive(Deserialize)]
struct Body {
    id: RecipientId,
    key: Option<String>,
}

/// Makes the keys of our services and one for every body of a directory, where neither the directory nor the file of public
/// halves names one, and writes that file. Seeds that are there are kept, so it may be run again when a body is added.
pub(crate) fn for_directory(directory: &Path, out: &Path) -> Result<MadeAll, Failure> {
    let text = directory_file::read(directory, "directory")?.text;
    let bodies: Bodies = toml::from_str(&text).map_err(|why| {
        Failure::wrong(format!("{} cannot be read as a directory:\n{why}", directory.display()))
    })?;
    make_dir(out)?;
    let file = out.join(PUBLIC);
    let mut public = known(&file)?;
    let named: toml::Table = toml::from_str(&text).unwrap_or_default();
    let services = DirectoryDocument::SERVICE_KEYS.iter().filter(|name| !named.contains_key(**name));
    let all: BTreeSet<String> = bodies
        .publishers
        .into_iter()
        .chain(bodies.monitors)
        .chain(bodies.recipients)
        .filter(|body| body.key.is_none())
        .map(|body| body.id.to_string())
        .chain(services.map(|name| (*name).to_owned()))
        .collect();
    let (mut made, mut kept) = (0, 0);
    for id in all {
        let seed_file = seed_file(out, &id);
        // A body that has sent in the public half alone has no seed here; one whose key was rotated has several.
        if let Some(known) = public.get(&id)
            && (!seed_file.exists() || seed_of(out, &id, known).is_some())
        {
            kept += 1;
            continue;
        }
        let key = SigningKey::generate();
        let key = match write_seed(&seed_file, &key) {
            Ok(()) => {
                made += 1;
                key
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                kept += 1;
                seed::read(&seed_file)?
            }
            Err(why) => return Err(Failure::failed(format!("cannot write {}: {why}", seed_file.display()))),
        };
        if let Some(other) = public.insert(id.clone(), key.public())
            && other != key.public()
        {
            return Err(Failure::wrong(format!(
                "{} names another key for {id} than {} holds: keep one of them",
                file.display(),
                seed_file.display()
            )));
        }
    }
    write_public(&file, &public)
        .map_err(|why| Failure::failed(format!("cannot write {}: {why}", file.display())))?;
    Ok(MadeAll { made, kept, public: file })
}

/// The key in a seed file of our own, which is made where it is not there.
pub(crate) fn own(file: &Path) -> Result<SigningKey, Failure> {
    // A seed in place of its file is to name no file: reading it says so.
    if secret::looks_like_a_seed(file) {
        return seed::read(file);
    }
    make_dir(file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    let key = SigningKey::generate();
    match write_seed(file, &key) {
        Ok(()) => Ok(key),
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => seed::read(file),
        Err(why) => Err(Failure::failed(format!("cannot write {}: {why}", file.display()))),
    }
}

fn seed_file(out: &Path, id: &str) -> PathBuf {
    out.join(format!("{id}.nk"))
}

fn make_dir(out: &Path) -> Result<(), Failure> {
    fs::create_dir_all(out).map_err(|why| Failure::failed(format!("cannot make {}: {why}", out.display())))
}

/// The public halves that are known already.
pub(crate) fn known(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(why) => return Err(Failure::wrong(format!("cannot read {}: {why}", file.display()))),
    };
    let wrong = |why: String| Failure::wrong(format!("{} is no file of public keys: {why}", file.display()));
    let keys: BTreeMap<String, String> = toml::from_str(&text).map_err(|why| wrong(format!("\n{why}")))?;
    for key in keys.values() {
        AuthorKey::new(key).map_err(|why| wrong(why.to_string()))?;
    }
    Ok(keys)
}

/// Beside the old one first, so that a crash leaves one of them whole.
pub(crate) fn write_public(file: &Path, keys: &BTreeMap<String, String>) -> io::Result<()> {
    let lines = keys.iter().flat_map(|(id, key)| [id, " = \"", key, "\"\n"]);
    let text: String =
        std::iter::once("# The public halves of the keys, for --keys. They are no secret.\n\n")
            .chain(lines)
            .collect();
    let beside = file.with_extension("toml.new");
    fs::write(&beside, text)?;
    fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_seed_is_for_its_owner_alone_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let out = tempfile::tempdir().unwrap();
        let made = for_body("pol-kent", out.path()).unwrap();
        assert_eq!(fs::metadata(&made.seed_file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(seed::read(&made.seed_file).unwrap().public(), made.public);
        let before = fs::read(&made.seed_file).unwrap();
        assert!(for_body("pol-kent", out.path()).is_err());
        assert_eq!(fs::read(&made.seed_file).unwrap(), before);
        fs::set_permissions(&made.seed_file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(seed::read(&made.seed_file).is_err(), "others may have read it");
    }

    #[test]
    fn a_seed_in_place_of_its_own_file_makes_no_file_of_that_name() {
        let seed = SigningKey::generate().seed().unwrap();
        assert!(own(Path::new(&seed)).is_err());
        assert!(!Path::new(&seed).exists());
    }

    #[test]
    fn a_name_that_is_no_identifier_makes_no_file_elsewhere() {
        let out = tempfile::tempdir().unwrap();
        for bad in ["../x", "a/b", "", "A"] {
            assert!(for_body(bad, out.path()).is_err(), "{bad}");
        }
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_gets_a_key_for_each_body_that_has_none_and_keeps_those_that_are_there() {
        let out = tempfile::tempdir().unwrap();
        let directory = out.path().join("d.toml");
        let (own, sent) = (SigningKey::generate().public(), SigningKey::generate().public());
        let text = |more: &str| {
            format!(
                "publishers = [{{ id = \"op\" }}, {{ id = \"has-one\", key = \"{own}\" }}]\nrecipients = [{{ id = \"a\" }}, {{ id = \"op\" }}{more}]\n"
            )
        };
        fs::write(&directory, text("")).unwrap();
        let all = for_directory(&directory, out.path()).unwrap();
        assert_eq!((all.made, all.kept), (5, 0), "one for each body, whatever it is, and the services' own");
        let first = known(&all.public).unwrap();
        assert_eq!(
            first.keys().collect::<Vec<_>>(),
            ["a", "checkpoint_key", "console_key", "link_key", "op"]
        );

        let mut with = first.clone();
        with.insert("b".to_owned(), sent.clone());
        write_public(&all.public, &with).unwrap();
        fs::write(&directory, text(", { id = \"b\" }, { id = \"c\" }")).unwrap();
        let all = for_directory(&directory, out.path()).unwrap();
        assert_eq!((all.made, all.kept), (1, 6));
        let second = known(&all.public).unwrap();
        assert_eq!((&second["a"], &second["op"], &second["b"]), (&first["a"], &first["op"], &sent));
        assert!(!out.path().join("b.nk").exists(), "its seed is where it belongs");
    }
}
