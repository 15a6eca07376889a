//! When what a monitor reports becomes an event without a person. The time is an argument; nothing here reads a clock.
//!
//! A report becomes an event when a rule is for it that lets it, and none of this stands against it:
//!
//! | it is kept a draft when | so that |
//! |---|---|
//! | it was over before it had held for `held_for` | what flaps wakes nobody |
//! | it is of the future | a broken clock tells nobody when |
//! | the same alert's incident is open, or another of the same service and place | one outage is one incident |
//! | `within` has passed since it might have been said | nothing old is told as if it were new |
//! | as many were opened by rule in an hour as may be | a hostile monitor cannot storm everybody |
//! | none of its areas is the publisher's to speak of | - |
//!
//! All of it rests on the record and the broker's clock, and the event is made of rule and report alone: whoever judges
//! again, after a crash or on another machine, comes to the same bytes under the same name. What was once refused for its
//! hour stays refused.

mod judge;
mod rule;
#[cfg(test)]
mod tests;

pub use judge::{Judged, KnownIncident, Reported, Why, judge_later, judge_report};
pub use rule::{EventRule, May, Rules, Template};
