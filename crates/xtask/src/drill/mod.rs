//! The drill.

use crate::{error::Error, nats};

/// How to run it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many times faster than 2023 the day runs.
    #[arg(long, value_name = "N")]
    pub(crate) speed: Option<f64>,
    /// What the desks' delays are drawn from.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How many recipients; beyond the directory's they are synthetic.
    #[arg(long, value_name = "N")]
    pub(crate) recipients: Option<usize>,
}

/// Runs it.
#[expect(clippy::unused_async, reason = "what it runs waits")]
pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let server = nats::server()?;
    Err(Error::told(format!("the drill is not written yet ({options:?}, {})", server.display())))
}
