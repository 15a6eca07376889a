//! What the browser tests need: Chromium, its driver, and axe-core.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::Error,
    place,
    wheel::{Carries, Wheel},
};

/// axe-core 4.12.1, as a wheel carries it: pip is needed already, npm is not.
const AXE: Wheel = Wheel {
    carries: Carries::File("axe_playwright_python/axe.min.js"),
    package: "axe-playwright-python",
    version: "0.1.8",
    platforms: &[("every platform", "fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8")],
    instead: "run the other steps alone: `cargo xtask test --help` names them",
};

/// The programs, and Debian's packages that have them.
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Makes sure of browser and driver, and tells the tests where the rest is.
///
/// # Errors
/// When one of them is missing and cannot be had.
pub(super) fn prepare(tests: &mut Command) -> Result<(), Error> {
    if let Some(missing) = missing() {
        install(missing)?;
        if let Some(missing) = self::missing() {
            return Err(Error::told(format!("{missing} is still missing after apt-get has installed it")));
        }
    }
    let axe = AXE.get(&place::target().join("axe-core"))?;
    let shots = place::target().join("browser");
    std::fs::create_dir_all(&shots)
        .map_err(|source| Error::io(format!("make {}", shots.display()), source))?;
    tests.env("TOCSIN_AXE", axe).env("TOCSIN_BROWSER", shots);
    Ok(())
}

fn missing() -> Option<&'static str> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    PROGRAMS.into_iter().find(|program| !folders.iter().any(|folder| folder.join(program).is_file()))
}

/// As root on Debian, which is what a build machine is; nowhere else is anything installed unasked.
fn install(missing: &str) -> Result<(), Error> {
    let by_hand = format!(
        "the browser tests need {missing}: put chromium and its chromedriver on the PATH (on Debian: apt-get install {}), \
         or run the other steps alone: `cargo xtask test --help` names them",
        PACKAGES.join(" ")
    );
    if !root() || !Path::new("/usr/bin/apt-get").is_file() {
        return Err(Error::told(by_hand));
    }
    eprintln!("Installing {} with apt-get, once.", PACKAGES.join(" and "));
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends"]] {
        let mut apt = Command::new("apt-get");
        apt.arg("--quiet=2").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        if arguments[0] == "install" {
            apt.args(PACKAGES);
        }
        super::pass(apt).map_err(|why| Error::told(format!("{why}; {by_hand}")))?;
    }
    Ok(())
}

/// Whether this is root: the shell's own word, since asking the system takes unsafe code.
fn root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|said| said.stdout.trim_ascii() == b"0")
}
