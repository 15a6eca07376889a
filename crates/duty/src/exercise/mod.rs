//! Exercises by schedule: when each is due, and what it says then. The time is an argument; nothing here reads a clock.
//!
//! A schedule is a cron line of five fields, read in the directory's time zone: `30 10 * * TUE`. A time that the change to
//! summer time leaves out falls on the first minute after it; one that the change back repeats falls once.

mod local;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};
use local::Local;
use tocsin_protocol::{Event, ExerciseDocument, ExerciseId, IncidentId, SignedDuration};

/// Between two exercises of one schedule there is an hour at least: they are for people.
const APART_MIN: SignedDuration = SignedDuration::from_hours(1);
/// So many occurrences in a row are held against that.
const LOOKED_AT: usize = 50;

/// When an exercise is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a cron line of a directory in this zone.
    ///
    /// # Errors
    /// Why it cannot be used, and what to write, for people.
    pub fn read(line: &str, zone: TimeZone) -> Result<Self, String> {
        const EXAMPLE: &str =
            "write five fields (minute, hour, day of month, month, day of week), such as \"30 10 * * TUE\"";
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(line).map_err(|why| format!("{why}: {EXAMPLE}"))?;
        Ok(Self { cron, zone })
    }

    /// Holds a schedule against what is fit for people, from a moment on.
    ///
    /// # Errors
    /// That it never comes, or too often.
    pub fn check(&self, from: Timestamp) -> Result<(), String> {
        let mut last: Option<Timestamp> = None;
        for at in self.after(from).take(LOOKED_AT) {
            if let Some(last) = last.filter(|last| at.duration_since(*last) < APART_MIN) {
                return Err(format!(
                    "it comes at {last} and again at {at}: leave an hour between two exercises"
                ));
            }
            last = Some(at);
        }
        if last.is_some() { Ok(()) } else { Err("it never comes: there is no such day".to_owned()) }
    }

    /// The moments after this one at which it is due, in order.
    pub fn after(&self, at: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let mut at = at;
        std::iter::from_fn(move || {
            let now = Local::new(at, &self.zone).ok()?;
            let next = self.cron.find_next_occurrence(&now, false).ok()?.timestamp();
            // A schedule that stood still would be asked for ever.
            if next <= at {
                return None;
            }
            at = next;
            Some(next)
        })
    }

    /// The last moment up to this one, this one among them, at which it was due.
    pub fn last(&self, at: Timestamp) -> Option<Timestamp> {
        let now = Local::new(at, &self.zone).ok()?;
        let last = self.cron.find_previous_occurrence(&now, true).ok()?.timestamp();
        (last <= at).then_some(last)
    }
}

/// The incident that an exercise is at its scheduled moment. It is made of both alone, so that whoever says it a second
/// time says the same.
///
/// # Errors
/// [`tocsin_protocol::Error::Id`] where the exercise's identifier leaves no room, which a directory's check refuses.
pub fn incident_of(exercise: &ExerciseId, at: Timestamp) -> Result<IncidentId, tocsin_protocol::Error> {
    IncidentId::new(&format!("{exercise}-{}", at.strftime("%Y%m%dt%H%Mz")))
}

/// The longest identifier of an exercise: its incidents have 15 characters more.
pub const EXERCISE_ID_MAX: usize = 64 - 15;

/// What an exercise says at its scheduled moment.
///
/// # Errors
/// As [`incident_of`].
pub fn event_of(exercise: &ExerciseDocument, at: Timestamp) -> Result<Event, tocsin_protocol::Error> {
    let event = Event::initial(
        exercise.publisher.clone(),
        incident_of(&exercise.id, at)?,
        exercise.status.into(),
        exercise.category,
        exercise.services.clone(),
        &exercise.headline,
        exercise.areas.clone(),
    );
    Ok(Event { description: exercise.description.clone(), began_at: Some(at), ..event })
}

/// What is to be done about an exercise that was due at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Say it now.
    Now,
    /// Say it now, though it is later than it should be.
    Late,
    /// It is too late to say it: it is told as missed.
    Missed,
    /// Not while an actual incident of its publisher is open. It is said when that is over, if that is within the grace.
    Postponed,
}

