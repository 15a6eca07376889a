//! The configuration of a bus, from its directory: who may log in, what each may do there, and TLS.
//!
//! Every body has a NATS account of its own, and the streams and our services one that none of them is in. A body's
//! account imports the few subjects that its role needs, and nothing else of the bus exists for it. Permissions in one
//! shared account would not do: whoever may make any request may choose the subject of its answer, the broker itself
//! puts the answer there, and permissions are not asked. So a recipient that reads back its own receipt could have it
//! stored as a directory. Between accounts an answer stays in the account of who asked.
//!
//! This crate may touch files, in the directory that it is given. It knows no NATS client: it writes what nats-server
//! reads.

mod bus;
mod cluster;
mod error;
mod files;
mod render;
mod rights;
mod roster;
mod tls;

pub use bus::{Bus, Plan, Provisioned, Tls, provision};
pub use cluster::{Cluster, Member};
pub use error::Error;
pub use files::{Key, make_seed, seed_of, write_seed};
pub use roster::Service;
