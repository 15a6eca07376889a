//! How a command or service reaches the bus: as the environment says.

use std::{env, time::Duration};

use tocsin_ledger::{Connection, Error, Ledger, Wait};

use crate::{alive::Alive, failure::Failure, shutdown::Shutdown, systemd};

/// How long somebody is kept waiting for a bus that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connection that the environment names. `role` is what the administrator sees beside it in the server's list.
pub(crate) fn connection(role: &str, wait: Wait) -> Result<Connection, Failure> {
    let connection = Connection::from_env().map_err(unfit)?;
    Ok(Connection { name: format!("tocsin-{role}"), wait, ..connection })
}

/// Connects for a command that somebody waits for: it gives up after ten seconds.
pub(crate) async fn command(role: &str) -> Result<Ledger, Failure> {
    Ledger::connect(&connection(role, Wait::Fail(PATIENCE))?).await.map_err(unfit)
}

/// Connects for a service: it waits for as long as the bus is away. `None` when it was told to end meanwhile.
pub(crate) async fn service(role: &str, shutdown: &Shutdown) -> Result<Option<Ledger>, Failure> {
    let connection = connection(role, Wait::UntilConnected)?;
    systemd::waits_for_the_bus();
    let alive = Alive::of_environment();
    tokio::select! {
        ledger = Ledger::connect(&connection) => Ok(Some(ledger.map_err(unfit)?)),
        () = shutdown.wait() => Ok(None),
        // To start it again would bring no bus back.
        () = alive.beats() => Ok(None),
    }
}

/// A setting or a file that cannot be used stays so however often it is tried, and the bus does not.
fn unfit(error: Error) -> Failure {
    match error {
        Error::Setting { .. } | Error::Secret { .. } => Failure::input(&error),
        error => error.into(),
    }
}

/// Whether the environment names a bus.
pub(crate) fn is_named() -> bool {
    env::var_os("NATS_URL").is_some_and(|url| !url.is_empty())
}
