//! Output for people and scripts: stdout.

use std::io::{self, Write as _};

use crate::failure::{Exit, Failure};

/// Prints text as it is, and flushes it. When nobody reads any more (`tocsin ... | head`), the command ends quietly.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Prints a line.
pub(crate) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// As [`text`], for what need not be text.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::told(Exit::Failed)),
        Err(error) => Err(Failure::failed(format!("cannot write the output: {error}"))),
    }
}

/// Tells a person something beside the output: on stderr, so that scripts need not take it apart.
pub(crate) fn note(text: &str) {
    // A closed stderr is nobody's loss.
    let _ = writeln!(io::stderr(), "{text}");
}
