//! Whether a relay is worth a try now. Without it each of a thousand mails would wait out the timeout of a relay
//! that is gone before it turns to the next.

use std::time::{Duration, Instant};

use super::judge::{Failure, Stage, Why};

/// The shortest and the longest time for which a relay that failed is left alone.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// What is known of a relay.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Failures that speak of the relay, since its last success.
    strikes: u32,
    /// How often it was left alone since its last success.
    falls: u32,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    until: Instant,
    why: String,
    /// One mail is out to see whether it is back.
    probing: bool,
}

/// How a mail is let through to a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// As any other.
    Freely,
    /// As the one that sees whether the relay is back.
    AsProbe,
}

impl Health {
    /// When it is worth asking again, if the relay is left alone now.
    pub(crate) fn down_until(&self, now: Instant) -> Option<Instant> {
        let down = self.down.as_ref().filter(|down| now < down.until)?;
        // A probe mostly comes back long before patience with it ends.
        Some(if down.probing { down.until.min(now + PAUSES.0) } else { down.until })
    }

    /// Asks to try it. Once its pause is over one mail goes first; the others are let through when that one is back,
    /// or after `patience` when it never is.
    ///
    /// # Errors
    /// Why it is left alone.
    pub(crate) fn admit(&mut self, now: Instant, patience: Duration) -> Result<Admitted, String> {
        match &mut self.down {
            None => Ok(Admitted::Freely),
            Some(down) if now < down.until => Err(down.why.clone()),
            Some(down) => {
                down.until = now + patience;
                down.probing = true;
                Ok(Admitted::AsProbe)
            }
        }
    }

    /// Why it is left alone now, if it is.
    pub(crate) fn fallen(&self, now: Instant) -> Option<&str> {
        self.down.as_ref().filter(|down| now < down.until).map(|down| down.why.as_str())
    }

    /// The probe was not made after all: the next mail may be it.
    pub(crate) fn forgo(&mut self, now: Instant) {
        if let Some(down) = self.down.as_mut().filter(|down| down.probing) {
            (down.until, down.probing) = (now, false);
        }
    }

    /// It answered as a relay does, whatever it said of the mail.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It failed. One failure to make a line is enough; a line lost later may be one mail's own trouble, so that
    /// takes `patience` of them in a row.
    pub(crate) fn failed(&mut self, failure: &Failure, patience: u32, now: Instant) {
        let about_mail = failure.stage >= Stage::Sender;
        if about_mail && matches!(failure.why, Why::Answered { .. } | Why::Unable(_)) {
            self.answered();
            return;
        }
        self.strikes = self.strikes.saturating_add(1);
        if about_mail && self.strikes < patience && self.down.is_none() {
            return;
        }
        if self.down.as_ref().is_some_and(|down| now < down.until && !down.probing) {
            // A line that was open when the relay fell: the same fall.
            return;
        }
        let pause = PAUSES.0.saturating_mul(1_u32 << self.falls.min(16)).min(PAUSES.1);
        self.falls = self.falls.saturating_add(1);
        self.down = Some(Down { until: now + pause, why: failure.to_string(), probing: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(90);

    fn refused() -> Failure {
        Failure { stage: Stage::Connect, why: Why::Lost("refused".to_owned()) }
    }

    fn hung() -> Failure {
        Failure { stage: Stage::Content, why: Why::Late(Duration::from_secs(30)) }
    }

    #[test]
    fn a_relay_that_cannot_be_reached_is_left_alone_and_then_tried_by_one_mail() {
        let (mut health, start) = (Health::default(), Instant::now());
        for _ in 0..4 {
            health.failed(&refused(), 3, start);
        }
        assert!(health.admit(start + Duration::from_secs(1), PATIENCE).unwrap_err().contains("refused"));
        let back = start + Duration::from_secs(2);
        assert_eq!(health.admit(back, PATIENCE), Ok(Admitted::AsProbe));
        assert!(health.admit(back, PATIENCE).is_err(), "one mail goes first");
        let soon = health.down_until(back).unwrap() - back;
        assert!(soon < PATIENCE / 10, "the others ask again soon, not when patience ends: {soon:?}");
        assert_eq!(
            health.admit(back + PATIENCE, PATIENCE),
            Ok(Admitted::AsProbe),
            "a probe that never came back blocks nobody"
        );
        health.forgo(back + PATIENCE);
        assert_eq!(health.admit(back + PATIENCE, PATIENCE), Ok(Admitted::AsProbe), "nor one never made");
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_end_with_the_first_answer() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..6 {
            health.failed(&refused(), 3, now);
            pauses.push((health.down_until(now).unwrap() - now).as_secs());
            now = health.down_until(now).unwrap();
            health.admit(now, PATIENCE).unwrap();
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
        health.answered();
        assert!(health.down_until(now).is_none());
        health.failed(&refused(), 3, now);
        assert_eq!((health.down_until(now).unwrap() - now).as_secs(), 2);
    }

    #[test]
    fn one_mail_that_hangs_does_not_take_the_relay_from_the_others() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.failed(&hung(), 3, now);
        health.failed(&hung(), 3, now);
        assert_eq!(health.admit(now, PATIENCE), Ok(Admitted::Freely));
        health.failed(&hung(), 3, now);
        assert!(health.down_until(now).is_some(), "three in a row do");
    }

    #[test]
    fn a_refusal_of_one_mail_is_an_answer() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.failed(&refused(), 3, now);
        let why = Why::Answered { code: 550, text: "no such user".to_owned() };
        health.failed(&Failure { stage: Stage::Recipient, why }, 3, now);
        assert!(health.down_until(now).is_none());
    }
}
