//! How timely everybody was between two days: every figure with what it is of.
//!
//! A recipient counts once for each incident, as it did at its worst event, so that the counts are the sums of those of
//! the incidents' own reports. Lengths of time are of each event and recipient that was asked. An incident belongs to
//! the day on which its first event was stored, in the directory's time zone. Actual incidents, exercises and tests are
//! never counted together.

mod figures;
mod mails;
mod scores;
mod span;
mod tally;

use std::collections::BTreeMap;

use tocsin_protocol::{IncidentId, PublisherId, RecipientId, Status, Timestamp};

use crate::{
    compute::{self, JudgedIncident, count, seconds},
    duties,
    error::Error,
    facts::Facts,
    problem::ProblemCode,
    report::{DutyTotals, OperatorDelay, RecipientReport},
    timeliness::nearest_rank,
};
pub use figures::*;
use mails::Mails;
pub(crate) use scores::scores;
pub use scores::{SCORES_SCHEMA_VERSION, Score, ScoredExercise, ScoredTurn, Scores, Trend};
use span::Span;
use tally::{Tallies, Tally};

/// How many of the slowest are named.
const SLOWEST: usize = 10;

/// What a report over a period is to be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodRequest {
    /// The first day, in the directory's time zone.
    pub from: jiff::civil::Date,
    /// The last day.
    pub to: jiff::civil::Date,
    /// Which incidents count: the actual ones, the exercises or the tests.
    pub status: Status,
    /// The moment at which the streams were read, by the reader's clock; see [`Request`](crate::Request).
    pub as_of: Option<Timestamp>,
    /// The one publisher whose incidents it is of.
    pub publisher: Option<PublisherId>,
    /// The one recipient that it is for: its own figures, and nothing of any other's.
    pub only: Option<RecipientId>,
}

impl PeriodRequest {
    /// Of all actual incidents from one day to another, both included.
    pub fn new(from: jiff::civil::Date, to: jiff::civil::Date) -> Self {
        Self { from, to, status: Status::Actual, as_of: None, publisher: None, only: None }
    }
}

/// Makes the report.
pub(crate) fn report(
    incidents: &BTreeMap<IncidentId, Facts>,
    time_zone: &str,
    provenance: PeriodProvenance,
    request: &PeriodRequest,
) -> Result<PeriodReport, Error> {
    let span = Span::of(request.from, request.to, time_zone)?;
    let mut left_out: BTreeMap<&str, LeftOut> = BTreeMap::new();
    let mut within: Vec<(&Facts, JudgedIncident)> = Vec::new();
    for (id, facts) in incidents {
        let Some(first) = facts.events.values().next() else { continue };
        let whose = request.publisher.as_ref().is_none_or(|only| *only == first.fact.event.publisher);
        if !whose || !span.holds(first.time) {
            continue;
        }
        let Some(judged) = compute::judge(id, facts, provenance.as_of, request.only.as_ref()) else {
            continue;
        };
        let status = judged.incident.status;
        if status == request.status {
            within.push((facts, judged));
        } else {
            let other = left_out.entry(status.as_str()).or_insert(LeftOut { status, incidents: 0 });
            other.incidents += 1;
        }
    }
    within.sort_by(|(_, a), (_, b)| {
        (a.incident.published_at, &a.incident.id).cmp(&(b.incident.published_at, &b.incident.id))
    });
    let mut sums = Sums { trend: vec![Tally::default(); span.parts.len()], ..Sums::default() };
    for (facts, judged) in &within {
        sums.take(facts, judged, &span, request.only.as_ref());
    }
    Ok(sums.finish(&span, request, left_out.into_values().collect(), provenance))
}

/// What is summed up over the incidents.
#[derive(Default)]
struct Sums {
    all: Tally,
    kinds: Tallies<String>,
    recipients: Tallies<RecipientId>,
    who: BTreeMap<RecipientId, Who>,
    trend: Vec<Tally>,
    incidents: Vec<PeriodIncident>,
    operators: BTreeMap<PublisherId, Vec<(OperatorDelay, DutyTotals)>>,
    slowest: Vec<PeriodSlow>,
    mails: Mails,
    problems: BTreeMap<ProblemCode, (u32, u32)>,
}

/// A recipient, as the newest of the incidents had it.
struct Who {
    place: usize,
    name: String,
    kind: String,
    heard: bool,
}

impl Sums {
    /// All tallies that a recipient counts in, but that of the incident.
    fn tallies(&mut self, row: &RecipientReport, part: Option<usize>) -> impl Iterator<Item = &mut Tally> {
        [&mut self.all, self.kinds.of(&row.kind), self.recipients.of(&row.id)]
            .into_iter()
            .chain(part.map(|part| &mut self.trend[part]))
    }

