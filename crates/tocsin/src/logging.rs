//! The log: to stderr, as text for people or JSON for machines.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{commands::Manner, failure::Failure};

/// How the log is written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Logging {
    /// What to log: a level (error, warn, info, debug, trace), or filters such as tocsin_router=debug
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER", hide_env_values = true)]
    log: Option<String>,
    /// How to write the log on stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: Format,
}

/// Whatever is asked for, what a library tells at its loudest is left out: whole messages, with people's names, addresses
/// and numbers in them (async-nats prints each). Ours tells identifiers alone.
fn is_fit(about: &Metadata<'_>) -> bool {
    *about.level() <= Level::DEBUG || about.target().starts_with("tocsin")
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log. A service tells what it does; a command that somebody waits for tells it in its output instead.
pub(crate) fn start(logging: &Logging, manner: Manner) -> Result<(), Failure> {
    let default = match manner {
        Manner::Service => "info,async_nats=warn",
        Manner::Command => "error",
    };
    let filter = logging.log.as_deref().filter(|filter| !filter.trim().is_empty()).unwrap_or(default);
    let filter = EnvFilter::builder().parse(filter).map_err(|why| {
        Failure::wrong(format!(
            "the log filter {filter:?} cannot be used: {why}; write it as info or tocsin_router=debug"
        ))
    })?;
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(is_fit));
    let started = match logging.log_format {
        Format::Text => registry.with(log.with_ansi(std::io::stderr().is_terminal())).try_init(),
        Format::Json => registry.with(log.json()).try_init(),
    };
    started.map_err(|why| Failure::failed(format!("cannot start the log: {why}")))
}
