//! Files that hold a secret: where they are, and that nobody else may read them.

use std::{
    env,
    ffi::OsStr,
    fs::{File, Metadata},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use crate::Error;

/// Longer than any seed, password, credentials file or private key, with room for comments.
const SIZE_MAX: u64 = 64 * 1024;

/// Where a file is that may be a credential of systemd: as it is given; one that this user cannot open there is looked for
/// by its name in the directory that `CREDENTIALS_DIRECTORY` names. So settings name a file where root keeps it, and the
/// service has what systemd hands it of it.
pub fn find(given: &Path) -> PathBuf {
    find_in(given, env::var_os("CREDENTIALS_DIRECTORY").as_deref())
}

fn find_in(given: &Path, credentials: Option<&OsStr>) -> PathBuf {
    let credentials = credentials.filter(|dir| !dir.is_empty());
    let handed = credentials.zip(given.file_name()).map(|(dir, name)| Path::new(dir).join(name));
    match handed {
        Some(handed) if handed.exists() && File::open(given).is_err() => handed,
        _ => given.to_owned(),
    }
}

/// Reads a file with a secret, found as [`find`] says, that others may not read.
///
/// # Errors
/// [`Error::Secret`], which repeats nothing of a secret: also where one was given in place of a file's name.
pub fn read(given: &Path) -> Result<String, Error> {
    if looks_like_a_seed(given) {
        return Err(Error::Secret {
            file: "what was given".to_owned(),
            why: "it is a seed itself and not the name of a file with one: write it to a file that only its owner may read (mode 600) and name that; and make another key if others could have seen this one".to_owned(),
        });
    }
    let file = find(given);
    let opened = File::open(&file).map_err(|why| unfit(&file, why.to_string()))?;
    whole(&file, opened, SIZE_MAX)
}

/// Reads exactly this file, of at most so many bytes, that others may not read; `None` when it is not there.
///
/// # Errors
/// [`Error::Secret`], as [`read`].
pub fn read_if_there(file: &Path, size_max: u64) -> Result<Option<String>, Error> {
    match File::open(file) {
        Ok(opened) => whole(file, opened, size_max).map(Some),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(unfit(file, why.to_string())),
    }
}

fn unfit(file: &Path, why: String) -> Error {
    Error::Secret { file: file.display().to_string(), why }
}

fn whole(file: &Path, opened: File, size_max: u64) -> Result<String, Error> {
    let shown = file.display();
    let wrong = |why: String| unfit(file, why);
    let known = opened.metadata().map_err(|why| wrong(why.to_string()))?;
    if known.is_dir() {
        return Err(wrong("it is a directory".to_owned()));
    }
    if let Some(mode) = open_to_others(&known) {
        return Err(wrong(format!(
            "it may be read by others (mode {mode:o}): run `chmod 600 {shown}`, and make a new secret if others could have read it"
        )));
    }
    // Not by the size that the file states: a device states none and has no end.
    let mut text = String::new();
    opened.take(size_max + 1).read_to_string(&mut text).map_err(|why| wrong(why.to_string()))?;
    if text.len() as u64 > size_max {
        return Err(wrong(format!("it holds more than {size_max} bytes, so it is no secret of ours")));
    }
    Ok(text)
}

/// Whether this is what nobody calls a file, and a seed looks like, also one of which a character is lost or wrong.
pub fn looks_like_a_seed(given: &Path) -> bool {
    given.to_str().map(str::trim).is_some_and(|text| {
        text.len() >= 40 && text.starts_with('S') && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Its mode, where it lets others read. As OpenSSH has it, a group may where the owner is another: so a service reads
/// what root keeps for it, and what systemd or a container's host hands it.
#[cfg(unix)]
fn open_to_others(known: &Metadata) -> Option<u32> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
    if known.file_type().is_char_device() {
        return None;
    }
    let mode = known.permissions().mode() & 0o777;
    // Where the system does not tell who we are, the stricter rule holds.
    let ours = std::fs::metadata("/proc/self").map_or(true, |own| own.uid() == known.uid());
    let closed = if ours { 0o077 } else { 0o007 };
    (mode & closed != 0).then_some(mode)
}

/// Elsewhere who may read a file is not in its mode.
#[cfg(not(unix))]
fn open_to_others(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_opened_is_looked_for_among_the_credentials_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (credentials, elsewhere) = (dir.path().join("credentials"), dir.path().join("own"));
        fs::create_dir(&credentials).unwrap();
        for file in [credentials.join("bt-cha.nk"), elsewhere.clone()] {
            fs::write(file, "").unwrap();
        }
        let found = |given: &Path| find_in(given, Some(credentials.as_os_str()));
        assert_eq!(found(Path::new("bt-cha.nk")), credentials.join("bt-cha.nk"));
        assert_eq!(found(Path::new("other.nk")), Path::new("other.nk"), "which is what the error names");
        assert_eq!(found(Path::new("/not/there/bt-cha.nk")), credentials.join("bt-cha.nk"), "by its name");
        assert_eq!(found(&elsewhere), elsewhere, "what can be opened is taken");
        assert_eq!(found(Path::new("Cargo.toml")), Path::new("Cargo.toml"), "what is there is taken");
        for none in [None, Some(OsStr::new(""))] {
            assert_eq!(find_in(Path::new("bt-cha.nk"), none), Path::new("bt-cha.nk"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_others_may_read_is_no_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hidden").unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(file.path()).is_ok(), taken, "{mode:o}");
            assert_eq!(read_if_there(file.path(), 6).is_ok(), taken, "{mode:o}");
        }
        let why = read(file.path()).unwrap_err().to_string();
        assert!(why.contains("chmod 600") && !why.contains("hidden"), "{why}");
    }

    #[test]
    fn a_seed_in_place_of_its_file_is_refused_and_not_repeated() {
        let seed = tocsin_protocol::SigningKey::generate().seed().unwrap();
        for given in [seed.clone(), format!("{}l", &seed[..57]), seed[..56].to_owned()] {
            let why = read(Path::new(&given)).unwrap_err().to_string();
            assert!(why.contains("mode 600") && !why.contains(&seed[5..20]), "{why}");
        }
    }

    #[test]
    fn what_is_not_there_is_none_and_what_is_too_long_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_if_there(&dir.path().join("none"), 6).unwrap(), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hidden").unwrap();
        assert_eq!(read_if_there(file.path(), 6).unwrap().as_deref(), Some("hidden"));
        let why = read_if_there(file.path(), 5).unwrap_err().to_string();
        assert!(why.contains("more than 5 bytes") && !why.contains("hidden"), "{why}");
        assert!(read_if_there(dir.path(), 5).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_refused() {
        let why = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(why.contains("more than"), "{why}");
    }
}
