//! What a reader is told: the report put into words once, for the table and for the page.
//!
//! Everything that came from outside goes through [`plain`] here.

mod figures;
mod owed;
mod rows;
mod sheets;

use std::collections::BTreeMap;

use tocsin_protocol::{EventNumber, Status, Timestamp};

use super::{View, sheet::Sheet};
use crate::{
    report::{RecipientReport, Report, State},
    words::{Zone, plain},
};

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
    /// The operator's timeliness, and no recipient's.
    pub(super) operators: Vec<Sheet>,
    pub(super) recipients: Vec<Line>,
    pub(super) slowest: Vec<Line>,
    pub(super) machine: Vec<Measured>,
    /// The recipients' timeliness, and not the operator's.
    pub(super) peoples: Vec<Sheet>,
    /// How the figures moved.
    pub(super) figures: Vec<Sheet>,
    pub(super) events: Vec<EventRow>,
    /// Every recipient, by its worst event.
    pub(super) everyone: Vec<Row>,
    pub(super) comparison: Option<Comparison>,
    pub(super) problems: Vec<ProblemLine>,
    pub(super) linked: Vec<LinkedLine>,
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

/// A trail that was linked, or said not to be of the same outage.
pub(super) struct LinkedLine {
    pub(super) trail: String,
    /// By the broker's clock.
    pub(super) said: Moment,
    /// By its author's.
    pub(super) seen: Option<Moment>,
    /// `13 min before the first event`.
    pub(super) apart: String,
    /// What it says, who says so, and what was added.
    pub(super) words: String,
    /// Who linked it, when and why.
    pub(super) link: String,
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
    /// What the page or the file is called.
    pub(super) fn title(&self) -> String {
        format!("{} - timeliness report", self.headline)
    }

    pub(super) fn of(report: &Report, view: &View) -> Self {
        let clock = Clock::of(report, view);
        let published: BTreeMap<EventNumber, Timestamp> =
            report.events.iter().map(|event| (event.event, event.published_at)).collect();
        let row = |row: &RecipientReport| rows::row(&clock, published.get(&row.event).copied(), row);
        let incident = &report.incident;
        let (recipients, slowest) = figures::people(report, view);
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
            verdict: figures::verdict(report),
            operator: figures::operator(report, &clock),
            operators: sheets::operator(report, &clock),
            recipients,
            slowest,
            machine: figures::machine(report),
            peoples: sheets::recipients(report, &clock),
            figures: sheets::figures(report, &clock),
            events: report.events.iter().map(|e| rows::event(e, &clock, e.recipients.iter().map(row).collect())).collect(),
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
            linked: rows::linked(report, &clock),
            refusals: rows::refusals(report, &clock),
            sources: rows::sources(report),
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
