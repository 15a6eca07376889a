//! The facts of the small world. Each is made once and known by its number, so that a state is small and compares
//! quickly.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use bytes::Bytes;
use tocsin_protocol::{
    Area, AreaScope, AttemptBegun, AttemptEnded, AttemptPhase, Category, ClockStart, Confidence,
    ConsoleDoors, Contact, DirectoryDocument, Escalation, EscalationReason, Event, EventKind, EventNumber,
    Finding, NewFact, Outcome, OwedRule, Person, PolicyDocument, Publisher, Receipt, ReceiptMethod,
    Recipient, RecipientId, Requirement, Service, Signed, SignedDuration, SigningKey, Status, StepDocument,
    StepNumber, Subject, Timestamp, Where, Window, from_body, to_body,
};

/// The seconds after which a window closes, by step.
pub(crate) const WINDOWS: [i64; 2] = [10, 20];

/// A fact by its number, with what the world needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fact {
    number: u32,
    pub(crate) slot: Slot,
    pub(crate) told: Told,
}

/// The subject of a fact: recipients and steps by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Slot {
    Directory,
    Event,
    Receipt(u8),
    Dispatch,
    Notice(u8),
    Window(u8),
    Due(u8),
    Finding(u8),
    Escalation(u8, u8),
    Begun(u8, u8, u8),
    Ended(u8, u8, u8),
}

/// What a fact says, as far as a promise rests on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Told {
    Nothing,
    /// Who was silent, as a set of bits, and the last moment that would have been in time, in nanoseconds.
    Silent {
        who: u8,
        due_at: i64,
    },
    /// Whether it is owed for silence, or because the contact of the step before cannot be reached.
    Escalated {
        silent: bool,
    },
    Ended(Outcome),
}

/// A fact as it is written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) subject: Subject,
    pub(crate) body: Bytes,
    pub(crate) signed: Option<Signed>,
    /// For a window: when it closes, and what the broker then writes.
    pub(crate) schedule: Option<(Timestamp, Fact)>,
}

#[derive(Default)]
struct Known {
    written: Vec<Arc<Written>>,
    facts: HashMap<(String, Bytes), Fact>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

fn known(written: Written) -> Fact {
    let mut known = KNOWN.lock().unwrap();
    let key = (written.subject.to_string(), written.body.clone());
    if let Some(fact) = known.facts.get(&key) {
        return *fact;
    }
    let number = u32::try_from(known.written.len()).unwrap();
    let fact = Fact { number, slot: slot(&written.subject), told: told(&written) };
    known.written.push(Arc::new(written));
    known.facts.insert(key, fact);
    fact
}

impl Fact {
    pub(crate) fn written(self) -> Arc<Written> {
        Arc::clone(&KNOWN.lock().unwrap().written[self.number as usize])
    }
}

fn slot(subject: &Subject) -> Slot {
    let who = |recipient: &RecipientId| (0..3).find(|n| recipient_id(*n) == *recipient).unwrap();
    let small = |n: u32| u8::try_from(n).unwrap();
    match subject {
        Subject::Directory { .. } => Slot::Directory,
        Subject::Incident { .. } => Slot::Event,
        Subject::Receipt { recipient, .. } => Slot::Receipt(who(recipient)),
        Subject::Dispatch { .. } => Slot::Dispatch,
        Subject::Notice { recipient, .. } => Slot::Notice(who(recipient)),
        Subject::Window { step, .. } => Slot::Window(small(step.get())),
        Subject::Due { step, .. } => Slot::Due(small(step.get())),
        Subject::Finding { step, .. } => Slot::Finding(small(step.get())),
        Subject::Escalation { recipient, step, .. } => Slot::Escalation(who(recipient), small(step.get())),
        Subject::Attempt { recipient, step, attempt, phase, .. } => {
            let (who, step, attempt) = (who(recipient), small(step.get()), small(*attempt));
            match phase {
                AttemptPhase::Begun => Slot::Begun(who, step, attempt),
                AttemptPhase::Ended => Slot::Ended(who, step, attempt),
            }
        }
        Subject::Report { .. }
        | Subject::Link { .. }
        | Subject::Proposal { .. }
        | Subject::Refusal { .. }
        | Subject::Called { .. }
        | Subject::Overdue { .. }
        | Subject::Checkpoint { .. } => {
            panic!("{subject} has no place in this world")
        }
    }
}

fn told(written: &Written) -> Told {
    match &written.subject {
        Subject::Finding { .. } => {
            let finding: Finding = from_body("finding", &written.body).unwrap();
            let bit = |n: u8| u8::from(finding.silent.contains(&recipient_id(n))) << n;
            Told::Silent { who: (0..3).map(bit).sum(), due_at: nanoseconds(finding.due_at) }
        }
        Subject::Escalation { .. } => {
            let escalation: Escalation = from_body("escalation", &written.body).unwrap();
            Told::Escalated { silent: escalation.reason == EscalationReason::Silent }
        }
        Subject::Attempt { phase: AttemptPhase::Ended, .. } => {
            Told::Ended(from_body::<AttemptEnded>("attempt", &written.body).unwrap().outcome)
        }
        _ => Told::Nothing,
    }
}

pub(crate) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap()
}

