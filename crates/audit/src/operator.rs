//! How timely the operator was: what its events state of each moment, and when those who were owed a notice had it.

use std::collections::BTreeMap;

use tocsin_protocol::{ClockStart, Event, EventKind, EventNumber, RecipientId, SignedDuration, Timestamp};

use crate::{
    compute::{Judged, JudgedEvent, count, seconds},
    facts::{At, Facts, SaidEvent},
    report::{ClockReport, Delays, KindNoticed, Noticed, OperatorTimeliness, Recorded, Statement},
    timeliness::nearest_rank,
};

/// A moment that is stated later than this after it is late entry. Our own figure; the shortest of the duties read gives
/// 30 minutes (47 CFR 4.9(h)), and the operator cannot use all of it.
pub(crate) const LATE_ENTRY: SignedDuration = SignedDuration::from_mins(15);

type Moment = fn(&Event) -> Option<Timestamp>;

/// The moments that an event may tell.
const MOMENTS: [(ClockStart, Moment); 6] = [
    (ClockStart::Occurred, |event| event.began_at),
    (ClockStart::Detected, |event| event.detected_at),
    (ClockStart::Aware, |event| event.aware_at),
    (ClockStart::Discovered, |event| event.discovered_at),
    (ClockStart::Classified, |event| event.classified_at),
    (ClockStart::Restored, |event| event.restored_at),
];

/// `first` is the incident's first event.
pub(crate) fn of(
    facts: &Facts,
    first: &At<SaidEvent>,
    events: &[JudgedEvent],
    whole: &[Judged],
) -> OperatorTimeliness {
    let failure = recorded(first, earliest(events, None), whole);
    let restoration = restoring(facts).map(|said| {
        let of = said.fact.event.sequence;
        recorded(said, earliest(events, Some(of)), whole)
    });
    let clocks = MOMENTS.into_iter().filter_map(|(clock, moment)| {
        let told = if clock == ClockStart::Restored { restoration.as_ref()? } else { &failure };
        clock_report(facts, clock, moment, told)
    });
    OperatorTimeliness { clocks: clocks.collect(), failure, restoration }
}

/// The first event that tells of the service's being restored, where any tells when that was.
fn restoring(facts: &Facts) -> Option<&At<SaidEvent>> {
    let tells = |said: &&At<SaidEvent>| said.fact.event.restored_at.is_some();
    facts.events.values().find(tells)?;
    facts.events.values().find(|said| tells(said) || said.fact.event.kind == EventKind::Resolved)
}

/// Who was owed a notice of any event, or of one, and the first that was stored for each.
fn earliest(events: &[JudgedEvent], only: Option<EventNumber>) -> BTreeMap<&RecipientId, Option<Timestamp>> {
    let mut earliest: BTreeMap<&RecipientId, Option<Timestamp>> = BTreeMap::new();
    let wanted = events.iter().filter(|event| only.is_none_or(|only| event.report.event == only));
    for row in wanted.flat_map(|event| &event.judged).map(|judged| &judged.row) {
        let known = earliest.entry(&row.id).or_default();
        *known = match (*known, row.noticed_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    earliest
}

fn recorded(
    said: &At<SaidEvent>,
    earliest: BTreeMap<&RecipientId, Option<Timestamp>>,
    whole: &[Judged],
) -> Recorded {
    let mut by_kind: Vec<(&str, Vec<Option<Timestamp>>)> = Vec::new();
    for row in whole.iter().map(|judged| &judged.row) {
        let Some(at) = earliest.get(&row.id) else { continue };
        match by_kind.iter_mut().find(|(kind, _)| *kind == row.kind) {
            Some((_, all)) => all.push(*at),
            None => by_kind.push((&row.kind, vec![*at])),
        }
    }
    Recorded {
        event: said.fact.event.sequence,
        recorded_at: said.time,
        noticed: noticed(earliest.into_values().collect()),
        by_kind: by_kind
            .into_iter()
            .map(|(kind, all)| KindNoticed { kind: kind.to_owned(), noticed: noticed(all) })
            .collect(),
    }
}

fn noticed(owed: Vec<Option<Timestamp>>) -> Noticed {
    let all = count(owed.len());
    let mut stored: Vec<Timestamp> = owed.into_iter().flatten().collect();
    stored.sort_unstable();
    Noticed {
        owed: all,
        noticed: count(stored.len()),
        first_noticed_at: stored.first().copied(),
        p95_noticed_at: nearest_rank(stored.len(), 95).map(|at| stored[at]),
        last_noticed_at: stored.last().copied(),
    }
}

fn clock_report(facts: &Facts, clock: ClockStart, moment: Moment, told: &Recorded) -> Option<ClockReport> {
    let mut stated: Vec<Statement> = Vec::new();
    for (number, said) in &facts.events {
        let Some(at) = moment(&said.fact.event) else { continue };
        if stated.last().is_some_and(|before| before.at == at) {
            continue;
        }
        let after = said.time.duration_since(at);
        stated.push(Statement {
            event: *number,
            at,
            stated_at: said.time,
            after_seconds: seconds(after),
            late_entry: after > LATE_ENTRY,
        });
    }
    let delays = |statement: &Statement| {
        let to = |until: Timestamp| seconds(until.duration_since(statement.at));
        Delays {
            from: statement.at,
            recorded_seconds: to(told.recorded_at),
            first_noticed_seconds: told.noticed.first_noticed_at.map(to),
            p95_noticed_seconds: told.noticed.p95_noticed_at.map(to),
            last_noticed_seconds: told.noticed.last_noticed_at.map(to),
        }
    };
    Some(ClockReport {
        clock,
        late_entry: stated.iter().any(|statement| statement.late_entry),
        by_first: delays(stated.first()?),
        by_last: delays(stated.last()?),
        stated,
    })
}
