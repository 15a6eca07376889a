//! The report as people and programs read it: a table for a terminal, JSON, CSV, and one self-contained HTML page.
//!
//! JSON and CSV are data: broker's times in UTC, unrounded. Table and page are for people: times in the directory's
//! zone with UTC beside, or those of a replayed day ([`Replay`]). Whatever came from outside is escaped; no control
//! character reaches a terminal.

mod csv;
mod html;
mod json;
mod picture;
mod story;
mod table;
mod view;

pub use csv::csv;
pub use html::html;
pub use json::json;
pub use table::table;
pub use view::{Anchor, Replay, View};
