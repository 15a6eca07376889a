//! The systemd units that we ship, looked through by systemd's own tool. That each calls the program as it may be called
//! is held by a test of the program, which needs no such tool.

use std::{
    fs,
    io::ErrorKind,
    process::{Command, Stdio},
};

use super::pass;
use crate::{
    error::{Attempt, Error},
    place,
};

const TOOL: &str = "systemd-analyze";
/// In tenths, what `systemd-analyze security` may find exposed at most: it must be under 2.0.
const EXPOSED_MOST: &str = "--threshold=19";
/// The oldest that looks at a file rather than at what runs.
const OLDEST: u32 = 250;

/// Looks through them where the tool is installed, and says so where it is not.
pub(super) fn run() -> Result<(), Error> {
    let looked = match Command::new(TOOL).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("{TOOL} is not installed (Debian has it in systemd): the units were not looked through");
            return Ok(());
        }
        looked => looked.attempt(format!("run {TOOL}"))?,
    };
    let told = String::from_utf8_lossy(&looked.stdout);
    let version = told.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    if version.is_none_or(|version: u32| version < OLDEST) {
        println!("{TOOL} is older than {OLDEST}: the units were not looked through");
        return Ok(());
    }
    let shipped = place::root().join("deploy/systemd");
    let mut units: Vec<_> = fs::read_dir(&shipped)
        .and_then(|files| files.map(|file| file.map(|file| file.path())).collect())
        .attempt(format!("list {}", shipped.display()))?;
    units.retain(|unit| unit.extension().is_some_and(|end| end == "service" || end == "timer"));
    units.sort();
    for unit in &units {
        let mut verify = Command::new(TOOL);
        verify.args(["verify", "--man=no"]).arg(unit).stdin(Stdio::null());
        let told = verify.output().attempt(format!("run {TOOL}"))?.stderr;
        let told = String::from_utf8_lossy(&told);
        // The programs are not installed here.
        if let Some(wrong) = told.lines().find(|line| !line.contains(" is not executable: ")) {
            return Err(Error::told(format!("{TOOL} verify {}: {wrong}", unit.display())));
        }
        if unit.extension().is_some_and(|end| end == "service") {
            let mut security = Command::new(TOOL);
            security.args(["security", "--offline=true", "--no-pager", EXPOSED_MOST]).arg(unit);
            security.stdout(Stdio::null());
            pass(security)?;
        }
    }
    println!("{} units were looked through", units.len());
    Ok(())
}
