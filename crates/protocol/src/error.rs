//! What can be wrong with words from outside.

/// A word from outside that is not one of ours, and what was expected in its place.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// An identifier outside the grammar of its kind.
    #[error(
        "{what} {value:?} is not valid: use 1 to {max} of a-z, 0-9 and inner hyphens, such as \"{example}\""
    )]
    Id {
        /// Which identifier it was to be.
        what: &'static str,
        /// What was given, cut to a length that can be shown.
        value: String,
        /// The longest that it may be, in bytes.
        max: usize,
        /// One that is valid.
        example: &'static str,
    },
    /// A language tag that is none, or is longer than words here are marked with.
    #[error("language {value:?} is not valid: use a tag such as \"cy\" or \"en-GB\"")]
    Language {
        /// What was given, cut to a length that can be shown.
        value: String,
    },
    /// A number in a subject that is not a plain positive decimal.
    #[error("{what} {value:?} is not valid: use a whole number from 1, without sign or leading zero")]
    Number {
        /// Which number it was to be.
        what: &'static str,
        /// What was given, cut to a length that can be shown.
        value: String,
    },
    /// A subject that names no fact of ours.
    #[error("subject {value:?} names no fact: expected {expected}")]
    Subject {
        /// What was given, cut to a length that can be shown.
        value: String,
        /// The form that comes nearest.
        expected: &'static str,
    },
    /// A key that is not an NKey of the expected form.
    #[error("key {value:?} is not an NKey {expected}")]
    Key {
        /// What was given (never a seed), cut to a length that can be shown.
        value: String,
        /// The form expected.
        expected: &'static str,
    },
    /// A signature that does not belong to this subject, body and key.
    #[error("the signature is not that of key {key} over subject {subject} and this body: {why}")]
    Signature {
        /// The public key that was to have signed.
        key: String,
        /// The subject that was to have been signed.
        subject: String,
        /// Whether it is malformed or simply another's.
        why: &'static str,
    },
    /// A checkpoint that is none, or is not signed by the key that it should be.
    #[error("the checkpoint does not hold: {why}")]
    Checkpoint {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A link of a mail that is none, or is not signed by the key that it should be. What it was is not shown.
    #[error("the link does not hold: {why}")]
    Link {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A seed file's content that is no seed. What it was is not shown.
    #[error("this is no NKey seed (58 characters that begin with SU): make one with `tocsin keys new ID`")]
    Seed,
    /// A body that is not the fact it should be.
    #[error("{what} cannot be read: {why}")]
    Body {
        /// Which fact it was to be.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Cuts what came from outside to a length that can be shown in a message.
pub(crate) fn shown(value: &str) -> String {
    const SHOWN: usize = 80;
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}
