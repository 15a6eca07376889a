//! What the screen knows: folded from both streams, like everything else. It believes what it reads; the report at the
//! end does not.

mod event;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tocsin_protocol::{
    AttemptEnded, AttemptPhase, DirectoryDocument, Dispatch, Entry, Event, EventNumber, Finding, Outcome,
    Receipt, ReceiptStage, RecipientId, StepNumber, Subject, from_body,
};

pub(crate) use event::{EventProgress, MailProgress, StepProgress};

/// How many names a line has room for.
const NAMED: usize = 3;

/// Everything that the screen shows.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Everybody's name and kind.
    register: BTreeMap<RecipientId, Known>,
    /// The kinds, in the order of the directory.
    pub(crate) kinds: Vec<String>,
    /// The events so far.
    pub(crate) events: BTreeMap<EventNumber, EventProgress>,
    /// The mails so far, over all events.
    pub(crate) mails: Mails,
    told: Vec<Line>,
}

/// Who a recipient is.
#[derive(Debug, Clone)]
struct Known {
    name: String,
    kind: String,
}

/// The count of mails.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mails {
    /// Owed.
    pub(crate) owed: usize,
    /// Taken by a relay.
    pub(crate) accepted: usize,
    /// Given up: no relay will take it.
    pub(crate) given_up: usize,
}

/// One line of what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When, by the machine; none for what only the machine did, which has no place in the time of day.
    pub(crate) at: Option<Timestamp>,
    /// What.
    pub(crate) text: String,
    /// How it is to be taken.
    pub(crate) tone: Tone,
}

/// How a line is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// The operator said something.
    Event,
    /// As it should be.
    Good,
    /// Somebody is silent or late.
    Bad,
    /// Neither.
    Plain,
}

impl Progress {
    /// Nothing yet, of the people in this directory.
    pub(crate) fn of(document: &DirectoryDocument) -> Self {
        let mut kinds: Vec<String> = Vec::new();
        for recipient in &document.recipients {
            if !kinds.contains(&recipient.kind) {
                kinds.push(recipient.kind.clone());
            }
        }
        let register = document.recipients.iter().map(|recipient| {
            let known = Known { name: recipient.name.clone(), kind: recipient.kind.clone() };
            (recipient.id.clone(), known)
        });
        Self { register: register.collect(), kinds, ..Self::default() }
    }

