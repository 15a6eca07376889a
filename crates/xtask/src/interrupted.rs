//! What is ended from outside ends what it started.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;

/// The operator's wish to end it: ctrl-c, or SIGTERM.
///
/// # Errors
/// When signals cannot be listened for.
pub(crate) fn interrupted() -> Result<impl Future<Output = ()>, Error> {
    let listen = |kind| signal(kind).map_err(|why| Error::io("listen for signals", why));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
