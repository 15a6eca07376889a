//! Appending facts of ours to `TOCSIN_LOG`, each once.

use async_nats::HeaderMap;
use futures_util::{StreamExt, TryStreamExt, stream};
use tocsin_protocol::{Entry, NewFact, Signed, Stream};

use crate::{
    Appended, Error,
    api::PubAck,
    batch::{BATCH_MOST, BatchPublish},
    patience::Patience,
    read::Wanted,
    shared::{NoAnswer, Shared},
    wire::{EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, alone_on, fact_headers, signed_headers, whole_attempt},
};

/// How many facts are looked up at a time, to see which of a batch exist.
const LOOKS_AT_A_TIME: usize = 64;

/// What became of a whole batch.
enum Batch {
    /// All of it was written; this is the first sequence.
    Written(u64),
    /// Some of it exists, so none of it was written.
    SomeExist(String),
}

impl Shared {
    /// Appends one fact.
    pub(crate) async fn append(&self, fact: &NewFact, said_through: Option<u64>) -> Result<Appended, Error> {
        check(fact)?;
        let mut patience = self.patience();
        if fact.schedule.is_some() {
            return self.arm(fact, said_through, &mut patience).await;
        }
        let headers = fact_headers(fact, said_through);
        self.write(fact, &headers, alone_on(&fact.subject), &mut patience).await
    }

    /// Appends one fact with its author's signature.
    pub(crate) async fn append_signed(&self, fact: &NewFact, signed: &Signed) -> Result<Appended, Error> {
        check(fact)?;
        let headers = signed_headers(&fact.subject, signed, 0);
        self.write(fact, &headers, None, &mut self.patience()).await
    }

