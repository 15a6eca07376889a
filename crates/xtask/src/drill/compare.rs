//! This drill beside 2023.

use jiff::{SignedDuration, Timestamp};
use tocsin_audit::{Comparison, ComparisonRow, Report, State};

use super::{
    clock::{Clock, bst},
    day::{BEGAN, GOVERNMENT_TOLD, REGULATOR_TOLD, Told, moment},
    people::SILENT_DEPARTMENT,
    progress::milliseconds,
    view::span,
};
use crate::error::Error;

/// What must be known before the figures of 2023 and of the drill are held against each other.
pub(crate) const SUPPOSED: &str = "2023: minutes from 06:24, when the failure began. The drill supposes that the operator \
    publishes in that minute; when it first knew is not in the public record that we read. No bus shortens the time before \
    somebody presses send.";

/// When the regulator and the government were told in 2023, and in this drill.
///
/// # Errors
/// Never: the times stand in the source.
pub(crate) fn comparison(report: &Report, clock: &Clock, seed: u64) -> Result<Comparison, Error> {
    let began = moment(BEGAN)?;
    Ok(Comparison {
        title: "25 June 2023 and this drill".to_owned(),
        rows: vec![
            row("The regulator is told (Ofcom)", "ofcom", REGULATOR_TOLD, report, clock, began)?,
            row("The government is told (DSIT)", SILENT_DEPARTMENT, GOVERNMENT_TOLD, report, clock, began)?,
            everybody(report),
        ],
        notes: vec![
            SUPPOSED.to_owned(),
            "What people do is shown in the time of day of 2023, what machines do as measured here and not scaled."
                .to_owned(),
            format!(
                "How fast people answer, and who is silent, is drawn by lot (seed {seed}) within bounds of our own. It says \
                 nothing about any real body."
            ),
            "The windows of the United Kingdom's own protocol are not public: 15 and 30 minutes are our choice."
                .to_owned(),
            "Everything ran on one machine: what a wide network adds is not in these figures.".to_owned(),
        ],
    })
}

fn row(
    label: &str,
    id: &str,
    told: Told,
    report: &Report,
    clock: &Clock,
    began: Timestamp,
) -> Result<ComparisonRow, Error> {
    let then = format!("{} min ({} BST)", told.minutes, bst(moment(told.at)?, "%H:%M"));
    let first = report.events.first();
    let found =
        first.and_then(|event| Some((event, event.recipients.iter().find(|row| row.id.as_str() == id)?)));
    let Some((event, recipient)) = found else {
        return Ok(ComparisonRow {
            label: label.to_owned(),
            then,
            now: "not owed".to_owned(),
            note: String::new(),
        });
    };
    let (reached, what) = match (recipient.delivered_at, recipient.noticed_at) {
        (Some(at), _) => (Some(at), "from the event on the bus to the receipt of its desk"),
        (None, Some(at)) => {
            (Some(at), "from the event on the bus to its notice there; no desk of its took it in")
        }
        (None, None) => (None, "no notice was stored"),
    };
    let now = reached.map_or_else(
        || "not told".to_owned(),
        |at| format!("{}, measured", milliseconds(event.published_at, at)),
    );
    let mut note = vec![what.to_owned()];
    if let Some(mail) = recipient.escalations.iter().find(|mail| mail.event == event.event) {
        note.push(format!(
            "nobody there answered, so an e-mail went out as the window closed at {}",
            bst(clock.day(mail.due_at), "%H:%M")
        ));
    }
    note.push(match recipient.acknowledged_at.map(|at| clock.day(at)) {
        Some(day) => {
            let late = if recipient.state == State::Late { " and late" } else { "" };
            format!(
                "a person acknowledged at {}, {} after the beginning{late}",
                bst(day, "%H:%M"),
                minutes(day.duration_since(began))
            )
        }
        None => "nobody acknowledged".to_owned(),
    });
    Ok(ComparisonRow { label: label.to_owned(), then, now, note: note.join("; ") })
}

/// The last of all who were owed the first event.
fn everybody(report: &Report) -> ComparisonRow {
    let now = report.events.first().and_then(|event| {
        let last = event.recipients.iter().filter_map(|row| row.delivered_at).max()?;
        let held = event.recipients.iter().filter(|row| row.delivered_at.is_some()).count();
        let note = format!("the same: {held} of {} desks", event.recipients.len());
        Some((format!("{}, measured", milliseconds(event.published_at, last)), note))
    });
    let (now, note) = now.unwrap_or_else(|| ("nobody was".to_owned(), String::new()));
    ComparisonRow {
        label: "Everybody is told".to_owned(),
        then: "not on public record".to_owned(),
        now,
        note,
    }
}

fn minutes(length: SignedDuration) -> String {
    span(SignedDuration::from_mins(length.as_mins()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::clock::Stretch;

    /// A report of the shipped example, whose times are those of the day itself.
    fn example() -> (Report, Clock) {
        let example = include_str!("../../../../schemas/examples/valid/timeliness-report-one-late.json");
        let report: Report = serde_json::from_str(example).unwrap();
        let from = moment(BEGAN).unwrap();
        let clock = Clock::new(from, 1, &[Stretch { from, to: moment(GOVERNMENT_TOLD.at).unwrap() }]);
        (report, clock)
    }

    #[test]
    fn the_machine_is_measured_and_the_person_has_a_time_of_day() {
        let (report, clock) = example();
        let comparison = comparison(&report, &clock, 25).unwrap();
        let rows: Vec<_> = comparison
            .rows
            .iter()
            .map(|row| format!("{} | {} | {} | {}", row.label, row.then, row.now, row.note))
            .collect();
        insta::assert_snapshot!(rows.join("\n"));
        assert!(comparison.notes.iter().any(|note| note.contains("seed 25")));
    }
}
