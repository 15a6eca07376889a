//! The loop.

use std::future::Future;

use tocsin_duty::Pin;
use tocsin_ledger::{Ledger, Progress};
use tocsin_protocol::SigningKey;
use tokio::sync::watch;

use crate::{
    checkpoints::Checkpoints,
    desks::Desks,
    error::Error,
    gate::{Gate, Leave},
    snapshots::{EVERY, Snapshots},
    turn::Turn,
};

/// After so many entries the runtime is let breathe: each may have cost the verification of a signature.
const BREATH: usize = 256;

/// Follows both streams and appends what follows from them.
pub struct Router {
    ledger: Ledger,
    checkpoints: Checkpoints,
    progress: Progress,
    every: u64,
    pin: Option<Pin>,
}

impl Router {
    /// A router on this ledger, which should wait for ever ([`tocsin_ledger::Wait::UntilConnected`]).
    pub fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            checkpoints: Checkpoints::default(),
            progress: Progress::default(),
            every: EVERY,
            pin: None,
        }
    }

    /// Signs checkpoints with this key, as long as it is the directory's. Without one it signs none.
    ///
    /// # Errors
    /// [`Error::Key`] when the key has no public half, which no key made or read by us lacks.
    pub fn signing(self, key: Option<SigningKey>) -> Result<Self, Error> {
        let checkpoints = Checkpoints::signing(key).map_err(|source| Error::Key { source })?;
        Ok(Self { checkpoints, ..self })
    }

    /// Writes only while the directory in force stands under this key: see [`tocsin_duty::Pin`]. Under another it says so,
    /// is not ready, and goes on reading. Without one, any directory in force will do.
    #[must_use]
    pub fn trusting(self, pin: Option<Pin>) -> Self {
        Self { pin, ..self }
    }

    /// Keeps a snapshot of its fold after so many entries, and not after 50,000.
    #[must_use]
    pub fn keeping_every(self, entries: u64) -> Self {
        Self { every: entries.max(1), ..self }
    }

    /// Tells here how far it has come. It is ready once it has read both streams to their end.
    #[must_use]
    pub fn telling(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// Works until `shutdown` is ready; then finishes the append under way and returns. Should the bus be away, that
    /// append is given up after ten seconds, which harms nothing.
    ///
    /// # Errors
    /// [`Error::Start`] when the streams are not as they must be, [`Error::Follow`] and [`Error::Append`] when the
    /// ledger gives up. A bus that is merely away is waited for.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let (stop, stopping) = watch::channel(false);
        tokio::select! {
            ended = Box::pin(work(self, stopping)) => ended,
            () = async {
                shutdown.await;
                stop.send_replace(true);
                std::future::pending::<()>().await;
            } => Ok(()),
        }
    }
}

/// Ready once the router is to stop.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The sender is dropped with this very future.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn work(router: Router, mut stopping: watch::Receiver<bool>) -> Result<(), Error> {
    let Router { ledger, mut checkpoints, progress, every, pin } = router;
    let mut gate = Gate::trusting(pin);
    let mut leave = Leave::Wait;
    let mut snapshots = Snapshots::new(every);
    let mut started = stopping.clone();
    let start = async {
        ledger.verify().await?;
        let trust = crate::trust::read(&ledger).await?;
        snapshots.begin(&ledger, trust).await
    };
    let (mut fold, snapshot, mut follow) = tokio::select! {
        started = start => started.map_err(|source| Error::Start { source })?,
        () = stopped(&mut started) => return Ok(()),
    };
    if let Some(snapshot) = &snapshot {
        checkpoints.resume(snapshot);
    }
    let desks = Desks::start(ledger.clone());
    let mut turn = Turn::new(ledger.clone(), stopping.clone(), progress.clone());
    // What a snapshot leaves owed is written, though nothing came since.
    turn.folded(usize::from(snapshot.is_some()));
    let (mut live, mut at_end) = (false, false);
    while !*stopping.borrow() {
        let read = tokio::select! {
            read = follow.next() => read.map_err(|source| Error::Follow { source })?,
            () = turn.again(&fold, at_end), if leave == Leave::Write => {
                turn.take(&mut fold, &mut gate, at_end).await?;
                continue;
            }
            () = checkpoints.quiet(live && at_end, snapshots.is_due(&fold)), if leave == Leave::Write => {
                checkpoints.write(&ledger, &fold, &mut stopping).await?;
                if turn.is_settled(&fold) {
                    snapshots.keep(&ledger, &fold, &checkpoints).await;
                }
                continue;
            }
            () = stopped(&mut stopping) => break,
        };
        for entries in read.entries.chunks(BREATH) {
            for entry in entries {
                let verdict = fold.apply(entry);
                checkpoints.take(entry);
                if live {
                    crate::tell::met(entry, &verdict);
                }
            }
            tokio::task::yield_now().await;
        }
        turn.folded(read.entries.len());
        progress.read_through(fold.said_through(), fold.log_through());
        at_end = read.caught_up;
        // A replay owes and settles all that ever happened: nothing is written before it has come to its end.
        if !live && at_end {
            live = true;
            crate::tell::live(&fold);
        }
        if live {
            leave = gate.look(&fold);
            if leave != Leave::Refused {
                progress.ready();
            }
        }
        if live && leave == Leave::Write {
            if let Some(directory) = fold.directory() {
                desks.want(directory);
            }
            if turn.is_due(&fold, at_end) {
                turn.take(&mut fold, &mut gate, at_end).await?;
            }
            if at_end {
                checkpoints.write(&ledger, &fold, &mut stopping).await?;
            }
        }
    }
    Ok(())
}
