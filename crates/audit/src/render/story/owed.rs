//! What the operator owed, aimed at and promised; its telephone calls; the lists of lost callers that it handed over.

use std::collections::BTreeMap;

use tocsin_protocol::{DutyStart, RecipientId, RecontactFigures, Timestamp};

use super::{Clock, Line, line, rows::outcome_of};
use crate::{
    render::sheet::{Column, Sheet},
    report::{CallReport, DutyReport, DutyState, DutyTally, HandoverReport, Report, State},
    words::{happened, length, plain, share},
};

/// Which of the three sorts a duty is of: none is told among another.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Duty,
    Target,
    Promise,
}

impl Sort {
    fn of(duty: &DutyReport) -> Self {
        match (duty.target, &duty.policy) {
            (true, _) => Self::Target,
            (false, Some(_)) => Self::Duty,
            (false, None) => Self::Promise,
        }
    }
}

/// The counts, one line for each sort that there is any of.
pub(super) fn lines(report: &Report) -> Vec<Line> {
    let totals = &report.duty_totals;
    [
        ("duties", &totals.duties, " owed in time"),
        ("internal targets", &totals.targets, " within target"),
        ("promised updates", &totals.promises, " promised in time"),
    ]
    .into_iter()
    .filter(|(_, tally, _)| **tally != DutyTally::default())
    .map(|(label, tally, noun)| line(label, share(tally.in_time, tally.owed, noun), counts(label, tally)))
    .collect()
}

fn counts(label: &str, tally: &DutyTally) -> String {
    let beyond = tally.late + tally.not_called + tally.overdue;
    let all = if label == "internal targets" {
        vec![(beyond, "beyond target, which is no breach"), (tally.open, "open")]
    } else {
        vec![
            (tally.late, "late"),
            (tally.not_called, "with calls missing"),
            (tally.overdue, "overdue"),
            (tally.open, "open"),
            (tally.superseded, "superseded"),
            (tally.lifted, "lifted"),
        ]
    };
    let told = all.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    told.collect::<Vec<_>>().join("; ")
}

/// The operator's tables, each where there is anything to tell.
pub(super) fn sheets(report: &Report, clock: &Clock) -> Vec<Sheet> {
    let mut sheets = vec![
        Sheet {
            id: "duties",
            title: "What the operator owed",
            note: "The operator's, under the policies of the directory: each time that it was owed, and the broker's time of the \
                   report that met it."
                .to_owned(),
            rows: of_sort(report, clock, Sort::Duty),
            ..duty_sheet()
        },
        Sheet {
            id: "targets",
            title: "What the operator aimed at",
            note: "The operator's own internal targets, as where the law says \"as soon as practicable\". Beyond target is no breach, \
                   and none of these is counted among what is owed."
                .to_owned(),
            rows: of_sort(report, clock, Sort::Target),
            ..duty_sheet()
        },
        Sheet {
            id: "promises",
            title: "By when the operator said that it would say more",
            note: "The operator's own promises to those whom it told.".to_owned(),
            rows: of_sort(report, clock, Sort::Promise),
            ..duty_sheet()
        },
        calls(report, clock),
    ];
    sheets.retain(|sheet| !sheet.rows.is_empty());
    sheets
}

fn duty_sheet() -> Sheet {
    Sheet {
        columns: vec![
            Column::words("what", 30, 2.4),
            Column::words("rests on", 0, 2.2).beside(),
            Column::words("runs from", 0, 2.2).beside(),
            Column::words("due", 27, 1.8),
            Column::words("standing", 37, 3.0),
        ],
        none: "nothing",
        ..Sheet::default()
    }
}

fn of_sort(report: &Report, clock: &Clock, sort: Sort) -> Vec<Vec<String>> {
    report.duties.iter().filter(|duty| Sort::of(duty) == sort).map(|duty| row(duty, clock)).collect()
}

fn row(duty: &DutyReport, clock: &Clock) -> Vec<String> {
    let what = match (&duty.policy, &duty.what) {
        (None, _) => format!("more than event {} said", duty.event),
        (Some(policy), Some(what)) => format!("{policy}: {}", plain(what)),
        (Some(policy), None) => format!("{policy}: {}", duty.duty),
    };
    let basis = match (&duty.basis, duty.confidence) {
        (Some(basis), Some(confidence)) => format!("{} (confidence: {confidence})", plain(basis)),
        (Some(basis), None) => plain(basis),
        (None, _) => "its own word".to_owned(),
    };
    let from = match &duty.from {
        DutyStart::Clock(clock) => happened(*clock).to_owned(),
        DutyStart::Duty(earlier) => format!("{earlier} was done"),
    };
    let assumed = if duty.clock_assumed { ", which no event tells: the record stands in for it" } else { "" };
    vec![
        what,
        basis,
        format!("{from}, {}{assumed}", clock.moment(duty.clock_at).both()),
        clock.moment(duty.due_at).both(),
        standing(duty, clock),
    ]
}

