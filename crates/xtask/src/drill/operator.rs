//! The operator, who publishes what happened as it happened.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tocsin_ledger::Connection;
use tocsin_protocol::{AreaId, Event, PublisherId, SigningKey};
use tocsin_publisher::{Answer, Spool, await_answer, prepare, publish};

use super::{
    clock::{Clock, bst},
    day::{HAPPENINGS, PUBLISHER},
    parts::Home,
};
use crate::error::Error;

/// How long the bus may take to have an event and the router to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The operator of 2023, at a keyboard that works.
pub(crate) struct Operator {
    /// How the bus is reached.
    pub(crate) connection: Connection,
    /// Where the spool is.
    pub(crate) home: Home,
    /// The operator's key.
    pub(crate) key: SigningKey,
    /// When it is what time of day.
    pub(crate) clock: Clock,
    /// The split of the calls lost.
    pub(crate) by_area: BTreeMap<AreaId, u64>,
}

impl Operator {
    /// Publishes every event at its time of day, and tells how long each took from the key pressed to the bus's word
    /// that it has it.
    ///
    /// # Errors
    /// When the bus does not take an event, or the router does not dispatch it.
    pub(crate) async fn work(self) -> Result<Vec<SignedDuration>, Error> {
        let publisher = PublisherId::new(PUBLISHER).map_err(|why| Error::part("name the publisher", why))?;
        let spool = Spool::open(&self.home.spool()).map_err(|why| Error::part("open the spool", why))?;
        let mut previous: Option<Event> = None;
        let mut taken = Vec::new();
        for happening in &HAPPENINGS {
            let at = happening.at()?;
            let wait = self.clock.machine(at).duration_since(Timestamp::now());
            tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
            let pressed = Instant::now();
            let cannot = |why| Error::part(format!("publish the event of {}", bst(at, "%H:%M")), why);
            let event = happening.draft(previous.as_ref(), &self.clock, &self.by_area)?;
            let prepared = prepare(&event, &self.key, &publisher).map_err(cannot)?;
            let said = publish(&self.connection, &spool, &prepared, Timestamp::now(), PATIENCE)
                .await
                .map_err(cannot)?;
            taken.push(pressed.elapsed().try_into().unwrap_or(SignedDuration::MAX));
            match await_answer(&said.ledger, &said.sent, PATIENCE).await.map_err(cannot)? {
                Answer::Dispatched(_) => {}
                other => return Err(Error::told(format!("the event of {} BST: {other}", bst(at, "%H:%M")))),
            }
            previous = Some(event);
        }
        Ok(taken)
    }
}
