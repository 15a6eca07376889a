//! How timely the recipients were. Percentiles are by nearest rank on the raw durations: a figure in the report is one
//! that occurred.

use tocsin_protocol::{RecipientId, SignedDuration};

use crate::{
    compute::{Judged, JudgedEvent, count, seconds},
    report::{KindReport, Slow, State, Timeliness},
};

/// How many of the slowest are named.
const SLOWEST: usize = 10;

pub(crate) fn of(events: &[JudgedEvent], whole: &[Judged]) -> Timeliness {
    let mut taken: Vec<(SignedDuration, Slow, &str)> = events
        .iter()
        .flat_map(|event| &event.judged)
        .filter(|judged| judged.row.state != State::NotAsked)
        .filter_map(|judged| {
            let row = &judged.row;
            let taken = row.acknowledged_at?.duration_since(row.noticed_at?);
            let slow = Slow { recipient: row.id.clone(), event: row.event, seconds: seconds(taken) };
            Some((taken, slow, row.kind.as_str()))
        })
        .collect();
    taken.sort_by(|a, b| {
        let key = |slow: &Slow| (RecipientId::clone(&slow.recipient), slow.event);
        a.0.cmp(&b.0).then_with(|| key(&a.1).cmp(&key(&b.1)))
    });
    let nearest = |percent| nearest_rank(taken.len(), percent).map(|at| taken[at].1.seconds);
    let asked = whole.iter().filter(|judged| judged.row.state != State::NotAsked).count();
    let in_time = whole.iter().filter(|judged| judged.row.state == State::InTime).count();
    Timeliness {
        share_in_time: (asked > 0).then(|| f64::from(count(in_time)) / f64::from(count(asked))),
        measured: count(taken.len()),
        median_seconds: nearest(50),
        p95_seconds: nearest(95),
        slowest: taken.iter().rev().take(SLOWEST).map(|(_, slow, _)| slow.clone()).collect(),
        by_kind: by_kind(whole, &taken),
    }
}

/// The place of a percentile in a sorted list: the smallest that has at least that share of the list up to and with it.
pub(crate) fn nearest_rank(of: usize, percent: usize) -> Option<usize> {
    (of * percent).div_ceil(100).checked_sub(1)
}

/// `taken` is sorted, shortest first; each with the kind that the recipient was of at that event.
fn by_kind(whole: &[Judged], taken: &[(SignedDuration, Slow, &str)]) -> Vec<KindReport> {
    let mut kinds: Vec<KindReport> = Vec::new();
    for Judged { row, .. } in whole {
        let at = kinds.iter().position(|kind| kind.kind == row.kind).unwrap_or_else(|| {
            kinds.push(KindReport {
                kind: row.kind.clone(),
                required: 0,
                acknowledged_in_time: 0,
                acknowledged_late: 0,
                never: 0,
                escalated: 0,
                informed: 0,
                measured: 0,
                median_seconds: None,
                p95_seconds: None,
                slowest_seconds: None,
            });
            kinds.len() - 1
        });
        let kind = &mut kinds[at];
        match row.state {
            State::NotAsked => kind.informed += 1,
            _ => kind.required += 1,
        }
        match row.state {
            State::InTime => kind.acknowledged_in_time += 1,
            State::Late => kind.acknowledged_late += 1,
            State::Silent | State::Open | State::Excused => kind.never += 1,
            State::NotAsked => {}
        }
        kind.escalated += u32::from(!row.escalations.is_empty());
    }
    for kind in &mut kinds {
        let own = taken.iter().filter(|(_, _, of)| *of == kind.kind);
        let took: Vec<f64> = own.map(|(_, slow, _)| slow.seconds).collect();
        kind.measured = count(took.len());
        kind.median_seconds = nearest_rank(took.len(), 50).map(|at| took[at]);
        kind.p95_seconds = nearest_rank(took.len(), 95).map(|at| took[at]);
        kind.slowest_seconds = took.last().copied();
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rank_is_a_figure_that_occurred() {
        assert_eq!(nearest_rank(0, 50), None);
        assert_eq!(nearest_rank(1, 50), Some(0));
        assert_eq!(nearest_rank(2, 50), Some(0));
        assert_eq!(nearest_rank(3, 50), Some(1));
        assert_eq!(nearest_rank(20, 95), Some(18));
        assert_eq!(nearest_rank(21, 95), Some(19));
        assert_eq!(nearest_rank(100, 100), Some(99));
    }
}