    fn take(&mut self, facts: &Facts, judged: &JudgedIncident, span: &Span, only: Option<&RecipientId>) {
        let incident = &judged.incident;
        let mut own = Tally::default();
        let part = span.part(incident.published_at);
        for row in &judged.whole {
            let id = &row.row.id;
            for tally in self.tallies(&row.row, part).chain([&mut own]) {
                tally.row(&incident.id, row);
            }
            let who = self.who.entry(id.clone()).or_insert_with(|| Who {
                place: usize::MAX,
                name: String::new(),
                kind: String::new(),
                heard: false,
            });
            who.place = row.place;
            who.name.clone_from(&row.row.name);
            who.kind.clone_from(&row.row.kind);
        }
        for event in &judged.events {
            for row in event.judged.iter().map(|judged| &judged.row) {
                if let Some(who) = self.who.get_mut(&row.id) {
                    who.heard |= row.delivered_at.is_some() || row.acknowledged_at.is_some();
                }
                let Some(taken) = tally::taken(row) else { continue };
                for tally in self.tallies(row, part).chain([&mut own]) {
                    tally.taken.push(taken);
                }
                self.slowest.push(PeriodSlow {
                    incident: incident.id.clone(),
                    event: row.event,
                    recipient: row.id.clone(),
                    name: row.name.clone(),
                    seconds: seconds(taken),
                });
            }
        }
        // Only the slowest of each incident can be among the slowest of all.
        self.slowest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        self.slowest.truncate(SLOWEST);
        self.mails.take(facts, only);
        let mut here: BTreeMap<ProblemCode, u32> = BTreeMap::new();
        for problem in &judged.problems {
            *here.entry(problem.code).or_default() += 1;
        }
        for (code, problems) in here {
            let (incidents, all) = self.problems.entry(code).or_default();
            *incidents += 1;
            *all += problems;
        }
        let delay = incident.operator_delay_seconds;
        self.operators
            .entry(incident.publisher.clone())
            .or_default()
            .push((delay, duties::totals(&judged.duties)));
        self.incidents.push(PeriodIncident {
            id: incident.id.clone(),
            publisher: incident.publisher.clone(),
            headline: incident.headline.clone(),
            published_at: incident.published_at,
            events: count(judged.events.len()),
            operator_delay_seconds: delay,
            problems: count(judged.problems.len()),
            figures: own.finish(),
        });
    }

    fn finish(
        self,
        span: &Span,
        request: &PeriodRequest,
        left_out: Vec<LeftOut>,
        provenance: PeriodProvenance,
    ) -> PeriodReport {
        let mut who: Vec<(&RecipientId, &Who)> = self.who.iter().collect();
        who.sort_by_key(|(id, who)| (who.place, *id));
        let mut kinds: Vec<&str> = Vec::new();
        for (_, who) in &who {
            if !kinds.contains(&who.kind.as_str()) {
                kinds.push(&who.kind);
            }
        }
        // A body may have been of another kind in an earlier directory.
        kinds.extend(
            self.kinds
                .keys()
                .map(String::as_str)
                .filter(|kind| !who.iter().any(|(_, who)| who.kind == *kind)),
        );
        let names: BTreeMap<&RecipientId, &str> =
            who.iter().map(|(id, who)| (*id, who.name.as_str())).collect();
        PeriodReport {
            schema_version: PERIOD_SCHEMA_VERSION,
            period: Period {
                from: request.from,
                to: request.to,
                time_zone: span.time_zone.clone(),
                begins_at: span.begins_at,
                ends_at: span.ends_at,
                status: request.status,
                parts: span.each,
                publisher: request.publisher.clone(),
                recipient: request.only.clone(),
            },
            left_out,
            figures: self.all.finish(),
            slowest: self.slowest,
            by_kind: kinds
                .into_iter()
                .map(|kind| PeriodKind { kind: kind.to_owned(), figures: self.kinds.figures(kind) })
                .collect(),
            by_recipient: who
                .iter()
                .map(|(id, who)| PeriodRecipient {
                    id: (*id).clone(),
                    name: who.name.clone(),
                    kind: who.kind.clone(),
                    figures: self.recipients.figures(*id),
                })
                .collect(),
            trend: span
                .parts
                .iter()
                .zip(&self.trend)
                .map(|((from, to), tally)| PeriodPart { from: *from, to: *to, figures: tally.finish() })
                .collect(),
            incidents: self.incidents,
            operators: self
                .operators
                .into_iter()
                .map(|(publisher, delays)| operator(publisher, &delays))
                .collect(),
            never_heard: who
                .iter()
                .filter(|(_, who)| !who.heard)
                .map(|(id, who)| NeverHeard {
                    id: (*id).clone(),
                    name: who.name.clone(),
                    kind: who.kind.clone(),
                    incidents: self.recipients.figures(*id).told,
                })
                .collect(),
            contacts: self.mails.contacts(&names),
            mails: self.mails.figures(),
            problems: self
                .problems
                .into_iter()
                .map(|(code, (incidents, problems))| PeriodProblem { code, incidents, problems })
                .collect(),
            provenance,
        }
    }
}

fn operator(publisher: PublisherId, delays: &[(OperatorDelay, DutyTotals)]) -> OperatorFigures {
    let spread = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        Spread {
            of: count(all.len()),
            median_seconds: nearest_rank(all.len(), 50).map(|at| all[at]),
            slowest_seconds: all.last().copied(),
        }
    };
    OperatorFigures {
        publisher,
        incidents: count(delays.len()),
        from_began: spread(delays.iter().filter_map(|(delay, _)| delay.from_began).collect()),
        from_detected: spread(delays.iter().filter_map(|(delay, _)| delay.from_detected).collect()),
        duties: delays.iter().fold(DutyTotals::default(), |mut sum, (_, totals)| {
            sum.duties.add(&totals.duties);
            sum.targets.add(&totals.targets);
            sum.promises.add(&totals.promises);
            sum
        }),
    }
}
