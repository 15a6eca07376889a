//! The report's tables: the operator's, the recipients', and how what was said moved. None is of both timelinesses.

use tocsin_protocol::{ClockStart, Timestamp};

use super::{Clock, figures::taken, owed};
use crate::{
    compute::seconds,
    render::sheet::{Column, Sheet},
    report::{
        AnewRecipient, AnewReport, ClockReport, FigureReport, FigureStatement, KindNoticed, KindReport,
        Noticed, OperatorTimeliness, Recorded, Report,
    },
    timeliness::nearest_rank,
    words::{happened, kind, length, plain, rough, since},
};

/// The operator's alone.
pub(super) fn operator(report: &Report, clock: &Clock) -> Vec<Sheet> {
    let Some(operator) = &report.operator else { return Vec::new() };
    let mut sheets =
        vec![lengths(operator, clock), noticed_by_kind(operator, clock), statements(operator, clock)];
    sheets.extend(owed::sheets(report, clock));
    sheets
}

/// The recipients' alone.
pub(super) fn recipients(report: &Report, clock: &Clock) -> Vec<Sheet> {
    let mut sheets = vec![by_kind(report, clock)];
    sheets.extend((!report.anew.is_empty()).then(|| anew(report, clock)));
    sheets.extend(owed::handovers(report, clock));
    sheets
}

/// How the figures moved.
pub(super) fn figures(report: &Report, clock: &Clock) -> Vec<Sheet> {
    let mut sheets = Vec::new();
    if !report.figures.is_empty() {
        sheets.push(moved(report, clock));
    }
    if report.figures.iter().any(|figure| figure.disputed) {
        sheets.push(disputed(report, clock));
    }
    sheets
}

/// What a clock's lengths run to.
fn recorded(operator: &OperatorTimeliness, clock: ClockStart) -> &Recorded {
    let restoration = operator.restoration.as_ref().filter(|_| clock == ClockStart::Restored);
    restoration.unwrap_or(&operator.failure)
}

/// From a moment to a notice of what was recorded. In a replay the machine's part, from the record on, is as measured.
fn until(clock: &Clock, from: Timestamp, recorded: &Recorded, to: Timestamp) -> f64 {
    clock.view.between(from, recorded.recorded_at) + seconds(to.duration_since(recorded.recorded_at))
}

fn took(seconds: f64) -> String {
    if seconds < 0.0 { format!("{} before", length(-seconds)) } else { length(seconds) }
}

fn lengths(operator: &OperatorTimeliness, clock: &Clock) -> Sheet {
    let mut rows = Vec::new();
    for of in &operator.clocks {
        let told = recorded(operator, of.clock);
        for (from, label) in starts(of) {
            let to = |at: Option<Timestamp>| {
                at.map_or_else(|| "nobody".to_owned(), |at| took(until(clock, from, told, at)))
            };
            let noticed = &told.noticed;
            let whole = format!("{} of {} recipients", noticed.noticed, noticed.owed);
            let recorded_after = took(clock.view.between(from, told.recorded_at));
            for (until, took, note) in [
                ("recorded", recorded_after, format!("event {}", told.event)),
                ("first notice", to(noticed.first_noticed_at), String::new()),
                ("95 in 100 notices", to(noticed.p95_noticed_at), whole.clone()),
                ("last notice", to(noticed.last_noticed_at), whole),
            ] {
                rows.push(vec![label.clone(), until.to_owned(), took, note]);
            }
        }
    }
    Sheet {
        id: "operator-lengths",
        title: "The operator's timeliness",
        note: "The operator's: from each moment that its events state to the first event that tells of it in the record, and \
               to the notices of it. No part of it is any recipient's."
            .to_owned(),
        columns: vec![
            Column::words("from when", 42, 3.0),
            Column::words("until", 18, 1.6),
            Column::figures("took", 16, 1.4),
            Column::words("of", 17, 1.8),
        ],
        rows,
        none: "the events state no moment from which to measure",
        ..Sheet::default()
    }
}

/// The moment as first stated and as last stated, where those differ.
fn starts(of: &ClockReport) -> Vec<(Timestamp, String)> {
    let what = happened(of.clock);
    match (of.stated.first(), of.stated.last()) {
        (Some(first), Some(last)) if first.event != last.event => vec![
            (first.at, format!("{what} (first stated, event {})", first.event)),
            (last.at, format!("{what} (last stated, event {})", last.event)),
        ],
        _ => vec![(of.by_last.from, what.to_owned())],
    }
}

