//! What goes in one mail with the item that is worked off.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tocsin_protocol::Stream;
use tokio::sync::SemaphorePermit;

use crate::{
    attempt::Which,
    letter::Named,
    open::{Leave, Taken},
    post::{Case, Post},
    standing::Standing,
};

/// How many escalations are read at a time, by all mails together. Hundreds of digests become due at once, and a broker of
/// which ten thousand things are asked at a time answers none of them.
pub(crate) const READS_AT_A_TIME: usize = 64;

/// What is taken in hand. Dropped before it is begun, it is given back.
pub(crate) struct Hold<'a> {
    standing: &'a Standing,
    taken: Option<Taken>,
    turn: Option<SemaphorePermit<'a>>,
}

impl<'a> Hold<'a> {
    /// It is begun, which the log tells everybody. What is given is to be kept for as long as the mail is.
    pub(crate) fn begun(mut self) -> Option<SemaphorePermit<'a>> {
        if let Some(taken) = self.taken.take() {
            self.standing.lock().open.have_begun(&taken);
        }
        self.turn.take()
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.standing.lock().open.give_back(&taken);
        }
    }
}

impl Post {
    /// Whether its mail may go, as far as other mails to its address have a say; and whether nothing was begun for it, as
    /// far as is known here.
    pub(crate) fn leave(&self, case: &Case<'_>) -> (Leave, bool) {
        let Ok(escalation) = &case.letter.lead().escalation else { return (Leave::Go, false) };
        let known = self.standing.lock();
        let sequence = case.entry.sequence;
        (known.open.look(sequence, escalation), known.open.is_fresh(sequence, escalation))
    }

    /// Whether the lead of a digest has not come to its end.
    pub(crate) async fn goes_on(&self, lead: u64) -> Result<bool, tocsin_ledger::Error> {
        let Some(entry) = self.ledger.read(Stream::Log, lead).await? else { return Ok(false) };
        let Some(which) = Which::of(&entry.subject) else { return Ok(false) };
        Ok(!self.history(&which).await?.is_settled())
    }

    /// Takes an item in hand for which nothing was begun, with all that go along. None where it may not go after all.
    pub(crate) async fn take(&self, case: &mut Case<'_>) -> Result<Option<Hold<'_>>, tocsin_ledger::Error> {
        let Ok(escalation) = &case.letter.lead().escalation else { return Ok(None) };
        let taken = self.standing.lock().open.take(case.entry.sequence, escalation);
        let Ok(taken) = taken else { return Ok(None) };
        let sequences = taken.sequences.clone();
        let mut hold = Hold { standing: &self.standing, taken: Some(taken), turn: None };
        if sequences.len() > 1 {
            // Closed, the notifier is stopping.
            let Ok(turn) = self.digests.acquire().await else { return Ok(None) };
            hold.turn = Some(turn);
            let others = self.read(case.entry.sequence, &sequences).await?;
            let still_needed = |named: &Named| {
                named.escalation.as_ref().is_ok_and(|escalation| self.standing.no_need(escalation).is_none())
            };
            let others: Vec<_> = others.into_iter().filter(still_needed).collect();
            let go: BTreeSet<_> = others.iter().map(|named| named.sequence).collect();
            let stay: Vec<_> = sequences
                .into_iter()
                .filter(|other| *other != case.entry.sequence && !go.contains(other))
                .collect();
            if let Some(taken) = &mut hold.taken {
                self.standing.lock().open.leave_out(taken, &stay);
            }
            case.letter.gather(others);
        }
        Ok(Some(hold))
    }

    /// Makes a mail that was begun as a digest that digest again: of the same escalations, whatever became of them since.
    pub(crate) async fn gather_again(
        &self,
        case: &mut Case<'_>,
        sequences: &[u64],
    ) -> Result<(), tocsin_ledger::Error> {
        let others = self.read(case.entry.sequence, sequences).await?;
        case.letter.gather(others);
        Ok(())
    }

    async fn read(&self, lead: u64, sequences: &[u64]) -> Result<Vec<Named>, tocsin_ledger::Error> {
        let reads =
            sequences.iter().copied().filter(|sequence| *sequence != lead).map(|sequence| async move {
                // It is never closed.
                let _turn = self.reads.acquire().await;
                let entry = self.ledger.read(Stream::Log, sequence).await?;
                let named =
                    entry.and_then(|entry| Named::read(sequence, entry.time, &entry.subject, &entry.body));
                Ok::<_, tocsin_ledger::Error>(named.filter(|named| named.escalation.is_ok()))
            });
        let reads: Vec<_> = reads.collect();
        let read: Vec<Option<Named>> = stream::iter(reads).buffered(READS_AT_A_TIME).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }
}

/// How often items were put off though nothing failed: by how much their deliveries count too many.
#[derive(Default)]
pub(crate) struct PutOff(Mutex<HashMap<u64, u64>>);

impl PutOff {
    /// One more time.
    pub(crate) fn note(&self, sequence: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(sequence).or_default() += 1;
    }

    /// It has come to its end here.
    pub(crate) fn forget(&self, sequence: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&sequence);
    }

    /// So often.
    pub(crate) fn of(&self, sequence: u64) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&sequence).copied().unwrap_or_default()
    }
}
