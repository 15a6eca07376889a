//! Who answers when: as the scenario says, else drawn by lot from the seed, within the scenario's bounds. It says nothing
//! about any real body.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tocsin_protocol::{DirectoryDocument, Dispatch, EventNumber, Person, RecipientId, Requirement};
use tocsin_scenario::{Does, Lot, Part};

use super::day::Day;

/// How long somebody takes who is written to: the soonest, and by how much the latest is later. It is less than the time
/// to the next step of any policy that we ship.
const CALLED: (f64, f64) = (1.5, 6.0);

/// What a required recipient does about an event that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Acknowledges this long after the event, in time of day.
    After(SignedDuration),
    /// Acknowledges this long, in time of day, after the mail to this contact has arrived.
    AfterMail(String, SignedDuration),
    /// Does not.
    Never,
}

/// One recipient's person, and what they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// Who acknowledges there: a role with a number, nobody real.
    pub(crate) person: Person,
    /// What they do about each event that asks them.
    pub(crate) answers: BTreeMap<EventNumber, Answer>,
}

/// Who must answer what.
pub(crate) struct Draw<'a> {
    /// The day.
    pub(crate) day: &'a Day,
    /// Everybody.
    pub(crate) document: &'a DirectoryDocument,
}

impl Draw<'_> {
    /// Those who must acknowledge an event, in the order of the directory.
    fn required(&self, dispatch: &Dispatch) -> Vec<&RecipientId> {
        let owed = dispatch.recipients();
        let must = |id: &&RecipientId| owed.get(*id) == Some(&Requirement::Required);
        self.document.recipients.iter().map(|recipient| &recipient.id).filter(must).collect()
    }

    /// What the scenario says of one recipient and one event.
    fn part(&self, id: &RecipientId, event: EventNumber) -> Option<&Part> {
        let parts = || self.day.scenario.people.iter().filter(|part| part.recipients.contains(id));
        parts().find(|part| part.event == Some(event)).or_else(|| parts().find(|part| part.event.is_none()))
    }
}

/// The behaviour of everybody who must acknowledge something.
pub(crate) fn draw(who: &Draw<'_>, seed: u64) -> BTreeMap<RecipientId, Behaviour> {
    let mut lot = StdRng::seed_from_u64(seed);
    let lots = &who.day.scenario.lots;
    let asking: Vec<_> = who
        .day
        .course
        .asking()
        .enumerate()
        .map(|(nth, dispatch)| (dispatch, lots.get(nth).or(lots.last())))
        .collect();
    let silent: Vec<_> = asking
        .iter()
        .map(|(dispatch, rule)| rule.map(|rule| Silent::draw(who, dispatch, rule, &mut lot)))
        .collect();
    // Who never answers, never does.
    let never: BTreeSet<_> = silent.iter().flatten().flat_map(|silent| &silent.never).cloned().collect();
    let required: Vec<_> = asking.iter().map(|(dispatch, _)| who.required(dispatch)).collect();
    let mut drawn = BTreeMap::new();
    let everybody =
        who.document.recipients.iter().filter(|entry| required.iter().any(|all| all.contains(&&entry.id)));
    for (entry, number) in everybody.zip(1..) {
        let mut answers = BTreeMap::new();
        for (nth, (dispatch, rule)) in asking.iter().enumerate() {
            // Drawn whether it is used or not, so that one recipient's lot does not shift another's.
            let (prompt, called) = (lot.random_range(0.0..1.0_f64), lot.random_range(0.0..1.0_f64));
            if !required[nth].contains(&&entry.id) {
                continue;
            }
            let prompt = rule.map_or(SignedDuration::ZERO, |rule| {
                // Many at once, few late.
                let [soonest, latest] = rule.answer.map(|length| length.as_secs_f64());
                SignedDuration::from_secs_f64(soonest + (latest - soonest) * prompt * prompt)
            });
            let called = SignedDuration::from_secs_f64((CALLED.0 + CALLED.1 * called) * 60.0);
            let mailed = silent[nth].as_ref().and_then(|silent| silent.until(&entry.id));
            let answer = if let Some(Part { does, after, .. }) = who.part(&entry.id, dispatch.event) {
                match does {
                    Does::Answers => Answer::After(after.unwrap_or(prompt)),
                    Does::AnswersMail(contact) => Answer::AfterMail(contact.clone(), after.unwrap_or(called)),
                    Does::Nothing => Answer::Never,
                }
            } else if never.contains(&entry.id) {
                Answer::Never
            } else if let Some(contact) = mailed {
                Answer::AfterMail(contact.to_owned(), called)
            } else {
                Answer::After(prompt)
            };
            answers.insert(dispatch.event, answer);
        }
        drawn.insert(entry.id.clone(), Behaviour { person: person(&entry.kind, number), answers });
    }
    drawn
}

