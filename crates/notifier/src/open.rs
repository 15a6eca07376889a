//! The escalations that have not come to their end, by the address that they go to: from the log alone, so that every
//! notifier knows the same. Of each no more is kept than three numbers: a storm leaves a quarter of a million open.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, Hash, RandomState},
    time::{Duration, Instant},
};

use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Entry, Escalation, EscalationReason, EventNumber, IncidentId,
    RecipientId, StepNumber, Stream, Subject, Timestamp, from_body,
};

use crate::{
    attempt::settles,
    gather::{About, Minute, together, waits_until},
};

/// How many addresses may be at rest before those are forgotten.
const AT_REST: usize = 4096;

/// What stands for something longer; two are not the same by chance.
type Mark = u64;

/// What is open.
pub(crate) struct Open {
    every: Duration,
    marks: RandomState,
    owed: HashMap<Mark, Owed>,
    addresses: HashMap<Mark, Address>,
    /// The sequences of what is owed.
    sequences: HashSet<u64>,
    at_rest: usize,
    /// The last entry of the log that was taken in.
    through: u64,
}

#[derive(Clone, Copy)]
struct Owed {
    sequence: u64,
    address: Mark,
    about: About,
    /// The lead of the digest in which it goes.
    lead: Option<u64>,
}

#[derive(Default)]
struct Address {
    /// What was never begun, by its sequence.
    fresh: BTreeMap<u64, About>,
    /// What this notifier has in hand of it.
    taken: BTreeSet<u64>,
    minute: Option<Minute>,
    open: usize,
}

/// Whether a mail may go, as far as other mails to its address have a say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It may.
    Go,
    /// It waits so long for the others that go in one mail with it.
    Wait(Duration),
    /// It goes in a digest whose lead has not come to its end: whoever has that in hand sends for all.
    Led,
    /// It goes in a mail that this notifier has in hand or that somebody has begun.
    Elsewhere,
    /// It has come to its end.
    Ended,
}

/// What is taken in hand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// By their sequences, ascending.
    pub(crate) sequences: Vec<u64>,
    address: Mark,
    before: Option<Minute>,
    at: Instant,
}

