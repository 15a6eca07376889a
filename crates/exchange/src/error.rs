//! Why something from outside cannot be taken.

/// A file that is refused, with what its reader can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Larger than any message may be.
    #[error("the message is {bytes} bytes long and may be {most}: is it a feed of many? give one message")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Not text in UTF-8.
    #[error("the message is not UTF-8 text: {why}; save it as UTF-8 and say so in its first line")]
    Encoding {
        /// What it is instead.
        why: String,
    },
    /// Not XML that we read.
    #[error("the message cannot be read as XML: {why}")]
    Xml {
        /// Why, with line and column where they are known.
        why: String,
    },
    /// It declares a document type, by which one can make a reader swell or fetch.
    #[error("the message has a DOCTYPE, which CAP does not need and which is not read: remove it")]
    Doctype,
    /// XML, but not a CAP 1.2 message.
    #[error("the file is no CAP 1.2 message: {why}")]
    NotCap {
        /// What it is instead.
        why: String,
    },
    /// An element that every message must have is not there, or holds what it may not.
    #[error("the CAP message is not whole: {why}")]
    Broken {
        /// Which element, and what it should hold.
        why: String,
    },
    /// A sound CAP message that can become no event.
    #[error("the CAP message can become no event: {why}")]
    NoEvent {
        /// Why.
        why: &'static str,
    },
}
