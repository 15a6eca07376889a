//! Files of secrets: nobody but their owner may read one, and a crash leaves the old or the new one whole.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Reads a secret file of at most `size_max` bytes; `None` when it is not there. What is wrong is told in words that
/// end a sentence beginning with the file's name.
pub(super) fn read(file: &Path, size_max: u64) -> Result<Option<String>, String> {
    let known = match fs::metadata(file) {
        Ok(known) => known,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(format!("it cannot be read: {why}")),
    };
    if let Some(mode) = open_to_others(&known) {
        return Err(format!(
            "it may be read by others (mode {mode:o}): run `chmod 600 {}`, and change what is in it if others could have read it",
            file.display()
        ));
    }
    if !known.is_file() || known.len() > size_max {
        return Err(format!("it is no file of at most {size_max} bytes"));
    }
    fs::read_to_string(file).map(Some).map_err(|why| format!("it cannot be read: {why}"))
}

/// Writes a secret file that only its owner may read, from its first byte on.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    // What a crash left. Its mode is not to be trusted.
    match fs::remove_file(&beside) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(&beside)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    fs::rename(&beside, file)
}

#[cfg(unix)]
fn open_to_others(known: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = known.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere who may read a file is not in its mode.
#[cfg(not(unix))]
fn open_to_others(_: &fs::Metadata) -> Option<u32> {
    None
}