/// Who of those who are not named is silent at first about one event.
#[derive(Debug, Default)]
struct Silent {
    never: BTreeSet<RecipientId>,
    until: Vec<(String, BTreeSet<RecipientId>)>,
}

impl Silent {
    fn draw(who: &Draw<'_>, dispatch: &Dispatch, rule: &Lot, lot: &mut StdRng) -> Self {
        let required = who.required(dispatch);
        let all = required.len();
        let mut left: Vec<_> =
            required.into_iter().filter(|id| who.part(id, dispatch.event).is_none()).collect();
        let mut take = |count: usize| -> BTreeSet<RecipientId> {
            let mut taken = BTreeSet::new();
            while taken.len() < count && !left.is_empty() {
                taken.insert(left.swap_remove(lot.random_range(0..left.len())).clone());
            }
            taken
        };
        let never = take(rule.never.of(all));
        let mut until: Vec<(String, BTreeSet<RecipientId>)> = Vec::new();
        for step in dispatch.steps.iter().rev() {
            let share = rule.once_mailed.get(&step.contact);
            if let Some(share) = share.filter(|_| until.iter().all(|(contact, _)| *contact != step.contact)) {
                until.push((step.contact.clone(), take(share.of(all))));
            }
        }
        Self { never, until }
    }

    /// The contact that must be written to before somebody there answers.
    fn until(&self, id: &RecipientId) -> Option<&str> {
        self.until.iter().find(|(_, silent)| silent.contains(id)).map(|(contact, _)| contact.as_str())
    }
}

/// A made-up person: a role and a number.
fn person(kind: &str, number: usize) -> Person {
    let (name, role) = match kind {
        "regulator" | "ombudsman" => ("Incident officer", "incident duty officer"),
        "government" | "devolved-government" => ("Resilience officer", "resilience duty officer"),
        "coastguard" => ("Watch officer", "operations watch officer"),
        "operator" | "communications-provider" => ("Shift manager", "network operations shift manager"),
        _ => ("Supervisor", "control room supervisor"),
    };
    Person { name: format!("{name} {number} (invented)"), role: role.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::drill::{day::find, world::World};

    fn world(synthetic: usize) -> World {
        World::of(find("uk-2023").unwrap(), 180, synthetic).unwrap()
    }

    fn drawn(world: &World, seed: u64) -> BTreeMap<RecipientId, Behaviour> {
        draw(&Draw { day: &world.day, document: &world.document }, seed)
    }

    #[test]
    fn the_same_seed_draws_the_same_day() {
        let world = world(0);
        assert_eq!(drawn(&world, 7), drawn(&world, 7));
        assert_ne!(drawn(&world, 7), drawn(&world, 8));
    }

    #[test]
    fn some_are_silent_at_first_the_department_among_them_and_one_never_answers() {
        let event = |number| EventNumber::new(number).unwrap();
        for (seed, synthetic) in [(1, 0), (2, 0), (3, 300), (25, 0), (u64::MAX, 7)] {
            let world = world(synthetic);
            let drawn = drawn(&world, seed);
            let of = |id: &str, number| &drawn[&RecipientId::new(id).unwrap()].answers[&event(number)];
            assert!(matches!(of("dsit", 1), Answer::AfterMail(contact, _) if contact == "duty"));
            assert!(matches!((of("ofcom", 1), of("ofcom", 2)), (Answer::After(_), Answer::After(_))));
            for number in 1..=2 {
                let of = |wanted: fn(&Answer) -> bool| {
                    drawn.values().filter(|behaviour| wanted(&behaviour.answers[&event(number)])).count()
                };
                assert_eq!(of(|answer| *answer == Answer::Never), 1);
                assert!(of(|answer| matches!(answer, Answer::AfterMail(..))) >= 3);
                assert!(of(|answer| matches!(answer, Answer::After(_))) * 10 > drawn.len() * 8);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn whoever_is_prompt_is_well_in_time_and_whoever_is_called_answers_before_the_next_step(
            seed in any::<u64>(),
        ) {
            static WORLD: std::sync::LazyLock<World> = std::sync::LazyLock::new(|| world(0));
            for behaviour in drawn(&WORLD, seed).values() {
                for answer in behaviour.answers.values() {
                    let (delay, most) = match answer {
                        Answer::After(delay) => (delay, 12),
                        Answer::AfterMail(_, delay) => (delay, 8),
                        Answer::Never => continue,
                    };
                    prop_assert!(delay.is_positive() && *delay <= SignedDuration::from_mins(most));
                }
            }
        }
    }
}
