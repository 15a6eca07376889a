//! Saying that a named person has taken a notice in.

use std::{fmt, time::Duration};

use jiff::tz::TimeZone;
use tocsin_ledger::{Error as LedgerError, Position, Said};
use tocsin_protocol::{
    BodyId, Entry, EventNumber, IncidentId, Person, Receipt, ReceiptMethod, Refusal, Stream, Subject,
    Timestamp, from_body,
};

use crate::{
    clean,
    desk::Desk,
    error::Error,
    read::{ReadNotice, read_notice},
    when::clock,
};

/// How many events beyond the last written are looked for one by one.
const PROBED: u32 = 20;

/// Who acknowledges, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledge {
    /// The person, by name and role.
    pub by: Person,
    /// Through which door it came.
    pub method: ReceiptMethod,
    /// For whom, when a deputy or another body acknowledges.
    pub on_behalf_of: Option<String>,
    /// Anything to be kept with it.
    pub note: Option<String>,
}

/// An acknowledgement that stands on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which event. It covers every earlier one too.
    pub event: EventNumber,
    /// Whether it is this one or an earlier one.
    pub standing: Standing,
    /// Where it stands, with the broker's time, which decides.
    pub position: Position,
    /// The last moment that was in time, when one was set.
    pub due_at: Option<Timestamp>,
}

/// Which acknowledgement it is that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// This one.
    New,
    /// This one was stored beside other words on its subject: the first that is validly signed counts.
    Beside,
    /// One that was given before; this one was not sent.
    Earlier(Box<Receipt>),
}

impl Acknowledged {
    /// Whether it was in time by the broker's clock; `None` when no time was set.
    pub fn in_time(&self) -> Option<bool> {
        self.due_at.map(|due_at| self.position.time <= due_at)
    }
}

impl Acknowledged {
    /// What became of it, in times as people here read them.
    pub fn told(&self, now: Timestamp, zone: &TimeZone) -> String {
        let clock = |at| clock(at, now, zone);
        let Self { incident, event, position: Position { time, .. }, .. } = self;
        let (judged, due) = match (self.in_time(), self.due_at) {
            (Some(true), Some(due_at)) => (" IN TIME", format!(" (it was due by {})", clock(due_at))),
            (Some(false), Some(due_at)) => (
                " LATE",
                format!(
                    " (it was due by {}; late ones count, as late, and stop what would have followed)",
                    clock(due_at)
                ),
            ),
            _ => ("", String::new()),
        };
        let standing = match &self.standing {
            Standing::New => String::new(),
            Standing::Beside => ". Other words stood there already; the first valid ones count".to_owned(),
            Standing::Earlier(receipt) => match &receipt.by {
                Some(Person { name, role }) => format!(
                    ". It had been given before, by {}, {}",
                    clean::line(name, 200),
                    clean::line(role, 200)
                ),
                None => ". It had been given before".to_owned(),
            },
        };
        format!("Acknowledged{judged} at {}{due}: {incident} event {event}{standing}", clock(*time))
    }
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(self.position.time, &TimeZone::UTC))
    }
}

impl Desk {
    /// Acknowledges an event of an incident, or the newest that this recipient was told of, for which the notice is
    /// read from the bus. Done twice, it ends as one acknowledgement, and says so.
    ///
    /// # Errors
    /// [`Error::NoNotice`] when this recipient was told of no such event, [`Error::Unfit`] when the notice cannot be
    /// believed, [`Error::Invalid`] when a name is missing or too long, [`Error::Ledger`].
    pub async fn acknowledge(
        &self,
        incident: &IncidentId,
        event: Option<EventNumber>,
        what: &Acknowledge,
    ) -> Result<Acknowledged, Error> {
        let entry = if let Some(event) = event {
            let (recipient, incident) = (self.recipient.clone(), incident.clone());
            self.ledger.last(&Subject::Notice { recipient, incident, event }).await?
        } else {
            self.newest_notice(incident).await?
        };
        let entry = entry.ok_or_else(|| Error::NoNotice {
            recipient: self.recipient.clone(),
            incident: incident.clone(),
            event,
        })?;
        let read = read_notice(&entry, &self.recipient, &self.pinned)
            .map_err(|unfit| Error::Unfit(Box::new(unfit)))?;
        self.acknowledge_notice(&read, what).await
    }

