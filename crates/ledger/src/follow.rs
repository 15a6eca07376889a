//! Both streams as one sequence.
//!
//! The order is that of the broker's time; of equals, `TOCSIN_SAID` comes first; then the sequence. It is the same for
//! every reader on one broker clock. To give an entry, one must know that nothing earlier can still come from the other
//! stream. So after something new has arrived, the end of SAID is asked, then that of LOG, and both are read up to
//! there: whatever LOG held before SAID's end was asked is then known to have all of its past, and so is all of SAID.
//! What LOG took in between waits for the next round, which follows at once.
//!
//! On a cluster a leader's word for its end leaves out what is still on its way through the servers, with a time that may
//! be earlier than what is read already. Who judges by the order sounds both streams instead (see [`crate::sounding`]). Who
//! may not waits a moment behind a window's close.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tocsin_protocol::{Entry, Stream, Subject, Timestamp};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{Error, reader::Reader, shared::Shared};

/// Entries of each stream that are read ahead.
const AHEAD: usize = 4096;
/// When nothing has come for this long that should, it is asked whether it is there at all.
const STALLED: Duration = Duration::from_secs(3);
/// The most entries that one call gives.
const AT_ONCE: usize = 4096;

/// What one call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The next entries in the one order; may be none.
    pub entries: Vec<Entry>,
    /// Everything that both streams held when `follow` was called has been given; and with every entry of
    /// `TOCSIN_LOG` given so far, all that `TOCSIN_SAID` held when it was stored.
    pub caught_up: bool,
}

/// Both streams, read as one sequence. It outlives breaks of the connection.
#[derive(Debug)]
pub struct Follow {
    shared: Arc<Shared>,
    said: Tap,
    log: Tap,
    /// The end of LOG when this began.
    floor: u64,
    round: Option<Round>,
    began: bool,
    sounds: bool,
    last_said: Timestamp,
}

/// How far both streams are read before what they hold is known to be whole.
#[derive(Debug, Clone, Copy)]
struct Round {
    said_end: u64,
    log_end: u64,
    /// Entries of LOG up to here were stored before SAID's end was asked.
    log_whole: u64,
}

impl Follow {
    /// Behind these sequences of SAID and LOG.
    pub(crate) async fn after(shared: &Arc<Shared>, (said, log): (u64, u64)) -> Result<Self, Error> {
        let floor = shared.end(Stream::Log).await?;
        Ok(Self {
            shared: Arc::clone(shared),
            said: Tap::open(shared, Stream::Said, said),
            log: Tap::open(shared, Stream::Log, log),
            floor,
            round: None,
            began: false,
            sounds: false,
            last_said: Timestamp::MIN,
        })
    }

    /// Both streams with all that their leaders have taken in, told or not: on a cluster too, nothing comes later that
    /// has an earlier time. It needs the right to publish on [`crate::SAID_SOUNDING`] and [`crate::LOG_SOUNDING`], where
    /// nothing is ever stored; without it, this warns once and goes on as if it had not been asked for.
    #[must_use]
    pub fn sounding(mut self) -> Self {
        self.sounds = true;
        self
    }

    /// The next entries. The first calls return at once, however empty the streams are; once caught up, a call waits
    /// until something new is there. Cancelled, it loses nothing.
    ///
    /// # Errors
    /// When a stream cannot be read at all: it is gone, or permissions deny it.
    pub async fn next(&mut self) -> Result<Read, Error> {
        let round = match self.round {
            Some(round) => round,
            None => self.begin_round().await?,
        };
        loop {
            self.said.take_here();
            self.log.take_here();
            let entries = self.merge(round);
            if entries.len() < AT_ONCE && self.is_complete(round) {
                self.round = None;
                return Ok(Read { entries, caught_up: true });
            }
            if !entries.is_empty() {
                return Ok(Read { entries, caught_up: false });
            }
            let said_lacks = self.said.buffer.is_empty() && !self.said.is_read_to(round.said_end);
            let log_lacks = self.log.buffer.is_empty() && !self.log.is_read_to(round.log_end);
            tokio::select! {
                came = self.said.wait(), if said_lacks => came?,
                came = self.log.wait(), if log_lacks => came?,
                () = tokio::time::sleep(STALLED) => {
                    self.shorten(round).await?;
                    return Ok(Read { entries, caught_up: false });
                }
            }
        }
    }

    /// Takes back the ends of a round to what is there. Where the last entries of a stream were purged, which only an
    /// administrator or a stolen service key can do, its end is a sequence that nobody can read.
    async fn shorten(&mut self, round: Round) -> Result<(), Error> {
        let said_end = round.said_end.min(self.shared.last_there(Stream::Said).await?);
        let log_end = round.log_end.min(self.shared.last_there(Stream::Log).await?);
        self.floor = self.floor.min(log_end);
        self.round = Some(Round { said_end, log_end, log_whole: round.log_whole.min(log_end) });
        Ok(())
    }

