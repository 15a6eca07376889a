//! Saying a fact on `TOCSIN_SAID`.

use bytes::Bytes;
use tocsin_protocol::{Entry, Signed, Stream, Subject, Timestamp};

use crate::{Error, Position, Said, patience::Patience, read::Wanted, shared::Shared, wire::signed_headers};

/// What to do about what stands on our subject.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It is our own fact.
    Ours(Position),
    /// Write ours, on the condition that this is still the last sequence there.
    Write(u64),
}

fn next(last: Option<&Entry>, signed: &Signed, body: &Bytes) -> Next {
    match last {
        None => Next::Write(0),
        Some(entry) if entry.body == *body && entry.signed.as_ref() == Some(signed) => {
            Next::Ours(Position { sequence: entry.sequence, time: entry.time })
        }
        Some(entry) => Next::Write(entry.sequence),
    }
}

impl Shared {
    /// Says a fact: written if nothing stands there, found if it stands there, else stored beside what stands there.
    pub(crate) async fn say(&self, subject: &Subject, signed: &Signed, body: &Bytes) -> Result<Said, Error> {
        if subject.stream() != Stream::Said {
            let mend = "append it";
            return Err(Error::WrongStream {
                subject: subject.to_string(),
                stream: Stream::Said.name(),
                mend,
            });
        }
        let name = subject.to_string();
        let attempted = format!("saying {name}");
        let mut patience = self.patience();
        let mut last = 0;
        loop {
            let headers = signed_headers(subject, signed, last);
            let refusal = match self.store(&attempted, &name, &headers, body, &mut patience).await? {
                Ok(ack) => {
                    let time = self.time_of(subject, ack.seq, &mut patience).await?;
                    let position = Position { sequence: ack.seq, time };
                    tracing::info!(
                        trace_id = subject.trace_id().map(tracing::field::display),
                        incident = subject.incident().map(tracing::field::display),
                        %subject,
                        sequence = ack.seq,
                        "said"
                    );
                    return Ok(if last == 0 { Said::Stored(position) } else { Said::Beside(position) });
                }
                Err(error) if error.is_taken() => error,
                Err(error) => return Err(error.told(&attempted, Stream::Said, self)),
            };
            let found = self.direct_last(subject, &mut patience).await?;
            match next(found.as_ref(), signed, body) {
                // After a try whose answer was lost, what stands there is what that try wrote.
                Next::Ours(position) if patience.tried() => {
                    return Ok(if last == 0 { Said::Stored(position) } else { Said::Beside(position) });
                }
                Next::Ours(position) => return Ok(Said::Already(position)),
                // Nothing newer to be seen: a replica lags, or the other write is still under way.
                Next::Write(seen) if seen == last => patience.pause(&attempted, &refusal.description).await?,
                Next::Write(seen) => last = seen,
            }
        }
    }

    /// The broker's time of our fact. A publish acknowledgement does not tell it.
    async fn time_of(
        &self,
        subject: &Subject,
        sequence: u64,
        patience: &mut Patience,
    ) -> Result<Timestamp, Error> {
        loop {
            match self.direct_last(subject, patience).await? {
                Some(entry) if entry.sequence == sequence => return Ok(entry.time),
                // Something was stored beside it meanwhile, so it is no longer the last there.
                Some(entry) if entry.sequence > sequence => {
                    match self.leader_read(Stream::Said, Wanted::At { seq: sequence }, patience).await {
                        Ok(Some(stored)) => return Ok(stored.into_entry(Stream::Said).time),
                        Ok(None) => {}
                        // Who may not read by sequence is told the time of what came after, which is later.
                        Err(Error::Denied { .. }) => return Ok(entry.time),
                        Err(error) => return Err(error),
                    }
                }
                _ => {}
            }
            patience.pause(&format!("reading {subject} back"), "the replica that answers lags").await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(sequence: u64, body: &'static str, signature: &str) -> Entry {
        Entry {
            stream: Stream::Said,
            sequence,
            time: Timestamp::UNIX_EPOCH,
            subject: "tocsin.incident.a.b.1".to_owned(),
            signed: Some(Signed { key: "U".to_owned(), signature: signature.to_owned() }),
            said_through: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn the_same_bytes_are_ours_and_anything_else_is_written_beside() {
        let signed = Signed { key: "U".to_owned(), signature: "S".to_owned() };
        let body = Bytes::from_static(b"x");
        let judge = |entry: Option<Entry>| next(entry.as_ref(), &signed, &body);
        assert_eq!(judge(None), Next::Write(0));
        assert_eq!(
            judge(Some(entry(7, "x", "S"))),
            Next::Ours(Position { sequence: 7, time: Timestamp::UNIX_EPOCH })
        );
        assert_eq!(judge(Some(entry(7, "y", "S"))), Next::Write(7));
        assert_eq!(
            judge(Some(entry(7, "x", "T"))),
            Next::Write(7),
            "a copy of our bytes that does not verify"
        );
    }
}