fn noticed_by_kind(operator: &OperatorTimeliness, clock: &Clock) -> Sheet {
    let row = |of: &ClockReport, told: &Recorded, own: &KindNoticed| {
        let Noticed { owed, noticed, p95_noticed_at, last_noticed_at, .. } = own.noticed;
        let to = |at: Option<Timestamp>| {
            at.map_or_else(|| "nobody".to_owned(), |at| took(until(clock, of.by_last.from, told, at)))
        };
        vec![
            format!("{noticed} of {owed} {}", kind(&own.kind)),
            happened(of.clock).to_owned(),
            to(p95_noticed_at),
            to(last_noticed_at),
        ]
    };
    let rows = operator.clocks.iter().flat_map(|of| {
        let told = recorded(operator, of.clock);
        told.by_kind.iter().map(move |own| row(of, told, own))
    });
    Sheet {
        id: "operator-kinds",
        title: "The operator's timeliness, by kind of recipient",
        note: "The operator's: when those of each kind who were owed a notice had it waiting. What they then did is theirs, and \
               stands elsewhere. Moments as last stated."
            .to_owned(),
        columns: vec![
            Column::words("noticed, of those owed it", 34, 2.5),
            Column::words("from when", 33, 2.5),
            Column::figures("95 in 100", 13, 1.2),
            Column::figures("last", 13, 1.2),
        ],
        rows: rows.collect(),
        none: "the events state no moment from which to measure",
        ..Sheet::default()
    }
}

fn statements(operator: &OperatorTimeliness, clock: &Clock) -> Sheet {
    let mut rows = Vec::new();
    for of in &operator.clocks {
        for (place, stated) in of.stated.iter().enumerate() {
            let shown = |at: Timestamp| clock.moment(at).both();
            let mut standing = vec![since(clock.view.between(stated.at, stated.stated_at))];
            let before = place.checked_sub(1).and_then(|before| of.stated.get(before));
            standing.extend(stated.late_entry.then(|| "LATE ENTRY".to_owned()));
            standing.extend(before.map(|before| {
                let way = if stated.at < before.at { "earlier" } else { "later" };
                let by = clock.view.between(stated.at, before.at).abs();
                format!("{} {way} than before", length(by))
            }));
            rows.push(vec![
                happened(of.clock).to_owned(),
                stated.event.to_string(),
                shown(stated.at),
                shown(stated.stated_at),
                standing.join(", "),
            ]);
        }
    }
    Sheet {
        id: "statements",
        title: "What the operator stated of each moment, and when",
        note: "Late entry is a moment that was stated more than 15 minutes after it. Nothing is put right here: the operator's \
               lengths stand by the first statement and by the last."
            .to_owned(),
        columns: vec![
            Column::words("what", 32, 2.2),
            Column::figures("event", 5, 0.6),
            Column::words("stated as", 27, 1.8),
            Column::words("recorded", 0, 1.8).beside(),
            Column::words("stated", 28, 2.4),
        ],
        rows,
        none: "the events state no moment",
        ..Sheet::default()
    }
}

fn by_kind(report: &Report, clock: &Clock) -> Sheet {
    let taken = taken(report, clock.view);
    let row = |of: &KindReport| {
        let name = kind(&of.kind);
        // By the row's own kind: a body may be of another kind in a later directory.
        let own: Vec<f64> =
            taken.iter().filter(|(_, row)| row.kind == of.kind).map(|(took, _)| *took).collect();
        let time = |at: Option<usize>| at.map_or_else(|| "-".to_owned(), |at| rough(own[at]));
        vec![
            if of.required == 0 {
                format!("none asked of {} {name}", of.informed)
            } else {
                format!("{} of {} {name}", of.acknowledged_in_time, of.required)
            },
            of.acknowledged_late.to_string(),
            of.never.to_string(),
            of.escalated.to_string(),
            of.informed.to_string(),
            time(nearest_rank(own.len(), 50)),
            time(nearest_rank(own.len(), 95)),
            time(own.len().checked_sub(1)),
            own.len().to_string(),
        ]
    };
    Sheet {
        id: "kinds",
        title: "The recipients' timeliness, by kind",
        note: "The recipients': from the notice to the acknowledgement. Each recipient counts as it did at \
               its worst event; lengths are of each event that asked for one."
            .to_owned(),
        columns: vec![
            Column::words("in time, of those asked", 32, 2.6),
            Column::figures("late", 4, 0.7),
            Column::figures("never", 5, 0.7),
            Column::figures("e-mailed", 8, 0.9),
            Column::figures("not asked", 9, 1.0),
            Column::figures("median", 10, 1.2),
            Column::figures("95 in 100", 10, 1.2),
            Column::figures("slowest", 10, 1.2),
            Column::figures("measured", 0, 1.0).beside(),
        ],
        rows: report.timeliness.by_kind.iter().map(row).collect(),
        none: "nobody was told",
        ..Sheet::default()
    }
}

fn calls(calls: Option<u64>) -> String {
    calls.map(|calls| format!(", {calls} calls lost")).unwrap_or_default()
}

