//! The harness of every fuzz target: a parser of outside bytes, and the promise that no bytes break.
//!
//! A target is a test that calls [`check`]. As a plain test it first takes every input that once broke it and every
//! seed as it stands, and then, for a short time, changed seeds and noise (bolero's random engine). `cargo xtask fuzz`
//! builds the same test with coverage and lets libFuzzer drive it for as long as is wanted; both are on stable Rust.
//!
//! It may touch files under `target/fuzz` and read `tests/fuzz`, `schemas` and `deploy`. It knows none of Tocsin's
//! words and is a dependency of tests alone.

mod change;
mod choices;
mod seeds;

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    panic::RefUnwindSafe,
    path::PathBuf,
    process,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

pub use choices::Choices;
pub use seeds::{files, text};

use change::Changed;

/// How long each target runs as a plain test, in milliseconds; a fifth of a second when not given.
const MILLISECONDS: &str = "TOCSIN_FUZZ_MILLISECONDS";
/// The one file that the target is to be given, and nothing else.
const INPUT: &str = "TOCSIN_FUZZ_INPUT";
/// Set to have each target tell its name and test instead of running.
const LIST: &str = "TOCSIN_FUZZ_LIST";
/// How bolero hands libFuzzer its arguments; set only where libFuzzer drives.
const GUIDED: &str = "BOLERO_LIBFUZZER_ARGS";

/// The longest input made by chance, in bytes: past the bound of an event's body.
const LONGEST: usize = 64 * 1024;

/// Holds a promise against bytes: `test` panics on the ones that break it.
///
/// `name` names the target for `cargo xtask fuzz --target` and its files; `seeds` are inputs that lead far into the
/// code under test.
///
/// # Panics
/// When an input breaks the promise. It is left under `target/fuzz/found`, and what replays it is told.
pub fn check(name: &'static str, seeds: Vec<Vec<u8>>, test: impl Fn(&[u8]) + RefUnwindSafe) {
    if env::var_os(LIST).is_some() {
        println!("fuzz-target {name} {}", thread::current().name().unwrap_or_default());
        return;
    }
    let run = |bytes: &[u8]| {
        let _kept = Kept { name, bytes };
        test(bytes);
    };
    if let Some(input) = env::var_os(INPUT) {
        let bytes = fs::read(&input).unwrap_or_else(|why| panic!("cannot read {}: {why}", input.display()));
        run(&bytes);
        println!("{name}: {} bytes did no harm", bytes.len());
        return;
    }
    let known = seeds::regressions(name);
    if env::var_os(GUIDED).is_some() {
        plant(name, known.iter().chain(&seeds));
        bolero::check!(name = name).with_shrink_time(Duration::ZERO).for_each(|bytes: &[u8]| run(bytes));
        return;
    }
    let start = Instant::now();
    for bytes in known.iter().chain(&seeds) {
        run(bytes);
    }
    let executions = AtomicUsize::new(known.len() + seeds.len());
    let longest = seeds.iter().map(Vec::len).max().unwrap_or_default().max(LONGEST);
    let milliseconds = env::var(MILLISECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    bolero::check!(name = name)
        .with_generator(Changed { seeds, longest })
        .with_test_time(Duration::from_millis(milliseconds))
        .with_shrink_time(Duration::from_secs(1))
        .for_each(|bytes: &Vec<u8>| {
            executions.fetch_add(1, Ordering::Relaxed);
            run(bytes);
        });
    println!("{name}: {} inputs in {:.1} s", executions.into_inner(), start.elapsed().as_secs_f64());
}

/// Leaves the bytes behind when the test panics on them: of those that one run finds, the shortest.
struct Kept<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if !thread::panicking() || env::var_os(INPUT).is_some() {
            return;
        }
        let found = place().join("found");
        let file = found.join(format!("{}-{}", self.name, process::id()));
        if fs::metadata(&file).is_ok_and(|there| there.len() <= self.bytes.len() as u64) {
            return;
        }
        match fs::create_dir_all(&found).and_then(|()| fs::write(&file, self.bytes)) {
            Ok(()) => eprintln!(
                "{0}: broken by {1} bytes; see it again: cargo xtask fuzz --target {0} --input {2}",
                self.name,
                self.bytes.len(),
                file.display()
            ),
            Err(why) => eprintln!("{}: cannot keep the input at {}: {why}", self.name, file.display()),
        }
    }
}

/// Where all that fuzzing makes is left.
fn place() -> PathBuf {
    let root = seeds::root();
    match env::var_os("CARGO_TARGET_DIR") {
        Some(named) if !named.is_empty() => root.join(named),
        _ => root.join("target"),
    }
    .join("fuzz")
}

/// Puts seeds where libFuzzer begins from.
fn plant<'s>(name: &str, seeds: impl Iterator<Item = &'s Vec<u8>>) {
    let corpus = place().join("corpus").join(name);
    let planted = fs::create_dir_all(&corpus).and_then(|()| {
        seeds.into_iter().try_for_each(|bytes| {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            fs::write(corpus.join(format!("seed-{:016x}", hasher.finish())), bytes)
        })
    });
    if let Err(why) = planted {
        panic!("cannot write the seeds to {}: {why}", corpus.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_is_broken_fails_and_its_input_is_kept() {
        let outcome = std::panic::catch_unwind(|| {
            check("self-test", vec![b"{\"a\":1}".to_vec()], |bytes| assert!(!bytes.contains(&b'Z')));
        });
        assert!(outcome.is_err(), "a fifth of a second of chance finds one letter");
        let file = place().join("found").join(format!("self-test-{}", process::id()));
        assert!(fs::read(&file).unwrap().contains(&b'Z'));
        fs::remove_file(file).unwrap();
    }
}
