//! Sending what the spool holds.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use tocsin_duty::Held;
use tocsin_ledger::{Connection, Error as LedgerError, Ledger};
use tocsin_protocol::{IncidentId, Subject, Timestamp};

use crate::{
    error::Error,
    known::held_against,
    objections::objections_on_the_bus,
    prepare::Prepared,
    spool::{Sent, SetAside, Spool, Spooled},
};

/// What became of the spool's events.
#[derive(Debug, Default)]
pub struct Sending {
    /// What the bus has now, in the order of sending.
    pub sent: Vec<Sent>,
    /// What the bus refused at the door. It is kept, and so is the rest of its incident.
    pub refused: Vec<RefusedAtTheDoor>,
    /// What was not tried, as an earlier event of its incident was refused: the event, and that one.
    pub held_back: Vec<(Subject, Subject)>,
    /// Files that are no events of ours.
    pub set_aside: Vec<SetAside>,
    /// Why sending stopped before the end, if it did. What was not sent is kept.
    pub stopped: Option<Error>,
}

/// An event that the bus refused at the door.
#[derive(Debug)]
pub struct RefusedAtTheDoor {
    /// Which.
    pub subject: Subject,
    /// The bus's own words.
    pub why: Box<LedgerError>,
}

impl fmt::Display for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sent in &self.sent {
            writeln!(f, "{sent}")?;
        }
        for RefusedAtTheDoor { subject, why } in &self.refused {
            writeln!(f, "refused by the bus, and kept: {subject}: {why}")?;
        }
        for (subject, behind) in &self.held_back {
            writeln!(f, "not tried, and kept: {subject}, as {behind} comes before it")?;
        }
        for set_aside in &self.set_aside {
            writeln!(f, "set aside: {set_aside}")?;
        }
        match &self.stopped {
            Some(why) => write!(f, "{why}"),
            None if self.sent.is_empty() && self.refused.is_empty() => write!(f, "nothing waits to be sent"),
            None => write!(f, "{} sent, {} kept", self.sent.len(), self.refused.len() + self.held_back.len()),
        }
    }
}

/// Sends everything that waits, in order, and what is added meanwhile. An event that the bus refuses holds back the
/// rest of its own incident alone.
///
/// Each event is moved to the spool's `sent/` as soon as the bus has it; the spool's own steps block for a disk sync.
///
/// # Errors
/// [`Error::Busy`] when another process sends from this spool all the time allowed, [`Error::Disk`]. That the bus is
/// away, or its directory not to be trusted, is told in [`Sending::stopped`], beside what was sent before.
pub async fn send(ledger: &Ledger, spool: &Spool, within: Duration) -> Result<Sending, Error> {
    let until = Instant::now() + within;
    if let Some(why) = not_trusted(ledger, spool, within).await? {
        return Ok(Sending { stopped: Some(why), ..Sending::default() });
    }
    send_trusting(ledger, spool, until.saturating_duration_since(Instant::now())).await
}

/// The same, where the directory has been looked at.
async fn send_trusting(ledger: &Ledger, spool: &Spool, within: Duration) -> Result<Sending, Error> {
    let until = Instant::now() + within;
    let _lock = spool.lock_sending(within).await?;
    let mut sending = Sending::default();
    let mut blocked: BTreeMap<IncidentId, Subject> = BTreeMap::new();
    loop {
        let pending = spool.pending()?;
        sending.set_aside.extend(pending.set_aside);
        sending.held_back.clear();
        let mut tried = false;
        let waiting = pending.events.len();
        for (done, spooled) in pending.events.into_iter().enumerate() {
            if let Some(behind) = blocked.get(spooled.incident()) {
                if behind != spooled.subject() {
                    sending.held_back.push((spooled.subject().clone(), behind.clone()));
                }
                continue;
            }
            tried = true;
            match say(ledger, &spooled, until).await {
                Ok(said) => {
                    spool.mark_sent(&spooled, &said)?;
                    sending.sent.push(Sent { spooled, said });
                }
                Err(why) if is_about_the_event(&why) => {
                    let subject = spooled.subject().clone();
                    blocked.insert(spooled.incident().clone(), subject.clone());
                    sending.refused.push(RefusedAtTheDoor { subject, why: Box::new(why) });
                }
                Err(why) => {
                    let kept = waiting - done + sending.refused.len() + sending.held_back.len();
                    sending.stopped = Some(kept_for_later(spool, kept, why));
                    return Ok(sending);
                }
            }
        }
        if !tried {
            return Ok(sending);
        }
    }
}

/// Why the bus is given nothing: the directory in force does not stand under the key that is trusted, or it is not known
/// whether it does. Before there is one nobody would be told, so that it makes no difference.
pub(crate) async fn not_trusted(
    ledger: &Ledger,
    spool: &Spool,
    within: Duration,
) -> Result<Option<Error>, Error> {
    let Some(pin) = spool.pin() else { return Ok(None) };
    let looked = tokio::time::timeout(within, held_against(ledger, pin)).await;
    let kept = spool.pending()?.events.len();
    Ok(match looked {
        Ok(Ok(Held::Under { .. } | Held::None)) => None,
        Ok(Ok(Held::Not(why))) => {
            Some(Error::NotTrusted { dir: spool.dir().to_owned(), kept, why: Box::new(why) })
        }
        Ok(Err(Error::Ledger(why))) => Some(kept_for_later(spool, kept, why)),
        Ok(Err(other)) => return Err(other),
        Err(_) => {
            let attempted = "reading the directory, which is to be held against the trusted key".to_owned();
            let why = "the time allowed has passed".to_owned();
            Some(kept_for_later(spool, kept, LedgerError::Unknown { attempted, within, why }))
        }
    })
}

