//! Who answers when: drawn by lot from the seed, within bounds of our own. It says nothing about any real body.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tocsin_protocol::{Person, RecipientId};

/// The department that was told last in 2023. It is silent at first whatever the seed says.
pub(crate) const SILENT_DEPARTMENT: &str = "dsit";
/// Never drawn as silent: the table compares when it was told.
const NEVER_SILENT: &str = "ofcom";

/// What a required recipient does about an event that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Acknowledges this long after the event, in time of day.
    After(SignedDuration),
    /// Acknowledges this long, in time of day, after the mail to this contact has arrived.
    AfterMail(Contacted, SignedDuration),
    /// Does not.
    Never,
}

/// Whom a mail goes to, by the words of the policy's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contacted {
    /// The first step's.
    Duty,
    /// The second step's.
    Senior,
}

impl Contacted {
    /// The word in the recipient's contacts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Duty => "duty",
            Self::Senior => "senior",
        }
    }
}

/// One recipient's person, and what they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behaviour {
    /// Who acknowledges there: a role with a number, nobody real.
    pub(crate) person: Person,
    /// What they do about each event that asks, in order.
    pub(crate) answers: Vec<Answer>,
}

/// The required recipients' behaviour. `required` is in the order of the directory: identifier and kind.
pub(crate) fn draw(
    required: &[(RecipientId, String)],
    asking: usize,
    seed: u64,
) -> BTreeMap<RecipientId, Behaviour> {
    let mut lot = StdRng::seed_from_u64(seed);
    let silent: Vec<Silent> = (0..asking).map(|nth| Silent::draw(required, nth == 0, &mut lot)).collect();
    // Who never answers, never does.
    let never = silent.first().map(|silent| silent.never.clone()).unwrap_or_default();
    required
        .iter()
        .enumerate()
        .map(|(at, (id, kind))| {
            let answers = silent
                .iter()
                .enumerate()
                .map(|(nth, silent)| {
                    // Drawn whether it is used or not, so that one recipient's lot does not shift another's.
                    let (prompt, called) = (lot.random_range(0.0..1.0_f64), lot.random_range(0.0..1.0_f64));
                    if never.contains(id) {
                        Answer::Never
                    } else if silent.until_senior.contains(id) {
                        Answer::AfterMail(Contacted::Senior, minutes(1.5 + 5.0 * called))
                    } else if silent.until_duty.contains(id) {
                        Answer::AfterMail(Contacted::Duty, minutes(1.5 + 8.0 * called))
                    } else {
                        // Many at once, few late; slower at the first word on a Sunday morning.
                        let (soonest, spread) = if nth == 0 { (1.0, 11.0) } else { (0.5, 9.0) };
                        Answer::After(minutes(soonest + spread * prompt * prompt))
                    }
                })
                .collect();
            (id.clone(), Behaviour { person: person(kind, at + 1), answers })
        })
        .collect()
}

/// Who is silent at first about one event.
#[derive(Debug, Default)]
struct Silent {
    never: BTreeSet<RecipientId>,
    until_senior: BTreeSet<RecipientId>,
    until_duty: BTreeSet<RecipientId>,
}

impl Silent {
    fn draw(required: &[(RecipientId, String)], first: bool, lot: &mut StdRng) -> Self {
        let mut left: Vec<&RecipientId> = required
            .iter()
            .map(|(id, _)| id)
            .filter(|id| ![SILENT_DEPARTMENT, NEVER_SILENT].contains(&id.as_str()))
            .collect();
        let mut take = |count: usize| -> BTreeSet<RecipientId> {
            let mut taken = BTreeSet::new();
            while taken.len() < count && !left.is_empty() {
                taken.insert(left.swap_remove(lot.random_range(0..left.len())).clone());
            }
            taken
        };
        let (never, until_senior) = if first { (take(1), take(2)) } else { (take(0), take(1)) };
        let share = if first { 14 } else { 40 };
        let mut until_duty = take((required.len() / share).max(2));
        if first {
            until_duty.extend(
                required.iter().map(|(id, _)| id).find(|id| id.as_str() == SILENT_DEPARTMENT).cloned(),
            );
        }
        Self { never, until_senior, until_duty }
    }
}

fn minutes(minutes: f64) -> SignedDuration {
    SignedDuration::from_secs_f64(minutes * 60.0)
}

/// A made-up person: a role and a number.
fn person(kind: &str, number: usize) -> Person {
    let (name, role) = match kind {
        "regulator" => ("Incident officer", "incident duty officer"),
        "government" | "devolved-government" => ("Resilience officer", "resilience duty officer"),
        "coastguard" => ("Watch officer", "operations watch officer"),
        _ => ("Supervisor", "control room supervisor"),
    };
    Person { name: format!("{name} {number} (invented)"), role: role.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn required(count: usize) -> Vec<(RecipientId, String)> {
        let forces = (0..count).map(|n| (RecipientId::new(&format!("r-{n}")).unwrap(), "fire".to_owned()));
        [("ofcom", "regulator"), ("dsit", "government")]
            .into_iter()
            .map(|(id, kind)| (RecipientId::new(id).unwrap(), kind.to_owned()))
            .chain(forces)
            .collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_day() {
        assert_eq!(draw(&required(100), 2, 7), draw(&required(100), 2, 7));
        assert_ne!(draw(&required(100), 2, 7), draw(&required(100), 2, 8));
    }

    proptest! {
        #[test]
        fn some_are_silent_at_first_the_department_among_them_and_one_never_answers(
            seed in any::<u64>(),
            count in 20usize..500,
        ) {
            let drawn = draw(&required(count), 2, seed);
            let is = |id: &str, nth: usize| drawn[&RecipientId::new(id).unwrap()].answers[nth];
            prop_assert!(matches!(is("dsit", 0), Answer::AfterMail(Contacted::Duty, _)));
            prop_assert!(matches!(is("ofcom", 0), Answer::After(_)));
            for nth in 0..2 {
                let of = |wanted: fn(&Answer) -> bool| {
                    drawn.values().filter(|behaviour| wanted(&behaviour.answers[nth])).count()
                };
                prop_assert_eq!(of(|answer| *answer == Answer::Never), 1);
                prop_assert!(of(|answer| matches!(answer, Answer::AfterMail(Contacted::Senior, _))) <= 2);
                prop_assert!(of(|answer| matches!(answer, Answer::AfterMail(Contacted::Duty, _))) >= 1);
                prop_assert!(of(|answer| matches!(answer, Answer::After(_))) * 10 > count * 7);
            }
        }

        #[test]
        fn whoever_is_prompt_is_well_in_time_and_whoever_is_called_answers_before_the_next_step(
            seed in any::<u64>(),
        ) {
            for behaviour in draw(&required(150), 2, seed).values() {
                for answer in &behaviour.answers {
                    let most = match answer {
                        Answer::After(delay) => (delay, 12),
                        Answer::AfterMail(Contacted::Duty, delay) => (delay, 10),
                        Answer::AfterMail(Contacted::Senior, delay) => (delay, 7),
                        Answer::Never => continue,
                    };
                    prop_assert!(most.0.is_positive() && *most.0 <= SignedDuration::from_mins(most.1));
                }
            }
        }
    }
}
