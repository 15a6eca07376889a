//! The report over a period as plain text for a terminal of 100 columns.

use super::PeriodStory;
use crate::{PeriodReport, render::text::Text};

/// The report over a period as plain text for a terminal of 100 columns: no colour, and no control character but the end
/// of a line.
pub fn period_table(report: &PeriodReport) -> String {
    let story = PeriodStory::of(report);
    let mut page = Text::default();
    match story.marking {
        Some(marking) => page.wrapped("", &format!("{marking}: {}", story.title)),
        None => page.wrapped("", &story.title),
    }
    story.whose.iter().chain(&story.notes).for_each(|note| page.wrapped("", note));
    page.line("");
    page.wrapped("", &story.verdict);
    for sheet in &story.sheets {
        page.sheet(sheet);
    }
    page.line("");
    page.wrapped("", &story.source);
    page.text
}
