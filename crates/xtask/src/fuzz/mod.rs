//! Fuzzing by command: every target that a test of any package holds, for as long as is wanted.
//!
//! A target is a test that calls `tocsin_fuzz::check`. Where a C++ compiler is at hand, the tests are built with
//! LLVM's coverage counters and libFuzzer drives them; on stable Rust, as the counters are an LLVM pass and no
//! sanitizer is used. Where there is none, the same tests run with changed seeds and noise, which is said.

mod build;
mod figures;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use build::{Engine, Target};

use crate::{
    error::{Attempt, Error},
    place,
};

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Minutes for each target.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Only these targets; all of them if none is named.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Give one target this one file and nothing else: to see again what broke it.
    #[arg(long, value_name = "FILE", requires = "targets", conflicts_with = "minutes")]
    input: Option<PathBuf>,
    /// Without coverage, even where libFuzzer can be built.
    #[arg(long)]
    random: bool,
    /// Tell the targets' names.
    #[arg(long)]
    list: bool,
}

/// How the harness is told of the one file, and of its time.
const INPUT: &str = "TOCSIN_FUZZ_INPUT";
const MILLISECONDS: &str = "TOCSIN_FUZZ_MILLISECONDS";

/// The memory that one input may take, in MiB.
const MEMORY: u32 = 2048;
/// The time that one input may take, in seconds.
const SLOWEST: u32 = 20;
/// The longest input, in bytes.
const LONGEST: u32 = 65_536;

/// Fuzzes.
///
/// # Errors
/// When a target does not build, is not known, or is broken by an input.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let engine = engine(options)?;
    let all = build::targets(&engine)?;
    if options.list {
        for Target { name, package, test, .. } in &all {
            println!("{name:<16} {package}: {test}");
        }
        return Ok(());
    }
    let chosen = chosen(&all, &options.targets)?;
    if let Some(input) = &options.input {
        let input = std::path::absolute(input).attempt(format!("find {}", input.display()))?;
        return chosen.into_iter().try_for_each(|target| replay(target, &input));
    }
    let time = Duration::try_from_secs_f64(options.minutes * 60.0)
        .map_err(|_| Error::told("--minutes should be a number of minutes, such as 10 or 0.5"))?;
    let mut broken = Vec::new();
    println!("{}", figures::HEAD);
    for target in &chosen {
        let outcome = match engine {
            Engine::Guided { .. } => guided(target, time),
            Engine::Random => random(target, time),
        };
        match outcome {
            Ok(figures) => println!("{:<16} {figures}", target.name),
            Err(error) => {
                eprintln!("{}: {error}", target.name);
                broken.push(target.name.as_str());
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Error::told(format!("broken: {}", broken.join(", ")))) }
}

/// The short run of `cargo xtask test`: every target for about a second, as plain tests, as many at once as there are processors.
///
/// # Errors
/// When a target is broken by an input.
pub(crate) fn short() -> Result<(), Error> {
    let targets = build::targets(&Engine::Random)?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    for together in targets.chunks(processors) {
        let outcomes: Vec<_> = thread::scope(|scope| {
            let run = |target| scope.spawn(move || random(target, Duration::from_millis(700)));
            let running: Vec<_> = together.iter().map(run).collect();
            running.into_iter().map(ScopedJoinHandle::join).collect()
        });
        for (target, outcome) in together.iter().zip(outcomes) {
            let figures = outcome.map_err(|_| Error::told("the target could not be waited for"))??;
            println!("{:<16} {figures}", target.name);
        }
    }
    Ok(())
}

fn engine(options: &Options) -> Result<Engine, Error> {
    if options.random || options.input.is_some() || options.list {
        return Ok(Engine::Random);
    }
    match build::compiler() {
        Ok(()) => Ok(Engine::Guided { host: build::host()? }),
        Err(why) => {
            eprintln!(
                "Not guided by coverage: libFuzzer needs a C++ compiler ({why}). Set CXX, or install one (on Debian: \
                 apt-get install g++). Going on with changed seeds and noise."
            );
            Ok(Engine::Random)
        }
    }
}

fn chosen<'t>(all: &'t [Target], names: &[String]) -> Result<Vec<&'t Target>, Error> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            all.iter().find(|target| target.name == *name).ok_or_else(|| {
                let known: Vec<_> = all.iter().map(|target| target.name.as_str()).collect();
                Error::told(format!("there is no target {name}: the targets are {}", known.join(", ")))
            })
        })
        .collect()
}

fn replay(target: &Target, input: &Path) -> Result<(), Error> {
    let status = target.command().env(INPUT, input).status().attempt("run the target")?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::told(format!("{} is broken by {}", target.name, input.display())))
    }
}

fn random(target: &Target, time: Duration) -> Result<figures::Figures, Error> {
    let output = target
        .command()
        .env(MILLISECONDS, time.as_millis().to_string())
        .stderr(Stdio::inherit())
        .output()
        .attempt("run the target")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        print!("{said}");
        return Err(Error::told(format!("broken ({})", output.status)));
    }
    figures::random(&said).ok_or_else(|| Error::told(format!("it did not say what it did: {said}")))
}

/// Lets libFuzzer drive. What it learns stays under `target/fuzz/corpus`, and the next run begins there.
fn guided(target: &Target, time: Duration) -> Result<figures::Figures, Error> {
    let here = place::target().join("fuzz");
    let (corpus, found) = (here.join("corpus").join(&target.name), here.join("found"));
    for folder in [&corpus, &found] {
        fs::create_dir_all(folder).attempt(format!("make {}", folder.display()))?;
    }
    let log = here.join(format!("{}.log", target.name));
    let told = fs::File::create(&log).attempt(format!("write {}", log.display()))?;
    let also = told.try_clone().attempt(format!("write {}", log.display()))?;
    let near = |path: &Path| path.strip_prefix(place::root()).unwrap_or(path).display().to_string();
    let arguments = [
        near(&corpus),
        format!("-artifact_prefix={}/{}-", near(&found), target.name),
        format!("-max_total_time={}", time.as_secs().max(1)),
        format!("-timeout={SLOWEST}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-max_len={LONGEST}"),
        "-print_final_stats=1".to_owned(),
    ];
    let status = target
        .command()
        .env("BOLERO_TEST_NAME", &target.test)
        .env("BOLERO_LIBTEST_HARNESS", "1")
        .env("BOLERO_LIBFUZZER_ARGS", arguments.join(" "))
        .stdout(told)
        .stderr(also)
        .status()
        .attempt("run the target")?;
    let said = fs::read(&log).attempt(format!("read {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    if status.success()
        && let Some(figures) = figures::guided(&said)
    {
        return Ok(figures);
    }
    let kept = said.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, file)| file);
    let replay =
        kept.map(|file| format!("; see it again: cargo xtask fuzz --target {} --input {file}", target.name));
    Err(Error::told(format!("broken ({status}), told in {}{}", log.display(), replay.unwrap_or_default())))
}

impl Target {
    /// The test program, to run this target alone.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args([&self.test, "--exact", "--nocapture", "--test-threads", "1"]);
        command.current_dir(place::root()).stdin(Stdio::null());
        command
    }
}
