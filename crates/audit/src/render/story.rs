//! What a reader is told: the report put into words once, for the table and for the page.
//!
//! Everything that came from outside goes through [`plain`] here.

use std::{collections::BTreeMap, fmt::Write};

use tocsin_protocol::{EscalationReason, EventNumber, Outcome, RecipientId, Status, Timestamp};

use super::View;
use crate::{
    report::{EscalationReport, EventReport, RecipientReport, Report, State},
    timeliness::nearest_rank,
    words::{Zone, kind, length, outcome, plain, share},
};

/// How many of the slowest are named.
const SLOWEST: usize = 5;

/// The report in words.
pub(super) struct Story {
    /// `EXERCISE` or `TEST`, and that it is no real failure.
    pub(super) marking: Option<&'static str>,
    pub(super) headline: String,
    pub(super) incident: String,
    pub(super) publisher: String,
    /// Which clock the times are of.
    pub(super) clock: String,
    /// What replay this is, where it is one.
    pub(super) replay: Option<String>,
    /// What a figure of people and of the calendar is of; empty where that needs no word.
    pub(super) day: &'static str,
    pub(super) verdict: String,
    pub(super) operator: Vec<Line>,
    pub(super) recipients: Vec<Line>,
    pub(super) slowest: Vec<Line>,
    pub(super) machine: Vec<Measured>,
    pub(super) kinds: Vec<KindRow>,
    pub(super) events: Vec<EventRow>,
    /// Every recipient, by its worst event.
    pub(super) everyone: Vec<Row>,
    pub(super) comparison: Option<Comparison>,
    pub(super) problems: Vec<ProblemLine>,
    pub(super) refusals: Vec<RefusalLine>,
    pub(super) sources: Vec<Line>,
}

/// A figure and what must be known to read it.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) note: String,
}

/// What the machine did, by the broker's clock, whatever day is shown.
pub(super) struct Measured {
    pub(super) label: &'static str,
    pub(super) of: usize,
    pub(super) median: String,
    pub(super) slowest: String,
}

/// One kind of recipient.
pub(super) struct KindRow {
    pub(super) kind: String,
    pub(super) counts: [u32; 6],
}

/// What the counts of a kind are of.
pub(super) const KIND_COUNTS: [&str; 6] = ["asked", "in time", "late", "never", "e-mailed", "not asked"];

/// One event.
pub(super) struct EventRow {
    pub(super) event: EventNumber,
    pub(super) kind: &'static str,
    pub(super) headline: String,
    pub(super) published: Moment,
    /// `58 of 60 in time (96.6%)`, or that none was asked.
    pub(super) standing: String,
    /// Why an update asked anew; its windows, and what stopped them.
    pub(super) notes: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// One recipient of an event.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) requirement: &'static str,
    pub(super) event: EventNumber,
    pub(super) state: State,
    /// Nothing in a replay: the machine's act has no time of that day.
    pub(super) noticed: Option<Moment>,
    /// After publication, as measured.
    pub(super) noticed_after: String,
    pub(super) delivered: Option<Moment>,
    pub(super) delivered_after: String,
    pub(super) acknowledged: Option<Moment>,
    pub(super) by: String,
    pub(super) due: Option<Moment>,
    /// `4 min to spare`, `30 s late`, `never`.
    pub(super) standing: String,
    pub(super) mails: Vec<Mail>,
}

/// One e-mail owed.
pub(super) struct Mail {
    /// `event 1, step 2, senior contact, boss@ofcom.example`.
    pub(super) to: String,
    pub(super) closed: Option<Moment>,
    /// What became of it: relay, attempts, unknown and repeated sends.
    pub(super) became: String,
    /// When a relay took it; nothing in a replay.
    pub(super) accepted: Option<Moment>,
    /// From owed to taken, as measured.
    pub(super) took: Option<String>,
}

/// Another timeliness beside this one.
pub(super) struct Comparison {
    pub(super) title: String,
    /// Label, then, now, note.
    pub(super) rows: Vec<[String; 4]>,
    pub(super) notes: Vec<String>,
}

pub(super) struct ProblemLine {
    pub(super) code: &'static str,
    pub(super) text: String,
}

pub(super) struct RefusalLine {
    pub(super) said: u64,
    pub(super) at: Option<Moment>,
    pub(super) subject: String,
    pub(super) why: String,
}

/// A moment, as people read it.
pub(super) struct Moment {
    /// In the directory's zone; with the day where that is not the incident's first.
    pub(super) local: String,
    pub(super) utc: String,
    /// RFC 3339, for machines.
    pub(super) iso: String,
}

