//! How many stand how. Every count has its whole beside it.

use super::standing::{Glance, Post, State};

/// Counts of recipients, each by how it stands now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Everyone who is owed anything.
    pub told: u32,
    /// Those whom a policy requires to acknowledge.
    pub required: u32,
    /// Those whose notice is in the log.
    pub noticed: u32,
    /// Those whose system holds the notice, or who have acknowledged.
    pub delivered: u32,
    /// Those who must acknowledge and are not excused.
    pub asked: u32,
    /// Those of `asked` who have, in time or late.
    pub acknowledged: u32,
    /// Those of `acknowledged` who were late.
    pub late: u32,
    /// Those of `asked` who have not, and whose window is open.
    pub waiting: u32,
    /// Those of `asked` who have not, and whose window has closed.
    pub silent: u32,
    /// Those who need not any more, as the incident ended.
    pub lifted: u32,
    /// Those to whom a mail is or was owed.
    pub escalated: u32,
    /// Those whose mails were taken.
    pub mail_accepted: u32,
    /// Those of whose mails one was not taken, or nobody knows.
    pub mail_failed: u32,
}

impl Tally {
    /// Counts one in.
    pub fn add(&mut self, glance: &Glance<'_>) {
        let one = u32::from;
        self.told += 1;
        self.required += one(glance.is_required());
        self.noticed += one(glance.duty.is_some_and(|duty| duty.noticed_at.is_some()));
        let holds = glance.duty.is_some_and(|duty| duty.delivered_at.is_some());
        self.delivered += one(holds || glance.acknowledgement.is_some());
        self.asked += one(glance.state.is_asked());
        self.acknowledged += one(matches!(glance.state, State::InTime | State::Late(_)));
        self.late += one(matches!(glance.state, State::Late(_)));
        self.waiting += one(glance.state == State::Waiting);
        self.silent += one(glance.state == State::Silent);
        self.lifted += one(glance.state == State::Lifted);
        self.escalated += one(glance.post != Post::None);
        self.mail_accepted += one(glance.post == Post::Accepted);
        self.mail_failed += one(glance.post == Post::Failed);
    }

    /// Those of `asked` who have not acknowledged.
    pub fn missing(&self) -> u32 {
        self.waiting + self.silent
    }
}
