//! The report over a period as CSV: all its figures in one table, and the failed contacts in the same.

use super::failed;
use crate::{
    Contact, DutyTally, Error, Failed, Figures, PeriodReport,
    render::cells::{self, Cells, or_empty},
};

/// The names of the columns. A row is of everybody, of a kind, a recipient, a part of the period, an incident, of what
/// an operator owed, aimed at or promised, or of attempts that failed alike for one contact; seconds are unrounded.
const COLUMNS: [&str; 41] = [
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
    "owed",
    "done_in_time",
    "done_late",
    "not_called",
    "overdue",
    "superseded",
    "lifted",
];

/// The report over a period as CSV: one row for everybody, each part of the period, kind, recipient, and incident, with
/// the same columns of figures; one each for the duties, targets and promises of an operator; and one for each contact and
/// way in which its mails failed. Cells that a spreadsheet would run as a formula begin with an apostrophe.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn period_csv(report: &PeriodReport) -> Result<String, Error> {
    cells::table(&COLUMNS, rows(report)).map_err(|why| failed(report, "CSV", why))
}

fn rows(report: &PeriodReport) -> Vec<Cells> {
    let period = &report.period;
    let days = [period.from.to_string(), period.to.to_string()];
    let head = |of: &str, [from, to]: [String; 2]| -> Cells {
        vec![("of", of.to_owned()), ("from", from), ("to", to), ("status", period.status.to_string())]
    };
    let whole = |of: &str| head(of, days.clone());
    let mut rows = vec![with(whole("everybody"), figures(&report.figures))];
    for part in &report.trend {
        let days = [part.from.to_string(), part.to.to_string()];
        rows.push(with(head("part", days), figures(&part.figures)));
    }
    for of in &report.by_kind {
        rows.push(with(with(whole("kind"), [("kind", of.kind.clone())]), figures(&of.figures)));
    }
    for of in &report.by_recipient {
        let who = [("name", of.name.clone()), ("id", of.id.to_string()), ("kind", of.kind.clone())];
        rows.push(with(with(whole("recipient"), who), figures(&of.figures)));
    }
    for of in &report.incidents {
        let at = of.published_at.to_string();
        let delay = of.operator_delay_seconds;
        let own = [
            ("name", of.headline.clone()),
            ("id", of.id.to_string()),
            ("publisher", of.publisher.to_string()),
            ("operator_from_began_seconds", or_empty(delay.from_began)),
            ("operator_from_detected_seconds", or_empty(delay.from_detected)),
        ];
        rows.push(with(with(head("incident", [at.clone(), at]), own), figures(&of.figures)));
    }
    for of in &report.operators {
        let sorts =
            [("duty", of.duties.duties), ("target", of.duties.targets), ("promise", of.duties.promises)];
        for (sort, tally) in sorts {
            let own = [("publisher", of.publisher.to_string()), ("incidents", of.incidents.to_string())];
            rows.push(with(with(whole(sort), own), owed(&tally)));
        }
    }
    for of in &report.contacts {
        rows.extend(of.failed.iter().map(|failed| with(whole("contact"), contact(of, failed))));
    }
    rows
}

fn with(mut cells: Cells, more: impl IntoIterator<Item = (&'static str, String)>) -> Cells {
    cells.extend(more);
    cells
}

fn figures(figures: &Figures) -> [(&'static str, String); 16] {
    [
        ("incidents", figures.incidents.to_string()),
        ("told", figures.told.to_string()),
        ("delivered", figures.delivered.to_string()),
        ("asked", figures.asked.to_string()),
        ("acknowledged_in_time", figures.acknowledged_in_time.to_string()),
        ("acknowledged_late", figures.acknowledged_late.to_string()),
        ("silent", figures.silent.to_string()),
        ("open", figures.open.to_string()),
        ("excused", figures.excused.to_string()),
        ("escalated", figures.escalated.to_string()),
        ("neither", figures.neither.to_string()),
        ("share_in_time", or_empty(figures.share_in_time)),
        ("measured", figures.measured.to_string()),
        ("median_seconds", or_empty(figures.median_seconds)),
        ("p95_seconds", or_empty(figures.p95_seconds)),
        ("slowest_seconds", or_empty(figures.slowest_seconds)),
    ]
}

fn owed(tally: &DutyTally) -> [(&'static str, String); 8] {
    [
        ("owed", tally.owed.to_string()),
        ("done_in_time", tally.in_time.to_string()),
        ("done_late", tally.late.to_string()),
        ("not_called", tally.not_called.to_string()),
        ("overdue", tally.overdue.to_string()),
        ("open", tally.open.to_string()),
        ("superseded", tally.superseded.to_string()),
        ("lifted", tally.lifted.to_string()),
    ]
}

fn contact(of: &Contact, failed: &Failed) -> [(&'static str, String); 10] {
    [
        ("name", of.name.clone()),
        ("id", of.recipient.to_string()),
        ("contact", of.contact.clone()),
        ("address", of.address.clone()),
        ("mails", of.mails.to_string()),
        ("mails_taken", of.taken.to_string()),
        ("failed_outcome", failed.outcome.as_str().to_owned()),
        ("failed_code", or_empty(failed.code)),
        ("failed_attempts", failed.attempts.to_string()),
        ("failed_last_reply", failed.last_reply.clone()),
    ]
}
