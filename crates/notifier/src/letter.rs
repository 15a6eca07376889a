//! What goes in one mail: the escalation that is worked off, or a digest of several of which that one is the lead.

use tocsin_ledger::Item;
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Digest, Escalation, NewFact, Outcome, Timestamp, from_body,
    to_body,
};

use crate::attempt::Which;

/// One escalation that a mail names.
pub(crate) struct Named {
    /// Its sequence in the log.
    pub(crate) sequence: u64,
    /// The broker's time of it.
    pub(crate) at: Timestamp,
    /// Which, by its subject.
    pub(crate) which: Which,
    /// What it says, or why no mail can come of it.
    pub(crate) escalation: Result<Escalation, String>,
}

impl Named {
    /// Reads an entry of the log. None where its subject is no escalation.
    pub(crate) fn read(sequence: u64, at: Timestamp, subject: &str, body: &[u8]) -> Option<Self> {
        let which = Which::of(subject)?;
        let escalation = match from_body::<Escalation>("escalation", body) {
            Ok(escalation) if which.is(&escalation) => Ok(escalation),
            Ok(_) => Err("the escalation's body speaks of another one than its subject".to_owned()),
            Err(why) => Err(why.to_string()),
        };
        Some(Self { sequence, at, which, escalation })
    }

    /// Reads a piece of work.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let entry = &item.entry;
        Self::read(entry.sequence, entry.time, &entry.subject, &entry.body)
    }
}

/// A mail to be: the lead, and whatever else it names.
pub(crate) struct Letter {
    lead: Named,
    others: Vec<Named>,
    /// The sequences of all that a digest names, also of those that cannot be read any more.
    digest: Option<Digest>,
}

impl Letter {
    pub(crate) fn alone(lead: Named) -> Self {
        Self { lead, others: Vec::new(), digest: None }
    }

    /// Makes it a digest of these too. The same ones give the same mail.
    pub(crate) fn gather(&mut self, others: Vec<Named>) {
        self.others = others;
        let escalations: Vec<_> = self.named().iter().map(|named| named.sequence).collect();
        let of = u32::try_from(escalations.len()).unwrap_or(u32::MAX);
        self.digest = (of > 1).then_some(Digest { lead: self.lead.sequence, of, escalations });
    }

    pub(crate) fn lead(&self) -> &Named {
        &self.lead
    }

    pub(crate) fn is_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// All that it names, in the order in which they were owed.
    pub(crate) fn named(&self) -> Vec<&Named> {
        let mut all: Vec<_> = self.others.iter().chain([&self.lead]).collect();
        all.sort_unstable_by_key(|named| named.sequence);
        all
    }

    /// The facts that an attempt begins, the lead's first.
    pub(crate) fn begun(&self, attempt: u32, begun: &AttemptBegun) -> Vec<NewFact> {
        let of = |named: &Named, digest| {
            fact(&named.which, attempt, AttemptPhase::Begun, &AttemptBegun { digest, ..begun.clone() })
        };
        let shorter = self.digest.clone().map(|digest| Digest { escalations: Vec::new(), ..digest });
        let others = self.others.iter().map(|named| of(named, shorter.clone()));
        std::iter::once(of(&self.lead, self.digest.clone())).chain(others).flatten().collect()
    }

    /// The facts that it has ended, the lead's first. Each that was stood down has a reason of its own.
    pub(crate) fn ended(
        &self,
        attempt: u32,
        ended: &AttemptEnded,
        no_need: impl Fn(&Escalation) -> Option<String>,
    ) -> Vec<NewFact> {
        let of = |named: &Named| {
            let own = named.escalation.as_ref().ok().filter(|_| ended.outcome == Outcome::StoodDown);
            let reply = own.and_then(&no_need).unwrap_or_else(|| ended.reply.clone());
            fact(&named.which, attempt, AttemptPhase::Ended, &AttemptEnded { reply, ..ended.clone() })
        };
        std::iter::once(&self.lead).chain(&self.others).filter_map(of).collect()
    }
}

fn fact<T: serde::Serialize>(which: &Which, attempt: u32, phase: AttemptPhase, body: &T) -> Option<NewFact> {
    // A record of strings and numbers always has a JSON form.
    let body = to_body("attempt", body).ok()?;
    Some(NewFact { subject: which.attempt(attempt, phase), body, schedule: None })
}
