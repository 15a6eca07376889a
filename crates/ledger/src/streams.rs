//! Both streams as they must be: made, and held against what is there.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tocsin_protocol::{Stream, Subject, Timestamp};

use crate::{Error, Shape, api::code, patience::Patience, settled::Servers, shared::Shared};

/// The largest message of `TOCSIN_SAID`, headers included: an event's 48 KiB and room for a signature.
const SAID_MESSAGE_MOST: i64 = 64 * 1024;
/// What of it is told to whoever sends a larger one: an event's most.
pub(crate) const SAID_BODY_MOST: usize = tocsin_protocol::schema::MAX_EVENT_BYTES;

/// The shortest that NATS allows. Ids are stream-wide, so that a stranger's could swallow a fact within this time;
/// honest clients send none.
const DUPLICATE_WINDOW_NANOSECONDS: i64 = 100_000_000;

/// The most consumers on `TOCSIN_SAID`: our services, auditors and operators who list their events.
const SAID_CONSUMERS: i64 = 2_000;

/// Where the broker repeats each notice as it is stored, so that a desk that is connected has it at once.
pub(crate) fn wake_filter(recipient: &str) -> String {
    format!("{}.wake.{recipient}.>", Subject::ROOT)
}

/// What an administrator may choose; not compared.
const CHOSEN: [&str; 3] = ["num_replicas", "max_consumers", "description"];

/// What must not be there, as it would bring in facts that nobody said here, or lose some.
const FORBIDDEN: [&str; 7] =
    ["mirror", "sources", "subject_transform", "sealed", "no_ack", "persist_mode", "consumer_limits"];

/// A stream's settings, as `STREAM.CREATE` takes them.
pub(crate) fn wanted(stream: Stream, shape: &Shape) -> Map<String, Value> {
    let common = json!({
        "name": stream.name(),
        "retention": "limits",
        "storage": "file",
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "max_msgs_per_subject": -1,
        "duplicate_window": DUPLICATE_WINDOW_NANOSECONDS,
        "num_replicas": shape.replicas,
        "allow_direct": true,
        "deny_delete": true,
        "allow_msg_ttl": false,
        "allow_msg_counter": false,
        "allow_batched": false,
        "compression": "none",
    });
    let own = match stream {
        // Whoever may publish to a stream that allows schedules, roll-ups or TTLs can use those headers to delete or
        // forge what its subjects deny it. Strangers publish here, so nothing of the kind is allowed.
        Stream::Said => json!({
            "description": "What others say: events, calls, receipts, reports and links, each signed by its author",
            "subjects": [
                "tocsin.incident.*.*.*", "tocsin.incident.*.*.*.called.*", "tocsin.receipt.*.*.*.*", "tocsin.report.*.*",
                "tocsin.link.*.*",
            ],
            "discard": "new",
            "max_msg_size": SAID_MESSAGE_MOST,
            "max_consumers": SAID_CONSUMERS,
            "deny_purge": true,
            "allow_rollup_hdrs": false,
            "allow_msg_schedules": false,
            "allow_atomic": false,
        }),
        // The server itself switches roll-ups on and the denial of purges off where schedules are allowed. So nobody
        // but our own services may publish here.
        Stream::Log => json!({
            "description": "What follows: dispatches, notices, windows, findings, escalations, attempts",
            "subjects": [
                "tocsin.directory.*", "tocsin.refusal.*.*", "tocsin.dispatch.*.*.*", "tocsin.notice.*.*.*",
                "tocsin.notice.*.*.*.overdue.*",
                "tocsin.window.*.*.*", "tocsin.due.*.*.*", "tocsin.finding.*.*.*",
                "tocsin.escalation.*.*.*.*", "tocsin.attempt.*.*.*.*.*.*", "tocsin.checkpoint.*",
                "tocsin.proposal.*.*",
            ],
            // Nothing is ever discarded, as there is no limit; a stream with schedules does not take "new".
            "discard": "old",
            "max_msg_size": -1,
            "max_consumers": shape.max_consumers,
            "deny_purge": false,
            "allow_rollup_hdrs": true,
            "allow_msg_schedules": true,
            "allow_atomic": true,
            "republish": {"src": "tocsin.notice.>", "dest": "tocsin.wake.>"},
        }),
    };
    let mut all = Map::new();
    for part in [common, own] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    all
}

