//! Writes attempts to the log: whatever is ready at once goes as one atomic batch, so that a thousand mails do not
//! cost two thousand disk flushes.

use std::{sync::Arc, time::Duration};

use tocsin_ledger::{Appended, Ledger};
use tocsin_protocol::NewFact;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// The most facts in one batch.
const BATCH: usize = 500;
/// The most batches under way: one is being flushed to disk while the next is made up.
const UNDER_WAY: usize = 2;
/// The first and the longest pause before a write that failed is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

struct Request {
    fact: NewFact,
    written: oneshot::Sender<Appended>,
}

/// The way to the log. Clones share it.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Request>, Ledger);

impl Writer {
    /// Starts it. It ends when its last clone is dropped.
    pub(crate) fn start(ledger: Ledger) -> Self {
        let (requests, queue) = mpsc::channel(BATCH);
        tokio::spawn(write(ledger.clone(), queue));
        Self(requests, ledger)
    }

    /// Writes a fact, however long it takes: a mail whose end is not written down would be sent again. `None` when
    /// the writer is gone.
    pub(crate) async fn write(&self, fact: NewFact) -> Option<Appended> {
        let (written, answer) = oneshot::channel();
        self.0.send(Request { fact, written }).await.ok()?;
        answer.await.ok()
    }

    /// Writes facts as one, however long it takes: all of them, or none where any stands already. Whether they stand there as
    /// they are given.
    pub(crate) async fn write_together(&self, facts: &[NewFact]) -> bool {
        let mut pause = PAUSES.0;
        loop {
            match self.1.append_together(facts).await {
                Ok(written) => return written,
                Err(why) => tell(facts.first(), &why),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Writes each of these facts that does not stand there, however long it takes. What became of each.
    pub(crate) async fn write_all(&self, facts: &[NewFact]) -> Vec<Appended> {
        let mut pause = PAUSES.0;
        loop {
            match self.1.append_all(facts, None).await {
                Ok(appended) => return appended,
                Err(why) => tell(facts.first(), &why),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

fn tell(fact: Option<&NewFact>, why: &tocsin_ledger::Error) {
    let Some(NewFact { subject, .. }) = fact else { return };
    tracing::error!(trace_id = subject.trace_id().map(display), incident = subject.incident().map(display), %subject, error = %why, "an attempt cannot be written to the log; trying again");
}

async fn write(ledger: Ledger, mut queue: mpsc::Receiver<Request>) {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let mut requests = Vec::with_capacity(BATCH);
        if queue.recv_many(&mut requests, BATCH).await == 0 {
            return;
        }
        let ledger = ledger.clone();
        tokio::spawn(async move {
            write_batch(&ledger, requests).await;
            drop(place);
        });
    }
}

async fn write_batch(ledger: &Ledger, requests: Vec<Request>) {
    let (facts, answers): (Vec<_>, Vec<_>) = requests.into_iter().map(|r| (r.fact, r.written)).unzip();
    match ledger.append_all(&facts, None).await {
        Ok(appended) => {
            for (answer, appended) in answers.into_iter().zip(appended) {
                // Who asked may have been given up meanwhile.
                let _ = answer.send(appended);
            }
        }
        Err(why) => {
            tracing::error!(error = %why, facts = facts.len(), "attempts cannot be written to the log; trying them one by one");
            // A fact that is refused for itself must not hold up the others.
            for (fact, written) in facts.into_iter().zip(answers) {
                tokio::spawn(insist(ledger.clone(), Request { fact, written }));
            }
            tokio::time::sleep(PAUSES.0).await;
        }
    }
}

/// Writes one fact, trying for as long as somebody waits for it.
async fn insist(ledger: Ledger, request: Request) {
    let mut pause = PAUSES.0;
    while !request.written.is_closed() {
        match ledger.append(&request.fact, None).await {
            Ok(appended) => {
                let _ = request.written.send(appended);
                return;
            }
            Err(why) => tell(Some(&request.fact), &why),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}
