//! tocsin-duty

mod directory;

pub use directory::{Directory, Fault, Gravity, KnownPublisher, KnownRecipient, holds_on, policy_applies};
