//! Where things are.

use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // crates/xtask: two levels down by the workspace's own layout.
    here.parent().and_then(Path::parent).unwrap_or(here)
}

/// Where tasks leave what they make: the repository's `target`, or what `CARGO_TARGET_DIR` names.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(named) if !named.is_empty() => root().join(named),
        _ => root().join("target"),
    }
}
