//! How each recipient did in the exercises of a period, and whether it gets better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tocsin_protocol::{IncidentId, RecipientId, Status, Timestamp};

use super::{PeriodProvenance, PeriodRequest, span::Span, tally::taken};
use crate::{
    compute::{self, count, seconds},
    error::Error,
    facts::Facts,
    report::State,
    timeliness::nearest_rank,
};

/// The version of the scores' form, as `schema_version` has it.
pub const SCORES_SCHEMA_VERSION: u32 = 1;

/// Exercises of which a recipient must have been asked in each half before a trend is told.
const HALF_MIN: usize = 2;
/// By how much the shares in time of the halves must differ.
const SHARE_APART: f64 = 0.1;
/// Where they do not: by what part the median must be shorter or longer.
const MEDIAN_APART: f64 = 0.2;

/// How each recipient did in the exercises of a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The version of this form: [`SCORES_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The first day.
    pub from: jiff::civil::Date,
    /// The last day.
    pub to: jiff::civil::Date,
    /// The directory's time zone, in which those days are.
    pub time_zone: String,
    /// The exercises, in order.
    pub exercises: Vec<ScoredExercise>,
    /// Each recipient that was asked in any of them, the worst first.
    pub recipients: Vec<Score>,
    /// From what this was made.
    pub provenance: PeriodProvenance,
}

/// One exercise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoredExercise {
    /// Which incident it was.
    pub incident: IncidentId,
    /// When its first event was stored.
    pub published_at: Timestamp,
    /// What it said first.
    pub headline: String,
    /// How many were asked to acknowledge.
    pub asked: u32,
    /// How many did so in time.
    pub in_time: u32,
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Who.
    pub id: RecipientId,
    /// Its name, as the last of the exercises had it.
    pub name: String,
    /// What sort of body.
    pub kind: String,
    /// In how many exercises it was asked. Those that ended before its window closed, or whose window is open, do not count.
    pub asked: u32,
    /// Acknowledged in time.
    pub in_time: u32,
    /// Acknowledged late.
    pub late: u32,
    /// Never acknowledged.
    pub never: u32,
    /// The median from notice to acknowledgement in seconds, nearest rank.
    pub median_seconds: Option<f64>,
    /// Whether it gets better.
    pub trend: Trend,
    /// Each exercise, in order: how it stood, and how long it took.
    pub each: Vec<ScoredTurn>,
}

/// How a recipient did in one exercise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredTurn {
    /// Which incident it was.
    pub incident: IncidentId,
    /// How it stood at its worst event.
    pub state: State,
    /// From notice to acknowledgement, in seconds.
    pub seconds: Option<f64>,
}

/// The later half of a recipient's exercises against the earlier: the share in time decides where it differs by a tenth
/// at least, else the median where it differs by a fifth. Fewer than two exercises in a half tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// It does worse than it did.
    Worse,
    /// It does as it did.
    Same,
    /// It does better than it did.
    Better,
    /// There are too few exercises to tell.
    TooFew,
}

impl Trend {
    /// The words that people read.
    pub fn words(self) -> &'static str {
        match self {
            Self::Worse => "WORSE",
            Self::Same => "same",
            Self::Better => "better",
            Self::TooFew => "too few to tell",
        }
    }

    /// The rule.
    pub fn of(turns: &[ScoredTurn]) -> Self {
        let judged: Vec<&ScoredTurn> = turns.iter().filter(|turn| counts(turn.state)).collect();
        let half = judged.len() / 2;
        if half < HALF_MIN {
            return Self::TooFew;
        }
        // Of an odd number the one in the middle is in neither.
        let (earlier, later) = (&judged[..half], &judged[judged.len() - half..]);
        let apart = share(later) - share(earlier);
        if apart.abs() >= SHARE_APART {
            return if apart > 0.0 { Self::Better } else { Self::Worse };
        }
        match (median(earlier), median(later)) {
            (Some(before), Some(after)) if after <= before * (1.0 - MEDIAN_APART) => Self::Better,
            (Some(before), Some(after)) if after >= before * (1.0 + MEDIAN_APART) => Self::Worse,
            _ => Self::Same,
        }
    }
}

/// Whether a state is a recipient's own doing.
fn counts(state: State) -> bool {
    matches!(state, State::InTime | State::Late | State::Silent)
}

fn share(turns: &[&ScoredTurn]) -> f64 {
    let in_time = turns.iter().filter(|turn| turn.state == State::InTime).count();
    f64::from(count(in_time)) / f64::from(count(turns.len()).max(1))
}

