//! Whether this notifier may work: only under a directory that stands under the key that it was told to trust.
//!
//! Under another it takes no work, so that other notifiers have all of it, and says why. It does not end, as whatever
//! starts services again would do so for ever; it is merely not ready, and works as soon as a directory under the key is in
//! force.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tocsin_duty::{Held, NotUnder, Pin};
use tocsin_ledger::Progress;

use crate::standing::Standing;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// After this time it is said again.
const AGAIN: Duration = Duration::from_mins(10);

/// Holds the directory in force against the pin.
#[derive(Debug, Default)]
pub(crate) struct Trusted {
    pin: Option<Pin>,
    told: Mutex<Option<(NotUnder, Instant)>>,
}

impl Trusted {
    pub(crate) fn under(pin: Option<Pin>) -> Self {
        Self { pin, told: Mutex::default() }
    }

    /// Whether it may work now. What the streams hold must have been read for it: nothing is in force until then.
    pub(crate) fn is_so(&self, standing: &Standing) -> bool {
        let Some(pin) = &self.pin else { return true };
        let held = standing.lock().fold.held_against(pin);
        self.tell(&held);
        held.is_under()
    }

    /// Waits until it may. That it waits is no fault of its work.
    pub(crate) async fn until_so(&self, standing: &Standing, progress: &Progress) {
        while !self.is_so(standing) {
            progress.turned();
            tokio::time::sleep(LOOK).await;
        }
    }

    fn tell(&self, held: &Held) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match held {
            Held::None => {}
            Held::Under { version, .. } => {
                if told.take().is_some() {
                    tracing::info!(
                        version,
                        "the directory in force is under the trusted key: this notifier works"
                    );
                }
            }
            Held::Not(why) => {
                if !told.as_ref().is_some_and(|(of, at)| of == why && at.elapsed() < AGAIN) {
                    tracing::error!("this notifier sends nothing and writes nothing: {why}");
                    *told = Some((why.clone(), Instant::now()));
                }
            }
        }
    }
}
