//! Where targets begin: files that stand in the repository for other reasons, and inputs that once broke one.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The contents of the files directly under a folder of the repository whose names begin and end so, by name.
///
/// # Panics
/// When there are none: a target without its seeds tests little.
pub fn files(folder: &str, begin: &str, end: &str) -> Vec<Vec<u8>> {
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && name.starts_with(begin) && name.ends_with(end)
    };
    let found = read(&root().join(folder), wanted);
    assert!(!found.is_empty(), "{folder} has no file {begin}*{end}");
    found
}

/// The bytes as text; as libFuzzer and chance make many that are none, what is no text is replaced.
pub fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The inputs that once broke a target, which stand under `tests/fuzz/found/<target>`.
pub(crate) fn regressions(name: &str) -> Vec<Vec<u8>> {
    read(&root().join("tests/fuzz/found").join(name), |path| path.is_file())
}

fn read(folder: &Path, wanted: impl Fn(&PathBuf) -> bool) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(wanted).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).unwrap_or_else(|why| panic!("cannot read {}: {why}", path.display())))
        .collect()
}
