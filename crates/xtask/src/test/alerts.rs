//! The alerts that we ship, tried by Prometheus' own tool. Whether each figure that they ask for is measured at all is held
//! by a test of the console, which needs no such tool.

use std::{io::ErrorKind, process::Command};

use super::pass;
use crate::{error::Error, place};

const TOOL: &str = "promtool";

/// Tries them where the tool is installed, and says so where it is not.
pub(super) fn run() -> Result<(), Error> {
    let looked = Command::new(TOOL).arg("--version").output();
    if looked.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        println!("{TOOL} is not installed (Debian has it in prometheus): the alerts were not tried");
        return Ok(());
    }
    for (what, file) in [
        ("check rules", "tocsin.rules.yml"),
        ("check config", "prometheus.yml"),
        ("test rules", "tocsin.test.yml"),
    ] {
        let mut tool = Command::new(TOOL);
        tool.args(what.split(' ')).arg(place::root().join("deploy/monitoring").join(file));
        pass(tool)?;
    }
    Ok(())
}
