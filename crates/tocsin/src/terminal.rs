//! Asking a person at the terminal. Questions go to stderr, so that stdout stays what the command tells.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use crate::failure::{Exit, Failure};

/// The longest answer that is read.
const ANSWER_MAX: u64 = 16 * 1024;

/// Whether somebody is there to be asked.
pub(crate) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Tells something that is no output: what a person needs to answer.
pub(crate) fn tell(text: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Asks, and waits for one line. At the end of the input the command ends: nothing is taken as agreed.
pub(crate) async fn ask(question: &str) -> Result<String, Failure> {
    tell(question);
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().take(ANSWER_MAX).read_line(&mut answer).map(|read| (read, answer))
    });
    match read.await?? {
        (0, _) => {
            tell("\nnothing was sent\n");
            Err(Failure::told(Exit::Interrupted))
        }
        (_, answer) => Ok(answer.trim().to_owned()),
    }
}

/// Asks until the answer can be used; what is wrong with it is told.
pub(crate) async fn ask_until<T>(
    question: &str,
    mut judge: impl FnMut(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    loop {
        match judge(&ask(question).await?) {
            Ok(taken) => return Ok(taken),
            Err(why) => tell(&format!("  {why}\n")),
        }
    }
}
