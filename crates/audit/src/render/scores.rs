//! The scores of exercises, as people and programs read them.

use askama::Template;

use super::{
    cells::{self, Cells, or_empty},
    page::page,
    period::PeriodStory,
    sheet::{Bars, Column, Sheet},
    text::Text,
};
use crate::{
    Error, Scores,
    words::{Zone, kind, length, plain, share, utc},
};

const MARKING: &str = "EXERCISES - no real failures";

/// The columns of the CSV.
const COLUMNS: [&str; 13] = [
    "of",
    "id",
    "name",
    "kind",
    "incident",
    "asked",
    "in_time",
    "late",
    "never",
    "median_seconds",
    "trend",
    "state",
    "seconds",
];

#[derive(Template)]
#[template(path = "period-body.html")]
struct Body<'a> {
    story: &'a PeriodStory,
}

/// The scores as JSON, with no newline at its end.
///
/// # Errors
/// [`Error::Render`] when they cannot be serialised.
pub fn scores_json(scores: &Scores) -> Result<String, Error> {
    serde_json::to_string_pretty(scores).map_err(|why| failed(scores, "JSON", why.to_string()))
}

/// The scores for a terminal of 100 columns.
pub fn scores_table(scores: &Scores) -> String {
    let story = story(scores);
    let mut text = Text::default();
    text.wrapped("", &format!("{MARKING}: {}", story.title));
    story.notes.iter().for_each(|note| text.wrapped("", note));
    text.line("");
    text.wrapped("", &story.verdict);
    story.sheets.iter().for_each(|sheet| text.sheet(sheet));
    text.line("");
    text.wrapped("", &story.source);
    text.text
}

/// The scores as one HTML file that a browser shows without anything else. Everything that came from outside is escaped.
///
/// # Errors
/// [`Error::Render`] when they cannot be written.
pub fn scores_html(scores: &Scores) -> Result<String, Error> {
    let story = story(scores);
    let cannot = |why: askama::Error| failed(scores, "HTML", why.to_string());
    let body = Body { story: &story }.render().map_err(cannot)?;
    page(&story.title, story.marking, &body).map_err(cannot)
}

/// The scores as CSV: a row for each recipient, and for each of its exercises. Cells that a spreadsheet would run as a
/// formula begin with an apostrophe.
///
/// # Errors
/// [`Error::Render`] when they cannot be written.
pub fn scores_csv(scores: &Scores) -> Result<String, Error> {
    let mut rows: Vec<Cells> = Vec::new();
    for score in &scores.recipients {
        let who = |of: &str| {
            vec![
                ("of", of.to_owned()),
                ("id", score.id.to_string()),
                ("name", score.name.clone()),
                ("kind", score.kind.clone()),
            ]
        };
        let mut row = who("recipient");
        row.extend([
            ("asked", score.asked.to_string()),
            ("in_time", score.in_time.to_string()),
            ("late", score.late.to_string()),
            ("never", score.never.to_string()),
            ("median_seconds", or_empty(score.median_seconds)),
            ("trend", score.trend.words().to_owned()),
        ]);
        rows.push(row);
        for turn in &score.each {
            let mut row = who("exercise");
            row.extend([
                ("incident", turn.incident.to_string()),
                ("state", turn.state.words().to_owned()),
                ("seconds", or_empty(turn.seconds)),
            ]);
            rows.push(row);
        }
    }
    cells::table(&COLUMNS, rows).map_err(|why| failed(scores, "CSV", why))
}

fn failed(scores: &Scores, form: &'static str, why: String) -> Error {
    Error::Render { what: format!("the exercises from {} to {}", scores.from, scores.to), form, why }
}

fn story(scores: &Scores) -> PeriodStory {
    let zone = Zone::named(&scores.time_zone);
    let asked: u32 = scores.recipients.iter().map(|score| score.asked).sum();
    let in_time: u32 = scores.recipients.iter().map(|score| score.in_time).sum();
    let verdict = match scores.exercises.len() {
        0 => "There were no exercises in these days.".to_owned(),
        many => format!("{many} exercises; {} acknowledged in time.", share(in_time, asked, " asked")),
    };
    let recipients = Sheet {
        id: "recipients",
        title: "Every recipient, the worst first",
        note: String::new(),
        columns: vec![
            Column::words("recipient", 34, 3.0),
            Column::words("kind", 12, 1.5).beside(),
            Column::figures("asked", 6, 0.8),
            Column::figures("in time", 8, 0.8),
            Column::figures("late", 5, 0.8),
            Column::figures("never", 6, 0.8),
            Column::figures("median", 14, 1.2),
            Column::words("trend", 16, 1.5),
        ],
        rows: scores
            .recipients
            .iter()
            .map(|score| {
                vec![
                    plain(&score.name),
                    kind(&score.kind),
                    score.asked.to_string(),
                    score.in_time.to_string(),
                    score.late.to_string(),
                    score.never.to_string(),
                    score.median_seconds.map_or_else(|| "-".to_owned(), length),
                    score.trend.words().to_owned(),
                ]
            })
            .collect(),
        none: "Nobody was asked to acknowledge.",
        glance: None,
        bars: None,
    };
    let exercises = Sheet {
        id: "exercises",
        title: "The exercises",
        note: String::new(),
        columns: vec![
            Column::words("exercise", 40, 3.0),
            Column::words("published", 24, 2.0),
            Column::figures("asked", 8, 0.8),
            Column::figures("in time", 8, 0.8),
        ],
        rows: scores
            .exercises
            .iter()
            .map(|one| {
                vec![
                    format!("{}: {}", one.incident, plain(&one.headline)),
                    format!("{} {}", zone.day(one.published_at), zone.minute(one.published_at)),
                    one.asked.to_string(),
                    one.in_time.to_string(),
                ]
            })
            .collect(),
        none: "There was none.",
        glance: None,
        bars: None,
    };
    PeriodStory {
        marking: Some(MARKING),
        title: format!("Exercises, {} to {}", scores.from, scores.to),
        whose: None,
        verdict,
        notes: vec![
            format!("The days are those of {}. A recipient counts once for each exercise, as it did at its worst event.", plain(&scores.time_zone)),
            "The trend holds the later half of its exercises against the earlier: by the share in time where that differs by \
             a tenth at least, else by the median where that differs by a fifth. Fewer than two in a half tell nothing."
                .to_owned(),
        ],
        sheets: vec![recipients, exercises],
        source: format!(
            "As of {}, by the broker's clock. Read: {} entries of TOCSIN_SAID through sequence {}, {} of TOCSIN_LOG \
             through sequence {}.",
            utc(scores.provenance.as_of),
            scores.provenance.said.entries,
            scores.provenance.said.last_sequence,
            scores.provenance.log.entries,
            scores.provenance.log.last_sequence,
        ),
    }
}
