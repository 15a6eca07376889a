//! What a sink is told to do.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// A place in the talk at which a sink can be told to act. The first four belong to a line, the others to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before the greeting.
    Greeting,
    /// At `EHLO` or `HELO`.
    Hello,
    /// At `AUTH`.
    Login,
    /// At `MAIL`.
    Sender,
    /// At `RCPT`.
    Recipient,
    /// At `DATA`.
    Data,
    /// At the final dot. The mail is not taken.
    Content,
    /// At the final dot, after the mail was taken: what is said then, or not said, comes too late to undo it.
    Taken,
}

/// What a sink does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes it.
    Accept,
    /// Answers so at that point.
    Reply(Point, u16, &'static str),
    /// Says nothing more from that point on, and keeps the line open.
    Hang(Point),
    /// Closes the line at that point instead of answering.
    Cut(Point),
    /// Says that it has nothing more to say, at that point, and goes on listening.
    HalfClose(Point),
    /// Answers with bytes that are no SMTP.
    Garbage(Point),
    /// Takes it, and says so only after this time.
    Delay(Duration),
}

impl Behaviour {
    pub(super) fn at(self, point: Point) -> Option<Self> {
        match self {
            Self::Accept => None,
            Self::Reply(at, ..)
            | Self::Hang(at)
            | Self::Cut(at)
            | Self::HalfClose(at)
            | Self::Garbage(at) => (at == point).then_some(self),
            Self::Delay(_) => (point == Point::Taken).then_some(self),
        }
    }
}

/// All that a sink was told.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    pub(super) by_recipient: HashMap<String, VecDeque<Behaviour>>,
    pub(super) every_recipient: VecDeque<Behaviour>,
    pub(super) lines: VecDeque<Behaviour>,
}

impl Scripts {
    pub(super) fn next_line(&mut self) -> Behaviour {
        next(&mut self.lines)
    }

    pub(super) fn next_mail(&mut self, recipient: &str) -> Behaviour {
        next(self.by_recipient.get_mut(recipient).unwrap_or(&mut self.every_recipient))
    }
}

/// The next one; the last one stays.
fn next(script: &mut VecDeque<Behaviour>) -> Behaviour {
    let behaviour = if script.len() > 1 { script.pop_front() } else { script.front().copied() };
    behaviour.unwrap_or(Behaviour::Accept)
}
