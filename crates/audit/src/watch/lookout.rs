//! What is late as of a time of the broker's, from entries.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
};

use tocsin_duty::{Fold, Held, Pin, Verdict};
use tocsin_protocol::{
    AttemptEnded, AttemptPhase, Dispatch, Entry, Event, EventNumber, Finding, IncidentId, Outcome,
    PublisherId, ReceiptStage, RecipientId, SignedDuration, Status, StepNumber, Stream, Subject, Timestamp,
    from_body,
};

use super::alarm::{Alarm, AlarmCode};
use crate::words::{length, some};

/// How long each part may take before it is late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The bus, to answer.
    pub bus: SignedDuration,
    /// A router, to write what follows.
    pub router: SignedDuration,
    /// The broker, to close a window.
    pub window: SignedDuration,
    /// A notifier, to begin to send a mail that is owed.
    pub notifier: SignedDuration,
    /// A relay, to take it.
    pub taken: SignedDuration,
    /// A router, to sign what stands.
    pub signed: SignedDuration,
    /// A publisher, beyond the moment by which it promised to say more.
    pub update: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bus: SignedDuration::from_secs(15),
            router: SignedDuration::from_secs(30),
            // Over the kill of the leader of three it takes 2 to 4 s.
            window: SignedDuration::from_secs(60),
            notifier: SignedDuration::from_secs(60),
            taken: SignedDuration::from_mins(5),
            // A router signs when it comes to rest, at the latest every minute under load.
            signed: SignedDuration::from_mins(10),
            update: SignedDuration::ZERO,
        }
    }
}

type EventKey = (IncidentId, EventNumber);
type StepKey = (IncidentId, EventNumber, StepNumber);
type MailKey = (IncidentId, RecipientId, EventNumber, StepNumber);

/// Everything that is owed and not there yet. It takes the entries of both streams in their one order.
#[derive(Debug, Default)]
pub struct Lookout {
    fold: Fold,
    last_at: Option<Timestamp>,
    /// Events without a dispatch.
    undispatched: BTreeMap<EventKey, Timestamp>,
    /// Dispatches that the skew of two brokers' clocks put before their event.
    early: BTreeSet<EventKey>,
    /// Dispatches of which notices are missing: when, and how many.
    unnoticed: BTreeMap<EventKey, (Timestamp, usize)>,
    /// What was said, does not count, and of which no refusal is written.
    unrefused: BTreeMap<u64, Timestamp>,
    /// Windows that are armed, and when each is due to close.
    windows: BTreeMap<StepKey, Timestamp>,
    /// Windows that have closed and of which nothing was found.
    unfound: BTreeMap<StepKey, Timestamp>,
    /// Those found silent to whom no mail was written down as owed.
    unescalated: BTreeMap<MailKey, Timestamp>,
    mails: BTreeMap<MailKey, Mail>,
    /// How each relay answered last.
    relays: BTreeMap<String, Outcome>,
    /// The oldest entry that no checkpoint can cover.
    unsigned_since: Option<Timestamp>,
    signs: bool,
    /// Which update each publisher has promised.
    promised: BTreeMap<IncidentId, Promise>,
    statuses: HashMap<IncidentId, Status>,
    /// The newest directory on the log where the `directory_key` has not signed it: since when, and what is wrong with it.
    idle: Option<(Timestamp, String)>,
    /// Under which key the directory in force must stand, and since when it is the one.
    pin: Option<Pin>,
    in_force_since: Option<Timestamp>,
}

/// An e-mail that is owed.
#[derive(Debug)]
struct Mail {
    since: Timestamp,
    begun: bool,
    last: Option<Outcome>,
}

#[derive(Debug)]
struct Promise {
    by: Timestamp,
    event: EventNumber,
    publisher: PublisherId,
}

impl Lookout {
    /// One that raises an alarm, too, when the directory in force does not stand under this key: see [`Pin`].
    pub fn trusting(pin: Option<Pin>) -> Self {
        Self { pin, ..Self::default() }
    }

