//! The router: follows both streams, asks `tocsin-duty` what follows from them, and appends it.
//!
//! It may touch the bus through `tocsin-ledger` and nothing else. It decides nothing (the fold does), holds no state
//! of its own (both streams do) and no timer for a duty (the broker does). Any number of routers may run at once,
//! anywhere: each fact is written once under its subject, and who comes second reads what the first wrote and takes
//! it into its fold. So the log comes out the same, and none of them leads.
//!
//! # What a crash leaves, and who mends it
//!
//! A router may die between any two lines. What it leaves is always the start of the same log, and whichever router
//! folds both streams next, another or itself restarted, owes the rest:
//!
//! - *Read, nothing written*: the replay owes the same facts.
//! - *Within an append*: it is an atomic batch, so all of it is written or nothing. A dispatch beyond a thousand facts
//!   is several batches, the record and the windows in the first; from the record the fold owes the notices that are
//!   missing. A finding beyond a thousand names the silent, and from that the fold owes the missing escalations.
//! - *Written, the acknowledgement lost*: the ledger asks again, and it ends as one fact.
//! - *Dispatched, then no router alive*: the broker closes the windows by itself. Each `due` waits in the log, and the
//!   first router to read it owes the finding.
//! - *Refusals, some unwritten*: what carries `Tocsin-Said-Through` counts only up to the first refusal that is not yet
//!   in the log, so that no restart trusts past it.
//! - *A directory in force, the recipients' durables not made*: every start makes those of the directory in force.
//!
//! # When a finding may be written
//!
//! A finding says who was silent, so everything said by the time of the `due` must have been folded first. The ledger
//! reports that moment (`Read::caught_up`: with every entry of the log given so far, all that had been said when it was
//! stored), and only then are findings written: see `turn`. It comes under a flood too, as each round of the ledger
//! reads up to an end that was asked for once. Dispatches do not wait for it: they rest on the event and the directory
//! in force at its time.
//!
//! # Whose directory it works under
//!
//! Any that is in force; or, where it was told a `directory_key`, one under that key alone: see `gate`.
//!
//! # Why a replay need not check signatures again
//!
//! See `trust`.
//!
//! # Checkpoints
//!
//! A router that is given the directory's `checkpoint_key` signs what both streams hold: see `checkpoints`.
//!
//! # Why a replay need not read everything
//!
//! See `snapshots`.
//!
//! # What cannot be written
//!
//! A fact that the broker refuses for good (larger than it takes, say) or that stands in the log as no router would
//! have written it is told in the log of this process and set aside: tried again after a growing pause, or never.
//! Everything else goes on. See `aside`.

mod append;
mod aside;
mod checkpoints;
mod desks;
mod error;
mod gate;
mod plan;
mod router;
mod snapshots;
mod tell;
mod trust;
mod turn;

pub use error::Error;
pub use router::Router;
