//! The publisher, who says what happened as it happened.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tocsin_ledger::Connection;
use tocsin_protocol::SigningKey;
use tocsin_publisher::{Answer, Spool, await_answer, prepare, publish};

use super::{
    clock::Clock,
    day::{Day, Populations},
    parts::Home,
};
use crate::error::Error;

/// How long the bus may take to have an event and the router to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The publisher of that day, at a keyboard that works.
pub(crate) struct Operator {
    /// How the bus is reached.
    pub(crate) connection: Connection,
    /// Where the spool is.
    pub(crate) home: Home,
    /// The publisher's key.
    pub(crate) key: SigningKey,
    /// When it is what time of day.
    pub(crate) clock: Clock,
    /// What is said.
    pub(crate) day: Day,
    /// Where people live, to split the calls lost.
    pub(crate) populations: Populations,
}

impl Operator {
    /// Publishes every event at its time of day, and tells how long each took from the key pressed to the bus's word
    /// that it has it.
    ///
    /// # Errors
    /// When the bus does not take an event, or the router does not dispatch it.
    pub(crate) async fn work(self) -> Result<Vec<SignedDuration>, Error> {
        let spool = Spool::open(&self.home.spool()).map_err(|why| Error::part("open the spool", why))?;
        let mut taken = Vec::new();
        for happening in &self.day.scenario.events {
            let said_at = self.day.told(happening.at, "%H:%M %Z");
            let wait = self.clock.machine(happening.at).duration_since(Timestamp::now());
            tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
            let pressed = Instant::now();
            let cannot = |why| Error::part(format!("publish the event of {said_at}"), why);
            let event = self.day.event(happening, &self.clock, &self.populations);
            let prepared = prepare(&event, &self.key, &self.day.scenario.publisher).map_err(cannot)?;
            let said = publish(&self.connection, &spool, &prepared, Timestamp::now(), PATIENCE)
                .await
                .map_err(cannot)?;
            taken.push(pressed.elapsed().try_into().unwrap_or(SignedDuration::MAX));
            match await_answer(&said.ledger, &said.sent, PATIENCE).await.map_err(cannot)? {
                Answer::Dispatched(_) => {}
                other => return Err(Error::told(format!("the event of {said_at}: {other}"))),
            }
        }
        Ok(taken)
    }
}
