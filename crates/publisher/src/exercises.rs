//! Exercises by schedule: says each when it is due, once, however many do so and however often they are started anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use jiff::tz::TimeZone;
use tocsin_duty::{Course, Directory, Due, Schedule, event_of};
use tocsin_ledger::{Connection, Error as LedgerError, Ledger};
use tocsin_protocol::{
    AuthorKey, Entry, Event, EventNumber, ExerciseDocument, ExerciseId, IncidentId, PublisherId,
    SignedDuration, SigningKey, Status, Stream, Subject, Timestamp, from_body,
};

use crate::{
    error::Error,
    known::directory_in_force,
    prepare::prepare,
    send::{not_trusted, publish},
    spool::Spool,
};

/// How far back what was due and not said is looked for.
const BACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many moments of one exercise are looked at, the last ones.
const MOMENTS: usize = 16;
/// How long to try to send.
const SENDING: Duration = Duration::from_secs(15);

/// Says a publisher's exercises when they are due, by the directory in force.
pub struct Exerciser {
    connection: Connection,
    publisher: PublisherId,
    key: SigningKey,
    spool: Spool,
    grace: SignedDuration,
    /// What was settled of each exercise's moments, so that it is told once.
    settled: BTreeSet<IncidentId>,
    /// Those that were told as put off.
    put_off: BTreeSet<IncidentId>,
    /// What is being said, from before it is in the spool until it is known what came of it.
    saying: Option<Subject>,
}

/// What came of an exercise that was due.
#[derive(Debug)]
pub struct Happened {
    /// Which.
    pub exercise: ExerciseId,
    /// The incident that it is.
    pub incident: IncidentId,
    /// When it was due.
    pub at: Timestamp,
    /// What came of it.
    pub what: Came,
}

/// What came of an exercise that was due.
#[derive(Debug)]
pub enum Came {
    /// It was said, in time or late.
    Said {
        /// After its time, and within the grace.
        late: bool,
    },
    /// It was not said within the grace, and is not said any more.
    Missed,
    /// An actual incident of the publisher is open: it is said when that is over, if that is within the grace.
    Postponed,
    /// It could not be said; it is tried again.
    NotSaid(Box<Error>),
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exercise, incident, at, what } = self;
        write!(f, "exercise {exercise}, due {at}, incident {incident}: ")?;
        match what {
            Came::Said { late: false } => write!(f, "said"),
            Came::Said { late: true } => write!(f, "said, late"),
            Came::Missed => write!(f, "MISSED: it was not said in time, and is not said any more"),
            Came::Postponed => write!(f, "postponed, as an actual incident is open"),
            Came::NotSaid(why) => write!(f, "not said yet: {why}"),
        }
    }
}

impl Exerciser {
    /// Makes it ready. It says nothing before [`Self::look`].
    pub fn new(
        connection: Connection,
        publisher: PublisherId,
        key: SigningKey,
        spool: Spool,
        grace: SignedDuration,
    ) -> Self {
        let (settled, put_off) = (BTreeSet::new(), BTreeSet::new());
        Self { connection, publisher, key, spool, grace, settled, put_off, saying: None }
    }

    /// Says what is due at this moment, and tells what came of it; each is told once. It connects anew for each look: what
    /// is due a few times a week needs no standing connection. It may be dropped at any moment, for [`Self::leave`] then.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the bus cannot be reached or read, [`Error::NotTrusted`] when its directory is not to be
    /// trusted, [`Error::Disk`].
    pub async fn look(&mut self, now: Timestamp) -> Result<Vec<Happened>, Error> {
        let ledger = Ledger::connect(&self.connection).await?;
        if let Some(why) = not_trusted(&ledger, &self.spool, SENDING).await? {
            return Err(why);
        }
        let Some((since, directory)) = directory_in_force(&ledger).await? else { return Ok(Vec::new()) };
        let mut happened = Vec::new();
        // What was due before there was this directory was another's to say.
        let from = since.max(now.checked_sub(BACK).unwrap_or(since));
        for (exercise, at) in due(&directory, &self.publisher, from, now) {
            let event = event_of(exercise, at)?;
            let incident = event.incident.clone();
            if self.settled.contains(&incident) {
                continue;
            }
            if ledger.last(&event.subject()).await?.is_some() {
                self.settled.insert(incident);
                continue;
            }
            let open = self.actual_is_open(&ledger).await?;
            let what = match Due::judge(at, now, self.grace, open) {
                Due::Missed => Came::Missed,
                Due::Postponed if !self.put_off.insert(incident.clone()) => continue,
                Due::Postponed => Came::Postponed,
                judged @ (Due::Now | Due::Late) => match self.say(&event, now).await {
                    Ok(()) => Came::Said { late: judged == Due::Late },
                    Err(why) => Came::NotSaid(Box::new(why)),
                },
            };
            if matches!(what, Came::Missed | Came::Said { .. }) {
                self.settled.insert(incident.clone());
            }
            happened.push(Happened { exercise: exercise.id.clone(), incident, at, what });
        }
        Ok(happened)
    }

