//! Facts set aside because they cannot be written, so that the rest goes on and nothing spins.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tocsin_protocol::{NewFact, Subject};
use tokio::time::Instant;

use crate::plan::{Kind, Part};

/// The pause after the first failure, and the longest. An administrator may mend what is in the way meanwhile.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The facts that cannot be written, for now or at all.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    failed: BTreeMap<Subject, Failed>,
    /// Found standing when they were to be written, and taken into the fold since. What is owed even so stands in the
    /// log in a form that the fold does not take, and always will.
    answered: BTreeSet<Subject>,
    /// Of these, those told.
    foreign: BTreeSet<Subject>,
}

#[derive(Debug)]
struct Failed {
    tries: u32,
    again: Instant,
}

impl Aside {
    /// Takes out of what is owed what is not to be tried now. A dispatch is whole or not at all, so its record takes
    /// its windows and notices with it.
    pub(crate) fn sift(&mut self, parts: &mut Vec<Part>, now: Instant) {
        let owed: BTreeSet<&Subject> =
            parts.iter().flat_map(|part| &part.facts).map(|fact| &fact.subject).collect();
        self.failed.retain(|subject, _| owed.contains(subject));
        self.foreign.retain(|subject| owed.contains(subject));
        self.answered.retain(|subject| owed.contains(subject));
        for subject in std::mem::take(&mut self.answered) {
            tracing::error!(
                trace_id = subject.trace_id().map(tracing::field::display),
                incident = subject.incident().map(tracing::field::display),
                %subject,
                "this stands in the log, but not as a router writes it: what it was to say cannot be written. Somebody else has written to TOCSIN_LOG: have it audited, and change the service keys"
            );
            self.foreign.insert(subject);
        }
        for part in parts.iter_mut() {
            let waits = |fact: &NewFact| self.waits(&fact.subject, now);
            if part.kind == Kind::Dispatch && part.facts.first().is_some_and(waits) {
                part.facts.clear();
            }
            part.facts.retain(|fact| !waits(fact));
        }
        parts.retain(|part| !part.facts.is_empty());
    }

    fn waits(&self, subject: &Subject, now: Instant) -> bool {
        self.foreign.contains(subject) || self.failed.get(subject).is_some_and(|failed| failed.again > now)
    }

    /// This was found standing, and the fold has taken what stands.
    pub(crate) fn answered(&mut self, subject: &Subject) {
        self.failed.remove(subject);
        self.answered.insert(subject.clone());
    }

    /// This was written.
    pub(crate) fn written(&mut self, subject: &Subject) {
        self.failed.remove(subject);
    }

    /// This could not be written; gives the pause until it is tried again.
    pub(crate) fn failed(&mut self, subject: &Subject, now: Instant) -> Duration {
        let failed = self.failed.entry(subject.clone()).or_insert(Failed { tries: 0, again: now });
        let pause = (PAUSE.0 * 2_u32.pow(failed.tries.min(6))).min(PAUSE.1);
        failed.tries += 1;
        failed.again = now + pause;
        pause
    }

    /// When the next of them is to be tried again.
    pub(crate) fn again(&self) -> Option<Instant> {
        self.failed.values().map(|failed| failed.again).min()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn part(kind: Kind, subjects: &[&str]) -> Part {
        let fact = |subject: &&str| NewFact {
            subject: subject.parse().unwrap(),
            body: Bytes::new(),
            schedule: None,
        };
        Part { facts: subjects.iter().map(fact).collect(), kind }
    }

    fn left(aside: &mut Aside, parts: &[(Kind, &[&str])], now: Instant) -> Vec<String> {
        let mut parts: Vec<_> = parts.iter().map(|(kind, subjects)| part(*kind, subjects)).collect();
        aside.sift(&mut parts, now);
        parts.iter().flat_map(|part| &part.facts).map(|fact| fact.subject.to_string()).collect()
    }

    const DISPATCH: (Kind, &[&str]) =
        (Kind::Dispatch, &["tocsin.dispatch.bt.x.1", "tocsin.window.x.1.1", "tocsin.notice.a.x.1"]);
    const REFUSALS: (Kind, &[&str]) = (Kind::Refusals, &["tocsin.refusal.bt.1", "tocsin.refusal.bt.2"]);

    #[test]
    fn a_dispatch_that_cannot_be_written_waits_whole_and_the_rest_goes_on() {
        let (mut aside, now) = (Aside::default(), Instant::now());
        aside.failed(&"tocsin.dispatch.bt.x.1".parse().unwrap(), now);
        assert_eq!(left(&mut aside, &[DISPATCH, REFUSALS], now), REFUSALS.1);
        let again = aside.again().unwrap();
        assert_eq!(left(&mut aside, &[DISPATCH], again), DISPATCH.1);
    }

    #[test]
    fn one_fact_that_cannot_be_written_holds_up_no_other_of_its_append() {
        let (mut aside, now) = (Aside::default(), Instant::now());
        aside.failed(&"tocsin.refusal.bt.1".parse().unwrap(), now);
        assert_eq!(left(&mut aside, &[REFUSALS], now), ["tocsin.refusal.bt.2"]);
    }

    #[test]
    fn what_stands_and_is_owed_even_so_is_never_tried_again() {
        let (mut aside, now) = (Aside::default(), Instant::now());
        aside.answered(&"tocsin.refusal.bt.1".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(left(&mut aside, &[REFUSALS], now), ["tocsin.refusal.bt.2"]);
        }
        assert_eq!(aside.again(), None);
    }

    #[test]
    fn the_pause_grows_to_a_minute_and_is_forgotten_with_what_is_owed() {
        let (mut aside, now) = (Aside::default(), Instant::now());
        let subject = "tocsin.refusal.bt.1".parse().unwrap();
        let pauses: Vec<_> = (0..9).map(|_| aside.failed(&subject, now).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        left(&mut aside, &[], now);
        assert_eq!(aside.again(), None);
    }
}
