//! Files of secrets: nobody but their owner may read one, and a crash leaves the old or the new one whole.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use tocsin_ledger::secret;

/// Reads a secret file of at most `size_max` bytes; `None` when it is not there. What is wrong is told in words that
/// end a sentence beginning with the file's name.
pub(super) fn read(file: &Path, size_max: u64) -> Result<Option<String>, String> {
    secret::read_if_there(file, size_max).map_err(|why| match why {
        tocsin_ledger::Error::Secret { why, .. } => why,
        other => other.to_string(),
    })
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