fn standing(duty: &DutyReport, clock: &Clock) -> String {
    let word = duty.state.words(duty.target);
    let loud = |words: &str| if duty.target { words.to_owned() } else { words.to_uppercase() };
    let between = |from: Timestamp, to: Timestamp| length(clock.view.between(from, to));
    let done = match (duty.met_at, duty.met_by) {
        (Some(at), Some(by)) => format!("event {by} at {}", clock.moment(at).local),
        _ => "not done".to_owned(),
    };
    let mut all = vec![match (duty.state, duty.met_at) {
        (DutyState::InTime, Some(at)) => format!("{word}, {} to spare: {done}", between(at, duty.due_at)),
        (DutyState::Late, Some(at)) => format!("{} by {}: {done}", loud(word), between(duty.due_at, at)),
        (DutyState::NotCalled, _) => format!(
            "{}: {done}, and {} of {} to be telephoned were not",
            loud(word),
            duty.not_called.len(),
            duty.telephone.len()
        ),
        (DutyState::Overdue, _) => format!("{}: {done}", loud(word)),
        (DutyState::Superseded, _) => duty.superseded_by.map_or_else(
            || word.to_owned(),
            |by| format!("{word}: event {by} tells another start of the clock"),
        ),
        (DutyState::Lifted, _) => {
            duty.lifted_by.map_or_else(|| word.to_owned(), |by| format!("{word} by event {by}"))
        }
        _ => word.to_owned(),
    }];
    if let Some(mail) = &duty.reminder {
        all.push(format!("reminded by e-mail, {}", outcome_of(mail)));
    }
    if duty.told_overdue > 0 {
        all.push(match duty.told_overdue {
            1 => "1 recipient told that it did not come".to_owned(),
            told => format!("{told} recipients told that it did not come"),
        });
    }
    all.join("; ")
}

/// Who was called, and who was to be called and was not.
fn calls(report: &Report, clock: &Clock) -> Sheet {
    let called = |call: &CallReport| {
        let person = |who: &tocsin_protocol::Person| format!("{}, {}", plain(&who.name), plain(&who.role));
        let place = [
            call.control_room.as_ref().map(|room| format!(", control room {}", plain(room))),
            call.number.as_ref().map(|number| format!(", on {}", plain(number))),
        ];
        vec![
            plain(&call.name),
            call.event.to_string(),
            clock.moment(call.logged_at).both(),
            clock.moment(call.claimed_at).local,
            format!(
                "{}, to {}{}",
                person(&call.by),
                person(&call.spoke_to),
                place.into_iter().flatten().collect::<String>()
            ),
        ]
    };
    let names: BTreeMap<&RecipientId, &str> =
        report.recipients.iter().map(|row| (&row.id, row.name.as_str())).collect();
    let not_called = report.duties.iter().flat_map(|duty| {
        let word = if duty.target { "not called yet" } else { "NOT CALLED" };
        let is_over = matches!(duty.state, DutyState::NotCalled | DutyState::Late | DutyState::Overdue);
        let names = &names;
        duty.not_called.iter().filter(move |_| is_over).map(move |id| {
            vec![
                plain(names.get(id).copied().unwrap_or(id.as_str())),
                duty.met_by.unwrap_or(duty.event).to_string(),
                format!("{word} by {}", clock.moment(duty.due_at).local),
                "-".to_owned(),
                "nobody".to_owned(),
            ]
        })
    });
    Sheet {
        id: "calls",
        title: "Telephone calls",
        note: "The operator's, as its people logged them: the time is the broker's of the log; what was said of the time of the \
               call stands beside it."
            .to_owned(),
        columns: vec![
            Column::words("called", 24, 2.0),
            Column::figures("event", 5, 0.6),
            Column::words("logged", 27, 1.8),
            Column::words("said to be at", 0, 1.2).beside(),
            Column::words("by whom, to whom", 39, 4.0),
        ],
        rows: not_called.chain(report.calls.iter().map(called)).collect(),
        none: "none",
        ..Sheet::default()
    }
}

/// The lists of lost callers: the recipients' own table.
pub(super) fn handovers(report: &Report, clock: &Clock) -> Option<Sheet> {
    let row = |of: &HandoverReport| {
        let by =
            of.acknowledged_by.as_ref().map(|by| format!(" by {}, {}", plain(&by.name), plain(&by.role)));
        let standing = match (of.state, of.acknowledged_at) {
            (State::InTime, Some(at)) => format!("in time, {}", clock.moment(at).both()),
            (State::NotAsked, Some(at)) => format!("not asked, {}", clock.moment(at).both()),
            (State::Late, Some(at)) => format!("LATE, {}", clock.moment(at).both()),
            (State::Silent, _) => "NOT ACKNOWLEDGED".to_owned(),
            (state, _) => state.words().to_owned(),
        };
        vec![
            plain(&of.name),
            of.event.to_string(),
            list(&of.list),
            of.due_at.map_or_else(|| "-".to_owned(), |at| clock.moment(at).both()),
            format!("{standing}{}", by.unwrap_or_default()),
        ]
    };
    let taken_in = report.handovers.iter().filter(|of| of.acknowledged_at.is_some()).count();
    (!report.handovers.is_empty()).then(|| Sheet {
        id: "handovers",
        title: "Lists of lost callers handed over",
        note: format!(
            "The recipients': the length of each one's own list, and its taking it in. {taken_in} of {} handovers are acknowledged.",
            report.handovers.len()
        ),
        columns: vec![
            Column::words("force", 22, 2.0),
            Column::figures("event", 5, 0.6),
            Column::words("its list", 40, 2.2),
            Column::words("due", 0, 1.6).beside(),
            Column::words("acknowledged", 27, 3.0),
        ],
        rows: report.handovers.iter().map(row).collect(),
        none: "none",
        ..Sheet::default()
    })
}

fn list(list: &RecontactFigures) -> String {
    let parts: Vec<String> = [
        (list.handed_to_police, "handed over"),
        (list.outstanding, "not reached"),
        (list.reached, "reached"),
    ]
    .into_iter()
    .filter_map(|(figure, what)| Some(format!("{} {what}", figure?)))
    .collect();
    if parts.is_empty() { "length not told".to_owned() } else { parts.join(", ") }
}
