//! Reading single facts.
//!
//! `STREAM.MSG.GET` is answered by the stream's leader, so what it says is so, but for what `settled` tells of; and it carries headers as bytes, so
//! what a stranger put there does no harm. Direct gets may be answered by a replica that lags.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tocsin_protocol::{Entry, Stream, Subject};

use crate::{
    Error,
    api::{ApiError, code},
    patience::Patience,
    shared::{NoAnswer, Shared},
    wire::{Stored, placed_entry},
};

/// Which message is asked for.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(crate) enum Wanted<'a> {
    /// This one.
    At { seq: u64 },
    /// The first at or after `seq` on a subject that matches.
    Next { seq: u64, next_by_subj: &'a str },
    /// The last on a subject that matches.
    Last { last_by_subj: &'a str },
}

#[derive(Deserialize)]
struct Answer {
    message: Stored,
}

/// After so many breaks of the connection over one reading, it is what stands there that breaks it.
const BREAKS_MOST: u32 = 5;

/// So often a stream may be without a leader before it is taken not to be there.
const SILENCES_MOST: u32 = 10;

/// Between two looks for a fact that is awaited.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_MOST: Duration = Duration::from_millis(50);

impl Shared {
    /// Asks a stream's leader for a message.
    pub(crate) async fn leader_read(
        &self,
        stream: Stream,
        wanted: Wanted<'_>,
        patience: &mut Patience,
    ) -> Result<Option<Stored>, Error> {
        let attempted = format!("reading {wanted:?} of {}", stream.name());
        let verb = format!("STREAM.MSG.GET.{}", stream.name());
        match self.api_within::<Answer>(&attempted, &verb, &wanted, patience).await? {
            Ok(answer) => Ok(Some(answer.message)),
            Err(ApiError { err_code: code::NO_MESSAGE, .. }) => Ok(None),
            // A body on the bus has an account of its own, without JetStream, whose API answers for that account.
            // Direct gets are no part of the API: they pass to the streams' account.
            Err(error) if error.err_code == code::NOT_ENABLED_FOR_ACCOUNT => {
                match self.direct_read(&attempted, stream, wanted, patience).await? {
                    Some(read) => Ok(read),
                    None => Err(error.told(&attempted, stream, self)),
                }
            }
            Err(error) => Err(error.told(&attempted, stream, self)),
        }
    }

    /// The sequence of the last entry that can be read; 0 for none.
    pub(crate) async fn last_there(&self, stream: Stream) -> Result<u64, Error> {
        // Where nothing was taken away the end is there, whatever a server says that only thinks that it leads.
        if let (end, true) = self.end_without_gaps(stream).await? {
            return Ok(end);
        }
        let wanted = Wanted::Last { last_by_subj: ">" };
        let stored = self.leader_read(stream, wanted, &mut self.patience()).await?;
        Ok(stored.map_or(0, |stored| stored.into_entry(stream).sequence))
    }

    /// Asks any replica for a message, in the words of the leader's request. `None` when no stream answers there.
    async fn direct_read(
        &self,
        attempted: &str,
        stream: Stream,
        wanted: Wanted<'_>,
        patience: &mut Patience,
    ) -> Result<Option<Option<Stored>>, Error> {
        let api = self.api_subject(&format!("DIRECT.GET.{}", stream.name()));
        // Names and numbers always have a JSON form.
        let request = bytes::Bytes::from(serde_json::to_vec(&wanted).unwrap_or_default());
        for _ in 0..SILENCES_MOST {
            let why = match self.ask(&api, None, request.clone(), patience.answer_within()).await {
                Ok(message) => {
                    let nothing = message.status.is_some() && message.payload.is_empty();
                    let stored = placed_entry(stream, message).map(Stored::from);
                    return match stored {
                        None if !nothing => Err(Error::Answer {
                            attempted: attempted.to_owned(),
                            why: "a direct get without the message's place".to_owned(),
                        }),
                        stored => Ok(Some(stored)),
                    };
                }
                Err(NoAnswer::Never(error)) => return Err(error),
                Err(NoAnswer::Lost(why)) => why,
                Err(NoAnswer::NobodyThere) => "no stream answers there".to_owned(),
            };
            patience.pause(attempted, &why).await?;
        }
        Ok(None)
    }

    /// Asks any replica for the last message on a subject. It needs a permission for that subject alone.
    ///
    /// Where anybody may speak, what stands there may have headers that the client library cannot read; it then ends
    /// its connection, and would do so at each reading. The leader gives headers as bytes, so it is asked instead.
    pub(crate) async fn direct_last(
        &self,
        subject: &Subject,
        patience: &mut Patience,
    ) -> Result<Option<Entry>, Error> {
        self.direct(subject.stream(), &subject.to_string(), patience).await
    }

    /// As [`Self::direct_last`], of all subjects that match.
    pub(crate) async fn direct(
        &self,
        stream: Stream,
        name: &str,
        patience: &mut Patience,
    ) -> Result<Option<Entry>, Error> {
        let api = self.api_subject(&format!("DIRECT.GET.{}.{name}", stream.name()));
        let mut breaks = 0;
        loop {
            let connected = *self.signals.connected().borrow();
            let answer = self.ask(&api, None, bytes::Bytes::new(), patience.answer_within()).await;
            let why = match answer {
                Ok(message) => match message.status.map(|status| status.as_u16()) {
                    Some(404)
                        if message.payload.is_empty() && placed_entry(stream, message.clone()).is_none() =>
                    {
                        return Ok(None);
                    }
                    _ => {
                        return placed_entry(stream, message).map(Some).ok_or_else(|| Error::Answer {
                            attempted: format!("reading {name}"),
                            why: "a direct get without the message's place".to_owned(),
                        });
                    }
                },
                Err(NoAnswer::Never(error)) => return Err(error),
                Err(NoAnswer::Lost(why)) => {
                    if stream == Stream::Said && *self.signals.connected().borrow() != connected {
                        breaks += 1;
                        match self.leader_read(stream, Wanted::Last { last_by_subj: name }, patience).await {
                            // Who may not ask the leader tries again: the break may have been the network's.
                            Err(Error::Denied { .. }) if breaks < BREAKS_MOST => {}
                            read => return Ok(read?.map(|stored| stored.into_entry(stream))),
                        }
                    }
                    why
                }
                Err(NoAnswer::NobodyThere) => "no stream answers there".to_owned(),
            };
            patience.pause(&format!("reading {name}"), &why).await?;
        }
    }

    /// Waits until one of these subjects exists.
    pub(crate) async fn first_of(
        &self,
        subjects: &[Subject],
        within: Duration,
    ) -> Result<Option<Entry>, Error> {
        let until = Instant::now() + within;
        let mut look = LOOK_FIRST;
        loop {
            for subject in subjects {
                let left = until.saturating_duration_since(Instant::now()).max(LOOK_MOST);
                match self.direct_last(subject, &mut Patience::up_to(left)).await {
                    Ok(Some(entry)) => return Ok(Some(entry)),
                    Ok(None) | Err(Error::Unknown { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LOOK_MOST);
        }
    }
}
