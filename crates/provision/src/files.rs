//! Files, written only when they differ, so that doing it again changes nothing.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tocsin_protocol::SigningKey;

use crate::error::Error;

fn fault(what: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Error {
    let file = file.to_owned();
    move |source| Error::File { what, file, source }
}

/// Makes a directory, for its owner alone where `private`.
pub(crate) fn make_dir(dir: &Path, private: bool) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(fault("make", dir))?;
    #[cfg(unix)]
    if private {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(fault("close to others", dir))?;
    }
    Ok(())
}

/// Reads a file; `None` when it is not there.
pub(crate) fn read(file: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(fault("read", file)(why)),
    }
}

/// Writes a file unless it holds this already: beside it first, so that a crash leaves the old or the new one whole.
/// Says whether it was written.
pub(crate) fn write(file: &Path, text: &str) -> Result<bool, Error> {
    if read(file)?.as_deref() == Some(text) {
        return Ok(false);
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).map_err(fault("write", file))?;
    Ok(true)
}

/// Writes a secret that only its owner may read, from its first byte on. One that is there is never overwritten.
pub(crate) fn write_secret(file: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()
}

/// Writes a seed that only its owner may read. One that is there is never overwritten.
///
/// # Errors
/// When the file is there, or cannot be written.
pub fn write_seed(file: &Path, key: &SigningKey) -> io::Result<()> {
    let seed = key.seed().map_err(io::Error::other)?;
    write_secret(file, &format!("{seed}\n"))
}

/// A key that was made: where its seed is, and its public half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The seed file.
    pub seed_file: PathBuf,
    /// The public half.
    pub public: String,
}

/// Makes a new key in a directory of seeds: `<id>.nk`, or `<id>.2.nk` and so on where there are older ones.
///
/// # Errors
/// When the seed cannot be written.
pub fn make_seed(dir: &Path, id: &str) -> Result<Key, Error> {
    let key = SigningKey::generate();
    for seed_file in seed_files(dir, id) {
        match write_seed(&seed_file, &key) {
            Ok(()) => return Ok(Key { seed_file, public: key.public() }),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(fault("write", &seed_file)(why)),
        }
    }
    Err(Error::Unfit { file: dir.to_owned(), why: format!("it holds ten thousand keys of {id}") })
}

/// The seed file in a directory whose public half is this, if it is there.
pub fn seed_of(dir: &Path, id: &str, public: &str) -> Option<PathBuf> {
    seed_files(dir, id).take_while(|file| file.exists()).find(|file| {
        let seed = fs::read_to_string(file).ok();
        seed.and_then(|seed| SigningKey::from_seed(&seed).ok()).is_some_and(|key| key.public() == public)
    })
}

fn seed_files(dir: &Path, id: &str) -> impl Iterator<Item = PathBuf> {
    (1..10_000).map(move |number| match number {
        1 => dir.join(format!("{id}.nk")),
        number => dir.join(format!("{id}.{number}.nk")),
    })
}
