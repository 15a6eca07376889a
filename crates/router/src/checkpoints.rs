//! Checkpoints: when one is due, and writing it.
//!
//! One is due after every finding and after every hundred entries, at places that are the same for all routers, so that
//! those with the same key write the same bytes and the second is told that they stand. And once the streams have been
//! quiet for a second: else what came last, an acknowledgement perhaps, would be vouched for only when there is another
//! incident. No duty rests on that second; it is counted anew after a restart.
//!
//! A checkpoint is an entry of the log itself. It does not count as news, so it asks for no other.
//!
//! Every checkpoint covers all before it, so of those due only the newest is written, and none is missed for good: what
//! cannot be written now is covered by the next.

use std::{future, time::Duration};

use tocsin_duty::Fold;
use tocsin_ledger::{Appended, Ledger};
use tocsin_protocol::{
    AuthorKey, Checkpoint, Cut, Entry, Error as Word, SignedCheckpoint, SigningKey, Snapshot, Stream,
    Subject, is_window,
};
use tokio::{sync::watch, time::Instant};

use crate::{append::is_end, error::Error, router::stopped};

/// After so many entries one is due.
const INTERVAL: u32 = 100;

/// How long the streams must have been quiet before what is new is vouched for.
const QUIET: Duration = Duration::from_secs(1);

/// The pause after one could not be written.
const PAUSE: Duration = Duration::from_mins(1);

/// Both streams' trees, and what of them has been vouched for.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    signer: Option<Signer>,
    log: Cut,
    said: Cut,
    /// Entries since the last place where one was due.
    since: u32,
    /// The one at the newest such place, until it or a later one stands.
    due: Option<Checkpoint>,
    /// The newest that stands.
    stands: Option<Checkpoint>,
    /// The sizes of both trees when the last entry came that is no checkpoint: of the log, of what is said.
    news: (u64, u64),
    quiet_from: Option<Instant>,
    /// The directory in which the key was missing, or another, when that was last told.
    told: Option<u64>,
}

#[derive(Debug)]
struct Signer {
    key: SigningKey,
    public: AuthorKey,
}

impl Checkpoints {
    pub(crate) fn signing(key: Option<SigningKey>) -> Result<Self, Word> {
        let signer = key.map(|key| Ok(Signer { public: AuthorKey::new(&key.public())?, key })).transpose()?;
        Ok(Self { signer, ..Self::default() })
    }

    /// Takes in the next entry of either stream.
    pub(crate) fn take(&mut self, entry: &Entry) {
        if self.signer.is_none() {
            return;
        }
        let is_ours = entry.stream == Stream::Log && self.stood(entry);
        match entry.stream {
            Stream::Said => self.said.take(entry),
            Stream::Log => self.log.take(entry),
        }
        if is_ours || is_window(entry) {
            return;
        }
        self.news = (self.log.tree.size(), self.said.tree.size());
        self.quiet_from = Some(Instant::now() + QUIET);
        self.since += 1;
        if self.since >= INTERVAL || is_finding(entry) {
            self.since = 0;
            self.due = Some(self.now());
        }
    }

    /// What both streams hold.
    fn now(&self) -> Checkpoint {
        Checkpoint { log: self.log.tree.head(), said: self.said.tree.head() }
    }

    /// Goes on behind what a snapshot is of. A checkpoint states that.
    pub(crate) fn resume(&mut self, snapshot: &Snapshot) {
        if self.signer.is_some() {
            (self.log, self.said) = (snapshot.log.clone(), snapshot.said.clone());
            self.news = (self.log.tree.size(), self.said.tree.size());
            self.stands = Some(self.now());
        }
    }

    /// The key that checkpoints are signed with, and its public half.
    pub(crate) fn key(&self) -> Option<(&SigningKey, &AuthorKey)> {
        self.signer.as_ref().map(|signer| (&signer.key, &signer.public))
    }