async fn say(ledger: &Ledger, spooled: &Spooled, until: Instant) -> Result<tocsin_ledger::Said, LedgerError> {
    let left = until.saturating_duration_since(Instant::now());
    let saying = ledger.say(spooled.subject(), spooled.signed(), spooled.body().clone());
    match tokio::time::timeout(left, saying).await {
        Ok(said) => said,
        Err(_) => Err(LedgerError::Unknown {
            attempted: format!("saying {}", spooled.subject()),
            within: left,
            why: "the time allowed has passed".to_owned(),
        }),
    }
}

/// Whether the bus refuses this one event, so that others may still pass.
fn is_about_the_event(why: &LedgerError) -> bool {
    matches!(
        why,
        LedgerError::TooLarge { .. }
            | LedgerError::Denied { .. }
            | LedgerError::Refused { .. }
            | LedgerError::WrongStream { .. }
    )
}

fn kept_for_later(spool: &Spool, kept: usize, why: LedgerError) -> Error {
    let (dir, why) = (spool.dir().to_owned(), Box::new(why));
    match *why {
        LedgerError::Connect { .. } | LedgerError::Unknown { .. } | LedgerError::Closed { .. } => {
            Error::BusAway { dir, kept, why }
        }
        _ => Error::BusUnfit { dir, kept, why },
    }
}

/// How much longer than its own patience a connection is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// An event that the bus has, and the connection over which to wait for the answer.
#[derive(Debug)]
pub struct Published {
    /// The connection.
    pub ledger: Ledger,
    /// The event, and where it stands.
    pub sent: Sent,
    /// Everything that was sent with it, or was not.
    pub sending: Sending,
}

/// Spools an event, connects, and sends everything that waits. `at` is the time of spooling.
///
/// An event that the router would refuse by the directory in force is taken out of the spool again and not sent: once
/// refused, the same words would stay refused after the directory is mended.
///
/// # Errors
/// Before the event is on disk, whatever [`Spool::put`] says; [`Error::WouldBeRefused`]. Else the event is kept:
/// [`Error::BusAway`], [`Error::BusUnfit`], [`Error::NotTrusted`], [`Error::RefusedAtTheDoor`], [`Error::HeldBack`],
/// [`Error::Busy`], [`Error::Disk`].
pub async fn publish(
    connection: &Connection,
    spool: &Spool,
    prepared: &Prepared,
    at: Timestamp,
    within: Duration,
) -> Result<Published, Error> {
    let until = Instant::now() + within;
    spool.put(prepared, at)?;
    // The connection has a patience of its own, and better words for why it failed.
    let connected = match tokio::time::timeout(within + GRACE, Ledger::connect(connection)).await {
        Ok(connected) => connected,
        Err(_) => Err(LedgerError::Unknown {
            attempted: "connecting to NATS".to_owned(),
            within,
            why: "no answer".to_owned(),
        }),
    };
    let ledger = match connected {
        Ok(ledger) => ledger,
        Err(why) => return Err(kept_for_later(spool, spool.pending()?.events.len(), why)),
    };
    // That nothing stands against it is worth less than that it is said: most of the time is left for that.
    let left = until.saturating_duration_since(Instant::now());
    if let Some(why) = not_trusted(&ledger, spool, left / 3).await? {
        return Err(why);
    }
    let left = until.saturating_duration_since(Instant::now());
    let problems = tokio::time::timeout(left / 3, objections_on_the_bus(&ledger, prepared)).await;
    let problems = problems.unwrap_or_else(|_| {
        tracing::debug!("what is on the bus could not be read in time before sending");
        Vec::new()
    });
    if !problems.is_empty() {
        return match spool.withdraw(prepared.subject()) {
            // Another process sends it just now; the router answers it.
            Err(Error::NotSpooled { .. }) | Ok(_) => Err(Error::WouldBeRefused { problems }),
            Err(why) => Err(why),
        };
    }
    let sending = match send_trusting(&ledger, spool, until.saturating_duration_since(Instant::now())).await {
        // The other process may have sent this one before it was stuck on another.
        Err(Error::Busy { .. }) if sent_already(spool, prepared)?.is_some() => Sending::default(),
        other => other?,
    };
    match sent_already(spool, prepared)? {
        Some(sent) => Ok(Published { ledger, sent, sending }),
        None => Err(why_not(spool, prepared.subject(), sending)),
    }
}

fn sent_already(spool: &Spool, prepared: &Prepared) -> Result<Option<Sent>, Error> {
    Ok(spool.sent(prepared.subject())?.filter(|sent| sent.spooled.body() == prepared.body()))
}

fn why_not(spool: &Spool, subject: &Subject, sending: Sending) -> Error {
    let dir = spool.dir().to_owned();
    let Sending { refused, held_back, stopped, .. } = sending;
    if let Some(refused) = refused.into_iter().find(|refused| refused.subject == *subject) {
        return Error::RefusedAtTheDoor { subject: refused.subject, dir, why: refused.why };
    }
    if let Some((subject, behind)) = held_back.into_iter().find(|(held, _)| held == subject) {
        return Error::HeldBack { subject, behind: Box::new(behind), dir };
    }
    stopped.unwrap_or(Error::NotSpooled { subject: subject.clone(), dir })
}
