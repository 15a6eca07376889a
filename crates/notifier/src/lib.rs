//! Works off escalations: the e-mail owed to each silent required recipient, sent by SMTP, every attempt recorded.
//!
//! It may touch the bus through `tocsin-ledger`, where it reads escalations, events and receipts and writes `attempt`
//! facts, and the SMTP relays of its configuration. It is the only crate that knows mail. It decides nothing about
//! who is owed what.
//!
//! With the feature `sink` it also holds an SMTP server on loopback with scripted answers, for tests and the drill.

mod attempt;
mod config;
mod error;
mod events;
mod gate;
mod gather;
mod gathering;
mod letter;
mod limit;
mod log;
mod mail;
mod metrics;
mod notifier;
mod open;
mod order;
mod post;
mod relay;
#[cfg(feature = "sink")]
pub mod sink;
mod standing;
mod token;
mod trusted;
mod writer;

pub use config::{Config, DomainLimit, Letterhead, LinkConfig, RelayConfig, Retry, Tls};
pub use error::Error;
pub use mail::{Mail, Told};
pub use notifier::Notifier;
