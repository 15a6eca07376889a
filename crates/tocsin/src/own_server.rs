//! The nats-server that `tocsin up` starts for itself.

use std::{
    fs::{self, File, TryLockError},
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use tocsin_ledger::server::{self, Server, ServerOptions};

use crate::{config::Bus, failure::Failure};

/// The pause before a nats-server that ended by itself is started again, so that one that cannot run does not spin.
const PAUSE: Duration = Duration::from_secs(1);

/// A running nats-server, and the lock on its store.
pub(crate) struct OwnServer {
    server: Server,
    /// Two servers on one store would ruin it.
    _lock: File,
}

impl OwnServer {
    /// Starts it.
    pub(crate) async fn start(bus: &Bus) -> Result<Self, Failure> {
        let binary = server::find()?;
        let store = bus.store.display();
        fs::create_dir_all(&bus.store)
            .map_err(|why| Failure::failed(format!("cannot make the store {store}: {why}")))?;
        let lock = File::create(bus.store.join("lock"))
            .map_err(|why| Failure::failed(format!("cannot write in the store {store}: {why}")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::failed(format!(
                    "another `tocsin up` runs on the store {store}: end it first, or give this one a store and port of its own"
                )));
            }
            Err(TryLockError::Error(why)) => {
                return Err(Failure::failed(format!("cannot lock the store {store}: {why}")));
            }
        }
        // A killed `tocsin up` leaves its nats-server running, on this port and on this store.
        TcpListener::bind((Ipv4Addr::LOCALHOST, bus.port)).map_err(|why| {
            Failure::failed(format!(
                "port {port} on 127.0.0.1 is not free ({why}): if a nats-server runs there already, use it with NATS_URL=nats://127.0.0.1:{port}, or end it; else choose another port in the configuration",
                port = bus.port
            ))
        })?;
        let options =
            ServerOptions { binary, store_dir: bus.store.clone(), config: None, port: Some(bus.port) };
        // In a group of its own, Ctrl-C does not take the bus from those who still write down what they did.
        let server = Server::start_apart(&options).await?;
        tracing::info!(url = %server.url(), %store, "the bus runs");
        Ok(Self { server, _lock: lock })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Where it keeps what is said.
    pub(crate) fn store(&self) -> String {
        self.server.store_dir().display().to_string()
    }

    /// Starts it again if it has ended by itself. Who waits for it goes on by itself.
    pub(crate) async fn see_that_it_runs(&mut self) {
        if self.server.runs() {
            return;
        }
        tracing::error!(log = %self.server.store_dir().join("nats-server.log").display(), "the bus has ended by itself; starting it again");
        tokio::time::sleep(PAUSE).await;
        match self.server.restart().await {
            Ok(()) => tracing::info!(url = %self.server.url(), "the bus runs again"),
            Err(why) => tracing::error!(error = %why, "the bus does not start"),
        }
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        Ok(self.server.stop().await?)
    }
}
