//! Seed files: the private half of an author's key, which only its owner may read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tocsin_protocol::SigningKey;

use crate::failure::Failure;

/// The seed file that a command signs with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct KeyFile {
    /// The seed file of the key to sign with, as `tocsin keys new` makes it (mode 600)
    #[arg(long, value_name = "FILE", env = "TOCSIN_KEY")]
    key: PathBuf,
}

impl KeyFile {
    /// Reads the key.
    pub(crate) fn read(&self) -> Result<SigningKey, Failure> {
        read(&self.key)
    }
}

/// Longer than any seed file, with room for comments that `nk` or an editor left.
const SIZE_MAX: u64 = 4096;

/// Reads a seed file that nobody but its owner may read.
pub(crate) fn read(file: &Path) -> Result<SigningKey, Failure> {
    let shown = file.display();
    let cannot = |why: io::Error| Failure::wrong(format!("cannot read the seed file {shown}: {why}"));
    let known = fs::metadata(file).map_err(cannot)?;
    if let Some(mode) = open_to_others(&known) {
        return Err(Failure::wrong(format!(
            "the seed file {shown} may be read by others (mode {mode:o}): run `chmod 600 {shown}`, and make a new key if others could have read it"
        )));
    }
    if !known.is_file() || known.len() > SIZE_MAX {
        return Err(Failure::wrong(format!("{shown} is no seed file: make one with `tocsin keys new ID`")));
    }
    let text = fs::read_to_string(file).map_err(cannot)?;
    SigningKey::from_seed(&text).map_err(|error| Failure::wrong(format!("{shown}: {error}")))
}

#[cfg(unix)]
fn open_to_others(known: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = known.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere who may read a file is not in its mode.
#[cfg(not(unix))]
fn open_to_others(_: &fs::Metadata) -> Option<u32> {
    None
}