    /// Takes in the next entry.
    pub fn take(&mut self, entry: &Entry) {
        self.last_at = self.last_at.max(Some(entry.time));
        let verdict = self.fold.apply(entry);
        if let Verdict::Recorded(Subject::Checkpoint { .. }) = &verdict {
            self.signs = true;
            self.unsigned_since = None;
            return;
        }
        self.unsigned_since.get_or_insert(entry.time);
        match verdict {
            Verdict::Event(event) => self.event(&event, entry.time),
            Verdict::Receipt(receipt) => {
                if receipt.stage == ReceiptStage::Acknowledged {
                    self.settle(&receipt.incident, Some(&receipt.recipient), receipt.event);
                }
            }
            Verdict::Refused(refusal) => {
                self.unrefused.insert(refusal.said, entry.time);
            }
            Verdict::Recorded(Subject::Directory { .. }) => {
                self.idle = None;
                self.in_force_since = Some(entry.time);
            }
            Verdict::Recorded(subject) => self.recorded(subject, entry),
            Verdict::NotInForce { version, why } if why.lacks_the_key() => {
                let text =
                    format!("Version {version} of the directory was written and is not in force: {why}.");
                self.idle = Some((entry.time, text));
            }
            Verdict::Call(_)
            | Verdict::Report(_)
            | Verdict::Link(_)
            | Verdict::Repeated
            | Verdict::Trusted
            | Verdict::NotInForce { .. }
            | Verdict::Foreign => {}
        }
    }

