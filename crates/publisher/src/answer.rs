//! What the router made of an event.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tocsin_ledger::{Error as LedgerError, Ledger, Said};
use tocsin_protocol::{Dispatch, Entry, Refusal, Stream, Subject, from_body};

use crate::{
    error::Error,
    known::directory_version,
    notified::{Notified, in_zone},
    spool::Sent,
};

/// What the router made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Everyone who is owed it is being told.
    Dispatched(Box<Dispatched>),
    /// It does not count, and why.
    Refused(Refusal),
    /// No router has judged it in the time allowed. It is safe on the bus, and is dispatched when one does.
    NotYet,
}

/// An event that was dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// The record, with the broker's time of the event and the directory's version.
    pub dispatch: Dispatch,
    /// Whom it tells, and by when.
    pub notified: Notified,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dispatched(dispatched) => dispatched.fmt(f),
            Self::Refused(refusal) => {
                let Refusal { subject, code, reasons, .. } = refusal;
                write!(f, "refused ({}): {subject}", code.as_str())?;
                reasons.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
            }
            Self::NotYet => f.write_str(
                "the event is safe on the bus, but no router has answered yet: see that `tocsin router` runs",
            ),
        }
    }
}

impl fmt::Display for Dispatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dispatch { incident, event, status, published_at, directory, .. } = &self.dispatch;
        let at = in_zone(*published_at, self.notified.time_zone.as_deref());
        writeln!(f, "{incident} event {event} ({status}) at {at}\ntold, by directory {directory}:")?;
        self.notified.fmt(f)
    }
}

/// Waits for what the router makes of an event that was sent.
///
/// # Errors
/// [`Error::Ledger`] when the bus cannot be read, [`Error::Word`] when what the router wrote cannot.
pub async fn await_answer(ledger: &Ledger, sent: &Sent, within: Duration) -> Result<Answer, Error> {
    let until = Instant::now() + within;
    let said = sent.spooled.subject();
    let mut subjects = vec![Subject::refusal(&said.to_string(), sent.said.position().sequence)];
    if let Subject::Incident { publisher, incident, event } = said.clone() {
        subjects.push(Subject::Dispatch { publisher, incident, event });
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Some(entry) = ledger.wait_for(&subjects, left).await? else { return Ok(Answer::NotYet) };
        match judge(&entry, sent)? {
            Found::Refused(refusal) => return Ok(Answer::Refused(refusal)),
            Found::Ours(dispatch) => return Ok(dispatched(ledger, dispatch).await),
            Found::Of(dispatch) if says_the_same(ledger, &dispatch, sent).await? => {
                return Ok(dispatched(ledger, dispatch).await);
            }
            // Another fact took the place: the router will refuse ours, and say so.
            Found::Of(_) => subjects.truncate(1),
        }
    }
}

/// What stands under a subject that was waited for.
enum Found {
    Refused(Refusal),
    /// Our fact was dispatched.
    Ours(Dispatch),
    /// A fact on the same subject was.
    Of(Dispatch),
}

fn judge(entry: &Entry, sent: &Sent) -> Result<Found, Error> {
    if let Ok(Subject::Refusal { .. }) = entry.subject.parse() {
        return Ok(Found::Refused(from_body("refusal", &entry.body)?));
    }
    let dispatch: Dispatch = from_body("dispatch", &entry.body)?;
    let ours = dispatch.said == sent.said.position().sequence;
    Ok(if ours { Found::Ours(dispatch) } else { Found::Of(dispatch) })
}

/// Whether the fact that was dispatched is ours, said once more: with a stranger's words between the two, the bus
/// holds it twice.
async fn says_the_same(ledger: &Ledger, dispatch: &Dispatch, sent: &Sent) -> Result<bool, Error> {
    if !matches!(sent.said, Said::Beside(_)) {
        return Ok(false);
    }
    let entry = match ledger.read(Stream::Said, dispatch.said).await {
        Ok(Some(entry)) => entry,
        // Who may not read by sequence waits for what the router says of the later one.
        Ok(None) | Err(LedgerError::Denied { .. }) => return Ok(false),
        Err(why) => return Err(why.into()),
    };
    Ok(entry.body == *sent.spooled.body() && entry.signed.as_ref() == Some(sent.spooled.signed()))
}

async fn dispatched(ledger: &Ledger, dispatch: Dispatch) -> Answer {
    let directory = directory_version(ledger, dispatch.directory).await;
    let notified = Notified::of(&dispatch, directory.as_ref());
    Answer::Dispatched(Box::new(Dispatched { dispatch, notified }))
}