    /// Ends it, whatever a look that was dropped had begun. What that look was saying may be on the bus or not; the next one
    /// that starts sees which.
    ///
    /// # Errors
    /// [`Error::Disk`] when an exercise stays in the spool that was not sent.
    pub fn leave(mut self) -> Result<(), Error> {
        self.take_back()
    }

    async fn say(&mut self, event: &Event, now: Timestamp) -> Result<(), Error> {
        let prepared = prepare(event, &self.key, &self.publisher)?;
        self.saying = Some(prepared.subject().clone());
        match publish(&self.connection, &self.spool, &prepared, now, SENDING).await {
            Ok(_) => {
                self.saying = None;
                Ok(())
            }
            Err(why) => self.take_back().and(Err(why)),
        }
    }

    /// What was not sent must not be sent later by others: whether it still may be is judged anew.
    fn take_back(&mut self) -> Result<(), Error> {
        let Some(subject) = self.saying.take() else { return Ok(()) };
        match self.spool.withdraw(&subject) {
            Ok(_) | Err(Error::NotSpooled { .. }) => Ok(()),
            Err(worse) => Err(worse),
        }
    }

    /// Whether an actual incident of the publisher has begun and not ended, on the bus or in the spool. Where the bus does
    /// not let the publisher search the stream, the newest that it said stands for all.
    async fn actual_is_open(&self, ledger: &Ledger) -> Result<bool, Error> {
        let own = format!("tocsin.incident.{}.*.*", self.publisher);
        let said = match ledger.entries(Stream::Said, std::slice::from_ref(&own)).await {
            Ok(said) => said,
            Err(LedgerError::Denied { .. }) => ledger.newest(Stream::Said, &own).await?.into_iter().collect(),
            Err(why) => return Err(why.into()),
        };
        let key = AuthorKey::new(&self.key.public())?;
        let mut all: BTreeMap<IncidentId, BTreeMap<EventNumber, Event>> = BTreeMap::new();
        let waiting = self.spool.pending()?.events;
        let waiting = waiting.iter().filter_map(|spooled| from_body::<Event>("event", spooled.body()).ok());
        for event in said.iter().filter_map(|entry| event(entry, &key)).chain(waiting) {
            if event.status == Status::Actual {
                all.entry(event.incident.clone()).or_default().entry(event.sequence).or_insert(event);
            }
        }
        Ok(all.values().any(|events| Course::of(events.values()).is_open()))
    }
}

fn event(entry: &Entry, key: &AuthorKey) -> Option<Event> {
    let Ok(Subject::Incident { .. }) = entry.subject.parse() else { return None };
    let signed = entry.signed.as_ref()?;
    key.verify(&entry.subject, &entry.body, signed).ok()?;
    from_body("event", &entry.body).ok()
}

/// What of a publisher's exercises was due between two moments, the last ones of each, in order.
fn due<'d>(
    directory: &'d Directory,
    publisher: &PublisherId,
    from: Timestamp,
    now: Timestamp,
) -> Vec<(&'d ExerciseDocument, Timestamp)> {
    let document = directory.document();
    let zone = TimeZone::get(&document.time_zone).unwrap_or(TimeZone::UTC);
    let mut due = Vec::new();
    for exercise in document.exercises.iter().filter(|exercise| exercise.publisher == *publisher) {
        let Ok(schedule) = Schedule::read(&exercise.schedule, zone.clone()) else { continue };
        let mut moments: Vec<Timestamp> = schedule.after(from).take_while(|at| *at <= now).collect();
        let skipped = moments.len().saturating_sub(MOMENTS);
        due.extend(moments.drain(skipped..).map(|at| (exercise, at)));
    }
    due.sort_by_key(|(_, at)| *at);
    due
}
