//! The report as a tagged PDF (PDF/UA-1), for whoever keeps files: laid out here, written by krilla.
//!
//! The same report gives the same bytes: dates are the report's own. Headings, paragraphs, lists, tables with their heads
//! and pictures with their words are tagged in the order in which they are read. A head is repeated where its table goes
//! on over a page, as decoration.

mod drawing;
mod face;
mod file;
mod paper;

use super::{
    View,
    calls::CallStory,
    period::{PeriodStory, failed},
    picture::pictures,
    sheet::{Column, Sheet},
    story::{Line, Row, Story},
};
use crate::{CallList, Error, PeriodReport, Report};
use face::Faces;
use file::About;
use paper::{Look, Paper, Style};

/// The report as a tagged PDF.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn pdf(report: &Report, view: &View) -> Result<Vec<u8>, Error> {
    let cannot =
        |why: String| Error::Render { what: format!("incident {}", report.incident.id), form: "PDF", why };
    let faces = Faces::load().map_err(|why| cannot(why.to_owned()))?;
    let story = Story::of(report, view);
    let mut paper = Paper::new(&faces);
    head(&mut paper, &story);
    comparison(&mut paper, &story);
    paper.heading(2, "What happened when");
    for picture in pictures(report, view) {
        drawing::timeline(&mut paper, &picture);
    }
    lines(
        &mut paper,
        "The operator",
        "The operator's: what it states, and when that was recorded and told",
        story.day,
        &story.operator,
    );
    story.operators.iter().for_each(|of| sheet(&mut paper, of));
    lines(
        &mut paper,
        "The recipients",
        "The recipients': from the notice to the acknowledgement",
        story.day,
        &story.recipients,
    );
    lines(&mut paper, "The slowest", "The recipients': notice to acknowledgement", story.day, &story.slowest);
    machine(&mut paper, &story);
    story.peoples.iter().chain(&story.figures).for_each(|of| sheet(&mut paper, of));
    paper.heading(2, "Late, silent, open or escalated");
    let troubled: Vec<&Row> = story.troubled().collect();
    rows(
        &mut paper,
        "Recipients that were not plainly in time, by their worst event, with every e-mail owed",
        &troubled,
    );
    paper.heading(2, "The events");
    for event in &story.events {
        paper.heading(
            3,
            &format!("{} {}, {}: {}", event.event, event.kind, event.published.both(), event.headline),
        );
        paper.list([event.standing.clone()].into_iter().chain(event.notes.iter().cloned()));
        rows(&mut paper, "Every recipient of this event", &event.rows.iter().collect::<Vec<_>>());
    }
    linked(&mut paper, &story);
    refusals(&mut paper, &story);
    paper.heading(2, "Problems of the record");
    if story.problems.is_empty() {
        paper.paragraph("None was found.", Style::BODY);
    }
    paper.list(story.problems.iter().map(|problem| format!("{}: {}", problem.code, problem.text)));
    lines(&mut paper, "From what this was made", "What was read", "", &story.sources);
    paper.paragraph(
        "A time is the broker's timestamp of the fact. \"In time\" is an acknowledgement not after the moment at which its \
         window was due. An e-mail that a relay took was handed over, which is not that anybody read it.",
        Style::NOTE,
    );
    let about = About { title: story.title(), marking: story.marking, as_of: report.provenance.as_of };
    file::write(paper, &about).map_err(cannot)
}

/// The report over a period as a tagged PDF.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn period_pdf(report: &PeriodReport) -> Result<Vec<u8>, Error> {
    let cannot = |why: String| failed(report, "PDF", why);
    let faces = Faces::load().map_err(|why| cannot(why.to_owned()))?;
    let story = PeriodStory::of(report);
    let mut paper = Paper::new(&faces);
    if let Some(marking) = story.marking {
        paper.paragraph(marking, Style::STRONG);
    }
    paper.heading(1, &story.title);
    if let Some(whose) = &story.whose {
        paper.paragraph(whose, Style::STRONG);
    }
    paper.paragraph(&story.verdict, Style::STRONG);
    for note in &story.notes {
        paper.paragraph(note, Style::NOTE);
    }
    story.sheets.iter().for_each(|of| sheet(&mut paper, of));
    paper.heading(2, "From what this was made");
    paper.paragraph(&story.source, Style::NOTE);
    let about = About { title: story.title, marking: story.marking, as_of: report.provenance.as_of };
    file::write(paper, &about).map_err(cannot)
}