impl Moment {
    pub(super) fn both(&self) -> String {
        format!("{} ({})", self.local, self.utc)
    }
}

/// Turns broker's times into what is shown.
pub(super) struct Clock<'a> {
    pub(super) view: &'a View,
    pub(super) zone: Zone,
    first_day: String,
}

impl<'a> Clock<'a> {
    pub(super) fn of(report: &Report, view: &'a View) -> Self {
        let zone = Zone::named(&report.provenance.time_zone);
        let first_day = zone.day(view.shown(report.incident.published_at));
        Self { view, zone, first_day }
    }

    pub(super) fn moment(&self, broker: Timestamp) -> Moment {
        let at = self.view.shown(broker);
        let day = self.zone.day(at);
        // A second of a replayed day is a fraction of one here: it would show more than is known.
        let replay = self.view.replay.is_some();
        let clock = if replay { self.zone.minute(at) } else { self.zone.clock(at) };
        let utc = at.strftime(if replay { "%H:%MZ" } else { "%H:%M:%SZ" }).to_string();
        let local =
            if day == self.first_day { clock } else { format!("{} {clock}", self.zone.short_day(at)) };
        Moment { local, utc, iso: at.to_string() }
    }

    fn full(&self, broker: Timestamp) -> String {
        self.zone.both(self.view.shown(broker))
    }

    /// When the machine did something: nothing in a replay.
    pub(super) fn act(&self, broker: Option<Timestamp>) -> Option<Moment> {
        if self.view.replay.is_some() { None } else { broker.map(|at| self.moment(at)) }
    }
}

impl Story {
    pub(super) fn of(report: &Report, view: &View) -> Self {
        let clock = Clock::of(report, view);
        let published: BTreeMap<EventNumber, Timestamp> =
            report.events.iter().map(|event| (event.event, event.published_at)).collect();
        let row = |row: &RecipientReport| self::row(&clock, published.get(&row.event).copied(), row);
        let incident = &report.incident;
        let (recipients, slowest) = people(report, view);
        let word = clock.zone.word(view.shown(incident.published_at));
        let name = if clock.zone.known { plain(&report.provenance.time_zone) } else { "UTC".to_owned() };
        Self {
            marking: match incident.status {
                Status::Actual => None,
                Status::Exercise => Some("EXERCISE - not a real failure"),
                Status::Test => Some("TEST - not a real failure"),
            },
            headline: plain(&incident.headline),
            incident: incident.id.to_string(),
            publisher: incident.publisher.to_string(),
            clock: if view.replay.is_some() {
                format!("Times of day are {name} ({word}), of the day that is replayed, with UTC beside.")
            } else {
                format!("Times are the broker's, in {name} ({word}), with UTC beside.")
            },
            replay: view.replay.as_ref().map(|replay| {
                format!(
                    "Replay of {}, {} times as fast. What people and the calendar did is shown in the time of that day; what \
                     the machine did is marked \"measured\": by the broker's clock, unscaled.",
                    plain(replay.label()),
                    replay.speed()
                )
            }),
            day: if view.replay.is_some() { "time of the replayed day" } else { "" },
            verdict: verdict(report),
            operator: operator(report, &clock),
            recipients,
            slowest,
            machine: machine(report),
            kinds: kinds(report),
            events: report.events.iter().map(|e| event(e, &clock, e.recipients.iter().map(row).collect())).collect(),
            everyone: report.recipients.iter().map(row).collect(),
            comparison: report.comparison.as_ref().map(|comparison| Comparison {
                title: plain(&comparison.title),
                rows: comparison
                    .rows
                    .iter()
                    .map(|row| [&row.label, &row.then, &row.now, &row.note].map(|cell| plain(cell)))
                    .collect(),
                notes: comparison.notes.iter().map(|note| plain(note)).collect(),
            }),
            problems: report
                .problems
                .iter()
                .map(|problem| ProblemLine { code: problem.code.words(), text: plain(&problem.text) })
                .collect(),
            refusals: refusals(report, &clock),
            sources: sources(report),
        }
    }

