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
use tokio::sync::Semaphore;

use self::{
    health::Health,
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
        Ok(Self { way: Way::new(settings)?, permits, idle: Mutex::default(), health: Mutex::default() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.way.settings().name
    }

    /// When it may be tried again, if it is left alone now.
    pub(crate) fn down_until(&self) -> Option<Instant> {
        self.health().down_until(Instant::now())
    }

    /// Tries to hand over a mail, waiting for a free line first. Every end has an answer, and no try outlives three
    /// times the relay's timeout once it has its line.
    pub(crate) async fn send(&self, mail: &Mail) -> AttemptEnded {
        let Ok(_permit) = self.permits.acquire().await else {
            return self.ended(Outcome::Temporary, None, "not tried: the notifier is stopping".to_owned());
        };
        let timeout = self.way.settings().timeout;
        if let Err(why) = self.health().admit(Instant::now(), timeout.saturating_mul(4)) {
            return self.ended(Outcome::Temporary, None, format!("not tried: it failed a moment ago: {why}"));
        }
        match self.talk(mail).await {
            Ok(Taken { code, text }) => {
                self.health().answered();
                self.ended(Outcome::Accepted, Some(code), text)
            }
            Err(failure) => {
                let patience = u32::try_from(self.way.settings().connections).unwrap_or(u32::MAX).max(3);
                self.health().failed(&failure, patience, Instant::now());
                self.ended(failure.outcome(), failure.code(), failure.to_string())
            }
        }
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

    /// Lets no further mail begin: those that wait for a line are told so.
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
}
