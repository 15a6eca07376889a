//! This drill beside the day that it plays.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tocsin_audit::{Comparison, ComparisonRow, Report, State};
use tocsin_protocol::EscalationReason;
use tocsin_scenario::{Measures, Then};

use super::{clock::Clock, day::Day, progress::milliseconds, view::span};

/// Longer than this is not told in minutes.
const MINUTES_MOST: i64 = 600;

/// What was measured then, and in this drill.
pub(crate) fn comparison(report: &Report, day: &Day, clock: &Clock, seed: u64) -> Comparison {
    let ours = [
        "What people do is shown in the time of that day, what machines do as measured here and not scaled."
            .to_owned(),
        format!(
            "How fast people answer, and who is silent, is drawn by lot (seed {seed}) within bounds of our own, or told by \
             the scenario. It says nothing about any real body."
        ),
        "Everything ran on one machine: what a wide network adds is not in these figures.".to_owned(),
    ];
    Comparison {
        title: format!("{} and this drill", day.date()),
        rows: day.scenario.then.iter().map(|then| row(then, report, day, clock)).collect(),
        notes: day.scenario.notes.iter().cloned().chain(ours).collect(),
    }
}

/// What was measured then: from when to when.
fn figure(then: &Then, day: &Day) -> String {
    let Some(at) = then.at else { return "not on public record".to_owned() };
    let took = at.duration_since(then.since);
    let took = if took.as_mins() <= MINUTES_MOST { format!("{} min", took.as_mins()) } else { minutes(took) };
    let date = |at| day.told(at, "%Y-%m-%d");
    let format = if date(at) == date(day.scenario.began_at) { "%H:%M %Z" } else { "%H:%M %Z, %-d %b" };
    format!("{took} ({})", day.told(at, format))
}

fn row(then: &Then, report: &Report, day: &Day, clock: &Clock) -> ComparisonRow {
    let Some(id) = &then.recipient else {
        return ComparisonRow { label: then.label.clone(), then: figure(then, day), ..everybody(report) };
    };
    let row = |now: String, note: String| ComparisonRow {
        label: then.label.clone(),
        then: figure(then, day),
        now,
        note,
    };
    let first = report.events.first();
    let found = first.and_then(|event| Some((event, event.recipients.iter().find(|row| row.id == *id)?)));
    let Some((event, recipient)) = found else { return row("not owed".to_owned(), String::new()) };
    let (reached, what) = match (recipient.delivered_at, recipient.noticed_at) {
        (Some(at), _) => (Some(at), "from the event on the bus to the receipt of its desk"),
        (None, Some(at)) => {
            (Some(at), "from the event on the bus to its notice there; no desk of its took it in")
        }
        (None, None) => (None, "no notice was stored"),
    };
    let told = reached.map_or_else(
        || "not told".to_owned(),
        |at| format!("{}, measured", milliseconds(event.published_at, at)),
    );
    let mut note = Vec::new();
    let rows = report.events.iter().flat_map(|event| &event.recipients).filter(|row| row.id == *id);
    let mails = rows.flat_map(|row| &row.escalations);
    let closed = mails.filter(|mail| mail.reason == EscalationReason::Silent).map(|mail| mail.due_at);
    let closed: BTreeSet<_> = closed.map(|due_at| clock.hour(clock.day(due_at))).collect();
    if !closed.is_empty() {
        let (windows, closed) = (closed.len(), Vec::from_iter(closed).join(" and "));
        note.push(if windows == 1 {
            format!("nobody there answered, so an e-mail went out as the window closed at {closed}")
        } else {
            format!("nobody there answered, so e-mails went out as windows closed at {closed}")
        });
    }
    let began_at = day.scenario.began_at;
    let acknowledged = recipient.acknowledged_at.map(|at| clock.day(at));
    if then.measures == Measures::Acknowledged {
        note.insert(0, format!("its desk was told in {told}"));
        let now = acknowledged.map_or_else(
            || "nobody acknowledged".to_owned(),
            |at| format!("{} ({})", minutes(at.duration_since(then.since)), clock.told(at, "%H:%M %Z")),
        );
        note.push("a person acknowledged then, as the scenario has people answer".to_owned());
        return row(now, note.join("; "));
    }
    note.insert(0, what.to_owned());
    note.push(match acknowledged {
        Some(day) => {
            let late = if recipient.state == State::Late { " and late" } else { "" };
            format!(
                "a person acknowledged at {}, {} after {}{late}",
                clock.hour(day),
                minutes(day.duration_since(then.since)),
                if then.since == began_at { "the beginning".to_owned() } else { clock.hour(then.since) }
            )
        }
        None => "nobody acknowledged".to_owned(),
    });
    row(told, note.join("; "))
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
    ComparisonRow { now, note, ..ComparisonRow::default() }
}

fn minutes(length: SignedDuration) -> String {
    span(SignedDuration::from_mins(length.as_mins()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use tocsin_scenario::Stretch;

    use crate::drill::{day::find, world::World};

    /// A report of the shipped example, whose times are those of the day itself.
    pub(crate) fn example() -> (Report, Day, Clock) {
        let example = include_str!("../../../../schemas/examples/valid/timeliness-report-one-late.json");
        let report: Report = serde_json::from_str(example).unwrap();
        let day = World::of(find("uk-2023").unwrap(), 180, 0).unwrap().day;
        let from = day.scenario.began_at;
        let stretch = Stretch { from, to: from + SignedDuration::from_mins(201) };
        let clock = Clock::new(from, 1, &[stretch], day.zone.clone());
        (report, day, clock)
    }

    #[test]
    fn the_machine_is_measured_and_the_person_has_a_time_of_day() {
        let (report, day, clock) = example();
        let comparison = comparison(&report, &day, &clock, 25);
        let rows: Vec<_> = comparison
            .rows
            .iter()
            .map(|row| format!("{} | {} | {} | {}", row.label, row.then, row.now, row.note))
            .collect();
        insta::assert_snapshot!(rows.join("\n"));
        assert!(comparison.notes.iter().any(|note| note.contains("seed 25")));
    }

    #[test]
    fn the_year_2023_told_the_regulator_after_161_minutes_and_the_government_after_201() {
        let (_, day, _) = example();
        let told: Vec<_> = day.scenario.then.iter().map(|then| figure(then, &day)).collect();
        assert_eq!(told, ["161 min (09:05 BST)", "201 min (09:45 BST)", "not on public record"]);
    }
}
