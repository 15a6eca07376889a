//! What came before an event: from the bus where it can be read, else from the spool.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use tocsin_ledger::Ledger;
use tocsin_protocol::{Event, EventKind, EventNumber, IncidentId, PublisherId, Timestamp};

use crate::{
    draft::{Changes, FirstMinute, FollowUp, first_minute, follow_up},
    error::Error,
    spool::Spool,
};

/// The events of an incident so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// All but the last, in order.
    before: Vec<Event>,
    last: Event,
    /// The last waits in the spool: it was not sent, or it is not known that it was.
    last_waits: bool,
}

impl Past {
    /// Puts it together. `on_bus` are the events that stand on the bus, when it could be read; those that this spool
    /// sent stand in for them otherwise. What waits in the spool comes after them.
    ///
    /// # Errors
    /// [`Error::NothingToFollow`] when there is none, [`Error::Disk`] when the spool cannot be read.
    pub fn of(
        spool: &Spool,
        publisher: &PublisherId,
        incident: &IncidentId,
        on_bus: Option<Vec<Event>>,
    ) -> Result<Self, Error> {
        let (sent, waiting) = spool.of_incident(incident)?;
        let ours = |event: &Event| event.publisher == *publisher;
        let mut events: BTreeMap<EventNumber, Event> =
            on_bus.unwrap_or(sent).into_iter().filter(ours).map(|event| (event.sequence, event)).collect();
        let last_waiting = waiting.iter().filter(|event| ours(event)).map(|event| event.sequence).max();
        for event in waiting.into_iter().filter(ours) {
            events.entry(event.sequence).or_insert(event);
        }
        let Some((number, last)) = events.pop_last() else {
            let (incident, publisher) = (incident.clone(), publisher.clone());
            return Err(Error::NothingToFollow { incident, publisher, dir: spool.dir().to_owned() });
        };
        let last_waits = last_waiting == Some(number);
        Ok(Self { before: events.into_values().collect(), last, last_waits })
    }

    /// Drafts the event that follows. The same command given again while its event waits to be sent drafts that one
    /// again, so that nothing is said twice.
    ///
    /// # Errors
    /// As [`follow_up`].
    pub fn follow(&self, kind: FollowUp, changes: Changes) -> Result<Event, Error> {
        if self.last_waits
            && let Some(previous) = self.before.last()
            && let Ok(again) = follow_up(previous, kind, changes.clone())
            && again == self.last
        {
            return Ok(again);
        }
        follow_up(&self.last, kind, changes)
    }

    /// The events before this one.
    pub fn before(&self, event: &Event) -> Vec<Event> {
        let all = self.before.iter().chain([&self.last]);
        all.filter(|earlier| earlier.sequence < event.sequence).cloned().collect()
    }
}

/// The first event that waits in the spool and says the same as this draft, under whatever name: the incident was
/// drafted before, when the bus was away, and must not begin a second time.
///
/// # Errors
/// [`Error::Disk`] when the spool cannot be read.
fn same_first_minute(spool: &Spool, draft: &Event) -> Result<Option<Event>, Error> {
    if draft.kind != EventKind::Initial {
        return Ok(None);
    }
    Ok(spool.pending()?.events.iter().find_map(|spooled| {
        let waiting: Event = tocsin_protocol::from_body("event", spooled.body()).ok()?;
        let renamed = Event { incident: waiting.incident.clone(), ..draft.clone() };
        (waiting == renamed).then_some(waiting)
    }))
}

/// Drafts event 1 of an incident. One that has no name yet gets one that is free, in this spool, on the bus where it can
/// be read, and by `taken`, which knows of others; or it is the one that waits in the spool already with the same words.
///
/// # Errors
/// As [`first_minute`], and [`Error::Disk`] when the spool cannot be read.
pub async fn begin(
    spool: &Spool,
    ledger: Option<&Ledger>,
    taken: impl Fn(&IncidentId) -> bool,
    known: FirstMinute,
    at: Timestamp,
    zone: &TimeZone,
) -> Result<Event, Error> {
    let is_named = known.incident.is_some();
    let draft = first_minute(known, at, zone)?;
    if is_named {
        return Ok(draft);
    }
    match same_first_minute(spool, &draft)? {
        Some(waiting) => Ok(waiting),
        None => named_apart(spool, ledger, taken, draft).await,
    }
}

/// Gives a first event whose incident was named by the clock a name that is free: two incidents may begin in one
/// minute, and an exercise in the minute of an actual one.
async fn named_apart(
    spool: &Spool,
    ledger: Option<&Ledger>,
    taken: impl Fn(&IncidentId) -> bool,
    draft: Event,
) -> Result<Event, Error> {
    /// The longest identifier that the protocol allows.
    const LONGEST: usize = 64;
    let mut name = draft.incident.clone();
    for number in 2..100 {
        let (sent, waiting) = spool.of_incident(&name)?;
        let named = Event { incident: name.clone(), ..draft.clone() };
        let on_bus = match ledger {
            // Whoever cannot read it there learns of it from the router.
            Some(ledger) => ledger.last(&named.subject()).await.ok().flatten().is_some(),
            None => false,
        };
        if sent.is_empty() && waiting.is_empty() && !on_bus && !taken(&name) {
            return Ok(named);
        }
        let suffix = format!("-{number}");
        let base = draft.incident.as_str();
        let base = base.get(..LONGEST - suffix.len()).unwrap_or(base).trim_end_matches('-');
        name = IncidentId::new(&format!("{base}{suffix}"))?;
    }
    Ok(Event { incident: name, ..draft })
}

