//! What a failed run leaves behind.

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    checker::{Entry, Evidence, Finding},
    world::World,
};

/// Keeps both streams, the mails, what was found and every log in this directory, and nothing of an earlier run of the
/// same seed. Private keys stay out of it.
pub(super) fn keep(home: &Path, findings: &[Finding], evidence: Option<&Evidence>, world: &World) -> PathBuf {
    let _ = fs::remove_dir_all(home);
    fs::create_dir_all(home).unwrap();
    let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
    fs::write(home.join("found.txt"), found.join("\n")).unwrap();
    if let Some(Evidence { said, log, mails, told, .. }) = evidence {
        entries(&home.join("said.txt"), said);
        entries(&home.join("log.txt"), log);
        let lines: Vec<String> = mails.iter().map(|mail| format!("{mail:?}")).collect();
        fs::write(home.join("mails.txt"), lines.join("\n")).unwrap();
        let lines: Vec<String> = told.iter().map(|told| format!("{told:?}")).collect();
        fs::write(home.join("told.txt"), lines.join("\n")).unwrap();
    }
    for process in world.processes() {
        let _ = fs::copy(process.log(), home.join(format!("{}.log", process.name)));
    }
    home.to_owned()
}

fn entries(file: &Path, entries: &[Entry]) {
    let mut out = BufWriter::new(fs::File::create(file).unwrap());
    for Entry { sequence, at, subject, body, .. } in entries {
        writeln!(out, "{sequence} {at} {subject} {}", String::from_utf8_lossy(body)).unwrap();
    }
}
