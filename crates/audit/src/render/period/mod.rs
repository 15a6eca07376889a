//! The report over a period, as people and programs read it.

mod csv;
mod html;
mod sheets;
mod table;

pub use csv::period_csv;
pub use html::{period_fragment, period_html};
pub use table::period_table;

use tocsin_protocol::Status;

use super::sheet::Sheet;
use crate::{
    Error, PeriodReport,
    words::{Zone, length, plain, share, utc},
};

/// The report as JSON, as the schema `period-report` describes it, with no newline at its end.
///
/// # Errors
/// [`Error::Render`] when it cannot be serialised.
pub fn period_json(report: &PeriodReport) -> Result<String, Error> {
    serde_json::to_string_pretty(report).map_err(|why| failed(report, "JSON", why.to_string()))
}

pub(super) fn failed(report: &PeriodReport, form: &'static str, why: String) -> Error {
    Error::Render { what: format!("{} to {}", report.period.from, report.period.to), form, why }
}

/// The report in words, for the table, the page and the print.
pub(super) struct PeriodStory {
    /// `EXERCISES` or `TESTS`, and that they were no real failures.
    pub(super) marking: Option<&'static str>,
    pub(super) title: String,
    /// Whose figures these are, where they are not everybody's.
    pub(super) whose: Option<String>,
    pub(super) verdict: String,
    /// How it was counted, which clock, what was left out.
    pub(super) notes: Vec<String>,
    pub(super) sheets: Vec<Sheet>,
    pub(super) source: String,
}

impl PeriodStory {
    pub(super) fn of(report: &PeriodReport) -> Self {
        let period = &report.period;
        let zone = Zone::named(&period.time_zone);
        let (what, marking) = match period.status {
            Status::Actual => ("actual incidents", None),
            Status::Exercise => ("exercises", Some("EXERCISES - no real failures")),
            Status::Test => ("tests", Some("TESTS - no real failures")),
        };
        let mut notes = vec![
            format!(
                "The days are those of {}. A recipient counts once for each incident, as it did at its worst event; lengths \
                 of time run from the notice to the acknowledgement, of each event that asked for one.",
                plain(&period.time_zone)
            ),
            left_out(report),
        ];
        notes.retain(|note| !note.is_empty());
        let provenance = &report.provenance;
        Self {
            marking,
            title: format!("Timeliness of {what}, {} to {}", period.from, period.to),
            whose: match (&period.publisher, &period.recipient) {
                (Some(publisher), _) => Some(format!("Of the incidents that {publisher} published.")),
                (None, Some(recipient)) => {
                    Some(format!("The figures of {recipient} alone, of the incidents that it was told of."))
                }
                (None, None) => None,
            },
            verdict: verdict(report, what),
            notes,
            sheets: sheets::sheets(report, &zone),
            source: format!(
                "As of {}, by the broker's clock. Read: {} entries of TOCSIN_SAID through sequence {}, {} of TOCSIN_LOG \
                 through sequence {}. Directory: {}, version {}. \"In time\" is an acknowledgement not after the moment at \
                 which its window was due. An e-mail that a relay took was handed over, which is not that anybody read it.",
                utc(provenance.as_of),
                provenance.said.entries,
                provenance.said.last_sequence,
                provenance.log.entries,
                provenance.log.last_sequence,
                provenance.directory_name.as_deref().map_or_else(|| "none".to_owned(), plain),
                provenance.directory_version.map_or_else(|| "none".to_owned(), |version| version.to_string()),
            ),
        }
    }
}

fn verdict(report: &PeriodReport, what: &str) -> String {
    let figures = &report.figures;
    if report.incidents.is_empty() {
        return format!("There were no {what} in these days.");
    }
    let of = match report.incidents.len() {
        1 => "1 incident".to_owned(),
        n => format!("{n} incidents"),
    };
    if figures.asked == 0 {
        return format!("{of}. Nobody was asked to acknowledge.");
    }
    let mut parts = vec![format!(
        "{} acknowledged in time",
        share(figures.acknowledged_in_time, figures.asked, " asked")
    )];
    for (count, what) in [
        (figures.acknowledged_late, "late"),
        (figures.silent, "silent"),
        (figures.open, "with the window still open"),
        (figures.excused, "excused, as the incident ended first"),
        (figures.escalated, "escalated to by e-mail"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let median = figures
        .median_seconds
        .map(|median| {
            format!(" Half of the {} acknowledgements took {} or less.", figures.measured, length(median))
        })
        .unwrap_or_default();
    let neither = match figures.neither {
        0 => {
            "Nobody whose window closed was left without an acknowledgement in time or an e-mail.".to_owned()
        }
        n => {
            let were = if n == 1 { "WAS" } else { "WERE" };
            format!("{n} {were} LEFT WITH NEITHER an acknowledgement in time nor an e-mail.")
        }
    };
    format!("{of}. {}.{median} {neither}", parts.join("; "))
}

fn left_out(report: &PeriodReport) -> String {
    let words: Vec<String> = report
        .left_out
        .iter()
        .map(|other| {
            let what = match (other.status, other.incidents) {
                (Status::Actual, 1) => "actual incident",
                (Status::Actual, _) => "actual incidents",
                (Status::Exercise, 1) => "exercise",
                (Status::Exercise, _) => "exercises",
                (Status::Test, 1) => "test",
                (Status::Test, _) => "tests",
            };
            format!("{} {what}", other.incidents)
        })
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!("Not counted here: {} of the same days.", words.join(", "))
    }
}
