//! The report over a period as CSV: all its figures in one table, and the failed contacts in the same.

use super::failed;
use crate::{Contact, Error, Failed, Figures, PeriodReport, render::csv::guarded};

/// The names of the columns. A row is of everybody, of a kind, a recipient, a part of the period, an incident, or of
/// attempts that failed alike for one contact; seconds are unrounded.
const COLUMNS: [&str; 34] = [
    "of",
    "name",
    "id",
    "kind",
    "from",
    "to",
    "status",
    "incidents",
    "told",
    "delivered",
    "asked",
    "acknowledged_in_time",
    "acknowledged_late",
    "silent",
    "open",
    "excused",
    "escalated",
    "neither",
    "share_in_time",
    "measured",
    "median_seconds",
    "p95_seconds",
    "slowest_seconds",
    "publisher",
    "operator_from_began_seconds",
    "operator_from_detected_seconds",
    "contact",
    "address",
    "mails",
    "mails_taken",
    "failed_outcome",
    "failed_code",
    "failed_attempts",
    "failed_last_reply",
];

/// The report over a period as CSV: one row for everybody, each part of the period, kind, recipient, and incident, with
/// the same columns of figures; and one for each contact and way in which its mails failed. Cells that a spreadsheet
/// would run as a formula begin with an apostrophe.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn period_csv(report: &PeriodReport) -> Result<String, Error> {
    let cannot = |why: String| failed(report, "CSV", why);
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(|why| cannot(why.to_string()))?;
    for row in rows(report) {
        writer.write_record(row.iter().map(|cell| guarded(cell))).map_err(|why| cannot(why.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|why| cannot(why.to_string()))?;
    String::from_utf8(bytes).map_err(|why| cannot(why.to_string()))
}

type Row = [String; COLUMNS.len()];

fn rows(report: &PeriodReport) -> Vec<Row> {
    let period = &report.period;
    let days = [period.from.to_string(), period.to.to_string()];
    let status = period.status.to_string();
    let row = |of: &str, name: &str, id: &str, kind: &str, days: &[String; 2], figures: &Figures| -> Row {
        let mut row = empty();
        let head = [of, name, id, kind, &days[0], &days[1], &status];
        row.iter_mut().zip(head).for_each(|(cell, value)| value.clone_into(cell));
        row.iter_mut().skip(head.len()).zip(cells(figures)).for_each(|(cell, value)| *cell = value);
        row
    };
    let mut rows = vec![row("everybody", "", "", "", &days, &report.figures)];
    for part in &report.trend {
        rows.push(row("part", "", "", "", &[part.from.to_string(), part.to.to_string()], &part.figures));
    }
    for of in &report.by_kind {
        rows.push(row("kind", "", "", &of.kind, &days, &of.figures));
    }
    for of in &report.by_recipient {
        rows.push(row("recipient", &of.name, of.id.as_str(), &of.kind, &days, &of.figures));
    }
    for of in &report.incidents {
        let at = of.published_at.to_string();
        let mut row = row("incident", &of.headline, of.id.as_str(), "", &[at.clone(), at], &of.figures);
        let delay = of.operator_delay_seconds;
        let seconds = |seconds: Option<f64>| seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        row[23] = of.publisher.to_string();
        row[24] = seconds(delay.from_began);
        row[25] = seconds(delay.from_detected);
        rows.push(row);
    }
    for of in &report.contacts {
        rows.extend(of.failed.iter().map(|failed| contact(of, failed, &days, &status)));
    }
    rows
}

fn empty() -> Row {
    std::array::from_fn(|_| String::new())
}

fn cells(figures: &Figures) -> [String; 16] {
    let seconds = |seconds: Option<f64>| seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    [
        figures.incidents.to_string(),
        figures.told.to_string(),
        figures.delivered.to_string(),
        figures.asked.to_string(),
        figures.acknowledged_in_time.to_string(),
        figures.acknowledged_late.to_string(),
        figures.silent.to_string(),
        figures.open.to_string(),
        figures.excused.to_string(),
        figures.escalated.to_string(),
        figures.neither.to_string(),
        seconds(figures.share_in_time),
        figures.measured.to_string(),
        seconds(figures.median_seconds),
        seconds(figures.p95_seconds),
        seconds(figures.slowest_seconds),
    ]
}

fn contact(of: &Contact, failed: &Failed, days: &[String; 2], status: &str) -> Row {
    let mut row = empty();
    let head = ["contact", &of.name, of.recipient.as_str(), "", &days[0], &days[1], status];
    row.iter_mut().zip(head).for_each(|(cell, value)| value.clone_into(cell));
    let tail = [
        of.contact.clone(),
        of.address.clone(),
        of.mails.to_string(),
        of.taken.to_string(),
        failed.outcome.as_str().to_owned(),
        failed.code.map(|code| code.to_string()).unwrap_or_default(),
        failed.attempts.to_string(),
        failed.last_reply.clone(),
    ];
    row.iter_mut().skip(26).zip(tail).for_each(|(cell, value)| *cell = value);
    row
}
