//! Who would be told of an event, by when, before it is sent.

use std::fmt;

use bytes::Bytes;
use tocsin_duty::{Directory, Fold};
use tocsin_protocol::{
    Dispatch, Entry, Event, EventKind, EventNumber, Signed, Stream, Subject, Timestamp, from_body, to_body,
};

use crate::{error::Error, notified::Notified, objections::objections};

/// What would follow if the bus took an event now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Why the router would refuse it by this directory; empty when it would not.
    pub problems: Vec<String>,
    /// Whom it would tell, and by when.
    pub notified: Notified,
    /// True when the events before it were not at hand, so that a worsening cannot be foreseen.
    pub without_history: bool,
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "would be refused: {problem}")?;
        }
        self.notified.fmt(f)?;
        if self.without_history {
            write!(
                f,
                "\nthe events before this one are not at hand: a worsening would need an acknowledgement anew"
            )?;
        }
        Ok(())
    }
}

/// Asks `tocsin-duty`, by the same rules as the router, what would follow from an event if the bus took it at `now`.
/// `earlier` are the events of its incident so far, in order; `signer` is the public key that signs this one.
///
/// # Errors
/// [`Error::Word`] when an event has no JSON form, which no event read or drafted here lacks.
pub fn preview(
    directory: &Directory,
    earlier: &[Event],
    event: &Event,
    signer: &str,
    now: Timestamp,
) -> Result<Preview, Error> {
    let complete = earlier.iter().map(|event| event.sequence.get()).eq(1..event.sequence.get());
    let mut history: Vec<Event> = if complete {
        earlier.to_vec()
    } else {
        // The event stands in for its own past, so that nothing in it is a change.
        vec![Event { kind: EventKind::Initial, sequence: EventNumber::FIRST, ..event.clone() }]
    };
    let number = history.last().map_or(EventNumber::FIRST, |last| last.sequence.next());
    history.push(Event { sequence: number, ..event.clone() });
    let notified = match foreseen(directory, &history, now)? {
        Some(dispatch) => Notified::of(&dispatch, Some(directory)),
        None => Notified {
            recipients: Vec::new(),
            policies: Vec::new(),
            windows: Vec::new(),
            worsened: Vec::new(),
            time_zone: Some(directory.time_zone().to_owned()),
        },
    };
    Ok(Preview { problems: objections(directory, event, signer), notified, without_history: !complete })
}