    /// Appends the end of an attempt that nobody has begun, if nobody has.
    pub(crate) async fn append_unbegun(&self, fact: &NewFact) -> Result<Appended, Error> {
        check(fact)?;
        let mut headers = fact_headers(fact, None);
        let subjects = whole_attempt(&fact.subject);
        if let Some(subjects) = &subjects {
            headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, subjects.as_str());
        }
        self.write(fact, &headers, subjects, &mut self.patience()).await
    }

    /// Writes a fact under the condition in its headers: that nothing stands on its subject, or on these.
    async fn write(
        &self,
        fact: &NewFact,
        headers: &HeaderMap,
        alone_on: Option<String>,
        patience: &mut Patience,
    ) -> Result<Appended, Error> {
        let subject = fact.subject.to_string();
        let attempted = format!("appending {subject}");
        let taken = alone_on.as_deref().unwrap_or(&subject);
        loop {
            match self.store(&attempted, &subject, headers, &fact.body, patience).await? {
                Ok(ack) => return Ok(Appended::Written(ack.seq)),
                Err(error) if error.is_taken() => {
                    // Its own, where there is one: it may be what an earlier try wrote.
                    let own = self.last(&subject, patience).await?;
                    let entry = if own.is_none() { self.last(taken, patience).await? } else { own };
                    if let Some(entry) = entry {
                        return Ok(Appended::Already(entry));
                    }
                    // The replicas are still agreeing on the write that stands before ours.
                    patience.pause(&attempted, &error.description).await?;
                }
                Err(error) => return Err(error.told(&attempted, Stream::Log, self)),
            }
        }
    }

    /// Arms a window by itself. As it fires, the broker writes its target and deletes it, so that its own subject is
    /// free again: what must not exist is therefore the target. A window armed twice at once replaces itself.
    async fn arm(
        &self,
        fact: &NewFact,
        said_through: Option<u64>,
        patience: &mut Patience,
    ) -> Result<Appended, Error> {
        let subject = fact.subject.to_string();
        let attempted = format!("arming {subject}");
        let mut headers = fact_headers(fact, said_through);
        if let Some(schedule) = &fact.schedule {
            headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, schedule.target.to_string());
        }
        loop {
            if let Some(entry) = self.existing(fact, patience).await? {
                return Ok(Appended::Already(entry));
            }
            match self.store(&attempted, &subject, &headers, &fact.body, patience).await? {
                Ok(ack) => return Ok(Appended::Written(ack.seq)),
                Err(error) if error.is_taken() => patience.pause(&attempted, &error.description).await?,
                Err(error) => return Err(error.told(&attempted, Stream::Log, self)),
            }
        }
    }

    /// What stands for this fact or in its way: itself, or for a window that has closed, its target, or for an attempt to
    /// be begun, its end.
    async fn existing(&self, fact: &NewFact, patience: &mut Patience) -> Result<Option<Entry>, Error> {
        if let Some(entry) = self.last(&fact.subject.to_string(), patience).await? {
            return Ok(Some(entry));
        }
        if let Some(subjects) = alone_on(&fact.subject) {
            return self.last(&subjects, patience).await;
        }
        match &fact.schedule {
            Some(schedule) => self.last(&schedule.target.to_string(), patience).await,
            None => Ok(None),
        }
    }

    async fn look_up(&self, fact: &NewFact) -> Result<Option<Entry>, Error> {
        self.existing(fact, &mut self.patience()).await
    }

    async fn last(&self, subject: &str, patience: &mut Patience) -> Result<Option<Entry>, Error> {
        let stored = self.leader_read(Stream::Log, Wanted::Last { last_by_subj: subject }, patience).await?;
        Ok(stored.map(|stored| stored.into_entry(Stream::Log)))
    }

    /// Appends all facts: in atomic batches of at most a thousand, in order. Where some of a batch exist, the missing
    /// ones are written.
    pub(crate) async fn append_all(
        &self,
        facts: &[NewFact],
        said_through: Option<u64>,
    ) -> Result<Vec<Appended>, Error> {
        facts.iter().try_for_each(check)?;
        let mut appended = Vec::with_capacity(facts.len());
        for facts in facts.chunks(BATCH_MOST) {
            if let [fact] = facts {
                appended.push(self.append(fact, said_through).await?);
                continue;
            }
            match self.append_batch(&facts.iter().collect::<Vec<_>>(), said_through).await? {
                Batch::Written(first) => appended.extend((first..).take(facts.len()).map(Appended::Written)),
                Batch::SomeExist(_) => appended.extend(self.complete(facts, said_through).await?),
            }
        }
        Ok(appended)
    }

    /// Appends facts as one: all of them, or none where any stands already. False then, unless what stands is what we wrote
    /// ourselves, by a write whose acknowledgement was lost.
    pub(crate) async fn append_together(&self, facts: &[NewFact]) -> Result<bool, Error> {
        facts.iter().try_for_each(check)?;
        let Some(first) = facts.first() else { return Ok(true) };
        if facts.len() == 1 {
            return Ok(match self.append(first, None).await? {
                Appended::Written(_) => true,
                Appended::Already(entry) => entry.body == first.body,
            });
        }
        match self.append_batch(&facts.iter().collect::<Vec<_>>(), None).await? {
            Batch::Written(_) => Ok(true),
            Batch::SomeExist(_) => {
                // They stand together, so the first tells of all.
                Ok(self.look_up(first).await?.is_some_and(|entry| entry.body == first.body))
            }
        }
    }

    /// Writes those of these facts that do not exist, as one batch if none other writes them meanwhile.
    async fn complete(&self, facts: &[NewFact], said_through: Option<u64>) -> Result<Vec<Appended>, Error> {
        let mut patience = self.patience();
        loop {
            let looks: Vec<_> = facts.iter().map(|fact| self.look_up(fact)).collect();
            let found: Vec<Option<Entry>> =
                stream::iter(looks).buffered(LOOKS_AT_A_TIME).try_collect().await?;
            let missing: Vec<&NewFact> =
                facts.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(fact, _)| fact).collect();
            let first = match missing.as_slice() {
                [] => 0,
                // A window whose target has just been found missing may fire this moment; alone, it is armed safely.
                [fact] => match self.append(fact, said_through).await? {
                    Appended::Written(sequence) => sequence,
                    Appended::Already(_) => continue,
                },
                missing => match self.append_batch(missing, said_through).await? {
                    Batch::Written(first) => first,
                    Batch::SomeExist(why) => {
                        patience.pause("completing a batch of facts", &why).await?;
                        continue;
                    }
                },
            };
            let mut written = first..;
            return Ok(found
                .into_iter()
                .map(|found| match found {
                    Some(entry) => Appended::Already(entry),
                    None => Appended::Written(written.next().unwrap_or_default()),
                })
                .collect());
        }
    }

    /// Writes one atomic batch, until it is known to be stored whole or to be refused.
    async fn append_batch(&self, facts: &[&NewFact], said_through: Option<u64>) -> Result<Batch, Error> {
        let attempted = match facts {
            [first, ..] => format!("appending {} and {} more", first.subject, facts.len() - 1),
            [] => return Ok(Batch::Written(0)),
        };
        let mut patience = self.patience();
        loop {
            let why = match self.try_batch(facts, said_through, &patience).await {
                Ok(Ok(ack)) => {
                    let count = ack.count.unwrap_or(facts.len() as u64);
                    return Ok(Batch::Written((ack.seq + 1).saturating_sub(count)));
                }
                Ok(Err(error)) if error.is_taken() => return Ok(Batch::SomeExist(error.description)),
                Ok(Err(error)) if error.is_passing() => error.description,
                Ok(Err(error)) => return Err(error.told(&attempted, Stream::Log, self)),
                Err(NoAnswer::Never(error)) => return Err(error),
                Err(NoAnswer::Lost(why)) => why,
                Err(NoAnswer::NobodyThere) => "no stream answers there".to_owned(),
            };
            patience.pause(&attempted, &why).await?;
        }
    }

    async fn try_batch(
        &self,
        facts: &[&NewFact],
        said_through: Option<u64>,
        patience: &Patience,
    ) -> Result<Result<PubAck, crate::api::ApiError>, NoAnswer> {
        let mut batch = BatchPublish::new(self);
        let Some((last, facts)) = facts.split_last() else {
            return Ok(Ok(PubAck { seq: 0, count: Some(0) }));
        };
        for fact in facts {
            let headers = fact_headers(fact, said_through);
            batch
                .add_message(fact.subject.to_string(), headers, fact.body.clone())
                .await
                .map_err(NoAnswer::Never)?;
        }
        let headers = fact_headers(last, said_through);
        batch.commit_message(&last.subject.to_string(), headers, last.body.clone(), patience).await
    }
}

fn check(fact: &NewFact) -> Result<(), Error> {
    if fact.subject.stream() == Stream::Log {
        return Ok(());
    }
    let mend = "say it, signed by its author";
    Err(Error::WrongStream { subject: fact.subject.to_string(), stream: Stream::Log.name(), mend })
}