    /// What was taken in of what is said and of the log, where a checkpoint that stands states exactly that.
    pub(crate) fn stated(&self) -> Option<(&Cut, &Cut)> {
        (self.stands == Some(self.now())).then_some((&self.said, &self.log))
    }

    /// Takes note of a checkpoint that stands in the log. Whether it is one of ours.
    fn stood(&mut self, entry: &Entry) -> bool {
        let Ok(Subject::Checkpoint { number }) = entry.subject.parse() else { return false };
        let Ok(read) = SignedCheckpoint::read(&entry.body) else { return false };
        let stated = read.checkpoint;
        let holds = |signer: &Signer| read.verify(&signer.public).is_ok();
        // Of a log longer than it is, nobody honest can have spoken: it must not silence us.
        if stated.number() != number
            || number > self.log.tree.size()
            || !self.signer.as_ref().is_some_and(holds)
        {
            return false;
        }
        if self.stands.is_none_or(|stands| stands.number() < number) {
            self.stands = Some(stated);
        }
        true
    }

    /// Whether this many leaves, of the log and of what is said, are more than the newest that stands vouches for.
    fn is_news(&self, (log, said): (u64, u64)) -> bool {
        let stands = self.stands.map_or((0, 0), |stands| (stands.log.size, stands.said.size));
        log > stands.0 || said > stands.1
    }

    /// Ready when the streams have been quiet for long enough and something is new, or one is wanted even so. One is due
    /// then.
    pub(crate) fn quiet(&mut self, at_end: bool, wanted: bool) -> impl Future<Output = ()> + use<'_> {
        let from = self.quiet_from.filter(|_| at_end && (wanted || self.is_news(self.news)));
        async move {
            match from {
                Some(from) => tokio::time::sleep_until(from).await,
                None => future::pending().await,
            }
            self.due = Some(self.now());
            self.since = 0;
            self.quiet_from = None;
        }
    }

    /// Writes what is due, if the key is that of the directory in force.
    pub(crate) async fn write(
        &mut self,
        ledger: &Ledger,
        fold: &Fold,
        stopping: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let Some(due) = self.due.take() else { return Ok(()) };
        let (Some(signer), Some(directory)) = (&self.signer, fold.directory()) else { return Ok(()) };
        if !self.is_news((due.log.size, due.said.size)) {
            return Ok(());
        }
        if directory.checkpoint_key().is_none_or(|key| key.as_str() != signer.public.as_str()) {
            if self.told.replace(directory.version()) != Some(directory.version()) {
                tracing::error!(
                    directory = directory.version(),
                    key = signer.public.as_str(),
                    "no checkpoint is written: this router's key is not the directory's checkpoint_key. Put the key into the directory, or give the router the one that is there"
                );
            }
            return Ok(());
        }
        let fact = due.fact(&signer.key).map_err(|source| Error::Key { source })?;
        let appended = tokio::select! {
            appended = ledger.append(&fact, None) => appended,
            // The next router writes one that covers it.
            () = stopped(stopping) => return Ok(()),
        };
        match appended {
            Ok(Appended::Written(_)) => {
                tracing::debug!(log = due.log.size, said = due.said.size, "a checkpoint was written");
                self.stands = Some(due);
            }
            Ok(Appended::Already(entry)) if self.stood(&entry) => {}
            Ok(Appended::Already(entry)) => tracing::error!(
                sequence = entry.sequence,
                subject = %fact.subject,
                "this stands in the log and is no checkpoint of ours. Somebody else has written to TOCSIN_LOG: have it audited, and change the service keys"
            ),
            Err(source) if is_end(&source) => return Err(Error::Append { source }),
            Err(why) => {
                tracing::error!(
                    subject = %fact.subject,
                    error = %why,
                    "a checkpoint cannot be written: everything else goes on, and a later one will cover the same"
                );
                self.quiet_from = Some(Instant::now() + PAUSE);
            }
        }
        Ok(())
    }
}

