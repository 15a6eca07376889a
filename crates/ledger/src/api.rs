//! Requests to JetStream: asked until answered, and the answer read.

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tocsin_protocol::Stream;

use crate::{
    Error,
    patience::Patience,
    shared::{NoAnswer, Shared},
    streams::SAID_BODY_MOST,
};

/// JetStream's own codes for what we meet.
pub(crate) mod code {
    pub(crate) const CONSUMER_NOT_FOUND: u64 = 10014;
    pub(crate) const NO_MESSAGE: u64 = 10037;
    pub(crate) const NOT_ENABLED_FOR_ACCOUNT: u64 = 10039;
    pub(crate) const MESSAGE_TOO_LARGE: u64 = 10054;
    pub(crate) const STREAM_NAME_IN_USE: u64 = 10058;
    pub(crate) const STREAM_NOT_FOUND: u64 = 10059;
    pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10071;
    pub(crate) const NOT_ENABLED: u64 = 10076;
    /// As the above, where the write that stands before ours is still being agreed by the replicas.
    pub(crate) const WRONG_LAST_SEQUENCE_UNDER_WAY: u64 = 10164;
    /// More is being sent to the stream than its queue holds (`max_buffered_msgs`), so this was not taken.
    pub(crate) const CROWDED: u64 = 10167;
    pub(crate) const BATCH_INCOMPLETE: u64 = 10176;
    pub(crate) const TOO_MANY_BATCHES: u64 = 10210;
}

/// JetStream's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ApiError {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    pub(crate) err_code: u64,
    #[serde(default)]
    pub(crate) description: String,
}

impl ApiError {
    /// Something else stands on that subject.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.err_code, code::WRONG_LAST_SEQUENCE | code::WRONG_LAST_SEQUENCE_UNDER_WAY)
    }

    /// It was not done, but may be if tried again: a leader is being elected, or the server is short of something.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.err_code, code::CROWDED | code::BATCH_INCOMPLETE | code::TOO_MANY_BATCHES)
            || (self.code == 503
                && !matches!(self.err_code, code::NOT_ENABLED | code::NOT_ENABLED_FOR_ACCOUNT))
    }

    /// The error that the caller sees.
    pub(crate) fn told(self, attempted: &str, stream: Stream, shared: &Shared) -> Error {
        match self.err_code {
            code::STREAM_NOT_FOUND => Error::NoStream { stream: stream.name() },
            code::NOT_ENABLED | code::NOT_ENABLED_FOR_ACCOUNT => {
                Error::NoJetStream { name: shared.client.server_info().server_name }
            }
            code => Error::Refused { attempted: attempted.to_owned(), code, description: self.description },
        }
    }
}

#[derive(Deserialize)]
struct OnlyError {
    error: Option<ApiError>,
}

/// The acknowledgement of a stored message.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PubAck {
    /// Its sequence, or that of a batch's last message.
    pub(crate) seq: u64,
    /// How many messages the batch had.
    #[serde(default)]
    pub(crate) count: Option<u64>,
}

/// Reads an answer: what was asked for, or a refusal.
pub(crate) fn read<T: DeserializeOwned>(
    attempted: &str,
    payload: &[u8],
) -> Result<Result<T, ApiError>, Error> {
    let fault =
        |error: serde_json::Error| Error::Answer { attempted: attempted.to_owned(), why: error.to_string() };
    // Answers are small but for stored messages, where `error` is absent and this costs one skip over the text.
    if let Some(error) = serde_json::from_slice::<OnlyError>(payload).map_err(fault)?.error {
        return Ok(Err(error));
    }
    serde_json::from_slice(payload).map(Ok).map_err(fault)
}

/// Reads a message that answers. That the stream's queue is full is told as a status or as an error; here it is the error.
pub(crate) fn read_message<T: DeserializeOwned>(
    attempted: &str,
    message: &Message,
) -> Result<Result<T, ApiError>, Error> {
    const TOO_MANY_REQUESTS: u16 = 429;
    if message.status.is_some_and(|status| status.as_u16() == TOO_MANY_REQUESTS) {
        let description = "the stream's queue is full".to_owned();
        return Ok(Err(ApiError { code: TOO_MANY_REQUESTS.into(), err_code: code::CROWDED, description }));
    }
    read(attempted, &message.payload)
}

