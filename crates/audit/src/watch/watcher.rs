//! The lookout over a bus that may be away.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tocsin_duty::Pin;
use tocsin_ledger::{Connection, Follow, Ledger, Touch, Wait};
use tocsin_protocol::{SignedDuration, Stream, Timestamp};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    alarm::{Alarm, AlarmCode, Bell, Rung},
    lookout::{Limits, Lookout, alarm},
};
use crate::Error;

/// How often the bus is asked whether it is there, and what is late is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How long its answer is waited for.
const PATIENCE: Duration = Duration::from_secs(4);

/// Watches a bus: connects, reads both streams, asks whether it is there, and tells what came and went. It outlives the
/// bus, and never gives up.
pub struct Watcher {
    connection: Connection,
    limits: Limits,
    pin: Option<Pin>,
    session: Option<Session>,
    /// Since when the bus has not answered, by this machine's clock, and why.
    away: Option<(Instant, Timestamp, String)>,
    /// What the record showed last: it stays up while the bus is away or is read anew.
    found: Vec<Alarm>,
    bell: Bell,
    rung: VecDeque<Rung>,
}

/// A bus that was reached.
struct Session {
    follow: Follow,
    lookout: Lookout,
    caught_up: bool,
    /// Since when the bus holds what has not been read, and none of it came.
    behind: Option<(Instant, u64)>,
    heard: watch::Receiver<Heard>,
    asking: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// What the bus answered last.
#[derive(Debug, Clone, Default)]
struct Heard {
    answer: Option<(Instant, Touch)>,
    /// Since when it has not answered, and why.
    silent: Option<(Instant, Timestamp, String)>,
}

impl Heard {
    /// The broker's time now: as it was last told, and as long ago as that is. Our own clock before it was ever told.
    fn now(&self) -> Timestamp {
        let told = self.answer.as_ref().and_then(|(at, touch)| Some((at, touch.broker_time?)));
        told.map_or_else(Timestamp::now, |(at, time)| {
            let since = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::ZERO);
            time.checked_add(since).unwrap_or(time)
        })
    }
}

impl Watcher {
    /// A watcher of the bus that is reached so. Nothing is tried yet.
    pub fn new(connection: Connection, limits: Limits) -> Self {
        Self {
            connection,
            limits,
            pin: None,
            session: None,
            away: None,
            found: Vec::new(),
            bell: Bell::default(),
            rung: VecDeque::new(),
        }
    }

    /// Raises an alarm, too, when the directory in force does not stand under this key: see [`Pin`].
    #[must_use]
    pub fn trusting(self, pin: Option<Pin>) -> Self {
        Self { pin, ..self }
    }

    /// The next alarm that comes or goes, or nothing when a second has passed without one: whoever calls it knows by its
    /// return that it looks. Cancelled, it loses nothing.
    pub async fn next(&mut self) -> Option<Rung> {
        if let Some(rung) = self.rung.pop_front() {
            return Some(rung);
        }
        if self.session.is_none() {
            let tried = Instant::now();
            match self.connect().await {
                Ok(session) => self.session = Some(session),
                Err(why) => {
                    self.lost(&why);
                    tokio::time::sleep(LOOK.saturating_sub(tried.elapsed())).await;
                }
            }
        }
        if let Some(session) = &mut self.session {
            match timeout(LOOK, session.follow.next()).await {
                Err(_) => {}
                Ok(Ok(read)) => {
                    read.entries.iter().for_each(|entry| session.lookout.take(entry));
                    session.caught_up |= read.caught_up;
                }
                Ok(Err(why)) => {
                    self.session = None;
                    self.lost(&why.into());
                }
            }
        }
        let (alarms, at) = self.alarms();
        self.rung.extend(self.bell.ring(alarms, at));
        self.rung.pop_front()
    }

    /// What is wrong now, from one look: for whoever asks from time to time. The bus has as long as its limit to answer.
    pub async fn once(self) -> Vec<Alarm> {
        let within = Duration::try_from(self.limits.bus).unwrap_or(PATIENCE).max(PATIENCE);
        let read = async {
            let mut session = self.connect().await?;
            while !session.caught_up {
                let read = session.follow.next().await?;
                read.entries.iter().for_each(|entry| session.lookout.take(entry));
                session.caught_up |= read.caught_up;
            }
            let answered = session.heard.wait_for(|heard| heard.answer.is_some()).await;
            let now = answered.map_or_else(|_| Timestamp::now(), |heard| heard.now());
            Ok::<_, Error>(session.lookout.alarms(now, &self.limits))
        };
        // Reading a long record takes its time; a bus that says nothing is away.
        match timeout(within.max(Duration::from_mins(2)), read).await {
            Ok(Ok(alarms)) => alarms,
            Ok(Err(why)) => vec![unreachable(Timestamp::now(), &why.to_string())],
            Err(_) => vec![unreachable(Timestamp::now(), "it did not answer")],
        }
    }

