//! How much each body says: by it one sees who floods the bus.

use std::collections::HashMap;

use tocsin_duty::Directory;
use tocsin_protocol::{BodyId, PublisherId, RecipientId, Subject, Timestamp};

/// So many are shown, the loudest.
const SHOWN: usize = 16;

/// What was said in one minute by the broker's clock, and in the one before.
#[derive(Debug, Default, Clone, Copy)]
struct Minutes {
    minute: i64,
    said: u64,
    before: u64,
}

impl Minutes {
    /// As of this minute.
    fn at(self, minute: i64) -> Self {
        match minute - self.minute {
            ..=0 => self,
            1 => Self { minute, said: 0, before: self.said },
            _ => Self { minute, said: 0, before: 0 },
        }
    }
}

/// What each body of the directory has said of late, be it refused or not; under `None` what nobody of it is named for.
#[derive(Debug, Default)]
pub(crate) struct Talk(HashMap<Option<BodyId>, Minutes>);

impl Talk {
    /// Takes in what was said on a subject, which may be anything.
    pub(crate) fn take(&mut self, subject: &str, at: Timestamp, directory: Option<&Directory>) {
        let body = Subject::speaker(subject).filter(|body| directory.is_some_and(|known| lists(known, body)));
        let minutes = self.0.entry(body).or_default();
        *minutes = minutes.at(minute(at));
        minutes.said += 1;
    }

    /// Who said most in the minute under way or in the one before, and how much that was.
    pub(super) fn loudest(&self, now: Timestamp) -> Vec<(&str, u64)> {
        let now = minute(now);
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(body, minutes)| {
                let Minutes { said, before, .. } = minutes.at(now);
                (body.as_ref().map_or("other", BodyId::as_str), said.max(before))
            })
            .filter(|(_, said)| *said > 0)
            .collect();
        all.sort_unstable_by_key(|(body, said)| (std::cmp::Reverse(*said), *body));
        all.truncate(SHOWN);
        all
    }
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn lists(directory: &Directory, body: &BodyId) -> bool {
    let publisher = PublisherId::new(body.as_str()).is_ok_and(|id| directory.publisher(&id).is_some());
    publisher || RecipientId::new(body.as_str()).is_ok_and(|id| directory.recipient(&id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_floods_is_named_for_a_minute_and_strangers_have_no_names() {
        let document = serde_json::json!({
            "name": "one", "time_zone": "Europe/London", "areas": [{"id": "uk", "name": "UK"}],
            "publishers": [{"id": "bt", "name": "BT", "areas": "all"}],
            "recipients": [{"id": "a", "name": "A", "kind": "fire", "areas": ["uk"]}], "policies": [],
        });
        let directory = Directory::build(1, serde_json::from_value(document).unwrap()).unwrap();
        let mut talk = Talk::default();
        let at = |second: i64| Timestamp::from_second(6_000 + second).unwrap();
        for second in 0..50 {
            talk.take(&format!("tocsin.receipt.a.flood-{second}.1.delivered"), at(second), Some(&directory));
            talk.take(
                &format!("tocsin.receipt.stranger-{second}.x.1.delivered"),
                at(second),
                Some(&directory),
            );
        }
        talk.take("tocsin.incident.bt.x.1", at(10), Some(&directory));
        assert_eq!(talk.loudest(at(59)), [("a", 50), ("other", 50), ("bt", 1)]);
        talk.take("tocsin.receipt.a.x.1.delivered", at(61), Some(&directory));
        assert_eq!(talk.loudest(at(62)), [("a", 50), ("other", 50), ("bt", 1)]);
        assert_eq!(talk.loudest(at(121)), [("a", 1)]);
        assert_eq!(talk.loudest(at(181)), []);
    }
}
