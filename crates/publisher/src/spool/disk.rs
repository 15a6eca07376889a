//! The few file operations on which "nothing is lost" rests, in the order that makes it so.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;

use super::file::FILE_MAX;
use crate::error::Error;

/// How a half-written file's name begins.
pub(super) const TEMPORARY: &str = ".writing-";

/// Turns what the system said into an error that tells what was attempted, on what.
pub(super) fn told(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Disk { doing, path, source }
}

/// Makes a directory that only its owner may enter.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(told("make", path))
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Writes a file so that after a crash it is there whole or not at all: a temporary file, its bytes forced to the
/// disk, the rename, and the directory forced to the disk.
pub(super) fn write_whole(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = directory.join(format!("{TEMPORARY}{}-{count}", std::process::id()));
    let path = directory.join(name);
    let written = (|| {
        let mut file = private(OpenOptions::new().write(true).create_new(true))
            .open(&temporary)
            .map_err(told("write", &temporary))?;
        file.write_all(bytes).map_err(told("write", &temporary))?;
        file.sync_all().map_err(told("force to the disk", &temporary))?;
        fs::rename(&temporary, &path).map_err(told("rename to its name", &path))
    })();
    if written.is_err() {
        // The caller hears why; a temporary file that cannot be removed either is set aside by the next listing.
        drop(fs::remove_file(&temporary));
    }
    written?;
    sync_directory(directory)
}

/// Forces a directory's names to the disk.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    File::open(directory).and_then(|d| d.sync_all()).map_err(told("force to the disk", directory))?;
    #[cfg(not(unix))]
    let _: &Path = directory;
    Ok(())
}

/// Reads a file up to the bound; `None` when it is larger.
pub(super) fn read_bounded(path: &Path) -> Result<Option<Bytes>, Error> {
    let file = File::open(path).map_err(told("read", path))?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(told("read", path))?;
    Ok((bytes.len() as u64 <= FILE_MAX).then(|| bytes.into()))
}

/// Renames a file that is no event of ours to `*.damaged`, beside what bears that name already.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    const MOST: u32 = 10_000;
    let base = path.to_string_lossy().into_owned();
    let free = (0..MOST)
        .map(|n| match n {
            0 => PathBuf::from(format!("{base}.damaged")),
            n => PathBuf::from(format!("{base}.{n}.damaged")),
        })
        .find(|to| fs::symlink_metadata(to).is_err())
        .ok_or_else(|| told("set aside", path)(io::ErrorKind::AlreadyExists.into()))?;
    fs::rename(path, &free).map_err(told("set aside", path))?;
    Ok(free)
}

/// Opens a lock file. The lock itself lives as long as the `File`, and dies with the process.
pub(super) fn lock_file(path: &Path) -> Result<File, Error> {
    private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
        .open(path)
        .map_err(told("open the lock", path))
}