/// A fact that a router owes.
pub(crate) fn owed(new: &NewFact) -> Fact {
    let schedule = new.schedule.as_ref().map(|schedule| {
        let (subject, body) = (schedule.target.clone(), new.body.clone());
        (schedule.at, known(Written { subject, body, signed: None, schedule: None }))
    });
    known(Written { subject: new.subject.clone(), body: new.body.clone(), signed: None, schedule })
}

fn plain(subject: Subject, body: Bytes) -> Fact {
    known(Written { subject, body, signed: None, schedule: None })
}

fn said(subject: Subject, body: Bytes, key: &SigningKey) -> Fact {
    let signed = key.sign(&subject.to_string(), &body).unwrap();
    known(Written { subject, body, signed: Some(signed), schedule: None })
}

struct Keys {
    publisher: SigningKey,
    recipients: [SigningKey; 3],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    publisher: SigningKey::generate(),
    recipients: std::array::from_fn(|_| SigningKey::generate()),
});

fn id<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no identifier"))
}

fn recipient_id(n: u8) -> RecipientId {
    id(&format!("force-{n}"))
}

/// The directory: so many required recipients, and two steps.
pub(crate) fn directory(recipients: u8) -> Fact {
    let contact = |role: &str, n: u8| Contact {
        role: role.to_owned(),
        email: format!("{role}@force-{n}.example"),
        phone: None,
    };
    let recipients = (0..recipients).map(|n| Recipient {
        buddy: None,
        coordinating_body: None,
        control_rooms: Vec::new(),
        id: recipient_id(n),
        name: format!("Force {n}"),
        kind: "police-territorial".into(),
        nation: None,
        areas: vec![id("here")],
        neighbours: vec![],
        key: Some(KEYS.recipients[usize::from(n)].public()),
        console: ConsoleDoors::Open,
        contacts: ["duty", "senior"].map(|word| (word.to_owned(), contact(word, n))).into(),
        valid_from: None,
        valid_to: None,
        last_verified_at: None,
    });
    let step = |seconds, contact: &str| StepDocument {
        within: Window(SignedDuration::from_secs(seconds)),
        contact: contact.to_owned(),
        reach: tocsin_protocol::Reach::Own,
    };
    let document = DirectoryDocument {
        name: "a small world".into(),
        time_zone: "Europe/London".into(),
        directory_key: None,
        checkpoint_key: None,
        console_key: None,
        link_key: None,
        areas: vec![Area { id: id("here"), name: "Here".into(), within: None, population: None }],
        monitors: Vec::new(),
        exercises: Vec::new(),
        publishers: vec![Publisher {
            contacts: std::collections::BTreeMap::new(),
            id: id("operator"),
            name: "Operator".into(),
            key: Some(KEYS.publisher.public()),
            areas: AreaScope::All,
        }],
        recipients: recipients.collect(),
        policies: vec![PolicyDocument {
            source: None,
            in_force_from: None,
            trigger: tocsin_protocol::Trigger::Failure,
            duties: Vec::new(),
            id: id("uk-999"),
            name: "policy".into(),
            basis: "none".into(),
            as_of: None,
            confidence: Confidence::Assumption,
            clock: ClockStart::Published,
            services: vec![],
            acknowledge: vec![EventKind::Initial],
            owed: vec![OwedRule {
                kinds: vec![],
                recipients: vec![],
                place: Where::Affected,
                requirement: Requirement::Required,
            }],
            steps: vec![step(WINDOWS[0], "duty"), step(WINDOWS[1], "senior")],
        }],
    };
    plain(Subject::Directory { version: 1 }, to_body("directory", &document).unwrap())
}

/// The one event.
pub(crate) fn event() -> Fact {
    let event = Event::initial(
        id("operator"),
        id("incident"),
        Status::Actual,
        Category::Outage,
        vec![Service::Voice999],
        "999 voice calls are failing",
        vec![id("here")],
    );
    said(event.subject(), to_body("event", &event).unwrap(), &KEYS.publisher)
}

/// A recipient's acknowledgement.
pub(crate) fn acknowledgement(n: u8) -> Fact {
    let receipt = Receipt::acknowledged(
        recipient_id(n),
        id("incident"),
        EventNumber::FIRST,
        Timestamp::UNIX_EPOCH,
        (
            Person { name: "Supervisor on duty".into(), role: "control room supervisor".into() },
            ReceiptMethod::Desk,
        ),
    );
    said(receipt.subject(), to_body("receipt", &receipt).unwrap(), &KEYS.recipients[usize::from(n)])
}

fn attempt(who: u8, step: u8, attempt: u8, phase: AttemptPhase) -> Subject {
    Subject::Attempt {
        recipient: recipient_id(who),
        incident: id("incident"),
        event: EventNumber::FIRST,
        step: StepNumber::new(step.into()).unwrap(),
        attempt: attempt.into(),
        phase,
    }
}

pub(crate) fn begun(who: u8, step: u8, k: u8) -> Fact {
    let body = AttemptBegun {
        relay: "one".into(),
        to: "duty@force.example".into(),
        message_id: "<x@example>".into(),
        token: None,
        digest: None,
    };
    plain(attempt(who, step, k, AttemptPhase::Begun), to_body("attempt", &body).unwrap())
}

pub(crate) fn ended(who: u8, step: u8, k: u8, outcome: Outcome) -> Fact {
    let body = AttemptEnded { relay: "one".into(), outcome, code: None, reply: "as it went".into() };
    plain(attempt(who, step, k, AttemptPhase::Ended), to_body("attempt", &body).unwrap())
}