/// Whether a setting is left out, or says what leaving it out says.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => matches!(text.as_str(), "" | "none" | "default"),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.values().all(is_nothing),
        Value::Bool(true) => false,
    }
}

fn is_same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (found, wanted) if is_nothing(found) && is_nothing(wanted) => true,
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && wanted.iter().all(|one| found.contains(one))
        }
        (Value::Object(found), Value::Object(wanted)) => {
            let keys = found.keys().chain(wanted.keys());
            keys.into_iter().all(|key| {
                is_same(found.get(key).unwrap_or(&Value::Null), wanted.get(key).unwrap_or(&Value::Null))
            })
        }
        (found, wanted) => found == wanted,
    }
}

/// The first setting in which a stream differs from ours: its name, the value there and the value needed.
fn difference(stream: Stream, found: &Map<String, Value>) -> Option<(&'static str, String, String)> {
    let wanted = wanted(stream, &Shape::default());
    let there = |key: &str| found.get(key).unwrap_or(&Value::Null);
    for (key, value) in &wanted {
        if !CHOSEN.contains(&key.as_str()) && !is_same(there(key), value) {
            // A setting's name lives as long as the program: there are a few dozen.
            let key = COMPARED.iter().find(|name| *name == key)?;
            return Some((key, there(key).to_string(), value.to_string()));
        }
    }
    let forbidden = FORBIDDEN.iter().find(|key| !is_nothing(there(key)))?;
    Some((forbidden, there(forbidden).to_string(), "nothing".to_owned()))
}

/// The names of the settings that are compared.
const COMPARED: [&str; 22] = [
    "name",
    "subjects",
    "retention",
    "storage",
    "discard",
    "max_msgs",
    "max_bytes",
    "max_age",
    "max_msgs_per_subject",
    "max_msg_size",
    "duplicate_window",
    "allow_direct",
    "deny_delete",
    "deny_purge",
    "allow_msg_ttl",
    "allow_msg_counter",
    "allow_batched",
    "allow_rollup_hdrs",
    "allow_msg_schedules",
    "allow_atomic",
    "compression",
    "republish",
];

/// A stream that an older version made, and what it holds now besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widened {
    /// The stream.
    pub stream: &'static str,
    /// The subjects that it did not have.
    pub subjects: Vec<String>,
}

/// The subjects that a stream lacks and that an older version did not know, where that is all in which it differs: then
/// nothing that it holds is touched by adding them.
fn lacking(stream: Stream, found: &Map<String, Value>) -> Option<Vec<String>> {
    let there = found.get("subjects")?.as_array()?;
    let wanted = wanted(stream, &Shape::default());
    let needed = wanted.get("subjects")?.as_array()?;
    if there.is_empty() || !there.iter().all(|subject| needed.contains(subject)) {
        return None;
    }
    let mut whole = found.clone();
    whole.insert("subjects".to_owned(), needed.clone().into());
    let missing = needed.iter().filter(|subject| !there.contains(subject));
    let missing: Vec<_> = missing.filter_map(|subject| subject.as_str().map(str::to_owned)).collect();
    (!missing.is_empty() && difference(stream, &whole).is_none()).then_some(missing)
}

#[derive(Deserialize)]
pub(crate) struct StreamInfo {
    config: Map<String, Value>,
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) cluster: Servers,
    /// The broker's time of the answer.
    #[serde(default)]
    pub(crate) ts: Option<Timestamp>,
}

/// What one look at the broker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// The broker's clock, where its answer tells it.
    pub broker_time: Option<Timestamp>,
    /// The last sequence of `TOCSIN_SAID`.
    pub said_end: u64,
    /// The last sequence of `TOCSIN_LOG`.
    pub log_end: u64,
}

/// From where to where a stream reaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) messages: u64,
}

#[derive(Deserialize)]
pub(crate) struct State {
    #[serde(default)]
    first_seq: u64,
    messages: u64,
    pub(crate) last_seq: u64,
}

