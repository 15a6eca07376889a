//! Whether what a stream's leader says of its end is so.
//!
//! A server that leads no longer may not know it yet: it was stopped in its tracks, or cut off from the others, and the
//! rest have chosen another. And one that leads anew may not have taken in yet what a majority has stored. Both answer, and
//! tell of less than was acknowledged to its authors (seen on nats-server 2.15.1). So a leader is believed that has led for
//! a while and has just heard from a majority: the others choose no new one within four seconds of hearing the old.

use std::time::Duration;

use serde::Deserialize;
use tocsin_protocol::Timestamp;

/// How long a leader must have led: it has taken in by then what was stored before.
const LED: Duration = Duration::from_secs(3);
/// How lately it must have heard from a majority. It does each second; nats-server waits four before it elects.
const HEARD: Duration = Duration::from_secs(3);

/// The servers of a stream, as its leader tells of them.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Servers {
    #[serde(default)]
    leader_since: Option<Timestamp>,
    /// The others.
    #[serde(default)]
    replicas: Vec<Replica>,
}

#[derive(Debug, Deserialize)]
struct Replica {
    #[serde(default)]
    current: bool,
    #[serde(default)]
    offline: bool,
    /// Nanoseconds since it was heard; 0 also of one that never was.
    #[serde(default)]
    active: u64,
}

impl Servers {
    /// Whether the leader that tells this at `now`, by its own clock, is to be believed. A server alone always is.
    pub(crate) fn are_settled(&self, now: Option<Timestamp>) -> bool {
        if self.replicas.is_empty() {
            return true;
        }
        let led = self.leader_since.zip(now).is_none_or(|(since, now)| {
            Duration::try_from(now.duration_since(since)).is_ok_and(|led| led >= LED)
        });
        let heard = |replica: &&Replica| {
            let active = Duration::from_nanos(replica.active);
            !replica.offline && active <= HEARD && (replica.current || replica.active > 0)
        };
        let all = self.replicas.len() + 1;
        led && self.replicas.iter().filter(heard).count() + 1 > all / 2
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settled(cluster: &serde_json::Value) -> bool {
        let servers: Servers = serde_json::from_value(cluster.clone()).unwrap();
        servers.are_settled(Some("2026-01-01T00:01:00Z".parse().unwrap()))
    }

    fn of_three(since: &str, active: [u64; 2], current: bool) -> serde_json::Value {
        let seconds = |seconds: u64| seconds * 1_000_000_000;
        let replicas =
            active.map(|active| json!({"name": "n", "current": current, "active": seconds(active)}));
        json!({"name": "tocsin", "leader": "n", "leader_since": since, "replicas": replicas})
    }

    #[test]
    fn a_leader_is_believed_that_has_led_for_a_while_and_hears_a_majority() {
        assert!(settled(&json!({})), "a server alone");
        assert!(settled(&json!({"name": "tocsin", "leader": "n"})), "one replica");
        assert!(settled(&of_three("2026-01-01T00:00:00Z", [1, 1], true)));
        assert!(settled(&of_three("2026-01-01T00:00:00Z", [1, 90], true)), "two of three are a majority");
        assert!(settled(&of_three("2026-01-01T00:00:00Z", [1, 1], false)), "they lag, and are heard");
        assert!(!settled(&of_three("2026-01-01T00:00:59Z", [0, 0], true)), "it leads since a second ago");
        assert!(!settled(&of_three("2026-01-01T00:00:00Z", [8, 8], true)), "it was stopped, or is cut off");
        assert!(!settled(&of_three("2026-01-01T00:00:00Z", [0, 0], false)), "it has heard nobody yet");
        let mut gone = of_three("2026-01-01T00:00:00Z", [1, 1], true);
        gone["replicas"][0]["offline"] = true.into();
        gone["replicas"][1]["offline"] = true.into();
        assert!(!settled(&gone));
    }
}
