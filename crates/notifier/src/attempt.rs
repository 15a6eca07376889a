//! What is to be done next about an escalation: decided from the record of its attempts alone, so that whoever takes
//! it up goes on where the last one was cut off.

use std::collections::BTreeMap;

use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Digest, Entry, Escalation, EventNumber, IncidentId, Outcome,
    RecipientId, StepNumber, Subject, TraceId, from_body,
};

/// Which escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Which {
    pub(crate) recipient: RecipientId,
    pub(crate) incident: IncidentId,
    pub(crate) event: EventNumber,
    pub(crate) step: StepNumber,
}

impl Which {
    /// Reads it from a subject.
    pub(crate) fn of(subject: &str) -> Option<Self> {
        match subject.parse() {
            Ok(Subject::Escalation { recipient, incident, event, step }) => {
                Some(Self { recipient, incident, event, step })
            }
            _ => None,
        }
    }

    /// The trace of its event.
    pub(crate) fn trace_id(&self) -> TraceId {
        TraceId::of(&self.incident, self.event)
    }

    /// Whether a body speaks of the same escalation.
    pub(crate) fn is(&self, escalation: &Escalation) -> bool {
        let Escalation { recipient, incident, event, step, .. } = escalation;
        *recipient == self.recipient
            && *incident == self.incident
            && *event == self.event
            && *step == self.step
    }

    /// The subject of one end of one attempt.
    pub(crate) fn attempt(&self, attempt: u32, phase: AttemptPhase) -> Subject {
        let Self { recipient, incident, event, step } = self.clone();
        Subject::Attempt { recipient, incident, event, step, attempt, phase }
    }

    /// All its attempts, as a filter of subjects.
    pub(crate) fn attempts(&self) -> String {
        let Self { recipient, incident, event, step } = self;
        format!("{}.attempt.{recipient}.{incident}.{event}.{step}.>", Subject::ROOT)
    }
}

/// The record of an escalation's attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History(BTreeMap<u32, Attempt>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Attempt {
    begun: Option<String>,
    digest: Option<Digest>,
    ended: Option<(Outcome, String)>,
}

/// Whether nothing more is sent after an attempt that ended so.
pub(crate) fn settles(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Accepted | Outcome::Permanent | Outcome::StoodDown)
}

impl History {
    /// Reads it from the log. What cannot be read is taken as an attempt whose end nobody knows.
    pub(crate) fn read(entries: &[Entry]) -> Self {
        let mut history = Self::default();
        for entry in entries {
            match entry.subject.parse() {
                Ok(Subject::Attempt { attempt, phase: AttemptPhase::Begun, .. }) => {
                    let begun = from_body::<AttemptBegun>("attempt", &entry.body);
                    let (relay, digest) =
                        begun.map_or((String::new(), None), |begun| (begun.relay, begun.digest));
                    history.begun(attempt, &relay);
                    history.0.entry(attempt).or_default().digest = digest;
                }
                Ok(Subject::Attempt { attempt, phase: AttemptPhase::Ended, .. }) => {
                    let ended = from_body::<AttemptEnded>("attempt", &entry.body);
                    let (outcome, relay) =
                        ended.map_or((Outcome::Unknown, String::new()), |end| (end.outcome, end.relay));
                    history.ended(attempt, outcome, &relay);
                }
                _ => {}
            }
        }
        history
    }

    pub(crate) fn begun(&mut self, attempt: u32, relay: &str) {
        self.0.entry(attempt).or_default().begun = Some(relay.to_owned());
    }

    pub(crate) fn ended(&mut self, attempt: u32, outcome: Outcome, relay: &str) {
        self.0.entry(attempt).or_default().ended = Some((outcome, relay.to_owned()));
    }

    fn next_number(&self) -> u32 {
        self.0.last_key_value().map_or(1, |(last, _)| last.saturating_add(1))
    }

    /// Whether nothing more is to be sent.
    pub(crate) fn is_settled(&self) -> bool {
        let ends = self.0.values().filter_map(|attempt| attempt.ended.as_ref());
        ends.into_iter().any(|(outcome, _)| settles(*outcome))
    }

