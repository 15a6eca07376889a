//! How one recipient stands to one incident.

use tocsin_protocol::{
    AttemptEnded, Escalation, EventNumber, Outcome, Receipt, RecipientId, Requirement, SignedDuration,
    StepNumber, Timestamp,
};

use super::incident::{Incident, is_required};

/// What one recipient was owed in one incident, and what it has said.
#[derive(Debug)]
pub struct Standing {
    /// Who.
    pub recipient: RecipientId,
    /// The events that it is owed, in order.
    pub duties: Vec<Duty>,
    /// What it has acknowledged, in the order of the broker's time.
    pub acknowledgements: Vec<Acknowledgement>,
    /// The mails owed to it, in order.
    pub mails: Vec<Mail>,
    /// The revision at which it last changed.
    pub changed: u64,
}

/// One event owed to one recipient.
#[derive(Debug)]
pub struct Duty {
    /// Which event.
    pub event: EventNumber,
    /// The strictest requirement of any policy.
    pub requirement: Requirement,
    /// The window in which it must be acknowledged, and the last moment that is in time. None when it need not be.
    pub asked: Option<(StepNumber, Timestamp)>,
    /// When its notice was stored.
    pub noticed_at: Option<Timestamp>,
    /// The revision at which that came; 0 before. Where a program goes on that takes notices in.
    pub noticed_revision: u64,
    /// When its system said that it holds the notice.
    pub delivered_at: Option<Timestamp>,
}

/// An acknowledgement that counts.
#[derive(Debug)]
pub struct Acknowledgement {
    /// When, by the broker.
    pub at: Timestamp,
    /// The whole of it.
    pub receipt: Box<Receipt>,
}

/// A mail owed to a silent recipient.
#[derive(Debug)]
pub struct Mail {
    /// When it was written down as owed.
    pub owed_at: Timestamp,
    /// To whom, and why.
    pub escalation: Box<Escalation>,
    /// The last attempts to send it, in order.
    pub attempts: Vec<Attempt>,
    /// What became of it as a whole; none while no attempt has ended.
    pub outcome: Option<Outcome>,
}

/// An attempt to send a mail.
#[derive(Debug)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// By which relay.
    pub relay: String,
    /// How many escalations its mail names, where that is a digest.
    pub digest: Option<u32>,
    /// When and how it ended.
    pub ended: Option<(Timestamp, AttemptEnded)>,
}

/// How a recipient stands to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is told, and need not acknowledge.
    Told,
    /// It must acknowledge, and the window is open.
    Waiting,
    /// It has acknowledged, not after the window closed.
    InTime,
    /// It has acknowledged, so long after the window closed.
    Late(SignedDuration),
    /// It has not acknowledged, and the window has closed.
    Silent,
    /// It has not acknowledged, and need not any more: the incident ended before the window closed.
    Lifted,
}

/// What became of the mails owed to a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Post {
    /// None is owed.
    None,
    /// At least one is owed, and no relay has answered yet.
    Owed,
    /// A relay took each. That is hand-over, not reading.
    Accepted,
    /// One of them was not taken, or nobody knows.
    Failed,
}

/// How a recipient stands now: to the newest event that it must acknowledge, else to the newest that it is owed.
#[derive(Debug, Clone, Copy)]
pub struct Glance<'a> {
    /// To which event, and what it is owed of it. None when it is owed none, which a stray receipt can leave behind.
    pub duty: Option<&'a Duty>,
    /// How it stands to that.
    pub state: State,
    /// The acknowledgement that covers it.
    pub acknowledgement: Option<&'a Acknowledgement>,
    /// What became of the mails owed to it, of whichever event.
    pub post: Post,
}

impl Standing {
    pub(super) fn new(recipient: RecipientId) -> Self {
        let (duties, acknowledgements, mails) = (Vec::new(), Vec::new(), Vec::new());
        Self { recipient, duties, acknowledgements, mails, changed: 0 }
    }

    /// What it is owed of an event.
    pub fn duty(&self, event: EventNumber) -> Option<&Duty> {
        self.duties.iter().find(|duty| duty.event == event)
    }

    pub(super) fn duty_mut(&mut self, event: EventNumber) -> Option<&mut Duty> {
        self.duties.iter_mut().rev().find(|duty| duty.event == event)
    }

