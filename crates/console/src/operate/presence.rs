//! Whose desk is at work now. It is heard, not recorded: see `tocsin_ledger::Presence`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tocsin_ledger::{BEAT, Ledger};
use tocsin_protocol::{RecipientId, SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{
    error::Error,
    model::{Ear, Hearing},
};

/// A desk that was not heard for two beats and a half is not at work.
const SILENT: Duration = Duration::from_millis(BEAT.as_secs() * 2_500);

/// The most recipients that are remembered: more than any directory has, and a bound on what strangers can cause on a bus
/// without permissions.
const REMEMBERED: usize = 50_000;

/// Whether a recipient's desk is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attendance {
    /// It is, and was first heard so long ago, without a break.
    Connected(Duration),
    /// It is not. It was heard last so long ago; none when not since this console started.
    Absent(Option<Duration>),
    /// The console cannot tell: it has only just begun to listen, or lost touch with the bus.
    Unknown,
}

impl Attendance {
    /// The word for programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connected(_) => "connected",
            Self::Absent(_) => "absent",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is known that no desk is at work.
    pub fn is_absent(self) -> bool {
        matches!(self, Self::Absent(_))
    }
}

/// Who was heard. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Presence(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    /// Since when the console has listened without a break.
    listening: Option<Instant>,
    desks: HashMap<RecipientId, Desk>,
}

#[derive(Debug, Clone, Copy)]
struct Desk {
    first: Instant,
    last: Instant,
}

impl Presence {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this recipient's desk is at work.
    pub fn of(&self, recipient: &RecipientId) -> Attendance {
        self.lock().of(recipient, Instant::now())
    }

    /// The same of several.
    pub fn of_all<'a>(&self, recipients: impl IntoIterator<Item = &'a RecipientId>) -> Vec<Attendance> {
        let (heard, now) = (self.lock(), Instant::now());
        recipients.into_iter().map(|recipient| heard.of(recipient, now)).collect()
    }

    /// Listens for as long as the bus is there.
    pub(crate) async fn listen(&self, ledger: &Ledger, mut ears: watch::Receiver<Ear>) -> Result<(), Error> {
        let mut beats = ledger.presence().await?;
        loop {
            tokio::select! {
                beat = beats.next() => match beat {
                    Some(recipient) => self.lock().heard(recipient, Instant::now()),
                    // The follower tells that the connection is closed for good.
                    None => return std::future::pending().await,
                },
                Ok(()) = ears.changed() => {
                    let hearing = ears.borrow_and_update().hearing;
                    self.lock().listens(!matches!(hearing, Hearing::Deaf(_)), Instant::now());
                }
            }
        }
    }
}

impl Heard {
    fn listens(&mut self, listens: bool, now: Instant) {
        self.listening = if listens { Some(self.listening.unwrap_or(now)) } else { None };
    }

    fn heard(&mut self, recipient: RecipientId, now: Instant) {
        let known = self.desks.len();
        match self.desks.entry(recipient) {
            Entry::Occupied(mut desk) => {
                let desk = desk.get_mut();
                if now.duration_since(desk.last) > SILENT {
                    desk.first = now;
                }
                desk.last = now;
            }
            Entry::Vacant(place) if known < REMEMBERED => {
                place.insert(Desk { first: now, last: now });
            }
            Entry::Vacant(_) => {}
        }
    }

    fn of(&self, recipient: &RecipientId, now: Instant) -> Attendance {
        let Some(listening) = self.listening else { return Attendance::Unknown };
        let desk = self.desks.get(recipient);
        match desk {
            Some(desk) if now.duration_since(desk.last) <= SILENT => {
                Attendance::Connected(now.duration_since(desk.first))
            }
            _ if now.duration_since(listening) <= SILENT => Attendance::Unknown,
            desk => Attendance::Absent(desk.map(|desk| now.duration_since(desk.last))),
        }
    }
}

/// So long ago, by the broker's time that it is now.
pub(super) fn ago(now: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::ZERO);
    now.checked_sub(length).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desk_is_absent_only_once_it_would_have_been_heard() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let (a, b): (RecipientId, RecipientId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let mut heard = Heard::default();
        assert_eq!(heard.of(&a, at(0)), Attendance::Unknown, "nobody listens");
        heard.listens(true, at(0));
        heard.heard(a.clone(), at(1));
        assert_eq!(heard.of(&a, at(11)), Attendance::Connected(Duration::from_secs(10)));
        assert_eq!(heard.of(&b, at(11)), Attendance::Unknown, "it may beat any moment");
        assert_eq!(heard.of(&b, at(26)), Attendance::Absent(None));
        assert_eq!(heard.of(&a, at(27)), Attendance::Absent(Some(Duration::from_secs(26))));
        heard.heard(a.clone(), at(40));
        assert_eq!(heard.of(&a, at(41)), Attendance::Connected(Duration::from_secs(1)), "since it is back");
        // A console that was deaf does not take silence for absence.
        heard.listens(false, at(50));
        assert_eq!(heard.of(&b, at(90)), Attendance::Unknown);
        heard.listens(true, at(91));
        assert_eq!(heard.of(&a, at(100)), Attendance::Unknown);
        assert!(heard.of(&a, at(120)).is_absent());
    }

    #[test]
    fn strangers_on_an_open_bus_cannot_fill_the_memory() {
        let mut heard = Heard::default();
        for number in 0..REMEMBERED + 10 {
            heard.heard(format!("r{number}").parse().unwrap(), Instant::now());
        }
        assert_eq!(heard.desks.len(), REMEMBERED);
    }
}
