//! How far a stream reaches with all that its leader has taken in, told or not.
//!
//! On a cluster the leader gives an entry its sequence and its time as it takes it in, and tells of it once a majority has
//! stored it. What it tells of its end can therefore leave out an entry of an earlier time that is still on its way, for as
//! long as the servers take to agree. So it is sounded: something is published that is always refused, on the condition
//! that the stream's last sequence is one that none has. The refusal names the last sequence that was *given out*
//! (nats-server 2.15.1, `checkMsgHeadersPreClusteredProposal`: `clseq - clfs`, under the lock under which time and sequence
//! are given). Whatever has a time before that moment stands there or before, or was given up and stands nowhere. Nothing is
//! stored by it.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use bytes::Bytes;
use tocsin_protocol::{Stream, Timestamp};

use crate::{
    Error,
    api::{ApiError, PubAck, code},
    patience::Patience,
    settled::LED,
    shared::Shared,
    wire::EXPECTED_LAST_SEQUENCE,
};

/// Where `TOCSIN_SAID` is sounded: a subject that the stream has and no fact can have. Whoever sounds must be let to publish
/// there.
pub const SAID_SOUNDING: &str = "tocsin.incident._.sounding.0";
/// Where `TOCSIN_LOG` is.
pub const LOG_SOUNDING: &str = "tocsin.checkpoint.sounding";
/// No stream comes to it; the largest that nats-server reads.
const NO_SEQUENCE: i64 = i64::MAX;
/// The pause before it is looked again whether what was given out is told of. A majority stores it in milliseconds.
const AGREEING: Duration = Duration::from_millis(5);

fn place(stream: Stream) -> &'static str {
    match stream {
        Stream::Said => SAID_SOUNDING,
        Stream::Log => LOG_SOUNDING,
    }
}

/// The last sequence that was given out, as a refusal names it.
fn depth(refusal: &ApiError) -> Option<u64> {
    if refusal.err_code != code::WRONG_LAST_SEQUENCE {
        return None;
    }
    refusal.description.strip_prefix("wrong last sequence: ")?.parse().ok()
}

impl Shared {
    /// The last sequence of a stream, once all that its leader had taken in as this was asked is stored or given up. Its
    /// leader's clock is past `time` then, where the servers' clocks are half a second apart at most.
    ///
    /// # Errors
    /// [`Error::Denied`] to who may not publish where it is sounded; [`Error::NoStream`], [`Error::Unknown`].
    pub(crate) async fn sounded(&self, stream: Stream, time: Option<Timestamp>) -> Result<u64, Error> {
        let attempted = format!("sounding stream {}", stream.name());
        let mut patience = self.patience();
        let mut given_out = u64::MAX;
        loop {
            let asked = Instant::now();
            let depth = self.sound(&attempted, stream, &mut patience).await?;
            let info = self.info(stream, &mut patience).await?;
            // One that has led for longer than both took answered both.
            if asked.elapsed() >= LED || !info.cluster.are_settled(info.ts) {
                given_out = u64::MAX;
                patience.pause(&attempted, "its leader is new, or does not hear the others").await?;
                continue;
            }
            if let Some(left) = info.cluster.clock_lacks(time, info.ts) {
                given_out = u64::MAX;
                tokio::time::sleep(left).await;
                continue;
            }
            // What was given out later has a later time, so the first will do; a later one is lower where something was
            // given up since.
            given_out = given_out.min(depth);
            if info.state.last_seq >= given_out {
                return Ok(given_out);
            }
            tokio::time::sleep(AGREEING).await;
        }
    }

    async fn sound(&self, attempted: &str, stream: Stream, patience: &mut Patience) -> Result<u64, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_LAST_SEQUENCE, NO_SEQUENCE.to_string());
        match self.store(attempted, place(stream), &headers, &Bytes::new(), patience).await? {
            Err(refusal) => depth(&refusal).ok_or_else(|| refusal.told(attempted, stream, self)),
            Ok(PubAck { seq, .. }) => Err(Error::Answer {
                attempted: attempted.to_owned(),
                why: format!("it was stored, at {seq}, under a condition that cannot be met"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::Subject;

    use super::*;

    #[test]
    fn a_refusal_names_the_last_sequence_that_was_given_out() {
        let refusal = |err_code: u64, description: &str| {
            let refusal = serde_json::json!({"code": 400, "err_code": err_code, "description": description});
            depth(&serde_json::from_value(refusal).unwrap())
        };
        assert_eq!(refusal(10071, "wrong last sequence: 4"), Some(4));
        assert_eq!(refusal(10071, "wrong last sequence: 0"), Some(0));
        for (code, description) in [
            (10071, "wrong last sequence"),
            (10071, "wrong last sequence: -1"),
            (10071, "wrong last sequence: 4 or so"),
            (10164, "wrong last sequence"),
            (10054, "wrong last sequence: 4"),
        ] {
            assert_eq!(refusal(code, description), None, "{code} {description}");
        }
    }

    #[test]
    fn where_a_stream_is_sounded_no_fact_can_stand() {
        for place in [SAID_SOUNDING, LOG_SOUNDING] {
            assert!(place.parse::<Subject>().is_err(), "{place}");
        }
    }
}