fn is_finding(entry: &Entry) -> bool {
    entry.stream == Stream::Log && entry.subject.starts_with("tocsin.finding.")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tocsin_protocol::NewFact;

    use super::*;

    struct World {
        key: SigningKey,
        seen: Vec<Entry>,
    }

    impl World {
        fn new() -> Self {
            Self { key: SigningKey::generate(), seen: Vec::new() }
        }

        fn router(&self) -> Checkpoints {
            let key = SigningKey::from_seed(&self.key.seed().unwrap()).unwrap();
            Checkpoints::signing(Some(key)).unwrap()
        }

        fn entry(&mut self, stream: Stream, subject: &str, body: Bytes) -> Entry {
            let sequence = self.seen.iter().filter(|entry| entry.stream == stream).count() as u64 + 1;
            let entry = Entry {
                stream,
                sequence,
                time: "2026-06-25T06:24:00Z".parse().unwrap(),
                subject: subject.to_owned(),
                signed: None,
                said_through: None,
                body,
            };
            self.seen.push(entry.clone());
            entry
        }

        fn some(&mut self, router: &mut Checkpoints, count: usize, subject: &str) {
            for _ in 0..count {
                let stream = if subject.contains("receipt") { Stream::Said } else { Stream::Log };
                router.take(&self.entry(stream, subject, Bytes::new()));
            }
        }

        fn write(&mut self, router: &mut Checkpoints, checkpoint: &Checkpoint) {
            let NewFact { subject, body, .. } = checkpoint.fact(&self.key).unwrap();
            router.take(&self.entry(Stream::Log, &subject.to_string(), body));
        }
    }

    fn has_news(router: &Checkpoints) -> bool {
        router.is_news(router.news)
    }

    #[test]
    fn one_is_due_after_each_finding_and_each_hundred_entries_at_the_same_place_for_all() {
        let mut world = World::new();
        let mut router = world.router();
        world.some(&mut router, 1, "tocsin.finding.x.1.1");
        assert_eq!(router.due.unwrap().number(), 1);
        world.some(&mut router, 60, "tocsin.notice.a.x.1");
        world.some(&mut router, 39, "tocsin.receipt.a.x.1.delivered");
        assert_eq!(router.due.unwrap().number(), 1);
        world.some(&mut router, 20, "tocsin.receipt.a.x.1.delivered");
        let due = router.due.unwrap();
        assert_eq!((due.log.size, due.said.size), (61, 40));
        let mut other = world.router();
        world.seen.iter().for_each(|entry| other.take(entry));
        assert_eq!(other.due, Some(due), "whenever it looks");
    }

    #[test]
    fn checkpoints_ask_for_no_other() {
        let mut world = World::new();
        let mut router = world.router();
        world.some(&mut router, 3, "tocsin.notice.a.x.1");
        assert!(has_news(&router));
        for _ in 0..300 {
            let now = router.now();
            world.write(&mut router, &now);
            assert!(!has_news(&router));
            assert_eq!(router.due, None);
        }
        world.some(&mut router, 1, "tocsin.receipt.a.x.1.delivered");
        assert!(has_news(&router), "what is said is news, though the log has none");
    }

    #[test]
    fn nobody_silences_a_router_with_a_checkpoint_that_is_not_its_own_or_of_a_log_longer_than_it_is() {
        let mut world = World::new();
        let mut router = world.router();
        world.some(&mut router, 3, "tocsin.notice.a.x.1");
        let mut late = router.now();
        late.log.size = 1_000_000;
        world.write(&mut router, &late);
        assert!(has_news(&router));
        let stranger = SigningKey::generate();
        let fact = router.now().fact(&stranger).unwrap();
        router.take(&world.entry(Stream::Log, &fact.subject.to_string(), fact.body));
        assert!(has_news(&router));
        router.take(&world.entry(Stream::Log, "tocsin.checkpoint.4", Bytes::from_static(b"4")));
        assert!(has_news(&router));
    }
}
