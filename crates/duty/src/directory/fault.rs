//! What is wrong with a directory, and where.

use std::fmt;

/// What is wrong with a directory, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as the caller named it.
    pub file: String,
    /// The line in it, from 1; none when the directory did not come from a file.
    pub line: Option<usize>,
    /// Whether the directory cannot be used so.
    pub gravity: Gravity,
    /// What is wrong, and how to mend it.
    pub what: String,
}

/// How grave a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The directory is refused.
    Error,
    /// The directory can be used; somebody should look.
    Warning,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(if self.gravity == Gravity::Warning { ": warning: " } else { ": " })?;
        f.write_str(&self.what)
    }
}

/// A fault before its file and line are known.
#[derive(Debug)]
pub(super) struct Found {
    /// The place in the document.
    pub(super) place: Place,
    pub(super) gravity: Gravity,
    pub(super) what: String,
}

impl Found {
    pub(super) fn at(self, file: String, line: Option<usize>) -> Fault {
        Fault { file, line, gravity: self.gravity, what: self.what }
    }
}

/// A place in a directory document.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) section: Section,
    /// Which entry of the section.
    pub(super) index: usize,
    /// The way from there, as far as the file has it.
    pub(super) path: Vec<Step>,
}

/// A part of a directory document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    /// The fields at the top.
    Top,
    Areas,
    Publishers,
    Monitors,
    Exercises,
    Recipients,
    Policies,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Nth(usize),
}

impl Place {
    pub(super) fn new(section: Section, index: usize) -> Self {
        Self { section, index, path: Vec::new() }
    }

    pub(super) fn field(mut self, name: &str) -> Self {
        self.path.push(Step::Field(name.to_owned()));
        self
    }

    pub(super) fn nth(mut self, index: usize) -> Self {
        self.path.push(Step::Nth(index));
        self
    }

    pub(super) fn error(self, what: String) -> Found {
        Found { place: self, gravity: Gravity::Error, what }
    }

    pub(super) fn warning(self, what: String) -> Found {
        Found { place: self, gravity: Gravity::Warning, what }
    }
}