/// The dispatch of the last of these events, folded as a router folds what it has judged before.
fn foreseen(directory: &Directory, history: &[Event], now: Timestamp) -> Result<Option<Dispatch>, Error> {
    let mut fold = Fold::supposing(directory.clone(), now);
    for (event, sequence) in history.iter().zip(1..) {
        fold.apply(&Entry {
            stream: Stream::Said,
            sequence,
            time: now,
            subject: event.subject().to_string(),
            signed: Some(Signed { key: String::new(), signature: sequence.to_string() }),
            said_through: None,
            body: to_body("event", event)?,
        });
    }
    let last = history.last().map(|event| event.sequence);
    let mut facts = fold.follows().into_iter().flat_map(|batch| batch.facts);
    let body: Option<Bytes> = facts.find_map(|fact| match fact.subject {
        Subject::Dispatch { event, .. } if Some(event) == last => Some(fact.body),
        _ => None,
    });
    Ok(body.map(|body| from_body("dispatch", &body)).transpose()?)
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{DirectoryDocument, IncidentId, Platform, SigningKey};

    use super::*;
    use crate::{Details, FirstMinute, FollowUp, first_minute, follow_up};

    fn directory() -> Directory {
        let document: DirectoryDocument = serde_json::from_value(serde_json::json!({
            "name": "two counties", "time_zone": "Europe/London",
            "areas": [{"id": "uk", "name": "UK"}, {"id": "kent", "name": "Kent", "within": "uk"}],
            "publishers": [
                {"id": "bt", "name": "BT", "key": key(), "areas": "all"},
                {"id": "kent-police", "name": "Kent Police", "areas": ["kent"]},
            ],
            "recipients": [
                {"id": "kent-police", "name": "Kent Police", "kind": "police-territorial", "areas": ["kent"]},
                {"id": "ofcom", "name": "Ofcom", "kind": "regulator", "areas": ["uk"]},
                {"id": "kent-fire", "name": "Kent Fire and Rescue", "kind": "fire", "areas": ["kent"]},
            ],
            "policies": [{
                "id": "uk-999", "name": "999", "basis": "ours", "confidence": "assumption", "clock": "detected",
                "acknowledge": ["initial"],
                "owed": [
                    {"kinds": ["regulator"], "where": "anywhere", "requirement": "informed"},
                    {"where": "affected", "requirement": "required"},
                ],
                "steps": [{"within": "15m", "contact": "duty"}, {"within": "30m", "contact": "senior"}],
            }],
        }))
        .unwrap();
        Directory::build(7, document).unwrap()
    }

    fn key() -> String {
        static KEY: std::sync::LazyLock<String> =
            std::sync::LazyLock::new(|| SigningKey::generate().public());
        KEY.clone()
    }

    fn event(area: &str) -> Event {
        let known = FirstMinute {
            publisher: "bt".parse().unwrap(),
            incident: Some(IncidentId::new("x").unwrap()),
            status: tocsin_protocol::Status::Actual,
            category: tocsin_protocol::Category::Outage,
            services: vec![tocsin_protocol::Service::Voice999],
            areas: vec![area.parse().unwrap()],
            headline: "999 calls fail".to_owned(),
            details: Details { platform: Some(Platform::Backup), ..Details::default() },
        };
        first_minute(known, now(), &jiff::tz::TimeZone::UTC).unwrap()
    }

    fn now() -> Timestamp {
        "2023-06-25T05:24:00Z".parse().unwrap()
    }

    #[test]
    fn a_preview_tells_who_would_be_told_and_by_when() {
        insta::assert_snapshot!(preview(&directory(), &[], &event("kent"), &key(), now()).unwrap(), @r"
        2 required: 1 fire, 1 police-territorial
        1 informed: 1 regulator
        acknowledge by 2023-06-25 06:39:00 BST (05:39:00Z), or the duty contact is written to (uk-999, step 1; from detected, for which the time of publishing stands)
        acknowledge by 2023-06-25 06:54:00 BST (05:54:00Z), or the senior contact is written to (uk-999, step 2; from detected, for which the time of publishing stands)
        ");
    }

    #[test]
    fn a_preview_tells_what_the_directory_has_against_the_event() {
        let other = Event { publisher: "kent-police".parse().unwrap(), ..event("uk") };
        let problems = preview(&directory(), &[], &other, &key(), now()).unwrap().problems;
        assert_eq!(
            problems,
            [
                "directory 7 has no key for publisher kent-police",
                "publisher kent-police may not speak of area uk"
            ]
        );
        let nowhere = preview(&directory(), &[], &event("atlantis"), &key(), now()).unwrap();
        assert_eq!(nowhere.problems, ["area atlantis is not in directory 7"]);
        let other_key =
            preview(&directory(), &[], &event("uk"), &SigningKey::generate().public(), now()).unwrap();
        assert_eq!(
            other_key.problems,
            ["the key given is not the one that directory 7 lists for publisher bt"]
        );
    }

    #[test]
    fn a_worsening_is_foreseen_from_the_events_before() {
        let first = event("kent");
        let mut changes = crate::Changes::default();
        let better = follow_up(&first, FollowUp::Update, changes.clone()).unwrap();
        assert!(
            preview(&directory(), std::slice::from_ref(&first), &better, &key(), now())
                .unwrap()
                .notified
                .windows
                .is_empty()
        );
        changes.details.platform = Some(Platform::None);
        let worse = follow_up(&better, FollowUp::Update, changes).unwrap();
        let foreseen = preview(&directory(), &[first, better], &worse, &key(), now()).unwrap();
        assert_eq!(foreseen.notified.windows.len(), 2);
        assert_eq!(foreseen.notified.worsened, ["platform went from backup to none"]);
        assert!(!foreseen.without_history);
        let alone = preview(&directory(), &[], &worse, &key(), now()).unwrap();
        assert_eq!((alone.without_history, alone.notified.recipients.len()), (true, 3));
        assert!(alone.notified.windows.is_empty());
    }
}