    /// Acknowledges a notice in hand. Done twice, it ends as one acknowledgement, and says so.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a name is missing or too long, [`Error::Ledger`] when the bus does not take it: say it
    /// again, it ends as one.
    pub async fn acknowledge_notice(
        &self,
        read: &ReadNotice,
        what: &Acknowledge,
    ) -> Result<Acknowledged, Error> {
        let receipt = self.acknowledgement(read, what);
        let acknowledged = |standing, position| Acknowledged {
            incident: receipt.incident.clone(),
            event: receipt.event,
            standing,
            position,
            due_at: read.notice.due_at,
        };
        if let Some((entry, earlier)) = self.said_before(&receipt.subject()).await?
            && self.counts(&entry).await
        {
            let position = Position { sequence: entry.sequence, time: entry.time };
            return Ok(acknowledged(Standing::Earlier(Box::new(earlier)), position));
        }
        Ok(match self.say(&receipt).await? {
            Said::Stored(position) | Said::Already(position) => acknowledged(Standing::New, position),
            Said::Beside(position) => acknowledged(Standing::Beside, position),
        })
    }

    /// The notice of the latest event of an incident that this recipient was told of.
    async fn newest_notice(&self, incident: &IncidentId) -> Result<Option<Entry>, Error> {
        let filter = format!("tocsin.notice.{}.{incident}.*", self.recipient);
        match self.ledger.entries(Stream::Log, std::slice::from_ref(&filter)).await {
            Ok(entries) => Ok(newest(entries)),
            Err(LedgerError::Denied { .. }) => Ok(newest(self.notices_one_by_one(incident).await?)),
            Err(why) => Err(why.into()),
        }
    }

    /// The notices of an incident, read one by one: a desk need not be let to search.
    pub(crate) async fn notices_one_by_one(&self, incident: &IncidentId) -> Result<Vec<Entry>, Error> {
        let filter = format!("tocsin.notice.{}.{incident}.*", self.recipient);
        let last = self.ledger.newest(Stream::Log, &filter).await?;
        let Some(Ok(Subject::Notice { event, .. })) = last.map(|entry| entry.subject.parse()) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        // A router that completes an earlier dispatch after a crash writes an earlier event last.
        for event in (1..=event.get().saturating_add(PROBED)).filter_map(EventNumber::new) {
            let (recipient, incident) = (self.recipient.clone(), incident.clone());
            found.extend(self.ledger.last(&Subject::Notice { recipient, incident, event }).await?);
        }
        Ok(found)
    }

    fn acknowledgement(&self, read: &ReadNotice, what: &Acknowledge) -> Receipt {
        Receipt {
            control_room: self.control_room.clone(),
            on_behalf_of: what.on_behalf_of.clone(),
            note: what.note.clone(),
            ..Receipt::acknowledged(
                self.recipient.clone(),
                read.notice.incident.clone(),
                read.notice.event,
                self.clock.now(),
                (what.by.clone(), what.method),
            )
        }
    }

    /// Whether what was said before is known not to have been refused. One that was refused, say before the directory
    /// had this desk's key, must not stand in the way of one that would count.
    pub(crate) async fn counts(&self, entry: &Entry) -> bool {
        matches!(self.ledger.last(&Subject::refusal(&entry.subject, entry.sequence)).await, Ok(None))
    }

    /// Waits whether the router refuses an acknowledgement: a key that is not the directory's, or an event that was
    /// never owed. The router writes nothing for one that counts, so no answer in this time is a good one.
    ///
    /// # Errors
    /// [`Error::Ledger`] when the bus cannot be read, [`Error::Word`] when the refusal cannot.
    pub async fn refusal(
        &self,
        acknowledged: &Acknowledged,
        within: Duration,
    ) -> Result<Option<Refusal>, Error> {
        let (body, said) = (Some(BodyId::from(&self.recipient)), acknowledged.position.sequence);
        let subject = Subject::Refusal { body, said };
        let entry = self.ledger.wait_for(&[subject], within).await?;
        Ok(entry.map(|entry| from_body("refusal", &entry.body)).transpose()?)
    }
}

/// The notice of the latest event. The order in which notices were written is not asked: a router may complete an
/// earlier dispatch after a crash.
fn newest(entries: Vec<Entry>) -> Option<Entry> {
    entries
        .into_iter()
        .filter_map(|entry| match entry.subject.parse() {
            Ok(Subject::Notice { event, .. }) => Some((event, entry)),
            _ => None,
        })
        .max_by_key(|(event, _)| *event)
        .map(|(_, entry)| entry)
}
