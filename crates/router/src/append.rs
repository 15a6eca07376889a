//! Appending one part of what is owed. Where the whole is refused for good, as much of it as can be is written.

use tocsin_ledger::{Appended, Error, Ledger};
use tocsin_protocol::{NewFact, Subject};

use crate::plan::{Judged, Part};

/// What became of one fact.
pub(crate) enum Outcome {
    /// It stands in the log.
    Stands(Appended),
    /// The broker refuses it, and will if it is tried again at once.
    Cannot(Error),
    /// Not tried, because the record that it belongs to cannot be written.
    Withheld,
}

/// Appends a part, and gives the outcome of each fact.
///
/// # Errors
/// Only what no other fact could overcome either: the ledger is gone.
pub(crate) async fn append(ledger: &Ledger, part: &Part, judged: &mut Judged) -> Result<Vec<Outcome>, Error> {
    match append_all(ledger, &part.facts, judged).await {
        Ok(appended) => Ok(appended.into_iter().map(Outcome::Stands).collect()),
        Err(error) if is_end(&error) => Err(error),
        Err(error) if part.facts.len() == 1 => Ok(vec![Outcome::Cannot(error)]),
        Err(error) => {
            tracing::warn!(
                facts = part.facts.len(),
                error = %error,
                "what belongs together cannot be written together; as much of it as can be is written"
            );
            apart(ledger, &part.facts, judged).await
        }
    }
}

/// Writes the facts one by one. The record of a dispatch and its windows stay together and go first: a notice without
/// them would promise a window that nobody closes. So do a finding and the window that it makes due.
async fn apart(ledger: &Ledger, facts: &[NewFact], judged: &mut Judged) -> Result<Vec<Outcome>, Error> {
    let leads = |fact: &&NewFact| matches!(fact.subject, Subject::Dispatch { .. } | Subject::Window { .. });
    let head = match facts {
        [finding, again, ..]
            if matches!(finding.subject, Subject::Finding { .. }) && again.schedule.is_some() =>
        {
            2
        }
        facts => facts.iter().take_while(leads).count(),
    };
    let (head, rest) = facts.split_at(head);
    let mut outcomes = Vec::with_capacity(facts.len());
    if !head.is_empty() {
        match append_all(ledger, head, judged).await {
            Ok(appended) => outcomes.extend(appended.into_iter().map(Outcome::Stands)),
            Err(error) if is_end(&error) => return Err(error),
            Err(error) => {
                outcomes.push(Outcome::Cannot(error));
                outcomes.resize_with(facts.len(), || Outcome::Withheld);
                return Ok(outcomes);
            }
        }
    }
    for fact in rest {
        match append_all(ledger, std::slice::from_ref(fact), judged).await {
            Ok(appended) => outcomes.extend(appended.into_iter().map(Outcome::Stands)),
            Err(error) if is_end(&error) => return Err(error),
            Err(error) => outcomes.push(Outcome::Cannot(error)),
        }
    }
    Ok(outcomes)
}

async fn append_all(ledger: &Ledger, facts: &[NewFact], judged: &mut Judged) -> Result<Vec<Appended>, Error> {
    let appended = ledger.append_all(facts, judged.stamp(facts)).await?;
    judged.written(facts);
    Ok(appended)
}

/// Whether nothing can be written any more, whatever it is.
pub(crate) fn is_end(error: &Error) -> bool {
    matches!(error, Error::Closed { .. } | Error::NoStream { .. } | Error::NoJetStream { .. })
}
