//! How often and how long a request is tried.

use std::time::{Duration, Instant};

use crate::{Error, Wait};

/// The longest wait for one answer. A lost answer costs this much; a slow one is asked for again, harmlessly.
const ANSWER_MOST: Duration = Duration::from_secs(10);
/// The first wait for an answer.
const ANSWER_FIRST: Duration = Duration::from_secs(2);
/// A command gives a request at least this long, however short it would wait for the connection: electing a stream's
/// leader takes some seconds.
const COMMAND_LEAST: Duration = Duration::from_secs(15);
/// The pauses between tries.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MOST: Duration = Duration::from_secs(1);
/// The pause before a full queue is tried again.
const PAUSE_QUEUE: Duration = Duration::from_millis(10);

/// The course of one request: tried until its outcome is known, for ever or up to a time.
#[derive(Debug)]
pub(crate) struct Patience {
    began: Instant,
    within: Option<Duration>,
    tries: u32,
    warned: Option<Instant>,
}

impl Patience {
    /// As the connection was asked to wait: [`Wait::UntilConnected`] never gives up, [`Wait::Fail`] does after its
    /// time, but not before 15 s.
    pub(crate) fn new(wait: Wait) -> Self {
        let within = match wait {
            Wait::UntilConnected => None,
            Wait::Fail(within) => Some(within.max(COMMAND_LEAST)),
        };
        Self { began: Instant::now(), within, tries: 0, warned: None }
    }

    /// Gives up after this time, whatever the connection says.
    pub(crate) fn up_to(within: Duration) -> Self {
        Self { began: Instant::now(), within: Some(within), tries: 0, warned: None }
    }

    /// How long to wait for the answer to this try.
    pub(crate) fn answer_within(&self) -> Duration {
        let wait = (ANSWER_FIRST * 2_u32.pow(self.tries.min(4))).min(ANSWER_MOST);
        match self.within {
            Some(within) => {
                wait.min(within.saturating_sub(self.began.elapsed())).max(Duration::from_millis(100))
            }
            None => wait,
        }
    }

    /// Whether an earlier try may have been done without our knowing.
    pub(crate) fn tried(&self) -> bool {
        self.tries > 0
    }

    /// Pauses before the next try of what was certainly not done, as the stream's queue was full. The queue is emptied at
    /// one go and then open for a moment, whoever fills it: so the pause is short, and does not grow.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the time is up.
    pub(crate) async fn queue_again(&self, attempted: &str, why: &str) -> Result<(), Error> {
        if let Some(within) = self.within.filter(|within| self.began.elapsed() >= *within) {
            return Err(Error::Unknown { attempted: attempted.to_owned(), within, why: why.to_owned() });
        }
        tokio::time::sleep(PAUSE_QUEUE).await;
        Ok(())
    }

    /// Pauses before the next try, and says in the log, now and then, that it is still being tried.
    ///
    /// # Errors
    /// [`Error::Unknown`] when the time is up.
    pub(crate) async fn pause(&mut self, attempted: &str, why: &str) -> Result<(), Error> {
        if let Some(within) = self.within.filter(|within| self.began.elapsed() >= *within) {
            return Err(Error::Unknown { attempted: attempted.to_owned(), within, why: why.to_owned() });
        }
        if self.tries > 0 && self.warned.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
            self.warned = Some(Instant::now());
            tracing::warn!(tries = self.tries, "{attempted}: no success yet ({why}); trying again");
        }
        let pause = (PAUSE_FIRST * 2_u32.pow(self.tries.min(6))).min(PAUSE_MOST);
        self.tries += 1;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_command_gives_up_and_says_that_the_outcome_is_unknown() {
        let mut patience = Patience::up_to(Duration::ZERO);
        let error = patience.pause("appending tocsin.dispatch.bt.x.1", "no answer").await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_never_gives_up() {
        let mut patience = Patience::new(Wait::UntilConnected);
        for _ in 0..1000 {
            patience.pause("appending", "no answer").await.unwrap();
            assert!(patience.answer_within() <= ANSWER_MOST);
        }
    }
}