    /// How a state is marked beside its word, so that no colour is needed.
    pub(super) fn sign(state: State) -> &'static str {
        match state {
            State::NotAsked => "\u{b7}",
            State::InTime => "\u{25cf}",
            State::Excused => "\u{2013}",
            State::Open => "\u{25a1}",
            State::Late => "\u{25c6}",
            State::Silent => "\u{2715}",
        }
    }

    /// The page's class of a state, for its colour.
    pub(super) fn class(state: State) -> &'static str {
        match state {
            State::NotAsked => "s-quiet",
            State::InTime => "s-good",
            State::Excused | State::Open => "s-open",
            State::Late => "s-late",
            State::Silent => "s-bad",
        }
    }

    /// Those that were late or silent, whose window is open or who were excused, or who were written to.
    pub(super) fn troubled(&self) -> impl Iterator<Item = &Row> {
        self.everyone
            .iter()
            .filter(|row| !matches!(row.state, State::InTime | State::NotAsked) || !row.mails.is_empty())
    }
}

fn line(label: &str, value: String, note: impl Into<String>) -> Line {
    Line { label: label.to_owned(), value, note: note.into() }
}

fn verdict(report: &Report) -> String {
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
        0 => "Nobody was left with neither.".to_owned(),
        1 => "1 WAS LEFT WITH NEITHER an acknowledgement in time nor an e-mail.".to_owned(),
        n => format!("{n} WERE LEFT WITH NEITHER an acknowledgement in time nor an e-mail."),
    };
    format!("{}. {neither}", parts.join("; "))
}

/// When it began, was noticed and was published; when the recipients were told.
fn operator(report: &Report, clock: &Clock) -> Vec<Line> {
    let incident = &report.incident;
    let stated = |label: &str, at: Option<Timestamp>| match at {
        None => line(label, "not stated".to_owned(), ""),
        Some(at) => line(label, clock.full(at), "as the publisher states it"),
    };
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
    vec![
        stated("began", incident.began_at),
        stated("detected", incident.detected_at),
        line("published", clock.full(incident.published_at), delays.join(", ")),
        told("first notified", incident.first_noticed_at),
        told("last notified", incident.last_noticed_at),
    ]
}

/// The counts, and how long acknowledgements took, in the time that is shown; and the slowest.
fn people(report: &Report, view: &View) -> (Vec<Line>, Vec<Line>) {
    let totals = &report.totals;
    let names: BTreeMap<&RecipientId, &str> =
        report.recipients.iter().map(|row| (&row.id, row.name.as_str())).collect();
    let mut taken: Vec<(f64, &RecipientReport)> = report
        .events
        .iter()
        .flat_map(|event| &event.recipients)
        .filter(|row| row.state != State::NotAsked)
        .filter_map(|row| Some((view.between(row.noticed_at?, row.acknowledged_at?), row)))
        .collect();
    taken.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (&a.1.id, a.1.event).cmp(&(&b.1.id, b.1.event))));
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
fn machine(report: &Report) -> Vec<Measured> {
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

fn kinds(report: &Report) -> Vec<KindRow> {
    let row = |of: &crate::report::KindReport| KindRow {
        kind: kind(&of.kind),
        counts: [
            of.required,
            of.acknowledged_in_time,
            of.acknowledged_late,
            of.never,
            of.escalated,
            of.informed,
        ],
    };
    report.timeliness.by_kind.iter().map(row).collect()
}

fn event(event: &EventReport, clock: &Clock, rows: Vec<Row>) -> EventRow {
    let totals = &event.totals;
    let standing = if totals.asked > 0 {
        format!("{} in time", share(totals.acknowledged_in_time, totals.asked, ""))
    } else if event.dispatched_at.is_none() {
        "NOT DISPATCHED".to_owned()
    } else {
        "none asked".to_owned()
    };
    let mut notes: Vec<String> = Vec::new();
    if !event.worsened.is_empty() {
        let why: Vec<String> = event.worsened.iter().map(|why| plain(why)).collect();
        notes.push(format!("asked anew: {}", why.join("; ")));
    }
    for step in &event.steps {
        let what = format!(
            "step {} ({}, {} contact) due {}",
            step.step,
            step.policy,
            plain(&step.contact),
            clock.moment(step.due_at).both()
        );
        notes.push(match (&step.stopped_by, step.closed_at, step.silent, step.required) {
            (Some(stopped), ..) => format!("{what}: lifted by event {}, {}", stopped.event, stopped.kind),
            (None, None, ..) => format!("{what}: not closed"),
            (None, Some(_), Some(silent), Some(required)) => format!("{what}: {silent} of {required} silent"),
            (None, Some(_), ..) => format!("{what}: closed, NO FINDING"),
        });
    }
    EventRow {
        event: event.event,
        kind: event.kind.as_str(),
        headline: plain(&event.headline),
        published: clock.moment(event.published_at),
        standing,
        notes,
        rows,
    }
}

fn row(clock: &Clock, published: Option<Timestamp>, row: &RecipientReport) -> Row {
    let after = |at: Option<Timestamp>| match (published, at) {
        (Some(from), Some(to)) => length(to.duration_since(from).as_secs_f64()),
        _ => String::new(),
    };
    let standing = match (row.state, row.due_at, row.acknowledged_at) {
        (State::InTime, Some(due), Some(at)) => format!("{} to spare", length(clock.view.between(at, due))),
        (State::Late, Some(due), Some(at)) => format!("{} late", length(clock.view.between(due, at))),
        (State::Silent, ..) => "never acknowledged".to_owned(),
        (State::Excused, ..) => "the incident ended first".to_owned(),
        _ => String::new(),
    };
    let mut by = row.acknowledged_by.as_ref().map(|by| format!("{}, {}", plain(&by.name), plain(&by.role)));
    if let (Some(by), Some(of)) = (&mut by, row.acknowledged_event.filter(|of| *of != row.event)) {
        let _ = write!(by, " (by event {of})");
    }
    Row {
        name: plain(&row.name),
        kind: kind(&row.kind),
        requirement: requirement(row),
        event: row.event,
        state: row.state,
        noticed: clock.act(row.noticed_at),
        noticed_after: after(row.noticed_at),
        delivered: clock.act(row.delivered_at),
        delivered_after: after(row.delivered_at),
        acknowledged: row.acknowledged_at.map(|at| clock.moment(at)),
        by: by.unwrap_or_default(),
        due: row.due_at.map(|at| clock.moment(at)),
        standing,
        mails: row.escalations.iter().map(|owed| mail(clock, owed)).collect(),
    }
}

fn requirement(row: &RecipientReport) -> &'static str {
    match row.requirement {
        tocsin_protocol::Requirement::Required => "required",
        tocsin_protocol::Requirement::Informed => "informed",
    }
}

