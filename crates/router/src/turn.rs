//! One turn: everything that is owed now, appended.

use std::{future, time::Duration};

use tocsin_duty::Fold;
use tocsin_ledger::{Appended, Ledger, Progress};
use tokio::{sync::watch, time::Instant};

use crate::{
    append::{self, Outcome},
    aside::Aside,
    error::Error,
    gate::Gate,
    plan::{self, Judged, Kind},
    router::stopped,
    tell,
};

/// So many entries are folded at most before what they owe is written, even when their end is not reached: what a
/// flood owes stays bounded, and no dispatch waits for its end.
const MOST_AT_ONCE: usize = 2_000;

/// How long an append under way is waited for once the router is to stop.
const LAST_APPEND: Duration = Duration::from_secs(10);

/// What is owed is asked for, put in order, and appended.
pub(crate) struct Turn {
    ledger: Ledger,
    stopping: watch::Receiver<bool>,
    progress: Progress,
    aside: Aside,
    /// Whether a finding was left for the end of the streams.
    withheld: bool,
    /// Entries folded since the last turn.
    folded: usize,
    /// The last sequence of the log that an append wrote or met. Until it is folded, what was written looks owed; and
    /// what was met, a `due` perhaps, was taken in before everything said by its time.
    met: u64,
}

impl Turn {
    pub(crate) fn new(ledger: Ledger, stopping: watch::Receiver<bool>, progress: Progress) -> Self {
        Self { ledger, stopping, progress, aside: Aside::default(), withheld: false, folded: 0, met: 0 }
    }

    /// So many more entries were folded.
    pub(crate) fn folded(&mut self, entries: usize) {
        self.folded += entries;
    }

    /// Whether it is time to look at what is owed. `at_end` as the ledger reports it: of every entry of the log folded so
    /// far, everything that had been said by then is folded too.
    pub(crate) fn is_due(&self, fold: &Fold, at_end: bool) -> bool {
        let news = self.folded > 0 || self.withheld;
        let enough = if at_end { news } else { self.folded >= MOST_AT_ONCE };
        enough && self.is_settled(fold)
    }

    /// Whether all that was written or met is folded.
    pub(crate) fn is_settled(&self, fold: &Fold) -> bool {
        fold.log_through() >= self.met
    }

    /// Ready when something set aside is to be tried again. Away from the end of the streams there are turns enough.
    pub(crate) fn again(&self, fold: &Fold, at_end: bool) -> impl Future<Output = ()> + use<> {
        let again = self.aside.again().filter(|_| at_end && self.is_settled(fold));
        async move {
            match again {
                Some(again) => tokio::time::sleep_until(again).await,
                None => future::pending().await,
            }
        }
    }

    /// Appends what is owed; findings only `at_end`, as they tell who had said nothing.
    pub(crate) async fn take(&mut self, fold: &mut Fold, gate: &mut Gate, at_end: bool) -> Result<(), Error> {
        self.folded = 0;
        let mut parts = plan::parts(fold.follows());
        let mut judged = Judged::new(fold.said_through(), &parts);
        gate.sift(&mut parts);
        self.aside.sift(&mut parts, Instant::now());
        self.withheld = !at_end && parts.iter().any(|part| part.kind == Kind::Finding);
        parts.retain(|part| at_end || part.kind != Kind::Finding);
        let mut refused = 0;
        for part in parts {
            if *self.stopping.borrow() {
                break;
            }
            let outcomes = {
                let append = append::append(&self.ledger, &part, &mut judged);
                tokio::pin!(append);
                tokio::select! {
                    outcomes = &mut append => outcomes,
                    () = stopped(&mut self.stopping) => {
                        let Ok(outcomes) = tokio::time::timeout(LAST_APPEND, append).await else {
                            tracing::warn!("the append under way was given up: the next router completes it");
                            break;
                        };
                        outcomes
                    }
                }
            };
            self.progress.turned();
            let mut told = tell::Told::of(&part);
            for (fact, outcome) in part.facts.iter().zip(outcomes.map_err(|source| Error::Append { source })?)
            {
                match outcome {
                    Outcome::Stands(Appended::Written(sequence)) => {
                        self.met = self.met.max(sequence);
                        self.aside.written(&fact.subject);
                        told.written += 1;
                    }
                    Outcome::Stands(Appended::Already(entry)) => {
                        self.met = self.met.max(entry.sequence);
                        fold.settle(&entry);
                        self.aside.answered(&fact.subject);
                    }
                    Outcome::Cannot(why) => {
                        let pause = self.aside.failed(&fact.subject, Instant::now());
                        tracing::error!(
                            trace_id = fact.subject.trace_id().map(tracing::field::display),
                            incident = fact.subject.incident().map(tracing::field::display),
                            subject = %fact.subject,
                            error = %why,
                            "a fact that is owed cannot be written; everything else goes on, and it is tried again in {pause:?}"
                        );
                    }
                    // Told with the one that it belongs to, and owed again.
                    Outcome::Withheld => {}
                }
            }
            told.tell(&part, &mut refused);
        }
        Ok(())
    }
}
