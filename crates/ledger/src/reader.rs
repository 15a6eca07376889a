//! One stream, read in order from a sequence, without loss, repetition or a stranger's harm.
//!
//! Anybody who may say a fact may give it headers that the client library cannot read; it then ends its connection, and
//! would do so again at each reading. So `TOCSIN_SAID` is read over a connection of its own, and after each break the
//! next message is fetched by itself (`STREAM.MSG.GET` gives headers as bytes) before pulling goes on behind it. So does
//! who may make no consumer, and reads stretch by stretch.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tocsin_protocol::{Entry, Stream};

use crate::{
    Error, consumers,
    pull::{Pull, Pulled},
    read::Wanted,
    shared::Shared,
    stretch::{End, Stretch},
    wire::Stored,
};

/// Messages asked for at a time, and the rest at which more are asked for.
const BATCH: usize = 1000;
const REFILL: usize = 500;
/// How many messages are fetched one by one behind one that could not be pulled: they seldom come alone.
const BY_HAND: usize = 32;
/// Between two looks at the end of a stream that is read without a consumer.
const LOOK: Duration = Duration::from_millis(200);

/// One entry, and how many more the stream was known to hold when it was given.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) entry: Entry,
    pub(crate) pending: Option<u64>,
}

/// What a reading does at the end of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// Waits for more.
    Wait,
    /// Ends.
    Stop,
}

/// A reading of one stream.
#[derive(Debug)]
pub(crate) struct Reader {
    /// For requests.
    shared: Arc<Shared>,
    /// For pulling, once that has begun.
    line: Option<Arc<Shared>>,
    stream: Stream,
    filters: Vec<String>,
    at_end: AtEnd,
    next: u64,
    by_hand: usize,
    /// Whether this user may make no consumer.
    hand_only: bool,
    /// Whether there may be a stretch to read, where it may not.
    stretches: bool,
    /// Whether this user may not even do that.
    denied: bool,
    /// Read and not yet given.
    ahead: VecDeque<Entry>,
    consumer: Option<Consumer>,
}

#[derive(Debug)]
struct Consumer {
    name: String,
    pull: Pull,
    given: u64,
}

impl Reader {
    /// Reads all entries from the first, and then those to come.
    pub(crate) fn all(shared: &Arc<Shared>, stream: Stream) -> Self {
        let shared = Arc::clone(shared);
        Self {
            shared,
            line: None,
            stream,
            filters: Vec::new(),
            at_end: AtEnd::Wait,
            next: 1,
            by_hand: 0,
            hand_only: false,
            stretches: true,
            denied: false,
            ahead: VecDeque::new(),
            consumer: None,
        }
    }

    /// Reads all entries behind a sequence, and then those to come.
    pub(crate) fn after(shared: &Arc<Shared>, stream: Stream, through: u64) -> Self {
        Self { next: through + 1, ..Self::all(shared, stream) }
    }

    /// Reads the entries on these subjects that are there. The first few of one filter are fetched one by one: that is
    /// quicker than to make a consumer.
    pub(crate) fn present(shared: &Arc<Shared>, stream: Stream, filters: &[String]) -> Self {
        let by_hand = if filters.len() == 1 { BY_HAND } else { 0 };
        Self { filters: filters.to_vec(), at_end: AtEnd::Stop, by_hand, ..Self::all(shared, stream) }
    }