#[cfg(test)]
mod tests {
    use tocsin_ledger::{Position, Said};
    use tocsin_protocol::{Platform, SigningKey};

    use super::*;
    use crate::{Details, prepare};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_687_670_640 + minute * 60).unwrap()
    }

    fn first(minute: i64) -> Event {
        let known = FirstMinute {
            publisher: "bt".parse().unwrap(),
            incident: None,
            status: tocsin_protocol::Status::Actual,
            category: tocsin_protocol::Category::Outage,
            services: vec![tocsin_protocol::Service::Voice999],
            areas: vec!["uk".parse().unwrap()],
            headline: "999 calls fail".to_owned(),
            details: Details::default(),
        };
        first_minute(known, at(minute), &jiff::tz::TimeZone::UTC).unwrap()
    }

    fn changes() -> Changes {
        Changes {
            details: Details { platform: Some(Platform::None), ..Details::default() },
            ..Changes::default()
        }
    }

    struct Desk {
        _dir: tempfile::TempDir,
        spool: Spool,
        key: SigningKey,
    }

    impl Desk {
        fn new() -> Self {
            let dir = tempfile::TempDir::new().unwrap();
            Self { spool: Spool::open(dir.path()).unwrap(), _dir: dir, key: SigningKey::generate() }
        }

        fn put(&self, event: &Event) {
            self.spool.put(&prepare(event, &self.key, &event.publisher).unwrap(), at(0)).unwrap();
        }

        fn past(&self, on_bus: Option<Vec<Event>>) -> Result<Past, Error> {
            Past::of(&self.spool, &"bt".parse().unwrap(), &first(0).incident, on_bus)
        }
    }

    #[test]
    fn an_incident_drafted_again_while_it_waits_is_the_same_incident() {
        let desk = Desk::new();
        desk.put(&first(0));
        let again = first(2);
        assert_ne!(again.incident, first(0).incident);
        assert_eq!(same_first_minute(&desk.spool, &again).unwrap(), Some(first(0)));
        let other = Event { headline: "112 calls fail".to_owned(), ..again };
        assert_eq!(same_first_minute(&desk.spool, &other).unwrap(), None);
    }

    #[tokio::test]
    async fn two_incidents_of_one_minute_have_two_names() {
        let desk = Desk::new();
        let mut names = Vec::new();
        for _ in 0..3 {
            let event = named_apart(&desk.spool, None, |_| false, first(0)).await.unwrap();
            desk.put(&event);
            names.push(event.incident.to_string());
        }
        assert_eq!(names, ["bt-2023-06-25-0524", "bt-2023-06-25-0524-2", "bt-2023-06-25-0524-3"]);
        let elsewhere = |name: &IncidentId| name.as_str().ends_with("-4");
        let event = named_apart(&desk.spool, None, elsewhere, first(0)).await.unwrap();
        assert_eq!(event.incident.as_str(), "bt-2023-06-25-0524-5");
    }

    #[test]
    fn an_update_drafted_again_while_it_waits_is_the_same_update() {
        let desk = Desk::new();
        let update = follow_up(&first(0), FollowUp::Update, changes()).unwrap();
        desk.put(&update);
        let past = desk.past(Some(vec![first(0)])).unwrap();
        let again = past.follow(FollowUp::Update, changes()).unwrap();
        assert_eq!((&again, past.before(&again)), (&update, vec![first(0)]));
        let resolved = past.follow(FollowUp::Resolve, Changes::default()).unwrap();
        assert_eq!(resolved.sequence.get(), 3);
        // Sent, and no longer waiting: the same words once more are a new event.
        let past = Past { last_waits: false, ..past };
        assert_eq!(past.follow(FollowUp::Update, changes()).unwrap().sequence.get(), 3);
    }

    #[test]
    fn what_was_sent_stands_in_for_a_bus_that_cannot_be_read_and_no_longer() {
        let desk = Desk::new();
        desk.put(&first(0));
        let spooled = desk.spool.pending().unwrap().events.remove(0);
        desk.spool.mark_sent(&spooled, &Said::Stored(Position { sequence: 1, time: at(1) })).unwrap();
        assert_eq!(desk.past(None).unwrap(), Past { before: Vec::new(), last: first(0), last_waits: false });
        // The bus was read, and the event does not stand there.
        assert!(matches!(desk.past(Some(Vec::new())), Err(Error::NothingToFollow { .. })));
    }
}