fn median(turns: &[&ScoredTurn]) -> Option<f64> {
    let mut seconds: Vec<f64> = turns.iter().filter_map(|turn| turn.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    nearest_rank(seconds.len(), 50).map(|at| seconds[at])
}

/// Scores every exercise of the period; the request's status is left aside.
pub(crate) fn scores(
    incidents: &BTreeMap<IncidentId, Facts>,
    time_zone: &str,
    provenance: PeriodProvenance,
    request: &PeriodRequest,
) -> Result<Scores, Error> {
    let span = Span::of(request.from, request.to, time_zone)?;
    let mut within = Vec::new();
    for (id, facts) in incidents {
        let Some(first) = facts.events.values().next() else { continue };
        let event = &first.fact.event;
        let whose = request.publisher.as_ref().is_none_or(|only| *only == event.publisher);
        if event.status != Status::Exercise || !whose || !span.holds(first.time) {
            continue;
        }
        within.extend(compute::judge(id, facts, provenance.as_of, request.only.as_ref()));
    }
    within.sort_by(|a, b| {
        (a.incident.published_at, &a.incident.id).cmp(&(b.incident.published_at, &b.incident.id))
    });
    let mut exercises = Vec::new();
    let mut turns: BTreeMap<RecipientId, (String, String, Vec<ScoredTurn>)> = BTreeMap::new();
    for judged in &within {
        let (mut asked, mut in_time) = (0, 0);
        for row in judged.whole.iter().map(|judged| &judged.row).filter(|row| row.state != State::NotAsked) {
            asked += 1;
            in_time += u32::from(row.state == State::InTime);
            let (name, kind, turns) = turns.entry(row.id.clone()).or_default();
            name.clone_from(&row.name);
            kind.clone_from(&row.kind);
            turns.push(ScoredTurn {
                incident: judged.incident.id.clone(),
                state: row.state,
                seconds: taken(row).map(seconds),
            });
        }
        exercises.push(ScoredExercise {
            incident: judged.incident.id.clone(),
            published_at: judged.incident.published_at,
            headline: judged.incident.headline.clone(),
            asked,
            in_time,
        });
    }
    let mut recipients: Vec<Score> =
        turns.into_iter().map(|(id, (name, kind, each))| score(id, name, kind, each)).collect();
    recipients.sort_by(|a, b| {
        badness(a).total_cmp(&badness(b)).then_with(|| a.trend.cmp(&b.trend)).then_with(|| a.id.cmp(&b.id))
    });
    Ok(Scores {
        schema_version: SCORES_SCHEMA_VERSION,
        from: request.from,
        to: request.to,
        time_zone: time_zone.to_owned(),
        exercises,
        recipients,
        provenance,
    })
}

fn score(id: RecipientId, name: String, kind: String, each: Vec<ScoredTurn>) -> Score {
    let of = |state: State| count(each.iter().filter(|turn| turn.state == state).count());
    let (in_time, late, never) = (of(State::InTime), of(State::Late), of(State::Silent));
    let all: Vec<&ScoredTurn> = each.iter().collect();
    Score {
        asked: in_time + late + never,
        median_seconds: median(&all),
        trend: Trend::of(&each),
        id,
        name,
        kind,
        in_time,
        late,
        never,
        each,
    }
}

/// The smaller, the worse: by the share in time; who was late did better than who never did.
fn badness(score: &Score) -> f64 {
    if score.asked == 0 {
        return f64::INFINITY;
    }
    (f64::from(score.in_time) + f64::from(score.late) / 1_000.0) / f64::from(score.asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(states: &[(State, f64)]) -> Vec<ScoredTurn> {
        let turn = |(state, seconds): &(State, f64)| ScoredTurn {
            incident: "x".parse().unwrap(),
            state: *state,
            seconds: (*state != State::Silent).then_some(*seconds),
        };
        states.iter().map(turn).collect()
    }

    #[test]
    fn the_trend_is_told_by_the_stated_rule() {
        use State::{Excused, InTime, Late, Silent};
        for (states, trend) in [
            (&[(InTime, 60.0), (InTime, 60.0), (InTime, 60.0)][..], Trend::TooFew),
            (&[(Silent, 0.0), (Late, 900.0), (InTime, 60.0), (InTime, 60.0)], Trend::Better),
            (&[(InTime, 60.0), (InTime, 60.0), (InTime, 60.0), (Silent, 0.0)], Trend::Worse),
            (&[(InTime, 60.0), (InTime, 60.0), (InTime, 50.0), (InTime, 70.0)], Trend::Same),
            (&[(InTime, 100.0), (InTime, 100.0), (InTime, 80.0), (InTime, 80.0)], Trend::Better),
            (&[(InTime, 100.0), (InTime, 100.0), (InTime, 120.0), (InTime, 120.0)], Trend::Worse),
            // The middle of an odd number is in neither half, and who was excused was not tried.
            (
                &[
                    (InTime, 60.0),
                    (InTime, 60.0),
                    (Silent, 0.0),
                    (Excused, 0.0),
                    (InTime, 60.0),
                    (InTime, 60.0),
                ],
                Trend::Same,
            ),
        ] {
            assert_eq!(Trend::of(&turns(states)), trend, "{states:?}");
        }
    }

    #[test]
    fn the_worst_come_first() {
        let score = |states: &[(State, f64)]| {
            score("a".parse().unwrap(), String::new(), String::new(), turns(states))
        };
        let (never, late, well) =
            (score(&[(State::Silent, 0.0)]), score(&[(State::Late, 9.0)]), score(&[(State::InTime, 9.0)]));
        assert!(badness(&never) < badness(&late) && badness(&late) < badness(&well));
    }
}
