//! What must be true in every state, worked out from the two streams and the mails alone.

use stateright::Property;
use tocsin_protocol::Outcome;

use crate::{
    facts::{Fact, Slot, Told},
    world::{State, World},
};

const STEPS: [u8; 2] = [1, 2];

pub(crate) fn all() -> Vec<Property<World>> {
    vec![
        Property::always("two routers never write the same fact in other words", |_, state: &State| {
            !state.disagreed
        }),
        Property::always("a dispatch is whole", whole),
        Property::always("a finding names exactly those who were silent when the window closed", exact),
        Property::always("nobody who was in time is written to as silent", |world, state: &State| {
            everyone(world).all(|(who, step)| match state.logged(Slot::Finding(step)) {
                Some(Told::Silent { due_at, .. }) => {
                    let blamed =
                        state.logged(Slot::Escalation(who, step)) == Some(Told::Escalated { silent: true });
                    !(in_time(state, who, due_at) && blamed)
                }
                _ => true,
            })
        }),
        Property::always(
            "a mail is repeated only after one whose outcome is unknown",
            |world, state: &State| {
                everyone(world).all(|(who, step)| {
                    let mails = state.mails.iter().filter(|mail| **mail == (who, step)).count();
                    let unknown =
                        state.ended(who, step).filter(|outcome| *outcome == Outcome::Unknown).count();
                    mails <= 1 + unknown
                })
            },
        ),
        Property::always("in the end every duty is settled", settled),
        Property::sometimes("somebody is silent at both steps", |world, state: &State| {
            everyone(world).any(|(who, _)| STEPS.iter().all(|step| escalated(state, who, *step)))
        }),
        Property::sometimes(
            "somebody silent at the first step is in time for the second",
            |world, state: &State| {
                let late = |(who, _)| escalated(state, who, 1) && !escalated(state, who, 2);
                found(state).count() == 2 && world.is_over(state) && everyone(world).any(late)
            },
        ),
        Property::sometimes("everybody is in time", |world, state: &State| {
            found(state).filter(|(_, silent, _)| *silent == 0).count() == 2 && world.is_over(state)
        }),
    ]
}

/// Whether two facts under one subject say different things. An escalation may be owed for two reasons, and either may
/// come first; whom it is owed to is in the subject.
pub(crate) fn disagree(one: Fact, other: Fact) -> bool {
    one != other && !matches!(one.slot, Slot::Escalation(..))
}

/// Every recipient at every step.
fn everyone(world: &World) -> impl Iterator<Item = (u8, u8)> {
    (0..world.recipients).flat_map(|who| STEPS.map(|step| (who, step)))
}

/// The findings that stand: of which step, who was silent, and by when they would have been in time.
fn found(state: &State) -> impl Iterator<Item = (u8, u8, i64)> {
    STEPS.into_iter().filter_map(|step| match state.logged(Slot::Finding(step)) {
        Some(Told::Silent { who, due_at }) => Some((step, who, due_at)),
        _ => None,
    })
}

fn escalated(state: &State, who: u8, step: u8) -> bool {
    state.logged(Slot::Escalation(who, step)).is_some()
}

fn in_time(state: &State, who: u8, due_at: i64) -> bool {
    state.acknowledged(who).is_some_and(|at| at <= due_at)
}

fn whole(world: &World, state: &State) -> bool {
    state.logged(Slot::Dispatch).is_none()
        || (0..world.recipients).all(|who| state.logged(Slot::Notice(who)).is_some())
}

fn exact(world: &World, state: &State) -> bool {
    found(state).all(|(_, silent, due_at)| {
        (0..world.recipients).all(|who| (silent >> who & 1 == 1) != in_time(state, who, due_at))
    })
}

/// Once nothing more can happen: both windows were found, whoever was silent at a step was escalated at it, and the mail
/// of each escalation came to an end.
fn settled(world: &World, state: &State) -> bool {
    if !world.is_over(state) {
        return true;
    }
    let written_to = found(state).all(|(step, silent, _)| {
        (0..world.recipients).all(|who| silent >> who & 1 == 0 || escalated(state, who, step))
    });
    let mailed = !world.mail
        || state
            .escalations()
            .all(|(who, step)| state.ended(who, step).any(|outcome| outcome != Outcome::Unknown));
    found(state).count() == 2 && written_to && mailed
}
