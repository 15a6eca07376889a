//! A nats-server of our own: for `tocsin up`, the drill and tests.
//!
//! It listens on 127.0.0.1 alone, syncs every write to disk before it acknowledges it, and ends when its handle does.

mod find;
mod port;
mod process;

pub use find::find;
pub use port::free_port;
pub use process::{Server, ServerOptions};
