//! Making consumers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tocsin_protocol::Stream;

use crate::{Error, shared::Shared};

/// How long the server keeps a consumer of ours that nobody pulls from.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

fn nanoseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// A consumer that reads once from a sequence, in order, and needs no acknowledgement.
pub(crate) fn reading(filters: &[String], from: u64) -> Value {
    let mut config = json!({
        "ack_policy": "none",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": from.max(1),
        "max_deliver": 1,
        "replay_policy": "instant",
        "inactive_threshold": nanoseconds(FORGOTTEN_AFTER),
        "num_replicas": 1,
        "mem_storage": true,
    });
    if let Value::Object(config) = &mut config {
        match filters {
            [] => {}
            [one] => drop(config.insert("filter_subject".to_owned(), one.as_str().into())),
            many => drop(config.insert("filter_subjects".to_owned(), many.into())),
        }
    }
    config
}

/// A durable consumer whose messages are given out until they are acknowledged.
pub(crate) fn durable(name: &str, filter: &str, ack_wait: Duration, max_ack_pending: i64) -> Value {
    json!({
        "durable_name": name,
        "ack_policy": "explicit",
        "ack_wait": nanoseconds(ack_wait),
        "max_ack_pending": max_ack_pending,
        "max_deliver": -1,
        "deliver_policy": "all",
        "replay_policy": "instant",
        "filter_subject": filter,
    })
}

#[derive(Deserialize)]
struct Names {
    total: usize,
    #[serde(default)]
    consumers: Option<Vec<String>>,
}

impl Shared {
    /// Makes a consumer, or changes one to be so.
    pub(crate) async fn make_consumer(
        &self,
        stream: Stream,
        name: &str,
        config: &Value,
    ) -> Result<(), Error> {
        let attempted = format!("making consumer {name} on {}", stream.name());
        let verb = format!("CONSUMER.CREATE.{}.{name}", stream.name());
        let mut config = config.clone();
        if let Value::Object(config) = &mut config {
            config.insert("name".to_owned(), name.into());
        }
        let request = json!({"stream_name": stream.name(), "config": config});
        match self.api::<Value>(&attempted, &verb, &request).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(error.told(&attempted, stream, self)),
        }
    }

    /// Removes a consumer that was for one reading, without waiting: the server forgets it by itself in any case.
    pub(crate) async fn forget_consumer(&self, stream: Stream, name: &str) {
        let subject = self.api_subject(&format!("CONSUMER.DELETE.{}.{name}", stream.name()));
        if let Err(error) = self.client.publish(subject, bytes::Bytes::new()).await {
            tracing::debug!(%error, "a consumer is left to be forgotten");
        }
    }

    /// The names of all consumers of a stream.
    pub(crate) async fn consumer_names(&self, stream: Stream) -> Result<Vec<String>, Error> {
        let attempted = format!("listing the consumers of {}", stream.name());
        let verb = format!("CONSUMER.NAMES.{}", stream.name());
        let mut all = Vec::new();
        loop {
            let request = json!({"offset": all.len()});
            let page = match self.api::<Names>(&attempted, &verb, &request).await? {
                Ok(page) => page,
                Err(error) => return Err(error.told(&attempted, stream, self)),
            };
            let names = page.consumers.unwrap_or_default();
            let none = names.is_empty();
            all.extend(names);
            if none || all.len() >= page.total {
                return Ok(all);
            }
        }
    }
}
