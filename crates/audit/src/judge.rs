//! How one recipient stood to one event: the rule of what "in time" means.

use std::collections::BTreeMap;

use tocsin_protocol::{Dispatch, DispatchStep, RecipientId, SignedDuration, Timestamp};

use crate::{facts::Facts, report::State};

/// How long the broker may take to close a window before its silence is told as a fault. Over the kill of the leader
/// of three it takes 2 to 4 s.
pub(crate) const CLOSING: SignedDuration = SignedDuration::from_secs(60);

/// What became of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// It has not closed.
    Open,
    /// It closed.
    Closed,
    /// It closed after a resolved or cancelled event had lifted the duty.
    Lifted,
}

/// The step by which each recipient is judged: of those whose policy requires it, the first to close. Who is not in it
/// was not asked.
pub(crate) fn asked(dispatch: &Dispatch) -> BTreeMap<&RecipientId, &DispatchStep> {
    let mut asked: BTreeMap<&RecipientId, &DispatchStep> = BTreeMap::new();
    for step in &dispatch.steps {
        for recipient in dispatch.required(step.step) {
            let first = asked.entry(recipient).or_insert(step);
            if (step.due_at, step.step) < (first.due_at, first.step) {
                *first = step;
            }
        }
    }
    asked
}

/// Whether a window has closed, as of a moment.
pub(crate) fn window(facts: &Facts, dispatch: &Dispatch, step: &DispatchStep, as_of: Timestamp) -> Window {
    let key = (dispatch.event, step.step);
    match facts.findings.get(&key) {
        Some(finding) if finding.fact.stopped_by.is_some() => Window::Lifted,
        Some(_) => Window::Closed,
        None if facts.dues.contains_key(&key) || overdue(step.due_at, as_of) => Window::Closed,
        None => Window::Open,
    }
}

/// Whether the broker should long have closed a window.
pub(crate) fn overdue(due_at: Timestamp, as_of: Timestamp) -> bool {
    as_of.duration_since(due_at) > CLOSING
}

/// How a recipient stood. An acknowledgement exactly at `due_at` is in time.
pub(crate) fn state(due_at: Timestamp, acknowledged_at: Option<Timestamp>, window: Window) -> State {
    match (acknowledged_at, window) {
        (Some(at), _) if at <= due_at => State::InTime,
        (Some(_), _) => State::Late,
        (None, Window::Open) => State::Open,
        (None, Window::Closed) => State::Silent,
        (None, Window::Lifted) => State::Excused,
    }
}

/// Whether nobody can be shown to have cared: the window closed on a duty that stood, without an acknowledgement in
/// time and without an escalation.
pub(crate) fn neither(state: State, window: Window, escalated: usize) -> bool {
    escalated == 0 && window == Window::Closed && matches!(state, State::Late | State::Silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn exactly_at_due_is_in_time_and_a_nanosecond_more_is_late() {
        let due = at(100);
        let after = due + SignedDuration::from_nanos(1);
        for window in [Window::Open, Window::Closed, Window::Lifted] {
            assert_eq!(state(due, Some(due), window), State::InTime);
            assert_eq!(state(due, Some(after), window), State::Late);
        }
    }

    #[test]
    fn silence_is_open_then_silent_or_excused() {
        assert_eq!(state(at(100), None, Window::Open), State::Open);
        assert_eq!(state(at(100), None, Window::Closed), State::Silent);
        assert_eq!(state(at(100), None, Window::Lifted), State::Excused);
    }

    #[test]
    fn only_a_closed_window_on_a_standing_duty_without_mail_is_neither() {
        assert!(neither(State::Silent, Window::Closed, 0));
        assert!(neither(State::Late, Window::Closed, 0));
        assert!(!neither(State::Late, Window::Lifted, 0));
        assert!(!neither(State::Silent, Window::Closed, 1));
        assert!(!neither(State::Open, Window::Open, 0));
        assert!(!neither(State::InTime, Window::Closed, 0));
    }
}
