//! Where a nats-server is that is new enough.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, shape::MINIMUM_SERVER, version::Version};

/// The program's name on the PATH.
const PROGRAM: &str = "nats-server";

/// Finds a nats-server of at least 2.12: the one that `NATS_SERVER` names, else the first on the `PATH`.
///
/// # Errors
/// [`Error::NoServer`] when there is none, or the one that `NATS_SERVER` names is too old or does not run.
pub fn find() -> Result<PathBuf, Error> {
    let missing = |why| Error::NoServer { wanted: MINIMUM_SERVER, why };
    if let Some(named) = env::var_os("NATS_SERVER").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return match fault(&named) {
            None => Ok(named),
            Some(fault) => Err(missing(format!("NATS_SERVER names {}, which {fault}", named.display()))),
        };
    }
    let mut seen = Vec::new();
    for directory in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        let program = directory.join(PROGRAM);
        if program.is_file() {
            match fault(&program) {
                None => return Ok(program),
                Some(fault) => seen.push(format!("{} {fault}", program.display())),
            }
        }
    }
    Err(missing(if seen.is_empty() {
        format!("NATS_SERVER is not set and there is no {PROGRAM} on the PATH")
    } else {
        seen.join("; ")
    }))
}

/// Why this program will not serve, if it will not.
fn fault(program: &Path) -> Option<String> {
    let output = match Command::new(program).arg("--version").output() {
        Ok(output) => output,
        Err(error) => return Some(format!("does not run: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match said.split_whitespace().find_map(Version::parse) {
        None => Some("does not tell its version, so it is no nats-server".to_owned()),
        Some(version) if version < Version::MINIMUM => Some(format!("is version {version}")),
        Some(_) => None,
    }
}
