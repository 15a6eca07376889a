//! The schemas in `schemas/`, held against their examples, against the types, and against hostile bytes.

mod agreement;
mod documents;
mod examples;
mod hostile;
mod messages;
mod strategies;
