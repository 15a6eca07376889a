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
pub(crate) const LED: Duration = Duration::from_secs(3);
/// How lately it must have heard from a majority. It does each second; nats-server waits four before it elects.
const HEARD: Duration = Duration::from_secs(3);
/// How long an entry is held to be on its way through the servers at most, by who may not sound the stream (see
/// [`crate::sounding`]). It can come to stand before what has been read already (seen on nats-server 2.15.1, an
/// acknowledgement that was 1.4 ms before a window's close and told of after it). Clocks that are further apart are not
/// waited for.
const UNDER_WAY: Duration = Duration::from_millis(500);

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

    /// How long it is, at `now` by the leader's clock, until what has a time up to that one is told of. Nothing of a server
    /// alone, which gives the time as it stores; or where the clocks are so far apart that waiting would not help.
    pub(crate) fn under_way(&self, until: Timestamp, now: Option<Timestamp>) -> Option<Duration> {
        let since = now?.duration_since(until);
        let may_help = !self.replicas.is_empty() && since.abs() < UNDER_WAY.try_into().ok()?;
        may_help.then(|| UNDER_WAY.saturating_sub(Duration::try_from(since).unwrap_or_default()))
    }

    /// How long it is until the clock of the leader, which told `now`, is past a time that another server gave. Nothing
    /// where the clocks are too far apart to wait for.
    pub(crate) fn clock_lacks(&self, time: Option<Timestamp>, now: Option<Timestamp>) -> Option<Duration> {
        let lacks = Duration::try_from(time?.duration_since(now?)).ok()?;
        let may_help = !self.replicas.is_empty() && !lacks.is_zero() && lacks < UNDER_WAY;
        may_help.then_some(lacks)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tocsin_protocol::SignedDuration;

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

    #[test]
    fn what_is_under_way_is_waited_for_behind_a_time_that_has_just_been() {
        let servers =
            |cluster: &serde_json::Value| serde_json::from_value::<Servers>(cluster.clone()).unwrap();
        let three = servers(&of_three("2026-01-01T00:00:00Z", [1, 1], true));
        let at: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let after = |milliseconds| Some(at + SignedDuration::from_millis(milliseconds));
        let left = Duration::from_millis;
        for (now, expected) in [
            (after(0), Some(left(500))),
            (after(40), Some(left(460))),
            (after(499), Some(left(1))),
            (after(500), None),
            (after(60_000), None),
            (after(-3), Some(left(500))),
            (after(-60_000), None),
            (None, None),
        ] {
            assert_eq!(three.under_way(at, now), expected, "{now:?}");
        }
        assert_eq!(servers(&json!({})).under_way(at, after(0)), None, "a server alone");
    }

    #[test]
    fn a_clock_that_is_behind_is_waited_for_unless_it_is_far_behind() {
        let three: Servers = serde_json::from_value(of_three("2026-01-01T00:00:00Z", [1, 1], true)).unwrap();
        let at: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let lacks = |milliseconds| {
            let lacks = three.clock_lacks(Some(at), Some(at - SignedDuration::from_millis(milliseconds)));
            lacks.map(|lacks| lacks.as_millis())
        };
        let table = [(-60_000, None), (-1, None), (0, None), (1, Some(1)), (499, Some(499)), (500, None)];
        for (behind, expected) in table {
            assert_eq!(lacks(behind), expected, "{behind}");
        }
        assert_eq!(three.clock_lacks(None, Some(at)), None, "nothing was read");
        assert_eq!(Servers::default().clock_lacks(Some(at), Some(at - SignedDuration::from_millis(9))), None);
    }
}
