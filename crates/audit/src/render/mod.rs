//! The report as people and programs read it: a table for a terminal, JSON, CSV, and one self-contained HTML page.
//!
//! JSON and CSV are data: broker's times in UTC, unrounded. Table and page are for people: times in the directory's
//! zone with UTC beside, or those of a replayed day ([`Replay`]). Whatever came from outside is escaped; no control
//! character reaches a terminal.

mod calls;
mod cells;
mod csv;
mod html;
mod json;
mod page;
mod pdf;
mod period;
mod picture;
mod scores;
mod sheet;
mod story;
mod table;
mod text;
mod verdict;
mod view;

pub use calls::{call_list_fragment, call_list_html, call_list_json, call_list_text};
pub use csv::csv;
pub use html::{STYLE, fragment, html};
pub use json::json;
pub use pdf::{call_list_pdf, pdf, period_pdf};
pub use period::{period_csv, period_fragment, period_html, period_json, period_table};
pub use scores::{scores_csv, scores_html, scores_json, scores_table};
pub use table::table;
pub use verdict::{verdict_fragment, verdict_json};
pub use view::{Anchor, Replay, View};
