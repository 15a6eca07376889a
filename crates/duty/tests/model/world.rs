//! The small world as a state machine.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use stateright::{Model, Property};
use tocsin_duty::{Fold, Trust};
use tocsin_protocol::{Entry, Outcome, Stream, Timestamp};

use crate::{
    facts::{self, Fact, Slot, Told},
    promises,
};

/// When the event was said, in nanoseconds; the windows run from there.
const BEGAN: i64 = 1_000;
/// The moments to which the clock may go: before, between and after the closing of both windows, in seconds.
const MOMENTS: [i64; 3] = [0, facts::WINDOWS[0] + 1, facts::WINDOWS[1] + 2];

/// How large the world is, and what may go wrong in it how often.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) recipients: u8,
    pub(crate) routers: u8,
    /// How many times a router or the notifier may die.
    pub(crate) crashes: u8,
    /// How many acknowledgements of the broker may be lost.
    pub(crate) lost: u8,
    /// Whether there is a notifier.
    pub(crate) mail: bool,
    /// Whether a router may read at any moment, in however many pieces; else only when something then follows, which
    /// leaves out ways that differ in nothing but when what changed nothing was read.
    pub(crate) eager: bool,
    /// What a router owes after it has read these entries: the same reading is met on many ways.
    pub(crate) plans: Arc<Mutex<HashMap<Vec<Read>, Arc<Plan>>>>,
}

/// A fact as it stands in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) fact: Fact,
    /// The broker's time, in nanoseconds.
    pub(crate) at: i64,
    pub(crate) said_through: u64,
}

/// An entry that a router has taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Read {
    stream: Stream,
    sequence: u64,
    stored: Stored,
    /// Met where an append was refused, before it was read in its turn.
    met: bool,
}

/// What a router owes, by batch.
#[derive(Debug)]
pub(crate) struct Plan {
    batches: Vec<Vec<Fact>>,
    said_through: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Router {
    /// Everything up to here in `TOCSIN_LOG` is judged already, as a restart takes it.
    trust: u64,
    read: Vec<Read>,
    said: usize,
    log: usize,
    writing: Vec<Vec<Fact>>,
    said_through: u64,
}

/// Where the notifier is with a mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mailing {
    who: u8,
    step: u8,
    attempt: u8,
    sent: bool,
}

