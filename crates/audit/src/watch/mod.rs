//! The watch: whether the path from the bus to everyone's desk and mail does what it must, seen from another place.
//!
//! [`Lookout`] holds the rule and is pure: entries in, and what is late as of a time of the broker's out. [`Bell`] tells
//! each alarm once, and once that it is over. [`Watcher`] is both over a bus that may be away.

mod alarm;
mod lookout;
mod watcher;

pub use alarm::{Alarm, AlarmCode, AlarmState, Bell, Rung};
pub use lookout::{Limits, Lookout};
pub use watcher::Watcher;
