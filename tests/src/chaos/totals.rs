//! What all runs together did and found.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    checker::{Finding, Promise},
    run::{Outcome, print},
};

/// What is told first, in this order.
const FIRST: [&str; 7] =
    ["incidents", "faults", "kills", "notices", "escalations", "mails accepted", "promises checked"];

/// After how many runs one after the other that did nothing there is none any more: the machine lacks something.
const IN_VAIN: u64 = 3;

/// The sums over all runs, and which of them did not end well.
pub(super) struct Totals {
    began: Instant,
    runs: u64,
    /// How many of the last, one after the other, did not come to their end.
    in_vain: u64,
    counts: BTreeMap<String, u64>,
    /// By the seed of each run: how often which promise was broken.
    broken: Vec<(u64, BTreeMap<Promise, usize>)>,
    /// By the seed of each run that did not come to its end: why.
    failed: Vec<(u64, String)>,
    /// By the seed of each world that did not start: why.
    unstarted: Vec<(u64, String)>,
}

impl Totals {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            runs: 0,
            in_vain: 0,
            counts: BTreeMap::new(),
            broken: Vec::new(),
            failed: Vec::new(),
            unstarted: Vec::new(),
        }
    }

    /// How long it has been going on.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How many runs there were.
    pub(super) fn runs(&self) -> u64 {
        self.runs
    }

    /// Whether one more would be as much in vain as the last ones.
    pub(super) fn is_hopeless(&self) -> bool {
        self.in_vain >= IN_VAIN
    }

    /// A run came to its end.
    pub(super) fn ran(&mut self, seed: u64, outcome: &Outcome) {
        self.runs += 1;
        self.in_vain = 0;
        for (what, many) in &outcome.counts {
            *self.counts.entry(what.clone()).or_default() += many;
        }
        let mut broken: BTreeMap<Promise, usize> = BTreeMap::new();
        for Finding { promise, .. } in &outcome.findings {
            *broken.entry(*promise).or_default() += 1;
        }
        if !broken.is_empty() {
            self.broken.push((seed, broken));
        }
    }

    /// A run did not come to its end, which is the suite's own fault.
    pub(super) fn failed(&mut self, seed: u64, why: String) {
        self.runs += 1;
        self.in_vain += 1;
        self.failed.push((seed, why));
    }

    /// The world of a run did not start, so that nothing was done in it.
    pub(super) fn unstarted(&mut self, seed: u64, why: String) {
        self.runs += 1;
        self.in_vain += 1;
        self.unstarted.push((seed, why));
    }

    /// The sums so far, in a line.
    pub(super) fn line(&self) -> String {
        let so_far =
            FIRST.map(|what| format!("{what} {}", self.counts.get(what).copied().unwrap_or_default()));
        format!(
            "after {:.0} s: runs {}, {}, runs that broke a promise {}, runs that failed {}, worlds that did not start {}",
            self.elapsed().as_secs_f64(),
            self.runs,
            so_far.join(", "),
            self.broken.len(),
            self.failed.len(),
            self.unstarted.len()
        )
    }

    /// Prints everything.
    pub(super) fn print(&self) {
        println!("\nall runs, {}", self.line());
        print(&self.counts);
        for (seed, broken) in &self.broken {
            let broken: Vec<String> =
                broken.iter().map(|(promise, often)| format!("{promise:?} {often}")).collect();
            println!("  seed {seed} broke {}", broken.join(", "));
        }
        for (seed, why) in &self.failed {
            println!("  seed {seed} came to no end: {why}");
        }
        for (seed, why) in &self.unstarted {
            println!("  seed {seed} had no world: {}", why.lines().next().unwrap_or_default());
        }
    }

    /// How it went. One world that did not start among others that did is told, and forgiven: what the hour found, it
    /// found all the same.
    ///
    /// # Errors
    /// What did not go well, in words.
    pub(super) fn verdict(&self) -> Result<(), String> {
        let seeds = |all: &[(u64, String)]| all.iter().map(|(seed, _)| *seed).collect::<Vec<_>>();
        let mut wrong = Vec::new();
        if !self.broken.is_empty() {
            let broken: Vec<u64> = self.broken.iter().map(|(seed, _)| *seed).collect();
            wrong.push(format!("promises were broken by the seeds {broken:?}"));
        }
        if !self.failed.is_empty() {
            wrong.push(format!("the suite itself failed at the seeds {:?}", seeds(&self.failed)));
        }
        let unstarted = self.unstarted.len();
        if unstarted > 1 || unstarted as u64 == self.runs {
            wrong.push(format!("no world started for the seeds {:?}", seeds(&self.unstarted)));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(promise: Promise) -> Outcome {
        let finding = Finding { promise, unfinished: false, what: "something".to_owned() };
        Outcome { findings: vec![finding], ..Outcome::default() }
    }

    #[test]
    fn one_world_that_did_not_start_is_forgiven_and_nothing_else_is() {
        let whole = Outcome::default();
        let why = || "because".to_owned();
        let mut one = Totals::new();
        one.ran(1, &whole);
        one.unstarted(2, why());
        assert_eq!(one.verdict(), Ok(()));
        one.unstarted(3, why());
        assert!(one.verdict().unwrap_err().contains("[2, 3]"));
        one.failed(4, why());
        assert!(one.is_hopeless());
        one.ran(5, &whole);
        assert!(!one.is_hopeless());

        let mut none = Totals::new();
        assert!(none.verdict().is_err(), "nothing was done");
        none.unstarted(4, why());
        assert!(none.verdict().unwrap_err().contains("[4]"));

        let mut broke = Totals::new();
        broke.ran(5, &whole);
        broke.ran(6, &broken(Promise::Once));
        assert!(broke.verdict().unwrap_err().contains("broken by the seeds [6]"));

        let mut failed = Totals::new();
        failed.ran(7, &whole);
        failed.failed(8, why());
        assert!(failed.verdict().unwrap_err().contains("failed at the seeds [8]"));
    }

    #[test]
    fn the_sums_are_over_all_runs() {
        let of = |many: u64| Outcome { counts: [("kills".to_owned(), many)].into(), ..Outcome::default() };
        let mut totals = Totals::new();
        totals.ran(1, &of(3));
        totals.ran(2, &of(4));
        assert!(totals.line().contains("runs 2, incidents 0, faults 0, kills 7,"), "{}", totals.line());
    }
}