/// What the notifier is to take up next.
struct Waiting {
    who: u8,
    step: u8,
    /// The number of the attempt.
    attempt: u8,
    /// The attempt before it was begun and never ended.
    lost: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    moment: usize,
    pub(crate) said: Vec<Stored>,
    pub(crate) log: Vec<Stored>,
    /// Windows that are armed: when they close, and what the broker then writes.
    armed: Vec<(i64, Fact)>,
    pub(crate) routers: Vec<Router>,
    mailing: Option<Mailing>,
    /// The mails that a relay took: for whom, and at which step.
    pub(crate) mails: Vec<(u8, u8)>,
    crashes: u8,
    lost: u8,
    /// Two routers wrote the same fact with other words.
    pub(crate) disagreed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Time goes on to the next moment.
    Pass,
    /// The broker closes the window that is due.
    Close,
    Acknowledge(u8),
    /// A router reads both streams to their end and works out what it owes.
    Read(usize),
    /// It appends the next batch.
    Append(usize),
    /// It appends the next batch, and never hears so.
    AppendUnheard(usize),
    RouterDies(usize),
    /// The notifier takes up an escalation: writes that the attempt has begun, or that there is no need.
    TakeUp,
    Send,
    /// It writes how the attempt ended.
    End(Outcome),
    NotifierDies,
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let stored = |fact, at| Stored { fact, at, said_through: 0 };
        vec![State {
            moment: 0,
            said: vec![stored(facts::event(), BEGAN)],
            log: vec![stored(facts::directory(self.recipients), 0)],
            armed: Vec::new(),
            routers: vec![Router::default(); usize::from(self.routers)],
            mailing: None,
            mails: Vec::new(),
            crashes: self.crashes,
            lost: self.lost,
            disagreed: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.moment + 1 < MOMENTS.len() {
            actions.push(Action::Pass);
        }
        if state.armed.iter().any(|(at, _)| *at <= state.now()) {
            actions.push(Action::Close);
        }
        for n in 0..self.recipients {
            // In ascending order: any other is the same world with the recipients renamed.
            let said = (n..self.recipients).any(|n| state.acknowledged(n).is_some());
            if state.logged(Slot::Notice(n)).is_some() && !said {
                actions.push(Action::Acknowledge(n));
            }
        }
        for (n, router) in state.routers.iter().enumerate() {
            if !router.writing.is_empty() {
                actions.push(Action::Append(n));
                if state.lost > 0 {
                    actions.push(Action::AppendUnheard(n));
                }
            } else if (router.said < state.said.len() || router.log < state.log.len())
                && (self.eager || !self.plan(&router.after(state)).batches.is_empty())
            {
                actions.push(Action::Read(n));
            }
            if state.crashes > 0 && !router.read.is_empty() {
                actions.push(Action::RouterDies(n));
            }
        }
        if self.mail {
            match &state.mailing {
                None if state.waiting().is_some() => actions.push(Action::TakeUp),
                None => {}
                Some(Mailing { sent: false, .. }) => {
                    actions.extend([Action::Send, Action::End(Outcome::Permanent)]);
                }
                Some(_) => actions.push(Action::End(Outcome::Accepted)),
            }
            if state.crashes > 0 && state.mailing.is_some() {
                actions.push(Action::NotifierDies);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        match action {
            Action::Pass => next.moment += 1,
            Action::Close => {
                let at = next.armed.iter().position(|(at, _)| *at <= last.now())?;
                let (_, due) = next.armed.remove(at);
                next.store(Stream::Log, due, 0);
            }
            Action::Acknowledge(n) => next.store(Stream::Said, facts::acknowledgement(n), 0),
            Action::Read(n) => {
                let mut router = next.routers[n].after(last);
                let plan = self.plan(&router);
                router.writing.clone_from(&plan.batches);
                router.said_through = plan.said_through;
                next.routers[n] = router;
            }
            Action::Append(n) => next.append(n, true),
            Action::AppendUnheard(n) => {
                next.lost -= 1;
                next.append(n, false);
            }
            Action::RouterDies(n) => {
                next.crashes -= 1;
                let trust = next.log.iter().map(|stored| stored.said_through).max().unwrap_or(0);
                next.routers[n] = Router { trust, ..Router::default() };
            }
            Action::TakeUp => {
                let Waiting { who, step, attempt, lost } = last.waiting()?;
                if lost {
                    next.store(Stream::Log, facts::ended(who, step, attempt - 1, Outcome::Unknown), 0);
                }
                if last.acknowledged(who).is_some() {
                    next.store(Stream::Log, facts::ended(who, step, attempt, Outcome::StoodDown), 0);
                } else {
                    next.store(Stream::Log, facts::begun(who, step, attempt), 0);
                    next.mailing = Some(Mailing { who, step, attempt, sent: false });
                }
            }
            Action::Send => {
                let mailing = next.mailing.as_mut()?;
                mailing.sent = true;
                let mail = (mailing.who, mailing.step);
                next.mails.push(mail);
                next.mails.sort_unstable();
            }
            Action::End(outcome) => {
                let mailing = next.mailing.take()?;
                let Mailing { who, step, attempt, .. } = mailing;
                next.store(Stream::Log, facts::ended(who, step, attempt, outcome), 0);
            }
            Action::NotifierDies => {
                next.crashes -= 1;
                next.mailing = None;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all()
    }
}

impl World {
    /// What the router owes after what it has read, by the rules themselves.
    fn plan(&self, router: &Router) -> Arc<Plan> {
        if let Some(known) = self.plans.lock().unwrap().get(&router.read) {
            return Arc::clone(known);
        }
        let trust = Trust { through: router.trust, refused: std::collections::BTreeSet::new() };
        let mut fold = Fold::trusting(trust);
        for read in &router.read {
            if read.met {
                fold.settle(&read.entry());
            } else {
                fold.apply(&read.entry());
            }
        }
        let batches = fold.follows();
        let plan = Plan {
            batches: batches.iter().map(|batch| batch.facts.iter().map(facts::owed).collect()).collect(),
            said_through: fold.said_through(),
        };
        let plan = Arc::new(plan);
        self.plans.lock().unwrap().insert(router.read.clone(), Arc::clone(&plan));
        plan
    }

    /// Whether nothing more can happen.
    pub(crate) fn is_over(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.iter().all(|action| {
            matches!(action, Action::Acknowledge(_) | Action::RouterDies(_) | Action::NotifierDies)
        })
    }
}

impl Read {
    fn entry(&self) -> Entry {
        let fact = self.stored.fact.written();
        Entry {
            stream: self.stream,
            sequence: self.sequence,
            time: time(self.stored.at),
            subject: fact.subject.to_string(),
            signed: fact.signed.clone(),
            said_through: (self.stored.said_through > 0).then_some(self.stored.said_through),
            body: fact.body.clone(),
        }
    }
}

fn time(at: i64) -> Timestamp {
    Timestamp::from_nanosecond(at.into()).unwrap()
}

impl Router {
    /// The router once it has read both streams to their end, in the one order, as the ledger gives them.
    fn after(&self, state: &State) -> Self {
        let new = |stream, from: usize, all: &[Stored]| {
            let sequence = |at: usize| u64::try_from(at + 1).unwrap();
            let reads = all.iter().enumerate().skip(from).map(|(at, stored)| Read {
                stream,
                sequence: sequence(at),
                stored: *stored,
                met: false,
            });
            reads.collect::<Vec<_>>()
        };
        let mut reads = new(Stream::Said, self.said, &state.said);
        reads.extend(new(Stream::Log, self.log, &state.log));
        reads.sort_by_key(|read| (read.stored.at, read.stream == Stream::Log, read.sequence));
        let read = [&self.read[..], &reads].concat();
        Self { read, said: state.said.len(), log: state.log.len(), ..self.clone() }
    }
}

impl State {
    fn now(&self) -> i64 {
        MOMENTS[self.moment] * 1_000_000_000
    }

    fn store(&mut self, stream: Stream, fact: Fact, said_through: u64) {
        // Within a moment of the log time stands still. What others say in it comes after, so that a router that died
        // reads it in another order than one that lived; none of it is of the time of a closing.
        let at = match stream {
            Stream::Said => self.now() + 2 * BEGAN,
            Stream::Log => {
                let closing = if matches!(fact.slot, Slot::Due(_)) { 0 } else { BEGAN };
                self.log.last().map_or(0, |last| last.at).max(self.now() + closing)
            }
        };
        let stored = Stored { fact, at, said_through };
        match stream {
            Stream::Said => self.said.push(stored),
            Stream::Log => self.log.push(stored),
        }
    }

    /// A router's next batch: whole where nothing of it stands, else what is missing. `heard`: the router learns of it.
    fn append(&mut self, router: usize, heard: bool) {
        let batch = self.routers[router].writing[0].clone();
        let said_through = self.routers[router].said_through;
        for owed in batch {
            if let Slot::Window(step) = owed.slot {
                self.arm(step, owed);
                continue;
            }
            let there = self.log.iter().position(|stored| stored.fact.slot == owed.slot);
            match there {
                Some(at) => {
                    self.disagreed |= promises::disagree(owed, self.log[at].fact);
                    if heard {
                        let sequence = u64::try_from(at + 1).unwrap();
                        let stored = self.log[at];
                        self.routers[router].read.push(Read {
                            stream: Stream::Log,
                            sequence,
                            stored,
                            met: true,
                        });
                    }
                }
                None => self.store(Stream::Log, owed, said_through),
            }
        }
        if heard {
            self.routers[router].writing.remove(0);
        }
    }

    fn arm(&mut self, step: u8, window: Fact) {
        let armed = self.armed.iter().any(|(_, due)| due.slot == Slot::Due(step));
        if let (None, false, Some((closes, due))) =
            (self.logged(Slot::Due(step)), armed, window.written().schedule)
        {
            self.armed.push((facts::nanoseconds(closes), due));
            self.armed.sort_unstable();
        }
    }

    /// What stands in the log under a subject.
    pub(crate) fn logged(&self, slot: Slot) -> Option<Told> {
        self.log.iter().find(|stored| stored.fact.slot == slot).map(|stored| stored.fact.told)
    }

    /// Every escalation: to whom, and at which step.
    pub(crate) fn escalations(&self) -> impl Iterator<Item = (u8, u8)> {
        self.log.iter().filter_map(|stored| match stored.fact.slot {
            Slot::Escalation(who, step) => Some((who, step)),
            _ => None,
        })
    }

    fn waiting(&self) -> Option<Waiting> {
        self.escalations().find_map(|(who, step)| {
            let over = self.ended(who, step).any(|outcome| outcome != Outcome::Unknown);
            let begun = (1..=9).take_while(|k| self.logged(Slot::Begun(who, step, *k)).is_some()).last();
            let lost = begun.is_some_and(|k| self.logged(Slot::Ended(who, step, k)).is_none());
            (!over).then_some(Waiting { who, step, attempt: begun.map_or(1, |k| k + 1), lost })
        })
    }

    /// How the attempts at an escalation ended.
    pub(crate) fn ended(&self, who: u8, step: u8) -> impl Iterator<Item = Outcome> {
        self.log.iter().filter_map(move |stored| match (stored.fact.slot, stored.fact.told) {
            (Slot::Ended(w, s, _), Told::Ended(outcome)) if (w, s) == (who, step) => Some(outcome),
            _ => None,
        })
    }

    /// The broker's time of a recipient's acknowledgement.
    pub(crate) fn acknowledged(&self, who: u8) -> Option<i64> {
        self.said.iter().find(|stored| stored.fact.slot == Slot::Receipt(who)).map(|stored| stored.at)
    }
}
