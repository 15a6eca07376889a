//! The counts and the lengths of time.

use std::collections::BTreeMap;

use tocsin_protocol::{ClockStart, RecipientId, Timestamp};

use super::{Clock, Line, Measured, line, owed};
use crate::{
    render::View,
    report::{RecipientReport, Report, State},
    timeliness::nearest_rank,
    words::{length, plain, share},
};

/// How many of the slowest are named.
const SLOWEST: usize = 5;

pub(super) fn verdict(report: &Report) -> String {
    let totals = &report.totals;
    if totals.asked == 0 {
        return "Nobody was asked to acknowledge.".to_owned();
    }
    let mut parts =
        vec![format!("{} acknowledged in time", share(totals.acknowledged_in_time, totals.asked, " asked"))];
    let silent = totals.never.saturating_sub(totals.open).saturating_sub(totals.excused);
    for (count, what) in [
        (totals.acknowledged_late, "late"),
        (silent, "silent"),
        (totals.open, "with the window still open"),
        (totals.excused, "excused, as the incident ended first"),
        (totals.escalated, "escalated to by e-mail"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let neither = match totals.neither {
        0 => {
            "Nobody whose window closed was left without an acknowledgement in time or an e-mail.".to_owned()
        }
        1 => "1 WAS LEFT WITH NEITHER an acknowledgement in time nor an e-mail.".to_owned(),
        n => format!("{n} WERE LEFT WITH NEITHER an acknowledgement in time nor an e-mail."),
    };
    format!("{}. {neither}", parts.join("; "))
}

/// When it began, was noticed and was published; when the recipients were told.
pub(super) fn operator(report: &Report, clock: &Clock) -> Vec<Line> {
    let incident = &report.incident;
    let stated = |label: &str, at: Option<Timestamp>| match at {
        None => line(label, "not stated".to_owned(), ""),
        Some(at) => line(label, clock.full(at), "as the publisher states it"),
    };
    let clocks = report.operator.as_ref().map_or(&[][..], |operator| &operator.clocks);
    let mut delays = Vec::new();
    for (moment, what) in [(incident.began_at, "began"), (incident.detected_at, "was noticed")] {
        if let Some(moment) = moment {
            let delay = clock.view.between(moment, incident.published_at);
            delays.push(if delay < 0.0 {
                format!("{} before it {what}", length(-delay))
            } else {
                format!("{} after it {what}", length(delay))
            });
        }
    }
    let told = |label: &str, at: Option<Timestamp>| match at {
        None => line(label, "nobody".to_owned(), ""),
        Some(at) => {
            let after = length(at.duration_since(incident.published_at).as_secs_f64());
            if clock.view.replay.is_some() {
                line(label, format!("{after} after it was published"), "measured")
            } else {
                line(label, clock.full(at), format!("{after} after it was published"))
            }
        }
    };
    let mut lines = vec![stated("began", incident.began_at), stated("detected", incident.detected_at)];
    for of in clocks {
        let label = match of.clock {
            ClockStart::Aware => "aware",
            ClockStart::Discovered => "discovered",
            ClockStart::Classified => "classified",
            ClockStart::Restored => "restored",
            ClockStart::Occurred | ClockStart::Detected | ClockStart::Published => continue,
        };
        lines.push(stated(label, Some(of.by_last.from)));
    }
    lines.extend([
        line("published", clock.full(incident.published_at), delays.join(", ")),
        told("first notified", incident.first_noticed_at),
        told("last notified", incident.last_noticed_at),
    ]);
    lines.extend(owed::lines(report));
    lines
}

/// How long each acknowledgement that was asked for took, in the time that is shown, shortest first.
pub(super) fn taken<'r>(report: &'r Report, view: &View) -> Vec<(f64, &'r RecipientReport)> {
    let mut taken: Vec<(f64, &RecipientReport)> = report
        .events
        .iter()
        .flat_map(|event| &event.recipients)
        .filter(|row| row.state != State::NotAsked)
        .filter_map(|row| Some((view.between(row.noticed_at?, row.acknowledged_at?), row)))
        .collect();
    taken.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (&a.1.id, a.1.event).cmp(&(&b.1.id, b.1.event))));
    taken
}

