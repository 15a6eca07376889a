//! The workspace as cargo knows it.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::{
    error::{Attempt, Error},
    place,
};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// One of our own packages.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Unit>,
}

/// What a package stands on.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Unless it is a usual one, which.
    pub(crate) kind: Option<String>,
}

/// A program or library of a package, or a test of it.
#[derive(Deserialize)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

/// The cargo that runs us, at the top of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(place::root()).stdin(Stdio::null());
    cargo
}

/// Our own packages.
///
/// # Errors
/// When cargo does not say.
pub(crate) fn packages() -> Result<Vec<Package>, Error> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .attempt("run cargo metadata")?;
    if !output.status.success() {
        return Err(Error::told(format!("cargo metadata failed ({})", output.status)));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).attempt("read what cargo metadata says")?;
    Ok(metadata.packages)
}