fn anew(report: &Report, clock: &Clock) -> Sheet {
    let note = |anew: &AnewReport| {
        let taken_in = anew.had_acknowledged.iter().filter(|who| who.taken_in_at.is_some()).count();
        let why: Vec<String> = anew.why.iter().map(|why| plain(why)).collect();
        format!(
            "Event {} ({}{}): {taken_in} of {} who had acknowledged less have taken it in.",
            anew.event,
            why.join("; "),
            calls(anew.calls_unsuccessful),
            anew.had_acknowledged.len()
        )
    };
    let row = |anew: &AnewReport, who: &AnewRecipient| {
        let taken_in = match (who.taken_in_at, who.taken_in_event) {
            (Some(at), Some(event)) => format!("{}, event {event}", clock.moment(at).both()),
            _ => "NOT TAKEN IN".to_owned(),
        };
        vec![
            plain(&who.name),
            anew.event.to_string(),
            format!(
                "event {}{}, {}",
                who.earlier_event,
                calls(who.earlier_calls_unsuccessful),
                clock.moment(who.earlier_at).local
            ),
            taken_in,
        ]
    };
    let notes: Vec<String> = report.anew.iter().map(note).collect();
    Sheet {
        id: "anew",
        title: "Asked anew, as what was known had changed",
        note: format!("The recipients'. {}", notes.join(" ")),
        columns: vec![
            Column::words("recipient", 26, 2.2),
            Column::figures("event", 5, 0.6),
            Column::words("had acknowledged", 38, 2.6),
            Column::words("took it in", 27, 2.0),
        ],
        rows: report
            .anew
            .iter()
            .flat_map(|anew| worst_first(anew).into_iter().map(move |who| row(anew, who)))
            .collect(),
        none: "nobody had acknowledged anything before",
        glance: Some(20),
        ..Sheet::default()
    }
}

/// Those who have not taken it in, then those who did last.
fn worst_first(anew: &AnewReport) -> Vec<&AnewRecipient> {
    let mut all: Vec<&AnewRecipient> = anew.had_acknowledged.iter().collect();
    all.sort_by_key(|who| (who.taken_in_at.is_some(), std::cmp::Reverse(who.taken_in_at)));
    all
}

fn named(figure: &FigureReport) -> String {
    match &figure.area {
        Some(area) => format!("{}, {area}", figure.figure.words()),
        None => figure.figure.words().to_owned(),
    }
}

fn standing(stated: &FigureStatement, clock: &Clock) -> String {
    let as_of = stated.as_of.map(|at| format!(", as of {}", clock.moment(at).both())).unwrap_or_default();
    let sure = match stated.provisional {
        Some(true) => ", provisional",
        Some(false) => ", not provisional",
        None => "",
    };
    format!("{}{as_of}{sure}", plain(&stated.source))
}

fn moved(report: &Report, clock: &Clock) -> Sheet {
    let row = |figure: &FigureReport, stated: &FigureStatement| {
        vec![
            named(figure),
            stated.event.to_string(),
            clock.moment(stated.stated_at).both(),
            stated.value.to_string(),
            stated.change.map(|change| format!("{change:+}")).unwrap_or_default(),
            standing(stated, clock),
        ]
    };
    Sheet {
        id: "figures",
        title: "How the figures moved",
        note: "As they were stated, event by event; a change is from the figure before of the same source."
            .to_owned(),
        columns: vec![
            Column::words("figure", 28, 2.0),
            Column::figures("event", 5, 0.6),
            Column::words("stated", 0, 1.8).beside(),
            Column::figures("is", 9, 0.9),
            Column::figures("change", 9, 0.9),
            Column::words("whose, and how sure", 43, 3.0),
        ],
        rows: report
            .figures
            .iter()
            .flat_map(|figure| figure.stated.iter().map(move |stated| row(figure, stated)))
            .collect(),
        none: "no figure was stated",
        ..Sheet::default()
    }
}

fn disputed(report: &Report, clock: &Clock) -> Sheet {
    let row = |figure: &FigureReport| {
        let mut last: Vec<&FigureStatement> = Vec::new();
        for stated in &figure.stated {
            last.retain(|other| other.source != stated.source);
            last.push(stated);
        }
        let sides = last.iter().map(|stated| {
            format!("{} by {} (event {})", stated.value, standing(stated, clock), stated.event)
        });
        vec![named(figure), sides.collect::<Vec<_>>().join("; BESIDE IT ")]
    };
    Sheet {
        id: "disputed",
        title: "Where the sources differ",
        note: "The last figure of each source, side by side. None is put above another here.".to_owned(),
        columns: vec![Column::words("figure", 28, 1.5), Column::words("is, by each source", 68, 5.0)],
        rows: report.figures.iter().filter(|figure| figure.disputed).map(row).collect(),
        none: "none",
        ..Sheet::default()
    }
}