/// The counts, and how long acknowledgements took, in the time that is shown; and the slowest.
pub(super) fn people(report: &Report, view: &View) -> (Vec<Line>, Vec<Line>) {
    let totals = &report.totals;
    let names: BTreeMap<&RecipientId, &str> =
        report.recipients.iter().map(|row| (&row.id, row.name.as_str())).collect();
    let taken = taken(report, view);
    let nearest = |percent| {
        nearest_rank(taken.len(), percent).map_or_else(|| "none".to_owned(), |at| length(taken[at].0))
    };
    let everyone = totals.required + totals.informed;
    let mut lines = vec![
        line(
            "in time",
            share(totals.acknowledged_in_time, totals.asked, " asked"),
            "by its worst event each",
        ),
        line("late", totals.acknowledged_late.to_string(), ""),
        line(
            "never",
            totals.never.to_string(),
            format!("window open: {}; excused: {}", totals.open, totals.excused),
        ),
        line(
            "required, informed",
            format!("{}, {}", totals.required, totals.informed),
            "the informed are never asked",
        ),
        line(
            "delivered",
            format!("{} of {everyone}", totals.delivered),
            "its system holds every notice owed",
        ),
        line("escalated", totals.escalated.to_string(), "at least one e-mail owed"),
        line("e-mails taken", totals.mails_accepted.to_string(), "by a relay: handed over, not read"),
        line("e-mails unknown", totals.mails_unknown.to_string(), "nobody knows whether the relay took it"),
        line(
            "e-mails repeated",
            totals.mails_repeated.to_string(),
            "may have arrived again, under the same Message-ID",
        ),
        line("neither", totals.neither.to_string(), "not in time and not escalated: must be 0"),
    ];
    let of = format!("notice to acknowledgement, {} measured", taken.len());
    lines.push(line("median", nearest(50), of));
    lines.push(line("95 in 100 within", nearest(95), ""));
    let slowest = taken.iter().rev().take(SLOWEST).map(|(seconds, row)| {
        let name = plain(names.get(&row.id).copied().unwrap_or(row.id.as_str()));
        Line { label: name, value: length(*seconds), note: format!("event {}", row.event) }
    });
    (lines, slowest.collect())
}

/// What the machine did, by the broker's clock.
pub(super) fn machine(report: &Report) -> Vec<Measured> {
    let since = |from: Timestamp, to: Option<Timestamp>| to.map(|to| to.duration_since(from).as_secs_f64());
    let rows = || report.events.iter().flat_map(|event| event.recipients.iter().map(move |row| (event, row)));
    let steps = || report.events.iter().flat_map(|event| &event.steps);
    let mails = || report.events.iter().flat_map(|e| &e.recipients).flat_map(|row| &row.escalations);
    let measured = |label, mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        let figure = |at: Option<usize>| at.map_or_else(|| "-".to_owned(), |at| length(all[at]));
        let (median, slowest) = (figure(nearest_rank(all.len(), 50)), figure(all.len().checked_sub(1)));
        Measured { label, of: all.len(), median, slowest }
    };
    vec![
        measured(
            "published to noticed",
            rows().filter_map(|(event, row)| since(event.published_at, row.noticed_at)).collect(),
        ),
        measured(
            "published to held by its system",
            rows().filter_map(|(event, row)| since(event.published_at, row.delivered_at)).collect(),
        ),
        measured(
            "due to window closed",
            steps().filter_map(|step| since(step.due_at, step.closed_at)).collect(),
        ),
        measured(
            "window closed to finding",
            steps()
                .filter_map(|step| step.closed_at.and_then(|closed| since(closed, step.found_at)))
                .collect(),
        ),
        measured(
            "finding (e-mail owed) to taken by a relay",
            mails().filter_map(|mail| since(mail.owed_at, mail.accepted_at)).collect(),
        ),
    ]
}