    /// How far a stream was read.
    pub fn read_through(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Said => self.fold.said_through(),
            Stream::Log => self.fold.log_through(),
        }
    }

    /// The broker's time of the last entry.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    fn event(&mut self, event: &Event, at: Timestamp) {
        let (id, number) = (&event.incident, event.sequence);
        self.statuses.insert(id.clone(), event.status);
        let key = (id.clone(), number);
        if !self.early.remove(&key) {
            self.undispatched.insert(key, at);
        }
        let ends = event.kind.lifts_duties();
        self.promised.remove(id);
        if ends {
            // Whoever was owed a mail of it is not written to any more.
            if let Some(before) = number.get().checked_sub(1).and_then(EventNumber::new) {
                self.settle(id, None, before);
            }
        } else if let Some(by) = event.next_update_by.filter(|_| event.status != Status::Test) {
            self.promised
                .insert(id.clone(), Promise { by, event: number, publisher: event.publisher.clone() });
        }
    }

    /// What is owed of events up to this one, to this recipient or to all, is owed no longer.
    fn settle(&mut self, id: &IncidentId, recipient: Option<&RecipientId>, through: EventNumber) {
        settle(&mut self.mails, id, recipient, EventNumber::FIRST..=through);
        settle(&mut self.unescalated, id, recipient, EventNumber::FIRST..=through);
    }

    fn recorded(&mut self, subject: Subject, entry: &Entry) {
        let at = entry.time;
        match subject {
            Subject::Refusal { said, .. } => {
                self.unrefused.remove(&said);
            }
            Subject::Dispatch { incident, event, .. } => {
                let Ok(dispatch) = from_body::<Dispatch>("dispatch", &entry.body) else { return };
                let key = (incident, event);
                if self.undispatched.remove(&key).is_none() {
                    self.early.insert(key.clone());
                }
                let owed = dispatch.recipients().len();
                if owed > 0 {
                    self.unnoticed.insert(key.clone(), (at, owed));
                }
                let steps = dispatch.steps.iter().map(|step| (step.step, step.due_at));
                let duties = dispatch.duties.iter().filter_map(|duty| Some((duty.step?, duty.due_at)));
                self.windows
                    .extend(steps.chain(duties).map(|(step, due_at)| ((key.0.clone(), event, step), due_at)));
            }
            Subject::Notice { incident, event, .. } => {
                let key = (incident, event);
                if let Some((_, missing)) = self.unnoticed.get_mut(&key) {
                    *missing = missing.saturating_sub(1);
                    if *missing == 0 {
                        self.unnoticed.remove(&key);
                    }
                }
            }
            Subject::Due { incident, event, step } => {
                let key = (incident, event, step);
                if self.windows.remove(&key).is_some() {
                    self.unfound.insert(key, at);
                }
            }
            Subject::Finding { incident, event, step } => {
                let key = (incident.clone(), event, step);
                self.windows.remove(&key);
                self.unfound.remove(&key);
                let Ok(finding) = from_body::<Finding>("finding", &entry.body) else { return };
                if let Some(again) = finding.duty.and_then(|duty| duty.again) {
                    self.windows.insert((incident.clone(), event, again.step), again.due_at);
                }
                if finding.stopped_by.is_none() {
                    let owed = finding.silent.into_iter().map(|who| (incident.clone(), who, event, step));
                    // An escalation may have come before its finding: the contact of the step before was unreachable.
                    let owed = owed.filter(|key| !self.mails.contains_key(key));
                    let owed: Vec<_> = owed.map(|key| (key, at)).collect();
                    self.unescalated.extend(owed);
                }
            }
            Subject::Escalation { recipient, incident, event, step } => {
                let key = (incident, recipient, event, step);
                self.unescalated.remove(&key);
                self.mails.insert(key, Mail { since: at, begun: false, last: None });
            }
            Subject::Attempt { recipient, incident, event, step, phase, .. } => {
                let key = (incident, recipient, event, step);
                match phase {
                    AttemptPhase::Begun => {
                        if let Some(mail) = self.mails.get_mut(&key) {
                            mail.begun = true;
                        }
                    }
                    AttemptPhase::Ended => self.ended(&key, &entry.body),
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, key: &MailKey, body: &[u8]) {
        let Ok(ended) = from_body::<AttemptEnded>("attempt", body) else { return };
        if !ended.relay.is_empty() {
            self.relays.insert(ended.relay, ended.outcome);
        }
        match ended.outcome {
            // A mail that reached the body makes good those of this event that did not.
            Outcome::Accepted => {
                settle(&mut self.mails, &key.0, Some(&key.1), key.2..=key.2);
            }
            Outcome::StoodDown => {
                self.mails.remove(key);
            }
            outcome => {
                if let Some(mail) = self.mails.get_mut(key) {
                    (mail.begun, mail.last) = (true, Some(outcome));
                }
            }
        }
    }

    /// Every alarm that there is at this moment.
    pub fn alarms(&self, now: Timestamp, limits: &Limits) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        if self.fold.directory().is_none()
            && let Some(since) = self.last_at
        {
            alarms.push(alarm(
                AlarmCode::NoDirectory,
                since,
                "No directory is in force: nobody can be told of anything.".to_owned(),
            ));
        }
        alarms.extend(self.directory());
        alarms.extend(self.router(now, limits));
        alarms.extend(self.windows(now, limits));
        alarms.extend(self.notifier(now, limits));
        alarms.extend(self.untaken(now, limits));
        alarms.extend(self.relays());
        alarms.extend(self.quiet(now, limits));
        alarms.extend(self.overdue(now, limits));
        alarms
    }

    /// What is wrong with whose directory it is.
    fn directory(&self) -> Vec<Alarm> {
        let unsigned = self.idle.as_ref();
        let unsigned =
            unsigned.map(|(since, text)| alarm(AlarmCode::DirectoryUnsigned, *since, text.clone()));
        let untrusted = match self.pin.as_ref().map(|pin| self.fold.held_against(pin)) {
            Some(Held::Not(why)) => self.in_force_since.map(|since| {
                alarm(AlarmCode::DirectoryUntrusted, since, format!("The record is not ours: {why}."))
            }),
            None | Some(Held::None | Held::Under { .. }) => None,
        };
        unsigned.into_iter().chain(untrusted).collect()
    }

    fn router(&self, now: Timestamp, limits: &Limits) -> Option<Alarm> {
        let sorts: [(&str, Vec<Timestamp>); 5] = [
            ("not dispatched", self.undispatched.values().copied().collect()),
            ("dispatched without every notice", self.unnoticed.values().map(|(at, _)| *at).collect()),
            ("refused without a word of it", self.unrefused.values().copied().collect()),
            ("closed without a finding", self.unfound.values().copied().collect()),
            ("silent without an escalation", self.unescalated.values().copied().collect()),
        ];
        let late = |at: &Timestamp| now.duration_since(*at) > limits.router;
        let since = sorts.iter().flat_map(|(_, owed)| owed).filter(|at| late(at)).min().copied()?;
        let words: Vec<String> = sorts
            .iter()
            .map(|(what, owed)| (owed.iter().filter(|at| late(at)).count(), what))
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        Some(alarm(
            AlarmCode::RouterBehind,
            since,
            format!("The router is behind: {}; the oldest for {}.", words.join(", "), ago(now, since)),
        ))
    }

    fn windows(&self, now: Timestamp, limits: &Limits) -> Option<Alarm> {
        let late = || self.windows.values().filter(|due_at| now.duration_since(**due_at) > limits.window);
        let since = *late().min()?;
        Some(alarm(
            AlarmCode::WindowNotClosed,
            since,
            format!(
                "The broker has not closed {} due windows; the oldest for {}.",
                late().count(),
                ago(now, since)
            ),
        ))
    }

    fn notifier(&self, now: Timestamp, limits: &Limits) -> Option<Alarm> {
        let late: Vec<_> = self
            .mails
            .iter()
            .filter(|(_, mail)| !mail.begun && now.duration_since(mail.since) > limits.notifier)
            .collect();
        let since = late.iter().map(|(_, mail)| mail.since).min()?;
        let recipients: BTreeSet<RecipientId> = late.iter().map(|((_, who, ..), _)| who.clone()).collect();
        let text = format!(
            "The notifier is behind: {} mails are owed that nobody has begun to send, the oldest for {}: {}.",
            late.len(),
            ago(now, since),
            some(recipients.iter().map(RecipientId::as_str))
        );
        Some(Alarm {
            recipients: recipients.into_iter().collect(),
            ..alarm(AlarmCode::NotifierBehind, since, text)
        })
    }

    fn untaken(&self, now: Timestamp, limits: &Limits) -> Vec<Alarm> {
        let mut by_incident: BTreeMap<&IncidentId, (Timestamp, BTreeSet<&RecipientId>)> = BTreeMap::new();
        for ((incident, recipient, ..), mail) in &self.mails {
            // What was refused for good is tried no more: there is no use in waiting to say so.
            let late = now.duration_since(mail.since) > limits.taken || mail.last == Some(Outcome::Permanent);
            if late {
                let (since, who) = by_incident.entry(incident).or_insert((mail.since, BTreeSet::new()));
                *since = mail.since.min(*since);
                who.insert(recipient);
            }
        }
        let told = |(incident, (since, who)): (&IncidentId, (Timestamp, BTreeSet<&RecipientId>))| {
            let text = format!(
                "Incident {incident}: no relay has taken the mails to {} silent bodies, the oldest owed for {}: {}.",
                who.len(),
                ago(now, since),
                some(who.iter().map(|who| who.as_str()))
            );
            Alarm {
                status: self.statuses.get(incident).copied(),
                incident: Some(incident.clone()),
                recipients: who.into_iter().cloned().collect(),
                ..alarm(AlarmCode::MailNotTaken, since, text)
            }
        };
        by_incident.into_iter().map(told).collect()
    }

    /// Every relay that is known failed last, and a mail waits.
    fn relays(&self) -> Option<Alarm> {
        let fails = |outcome: &Outcome| {
            matches!(outcome, Outcome::Temporary | Outcome::RelayFault | Outcome::Unknown)
        };
        if self.relays.is_empty() || !self.relays.values().all(fails) {
            return None;
        }
        let waiting = self.mails.values().filter(|mail| mail.last.as_ref().is_some_and(fails));
        let since = waiting.map(|mail| mail.since).min()?;
        let names: Vec<&str> = self.relays.keys().map(String::as_str).collect();
        Some(alarm(
            AlarmCode::RelaysFail,
            since,
            format!("Every relay fails ({}): nobody can be reached by mail.", some(names)),
        ))
    }

    fn quiet(&self, now: Timestamp, limits: &Limits) -> Option<Alarm> {
        let signs = self.signs
            || self.fold.directory().is_some_and(|known| known.document().checkpoint_key.is_some());
        let since = self.unsigned_since.filter(|since| now.duration_since(*since) > limits.signed)?;
        signs.then(|| {
            let text = format!(
                "Nothing was signed since an entry {} ago: no checkpoint covers it.",
                ago(now, since)
            );
            alarm(AlarmCode::LogQuiet, since, text)
        })
    }

    fn overdue(&self, now: Timestamp, limits: &Limits) -> Vec<Alarm> {
        self.promised
            .iter()
            .filter(|(_, promise)| now.duration_since(promise.by) > limits.update)
            .map(|(incident, promise)| Alarm {
                status: self.statuses.get(incident).copied(),
                incident: Some(incident.clone()),
                ..alarm(
                    AlarmCode::UpdateOverdue,
                    promise.by,
                    format!(
                        "Incident {incident}: {} promised with event {} to say more by {}, and has not.",
                        promise.publisher,
                        promise.event,
                        crate::words::utc(promise.by)
                    ),
                )
            })
            .collect()
    }
}

/// Takes out what is kept of these events of an incident, of one recipient or of all.
fn settle<V>(
    kept: &mut BTreeMap<MailKey, V>,
    incident: &IncidentId,
    recipient: Option<&RecipientId>,
    events: RangeInclusive<EventNumber>,
) {
    // One recipient's stand together; those of all are the whole incident's.
    let is_of = |key: &MailKey| key.0 == *incident && recipient.is_none_or(|who| *who == key.1);
    let settled: Vec<MailKey> = match recipient {
        Some(who) => {
            let from = (incident.clone(), who.clone(), *events.start(), StepNumber::FIRST);
            let those = kept.range(from..).map(|(key, _)| key).take_while(|key| is_of(key));
            those.filter(|key| events.contains(&key.2)).cloned().collect()
        }
        None => kept.keys().filter(|key| is_of(key) && events.contains(&key.2)).cloned().collect(),
    };
    for key in settled {
        kept.remove(&key);
    }
}

pub(super) fn alarm(code: AlarmCode, since: Timestamp, text: String) -> Alarm {
    Alarm { code, incident: None, status: None, since, recipients: Vec::new(), text }
}

fn ago(now: Timestamp, since: Timestamp) -> String {
    // A whole second is as near as it is told.
    length(now.duration_since(since).as_secs_f64().max(0.0).floor())
}