/// The call list as a tagged PDF, with room to write who was spoken to and when.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn call_list_pdf(list: &CallList) -> Result<Vec<u8>, Error> {
    let cannot = |why: String| super::calls::failed("PDF", why);
    let faces = Faces::load().map_err(|why| cannot(why.to_owned()))?;
    let story = CallStory::of(list);
    let mut paper = Paper::new(&faces);
    if let Some(marking) = story.marking {
        paper.paragraph(marking, Style::STRONG);
    }
    paper.heading(1, &story.title);
    paper.paragraph(&story.verdict, Style::STRONG);
    for note in &story.notes {
        paper.paragraph(note, Style::BODY);
    }
    if !story.rows.is_empty() {
        paper.heading(2, "Telephone, from the top");
        let columns = [
            words("body", 2.2),
            words("call", 2.6),
            words("has not acknowledged", 3.0),
            words("mail", 2.4),
            words("spoken to: name and role", 2.4),
            words("at, by", 1.2),
        ];
        paper.table_of(
            Look::FORM,
            "Who has not acknowledged what they must, the most urgent first",
            &columns,
            story.rows.iter().map(|row| {
                vec![
                    format!("{}. {} ({}), {}", row.number, row.name, row.kind, row.urgency),
                    row.call.join("; "),
                    format!("{}. {}", row.incident, row.about.join("; ")),
                    row.mail.join("; "),
                    String::new(),
                    String::new(),
                ]
            }),
        );
    }
    paper.paragraph(&story.source, Style::NOTE);
    let about = About { title: story.title, marking: story.marking, as_of: list.as_of };
    file::write(paper, &about).map_err(cannot)
}

fn sheet(paper: &mut Paper, sheet: &Sheet) {
    paper.heading(2, sheet.title);
    if sheet.rows.is_empty() {
        paper.paragraph(sheet.none, Style::BODY);
        return;
    }
    if let Some(bars) = &sheet.bars {
        drawing::bars(paper, bars);
    }
    let caption = if sheet.note.is_empty() { sheet.title } else { &sheet.note };
    paper.table(caption, &sheet.columns, sheet.rows.iter().cloned());
}

const fn words(name: &'static str, weight: f32) -> Column {
    Column { name, figures: false, terminal: None, weight }
}

const fn figures(name: &'static str, weight: f32) -> Column {
    Column { name, figures: true, terminal: None, weight }
}

fn head(paper: &mut Paper, story: &Story) {
    if let Some(marking) = story.marking {
        paper.paragraph(marking, Style::STRONG);
    }
    paper.heading(1, &story.headline);
    paper.paragraph(
        &format!("Timeliness report: incident {}, published by {}.", story.incident, story.publisher),
        Style::NOTE,
    );
    paper.paragraph(&story.verdict, Style::STRONG);
    if let Some(replay) = &story.replay {
        paper.paragraph(replay, Style::BODY);
    }
    paper.paragraph(&story.clock, Style::NOTE);
    let problems = match story.problems.len() {
        0 => "No problem was found in the record: every signature was verified, and every finding held against the \
              receipts."
            .to_owned(),
        n => format!("To know before believing the rest: the problems of the record ({n}), at the end."),
    };
    paper.paragraph(&problems, Style::BODY);
}

fn comparison(paper: &mut Paper, story: &Story) {
    let Some(comparison) = &story.comparison else { return };
    paper.heading(2, &comparison.title);
    let columns = [words("what", 2.0), words("then", 1.5), words("now", 1.5), words("to read it", 3.0)];
    paper.table("Then and now", &columns, comparison.rows.iter().map(|row| row.to_vec()));
    for note in &comparison.notes {
        paper.paragraph(note, Style::NOTE);
    }
}

fn lines(paper: &mut Paper, title: &str, caption: &str, day: &str, lines: &[Line]) {
    paper.heading(2, title);
    let caption = if day.is_empty() { caption.to_owned() } else { format!("{caption} ({day})") };
    if lines.is_empty() {
        paper.paragraph("nobody", Style::BODY);
        return;
    }
    let columns = [words("what", 2.0), words("figure", 3.0), words("to read it", 3.0)];
    paper.table(
        &caption,
        &columns,
        lines.iter().map(|line| vec![line.label.clone(), line.value.clone(), line.note.clone()]),
    );
}

