//! The Kubernetes manifests that we ship, held against Kubernetes' own schemas, which a package on PyPI carries. No cluster is
//! asked. That each calls the program as it may be called is held by a test of the program.

use std::{fs, process::Command};

use super::pass;
use crate::{
    error::{Attempt, Error},
    place, python,
};

/// The version of Kubernetes whose schemas they must fit.
const VERSION: &str = "1.37";

/// Looks through them.
pub(super) fn run() -> Result<(), Error> {
    let shipped = place::root().join("deploy/kubernetes");
    let mut manifests: Vec<_> = fs::read_dir(&shipped)
        .and_then(|files| files.map(|file| file.map(|file| file.path())).collect())
        .attempt(format!("list {}", shipped.display()))?;
    manifests.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    manifests.sort();
    let mut check = Command::new("python3");
    check.args(["-m", "kubernetes_validate", "--strict", "--quiet", "--kubernetes-version", VERSION]);
    check.args(&manifests).env("PYTHONPATH", python::kubernetes_schemas(VERSION)?);
    pass(check)?;
    println!("{} manifests fit the schemas of Kubernetes {VERSION}", manifests.len());
    Ok(())
}
