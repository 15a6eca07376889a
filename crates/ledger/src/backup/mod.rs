//! Both streams as the broker itself keeps them, in a directory: taken, looked at, and put back.
//!
//! The broker's own snapshots are what is kept, so that what comes back is what was: sequences, times, headers, the
//! windows that are armed, and how far each consumer had come. What is in them is the broker's affair.
//!
//! `TOCSIN_LOG` is taken first. What is said while it is taken is then in the back-up, with nothing following from it
//! yet, as after the death of every router; the other way round, the log would rest on what nobody said.

mod manifest;
mod put;
mod take;

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use tocsin_protocol::{Stream, Timestamp};

use crate::Error;
use manifest::{Manifest, Part};

/// The order in which streams are taken; they are put back the other way round.
const ORDER: [Stream; 2] = [Stream::Log, Stream::Said];

/// What lists the parts; it is written last.
const MANIFEST: &str = "backup.json";

/// The most that a manifest may hold, in bytes.
const MANIFEST_MOST: u64 = 1 << 20;

/// What is sent of a part at a time: the broker's own measure.
const CHUNK: usize = 128 * 1024;

/// A whole back-up in a directory.
#[derive(Debug, Clone)]
pub struct Backup {
    dir: PathBuf,
    manifest: Manifest,
}

impl Backup {
    /// Looks at a back-up: every part must be there, whole and unaltered.
    ///
    /// # Errors
    /// [`Error::Backup`], with what is wrong with it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let file = dir.join(MANIFEST);
        let opened = File::open(&file).map_err(|why| match why.kind() {
            ErrorKind::NotFound => unfit(
                dir,
                format!("it has no {MANIFEST}, so it is none, or was not finished: take another one"),
            ),
            _ => unfit(dir, format!("{MANIFEST} cannot be read: {why}")),
        })?;
        let mut text = String::new();
        opened
            .take(MANIFEST_MOST)
            .read_to_string(&mut text)
            .map_err(|why| unfit(dir, format!("{MANIFEST} cannot be read: {why}")))?;
        let manifest = Manifest::read(&text).map_err(|why| unfit(dir, why))?;
        let backup = Self { dir: dir.to_owned(), manifest };
        for stream in ORDER {
            backup.look_at(stream)?;
        }
        Ok(backup)
    }

    fn look_at(&self, stream: Stream) -> Result<(), Error> {
        let part = self.part(stream)?;
        let cannot = |why: io::Error| unfit(&self.dir, format!("{} cannot be read: {why}", file_of(stream)));
        let mut opened = File::open(self.file(stream)).map_err(cannot)?;
        let mut digest = Sha256::new();
        let bytes = io::copy(&mut opened, &mut digest).map_err(cannot)?;
        if bytes == part.bytes && HEXLOWER.encode(&digest.finalize()) == part.sha256 {
            return Ok(());
        }
        let why = format!(
            "{} is not as it was written ({bytes} bytes, {} then): it was altered or damaged; take another copy of the back-up, or an older one",
            file_of(stream),
            part.bytes
        );
        Err(unfit(&self.dir, why))
    }

    /// The broker's time when it was taken.
    pub fn taken_at(&self) -> Timestamp {
        self.manifest.taken_at
    }

    /// The version of the nats-server that it was taken from. An older one may not take it back.
    pub fn server(&self) -> &str {
        &self.manifest.server
    }

    /// How many entries of a stream are in it.
    pub fn entries(&self, stream: Stream) -> u64 {
        self.part(stream).map_or(0, |part| part.state.messages)
    }

    /// The last sequence of a stream in it.
    pub fn last_sequence(&self, stream: Stream) -> u64 {
        self.part(stream).map_or(0, |part| part.state.last_seq)
    }

    /// How large it is.
    pub fn bytes(&self) -> u64 {
        self.manifest.streams.values().map(|part| part.bytes).sum()
    }

    fn part(&self, stream: Stream) -> Result<&Part, Error> {
        let part = self.manifest.streams.get(stream.name());
        part.ok_or_else(|| unfit(&self.dir, format!("{MANIFEST} does not tell of stream {}", stream.name())))
    }

    fn file(&self, stream: Stream) -> PathBuf {
        self.dir.join(file_of(stream))
    }
}

/// The name of a stream's part: never as a manifest says.
fn file_of(stream: Stream) -> String {
    format!("{}.snapshot", stream.name())
}

fn unfit(dir: &Path, why: String) -> Error {
    Error::Backup { what: dir.display().to_string(), why }
}

/// Makes a directory that its owner alone may look into.
fn make(dir: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|why| match why.kind() {
        ErrorKind::AlreadyExists => unfit(
            dir,
            "it is there already: name a directory that is not, so that nothing is overwritten".to_owned(),
        ),
        _ => unfit(dir, format!("it cannot be made: {why}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dir: &Path) -> PathBuf {
        let dir = dir.join("backup");
        make(&dir).unwrap();
        let parts = ORDER.map(|stream| {
            let body = stream.name().repeat(3);
            fs::write(dir.join(file_of(stream)), &body).unwrap();
            format!(
                r#""{}": {{"bytes": {}, "sha256": "{}", "state": {{"messages": 3, "first_seq": 1, "last_seq": 3, "bytes": 7}}}}"#,
                stream.name(),
                body.len(),
                HEXLOWER.encode(&Sha256::digest(&body))
            )
        });
        let text = format!(
            r#"{{"backup_version": 1, "taken_at": "2026-01-01T00:00:00Z", "server": "2.15.1", "streams": {{{}}}}}"#,
            parts.join(", ")
        );
        fs::write(dir.join(MANIFEST), text).unwrap();
        dir
    }

    #[test]
    fn a_backup_that_is_whole_is_taken_for_what_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let backup = Backup::open(&written(temp.path())).unwrap();
        assert_eq!((backup.entries(Stream::Said), backup.last_sequence(Stream::Log)), (3, 3));
        assert_eq!((backup.bytes(), backup.server()), (63, "2.15.1"));
    }

    #[test]
    fn a_backup_that_was_altered_cut_or_not_finished_is_refused() {
        type Spoil = fn(&Path);
        let said = file_of(Stream::Said);
        let spoils: [(&str, Spoil, &str); 5] = [
            (
                &said,
                |file| fs::write(file, "TOCSIN_SAIDTOCSIN_SAIDTOCSIN_SAiD").unwrap(),
                "altered or damaged",
            ),
            (&said, |file| fs::write(file, "TOCSIN_SAID").unwrap(), "altered or damaged"),
            (&said, |file| fs::remove_file(file).unwrap(), "cannot be read"),
            (MANIFEST, |file| fs::remove_file(file).unwrap(), "not finished"),
            (MANIFEST, |file| fs::write(file, "{}").unwrap(), "backup.json"),
        ];
        for (file, spoil, told) in spoils {
            let temp = tempfile::tempdir().unwrap();
            let dir = written(temp.path());
            spoil(&dir.join(file));
            let why = Backup::open(&dir).unwrap_err().to_string();
            assert!(why.contains(told), "{why}");
        }
    }

    #[test]
    fn a_directory_that_is_there_is_not_written_over() {
        let temp = tempfile::tempdir().unwrap();
        let why = make(temp.path()).unwrap_err().to_string();
        assert!(why.contains("overwritten"), "{why}");
    }
}