impl Shared {
    /// Makes both streams where they are not there, gives those that an older version made the subjects that they lack,
    /// and verifies them. Beside them it makes the stream of snapshots, which nothing needs.
    pub(crate) async fn set_up(&self, shape: &Shape) -> Result<Vec<Widened>, Error> {
        let mut widened = Vec::new();
        for stream in [Stream::Said, Stream::Log] {
            let attempted = format!("making stream {}", stream.name());
            let verb = format!("STREAM.CREATE.{}", stream.name());
            match self.api::<Value>(&attempted, &verb, &wanted(stream, shape)).await? {
                // One that stands there already is verified below, whoever made it.
                Ok(_) => {}
                Err(error) if error.err_code == code::STREAM_NAME_IN_USE => {
                    widened.extend(self.widen(stream).await?);
                }
                Err(error) => return Err(error.told(&attempted, stream, self)),
            }
        }
        self.verify().await?;
        self.make_snapshots(shape).await?;
        Ok(widened)
    }

    /// Adds the subjects that a stream lacks, where that is all in which it differs.
    async fn widen(&self, stream: Stream) -> Result<Option<Widened>, Error> {
        let mut config = self.info(stream, &mut self.patience()).await?.config;
        let Some(subjects) = lacking(stream, &config) else { return Ok(None) };
        let all = wanted(stream, &Shape::default()).remove("subjects");
        config.extend(all.map(|all| ("subjects".to_owned(), all)));
        let attempted = format!("adding subjects to stream {}", stream.name());
        let verb = format!("STREAM.UPDATE.{}", stream.name());
        self.api::<Value>(&attempted, &verb, &config)
            .await?
            .map_err(|error| error.told(&attempted, stream, self))?;
        tracing::info!(
            stream = stream.name(),
            ?subjects,
            "the stream takes what an older version did not know"
        );
        Ok(Some(Widened { stream: stream.name(), subjects }))
    }

    /// Holds both streams against what they must be.
    pub(crate) async fn verify(&self) -> Result<(), Error> {
        self.hold(|_, _| false).await
    }

    /// The same, where those of an older version will do, which lack subjects and no more.
    pub(crate) async fn verify_as_old(&self) -> Result<(), Error> {
        self.hold(|stream, config| lacking(stream, config).is_some()).await
    }

    async fn hold(&self, will_do: impl Fn(Stream, &Map<String, Value>) -> bool) -> Result<(), Error> {
        for stream in [Stream::Said, Stream::Log] {
            let info = self.info(stream, &mut self.patience()).await?;
            if will_do(stream, &info.config) {
                continue;
            }
            if let Some((setting, found, wanted)) = difference(stream, &info.config) {
                let mend = if lacking(stream, &info.config).is_some() {
                    "an older version made it: run `tocsin setup`, which adds what is missing and touches nothing else"
                        .to_owned()
                } else {
                    format!(
                        "set it with `nats stream edit {}`, or, if the stream is empty, remove it and run `tocsin setup`",
                        stream.name()
                    )
                };
                return Err(Error::Differs { stream: stream.name(), setting, found, wanted, mend });
            }
        }
        Ok(())
    }

    /// The last sequence of a stream, as a leader knows it that is to be believed: nothing that was acknowledged before this
    /// was asked stands beyond it.
    pub(crate) async fn end(&self, stream: Stream) -> Result<u64, Error> {
        Ok(self.settled(stream).await?.last_seq)
    }

    /// The same, once what has a time up to that one and was under way then is told of too.
    pub(crate) async fn end_behind(&self, stream: Stream, time: Timestamp) -> Result<u64, Error> {
        loop {
            let info = self.settled_info(stream, &mut self.patience()).await?;
            match info.cluster.under_way(time, info.ts) {
                Some(left) => tokio::time::sleep(left).await,
                None => return Ok(info.state.last_seq),
            }
        }
    }

    /// The same as [`end`](Self::end); and whether every entry up to there can be read, as none was taken away.
    pub(crate) async fn end_without_gaps(&self, stream: Stream) -> Result<(u64, bool), Error> {
        let State { first_seq, messages, last_seq } = self.settled(stream).await?;
        Ok((last_seq, messages == (last_seq + 1).saturating_sub(first_seq)))
    }

    async fn settled(&self, stream: Stream) -> Result<State, Error> {
        self.settled_within(stream, &mut self.patience()).await
    }

    async fn settled_within(&self, stream: Stream, patience: &mut Patience) -> Result<State, Error> {
        Ok(self.settled_info(stream, patience).await?.state)
    }