    /// Whether nothing was ever begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digest that it goes in. What was begun in one goes on in it.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        self.0.values().rev().find_map(|attempt| attempt.digest.as_ref())
    }

    /// How often it was tried by the relay by which it was tried most.
    pub(crate) fn rounds(&self) -> u64 {
        let mut tries: BTreeMap<&str, u64> = BTreeMap::new();
        for relay in self.0.values().filter_map(|attempt| attempt.begun.as_deref()) {
            *tries.entry(relay).or_default() += 1;
        }
        tries.into_values().max().unwrap_or_default()
    }

    /// The first attempt that was begun and never ended.
    fn dangling(&self) -> Option<(u32, &str)> {
        let open = |(number, attempt): (&u32, &Attempt)| attempt.ended.is_none().then_some(*number);
        let number = self.0.iter().find_map(open)?;
        Some((number, self.0.get(&number)?.begun.as_deref().unwrap_or_default()))
    }

    /// The relay of the last attempt, when its end is not known: that one is not tried first again.
    fn doubted(&self) -> Option<&str> {
        match &self.0.last_key_value()?.1.ended {
            Some((Outcome::Unknown, relay)) => Some(relay),
            _ => None,
        }
    }
}

/// A relay as this decision sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) name: &'a str,
    /// It failed a moment ago and is left alone.
    pub(crate) down: bool,
    /// It was tried since the item was handed out.
    pub(crate) tried: bool,
    /// It has had all the mails that it may have for now.
    pub(crate) used_up: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: it has come to its end.
    Nothing,
    /// Whoever began this attempt is gone: write down that its end is not known.
    Close { attempt: u32, relay: String },
    /// Write down this end, with no relay tried.
    End { attempt: u32, outcome: Outcome, reply: String },
    /// Try this relay, by its place.
    Try { attempt: u32, relay: usize },
    /// Every relay that could be tried was: try again after a pause.
    Pause,
}

