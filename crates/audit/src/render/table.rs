//! The report as plain text for a terminal of 100 columns.

use std::fmt::Write;

use super::{
    View,
    story::{Line, Row, Story},
    text::{Text, WIDTH, fit},
};
use crate::{Report, report::State};

/// How many problems of the record are told in full: the page and the JSON have all.
const PROBLEMS: usize = 25;

/// How many of the troubled are told.
const TROUBLED: usize = 40;

/// The report as plain text for a terminal of 100 columns: no colour, and no control character but the end of a line.
/// What is wrong with the record stands last, where a reader's eye ends up.
pub fn table(report: &Report, view: &View) -> String {
    let story = Story::of(report, view);
    let mut page = Text::default();
    head(&mut page, &story);
    lines(&mut page, &titled("OPERATOR", story.day), &story.operator);
    story.operators.iter().for_each(|sheet| page.sheet(sheet));
    lines(&mut page, &titled("RECIPIENTS", story.day), &story.recipients);
    if !story.slowest.is_empty() {
        lines(&mut page, &titled("SLOWEST, NOTICE TO ACKNOWLEDGEMENT", story.day), &story.slowest);
    }
    machine(&mut page, &story);
    story.peoples.iter().chain(&story.figures).for_each(|sheet| page.sheet(sheet));
    events(&mut page, &story);
    troubled(&mut page, &story);
    linked(&mut page, &story);
    comparison(&mut page, &story);
    problems(&mut page, &story);
    page.text
}

fn head(page: &mut Text, story: &Story) {
    match story.marking {
        Some(marking) => page.wrapped("", &format!("{marking}: {}", story.headline)),
        None => page.wrapped("", &story.headline),
    }
    page.wrapped(
        "",
        &format!("Incident {}, published by {}. {}", story.incident, story.publisher, story.clock),
    );
    if let Some(replay) = &story.replay {
        page.wrapped("", replay);
    }
    page.line("");
    page.wrapped("", &story.verdict);
}

fn linked(page: &mut Text, story: &Story) {
    if story.linked.is_empty() {
        return;
    }
    page.title("OTHER TRAILS OF IT (nothing was merged)");
    for row in &story.linked {
        page.wrapped("  ", &format!("{}, {}, {}", row.trail, row.said.both(), row.apart));
        let seen = row.seen.as_ref().map(|at| format!("seen {} as its author says: ", at.both()));
        page.wrapped("       - ", &format!("{}{}", seen.unwrap_or_default(), row.words));
        page.wrapped("       - ", &row.link);
    }
}

fn titled(title: &str, of: &str) -> String {
    if of.is_empty() { title.to_owned() } else { format!("{title} ({of})") }
}

fn lines(page: &mut Text, title: &str, lines: &[Line]) {
    page.title(title);
    let label = widest(lines.iter().map(|line| line.label.as_str()), 36);
    let value = widest(lines.iter().map(|line| line.value.as_str()), 38);
    for line in lines {
        let left = format!("  {}  {}  ", fit(&line.label, label), fit(&line.value, value));
        if line.note.is_empty() { page.line(&left) } else { page.wrapped(&left, &line.note) }
    }
}

fn machine(page: &mut Text, story: &Story) {
    page.title(&format!(
        "{:<44}{:>6}{:>14}{:>14}",
        "MACHINE (measured, by the broker's clock)", "of", "median", "slowest"
    ));
    for row in &story.machine {
        page.line(&format!("  {:<42}{:>6}{:>14}{:>14}", row.label, row.of, row.median, row.slowest));
    }
}

fn events(page: &mut Text, story: &Story) {
    page.title(&titled("EVENTS", story.day));
    for event in &story.events {
        let left = format!("  {:>2} {:<14}{:<29}", event.event.get(), event.kind, event.published.both());
        page.wrapped(&left, &event.headline);
        page.wrapped("       - ", &event.standing);
        for note in &event.notes {
            page.wrapped("       - ", note);
        }
    }
}

fn troubled(page: &mut Text, story: &Story) {
    let troubled: Vec<&Row> = story.troubled().collect();
    page.title(&titled("LATE, SILENT, OPEN OR ESCALATED", story.day));
    if troubled.is_empty() {
        page.line("  nobody");
    }
    for row in troubled.iter().take(TROUBLED) {
        let mut words = format!("{}, event {}", row.kind, row.event);
        if let Some(due) = &row.due {
            let _ = write!(words, ", due {}", due.both());
        }
        if let Some(at) = &row.acknowledged {
            let _ = write!(words, ", acknowledged {}", at.both());
        }
        if !row.by.is_empty() {
            let _ = write!(words, " by {}", row.by);
        }
        if !row.standing.is_empty() {
            let _ = write!(words, ": {}", row.standing);
        }
        let word = if row.state == State::InTime { "in time" } else { row.state.words() };
        page.wrapped(&format!("  {} {} ", fit(&word.to_uppercase(), 11), fit(&row.name, 34)), &words);
        for mail in &row.mails {
            let mut words = format!("e-mail {}: {}", mail.to, mail.became);
            if let Some(at) = &mail.accepted {
                let _ = write!(words, ", at {}", at.both());
            }
            if let Some(took) = &mail.took {
                let _ = write!(words, ", {took} after it was owed (measured)");
            }
            page.wrapped("              > ", &words);
        }
    }
    if troubled.len() > TROUBLED {
        page.line(&format!("  and {} more, in the page and in the JSON", troubled.len() - TROUBLED));
    }
}

fn comparison(page: &mut Text, story: &Story) {
    let Some(comparison) = &story.comparison else { return };
    page.line("");
    page.wrapped("", &comparison.title);
    let width = |at: usize, most| widest(comparison.rows.iter().map(|row| row[at].as_str()), most);
    let (label, then, now) = (width(0, 34), width(1, 22).max(4), width(2, 22).max(3));
    if !comparison.rows.is_empty() {
        page.line(&format!("  {}  {}  {}", fit("", label), fit("then", then), fit("now", now)));
    }
    for [name, before, after, note] in &comparison.rows {
        let left = format!("  {}  {}  {}  ", fit(name, label), fit(before, then), fit(after, now));
        if note.is_empty() { page.line(&left) } else { page.wrapped(&left, note) }
    }
    for note in &comparison.notes {
        page.wrapped("  ", note);
    }
}

fn problems(page: &mut Text, story: &Story) {
    if story.problems.is_empty() {
        page.title("PROBLEMS: none found. Every signature was verified, and every finding held against the receipts.");
        return;
    }
    page.title(&"=".repeat(WIDTH));
    page.line(&format!("PROBLEMS: {}", story.problems.len()));
    for problem in story.problems.iter().take(PROBLEMS) {
        page.wrapped("  ! ", &format!("{}: {}", problem.code.to_uppercase(), problem.text));
    }
    if story.problems.len() > PROBLEMS {
        page.line(&format!("  ! and {} more, in the page and in the JSON", story.problems.len() - PROBLEMS));
    }
    page.line(&"=".repeat(WIDTH));
}

fn widest<'a>(cells: impl Iterator<Item = &'a str>, most: usize) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(most)
}
