//! Who takes part in a bench: one operator, and as many police forces as it needs, each with its key.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tocsin_duty::Fold;
use tocsin_ledger::Ledger;
use tocsin_protocol::{
    Area, AreaId, AreaScope, Category, ClockStart, Confidence, ConsoleDoors, Contact, DirectoryDocument,
    Entry, Event, EventKind, EventNumber, IncidentId, NewFact, OwedRule, Person, PolicyDocument, PolicyId,
    Publisher, PublisherId, Receipt, ReceiptMethod, Recipient, RecipientId, Requirement, Service, Signed,
    SigningKey, Status, StepDocument, Stream, Subject, Where, Window, to_body,
};

use crate::error::{Attempt, Error};

/// An operator and its recipients, all of them required to acknowledge.
pub(super) struct World {
    pub(super) operator: PublisherId,
    pub(super) key: SigningKey,
    pub(super) recipients: Vec<(RecipientId, SigningKey)>,
    area: AreaId,
    policy: PolicyId,
}

impl World {
    pub(super) fn new(recipients: usize) -> Result<Self, Error> {
        let wrong = "name the parties of the bench";
        let recipients = (0..recipients)
            .map(|n| Ok((RecipientId::new(&format!("force-{n}")).attempt(wrong)?, SigningKey::generate())))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            operator: PublisherId::new("operator").attempt(wrong)?,
            key: SigningKey::generate(),
            recipients,
            area: AreaId::new("united-kingdom").attempt(wrong)?,
            policy: PolicyId::new("bench").attempt(wrong)?,
        })
    }

    /// The directory of the first `recipients`, whose one window closes this long after publication.
    pub(super) fn directory(&self, recipients: usize, window: SignedDuration) -> DirectoryDocument {
        DirectoryDocument {
            name: "Bench".to_owned(),
            time_zone: "Europe/London".to_owned(),
            directory_key: None,
            checkpoint_key: None,
            console_key: None,
            link_key: None,
            areas: vec![Area {
                id: self.area.clone(),
                name: "United Kingdom".to_owned(),
                within: None,
                population: None,
            }],
            monitors: Vec::new(),
            exercises: Vec::new(),
            publishers: vec![Publisher {
                contacts: std::collections::BTreeMap::new(),
                id: self.operator.clone(),
                name: "Operator".to_owned(),
                key: Some(self.key.public()),
                areas: AreaScope::All,
            }],
            recipients: self
                .recipients
                .iter()
                .take(recipients)
                .map(|(id, key)| self.recipient(id, key))
                .collect(),
            policies: vec![PolicyDocument {
                source: None,
                in_force_from: None,
                trigger: tocsin_protocol::Trigger::Failure,
                duties: Vec::new(),
                id: self.policy.clone(),
                name: "Bench".to_owned(),
                basis: "None.".to_owned(),
                as_of: None,
                confidence: Confidence::Assumption,
                clock: ClockStart::Published,
                services: Vec::new(),
                acknowledge: vec![EventKind::Initial],
                owed: vec![OwedRule {
                    kinds: Vec::new(),
                    recipients: Vec::new(),
                    place: Where::Affected,
                    requirement: Requirement::Required,
                }],
                steps: vec![StepDocument {
                    within: Window(window),
                    contact: "duty".to_owned(),
                    reach: tocsin_protocol::Reach::Own,
                }],
            }],
        }
    }

    fn recipient(&self, id: &RecipientId, key: &SigningKey) -> Recipient {
        let contact = Contact {
            role: "Duty officer".to_owned(),
            email: format!("duty@{id}.example"),
            phone: Some("0300 000 000".to_owned()),
        };
        Recipient {
            buddy: None,
            coordinating_body: None,
            control_rooms: Vec::new(),
            id: id.clone(),
            name: format!("Police force {id}"),
            kind: "police-territorial".to_owned(),
            nation: None,
            areas: vec![self.area.clone()],
            neighbours: Vec::new(),
            key: Some(key.public()),
            contacts: [("duty".to_owned(), contact)].into(),
            valid_from: None,
            valid_to: None,
            console: ConsoleDoors::Open,
            last_verified_at: None,
        }
    }

    /// Puts a directory in force.
    pub(super) async fn apply(
        &self,
        ledger: &Ledger,
        version: u64,
        recipients: usize,
        window: SignedDuration,
    ) -> Result<(), Error> {
        let fact = directory_fact(version, &self.directory(recipients, window))?;
        ledger.append(&fact, None).await.attempt("put the bench's directory in force").map(drop)
    }

    /// The first event of an incident, as long as a first report is.
    pub(super) fn event(&self, incident: &IncidentId) -> Event {
        let description = "Calls fail at the first stage of answering. The move to the backup platform has been tried and has \
                           not succeeded; some calls still get through. The cause is not known yet.";
        let instruction = "Expect calls on 101 and at front counters. Staff them, and tell us of every call that you know was \
                           lost.";
        Event {
            description: Some(description.to_owned()),
            instruction: Some(instruction.to_owned()),
            ..Event::initial(
                self.operator.clone(),
                incident.clone(),
                Status::Exercise,
                Category::Outage,
                vec![Service::Voice999, Service::Voice112],
                "999 and 112 calls are not reaching control rooms",
                vec![self.area.clone()],
            )
        }
    }

    /// An event as it is said: its subject, exact bytes and signature.
    pub(super) fn say(&self, incident: &IncidentId) -> Result<(Subject, Bytes, Signed), Error> {
        let event = self.event(incident);
        let body = to_body("event", &event).attempt("write the bench's event")?;
        let signed = self.key.sign(&event.subject().to_string(), &body).attempt("sign the bench's event")?;
        Ok((event.subject(), body, signed))
    }

    /// Everybody's acknowledgement of the first event of an incident.
    pub(super) fn receipts(&self, incident: &IncidentId) -> Result<Vec<SignedReceipt>, Error> {
        let by = Person { name: "A. Example".to_owned(), role: "Control room supervisor".to_owned() };
        let signed = self.recipients.iter().map(|(recipient, key)| {
            let receipt = Receipt::acknowledged(
                recipient.clone(),
                incident.clone(),
                EventNumber::FIRST,
                Timestamp::now(),
                (by.clone(), ReceiptMethod::Desk),
            );
            let subject = receipt.subject();
            let body = to_body("receipt", &receipt).attempt("write a receipt of the bench")?;
            let signed = key.sign(&subject.to_string(), &body).attempt("sign a receipt of the bench")?;
            Ok(SignedReceipt { recipient: recipient.clone(), subject, body, signed })
        });
        signed.collect()
    }

    /// The bodies of the notices that an event to the first `recipients` leads to, as the router writes them.
    pub(super) fn notices(&self, recipients: usize, incident: &IncidentId) -> Result<Vec<NewFact>, Error> {
        let mut fold = Fold::new();
        let now = Timestamp::now();
        let directory = directory_fact(1, &self.directory(recipients, SignedDuration::from_hours(1)))?;
        fold.apply(&log_entry(1, now, &directory));
        let (subject, body, signed) = self.say(incident)?;
        fold.apply(&said_entry(1, now, &subject, body, signed));
        let facts = fold.follows().into_iter().flat_map(|batch| batch.facts);
        let notices: Vec<_> = facts.filter(|fact| matches!(fact.subject, Subject::Notice { .. })).collect();
        if notices.len() == recipients {
            Ok(notices)
        } else {
            Err(Error::told(format!("{} notices follow, not {recipients}", notices.len())))
        }
    }
}

