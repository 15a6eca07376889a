//! (e) How late a finding stands behind its `due_at`: the broker closes the window, the router reads both streams to
//! their end and writes what it found. Both times are the broker's.
//!
//! nats-server 2.15.1 looks for schedules that are due a quarter of a second after it last found some, so windows that
//! crowd are closed up to 250 ms late (seen: every 100 ms one, median 130 ms). Here they stand further apart than that,
//! as those of different incidents do.
//!
//! Windows close at a steady pace, each of an incident of its own with a few silent recipients. Each finding so also
//! makes escalations, as it would.

use std::{collections::HashMap, time::Duration};

use tocsin_protocol::{Dispatch, SignedDuration, Stream, Timestamp, from_body};
use tocsin_router::Router;
use tokio::sync::oneshot;

use super::{
    bus::{Account, Bus},
    spread::Spread,
    world::{World, incident},
};
use crate::error::{Attempt, Error};

/// Silent recipients of each incident.
const RECIPIENTS: usize = 4;
/// From publication to the close of the window.
const WINDOW: SignedDuration = SignedDuration::from_secs(2);
/// Between two publications, and so between two closings.
const PACE: Duration = Duration::from_millis(400);
/// The longest wait for the last finding.
const MOST: Duration = Duration::from_mins(1);

/// What was measured, in milliseconds.
#[derive(Debug)]
pub(super) struct Lateness {
    /// From `due_at` until the broker closed the window.
    pub(super) closed: Spread,
    /// From `due_at` until the finding stood in the log.
    pub(super) found: Spread,
}

pub(super) async fn measure(bus: &Bus, windows: usize) -> Result<Lateness, Error> {
    let world = World::new(RECIPIENTS)?;
    let ledger = bus.set_up(Account::Lateness).await?;
    world.apply(&ledger, 1, RECIPIENTS, WINDOW).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Router::new(bus.ledger(Account::Lateness).await?);
    let router = tokio::spawn(router.run(async { drop(stopped.await) }));
    let mut pace = tokio::time::interval(PACE);
    for n in 0..windows {
        pace.tick().await;
        let (subject, body, signed) = world.say(&incident(&format!("late-{n}"))?)?;
        ledger.say(&subject, &signed, body).await.attempt("say the bench's event")?;
    }
    let found = async {
        loop {
            let found = ledger.entries(Stream::Log, &["tocsin.finding.>".to_owned()]).await;
            let found = found.attempt("read the findings")?;
            if found.len() >= windows {
                return Ok::<_, Error>(found);
            }
            pace.tick().await;
        }
    };
    let found = tokio::time::timeout(MOST, found).await.attempt("see every finding in time")??;
    drop(stop);
    router.await.attempt("stop the bench's router")?.attempt("run the bench's router")?;

    let mut due = HashMap::new();
    let dispatches = ledger.entries(Stream::Log, &["tocsin.dispatch.>".to_owned()]).await;
    for entry in dispatches.attempt("read the dispatches")? {
        let dispatch: Dispatch = from_body("dispatch", &entry.body).attempt("read a dispatch")?;
        for step in &dispatch.steps {
            due.insert(format!("{}.{}.{}", dispatch.incident, dispatch.event, step.step), step.due_at);
        }
    }
    let closed = ledger.entries(Stream::Log, &["tocsin.due.>".to_owned()]).await.attempt("read the dues")?;
    let late = |kind: &str, entries: &[tocsin_protocol::Entry]| {
        let late = entries.iter().map(|entry| {
            let window = entry.subject.strip_prefix(kind).and_then(|window| due.get(window));
            let due_at = window.ok_or_else(|| Error::told(format!("{} has no window", entry.subject)))?;
            Ok(milliseconds(*due_at, entry.time))
        });
        late.collect::<Result<Vec<_>, Error>>().map(Spread::of)
    };
    Ok(Lateness { closed: late("tocsin.due.", &closed)?, found: late("tocsin.finding.", &found)? })
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}
