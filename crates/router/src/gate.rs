//! Whether this router may write: only under a directory that stands under the key that it was told to trust.
//!
//! What was said under a directory before the first that the key signed is not dispatched either: whoever begins a record
//! could put one of their own before an old one of ours. Nothing is written under another, and nothing before one is in
//! force: not what follows, no refusal, no checkpoint and no snapshot. It goes on reading, so that it works as soon as a
//! directory under the key is in force. It does not end, as whatever starts services again would do so for ever; it is
//! merely never ready.

use std::time::{Duration, Instant};

use tocsin_duty::{Fold, Held, NotUnder, Pin};
use tocsin_protocol::{Dispatch, from_body};

use crate::plan::{Kind, Part};

/// After this time it is said again, when something comes.
const AGAIN: Duration = Duration::from_mins(10);

/// Holds the directory in force against the pin.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pin: Option<Pin>,
    told: Option<(NotUnder, Instant)>,
    /// The first version under which what is said is dispatched.
    from: u64,
    /// How many dispatches were kept back at the last turn.
    kept_back: usize,
}

/// What a router may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// All that is its work.
    Write,
    /// Nothing, and that is right: no directory is in force yet.
    Wait,
    /// Nothing, and somebody must see to it.
    Refused,
}

impl Gate {
    pub(crate) fn trusting(pin: Option<Pin>) -> Self {
        Self { pin, ..Self::default() }
    }

    /// Looks at the directory in force, once all has been read that there is.
    pub(crate) fn look(&mut self, fold: &Fold) -> Leave {
        let Some(pin) = &self.pin else { return Leave::Write };
        match fold.held_against(pin) {
            Held::None => Leave::Wait,
            Held::Under { version, from } => {
                self.from = from;
                if self.told.take().is_some() {
                    tracing::info!(
                        version,
                        "the directory in force is under the trusted key: this router works again"
                    );
                }
                Leave::Write
            }
            Held::Not(why) => {
                let is_told = |(told, at): &(NotUnder, Instant)| *told == why && at.elapsed() < AGAIN;
                if !self.told.as_ref().is_some_and(is_told) {
                    tracing::error!("this router writes nothing: {why}");
                    self.told = Some((why, Instant::now()));
                }
                Leave::Refused
            }
        }
    }

    /// Keeps back the dispatches under a directory that does not stand under the key.
    pub(crate) fn sift(&mut self, parts: &mut Vec<Part>) {
        if self.pin.is_none() {
            return;
        }
        let all = parts.len();
        parts.retain(|part| {
            let dispatch = part.facts.first().filter(|_| part.kind == Kind::Dispatch);
            let under = dispatch.and_then(|fact| from_body::<Dispatch>("dispatch", &fact.body).ok());
            under.is_none_or(|dispatch| dispatch.directory >= self.from)
        });
        let kept_back = all - parts.len();
        if kept_back > self.kept_back {
            tracing::error!(
                kept_back,
                from = self.from,
                "events were said under a directory before the first that the trusted key signed: they are not dispatched. Were they yours, start one router without the key until they are"
            );
        }
        self.kept_back = kept_back;
    }
}
