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

/// The cargo that runs us, at the top of the repository. Of what it told us of our own package this one is not told: the
/// build script of `ring` looks there, and it and all that stands on it would be built anew.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(place::root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The `tocsin` program as it is built for tests of the whole workspace. Its own tests have it built; alone it would be
/// built with other features, and much with it.
///
/// # Errors
/// When it does not build.
pub(crate) fn tocsin() -> Result<PathBuf, Error> {
    let status = cargo(&["test", "--locked", "--quiet", "--workspace", "--no-run", "--test", "cli"])
        .status()
        .attempt("run cargo test")?;
    if !status.success() {
        return Err(Error::told("the tocsin program does not build"));
    }
    Ok(place::target().join("debug/tocsin"))
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
