//! The recipients' durables: made beside the loop, so that no dispatch waits for them.

use std::time::Duration;

use tocsin_duty::Directory;
use tocsin_ledger::Ledger;
use tocsin_protocol::RecipientId;
use tokio::{sync::watch, task::JoinHandle};

/// The pause after they could not be made: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Whose durables are to be there.
#[derive(Debug, Clone, Default)]
struct Wanted {
    directory: u64,
    recipients: Vec<RecipientId>,
}

/// Makes durables for the recipients of the directory in force.
pub(crate) struct Desks {
    want: watch::Sender<Wanted>,
    making: JoinHandle<()>,
}

impl Desks {
    /// Starts; nothing is made until a directory is known.
    pub(crate) fn start(ledger: Ledger) -> Self {
        let (want, wanted) = watch::channel(Wanted::default());
        Self { want, making: tokio::spawn(make(ledger, wanted)) }
    }

    /// Takes note of the directory in force. A newer one replaces what is not yet made.
    pub(crate) fn want(&self, directory: &Directory) {
        if self.want.borrow().directory != directory.version() {
            self.want.send_replace(Wanted {
                directory: directory.version(),
                recipients: directory.recipients().map(|known| known.entry.id.clone()).collect(),
            });
        }
    }
}

impl Drop for Desks {
    fn drop(&mut self) {
        self.making.abort();
    }
}

async fn make(ledger: Ledger, mut wanted: watch::Receiver<Wanted>) {
    while wanted.changed().await.is_ok() {
        let mut pause = PAUSE.0;
        loop {
            let Wanted { directory, recipients } = wanted.borrow_and_update().clone();
            let made = async {
                ledger.ensure_desks(&recipients).await?;
                ledger.ensure_work().await
            };
            match made.await {
                Ok(()) => {
                    tracing::info!(
                        directory,
                        recipients = recipients.len(),
                        "every recipient can take its notices"
                    );
                    break;
                }
                Err(why) => tracing::error!(
                    directory,
                    error = %why,
                    "not every recipient's durable could be made: those without one cannot take notices and are written to by mail; trying again"
                ),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
                changed = wanted.changed() => match changed {
                    // Read again above; a new directory is tried at once.
                    Ok(()) => wanted.mark_changed(),
                    Err(_) => return,
                },
            }
        }
    }
}