impl Due {
    /// Judges an exercise that was due at `at` and has not been said.
    pub fn judge(at: Timestamp, now: Timestamp, grace: SignedDuration, actual_is_open: bool) -> Self {
        let late = now.duration_since(at);
        if late > grace {
            Self::Missed
        } else if actual_is_open {
            Self::Postponed
        } else if late > SignedDuration::from_mins(1) {
            Self::Late
        } else {
            Self::Now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn london() -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get("Europe/London").unwrap()
    }

    fn times(line: &str, from: &str, many: usize) -> Vec<String> {
        let schedule = Schedule::read(line, london()).unwrap();
        let from = from.parse().unwrap();
        schedule
            .after(from)
            .take(many)
            .map(|at| at.to_zoned_datetime(london()).strftime("%d %H:%M %Z").to_string())
            .collect()
    }

    #[test]
    fn a_schedule_is_read_in_the_directorys_zone_over_the_changes_of_the_clocks() {
        // In 2026 clocks go forward on 29 March at 01:00 and back on 25 October at 02:00.
        assert_eq!(
            times("30 1 * * *", "2026-03-27T12:00:00Z", 3),
            ["28 01:30 GMT", "29 02:00 BST", "30 01:30 BST"],
            "half past one is left out that day: it is said when the clocks have changed"
        );
        assert_eq!(
            times("30 1 * * *", "2026-10-24T12:00:00Z", 2),
            ["25 01:30 BST", "26 01:30 GMT"],
            "half past one comes twice that day: it is said once"
        );
        assert_eq!(times("30 10 * * TUE", "2026-10-20T12:00:00Z", 2), ["27 10:30 GMT", "03 10:30 GMT"]);
    }

    #[test]
    fn the_last_moment_is_the_one_before_and_itself() {
        let schedule = Schedule::read("30 10 * * *", london()).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(schedule.last(at("2026-07-01T09:30:00Z")), Some(at("2026-07-01T09:30:00Z")));
        assert_eq!(schedule.last(at("2026-07-01T09:29:59Z")), Some(at("2026-06-30T09:30:00Z")));
        // Asked in between, on the day on which the clocks go back, it is the same moment still.
        let night = Schedule::read("30 1 * * *", london()).unwrap();
        let said = at("2026-10-25T00:30:00Z");
        for asked in
            ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T12:00:00Z"]
        {
            assert_eq!(night.last(at(asked)), Some(said), "{asked}");
        }
    }

    #[test]
    fn what_is_no_schedule_for_people_is_refused() {
        let from = "2026-01-01T00:00:00Z".parse().unwrap();
        for line in ["", "* * *", "61 * * * *", "0 0 10 * * *", "0 10 * * FUNDAY", "@reboot"] {
            assert!(Schedule::read(line, london()).is_err(), "{line}");
        }
        for (line, why) in
            [("* * * * *", "an hour"), ("*/30 10 * * *", "an hour"), ("0 10 31 2 *", "no such day")]
        {
            let refused = Schedule::read(line, london()).unwrap().check(from).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
        Schedule::read("0 10 29 2 *", london()).unwrap().check(from).unwrap();
    }

    #[test]
    fn an_exercise_is_said_once_late_within_the_grace_and_never_beside_an_actual_incident() {
        let at: Timestamp = "2026-07-01T09:30:00Z".parse().unwrap();
        let judge = |minutes, open| {
            Due::judge(at, at + SignedDuration::from_mins(minutes), SignedDuration::from_mins(30), open)
        };
        assert_eq!(
            [judge(0, false), judge(1, false), judge(2, false), judge(30, false), judge(31, false)],
            [Due::Now, Due::Now, Due::Late, Due::Late, Due::Missed]
        );
        assert_eq!(
            [judge(0, true), judge(30, true), judge(31, true)],
            [Due::Postponed, Due::Postponed, Due::Missed]
        );
        let id: ExerciseId = "tuesday".parse().unwrap();
        assert_eq!(incident_of(&id, at).unwrap().as_str(), "tuesday-20260701t0930z");
        let longest: ExerciseId = "x".repeat(EXERCISE_ID_MAX).parse().unwrap();
        assert_eq!(incident_of(&longest, at).unwrap().as_str().len(), 64);
    }
}