    /// Whether all has been given that this round vouches for. What LOG holds beyond that waits for the next.
    fn is_complete(&self, round: Round) -> bool {
        let said_given = self.said.buffer.front().is_none_or(|entry| entry.sequence > round.said_end);
        let log_given = match self.log.buffer.front() {
            Some(entry) => entry.sequence > round.log_whole,
            None => self.log.is_read_to(round.log_whole),
        };
        self.said.is_read_to(round.said_end) && said_given && log_given
    }

    /// When the newest window closed of those that were read and are not given yet.
    fn closed_at(&self) -> Option<Timestamp> {
        let is_due = |entry: &&Entry| matches!(entry.subject.parse(), Ok(Subject::Due { .. }));
        self.log.buffer.iter().rev().find(is_due).map(|entry| entry.time)
    }

    async fn begin_round(&mut self) -> Result<Round, Error> {
        if self.began && self.said.buffer.is_empty() && self.log.buffer.is_empty() {
            tokio::select! {
                came = self.said.wait() => came?,
                came = self.log.wait() => came?,
            }
        }
        self.log.take_here();
        let log_whole = self.log.received.max(self.floor);
        // What has come already is there, whatever is told of the end.
        let said_end = self.end(Stream::Said).await?.max(self.said.received);
        let log_end = self.end(Stream::Log).await?;
        let round = Round { said_end, log_end, log_whole };
        self.round = Some(round);
        self.began = true;
        Ok(round)
    }

    /// How far a stream is to be read.
    async fn end(&mut self, stream: Stream) -> Result<u64, Error> {
        if self.sounds {
            let newest = self.log.buffer.back().map(|entry| entry.time);
            match self.shared.sounded(stream, newest.filter(|_| stream == Stream::Said)).await {
                Err(Error::Denied { subject, .. }) => {
                    tracing::warn!(
                        subject,
                        "the bus does not let this ask for what is on its way through the servers, so on a cluster an \
                         acknowledgement in the last moment of a window may be left out: run `tocsin provision` anew and \
                         reload the servers"
                    );
                    self.sounds = false;
                }
                end => return end,
            }
        }
        match self.closed_at().filter(|_| stream == Stream::Said) {
            // What becomes of a window rests on all that was said by its close.
            Some(closed_at) => self.shared.end_behind(stream, closed_at).await,
            None => self.shared.end(stream).await,
        }
    }

    /// Takes from both buffers, in order, what nothing unread can come before.
    fn merge(&mut self, round: Round) -> Vec<Entry> {
        let mut entries = Vec::new();
        while entries.len() < AT_ONCE {
            let said = self.said.buffer.front().filter(|entry| entry.sequence <= round.said_end);
            let log = self.log.buffer.front();
            let from_said = match (said, log) {
                (Some(said), Some(log)) => said.time <= log.time,
                (Some(_), None) if self.log.is_read_to(round.log_end) => true,
                (None, Some(log)) if self.said.is_read_to(round.said_end) => {
                    if log.sequence > round.log_whole && log.time > self.last_said {
                        break;
                    }
                    false
                }
                _ => break,
            };
            let tap = if from_said { &mut self.said } else { &mut self.log };
            let Some(entry) = tap.buffer.pop_front() else { break };
            if from_said {
                self.last_said = entry.time;
            }
            entries.push(entry);
        }
        entries
    }
}

/// One stream, read ahead by a task of its own.
#[derive(Debug)]
struct Tap {
    incoming: mpsc::Receiver<Result<Entry, Error>>,
    reading: JoinHandle<()>,
    buffer: VecDeque<Entry>,
    received: u64,
    failed: Option<Error>,
}

impl Tap {
    fn open(shared: &Arc<Shared>, stream: Stream, through: u64) -> Self {
        let (give, incoming) = mpsc::channel(AHEAD);
        let reading = tokio::spawn(read(Reader::after(shared, stream, through), give));
        Self { incoming, reading, buffer: VecDeque::new(), received: through, failed: None }
    }

    fn is_read_to(&self, end: u64) -> bool {
        self.received >= end
    }

    fn take(&mut self, came: Result<Entry, Error>) {
        match came {
            Ok(entry) => {
                self.received = entry.sequence;
                self.buffer.push_back(entry);
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// Takes what has been read already, up to a bound.
    fn take_here(&mut self) {
        while self.buffer.len() < AHEAD
            && let Ok(came) = self.incoming.try_recv()
        {
            self.take(came);
        }
    }

    /// Waits for one entry.
    async fn wait(&mut self) -> Result<(), Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match self.incoming.recv().await {
            Some(Err(error)) => Err(error),
            Some(entry) => {
                self.take(entry);
                Ok(())
            }
            None => Err(Error::Closed { why: "the stream is read no more".to_owned() }),
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(mut reader: Reader, give: mpsc::Sender<Result<Entry, Error>>) {
    loop {
        let (came, last) = match reader.next().await {
            Ok(Some(placed)) => (Ok(placed.entry), false),
            Ok(None) => return,
            Err(error) => (Err(error), true),
        };
        if give.send(came).await.is_err() || last {
            reader.leave().await;
            return;
        }
    }
}