impl Shared {
    /// Asks until there is an answer that is not a passing one.
    async fn ask_until_answered<T: DeserializeOwned>(
        &self,
        attempted: &str,
        subject: &str,
        headers: Option<&HeaderMap>,
        payload: &Bytes,
        patience: &mut Patience,
    ) -> Result<Result<T, ApiError>, Error> {
        loop {
            let why =
                match self.ask(subject, headers.cloned(), payload.clone(), patience.answer_within()).await {
                    Ok(message) => match read_message(attempted, &message)? {
                        Err(error) if error.err_code == code::CROWDED => {
                            patience.queue_again(attempted, &error.description).await?;
                            continue;
                        }
                        Err(error) if error.is_passing() => error.description,
                        answer => return Ok(answer),
                    },
                    Err(NoAnswer::Never(error)) => return Err(error),
                    Err(NoAnswer::Lost(why)) => why,
                    Err(NoAnswer::NobodyThere) => {
                        "no stream answers there: not set up, or without a leader for the moment".to_owned()
                    }
                };
            if let Err(error) = patience.pause(attempted, &why).await {
                let info = self.client.server_info();
                // A server without JetStream stays silent, unless it passes requests on to one that has it.
                return Err(if self.is_connected() && !info.jetstream {
                    Error::NoJetStream { name: info.server_name }
                } else {
                    error
                });
            }
        }
    }

    /// Where JetStream's API takes this request.
    pub(crate) fn api_subject(&self, verb: &str) -> String {
        format!("{}.{verb}", self.connection.api_prefix.as_deref().unwrap_or("$JS.API"))
    }

    /// A request to JetStream's API.
    pub(crate) async fn api<T: DeserializeOwned>(
        &self,
        attempted: &str,
        verb: &str,
        payload: &impl Serialize,
    ) -> Result<Result<T, ApiError>, Error> {
        self.api_within(attempted, verb, payload, &mut self.patience()).await
    }

    /// As [`Self::api`], with patience of the caller's own.
    pub(crate) async fn api_within<T: DeserializeOwned>(
        &self,
        attempted: &str,
        verb: &str,
        payload: &impl Serialize,
        patience: &mut Patience,
    ) -> Result<Result<T, ApiError>, Error> {
        let payload = serde_json::to_vec(payload)
            .map_err(|error| Error::Answer { attempted: attempted.to_owned(), why: error.to_string() })?;
        self.ask_until_answered(attempted, &self.api_subject(verb), None, &payload.into(), patience).await
    }

    /// Publishes to a stream until its outcome is known. It may be done more than once, so it must carry a condition
    /// that lets it happen once alone.
    pub(crate) async fn store(
        &self,
        attempted: &str,
        subject: &str,
        headers: &HeaderMap,
        body: &Bytes,
        patience: &mut Patience,
    ) -> Result<Result<PubAck, ApiError>, Error> {
        match self.ask_until_answered(attempted, subject, Some(headers), body, patience).await? {
            Err(error) if error.err_code == code::MESSAGE_TOO_LARGE => {
                Err(Error::TooLarge { subject: subject.to_owned(), size: body.len(), most: SAID_BODY_MOST })
            }
            answer => Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_was_asked_for_or_a_refusal() {
        let ack: PubAck =
            read("x", br#"{"stream":"TOCSIN_LOG","seq":7,"batch":"b","count":3}"#).unwrap().unwrap();
        assert_eq!((ack.seq, ack.count), (7, Some(3)));
        let refusal = br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 4"},"stream":"TOCSIN_LOG","seq":0}"#;
        assert!(read::<PubAck>("x", refusal).unwrap().unwrap_err().is_taken());
        assert!(read::<PubAck>("x", b"junk").is_err());
    }

    #[test]
    fn only_a_passing_refusal_is_tried_again() {
        let error = |code, err_code| ApiError { code, err_code, description: String::new() };
        assert!(error(503, 10008).is_passing());
        assert!(error(400, code::BATCH_INCOMPLETE).is_passing());
        assert!(error(429, code::CROWDED).is_passing());
        assert!(!error(503, code::NOT_ENABLED_FOR_ACCOUNT).is_passing());
        assert!(!error(400, code::WRONG_LAST_SEQUENCE).is_passing());
    }
}
