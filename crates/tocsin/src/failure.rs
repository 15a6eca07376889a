//! What a failure looks like: to a person, its causes in one line; to a script, the exit code.

use std::{error::Error, process::ExitCode};

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was tried and did not come about.
    Failed,
    /// What was given cannot be used; nothing was tried. The same again would end the same: the units that we ship have
    /// systemd not start a service again that ended so.
    Input,
    /// The person or the system ended it.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Failed => 1,
            Exit::Input => 2,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command did not do what it was asked for. Every error becomes one by `?`; where the cause is what the person
/// gave, say so with [`Failure::input`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    what: Option<String>,
}

impl Failure {
    /// What was given cannot be used.
    pub(crate) fn input(error: &dyn Error) -> Self {
        Self { exit: Exit::Input, what: Some(chain(error)) }
    }

    /// As [`Self::input`], in words of the command's own, which say how to mend it.
    pub(crate) fn wrong(what: impl Into<String>) -> Self {
        Self { exit: Exit::Input, what: Some(what.into()) }
    }

    /// It failed, in words of the command's own, which say what to do.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: Some(what.into()) }
    }

    /// Everything has been told already; only the exit code is left.
    pub(crate) fn told(exit: Exit) -> Self {
        Self { exit, what: None }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// In words, where it is told in the course of something else.
    pub(crate) fn words(&self) -> &str {
        self.what.as_deref().unwrap_or_default()
    }

    /// Prints it for a person.
    pub(crate) fn tell(&self) {
        if let Some(what) = &self.what {
            // A closed stderr leaves the exit code to tell.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("tocsin: {what}\n").as_bytes());
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failed, what: Some(chain(&error)) }
    }
}

/// An error and its causes. A cause whose words its effect already repeats is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write {file}")]
    struct Outer {
        file: &'static str,
        source: io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot begin: {source}")]
    struct Repeating {
        source: Outer,
    }

    #[test]
    fn the_causes_are_joined_and_none_is_told_twice() {
        let outer = || Outer { file: "a.nk", source: io::Error::other("disk full") };
        assert_eq!(chain(&outer()), "cannot write a.nk: disk full");
        assert_eq!(chain(&Repeating { source: outer() }), "cannot begin: cannot write a.nk: disk full");
    }

    #[test]
    fn an_error_is_a_failure_and_bad_input_is_told_apart() {
        let failed: Failure = io::Error::other("disk full").into();
        assert_eq!(failed.exit(), Exit::Failed);
        assert_eq!(Failure::input(&io::Error::other("no such word")).exit(), Exit::Input);
    }
}
