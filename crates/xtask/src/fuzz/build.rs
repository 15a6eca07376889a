//! The test programs that hold targets: found by who depends on the harness, built, and asked for their targets.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::{
    error::{Attempt, Error},
    place,
    workspace::{Package, Unit, cargo, packages},
};

/// What drives the targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Engine {
    /// libFuzzer, by coverage, in programs for this host.
    Guided {
        /// rustc's name for it.
        host: String,
    },
    /// bolero's random engine, in plain test programs.
    Random,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: String,
    /// The package whose test it is.
    pub(super) package: String,
    /// The test's path in its program.
    pub(super) test: String,
    /// The program.
    pub(super) program: PathBuf,
}

/// How the harness is asked for its targets.
const LIST: &str = "TOCSIN_FUZZ_LIST";

/// LLVM's counters, and what bolero looks for. None of it is a flag of nightly Rust.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "--cfg=fuzzing_libfuzzer",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

impl Package {
    /// The one unit of it that holds targets: the test `fuzz`, else the package's own unit tests.
    fn unit(&self) -> Option<&Unit> {
        let of = |kind: &str| self.targets.iter().find(|unit| unit.is(kind));
        let whole = self.targets.iter().find(|unit| unit.is("test") && unit.name == "fuzz");
        whole.or_else(|| of("lib")).or_else(|| of("bin"))
    }
}

impl Unit {
    fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|known| known == kind)
    }

    /// cargo's words for it.
    fn arguments(&self) -> Vec<&str> {
        if self.is("test") {
            vec!["--test", &self.name]
        } else if self.is("bin") {
            vec!["--bin", &self.name]
        } else {
            vec!["--lib"]
        }
    }

    /// The part of a test's path that all its targets have.
    fn filter(&self) -> &'static str {
        if self.is("test") { "" } else { "fuzz::" }
    }
}

/// Builds the test programs, and asks each for its targets; by name.
pub(super) fn targets(engine: &Engine) -> Result<Vec<Target>, Error> {
    let packages = users()?;
    let programs = programs(engine, &packages)?;
    let mut all = BTreeMap::new();
    for package in &packages {
        let Some(unit) = package.unit() else { continue };
        let built = programs.iter().find(|built| {
            built.manifest_path == package.manifest_path
                && built.target.name == unit.name
                && built.target.kind == unit.kind
        });
        let program = built.and_then(|built| built.executable.as_ref()).ok_or_else(|| {
            Error::told(format!("cargo does not say where the tests of {} are", package.name))
        })?;
        for (name, test) in listed(program, unit.filter())? {
            let target =
                Target { name: name.clone(), package: package.name.clone(), test, program: program.clone() };
            if let Some(other) = all.insert(name, target) {
                return Err(Error::told(format!(
                    "two targets are called {}: {} in {} is one",
                    other.name, other.test, other.package
                )));
            }
        }
    }
    if all.is_empty() { Err(Error::told("there is no target")) } else { Ok(all.into_values().collect()) }
}

/// The packages whose tests use the harness.
fn users() -> Result<Vec<Package>, Error> {
    let mut packages = packages()?;
    packages.retain(|package| {
        package
            .dependencies
            .iter()
            .any(|known| known.name == "tocsin-fuzz" && known.kind.as_deref() == Some("dev"))
    });
    Ok(packages)
}

/// What cargo built.
#[derive(Deserialize)]
struct Built {
    manifest_path: PathBuf,
    target: Unit,
    executable: Option<PathBuf>,
}

/// Builds the test programs, in one go: what they share is then built once.
fn programs(engine: &Engine, packages: &[Package]) -> Result<Vec<Built>, Error> {
    let mut build = cargo(&["test", "--locked", "--no-run", "--message-format", "json-render-diagnostics"]);
    let units: BTreeSet<_> = packages.iter().filter_map(Package::unit).map(Unit::arguments).collect();
    build.args(units.into_iter().flatten());
    match engine {
        // As `cargo test --workspace` builds them, which is built mostly.
        Engine::Random => drop(build.arg("--workspace")),
        Engine::Guided { host } => {
            for package in packages {
                build.args(["--package", &package.name]);
            }
            // With a host named, build scripts and macros are built without the counters, which they could not link.
            let home = place::target().join("fuzz/build");
            build.args(["--profile", "fuzz", "--target", host, "--target-dir"]).arg(home);
            build.env("RUSTFLAGS", FLAGS.join(" "));
        }
    }
    let output = build.stderr(Stdio::inherit()).output().attempt("run cargo test")?;
    if !output.status.success() {
        return Err(Error::told("the targets do not build"));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    // Other messages have none of these fields.
    let all = said.lines().filter_map(|line| serde_json::from_str::<Built>(line).ok());
    Ok(all.filter(|one| one.executable.is_some()).collect())
}

/// The targets of a test program: name and test.
fn listed(program: &PathBuf, filter: &str) -> Result<Vec<(String, String)>, Error> {
    let mut list = Command::new(program);
    // Two threads, so that each test has one of its own, which knows its name.
    list.args(["--nocapture", "--test-threads", "2"]).env(LIST, "1");
    if !filter.is_empty() {
        list.arg(filter);
    }
    let output = list.output().attempt(format!("run {}", program.display()))?;
    if !output.status.success() {
        return Err(Error::told(format!(
            "{} cannot tell its targets ({})",
            program.display(),
            output.status
        )));
    }
    Ok(targets_in(&String::from_utf8_lossy(&output.stdout)))
}

/// libtest may have begun the line with words of its own.
fn targets_in(said: &str) -> Vec<(String, String)> {
    said.lines()
        .filter_map(|line| line.split_once("fuzz-target ")?.1.split_once(' '))
        .map(|(name, test)| (name.to_owned(), test.trim().to_owned()))
        .collect()
}

/// Whether there is a C++ compiler, found as the `cc` crate finds it.
pub(super) fn compiler() -> Result<(), String> {
    let named = env::var_os("CXX").filter(|name| !name.is_empty()).unwrap_or_else(|| "c++".into());
    match Command::new(&named).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} ends with {status}", named.display())),
        Err(why) => Err(format!("{}: {why}", named.display())),
    }
}

/// rustc's name for this machine.
pub(super) fn host() -> Result<String, Error> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).arg("-vV").current_dir(place::root()).output().attempt("run rustc -vV")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Error::told("rustc -vV does not say which host it is on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_wherever_its_line_begins() {
        let said =
            "\nrunning 2 tests\ntest a ... fuzz-target subject words::a_b\nok\nfuzz-target key words::c\n";
        let found: Vec<_> = targets_in(said).into_iter().map(|(name, test)| name + " " + &test).collect();
        assert_eq!(found, ["subject words::a_b", "key words::c"]);
    }
}
