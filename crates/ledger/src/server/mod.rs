//! A nats-server of our own.
use std::path::PathBuf;

use crate::Error;

/// Finds.
///
/// # Errors
/// x
pub fn find() -> Result<PathBuf, Error> {
    todo!()
}

/// How to start it.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The program, as [`find`] gives it.
    pub binary: PathBuf,
    /// Where it keeps its streams; made if absent, never removed.
    pub store_dir: PathBuf,
    /// More lines for its configuration file, such as accounts and users.
    pub config: Option<String>,
    /// Its port on 127.0.0.1; a free one if none is given.
    pub port: Option<u16>,
}

/// A nats-server of our own.
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Starts.
    ///
    /// # Errors
    /// x
    pub async fn start(options: &ServerOptions) -> Result<Self, Error> {
        todo!()
    }
    /// Url.
    pub fn url(&self) -> String {
        todo!()
    }
    /// Kill -9.
    ///
    /// # Errors
    /// x
    pub async fn kill(&mut self) -> Result<(), Error> {
        todo!()
    }
    /// Restart.
    ///
    /// # Errors
    /// x
    pub async fn restart(&mut self) -> Result<(), Error> {
        todo!()
    }
    /// Stop.
    ///
    /// # Errors
    /// x
    pub async fn stop(self) -> Result<(), Error> {
        todo!()
    }
    /// Pause.
    ///
    /// # Errors
    /// x
    pub fn pause(&self) -> Result<(), Error> {
        todo!()
    }
    /// Resume.
    ///
    /// # Errors
    /// x
    pub fn resume(&self) -> Result<(), Error> {
        todo!()
    }
}
