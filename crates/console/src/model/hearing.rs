//! Whether the console still hears the bus. It must never look calm because it is deaf.

use std::time::{Duration, Instant};

use tocsin_ledger::Touch;
use tocsin_protocol::{SignedDuration, Timestamp};

/// How long what is read may stand still behind what the bus holds.
const STUCK: Duration = Duration::from_secs(3);

/// Whether what is shown is what is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// The bus answers, and all that it holds has been read.
    Well,
    /// The bus answers, and its record is being read for the first time: this many entries are still to come.
    Reading(u64),
    /// The bus has not answered since then.
    Deaf(Timestamp),
    /// The bus answers, and what it holds does not come: this many entries are missing.
    Behind(u64),
}

impl Hearing {
    /// Whether a page may be believed.
    pub fn is_well(self) -> bool {
        self == Self::Well
    }
}

/// What is known of the bus itself at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Ear {
    /// Whether what is shown is what is so.
    pub hearing: Hearing,
    anchor: Option<(Instant, Timestamp)>,
    progress: (u64, Instant),
    caught_up: bool,
    behind: u64,
}

impl Ear {
    pub(super) fn new(now: Instant) -> Self {
        Self { hearing: Hearing::Reading(0), anchor: None, progress: (0, now), caught_up: false, behind: 0 }
    }

    /// The broker's time now: as it was last told, and as long ago as that is. Our own clock before it was ever told.
    pub fn now(&self) -> Timestamp {
        self.anchor.map_or_else(Timestamp::now, |(told_at, time)| {
            let since = SignedDuration::try_from(told_at.elapsed()).unwrap_or(SignedDuration::ZERO);
            time.checked_add(since).unwrap_or(time)
        })
    }

    /// How many entries the bus was last known to hold that have not been read, and for how long none of them has come.
    pub fn lag(&self) -> (u64, Duration) {
        (self.behind, if self.behind == 0 { Duration::ZERO } else { self.progress.1.elapsed() })
    }

    /// Takes in that the bus has answered, and how far has been read.
    pub(super) fn heard(&mut self, touch: &Touch, read: (u64, u64), asked_at: Instant, now: Instant) {
        if let Some(time) = touch.broker_time {
            // It was told somewhere between the question and the answer.
            self.anchor = Some((asked_at + now.duration_since(asked_at) / 2, time));
        }
        let behind = touch.said_end.saturating_sub(read.0) + touch.log_end.saturating_sub(read.1);
        let through = read.0 + read.1;
        self.behind = behind;
        if behind == 0 || through != self.progress.0 {
            self.progress = (through, now);
        }
        self.caught_up |= behind == 0;
        self.hearing = if behind == 0 {
            Hearing::Well
        } else if now.duration_since(self.progress.1) >= STUCK {
            Hearing::Behind(behind)
        } else if self.caught_up {
            // What has just been stored is on its way.
            Hearing::Well
        } else {
            Hearing::Reading(behind)
        };
    }

    /// Takes in that the bus has not answered.
    pub(super) fn not_heard(&mut self) {
        if !matches!(self.hearing, Hearing::Deaf(_)) {
            self.hearing = Hearing::Deaf(self.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(said_end: u64, log_end: u64) -> Touch {
        Touch { broker_time: Some("2023-06-25T05:24:00Z".parse().unwrap()), said_end, log_end }
    }

    #[test]
    fn nothing_looks_calm_before_the_record_has_been_read_or_when_it_stands_still() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut ear = Ear::new(began);
        assert!(!ear.hearing.is_well(), "nothing has been read");
        ear.heard(&touch(10, 10), (5, 5), began, at(1));
        assert_eq!(ear.hearing, Hearing::Reading(10));
        ear.heard(&touch(10, 10), (10, 10), at(2), at(2));
        assert_eq!(ear.hearing, Hearing::Well);
        ear.heard(&touch(11, 10), (10, 10), at(3), at(3));
        assert_eq!(ear.hearing, Hearing::Well, "the newest is on its way");
        ear.heard(&touch(11, 10), (10, 10), at(6), at(6));
        assert_eq!(ear.hearing, Hearing::Behind(1), "it does not come");
        ear.heard(&touch(11, 10), (11, 10), at(7), at(7));
        assert_eq!(ear.hearing, Hearing::Well);
        ear.not_heard();
        let Hearing::Deaf(since) = ear.hearing else { panic!("{:?}", ear.hearing) };
        ear.not_heard();
        assert_eq!(ear.hearing, Hearing::Deaf(since), "it is told since when");
    }

    #[test]
    fn the_time_is_the_brokers_and_goes_on_between_two_answers() {
        let mut ear = Ear::new(Instant::now());
        ear.heard(&touch(0, 0), (0, 0), Instant::now(), Instant::now());
        let told: Timestamp = "2023-06-25T05:24:00Z".parse().unwrap();
        assert!(ear.now() >= told && ear.now().duration_since(told) < SignedDuration::from_mins(5));
        assert!(ear.now() < Timestamp::now(), "the broker's clock stands in 2023");
    }
}
