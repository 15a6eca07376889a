//! Seed files: the private half of an author's key, which only its owner may read.

use std::path::{Path, PathBuf};

use tocsin_ledger::secret;
use tocsin_protocol::SigningKey;

use crate::failure::Failure;

/// The seed file that a command signs with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct KeyFile {
    /// The seed file of the key to sign with, as `tocsin keys new` makes it (mode 600)
    #[arg(long, value_name = "FILE", env = "TOCSIN_KEY", hide_env_values = true)]
    key: PathBuf,
}

impl KeyFile {
    /// Reads the key.
    pub(crate) fn read(&self) -> Result<SigningKey, Failure> {
        read(&self.key)
    }
}

/// Reads a seed file that nobody but its owner may read.
pub(crate) fn read(file: &Path) -> Result<SigningKey, Failure> {
    let text = secret::read(file).map_err(|error| Failure::input(&error))?;
    SigningKey::from_seed(&text).map_err(|error| Failure::wrong(format!("{}: {error}", file.display())))
}