impl Open {
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            every,
            marks: RandomState::new(),
            owed: HashMap::new(),
            addresses: HashMap::new(),
            sequences: HashSet::new(),
            at_rest: 0,
            through: 0,
        }
    }

    /// Takes in an entry of the log.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        if entry.stream != Stream::Log {
            return;
        }
        self.through = self.through.max(entry.sequence);
        match entry.subject.parse() {
            Ok(Subject::Escalation { recipient, incident, event, step }) => {
                let Ok(escalation) = from_body::<Escalation>("escalation", &entry.body) else { return };
                let key = self.key(&recipient, &incident, event, step);
                let (address, about) = self.address(&escalation);
                self.owed.insert(key, Owed { sequence: entry.sequence, address, about, lead: None });
                self.sequences.insert(entry.sequence);
                let address = self.addresses.entry(address).or_default();
                address.fresh.insert(entry.sequence, about);
                address.open += 1;
            }
            Ok(Subject::Attempt { recipient, incident, event, step, attempt, phase }) => {
                let key = self.key(&recipient, &incident, event, step);
                match phase {
                    AttemptPhase::Begun => {
                        let begun = from_body::<AttemptBegun>("attempt", &entry.body).ok();
                        let lead = begun.and_then(|begun| begun.digest).map(|digest| digest.lead);
                        self.begun(key, attempt, lead, entry.time);
                    }
                    AttemptPhase::Ended => {
                        let ended = from_body::<AttemptEnded>("attempt", &entry.body);
                        if ended.is_ok_and(|ended| settles(ended.outcome)) {
                            self.settled(key);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// What stands in the log up to here has been taken in.
    pub(crate) fn passed(&mut self, through: u64) {
        self.through = self.through.max(through);
    }

    fn begun(&mut self, key: Mark, attempt: u32, lead: Option<u64>, time: Timestamp) {
        let Some(owed) = self.owed.get_mut(&key) else { return };
        owed.lead = lead.filter(|lead| *lead != owed.sequence);
        let Owed { sequence, address, about, .. } = *owed;
        let Some(address) = self.addresses.get_mut(&address) else { return };
        address.fresh.remove(&sequence);
        address.taken.remove(&sequence);
        if attempt == 1 {
            // Of two clocks that differ, neither makes anybody wait for longer than a minute.
            let ago = Duration::try_from(Timestamp::now().duration_since(time)).unwrap_or_default();
            let at = Instant::now().checked_sub(ago.min(self.every)).unwrap_or_else(Instant::now);
            address.minute = Some(Minute::after(address.minute, about, at, self.every));
        }
    }

    fn settled(&mut self, key: Mark) {
        let Some(Owed { sequence, address, .. }) = self.owed.remove(&key) else { return };
        self.sequences.remove(&sequence);
        let Some(known) = self.addresses.get_mut(&address) else { return };
        known.fresh.remove(&sequence);
        known.taken.remove(&sequence);
        known.open = known.open.saturating_sub(1);
        if known.open == 0 {
            self.at_rest += 1;
        }
        if self.at_rest > AT_REST {
            let (now, every) = (Instant::now(), self.every);
            let is_over = |address: &Address| address.minute.is_none_or(|minute| minute.is_over(now, every));
            self.addresses.retain(|_, address| address.open > 0 || !is_over(address));
            self.at_rest = self.addresses.values().filter(|address| address.open == 0).count();
        }
    }

    /// Whether nothing was ever begun for an escalation, as far as is known here.
    pub(crate) fn is_fresh(&self, sequence: u64, escalation: &Escalation) -> bool {
        let (address, _) = self.address(escalation);
        self.addresses.get(&address).is_some_and(|address| address.fresh.contains_key(&sequence))
    }

    /// Whether the mail of an escalation for which nothing was begun may go.
    pub(crate) fn look(&self, sequence: u64, escalation: &Escalation) -> Leave {
        let Escalation { recipient, incident, event, step, .. } = escalation;
        let known = self.owed.get(&self.key(recipient, incident, *event, *step));
        if known.is_none() && sequence <= self.through {
            return Leave::Ended;
        }
        if known.and_then(|owed| owed.lead).is_some_and(|lead| self.sequences.contains(&lead)) {
            return Leave::Led;
        }
        let (address, about) = self.address(escalation);
        let Some(address) = self.addresses.get(&address) else { return Leave::Go };
        if address.taken.contains(&sequence) || (known.is_some() && !address.fresh.contains_key(&sequence)) {
            return Leave::Elsewhere;
        }
        let now = Instant::now();
        match waits_until(address.minute, about, now, self.every) {
            Some(until) => Leave::Wait(until.saturating_duration_since(now)),
            None => Leave::Go,
        }
    }

    /// Takes it in hand with all that go along, so that no other of this notifier's takes them too, until they are known to
    /// be begun or [given back](Self::give_back).
    ///
    /// # Errors
    /// Why it may not go.
    pub(crate) fn take(&mut self, sequence: u64, escalation: &Escalation) -> Result<Taken, Leave> {
        match self.look(sequence, escalation) {
            Leave::Go => {}
            leave => return Err(leave),
        }
        let (mark, about) = self.address(escalation);
        let (now, every) = (Instant::now(), self.every);
        let address = self.addresses.entry(mark).or_default();
        let fresh = address.fresh.iter().filter(|(other, _)| !address.taken.contains(other));
        let fresh: BTreeMap<_, _> = fresh.map(|(other, about)| (*other, *about)).collect();
        let (before, sequences) =
            (address.minute, together(address.minute, (sequence, about), &fresh, now, every));
        address.taken.extend(&sequences);
        // Whoever comes before these are known to be begun waits for the next.
        for sequence in &sequences {
            let about = fresh.get(sequence).copied().unwrap_or(about);
            address.minute = Some(Minute::after(address.minute, about, now, every));
        }
        Ok(Taken { sequences, address: mark, before, at: now })
    }

    /// These are begun: where they begin a minute, it is from now, however long they were in hand.
    pub(crate) fn have_begun(&mut self, taken: &Taken) {
        let Some(address) = self.addresses.get_mut(&taken.address) else { return };
        address.minute = address.minute.map(|minute| minute.begun_late(taken.at, Instant::now()));
    }

    /// None of these was begun after all.
    pub(crate) fn give_back(&mut self, taken: &Taken) {
        if let Some(address) = self.addresses.get_mut(&taken.address) {
            address.taken.retain(|sequence| !taken.sequences.contains(sequence));
            address.minute = taken.before;
        }
    }

    /// Some of what was taken does not go along.
    pub(crate) fn leave_out(&mut self, taken: &mut Taken, left_out: &[u64]) {
        taken.sequences.retain(|sequence| !left_out.contains(sequence));
        if let Some(address) = self.addresses.get_mut(&taken.address) {
            address.taken.retain(|sequence| !left_out.contains(sequence));
        }
    }

    fn key(
        &self,
        recipient: &RecipientId,
        incident: &IncidentId,
        event: EventNumber,
        step: StepNumber,
    ) -> Mark {
        self.mark((recipient.as_str(), incident.as_str(), event, step))
    }

    /// Where a mail goes, and what it is about. Mails of different status never go together, nor does one that reminds a
    /// publisher of what it owes with any other.
    fn address(&self, escalation: &Escalation) -> (Mark, About) {
        if escalation.reason == EscalationReason::Overdue {
            let Escalation { recipient, incident, event, step, .. } = escalation;
            let alone = self.key(recipient, incident, *event, *step);
            return (alone, alone);
        }
        let to = (escalation.recipient.as_str(), escalation.to.email.as_str(), escalation.status.as_str());
        (self.mark(to), self.mark(escalation.incident.as_str()))
    }

    fn mark(&self, of: impl Hash) -> Mark {
        self.marks.hash_one(of)
    }
}

#[cfg(test)]
mod tests {
    use tocsin_protocol::{NewFact, Outcome, SignedDuration, Status, to_body};

    use super::*;

    const EVERY: Duration = Duration::from_mins(1);

    fn escalation(incident: &str, recipient: &str) -> Escalation {
        let example = include_bytes!("../tests/data/escalation.json");
        let example: Escalation = from_body("escalation", example).unwrap();
        Escalation { incident: incident.parse().unwrap(), recipient: recipient.parse().unwrap(), ..example }
    }

    fn entry(sequence: u64, fact: &NewFact) -> Entry {
        Entry {
            stream: Stream::Log,
            sequence,
            time: Timestamp::now(),
            subject: fact.subject.to_string(),
            signed: None,
            said_through: None,
            body: fact.body.clone(),
        }
    }

    fn owed(open: &mut Open, sequence: u64, escalation: &Escalation) {
        open.apply(&owing(sequence, escalation));
    }

    fn owing(sequence: u64, escalation: &Escalation) -> Entry {
        let Escalation { recipient, incident, event, step, .. } = escalation.clone();
        let subject = Subject::Escalation { recipient, incident, event, step };
        let body = to_body("escalation", escalation).unwrap();
        entry(sequence, &NewFact { subject, body, schedule: None })
    }

    fn attempted(open: &mut Open, sequence: u64, escalation: &Escalation, outcome: Option<Outcome>) {
        open.apply(&attempt(sequence, escalation, outcome));
    }

    fn attempt(sequence: u64, escalation: &Escalation, outcome: Option<Outcome>) -> Entry {
        let Escalation { recipient, incident, event, step, .. } = escalation.clone();
        let phase = if outcome.is_some() { AttemptPhase::Ended } else { AttemptPhase::Begun };
        let subject = Subject::Attempt { recipient, incident, event, step, attempt: 1, phase };
        let relay = "a".to_owned();
        let body = match outcome {
            Some(outcome) => to_body(
                "attempt",
                &tocsin_protocol::AttemptEnded { relay, outcome, code: None, reply: String::new() },
            ),
            None => to_body(
                "attempt",
                &AttemptBegun {
                    relay,
                    to: String::new(),
                    message_id: String::new(),
                    token: None,
                    digest: None,
                },
            ),
        };
        entry(sequence, &NewFact { subject, body: body.unwrap(), schedule: None })
    }

    #[test]
    fn what_is_owed_to_one_address_goes_together_and_each_is_taken_once() {
        let mut open = Open::new(EVERY);
        let (a, b, c) = (escalation("a", "r"), escalation("b", "r"), escalation("c", "r"));
        let rehearsed = Escalation { status: Status::Exercise, ..escalation("d", "r") };
        for (sequence, one) in [(1, &a), (2, &b), (3, &rehearsed), (4, &escalation("a", "s"))] {
            owed(&mut open, sequence, one);
        }
        let taken = open.take(1, &a).unwrap();
        assert_eq!(taken.sequences, [1, 2], "of the same recipient and status");
        assert_eq!(open.look(2, &b), Leave::Elsewhere);
        assert_eq!(open.look(3, &rehearsed), Leave::Go, "an exercise's mail is another's affair");
        owed(&mut open, 5, &c);
        assert!(matches!(open.look(5, &c), Leave::Wait(left) if left <= EVERY), "it waits for the next");

        open.give_back(&taken);
        assert_eq!(open.take(5, &c).unwrap().sequences, [1, 2, 5], "as if nothing had been");
        for (sequence, one) in [(6, &a), (7, &b), (8, &c)] {
            assert!(open.is_fresh(
                match sequence {
                    6 => 1,
                    7 => 2,
                    _ => 5,
                },
                one
            ));
            attempted(&mut open, sequence, one, None);
        }
        assert!(!open.is_fresh(1, &a));
        assert_eq!(open.look(1, &a), Leave::Elsewhere, "begun by somebody");
        attempted(&mut open, 9, &a, Some(Outcome::Temporary));
        assert_eq!(open.look(1, &a), Leave::Elsewhere);
        attempted(&mut open, 10, &a, Some(Outcome::Accepted));
        assert_eq!(open.look(1, &a), Leave::Ended);
    }

    #[test]
    fn a_minute_is_from_when_its_digest_is_begun_and_not_from_when_it_was_taken_in_hand() {
        let mut open = Open::new(EVERY);
        let (a, b) = (escalation("a", "r"), escalation("b", "r"));
        owed(&mut open, 1, &a);
        owed(&mut open, 2, &b);
        let taken = open.take(1, &a).unwrap();
        let is_over =
            |open: &Open| open.addresses[&taken.address].minute.unwrap().is_over(taken.at + EVERY, EVERY);
        assert!(is_over(&open));
        // For as long as hundreds of others were before it.
        std::thread::sleep(Duration::from_millis(1));
        open.have_begun(&taken);
        assert!(!is_over(&open));

        // One about the same incident, within the minute, makes nobody wait for longer.
        let again = Escalation { step: a.step.next(), ..a };
        let mut open = Open::new(EVERY);
        owed(&mut open, 1, &again);
        let first = open.take(1, &again).unwrap();
        owed(&mut open, 2, &Escalation { step: again.step.next(), ..again.clone() });
        std::thread::sleep(Duration::from_millis(1));
        let second = open.take(2, &Escalation { step: again.step.next(), ..again }).unwrap();
        open.have_begun(&second);
        let minute = open.addresses[&first.address].minute.unwrap();
        assert!(minute.is_over(first.at + EVERY, EVERY));
    }

    #[test]
    fn what_is_not_known_here_yet_goes_and_what_went_in_another_process_holds_up_what_comes() {
        let mut open = Open::new(EVERY);
        let (a, b) = (escalation("a", "r"), escalation("b", "r"));
        assert_eq!(open.take(1, &a).unwrap().sequences, [1]);
        let mut open = Open::new(EVERY);
        owed(&mut open, 1, &a);
        attempted(&mut open, 2, &a, None);
        attempted(&mut open, 3, &a, Some(Outcome::Accepted));
        owed(&mut open, 4, &b);
        assert!(matches!(open.look(4, &b), Leave::Wait(_)));
        let again = Escalation { step: a.step.next(), ..a };
        owed(&mut open, 5, &again);
        assert_eq!(open.take(5, &again).unwrap().sequences, [5], "its incident goes on as alone");
    }

    #[test]
    fn nothing_is_kept_of_what_has_ended_and_whose_minute_is_over() {
        let mut open = Open::new(Duration::ZERO);
        for n in 0..20_000_u64 {
            let one = escalation("a", &format!("r{n}"));
            owed(&mut open, 3 * n + 1, &one);
            attempted(&mut open, 3 * n + 2, &one, None);
            attempted(&mut open, 3 * n + 3, &one, Some(Outcome::Permanent));
        }
        assert!(open.owed.is_empty());
        assert!(open.addresses.len() <= AT_REST + 1, "{}", open.addresses.len());
    }

    #[test]
    fn a_clock_that_is_an_hour_off_makes_no_mail_wait_for_longer_and_changes_nothing_else() {
        const HOUR: SignedDuration = SignedDuration::from_hours(1);
        for (off, waits) in [(-HOUR, false), (HOUR, true)] {
            let mut open = Open::new(EVERY);
            let (a, b) = (escalation("a", "r"), escalation("b", "r"));
            // The broker's times are the true ones: against ours they are off by as much.
            let stamped = |entry: Entry| Entry { time: Timestamp::now() + off, ..entry };
            open.apply(&stamped(owing(1, &a)));
            assert_eq!(open.look(1, &a), Leave::Go);
            open.apply(&stamped(attempt(2, &a, None)));
            open.apply(&stamped(attempt(3, &a, Some(Outcome::Accepted))));
            open.apply(&stamped(owing(4, &b)));
            assert_eq!(open.look(1, &a), Leave::Ended);
            match open.look(4, &b) {
                Leave::Wait(left) => assert!(waits && left <= EVERY, "{off}: {left:?}"),
                other => assert!(!waits && other == Leave::Go, "{off}: {other:?}"),
            }
        }
    }
}