    async fn settled_info(&self, stream: Stream, patience: &mut Patience) -> Result<StreamInfo, Error> {
        loop {
            let info = self.info(stream, patience).await?;
            if info.cluster.are_settled(info.ts) {
                return Ok(info);
            }
            let attempted = format!("looking for the end of stream {}", stream.name());
            patience.pause(&attempted, "its leader is new, or does not hear the others").await?;
        }
    }

    /// From where to where a stream reaches, and how many entries it has, by a leader that is to be believed.
    pub(crate) async fn extent(&self, stream: Stream, patience: &mut Patience) -> Result<Extent, Error> {
        let State { first_seq, messages, last_seq } = self.settled_within(stream, patience).await?;
        Ok(Extent { first: first_seq, last: last_seq, messages })
    }

    /// How many entries a stream has, and its last sequence, as its leader knows them.
    pub(crate) async fn size(&self, stream: Stream) -> Result<(u64, u64), Error> {
        let State { messages, last_seq, .. } = self.info(stream, &mut self.patience()).await?.state;
        Ok((messages, last_seq))
    }

    /// The ends of both streams, and the broker's own time: answered within this time or not at all.
    pub(crate) async fn touch(&self, within: Duration) -> Result<Touch, Error> {
        let (mut for_said, mut for_log) = (Patience::up_to(within), Patience::up_to(within));
        let (said, log) =
            tokio::try_join!(self.info(Stream::Said, &mut for_said), self.info(Stream::Log, &mut for_log))?;
        Ok(Touch {
            broker_time: [said.ts, log.ts].into_iter().flatten().max(),
            said_end: said.state.last_seq,
            log_end: log.state.last_seq,
        })
    }

    pub(crate) async fn info(&self, stream: Stream, patience: &mut Patience) -> Result<StreamInfo, Error> {
        let attempted = format!("looking at stream {}", stream.name());
        let verb = format!("STREAM.INFO.{}", stream.name());
        let answer = self.api_within(&attempted, &verb, &json!({}), patience).await?;
        answer.map_err(|error| error.told(&attempted, stream, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(stream: Stream) -> Map<String, Value> {
        wanted(stream, &Shape::default())
    }

    #[test]
    fn every_setting_that_we_ask_for_is_compared() {
        for stream in [Stream::Said, Stream::Log] {
            for key in ours(stream).keys() {
                assert!(COMPARED.contains(&key.as_str()) || CHOSEN.contains(&key.as_str()), "{key}");
            }
        }
    }

    #[test]
    fn a_stream_that_differs_is_told_by_its_first_difference() {
        let mut said = ours(Stream::Said);
        assert_eq!(difference(Stream::Said, &said), None);
        said.insert("allow_msg_ttl".to_owned(), true.into());
        let (setting, found, wanted) = difference(Stream::Said, &said).unwrap();
        assert_eq!((setting, found.as_str(), wanted.as_str()), ("allow_msg_ttl", "true", "false"));
        let mut log = ours(Stream::Log);
        log.insert("sources".to_owned(), json!([{"name": "elsewhere"}]));
        assert_eq!(difference(Stream::Log, &log).unwrap().0, "sources");
        log.remove("sources");
        log.remove("republish");
        assert_eq!(difference(Stream::Log, &log).unwrap().0, "republish");
    }

    #[test]
    fn a_stream_of_an_older_version_lacks_subjects_and_nothing_else() {
        for stream in [Stream::Said, Stream::Log] {
            let mut old = ours(stream);
            assert_eq!(lacking(stream, &old), None, "nothing is missing");
            let first = old["subjects"][0].clone();
            old.insert("subjects".to_owned(), json!([first]));
            let missing = ours(stream)["subjects"].as_array().unwrap().len() - 1;
            assert_eq!(lacking(stream, &old).unwrap().len(), missing);
            let mut changed = old.clone();
            changed.insert("max_msgs".to_owned(), 7.into());
            assert_eq!(lacking(stream, &changed), None, "it differs in more");
            old.insert("subjects".to_owned(), json!([first, "mine.>"]));
            assert_eq!(lacking(stream, &old), None, "it holds what is not ours");
        }
    }

    #[test]
    fn what_an_administrator_may_choose_is_not_compared() {
        let mut log = ours(Stream::Log);
        log.insert("num_replicas".to_owned(), 3.into());
        log.insert("metadata".to_owned(), json!({"_nats.ver": "2.15.1"}));
        log.remove("allow_msg_ttl");
        assert_eq!(difference(Stream::Log, &log), None);
    }
}
