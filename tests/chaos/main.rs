//! `cargo xtask chaos`, and the processes of many desks that it starts.

use std::{env, path::Path, process::ExitCode, time::Duration};

use tocsin_tests::chaos::{Options, chaos, desks};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(why) => return told(&why.to_string()),
    };
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["desks", file] => {
            runtime.block_on(desks(Path::new(file)));
            ExitCode::SUCCESS
        }
        ["run", seed, seconds, keep, ref more @ ..] => {
            let (Ok(seed), Ok(seconds)) = (seed.parse(), seconds.parse()) else {
                return told("the seed is a number, and so are the seconds");
            };
            let Ok(time) = Duration::try_from_secs_f64(seconds) else { return told("no such time") };
            let (quiet, deliveries) = (more.contains(&"quiet"), !more.contains(&"short"));
            let options = Options { seed, time, quiet, deliveries, keep: keep.into() };
            match runtime.block_on(chaos(&options)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => told(&why),
            }
        }
        _ => told("run it by `cargo xtask chaos`"),
    }
}

fn told(why: &str) -> ExitCode {
    eprintln!("chaos: {why}");
    ExitCode::FAILURE
}
