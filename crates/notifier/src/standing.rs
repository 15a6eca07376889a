//! Whether a mail is still needed: both streams, followed and folded.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tocsin_duty::{Directory, Fold, Trust};
use tocsin_ledger::{Follow, Ledger};
use tocsin_protocol::{Entry, Escalation, EscalationReason, Snapshot, Stream, Timestamp};
use tokio::{sync::watch, task::JoinHandle};

use crate::open::Open;

/// The pause before streams that cannot be read are tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of both streams, kept up to date.
pub(crate) struct Standing {
    known: Arc<Mutex<Known>>,
    ready: watch::Receiver<bool>,
    following: JoinHandle<()>,
}

/// What both streams come to.
pub(crate) struct Known {
    pub(crate) fold: Fold,
    pub(crate) open: Open,
}

impl Known {
    fn new(every: Duration) -> Self {
        Self { fold: Fold::new(), open: Open::new(every) }
    }

    fn apply(&mut self, entry: &Entry) {
        self.fold.apply(entry);
        self.open.apply(entry);
    }
}

impl Standing {
    /// Starts to follow both streams. `every` is for how long mails are gathered.
    pub(crate) fn follow(ledger: Ledger, every: Duration) -> Self {
        let known = Arc::new(Mutex::new(Known::new(every)));
        let (says_ready, ready) = watch::channel(false);
        let following = tokio::spawn(follow(ledger, every, Arc::clone(&known), says_ready));
        Self { known, ready, following }
    }

    /// Waits until all that is written has been folded, but no longer than this: a mail too many does less harm than
    /// a mail too late.
    pub(crate) async fn caught_up(&self, within: Duration) -> bool {
        let mut ready = self.ready.clone();
        matches!(tokio::time::timeout(within, ready.wait_for(|ready| *ready)).await, Ok(Ok(_)))
    }

    /// Why no mail is needed any more, if that is so.
    pub(crate) fn no_need(&self, escalation: &Escalation) -> Option<String> {
        let Escalation { recipient, incident, event, .. } = escalation;
        let known = self.lock();
        let fold = &known.fold;
        if escalation.reason == EscalationReason::Overdue {
            // A report that a law wants is owed however much else is said; a promised update is kept by any.
            let newest =
                fold.newest_event(incident).filter(|newest| newest > event && escalation.policy.is_none())?;
            return Some(format!("not sent: {recipient} has said more since, in event {newest}"));
        }
        if let Some(at) = fold.acknowledgement(recipient, incident, *event) {
            return Some(format!("not sent: {recipient} acknowledged at {at}"));
        }
        let stopped = fold.stopped(incident, *event)?;
        Some(format!(
            "not sent: event {} ({}) of {} ended the incident",
            stopped.event, stopped.kind, stopped.published_at
        ))
    }

    /// The directory in force at a time.
    pub(crate) fn directory_at(&self, time: Timestamp) -> Option<Arc<Directory>> {
        self.lock().fold.directory_at(time).cloned()
    }

    /// What is known now. Not to be held over a wait.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(ledger: Ledger, every: Duration, shared: Arc<Mutex<Known>>, ready: watch::Sender<bool>) {
    loop {
        let why = follow_once(&ledger, every, &shared, &ready).await;
        tracing::warn!(error = %why, "the streams cannot be followed; who has acknowledged since is not known; trying again");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The facts of mails, of which no snapshot holds what is needed here: they are few.
const MAILS: [&str; 2] = ["tocsin.escalation.>", "tocsin.attempt.>"];

/// Begins with what a router has folded, where that can be believed; else with nothing.
async fn begin(ledger: &Ledger, every: Duration) -> Result<(Known, Follow), tocsin_ledger::Error> {
    let mut known = Known::new(every);
    let read = |snapshot: &Snapshot, bytes: &[u8], directories: &[Entry]| {
        Fold::begun(snapshot, bytes, directories, Trust::default())
    };
    let (begun, follow) = ledger.follow_from_snapshot(&Fold::form(), Fold::checkpoint_key_by, read).await?;
    let Some((fold, snapshot)) = begun else { return Ok((known, follow)) };
    known.fold = fold;
    for entry in ledger.entries(Stream::Log, &MAILS.map(str::to_owned)).await? {
        if entry.sequence <= snapshot.log.through {
            known.open.apply(&entry);
        }
    }
    known.open.passed(snapshot.log.through);
    Ok((known, follow))
}

/// Follows until it fails. What is read anew is folded aside until it is whole, so that nothing known is forgotten
/// meanwhile.
async fn follow_once(
    ledger: &Ledger,
    every: Duration,
    shared: &Mutex<Known>,
    ready: &watch::Sender<bool>,
) -> tocsin_ledger::Error {
    let (known, mut follow) = match begin(ledger, every).await {
        Ok(begun) => begun,
        Err(why) => return why,
    };
    let mut aside = Some(known);
    loop {
        let read = match follow.next().await {
            Ok(read) => read,
            Err(why) => return why,
        };
        if let Some(known) = &mut aside {
            for entry in &read.entries {
                known.apply(entry);
            }
        } else {
            for entry in &read.entries {
                shared.lock().unwrap_or_else(PoisonError::into_inner).apply(entry);
            }
        }
        if read.caught_up
            && let Some(known) = aside.take()
        {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = known;
            // Nobody waits any more when the receiver is gone.
            let _ = ready.send(true);
        }
    }
}
