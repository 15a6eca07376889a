//! Notices as they arrive.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use tocsin_duty::Course;
use tocsin_ledger::{Error as LedgerError, Held, Notices};
use tocsin_protocol::{EventNumber, IncidentId, Receipt, Timestamp, TraceId};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    desk::Desk,
    error::Error,
    overdue::{self, NotCome},
    read::{ReadNotice, Unfit, read_notice},
};

/// The most notices held in hand, not yet given to the caller.
const AHEAD_MAX: usize = 256;

/// When nothing has come for this long, what waits on the bus is taken to be in hand.
const QUIET: Duration = Duration::from_millis(15);

/// The longest that a notice in hand waits for those behind it.
const GATHERING_MOST: Duration = Duration::from_millis(250);

/// The most incidents whose newest event is remembered.
const INCIDENTS_MAX: usize = 10_000;

/// A recipient's notices, in order.
///
/// A desk that was away takes in what waits, up to a bound, before it gives out the first: so a notice that is no
/// longer the newest of its incident can say so, and a six-hour-old first word raises no alarm as if it were new.
#[derive(Debug)]
pub struct Arrivals {
    desk: Desk,
    incoming: mpsc::Receiver<Result<Held, LedgerError>>,
    taking: JoinHandle<()>,
    ahead: VecDeque<InHand>,
    known: BTreeMap<IncidentId, Known>,
    failed: Option<LedgerError>,
}

/// What is known of an incident by the notices that came.
#[derive(Debug, Clone, Copy)]
struct Known {
    newest: EventNumber,
    course: Course,
}

/// A notice in hand, not yet given to the caller.
#[derive(Debug)]
struct InHand {
    held: Held,
    read: Result<ReadNotice, Other>,
    delivered: Option<Delivered>,
    /// Its receipt could not be said, and may yet be.
    owed: bool,
    /// How its incident went before it.
    before: Course,
}

/// What is no notice that can be believed.
#[derive(Debug)]
enum Other {
    Overdue(Box<NotCome>),
    Unfit(Unfit),
}

/// One notice, given to the caller. Until it is settled, the bus gives it out again: after this desk's end, or to
/// another desk of this recipient.
#[derive(Debug)]
pub struct Arrival {
    /// What arrived.
    pub content: Content,
    held: Held,
    /// Whose receipt is still to be said, as the bus did not answer for it.
    owes: Option<Desk>,
}

/// What arrived.
#[derive(Debug)]
pub enum Content {
    /// A notice that can be believed.
    Notice(Box<Arrived>),
    /// That what a notice promised did not come. Nothing is delivered or acknowledged by it.
    Overdue(Box<NotCome>),
    /// A notice that cannot. It is neither delivered nor acknowledged.
    Unfit(Unfit),
}

/// A notice that can be believed, and what this desk knows of it.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The notice, the event in it, and its author.
    pub read: ReadNotice,
    /// What became of its `delivered` receipt.
    pub delivered: Delivered,
    /// The newest event of the incident that this desk holds a notice of, when it is a later one.
    pub superseded_by: Option<EventNumber>,
    /// How the incident went before this event, by the notices that this desk has had since it began.
    pub before: Course,
}

/// What became of a `delivered` receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It was said now, at this time by the broker.
    Said(Timestamp),
    /// It was said before, then: this notice was in this recipient's hands before, here or at another desk.
    Before(Timestamp),
    /// It could not be said: why. The notice is here all the same.
    NotSaid(String),
}

impl Arrived {
    /// Whether this notice was in this recipient's hands before.
    pub fn seen_before(&self) -> bool {
        matches!(self.delivered, Delivered::Before(_))
    }

    /// Whether it calls for attention: it is new here, and the newest of its incident.
    pub fn is_news(&self) -> bool {
        !self.seen_before() && self.superseded_by.is_none()
    }
}

impl Arrival {
    /// Tells the bus that this notice need not be given out again. To be called when it has been shown or handed on.
    ///
    /// A `delivered` receipt that the bus did not answer for is said first: once the notice is settled nobody would say it
    /// any more, and the record would have it that this recipient was never reached.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the bus does not answer; the notice may then be given out again.
    pub async fn settle(&self) -> Result<(), Error> {
        if let (Some(desk), Content::Notice(arrived)) = (&self.owes, &self.content) {
            desk.deliver(&arrived.read).await?;
        }
        Ok(self.held.settle().await?)
    }
}

impl Desk {
    /// This recipient's notices from where its desks left off.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the administrator has made no consumer for this recipient, or the bus cannot be reached.
    pub async fn arrivals(&self) -> Result<Arrivals, Error> {
        let notices = self.ledger.notices(&self.recipient).await?;
        let (give, incoming) = mpsc::channel(AHEAD_MAX);
        Ok(Arrivals {
            desk: self.clone(),
            incoming,
            taking: tokio::spawn(take(notices, give)),
            ahead: VecDeque::new(),
            known: BTreeMap::new(),
            failed: None,
        })
    }
}

