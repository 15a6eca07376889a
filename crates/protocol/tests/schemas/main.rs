//! The schemas in `schemas/`, held against their examples, against the types, and against hostile bytes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod agreement;
mod asyncapi;
mod documents;
mod examples;
mod hostile;
mod messages;
mod strategies;
mod trails;
