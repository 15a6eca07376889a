//! What is known of one incident: its events, who was owed each, and what each of them has said.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tocsin_duty::Course;
use tocsin_protocol::{
    AttemptBegun, AttemptEnded, AttemptPhase, Dispatch, DispatchStep, Escalation, Event, EventNumber,
    Finding, IncidentId, Outcome, PublisherId, Receipt, ReceiptStage, RecipientId, Refusal, Requirement,
    Status, StepNumber, Subject, Timestamp, from_body,
};

use super::{
    moment::{Moment, What},
    standing::{Acknowledgement, Attempt, Duty, Mail, Standing},
    tally::Tally,
};

/// How many refusals of one incident are kept: strangers can cause any number.
const REFUSALS_KEPT: usize = 200;

/// How many attempts of one mail are kept, the last ones: a relay may be away for days.
const ATTEMPTS_KEPT: usize = 50;

/// One incident. What counts was judged by the fold before it comes here.
#[derive(Debug)]
pub struct Incident {
    /// Its identifier.
    pub id: IncidentId,
    /// Whose it is.
    pub publisher: PublisherId,
    /// Actual, exercise or test.
    pub status: Status,
    /// Event `n` stands at `n - 1`. There is one at least.
    pub events: Vec<Said>,
    /// How it goes, by all of them.
    pub course: Course,
    /// Everyone who was owed any event of it, in the order in which they came to be.
    pub standings: Vec<Standing>,
    places: HashMap<RecipientId, u32>,
    /// What happened, in order.
    pub moments: Vec<Moment>,
    /// What was said of it and does not count; the first ones.
    pub refusals: Vec<Refused>,
    /// How everyone stands, counted.
    pub tally: Tally,
    /// The revision at which anything of it last changed.
    pub changed: u64,
    /// The revision at which what everyone may see of it last changed: its events, and who is owed them.
    pub shared_changed: u64,
    /// The revision at which its windows last changed: armed, closed, found.
    pub windows_changed: u64,
    /// The revision at which somebody last came to be owed an event of it.
    pub roster_changed: u64,
}

/// One event and what followed from it.
#[derive(Debug)]
pub struct Said {
    /// What was said.
    pub event: Arc<Event>,
    /// Its sequence in `TOCSIN_SAID`.
    pub said: u64,
    /// When the broker stored it.
    pub published_at: Timestamp,
    /// Who is owed it, by when, under which policy; and when that was written.
    pub dispatch: Option<(Timestamp, Arc<Dispatch>)>,
    /// How many notices are in the log.
    pub noticed: u32,
    /// How many are owed.
    pub owed: u32,
    /// What became of its windows.
    pub windows: BTreeMap<StepNumber, Closed>,
}

/// What became of a window.
#[derive(Debug, Default)]
pub struct Closed {
    /// When the broker closed it.
    pub closed_at: Option<Timestamp>,
    /// What was found then, and when that was written.
    pub finding: Option<(Timestamp, Finding)>,
}

/// Something that was said and does not count.
#[derive(Debug)]
pub struct Refused {
    /// When it was said.
    pub at: Timestamp,
    /// In whose name, where it was a receipt of somebody who is owed the incident.
    pub recipient: Option<RecipientId>,
    /// Why it does not count.
    pub refusal: Refusal,
    /// The revision at which it came.
    pub revision: u64,
}

