//! What follows from a scenario's events, by the rules of `tocsin-duty`, and what of the day is played.

use std::collections::BTreeMap;

use tocsin_duty::{Directory, Fold};
use tocsin_protocol::{
    Dispatch, Entry, Error, Event, EventNumber, PublisherId, RecipientId, Requirement, Signed,
    SignedDuration, Stream, Subject, Timestamp, from_body, to_body,
};

use crate::model::Happening;

/// What is shown of the day before an event, or around a moment at which nothing is said.
const BEFORE: SignedDuration = SignedDuration::from_mins(1);
/// What is shown after an event that asks nothing of anybody.
const AFTER: SignedDuration = SignedDuration::from_mins(4);
/// What is shown after the last window of an event: mails go out, and those who were written to answer.
const AFTER_WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// What is played of a moment that an event names, so that it has its place.
const MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// What follows from the events: their dispatches, as a router would write them at those times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    dispatches: Vec<Dispatch>,
}

/// A stretch of the day that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From this moment of the day.
    pub from: Timestamp,
    /// To this one.
    pub to: Timestamp,
}

impl Course {
    /// Asks `tocsin-duty` what follows, by the same rules as the router.
    ///
    /// # Errors
    /// When an event has no JSON form, which none that was read lacks.
    pub fn of(directory: &Directory, publisher: &PublisherId, events: &[&Happening]) -> Result<Self, Error> {
        let from = events.first().map_or(Timestamp::UNIX_EPOCH, |first| first.at);
        let mut fold = Fold::supposing(directory.clone(), from);
        for (happening, sequence) in events.iter().zip(1..) {
            let event = Event { publisher: publisher.clone(), ..happening.event.clone() };
            fold.apply(&Entry {
                stream: Stream::Said,
                sequence,
                time: happening.at,
                subject: event.subject().to_string(),
                signed: Some(Signed { key: String::new(), signature: sequence.to_string() }),
                said_through: None,
                body: to_body("event", &event)?,
            });
        }
        let facts = fold.follows().into_iter().flat_map(|batch| batch.facts);
        let mut dispatches = Vec::with_capacity(events.len());
        for fact in facts {
            if let Subject::Dispatch { .. } = fact.subject {
                dispatches.push(from_body::<Dispatch>("dispatch", &fact.body)?);
            }
        }
        dispatches.sort_by_key(|dispatch| dispatch.event);
        Ok(Self { dispatches })
    }

    /// The dispatch of an event; none where nobody is owed it.
    pub fn dispatch(&self, event: EventNumber) -> Option<&Dispatch> {
        self.dispatches.iter().find(|dispatch| dispatch.event == event)
    }

    /// The dispatches of the events that ask for an acknowledgement, in order.
    pub fn asking(&self) -> impl Iterator<Item = &Dispatch> {
        self.dispatches.iter().filter(|dispatch| dispatch.acknowledge)
    }

    /// Everybody who is owed any event.
    pub fn owed(&self) -> BTreeMap<&RecipientId, Requirement> {
        let mut owed = BTreeMap::new();
        for (recipient, requirement) in self.dispatches.iter().flat_map(Dispatch::recipients) {
            let strictest = owed.entry(recipient).or_insert(requirement);
            *strictest = requirement.min(*strictest);
        }
        owed
    }

    /// The lengths of an event's windows, from its clock to their end, with the contact that is written to.
    pub fn windows(&self, event: EventNumber) -> Vec<(SignedDuration, &str)> {
        let Some(dispatch) = self.dispatch(event) else { return Vec::new() };
        let steps = dispatch.steps.iter();
        steps
            .map(|step| {
                let clock = dispatch.policies.iter().find(|policy| policy.policy == step.policy);
                let from = clock.map_or(dispatch.published_at, |policy| policy.clock_at);
                (step.due_at.duration_since(from), step.contact.as_str())
            })
            .collect()
    }

    /// What is played of a day on which the failure began then, in order and apart from each other: the beginning, each
    /// event with all that follows from it, and every moment that an event names.
    pub fn stretches(&self, began_at: Timestamp, events: &[Happening]) -> Vec<Stretch> {
        let mut stretches = vec![Stretch { from: began_at - BEFORE, to: began_at + BEFORE }];
        for Happening { at, event, .. } in events {
            let dispatch = self.dispatch(event.sequence);
            let last =
                dispatch.into_iter().flat_map(|dispatch| &dispatch.steps).map(|step| step.due_at).max();
            let to = last.map_or(*at + AFTER, |due_at| due_at.max(*at) + AFTER_WINDOW);
            // Where a window runs from a clock of its own, nothing between that and its end can be left out.
            let clocks = dispatch.into_iter().filter(|dispatch| dispatch.acknowledge);
            let from =
                clocks.flat_map(|d| &d.policies).map(|policy| policy.clock_at).fold(*at, Timestamp::min);
            stretches.push(Stretch { from: from - BEFORE, to });
            stretches.extend(named(event).map(|moment| Stretch { from: moment, to: moment + MOMENT }));
            let promised = event.next_update_by;
            stretches.extend(promised.map(|until| Stretch { from: until - BEFORE, to: until + AFTER }));
        }
        stretches.sort_by_key(|stretch| stretch.from);
        let mut apart: Vec<Stretch> = Vec::new();
        for stretch in stretches {
            match apart.last_mut() {
                Some(last) if stretch.from <= last.to => last.to = last.to.max(stretch.to),
                _ => apart.push(stretch),
            }
        }
        apart
    }
}

/// The moments that an event names.
fn named(event: &Event) -> impl Iterator<Item = Timestamp> {
    [
        event.began_at,
        event.detected_at,
        event.aware_at,
        event.discovered_at,
        event.classified_at,
        event.restored_at,
        event.expected_restoration_at,
    ]
    .into_iter()
    .flatten()
}
