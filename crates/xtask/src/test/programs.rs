//! The test programs of the workspace, side by side. Most of a test is waiting: for a window to close, for a program that
//! it has killed, for a disk. One program after the other, with as many tests at once as there are processors, left more
//! than half of two processors idle.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use serde::Deserialize;

use super::counts::Counts;
use crate::{
    error::{Attempt, Error},
    place,
    workspace::{Unit, cargo, packages},
};

/// Programs that run at once, and tests in each for every processor.
const AT_ONCE: usize = 2;
const TESTS_PER_PROCESSOR: usize = 2;
/// libtest's own name for the latter; what is set is left as it is.
const THREADS: &str = "RUST_TEST_THREADS";

/// What runs as one: a test program, or all examples of the documentation.
struct Program {
    name: String,
    /// How to run it alone.
    alone: String,
    command: Command,
    /// The longest are begun first, so that none is left over at the end; how long is not known, but how large.
    size: u64,
}

/// cargo's word on what it built.
#[derive(Deserialize)]
struct Built {
    manifest_path: PathBuf,
    target: Unit,
    executable: Option<PathBuf>,
    profile: Profile,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds every test and runs it, with these variables set.
///
/// # Errors
/// When one does not build or fails; all are run all the same.
pub(super) fn run(told: &[(&str, PathBuf)], counts: &mut Counts) -> Result<(), Error> {
    let mut waiting = programs()?;
    waiting.sort_by_key(|program| program.size);
    let processors = thread::available_parallelism().map_or(2, usize::from);
    let threads = env::var(THREADS).unwrap_or_else(|_| (processors * TESTS_PER_PROCESSOR).to_string());
    for program in &mut waiting {
        program.command.env(THREADS, &threads).envs(told.iter().map(|(name, value)| (name, value)));
    }
    let logs = place::target().join("tests");
    fs::create_dir_all(&logs).attempt(format!("make {}", logs.display()))?;
    let waiting = Mutex::new(waiting);
    let done = Mutex::new((counts, Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(program) = next(&waiting) {
                    let alone = program.alone.clone();
                    let (said, outcome) = program.run(&logs);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    // Held meanwhile, so that what two of them say is not mixed.
                    println!("{said}");
                    said.lines().for_each(|line| done.0.take(line));
                    if let Err(why) = outcome {
                        eprintln!("{why}; alone: {alone}");
                        done.1.push(alone);
                    }
                }
            });
        }
    });
    let (counts, failed) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        return Err(Error::told(format!("{} test programs failed: {}", failed.len(), failed.join(", "))));
    }
    if counts.ran() { Ok(()) } else { Err(Error::told("no test ran")) }
}

fn next(waiting: &Mutex<Vec<Program>>) -> Option<Program> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

impl Program {
    /// Runs it, and gives all that it said.
    fn run(mut self, logs: &Path) -> (String, Result<(), Error>) {
        let began = Instant::now();
        let log = logs.join(format!("{}.log", self.name.replace(' ', "-")));
        let outcome = fs::File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .and_then(|(out, err)| self.command.stdin(Stdio::null()).stdout(out).stderr(err).status())
            .attempt(format!("run the tests {}", self.name))
            .and_then(|status| {
                if status.success() {
                    Ok(())
                } else {
                    Err(Error::told(format!("the tests {} failed ({status})", self.name)))
                }
            });
        let said = fs::read(&log).map(|said| String::from_utf8_lossy(&said).into_owned());
        let said = said.unwrap_or_default();
        let took = began.elapsed().as_secs_f64();
        (format!("-- {} --\n{}\n{}: {took:.1} s", self.name, said.trim(), self.name), outcome)
    }
}

/// Builds them.
fn programs() -> Result<Vec<Program>, Error> {
    let mut build = cargo(&["test", "--locked", "--workspace", "--no-run"]);
    build.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = build.output().attempt("run cargo test")?;
    if !output.status.success() {
        return Err(Error::told("the tests do not build"));
    }
    let packages = packages()?;
    let mut all = Vec::new();
    // Other messages have none of these fields.
    let said = String::from_utf8_lossy(&output.stdout);
    for built in said.lines().filter_map(|line| serde_json::from_str::<Built>(line).ok()) {
        let Some(executable) = built.executable.filter(|_| built.profile.test) else { continue };
        let package = packages.iter().find(|package| package.manifest_path == built.manifest_path);
        let (Some(package), Some(home)) = (package, built.manifest_path.parent()) else { continue };
        let mut command = Command::new(&executable);
        // As cargo runs them.
        command.current_dir(home).env("CARGO_MANIFEST_DIR", home).env("CARGO_PKG_NAME", &package.name);
        let own = built.target.kind.iter().any(|kind| kind == "test");
        let (name, which) = if own {
            (format!("{} {}", package.name, built.target.name), format!("--test {}", built.target.name))
        } else {
            (package.name.clone(), "--lib --bins".to_owned())
        };
        let alone = format!("cargo test --package {} {which}", package.name);
        let size = fs::metadata(&executable).map_or(0, |file| file.len());
        all.push(Program { name, alone, command, size });
    }
    if all.is_empty() {
        return Err(Error::told("cargo does not say where the tests are"));
    }
    let examples = ["test", "--locked", "--workspace", "--doc"];
    all.push(Program {
        name: "examples".to_owned(),
        alone: format!("cargo {}", examples.join(" ")),
        command: cargo(&examples),
        size: 0,
    });
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_kept_whole_and_whether_it_failed() {
        let logs = tempfile::tempdir().unwrap();
        let program = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Program { name: "a test".into(), alone: "cargo test".into(), command, size: 0 }
        };
        let (said, outcome) = program("echo one; echo two >&2").run(logs.path());
        assert!(said.starts_with("-- a test --\none\ntwo\na test: "), "{said}");
        assert!(outcome.is_ok());
        let (said, outcome) = program("echo three; exit 3").run(logs.path());
        assert!(said.contains("three"), "{said}");
        assert!(outcome.unwrap_err().to_string().contains("a test failed"));
    }
}