/// A receipt as it is said.
#[derive(Debug, Clone)]
pub(super) struct SignedReceipt {
    pub(super) recipient: RecipientId,
    pub(super) subject: Subject,
    pub(super) body: Bytes,
    pub(super) signed: Signed,
}

/// An incident of the bench.
pub(super) fn incident(name: &str) -> Result<IncidentId, Error> {
    IncidentId::new(name).attempt("name the bench's incident")
}

pub(super) fn directory_fact(version: u64, document: &DirectoryDocument) -> Result<NewFact, Error> {
    let body = to_body("directory", document).attempt("write the bench's directory")?;
    Ok(NewFact { subject: Subject::Directory { version }, body, schedule: None })
}

/// A fact as the log holds it.
pub(super) fn log_entry(sequence: u64, time: Timestamp, fact: &NewFact) -> Entry {
    Entry {
        stream: Stream::Log,
        sequence,
        time,
        subject: fact.subject.to_string(),
        signed: None,
        said_through: None,
        body: fact.body.clone(),
    }
}

/// A fact as the other stream holds it.
pub(super) fn said_entry(
    sequence: u64,
    time: Timestamp,
    subject: &Subject,
    body: Bytes,
    signed: Signed,
) -> Entry {
    Entry {
        stream: Stream::Said,
        sequence,
        time,
        subject: subject.to_string(),
        signed: Some(signed),
        said_through: None,
        body,
    }
}
