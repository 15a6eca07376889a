//! A mail relay: a few open lines to it, what is known of its health, and an answer for every mail.

mod health;
mod judge;
mod line;
#[cfg(all(test, feature = "sink"))]
mod tests;
mod tls;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tocsin_protocol::{AttemptEnded, Outcome};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::{
    health::{Admitted, Health},
    judge::{Failure, Stage, Why},
    line::{Line, Taken, Way},
};
use crate::{config::RelaySettings, error::Error, mail::Mail};

/// After this long a line that nothing was said on is closed: relays do so themselves after some minutes.
const IDLE: Duration = Duration::from_secs(30);

/// A mail relay.
pub(crate) struct Relay {
    way: Way,
    permits: Semaphore,
    idle: Mutex<Vec<Line>>,
    health: Mutex<Health>,
}

impl Relay {
    pub(crate) fn new(settings: RelaySettings) -> Result<Self, Error> {
        let permits = Semaphore::new(settings.connections);
        let (idle, health) = (Mutex::default(), Mutex::default());
        Ok(Self { way: Way::new(settings)?, permits, idle, health })
    }

    pub(crate) fn name(&self) -> &str {
        &self.way.settings().name
    }

    /// When it is worth asking again, if it is left alone now.
    pub(crate) fn down_until(&self) -> Option<Instant> {
        self.health().down_until(Instant::now())
    }

    /// Asks to try it: nothing when it is left alone now, as it failed a moment ago.
    pub(crate) fn admit(&self) -> Option<Pass<'_>> {
        let patience = self.way.settings().timeout.saturating_mul(4);
        let admitted = self.health().admit(Instant::now(), patience).ok()?;
        Some(Pass { relay: self, is_probe: admitted == Admitted::AsProbe })
    }

    async fn talk(&self, mail: &Mail) -> Result<Taken, Failure> {
        let timeout = self.way.settings().timeout;
        if let Some(line) = self.parked() {
            let (sent, line) = line.send(mail, timeout).await;
            self.park(line);
            match sent {
                // The relay had closed the line while it was idle. Nothing of this mail was said yet.
                Err(Failure {
                    stage: Stage::Sender,
                    why: Why::Lost(_) | Why::Answered { code: 421, .. },
                }) => {}
                sent => return sent,
            }
        }
        let (sent, line) = self.way.open().await?.send(mail, timeout).await;
        self.park(line);
        sent
    }

    fn parked(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|line| line.idle() < IDLE);
        idle.pop()
    }

    fn park(&self, line: Option<Line>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(line);
    }

    /// Lets no further mail begin: those that wait are told so.
    pub(crate) fn close_to_new(&self) {
        self.permits.close();
    }

    /// Takes leave of the relay.
    pub(crate) async fn close(&self) {
        let lines = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        futures_util::future::join_all(lines.into_iter().map(Line::quit)).await;
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, outcome: Outcome, code: Option<u16>, reply: String) -> AttemptEnded {
        AttemptEnded { relay: self.name().to_owned(), outcome, code, reply }
    }

    fn not_tried(&self, why: &str) -> AttemptEnded {
        self.ended(Outcome::Temporary, None, format!("not tried: {why}"))
    }
}

/// Leave to try a relay. A probe that comes to nothing gives its place to the next mail.
pub(crate) struct Pass<'a> {
    relay: &'a Relay,
    is_probe: bool,
}

impl<'a> Pass<'a> {
    /// Waits for a free line.
    ///
    /// # Errors
    /// The end of the attempt, when the relay failed meanwhile or the notifier is stopping.
    pub(crate) async fn line(self) -> Result<Turn<'a>, AttemptEnded> {
        let relay = self.relay;
        let Ok(permit) = relay.permits.acquire().await else {
            return Err(relay.not_tried("the notifier is stopping"));
        };
        if !self.is_probe
            && let Some(why) = relay.health().fallen(Instant::now())
        {
            return Err(relay.not_tried(&format!("it failed a moment ago: {why}")));
        }
        Ok(Turn { pass: self, _permit: permit })
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.relay.health().forgo(Instant::now());
        }
    }
}

/// A line for one mail.
pub(crate) struct Turn<'a> {
    pass: Pass<'a>,
    _permit: SemaphorePermit<'a>,
}

impl Turn<'_> {
    /// Hands over a mail. Every end has an answer, and none takes longer than three times the relay's timeout.
    pub(crate) async fn send(mut self, mail: &Mail) -> AttemptEnded {
        let relay = self.pass.relay;
        let sent = relay.talk(mail).await;
        self.pass.is_probe = false;
        match sent {
            Ok(Taken { code, text }) => {
                relay.health().answered();
                relay.ended(Outcome::Accepted, Some(code), text)
            }
            Err(failure) => {
                let patience = u32::try_from(relay.way.settings().connections).unwrap_or(u32::MAX).max(3);
                relay.health().failed(&failure, patience, Instant::now());
                relay.ended(failure.outcome(), failure.code(), failure.to_string())
            }
        }
    }
}