    /// The next entry, or the end.
    ///
    /// # Errors
    /// When the stream cannot be read at all. Breaks of the connection are waited out.
    pub(crate) async fn next(&mut self) -> Result<Option<Placed>, Error> {
        loop {
            if let Some(entry) = self.ahead.pop_front() {
                self.next = entry.sequence + 1;
                return Ok(Some(Placed { entry, pending: None }));
            }
            if self.hand_only && self.stretches && self.by_hand == 0 {
                self.stretch().await?;
                continue;
            }
            if self.by_hand > 0 || self.hand_only {
                match (self.fetch().await?, self.at_end) {
                    (Some(entry), _) => return Ok(Some(Placed { entry, pending: None })),
                    (None, AtEnd::Stop) => return Ok(None),
                    (None, AtEnd::Wait) if self.hand_only => {
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                    (None, AtEnd::Wait) => self.by_hand = 0,
                }
            }
            let Some(consumer) = &mut self.consumer else {
                self.begin().await?;
                continue;
            };
            if consumer.pull.outstanding() <= REFILL {
                consumer.pull.request(BATCH).await?;
            }
            match consumer.pull.next().await {
                Pulled::Message(message, delivered) if delivered.consumer_sequence == consumer.given + 1 => {
                    consumer.given += 1;
                    if delivered.sequence < self.next {
                        continue;
                    }
                    self.next = delivered.sequence + 1;
                    let pending = Some(delivered.pending);
                    return Ok(Some(Placed { entry: delivered.entry(self.stream, message), pending }));
                }
                Pulled::Message(..) => self.leave().await,
                Pulled::Disguised => {
                    self.leave().await;
                    self.by_hand = BY_HAND;
                }
                Pulled::Ended if self.at_end == AtEnd::Stop => return Ok(None),
                Pulled::Ended | Pulled::Busy => {}
                Pulled::Forgotten => {
                    self.leave().await;
                    self.by_hand = 1;
                }
                Pulled::Gone(why) => {
                    tracing::debug!(stream = self.stream.name(), why, "the consumer is gone: making another");
                    self.leave().await;
                    // Without a leader, or a connection, for the moment: the request waits until there is one.
                    self.shared.end(self.stream).await?;
                }
            }
        }
    }

    /// Reads a stretch ahead. What is the end for one server need not be the stream's: the leader is asked for what comes
    /// next where nothing came, and when there is something, the next stretch is tried.
    async fn stretch(&mut self) -> Result<(), Error> {
        let filter = match &self.filters[..] {
            [] => ">",
            [one] => one,
            // Of several, no server looks for whichever comes first.
            _ => {
                self.stretches = false;
                return Ok(());
            }
        };
        let line = self.line.as_ref().unwrap_or(&self.shared);
        let Stretch { entries, end } = line.stretch(self.stream, self.next, filter).await?;
        match end {
            End::Whole => self.stretches = !entries.is_empty(),
            End::Broken => self.by_hand = BY_HAND,
            End::Denied => self.stretches = false,
        }
        self.denied |= end == End::Denied;
        self.ahead = entries.into();
        Ok(())
    }

    /// Fetches one entry by itself.
    async fn fetch(&mut self) -> Result<Option<Entry>, Error> {
        let mut patience = self.shared.patience();
        let mut first: Option<Stored> = None;
        let all = [">".to_owned()];
        for filter in if self.filters.is_empty() { &all[..] } else { &self.filters } {
            let wanted = Wanted::Next { seq: self.next, next_by_subj: filter };
            let found = self.shared.leader_read(self.stream, wanted, &mut patience).await?;
            first = first.into_iter().chain(found).min_by_key(Stored::sequence);
        }
        let Some(stored) = first else { return Ok(None) };
        self.by_hand = if stored.is_readable() { self.by_hand.saturating_sub(1) } else { BY_HAND };
        self.stretches = !self.denied;
        let entry = stored.into_entry(self.stream);
        self.next = entry.sequence + 1;
        Ok(Some(entry))
    }

    async fn begin(&mut self) -> Result<(), Error> {
        let line = match &self.line {
            Some(line) => Arc::clone(line),
            None if self.stream == Stream::Said => Arc::new(self.shared.another("said").await?),
            None => Arc::clone(&self.shared),
        };
        let inbox = line.client.new_inbox();
        let name = format!("read-{}", inbox.rsplit('.').next().unwrap_or("x"));
        if self.make_consumer(&name).await? {
            self.consumer =
                Some(Consumer { pull: Pull::new(&line, self.stream, &name).await?, name, given: 0 });
        }
        self.line = Some(line);
        Ok(())
    }

    /// Makes a consumer; false where this user may make none: an auditor may read everything and make nothing, as a consumer
    /// could be told to deliver onto any subject.
    async fn make_consumer(&mut self, name: &str) -> Result<bool, Error> {
        self.hand_only = self.shared.no_consumers.load(Ordering::Relaxed);
        if !self.hand_only {
            let config = consumers::reading(&self.filters, self.next);
            match self.shared.make_consumer(self.stream, name, &config).await {
                Err(Error::Denied { .. }) => {
                    self.shared.no_consumers.store(true, Ordering::Relaxed);
                    self.hand_only = true;
                }
                made => made?,
            }
        }
        Ok(!self.hand_only)
    }

    /// Lets the consumer go.
    pub(crate) async fn leave(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            self.shared.forget_consumer(self.stream, &consumer.name).await;
        }
    }
}

impl Shared {
    /// The entries on these subjects, as of now, in order.
    pub(crate) async fn entries(
        self: &Arc<Self>,
        stream: Stream,
        filters: &[String],
    ) -> Result<Vec<Entry>, Error> {
        let mut end = 0;
        for filter in filters {
            let wanted = Wanted::Last { last_by_subj: filter };
            if let Some(stored) = self.leader_read(stream, wanted, &mut self.patience()).await? {
                end = end.max(stored.into_entry(stream).sequence);
            }
        }
        let mut entries = Vec::new();
        let mut reader = Reader::present(self, stream, filters);
        while entries.last().map_or(0, |last: &Entry| last.sequence) < end {
            let Some(Placed { entry, pending }) = reader.next().await? else { break };
            entries.push(entry);
            if pending == Some(0) {
                break;
            }
        }
        reader.leave().await;
        Ok(entries)
    }
}