    async fn connect(&self) -> Result<Session, Error> {
        // What was begun goes on over breaks of the connection; only the beginning is given up.
        let connection = Connection { wait: Wait::UntilConnected, ..self.connection.clone() };
        let connected = async {
            let ledger = Ledger::connect(&connection).await?;
            let follow = ledger.follow().await?;
            Ok::<_, Error>((ledger, follow))
        };
        let silent = |_| Error::Silent { waited: PATIENCE };
        let (ledger, follow) = timeout(PATIENCE, connected).await.map_err(silent)??;
        let (tell, heard) = watch::channel(Heard::default());
        let asking = tokio::spawn(ask(ledger, tell));
        Ok(Session {
            follow,
            lookout: Lookout::trusting(self.pin.clone()),
            caught_up: false,
            behind: None,
            heard,
            asking,
        })
    }

    fn lost(&mut self, why: &Error) {
        self.away.get_or_insert_with(|| (Instant::now(), Timestamp::now(), why.to_string()));
    }

    /// Every alarm that there is now, and the time of it.
    fn alarms(&mut self) -> (Vec<Alarm>, Timestamp) {
        let Some(session) = &mut self.session else {
            let mut alarms = self.found.clone();
            alarms.extend(self.away.as_ref().and_then(|away| silent(away, &self.limits)));
            return (alarms, Timestamp::now());
        };
        let heard = session.heard.borrow().clone();
        let now = heard.now();
        if heard.answer.is_some() && heard.silent.is_none() {
            self.away = None;
        }
        let behind = session.behind(&heard, now, &self.limits);
        if session.caught_up && heard.silent.is_none() {
            self.found = session.lookout.alarms(now, &self.limits);
        }
        let mut alarms = self.found.clone();
        let away = heard.silent.as_ref().or(self.away.as_ref());
        alarms.extend(away.and_then(|away| silent(away, &self.limits)));
        alarms.extend(behind);
        (alarms, now)
    }
}

impl Session {
    fn behind(&mut self, heard: &Heard, now: Timestamp, limits: &Limits) -> Option<Alarm> {
        let (_, touch) = heard.answer.as_ref()?;
        let read = (self.lookout.read_through(Stream::Said), self.lookout.read_through(Stream::Log));
        let missing = touch.said_end.saturating_sub(read.0) + touch.log_end.saturating_sub(read.1);
        if missing == 0 || !self.caught_up {
            self.behind = None;
            return None;
        }
        let through = read.0 + read.1;
        let (since, _) = match self.behind {
            Some(behind) if behind.1 == through => behind,
            _ => *self.behind.insert((Instant::now(), through)),
        };
        let late = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::ZERO);
        (late > limits.bus).then(|| {
            let text = format!("The bus answers, and {missing} entries that it holds do not come.");
            alarm(AlarmCode::BusBehind, now.checked_sub(late).unwrap_or(now), text)
        })
    }
}

fn silent((since, at, why): &(Instant, Timestamp, String), limits: &Limits) -> Option<Alarm> {
    let late = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::ZERO) > limits.bus;
    late.then(|| unreachable(*at, why))
}

fn unreachable(since: Timestamp, why: &str) -> Alarm {
    alarm(AlarmCode::BusUnreachable, since, format!("The bus does not answer: {why}"))
}

/// An open connection proves little: a broker may be held up behind it. So it is asked.
async fn ask(ledger: Ledger, tell: watch::Sender<Heard>) {
    loop {
        let asked = Instant::now();
        let touched = ledger.touch(PATIENCE).await;
        tell.send_modify(|heard| match touched {
            Ok(touch) => {
                // It was told somewhere between the question and the answer.
                let told = asked + asked.elapsed() / 2;
                *heard = Heard { answer: Some((told, touch)), silent: None };
            }
            Err(why) => {
                heard.silent.get_or_insert_with(|| (asked, Timestamp::now(), why.to_string()));
            }
        });
        tokio::time::sleep(LOOK.saturating_sub(asked.elapsed())).await;
    }
}