fn machine(paper: &mut Paper, story: &Story) {
    paper.heading(2, "The machine");
    let columns =
        [words("from, to", 3.0), figures("of", 1.0), figures("median", 1.5), figures("slowest", 1.5)];
    paper.table(
        "Measured by the broker's clock, unscaled",
        &columns,
        story.machine.iter().map(|row| {
            vec![row.label.to_owned(), row.of.to_string(), row.median.clone(), row.slowest.clone()]
        }),
    );
}

fn rows(paper: &mut Paper, caption: &str, rows: &[&Row]) {
    if rows.is_empty() {
        paper.paragraph("nobody", Style::BODY);
        return;
    }
    let columns = [
        words("recipient", 2.2),
        words("state", 1.4),
        words("noticed", 1.7),
        words("held by its system", 1.7),
        words("due", 1.3),
        words("acknowledged", 1.3),
        words("by whom", 2.0),
        words("e-mails", 3.0),
    ];
    paper.table(caption, &columns, rows.iter().map(|row| cells(row)));
}

fn cells(row: &Row) -> Vec<String> {
    let both = |at: &Option<super::story::Moment>, after: &str, none: &str| match (at, after) {
        (_, "") => none.to_owned(),
        (Some(at), after) => format!("{}; after {after}", at.both()),
        (None, after) => format!("after {after}, measured"),
    };
    let moment = |at: &Option<super::story::Moment>| {
        at.as_ref().map_or_else(|| "-".to_owned(), super::story::Moment::both)
    };
    let mails: Vec<String> = row
        .mails
        .iter()
        .map(|mail| {
            let closed =
                mail.closed.as_ref().map(|at| format!("; window closed {}", at.both())).unwrap_or_default();
            let taken = mail.accepted.as_ref().map(|at| format!("; taken {}", at.both())).unwrap_or_default();
            let took =
                mail.took.as_ref().map(|took| format!(", {took} after it was owed")).unwrap_or_default();
            format!("{}: {}{closed}{taken}{took}", mail.to, mail.became)
        })
        .collect();
    let standing = if row.standing.is_empty() { String::new() } else { format!(", {}", row.standing) };
    vec![
        format!("{} ({}, {}, event {})", row.name, row.kind, row.requirement, row.event),
        format!("{} {}{standing}", Story::sign(row.state), row.state.words()),
        both(&row.noticed, &row.noticed_after, "no notice"),
        both(&row.delivered, &row.delivered_after, "not told"),
        moment(&row.due),
        moment(&row.acknowledged),
        if row.by.is_empty() { "-".to_owned() } else { row.by.clone() },
        if mails.is_empty() { "-".to_owned() } else { mails.join(". ") },
    ]
}

fn linked(paper: &mut Paper, story: &Story) {
    if story.linked.is_empty() {
        return;
    }
    paper.heading(2, "Other trails of it");
    let columns = [
        words("trail", 1.8),
        words("stood on the bus", 1.8),
        words("seen, as its author says", 1.6),
        words("what it says", 3.2),
        words("link", 2.6),
    ];
    paper.table(
        "Reports and incidents that a person has said are of the same outage, or are not; nothing was merged",
        &columns,
        story.linked.iter().map(|row| {
            vec![
                row.trail.clone(),
                format!("{}, {}", row.said.both(), row.apart),
                row.seen.as_ref().map_or_else(|| "-".to_owned(), super::story::Moment::both),
                row.words.clone(),
                row.link.clone(),
            ]
        }),
    );
}

fn refusals(paper: &mut Paper, story: &Story) {
    if story.refusals.is_empty() {
        return;
    }
    paper.heading(2, "Said, and not counted");
    let columns = [figures("sequence", 0.8), words("when", 1.4), words("subject", 3.0), words("why", 4.0)];
    paper.table(
        "What was said of this incident and refused, by its sequence in TOCSIN_SAID",
        &columns,
        story.refusals.iter().map(|row| {
            vec![
                row.said.to_string(),
                row.at.as_ref().map_or_else(|| "-".to_owned(), super::story::Moment::both),
                row.subject.clone(),
                row.why.clone(),
            ]
        }),
    );
}