fn mail(clock: &Clock, owed: &EscalationReport) -> Mail {
    let relay = owed.relay.as_deref().map(plain).filter(|relay| !relay.is_empty());
    let mut became = match (owed.outcome, owed.attempts) {
        (None, 0) => "NOT TRIED".to_owned(),
        (None, _) => "send unknown: an attempt was begun and never ended".to_owned(),
        (Some(Outcome::Accepted), _) => "taken".to_owned(),
        (Some(end), _) => outcome(end).to_owned(),
    };
    if let Some(relay) = relay {
        let _ = write!(became, " by {relay}");
    }
    if owed.attempts != 1 {
        let _ = write!(became, ", {} attempts", owed.attempts);
    }
    if owed.unknown > 0 {
        let _ = write!(became, ", {} UNKNOWN", owed.unknown);
    }
    let sends = u32::from(owed.outcome == Some(Outcome::Accepted)) + owed.unknown;
    if sends > 1 {
        let _ = write!(became, ", may have arrived {sends} times");
    }
    if owed.reason == EscalationReason::Unreachable {
        became.push_str(", as the contact before cannot be reached");
    }
    Mail {
        to: format!(
            "event {}, step {}, {} contact, {}",
            owed.event,
            owed.step,
            plain(&owed.contact),
            plain(&owed.address)
        ),
        closed: owed.closed_at.map(|at| clock.moment(at)),
        became,
        accepted: clock.act(owed.accepted_at),
        took: owed.accepted_at.map(|at| length(at.duration_since(owed.owed_at).as_secs_f64())),
    }
}

fn refusals(report: &Report, clock: &Clock) -> Vec<RefusalLine> {
    report
        .refusals
        .iter()
        .map(|refusal| RefusalLine {
            said: refusal.said,
            at: refusal.at.map(|at| clock.moment(at)),
            subject: plain(&refusal.subject),
            why: refusal.reasons.iter().map(|why| plain(why)).collect::<Vec<_>>().join("; "),
        })
        .collect()
}

fn sources(report: &Report) -> Vec<Line> {
    let provenance = &report.provenance;
    let versions: Vec<String> = provenance.directory_versions.iter().map(ToString::to_string).collect();
    let directory = provenance.directory_name.as_deref().map_or_else(|| "none".to_owned(), plain);
    let stream = |name: &str, read: &crate::report::StreamRead| {
        line(name, format!("{} entries", read.entries), format!("through sequence {}", read.last_sequence))
    };
    vec![
        line("as of", crate::words::utc(provenance.as_of), "by the broker's clock"),
        line("directory", directory, format!("version {}", versions.join(", "))),
        stream("TOCSIN_SAID", &provenance.said),
        stream("TOCSIN_LOG", &provenance.log),
    ]
}