    /// What happened since this was last asked.
    pub(crate) fn news(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.told)
    }

    /// The newest event that asks for an acknowledgement.
    pub(crate) fn asking(&self) -> Option<(&EventNumber, &EventProgress)> {
        self.events.iter().rev().find(|(_, event)| event.asks())
    }

    /// A recipient's kind.
    pub(crate) fn kind(&self, id: &RecipientId) -> &str {
        self.register.get(id).map_or("", |known| &known.kind)
    }

    /// A recipient's name.
    pub(crate) fn name<'a>(&'a self, id: &'a RecipientId) -> &'a str {
        self.register.get(id).map_or(id.as_str(), |known| &known.name)
    }

    /// Takes in the next entry. What cannot be read is passed over: the report tells of it.
    pub(crate) fn take(&mut self, entry: &Entry) {
        let Ok(subject) = entry.subject.parse::<Subject>() else { return };
        match subject {
            Subject::Incident { event, .. } => self.event(event, entry),
            Subject::Dispatch { event, .. } => {
                if let (Some(progress), Ok(dispatch)) =
                    (self.events.get_mut(&event), from_body::<Dispatch>("dispatch", &entry.body))
                {
                    progress.dispatched(&dispatch);
                }
            }
            Subject::Notice { event, .. } => self.noticed(event, entry),
            Subject::Receipt { recipient, event, stage: ReceiptStage::Delivered, .. } => {
                self.delivered(&recipient, event, entry.time);
            }
            Subject::Receipt { recipient, event, stage: ReceiptStage::Acknowledged, .. } => {
                self.acknowledged(&recipient, event, entry);
            }
            Subject::Due { event, step, .. } => {
                if let Some(step) = self.step(event, step) {
                    step.closed_at = Some(entry.time);
                }
            }
            Subject::Finding { event, step, .. } => self.found(event, step, entry),
            Subject::Escalation { recipient, event, step, .. } => {
                let Some(progress) = self.events.get_mut(&event) else { return };
                progress
                    .mails
                    .entry((step, recipient))
                    .or_insert(MailProgress { accepted_at: None, given_up: false });
                self.mails.owed += 1;
            }
            Subject::Attempt { recipient, event, step, phase: AttemptPhase::Ended, .. } => {
                self.attempted(&recipient, event, step, entry);
            }
            Subject::Refusal { .. } => {
                let text = "the router refused something that was said: see the report".to_owned();
                self.tell(entry.time, Tone::Bad, text);
            }
            _ => {}
        }
    }

    fn event(&mut self, number: EventNumber, entry: &Entry) {
        let Ok(event) = from_body::<Event>("event", &entry.body) else { return };
        self.tell(entry.time, Tone::Event, format!("event {number}, {}: {}", event.kind, event.headline));
        self.events.entry(number).or_insert_with(|| EventProgress::of(&event, entry.time));
    }

    fn noticed(&mut self, number: EventNumber, entry: &Entry) {
        let Some(event) = self.events.get_mut(&number) else { return };
        event.noticed += 1;
        event.last_noticed_at = Some(entry.time);
        if event.noticed == event.owed() {
            let took = milliseconds(event.published_at, entry.time);
            let text =
                format!("{} notices on the bus, the last {took} after the event (measured)", event.noticed);
            self.measured(text);
        }
    }

    fn delivered(&mut self, recipient: &RecipientId, number: EventNumber, at: Timestamp) {
        let Some(event) = self.events.get_mut(&number) else { return };
        if !event.delivered.insert(recipient.clone()) {
            return;
        }
        event.last_delivered_at = Some(at);
        if event.delivered.len() == event.owed() {
            let took = milliseconds(event.published_at, at);
            let text = format!(
                "all {} desks hold theirs, the last {took} after the event (measured)",
                event.delivered.len()
            );
            self.measured(text);
        }
    }

    fn acknowledged(&mut self, recipient: &RecipientId, number: EventNumber, entry: &Entry) {
        let late =
            self.events.get(&number).and_then(EventProgress::due_at).is_some_and(|due| entry.time > due);
        // An acknowledgement covers every earlier event.
        for (_, event) in self.events.range_mut(..=number) {
            event.acknowledged.entry(recipient.clone()).or_insert(entry.time);
        }
        if late {
            let by = from_body::<Receipt>("receipt", &entry.body).ok().and_then(|receipt| receipt.by);
            let by = by.map_or_else(String::new, |person| format!(": {}", person.name));
            let text = format!("{} acknowledges event {number}, late{by}", self.name(recipient));
            self.tell(entry.time, Tone::Plain, text);
        }
    }

    fn found(&mut self, number: EventNumber, step: StepNumber, entry: &Entry) {
        let Ok(finding) = from_body::<Finding>("finding", &entry.body) else { return };
        let Some(progress) = self.step(number, step) else { return };
        progress.found_at = Some(entry.time);
        if let Some(stopped) = &finding.stopped_by {
            progress.lifted = true;
            let text = format!(
                "window {step} of event {number} closes: event {}, {}, had lifted it",
                stopped.event, stopped.kind
            );
            return self.tell(finding.due_at, Tone::Plain, text);
        }
        progress.silent = finding.silent.len();
        let took = milliseconds(finding.due_at, entry.time);
        let (tone, who) = if finding.silent.is_empty() {
            (Tone::Good, "nobody is silent".to_owned())
        } else {
            (Tone::Bad, format!("{} silent: {}", finding.silent.len(), self.names(&finding.silent)))
        };
        let text = format!(
            "window {step} of event {number} closes: {} of {} acknowledged, {who}",
            finding.acknowledged, finding.required
        );
        self.tell(finding.due_at, tone, text);
        self.measured(format!("found {took} after it closed (measured)"));
    }

    fn attempted(&mut self, recipient: &RecipientId, number: EventNumber, step: StepNumber, entry: &Entry) {
        let Ok(ended) = from_body::<AttemptEnded>("attempt", &entry.body) else { return };
        let known = self.events.get_mut(&number);
        if ended.outcome != Outcome::Accepted {
            let over = matches!(ended.outcome, Outcome::Permanent | Outcome::StoodDown);
            let mail = known.and_then(|event| event.mails.get_mut(&(step, recipient.clone())));
            if over && mail.is_some_and(|mail| !std::mem::replace(&mut mail.given_up, true)) {
                self.mails.given_up += 1;
            }
            let name = self.name(recipient).to_owned();
            self.tell(entry.time, Tone::Bad, format!("mail to {name}: {}", ended.reply));
            return;
        }
        let Some(event) = known else { return };
        let Some(mail) = event.mails.get_mut(&(step, recipient.clone())) else { return };
        if mail.accepted_at.replace(entry.time).is_none() {
            self.mails.accepted += 1;
        }
        let Some(progress) = event.steps.iter().find(|progress| progress.step == step) else { return };
        let (found_at, contact) = (progress.found_at, progress.contact.clone());
        let of_step: Vec<_> = event.mails.iter().filter(|((of, _), _)| *of == step).collect();
        if of_step.len() != progress.silent || of_step.iter().any(|(_, mail)| mail.accepted_at.is_none()) {
            return;
        }
        let count = of_step.len();
        let took = found_at.map_or_else(String::new, |found_at| {
            format!(", the last {} after the finding (measured)", milliseconds(found_at, entry.time))
        });
        let mails = if count == 1 { "1 mail".to_owned() } else { format!("{count} mails") };
        self.measured(format!("{mails} to the {contact} contacts taken by the relay{took}"));
    }

    fn step(&mut self, event: EventNumber, step: StepNumber) -> Option<&mut StepProgress> {
        self.events.get_mut(&event)?.steps.iter_mut().find(|progress| progress.step == step)
    }

    fn names(&self, ids: &[RecipientId]) -> String {
        let named: Vec<_> = ids.iter().take(NAMED).map(|id| self.name(id)).collect();
        let more = ids.len().saturating_sub(NAMED);
        let named = named.join(", ");
        if more == 0 { named } else { format!("{named} and {more} more") }
    }

    /// Whether everything that follows from the events so far has been done.
    pub(crate) fn is_settled(&self) -> bool {
        self.events.values().all(|event| {
            event.owed() > 0
                && event.delivered.len() == event.owed()
                && event.steps.iter().all(|step| step.found_at.is_some())
        }) && self.mails.owed == self.mails.accepted + self.mails.given_up
    }

    /// Tells what the machine did.
    fn measured(&mut self, text: String) {
        self.told.push(Line { at: None, text, tone: Tone::Plain });
    }

    /// Tells a line of the caller's own among the others.
    pub(crate) fn tell(&mut self, at: Timestamp, tone: Tone, text: String) {
        self.told.push(Line { at: Some(at), text, tone });
    }
}

/// A length of the machine's time, unscaled.
pub(crate) fn milliseconds(from: Timestamp, to: Timestamp) -> String {
    length(to.duration_since(from).as_secs_f64() * 1000.0)
}

/// Milliseconds as people read them.
pub(crate) fn length(milliseconds: f64) -> String {
    if milliseconds < 9.95 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 999.5 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.1} s", milliseconds / 1000.0)
    }
}
