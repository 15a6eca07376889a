//! The binary, as every test of it runs it.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

/// Longer than anything here takes on the slowest machine: only a failure waits so long.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// The command, in a directory of its own, with a spool of its own and nothing of the tester's environment that would
/// steer it.
pub(crate) fn tocsin(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
    command.current_dir(dir).args(arguments);
    for (name, _) in std::env::vars() {
        if (name.starts_with("NATS_") && name != "NATS_SERVER")
            || name.starts_with("TOCSIN_")
            || name == "RUST_LOG"
        {
            command.env_remove(name);
        }
    }
    command.env("XDG_STATE_HOME", dir.join("state"));
    command
}

/// Runs it, and it must go well.
pub(crate) fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
