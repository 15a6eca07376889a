//! The report over a period as plain text for a terminal of 100 columns.

use super::PeriodStory;
use crate::{
    PeriodReport,
    render::{
        sheet::Sheet,
        text::{Text, fit},
    },
};

/// How many rows of a table are told: the page and the JSON have all.
const ROWS: usize = 300;

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
        put(&mut page, sheet);
    }
    page.line("");
    page.wrapped("", &story.source);
    page.text
}

fn put(page: &mut Text, sheet: &Sheet) {
    if sheet.rows.is_empty() {
        page.title(&format!("{}: {}", sheet.title.to_uppercase(), sheet.none));
        return;
    }
    page.title(&sheet.title.to_uppercase());
    if !sheet.note.is_empty() {
        page.wrapped("  ", &sheet.note);
    }
    let shown: Vec<(usize, usize)> = sheet
        .columns
        .iter()
        .enumerate()
        .filter_map(|(place, column)| column.terminal.map(|width| (place, width)))
        .collect();
    let heads: Vec<String> = sheet.columns.iter().map(|column| column.name.to_owned()).collect();
    for cells in [&heads].into_iter().chain(sheet.rows.iter().take(ROWS)) {
        let mut line = String::from(" ");
        let Some((last, others)) = shown.split_last() else { return };
        for (place, width) in others {
            line.push(' ');
            line.push_str(&cell(&cells[*place], *width, sheet.columns[*place].figures));
        }
        if sheet.columns[last.0].figures {
            line.push(' ');
            line.push_str(&cell(&cells[last.0], last.1, true));
            page.line(&line);
        } else {
            page.wrapped(&format!("{line} "), &cells[last.0]);
        }
    }
    if sheet.rows.len() > ROWS {
        page.line(&format!("  and {} more, in the page and in the JSON", sheet.rows.len() - ROWS));
    }
}

fn cell(words: &str, width: usize, figures: bool) -> String {
    let fitted = fit(words, width);
    if !figures {
        return fitted;
    }
    let kept = fitted.trim_end();
    format!("{}{kept}", " ".repeat(width.saturating_sub(kept.chars().count())))
}