/// Decides what is to be done next. `instead` is an end that stands before any try: there is no need any more, or no
/// mail that could be sent.
pub(crate) fn next(history: &History, instead: Option<(Outcome, String)>, relays: &[Choice<'_>]) -> Next {
    if history.is_settled() {
        return Next::Nothing;
    }
    if let Some((attempt, relay)) = history.dangling() {
        return Next::Close { attempt, relay: relay.to_owned() };
    }
    let attempt = history.next_number();
    if let Some((outcome, reply)) = instead {
        return Next::End { attempt, outcome, reply };
    }
    let doubted = history.doubted().and_then(|name| relays.iter().position(|relay| relay.name == name));
    let first = doubted.map_or(0, |place| place + 1);
    let order = (first..relays.len()).chain(0..first.min(relays.len()));
    let fit = |place: &usize| relays.get(*place).is_some_and(|relay| !relay.tried && !relay.down);
    let fit: Vec<_> = order.filter(fit).collect();
    // Where all are used up the mail waits at the one that it would have gone by.
    let free = fit.iter().find(|place| relays.get(**place).is_some_and(|relay| !relay.used_up));
    free.or(fit.first()).map_or(Next::Pause, |relay| Next::Try { attempt, relay: *relay })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(ends: &[(u32, Option<Outcome>, &str)]) -> History {
        let mut history = History::default();
        for (attempt, outcome, relay) in ends {
            history.begun(*attempt, relay);
            if let Some(outcome) = outcome {
                history.ended(*attempt, *outcome, relay);
            }
        }
        history
    }

    fn relays<'a>(states: &[(&'a str, bool, bool)]) -> Vec<Choice<'a>> {
        let choice = |(name, down, tried): &(&'a str, bool, bool)| Choice {
            name,
            down: *down,
            tried: *tried,
            used_up: false,
        };
        states.iter().map(choice).collect()
    }

    const BOTH: [(&str, bool, bool); 2] = [("a", false, false), ("b", false, false)];

    #[test]
    fn the_first_relay_is_tried_first() {
        assert_eq!(next(&History::default(), None, &relays(&BOTH)), Next::Try { attempt: 1, relay: 0 });
    }

    #[test]
    fn what_is_settled_stays_settled() {
        for outcome in [Outcome::Accepted, Outcome::Permanent, Outcome::StoodDown] {
            let settled = history(&[(1, Some(Outcome::Temporary), "a"), (2, Some(outcome), "b")]);
            assert_eq!(next(&settled, None, &relays(&BOTH)), Next::Nothing);
            let instead = Some((Outcome::StoodDown, String::new()));
            assert_eq!(next(&settled, instead, &relays(&BOTH)), Next::Nothing);
        }
    }

    #[test]
    fn an_attempt_of_one_who_died_is_closed_as_unknown_before_anything_else() {
        let open = history(&[(1, Some(Outcome::Temporary), "a"), (2, None, "b")]);
        let close = Next::Close { attempt: 2, relay: "b".to_owned() };
        assert_eq!(next(&open, None, &relays(&BOTH)), close);
        assert_eq!(next(&open, Some((Outcome::StoodDown, String::new())), &relays(&BOTH)), close);
    }

    #[test]
    fn a_mail_whose_fate_is_unknown_goes_by_the_next_relay() {
        let unknown = history(&[(1, Some(Outcome::Unknown), "a")]);
        assert_eq!(next(&unknown, None, &relays(&BOTH)), Next::Try { attempt: 2, relay: 1 });
        let unknown = history(&[(1, Some(Outcome::Unknown), "b")]);
        assert_eq!(next(&unknown, None, &relays(&BOTH)), Next::Try { attempt: 2, relay: 0 });
        let one = [("a", false, false)];
        assert_eq!(
            next(&history(&[(1, Some(Outcome::Unknown), "a")]), None, &relays(&one)),
            Next::Try { attempt: 2, relay: 0 }
        );
        let renamed = history(&[(1, Some(Outcome::Unknown), "gone")]);
        assert_eq!(next(&renamed, None, &relays(&BOTH)), Next::Try { attempt: 2, relay: 0 });
    }

    #[test]
    fn a_relay_that_failed_is_followed_by_the_next_and_all_by_a_pause() {
        let failed = history(&[(1, Some(Outcome::Temporary), "a")]);
        let tried = relays(&[("a", false, true), ("b", false, false)]);
        assert_eq!(next(&failed, None, &tried), Next::Try { attempt: 2, relay: 1 });
        let all = relays(&[("a", false, true), ("b", false, true)]);
        assert_eq!(next(&failed, None, &all), Next::Pause);
        let down = relays(&[("a", true, false), ("b", true, false)]);
        assert_eq!(next(&failed, None, &down), Next::Pause);
        let one_down = relays(&[("a", true, false), ("b", false, false)]);
        assert_eq!(next(&failed, None, &one_down), Next::Try { attempt: 2, relay: 1 });
    }

    #[test]
    fn a_relay_that_has_had_its_mails_is_followed_by_the_next_and_waited_for_where_there_is_none() {
        let mut both = relays(&BOTH);
        both[0].used_up = true;
        assert_eq!(next(&History::default(), None, &both), Next::Try { attempt: 1, relay: 1 });
        both[1].used_up = true;
        assert_eq!(next(&History::default(), None, &both), Next::Try { attempt: 1, relay: 0 });
        both[0].down = true;
        assert_eq!(next(&History::default(), None, &both), Next::Try { attempt: 1, relay: 1 });
    }

    #[test]
    fn an_end_that_needs_no_relay_is_written_under_the_next_number() {
        let failed = history(&[(1, Some(Outcome::Temporary), "a")]);
        let instead = Some((Outcome::StoodDown, "acknowledged".to_owned()));
        let end = Next::End { attempt: 2, outcome: Outcome::StoodDown, reply: "acknowledged".to_owned() };
        assert_eq!(next(&failed, instead, &relays(&BOTH)), end);
    }

    #[test]
    fn a_record_that_cannot_be_read_counts_as_unknown() {
        let entry = |subject: &str| Entry {
            stream: tocsin_protocol::Stream::Log,
            sequence: 1,
            time: tocsin_protocol::Timestamp::UNIX_EPOCH,
            subject: subject.to_owned(),
            signed: None,
            said_through: None,
            body: bytes::Bytes::from_static(b"junk"),
        };
        let history = History::read(&[
            entry("tocsin.attempt.r.i.1.1.1.ended"),
            entry("tocsin.attempt.r.i.1.1.2.begun"),
        ]);
        let close = Next::Close { attempt: 2, relay: String::new() };
        assert_eq!(next(&history, None, &relays(&BOTH)), close);
    }
}
