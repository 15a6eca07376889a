//! What is done to the world, drawn from the seed: which fault, to whom, when and for how long.

use std::{fmt, time::Duration};

use super::{chance::Chance, cluster::SERVERS};

/// A stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Said,
    Log,
}

impl Stream {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Said => "TOCSIN_SAID",
            Self::Log => "TOCSIN_LOG",
        }
    }
}

/// At which moment a leader is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// As an event is published and dispatched: this much after it was given to its program.
    Dispatch(Duration),
    /// As a window closes: from so much before it.
    Close(Duration),
}

/// What is done to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Cut,
    /// Nothing comes through, and nobody is told.
    Stall,
    /// What is said arrives, and no answer comes back.
    StallBack,
    Slow(Duration),
    HalfClose,
}

/// How a relay fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relay {
    /// The place in `strike::RELAY`.
    pub(super) how: usize,
    /// One mail in so many.
    pub(super) every: u64,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A process of ours, by its place, is killed.
    Kill(usize),
    /// It is stopped in its tracks.
    Pause(usize),
    /// Both routers, or both notifiers, are killed.
    KillPair(usize),
    KillServer(usize),
    PauseServer(usize),
    /// All three servers are killed at once.
    PowerCut,
    KillLeader(Stream, Moment),
    /// The leader gives up its place.
    StepDown(Stream, Moment),
    /// One side, by its place, and one server or all.
    Side(usize, Option<usize>, Wire),
    /// A server and its peers, or one of them.
    Server(usize, Option<usize>, Wire),
    Mail(usize, Wire),
    Relay(usize, Relay),
    /// No file of this server may grow.
    FullDisk(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wire = |wire: &Wire| match wire {
            Wire::Cut => "cut",
            Wire::Stall => "stalled",
            Wire::StallBack => "stalled one way",
            Wire::Slow(_) => "slowed",
            Wire::HalfClose => "half-closed",
        };
        match self {
            Self::Kill(_) => f.write_str("process killed"),
            Self::Pause(_) => f.write_str("process paused"),
            Self::KillPair(_) => f.write_str("both of a pair killed"),
            Self::KillServer(_) => f.write_str("server killed"),
            Self::PauseServer(_) => f.write_str("server paused"),
            Self::PowerCut => f.write_str("all servers killed at once"),
            Self::KillLeader(_, Moment::Dispatch(_)) => f.write_str("leader killed at a dispatch"),
            Self::KillLeader(_, Moment::Close(_)) => f.write_str("leader killed as a window closes"),
            Self::StepDown(_, Moment::Dispatch(_)) => f.write_str("leader steps down at a dispatch"),
            Self::StepDown(_, Moment::Close(_)) => f.write_str("leader steps down as a window closes"),
            Self::Side(_, _, how) => write!(f, "client's link {}", wire(how)),
            Self::Server(_, _, how) => write!(f, "server's link {}", wire(how)),
            Self::Mail(_, how) => write!(f, "relay's link {}", wire(how)),
            Self::Relay(..) => f.write_str("relay fails"),
            Self::FullDisk(_) => f.write_str("disk full"),
        }
    }
}

/// A fault with its time: when it begins, and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) fault: Fault,
}

/// How many there are of what can be struck.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets {
    pub(super) services: usize,
    pub(super) sides: usize,
    pub(super) mail_links: usize,
    pub(super) relays: usize,
    pub(super) behaviours: usize,
}

/// The faults of a run. Some seeds strike often, some seldom.
pub(super) fn schedule(seed: u64, time: Duration, targets: Targets) -> Vec<Strike> {
    let mut chance = Chance::of(seed, "faults");
    let pace = chance.pick(&[700, 1_200, 1_200, 2_000, 3_500]);
    let mut strikes = Vec::new();
    let mut at = chance.millis(300..1_500);
    while at < time {
        let fault = one(&mut chance, targets);
        let lasts = match chance.below(10) {
            0..5 => chance.millis(100..1_500),
            5..9 => chance.millis(1_500..5_000),
            _ => chance.millis(5_000..9_000),
        };
        strikes.push(Strike { at, lasts, fault });
        at += chance.millis(100..2 * pace);
    }
    strikes
}

fn one(chance: &mut Chance, targets: Targets) -> Fault {
    let place = |chance: &mut Chance, end: usize| usize::try_from(chance.below(end as u64)).unwrap();
    let stream = |chance: &mut Chance| chance.pick(&[Stream::Said, Stream::Log, Stream::Log]);
    let moment = |chance: &mut Chance| {
        if chance.percent(50) {
            Moment::Dispatch(chance.millis(0..250))
        } else {
            Moment::Close(chance.millis(0..150))
        }
    };
    let wire = |chance: &mut Chance| match chance.below(5) {
        0 => Wire::Cut,
        1 => Wire::Stall,
        2 => Wire::StallBack,
        3 => Wire::Slow(chance.millis(20..400)),
        _ => Wire::HalfClose,
    };
    match chance.below(100) {
        0..18 => Fault::Kill(place(chance, targets.services)),
        18..28 => Fault::Pause(place(chance, targets.services)),
        28..33 => Fault::KillPair(2 * place(chance, 2)),
        33..40 => Fault::KillServer(place(chance, SERVERS)),
        40..45 => Fault::PauseServer(place(chance, SERVERS)),
        45..47 => Fault::PowerCut,
        47..55 => Fault::KillLeader(stream(chance), moment(chance)),
        55..60 => Fault::StepDown(stream(chance), moment(chance)),
        60..74 => {
            let server = chance.percent(40).then(|| place(chance, SERVERS));
            Fault::Side(place(chance, targets.sides), server, wire(chance))
        }
        74..82 => {
            let peer = chance.percent(40).then(|| place(chance, SERVERS));
            Fault::Server(place(chance, SERVERS), peer, wire(chance))
        }
        82..86 => Fault::Mail(place(chance, targets.mail_links), wire(chance)),
        86..97 => {
            let how = place(chance, targets.behaviours);
            Fault::Relay(place(chance, targets.relays), Relay { how, every: 1 + chance.below(3) })
        }
        _ => Fault::FullDisk(place(chance, SERVERS)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TARGETS: Targets = Targets { services: 12, sides: 13, mail_links: 4, relays: 2, behaviours: 20 };

    #[test]
    fn a_seed_draws_the_same_faults_again_and_another_others() {
        let of = |seed| schedule(seed, Duration::from_mins(1), TARGETS);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
        assert!(of(7).iter().all(|strike| strike.at < Duration::from_mins(1)));
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let drawn: BTreeSet<String> = schedule(1, Duration::from_hours(2), TARGETS)
            .iter()
            .map(|strike| strike.fault.to_string())
            .collect();
        assert_eq!(drawn.len(), 27, "{drawn:#?}");
    }
}