impl Incident {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            id: event.incident.clone(),
            publisher: event.publisher.clone(),
            status: event.status,
            events: Vec::new(),
            course: Course::default(),
            standings: Vec::new(),
            places: HashMap::new(),
            moments: Vec::new(),
            refusals: Vec::new(),
            tally: Tally::default(),
            changed: 0,
            shared_changed: 0,
            windows_changed: 0,
            roster_changed: 0,
        }
    }

    /// An event of it.
    pub fn event(&self, number: EventNumber) -> Option<&Said> {
        self.events.get(number.get() as usize - 1)
    }

    /// The newest event.
    pub fn newest(&self) -> Option<&Said> {
        self.events.last()
    }

    /// Whether it is not over. A technical test is over as soon as it is said.
    pub fn is_open(&self) -> bool {
        self.status != Status::Test && self.course.is_open()
    }

    /// When its first event was stored.
    pub fn began(&self) -> Timestamp {
        self.events.first().map_or(Timestamp::UNIX_EPOCH, |said| said.published_at)
    }

    /// When its newest event was stored.
    pub fn last_said(&self) -> Timestamp {
        self.newest().map_or(Timestamp::UNIX_EPOCH, |said| said.published_at)
    }

    /// How a recipient stands, if it was ever owed an event of it.
    pub fn standing(&self, recipient: &RecipientId) -> Option<&Standing> {
        self.standings.get(*self.places.get(recipient)? as usize)
    }

    /// Whether the window of a step has been closed by the broker.
    pub fn is_closed(&self, event: EventNumber, step: StepNumber) -> bool {
        self.event(event).and_then(|said| said.windows.get(&step)).is_some_and(|w| w.closed_at.is_some())
    }

    /// The later event that ended the incident by then, and so lifted the duty to acknowledge an earlier one.
    pub fn lifted(&self, event: EventNumber, by: Timestamp) -> Option<&Said> {
        self.events
            .get(event.get() as usize..)?
            .iter()
            .find(|later| later.event.kind.lifts_duties() && later.published_at <= by)
    }

    /// The windows that are armed and not closed, of every event that can still be acknowledged; the next to close
    /// first.
    pub fn open_windows(&self) -> Vec<(EventNumber, &DispatchStep)> {
        let mut open: Vec<_> = self
            .events
            .iter()
            .filter_map(|said| said.dispatch.as_ref().map(|(_, dispatch)| (said, dispatch)))
            .flat_map(|(said, dispatch)| dispatch.steps.iter().map(move |step| (said, step)))
            .filter(|(said, step)| said.windows.get(&step.step).is_none_or(|w| w.closed_at.is_none()))
            .filter(|(said, step)| self.lifted(said.event.sequence, step.due_at).is_none())
            .map(|(said, step)| (said.event.sequence, step))
            .collect();
        open.sort_by_key(|(event, step)| (step.due_at, *event, step.step));
        open
    }

    fn event_mut(&mut self, number: EventNumber) -> Option<&mut Said> {
        self.events.get_mut(number.get() as usize - 1)
    }

    fn place(&mut self, recipient: &RecipientId) -> usize {
        if let Some(place) = self.places.get(recipient) {
            return *place as usize;
        }
        let place = self.standings.len();
        self.places.insert(recipient.clone(), u32::try_from(place).unwrap_or(u32::MAX));
        self.standings.push(Standing::new(recipient.clone()));
        place
    }

    fn standing_mut(&mut self, recipient: &RecipientId) -> Option<&mut Standing> {
        self.standings.get_mut(*self.places.get(recipient)? as usize)
    }

    pub(super) fn said(&mut self, event: Event, said: u64, at: Timestamp, revision: u64) {
        let number = event.sequence;
        self.course = self.course.after(event.kind, event.platform);
        self.events.push(Said {
            event: Arc::new(event),
            said,
            published_at: at,
            dispatch: None,
            noticed: 0,
            owed: 0,
            windows: BTreeMap::new(),
        });
        // What is lifted by the end of an incident stands otherwise from now on.
        for standing in &mut self.standings {
            standing.changed = revision;
        }
        self.shared_changed = revision;
        self.windows_changed = revision;
        self.happened(revision, at, What::Said(number));
    }

    pub(super) fn dispatched(&mut self, dispatch: Dispatch, at: Timestamp, revision: u64) {
        let dispatch = Arc::new(dispatch);
        let number = dispatch.event;
        if self.event(number).is_none_or(|said| said.dispatch.is_some()) {
            return;
        }
        let mut owed = 0;
        for (recipient, requirement) in dispatch.recipients() {
            owed += 1;
            let place = self.place(recipient);
            let standing = &mut self.standings[place];
            standing.duties.push(Duty::new(number, requirement));
            standing.changed = revision;
        }
        for step in &dispatch.steps {
            for recipient in dispatch.required(step.step) {
                let place = self.place(recipient);
                if let Some(duty) = self.standings[place].duty_mut(number) {
                    // Steps come in order of closing, so that the first is the one to be in time for.
                    duty.asked.get_or_insert((step.step, step.due_at));
                }
            }
        }
        if let Some(said) = self.event_mut(number) {
            said.owed = owed;
            said.dispatch = Some((at, dispatch));
        }
        self.shared_changed = revision;
        self.windows_changed = revision;
        self.roster_changed = revision;
        self.happened(revision, at, What::Dispatched(number));
    }

    pub(super) fn receipt(&mut self, receipt: Receipt, at: Timestamp, revision: u64) {
        let place = self.place(&receipt.recipient);
        let standing = &mut self.standings[place];
        standing.changed = revision;
        match receipt.stage {
            ReceiptStage::Delivered => {
                if let Some(duty) = standing.duty_mut(receipt.event) {
                    duty.delivered_at.get_or_insert(at);
                }
                self.changed = revision;
            }
            ReceiptStage::Acknowledged => {
                let what = What::Acknowledged(receipt.recipient.clone(), receipt.event);
                standing.acknowledgements.push(Acknowledgement { at, receipt: Box::new(receipt) });
                self.happened(revision, at, what);
            }
        }
    }

    pub(super) fn refused(&mut self, subject: &Subject, refusal: Refusal, at: Timestamp, revision: u64) {
        let recipient = match subject {
            Subject::Receipt { recipient, .. } => Some(recipient.clone()),
            _ => None,
        };
        if self.refusals.len() >= REFUSALS_KEPT {
            return;
        }
        self.happened(revision, at, What::Refused(refusal.said, recipient.clone()));
        self.refusals.push(Refused { at, recipient, refusal, revision });
    }

    /// A fact of the log about this incident, that the fold took.
    pub(super) fn log(&mut self, subject: Subject, body: &[u8], at: Timestamp, revision: u64) -> Option<()> {
        match subject {
            Subject::Notice { recipient, event, .. } => {
                let standing = self.standing_mut(&recipient)?;
                let duty = standing.duty_mut(event)?;
                if duty.noticed_at.is_some() {
                    return None;
                }
                duty.noticed_at = Some(at);
                duty.noticed_revision = revision;
                standing.changed = revision;
                let said = self.event_mut(event)?;
                said.noticed += 1;
                if said.noticed == said.owed {
                    self.happened(revision, at, What::AllNoticed(event));
                }
            }
            Subject::Due { event, step, .. } => {
                let window = self.event_mut(event)?.windows.entry(step).or_default();
                if window.closed_at.is_some() {
                    return None;
                }
                window.closed_at = Some(at);
                self.touch_asked(event, step, revision);
                self.windows_changed = revision;
            }
            Subject::Finding { event, step, .. } => {
                let finding: Finding = from_body("finding", body).ok()?;
                let window = self.event_mut(event)?.windows.entry(step).or_default();
                if window.finding.is_some() {
                    return None;
                }
                window.closed_at.get_or_insert(finding.closed_at);
                window.finding = Some((at, finding));
                self.touch_asked(event, step, revision);
                self.windows_changed = revision;
                self.happened(revision, at, What::Found(event, step));
            }
            Subject::Escalation { recipient, event, step, .. } => {
                let escalation: Escalation = from_body("escalation", body).ok()?;
                let standing = self.standing_mut(&recipient)?;
                if standing.mail_mut(event, step).is_some() {
                    return None;
                }
                standing.mails.push(Mail::new(at, escalation));
                standing.changed = revision;
                self.happened(revision, at, What::Escalated(recipient, event, step));
            }
            Subject::Attempt { recipient, event, step, attempt, phase, .. } => {
                self.attempt(&recipient, (event, step), attempt, (phase, body), at, revision)?;
            }
            _ => return None,
        }
        self.changed = revision;
        Some(())
    }

    fn attempt(
        &mut self,
        recipient: &RecipientId,
        (event, step): (EventNumber, StepNumber),
        number: u32,
        (phase, body): (AttemptPhase, &[u8]),
        at: Timestamp,
        revision: u64,
    ) -> Option<()> {
        let standing = self.standing_mut(recipient)?;
        let mail = standing.mail_mut(event, step)?;
        let told: Option<Outcome> = match phase {
            AttemptPhase::Begun => {
                let begun: AttemptBegun = from_body("attempt", body).ok()?;
                if mail.attempts.iter().any(|attempt| attempt.number == number) {
                    return None;
                }
                if mail.attempts.len() >= ATTEMPTS_KEPT {
                    mail.attempts.remove(0);
                }
                let digest = begun.digest.map(|digest| digest.of);
                mail.attempts.push(Attempt { number, begun_at: at, relay: begun.relay, digest, ended: None });
                None
            }
            AttemptPhase::Ended => {
                let ended: AttemptEnded = from_body("attempt", body).ok()?;
                let attempt = mail.attempts.iter_mut().find(|attempt| attempt.number == number)?;
                if attempt.ended.is_some() {
                    return None;
                }
                let outcome = ended.outcome;
                attempt.ended = Some((at, ended));
                let before = mail.outcome;
                mail.ended(outcome);
                // A relay that is away may be tried for days: what has changed is what happened.
                (before != Some(outcome)).then_some(outcome)
            }
        };
        standing.changed = revision;
        if let Some(outcome) = told {
            self.happened(revision, at, What::Mailed(recipient.clone(), event, step, number, outcome));
        }
        Some(())
    }

    /// Those whom the closing of a window is about stand otherwise from now on.
    fn touch_asked(&mut self, event: EventNumber, step: StepNumber, revision: u64) {
        for standing in &mut self.standings {
            let about =
                |duty: &Duty| duty.event == event && duty.asked.is_some_and(|(asked, _)| asked == step);
            if standing.duties.iter().any(about) {
                standing.changed = revision;
            }
        }
    }

    fn happened(&mut self, revision: u64, at: Timestamp, what: What) {
        self.changed = revision;
        self.moments.push(Moment { revision, at, what });
    }

    /// Counts anew how everyone stands.
    pub(super) fn count(&mut self) {
        let mut tally = Tally::default();
        for standing in &self.standings {
            tally.add(&self.glance(standing));
        }
        self.tally = tally;
    }
}

/// Those required first, as they are who is waited for.
pub(super) fn is_required(requirement: Requirement) -> bool {
    requirement == Requirement::Required
}
