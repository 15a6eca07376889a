//! How far one event has come.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tocsin_protocol::{Dispatch, Event, RecipientId, Requirement, StepNumber};

/// How far one event has come.
#[derive(Debug)]
pub(crate) struct EventProgress {
    /// What it says.
    pub(crate) headline: String,
    /// When it was stored.
    pub(crate) published_at: Timestamp,
    /// Everybody who is owed it, and whether they must acknowledge; nobody before the dispatch.
    pub(crate) recipients: BTreeMap<RecipientId, Requirement>,
    /// Why an acknowledgement is asked for anew.
    pub(crate) worsened: Vec<String>,
    /// How many notices are stored.
    pub(crate) noticed: usize,
    /// When the last was.
    pub(crate) last_noticed_at: Option<Timestamp>,
    /// Who has said that its desk holds it.
    pub(crate) delivered: BTreeSet<RecipientId>,
    /// When the last said so.
    pub(crate) last_delivered_at: Option<Timestamp>,
    /// Who has acknowledged it, or a later one, and when.
    pub(crate) acknowledged: BTreeMap<RecipientId, Timestamp>,
    /// Its windows.
    pub(crate) steps: Vec<StepProgress>,
    /// The mails owed.
    pub(crate) mails: BTreeMap<(StepNumber, RecipientId), MailProgress>,
}

/// How far a window has come.
#[derive(Debug)]
pub(crate) struct StepProgress {
    /// Which.
    pub(crate) step: StepNumber,
    /// Who is written to.
    pub(crate) contact: String,
    /// The last moment that is in time.
    pub(crate) due_at: Timestamp,
    /// When the broker closed it.
    pub(crate) closed_at: Option<Timestamp>,
    /// When the finding was written.
    pub(crate) found_at: Option<Timestamp>,
    /// How many it found silent, and who are written to.
    pub(crate) silent: usize,
    /// Whether a later event had ended the incident, so that nobody is written to.
    pub(crate) lifted: bool,
}

/// How far a mail has come.
#[derive(Debug)]
pub(crate) struct MailProgress {
    /// When a relay took it.
    pub(crate) accepted_at: Option<Timestamp>,
    /// Whether no relay will: there is no such mailbox, or nobody needs it any more.
    pub(crate) given_up: bool,
}

impl EventProgress {
    pub(super) fn of(event: &Event, published_at: Timestamp) -> Self {
        Self {
            headline: event.headline.clone(),
            published_at,
            recipients: BTreeMap::new(),
            worsened: Vec::new(),
            noticed: 0,
            last_noticed_at: None,
            delivered: BTreeSet::new(),
            last_delivered_at: None,
            acknowledged: BTreeMap::new(),
            steps: Vec::new(),
            mails: BTreeMap::new(),
        }
    }

    pub(super) fn dispatched(&mut self, dispatch: &Dispatch) {
        self.recipients =
            dispatch.recipients().into_iter().map(|(id, requirement)| (id.clone(), requirement)).collect();
        self.worsened.clone_from(&dispatch.worsened);
        self.steps = dispatch
            .steps
            .iter()
            .map(|step| StepProgress {
                step: step.step,
                contact: step.contact.clone(),
                due_at: step.due_at,
                closed_at: None,
                found_at: None,
                silent: 0,
                lifted: false,
            })
            .collect();
    }

    /// How many are owed it.
    pub(crate) fn owed(&self) -> usize {
        self.recipients.len()
    }

    /// Whether an acknowledgement is asked for.
    pub(crate) fn asks(&self) -> bool {
        !self.steps.is_empty()
    }

    /// The last moment that is in time.
    pub(crate) fn due_at(&self) -> Option<Timestamp> {
        self.steps.first().map(|step| step.due_at)
    }

    /// Those who must acknowledge.
    pub(crate) fn required(&self) -> impl Iterator<Item = &RecipientId> {
        self.recipients
            .iter()
            .filter(|(_, requirement)| **requirement == Requirement::Required)
            .map(|(id, _)| id)
    }

    /// How the required of it stand.
    pub(crate) fn counts(&self, of: impl Fn(&RecipientId) -> bool) -> Counts {
        let mut counts = Counts::default();
        for id in self.required().filter(|id| of(id)) {
            counts.required += 1;
            match (self.acknowledged.get(id), self.due_at()) {
                (Some(at), Some(due_at)) if *at > due_at => counts.late += 1,
                (Some(_), _) => counts.in_time += 1,
                (None, _) => {}
            }
        }
        counts
    }
}

/// How those who must acknowledge stand.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many they are.
    pub(crate) required: usize,
    /// Acknowledged in time.
    pub(crate) in_time: usize,
    /// Acknowledged late.
    pub(crate) late: usize,
}