/// Takes notices off the bus. On a task of its own, so that no caller's cancelled wait drops one.
async fn take(mut notices: Notices, give: mpsc::Sender<Result<Held, LedgerError>>) {
    loop {
        let held = notices.next().await;
        let failed = held.is_err();
        if give.send(held).await.is_err() || failed {
            return;
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

impl Arrivals {
    /// The next notice; waits for one. Its `delivered` receipt has been said, or that was tried. A wait that is
    /// cancelled loses nothing.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the bus can no longer be read: begin again with [`Desk::arrivals`].
    pub async fn next(&mut self) -> Result<Arrival, Error> {
        self.gather().await?;
        let mut away = false;
        for in_hand in &mut self.ahead {
            let (Ok(read), None) = (&in_hand.read, &in_hand.delivered) else { continue };
            // Nobody is kept waiting for a word on each notice from a bus that did not answer for the first.
            if away {
                in_hand.delivered = Some(Delivered::NotSaid("the bus does not answer".to_owned()));
                in_hand.owed = true;
                continue;
            }
            in_hand.delivered = Some(match self.desk.deliver(read).await {
                Ok(delivered) => delivered,
                Err(why) => {
                    away = may_pass(&why);
                    in_hand.owed = away;
                    Delivered::NotSaid(why.to_string())
                }
            });
        }
        let Some(InHand { held, read, delivered, owed, before }) = self.ahead.pop_front() else {
            return Err(closed().into());
        };
        let content = match read {
            Err(Other::Overdue(mut overdue)) => {
                overdue.superseded_by = self.later_than(&overdue.overdue.incident, overdue.overdue.event);
                Content::Overdue(overdue)
            }
            Err(Other::Unfit(unfit)) => {
                tracing::warn!(
                    trace_id = TraceId::on(&held.entry.subject).map(display),
                    recipient = %self.desk.recipient,
                    "a notice is not believed: {unfit}"
                );
                Content::Unfit(unfit)
            }
            Ok(read) => Content::Notice(Box::new(Arrived {
                superseded_by: self.later_than(&read.notice.incident, read.notice.event),
                delivered: delivered.unwrap_or(Delivered::NotSaid("it was not tried".to_owned())),
                before,
                read,
            })),
        };
        Ok(Arrival { content, held, owes: owed.then(|| self.desk.clone()) })
    }

    /// The newest event of this incident in this desk's hands, where it is later than this one.
    fn later_than(&self, incident: &IncidentId, event: EventNumber) -> Option<EventNumber> {
        self.known.get(incident).map(|known| known.newest).filter(|newest| *newest > event)
    }

    /// Brings what waits into hand: waits for one when there is none, then for those close behind it.
    async fn gather(&mut self) -> Result<(), Error> {
        let mut quiet = Duration::ZERO;
        if self.ahead.is_empty() {
            if let Some(failed) = self.failed.take() {
                return Err(failed.into());
            }
            match self.incoming.recv().await {
                Some(held) => self.take_in(held?),
                None => return Err(closed().into()),
            }
            quiet = QUIET;
        }
        let until = Instant::now() + GATHERING_MOST;
        while self.ahead.len() < AHEAD_MAX && Instant::now() < until {
            match tokio::time::timeout(quiet, self.incoming.recv()).await {
                Ok(Some(Ok(held))) => self.take_in(held),
                Ok(Some(Err(failed))) => {
                    self.failed = Some(failed);
                    break;
                }
                Ok(None) | Err(_) => break,
            }
        }
        Ok(())
    }

    fn take_in(&mut self, held: Held) {
        let recipient = &self.desk.recipient;
        let read = match overdue::read(&held.entry, recipient) {
            Some(Ok(overdue)) => Err(Other::Overdue(Box::new(overdue))),
            Some(Err(unfit)) => Err(Other::Unfit(unfit)),
            None => read_notice(&held.entry, recipient, &self.desk.pinned).map_err(Other::Unfit),
        };
        let mut before = Course::default();
        if let Ok(read) = &read {
            if self.known.len() >= INCIDENTS_MAX {
                self.known.clear();
            }
            let course = |before: Course| before.after(read.event.kind, read.event.platform);
            match self.known.get_mut(&read.notice.incident) {
                Some(known) if known.newest >= read.notice.event => {}
                Some(known) => {
                    before = known.course;
                    *known = Known { newest: read.notice.event, course: course(before) };
                }
                None => {
                    let known = Known { newest: read.notice.event, course: course(before) };
                    self.known.insert(read.notice.incident.clone(), known);
                }
            }
        }
        self.ahead.push_back(InHand { held, read, delivered: None, owed: false, before });
    }
}

fn closed() -> LedgerError {
    LedgerError::Closed { why: "no more notices are taken in".to_owned() }
}

/// Whether the bus did not answer, and may yet; anything else it would say again.
fn may_pass(why: &Error) -> bool {
    use LedgerError::{Closed, Connect, Unknown};
    matches!(why, Error::Ledger(Closed { .. } | Connect { .. } | Unknown { .. }))
}

impl Desk {
    /// Says that this recipient's system holds a notice, once.
    async fn deliver(&self, read: &ReadNotice) -> Result<Delivered, Error> {
        let receipt = Receipt {
            control_room: self.control_room.clone(),
            ..Receipt::delivered(
                self.recipient.clone(),
                read.notice.incident.clone(),
                read.notice.event,
                self.clock.now(),
            )
        };
        match self.said_before(&receipt.subject()).await {
            Ok(Some((entry, _))) => return Ok(Delivered::Before(entry.time)),
            Ok(None) => {}
            // To say it twice does less harm than not to say it.
            Err(why) => tracing::debug!("whether {} was said before is not known: {why}", receipt.subject()),
        }
        match self.say(&receipt).await {
            Ok(said) => Ok(Delivered::Said(said.position().time)),
            Err(why) => {
                let (trace_id, subject) = (TraceId::of(&receipt.incident, receipt.event), receipt.subject());
                tracing::warn!(%trace_id, incident = %receipt.incident, %subject, error = %why, "this receipt could not be said");
                Err(why)
            }
        }
    }
}
