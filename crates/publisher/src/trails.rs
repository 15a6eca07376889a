//! Saying what is seen, and whether two trails are of one outage; and what the router proposes.
//!
//! There is no spool for it: a report or a link is one fact under a name of its author's, so whoever is not sure that it
//! stands says it once more, and it ends as one.

use std::{fmt, time::Duration};

use tocsin_duty::Answers;
use tocsin_ledger::{Error as LedgerError, Ledger};
use tocsin_protocol::{
    Call, Linking, Proposal, PublisherId, Refusal, Report, SigningKey, Stream, Subject, Timestamp, from_body,
    schema, to_body,
};

use crate::error::Error;

/// A word that stands on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Its identity.
    pub subject: Subject,
    /// The sequence in `TOCSIN_SAID`.
    pub sequence: u64,
    /// The broker's time of it.
    pub at: Timestamp,
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stands on the bus since {}", self.subject, self.at)
    }
}

/// Says what a body sees.
///
/// # Errors
/// [`Error::Unfit`] with every fault, [`Error::Ledger`] when the bus does not take it: say it again, it ends as one.
pub async fn say_report(ledger: &Ledger, key: &SigningKey, report: &Report) -> Result<Spoken, Error> {
    let body = to_body("report", report)?;
    schema::check_report(&body).map_err(|problems| Error::Unfit { what: "report", problems })?;
    say(ledger, key, report.subject(), body).await
}

/// Says whether an incident and another trail are of one outage.
///
/// # Errors
/// As [`say_report`].
pub async fn say_link(ledger: &Ledger, key: &SigningKey, linking: &Linking) -> Result<Spoken, Error> {
    let body = to_body("link", linking)?;
    schema::check_link(&body).map_err(|problems| Error::Unfit { what: "link", problems })?;
    say(ledger, key, linking.subject(), body).await
}

/// Logs a telephone call.
///
/// # Errors
/// As [`say_report`].
pub async fn say_call(ledger: &Ledger, key: &SigningKey, call: &Call) -> Result<Spoken, Error> {
    let body = to_body("call", call)?;
    schema::check_call(&body).map_err(|problems| Error::Unfit { what: "call", problems })?;
    say(ledger, key, call.subject(), body).await
}

async fn say(
    ledger: &Ledger,
    key: &SigningKey,
    subject: Subject,
    body: bytes::Bytes,
) -> Result<Spoken, Error> {
    let signed = key.sign(&subject.to_string(), &body)?;
    let position = ledger.say(&subject, &signed, body).await?.position();
    Ok(Spoken { subject, sequence: position.sequence, at: position.time })
}

/// Waits whether the router refuses what was said. It writes nothing for what counts, so no answer in this time is a
/// good one.
///
/// # Errors
/// [`Error::Ledger`] when the bus cannot be read, [`Error::Word`] when the refusal cannot.
pub async fn refusal_of(
    ledger: &Ledger,
    spoken: &Spoken,
    within: Duration,
) -> Result<Option<Refusal>, Error> {
    let subject = Subject::refusal(&spoken.subject.to_string(), spoken.sequence);
    let entry = ledger.wait_for(&[subject], within).await?;
    Ok(entry.map(|entry| from_body("refusal", &entry.body)).transpose()?)
}

/// What the router proposed, and what people have said of it.
#[derive(Debug, Default)]
pub struct Proposals {
    /// Each with the broker's time of it, the oldest first.
    pub all: Vec<(Timestamp, Proposal)>,
    /// What was answered.
    pub answers: Answers,
    /// Whoever asks may read the newest alone.
    pub newest_alone: bool,
}

/// Reads what was proposed to a publisher, or to all.
///
/// # Errors
/// [`Error::Ledger`] when the bus cannot be read.
pub async fn proposals(ledger: &Ledger, publisher: Option<&PublisherId>) -> Result<Proposals, Error> {
    let whose = publisher.map_or("*", PublisherId::as_str);
    let filter = format!("tocsin.proposal.{whose}.*");
    let mut read = Proposals::default();
    let entries = match ledger.entries(Stream::Log, std::slice::from_ref(&filter)).await {
        // Who has an account of its own may not search a stream.
        Err(LedgerError::Denied { .. }) if publisher.is_some() => {
            read.newest_alone = true;
            ledger.newest(Stream::Log, &filter).await?.into_iter().collect()
        }
        entries => entries?,
    };
    for entry in entries {
        if let Ok(proposal) = from_body::<Proposal>("proposal", &entry.body) {
            read.all.push((entry.time, proposal));
        }
    }
    let filter = "tocsin.link.*.*".to_owned();
    let links = match ledger.entries(Stream::Said, &[filter]).await {
        Err(LedgerError::Denied { .. }) => Vec::new(),
        links => links?,
    };
    let refused = ledger.entries(Stream::Log, &["tocsin.refusal.*.*".to_owned()]).await;
    let refused: Vec<u64> = refused
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| match entry.subject.parse() {
            Ok(Subject::Refusal { said, .. }) => Some(said),
            _ => None,
        })
        .collect();
    for entry in links.iter().filter(|entry| !refused.contains(&entry.sequence)) {
        if let Ok(linking) = schema::check_link(&entry.body) {
            read.answers.take(&linking);
        }
    }
    Ok(read)
}
