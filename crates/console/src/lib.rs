//! The web console: what a control room, a duty manager and a regulator look at.
//!
//! A [`Console`] follows both streams into a [`model`] of its own and serves it as pages: each works without a script
//! and is kept up to date by server-sent events where there is one. It says facts only as anybody does: an
//! acknowledgement is a signed receipt that names its door, an event is drafted, checked, spooled and sent by the
//! [`Press`] that it is given.
//!
//! It may touch the bus through `tocsin-ledger`, listen where it is told to, and read the files that its [`Config`]
//! names. No other service is imported: what it needs of theirs comes as [`Hands`], wired by the command line.

mod api;
mod app;
mod assets;
mod by_rule;
mod config;
mod console;
mod error;
mod feed;
mod hands;
mod live;
pub mod model;
mod operate;
mod page;
mod serve;
mod session;

pub use app::App;
pub use config::{Config, Monitoring};
pub use console::Console;
pub use error::Error;
pub use hands::*;
pub use session::{
    Account, AccountName, Accounts, PASSWORD_MIN, Posted, Refusal, Sees, Visitor, generated_password,
};
