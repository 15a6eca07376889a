//! Signals: how a service is told to end, and how a person ends a command.

use std::{future::Future, process};

use tokio::sync::watch;

use crate::{failure::Failure, systemd};

/// Tells every part of a service when it is to end: at the first SIGTERM or SIGINT. A second one ends the process at
/// once, which harms nothing: whatever is under way is taken up again.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    told: watch::Receiver<bool>,
    tell: watch::Sender<bool>,
}

impl Shutdown {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (tell, told) = watch::channel(false);
        let mut signals = Signals::listen()?;
        let heard = tell.clone();
        tokio::spawn(async move {
            signals.next().await;
            systemd::ends();
            tracing::info!("ending: what is under way is finished first");
            heard.send_replace(true);
            signals.next().await;
            tracing::warn!("ended at once");
            process::exit(130);
        });
        Ok(Self { told, tell })
    }

    /// Tells every part to end, when one of them cannot go on.
    pub(crate) fn begin(&self) {
        self.tell.send_replace(true);
    }

    /// Whether the service is to end.
    pub(crate) fn is_told(&self) -> bool {
        *self.told.borrow()
    }

    /// Ready once the service is to end.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut told = self.told.clone();
        async move {
            // The sender lives in whoever holds this.
            let _ = told.wait_for(|told| *told).await;
        }
    }
}

/// Ready when the person at the terminal interrupts, or the system ends the process.
pub(crate) async fn interrupted() {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        // Without handlers the system's own way of ending a process holds.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps)]
    fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