    /// The mail owed to it at a step of an event.
    pub fn mail(&self, event: EventNumber, step: StepNumber) -> Option<&Mail> {
        self.mails.iter().find(|mail| mail.escalation.event == event && mail.escalation.step == step)
    }

    pub(super) fn mail_mut(&mut self, event: EventNumber, step: StepNumber) -> Option<&mut Mail> {
        let is_this = |mail: &&mut Mail| mail.escalation.event == event && mail.escalation.step == step;
        self.mails.iter_mut().rev().find(is_this)
    }

    /// The earliest acknowledgement that covers an event: of it, or of a later one.
    pub fn acknowledgement(&self, event: EventNumber) -> Option<&Acknowledgement> {
        self.acknowledgements.iter().filter(|a| a.receipt.event >= event).min_by_key(|a| a.at)
    }

    /// Whether its system or a person there has said anything of the newest event that it is owed.
    pub fn is_delivered(&self) -> bool {
        self.duties
            .last()
            .is_some_and(|duty| duty.delivered_at.is_some() || self.acknowledgement(duty.event).is_some())
    }

    /// What became of its mails.
    pub fn post(&self) -> Post {
        let mut post = Post::None;
        for mail in &self.mails {
            match mail.outcome {
                Some(Outcome::Accepted) if post == Post::None => post = Post::Accepted,
                Some(Outcome::Accepted | Outcome::StoodDown) => {}
                Some(_) => return Post::Failed,
                None => post = Post::Owed,
            }
        }
        post
    }
}

impl Duty {
    pub(super) fn new(event: EventNumber, requirement: Requirement) -> Self {
        Self { event, requirement, asked: None, noticed_at: None, noticed_revision: 0, delivered_at: None }
    }
}

impl Mail {
    pub(super) fn new(owed_at: Timestamp, escalation: Escalation) -> Self {
        Self { owed_at, escalation: Box::new(escalation), attempts: Vec::new(), outcome: None }
    }

    /// Accepted once any attempt was; else as the last attempt ended.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        if self.outcome != Some(Outcome::Accepted) {
            self.outcome = Some(outcome);
        }
    }
}

impl State {
    /// Whether an acknowledgement is missing, in a window that is open or closed.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Waiting | Self::Silent)
    }

    /// Whether an acknowledgement was asked for that nothing has lifted.
    pub fn is_asked(self) -> bool {
        !matches!(self, Self::Told | Self::Lifted)
    }
}

impl Incident {
    /// How a recipient stands to an event that it is owed. Windows are closed by the broker alone, so this needs no
    /// clock.
    pub fn state(&self, standing: &Standing, duty: &Duty) -> State {
        let Some((step, due_at)) = duty.asked else {
            return State::Told;
        };
        match standing.acknowledgement(duty.event) {
            Some(acknowledgement) if acknowledgement.at <= due_at => State::InTime,
            Some(acknowledgement) => State::Late(acknowledgement.at.duration_since(due_at)),
            None if self.lifted(duty.event, due_at).is_some() => State::Lifted,
            None if self.is_closed(duty.event, step) => State::Silent,
            None => State::Waiting,
        }
    }

    /// How a recipient stands now.
    pub fn glance<'a>(&self, standing: &'a Standing) -> Glance<'a> {
        let post = standing.post();
        let asked = standing.duties.iter().rev().find(|duty| duty.asked.is_some());
        let Some(duty) = asked.or(standing.duties.last()) else {
            return Glance { duty: None, state: State::Told, acknowledgement: None, post };
        };
        let acknowledgement = standing.acknowledgement(duty.event);
        Glance { duty: Some(duty), state: self.state(standing, duty), acknowledgement, post }
    }

    /// The earlier events of which a recipient was late or silent.
    pub fn earlier_failings<'a>(&'a self, standing: &'a Standing) -> impl Iterator<Item = (&'a Duty, State)> {
        let now = self.glance(standing).duty.map(|duty| duty.event);
        standing
            .duties
            .iter()
            .filter(move |duty| Some(duty.event) != now)
            .map(|duty| (duty, self.state(standing, duty)))
            .filter(|(_, state)| matches!(state, State::Late(_) | State::Silent))
    }
}

impl Glance<'_> {
    /// Whether any policy requires it to acknowledge.
    pub fn is_required(&self) -> bool {
        self.duty.is_some_and(|duty| is_required(duty.requirement))
    }
}
