//! Whether something said counts. Every way in which it may not has a code and words for people.

use std::sync::Arc;

use tocsin_protocol::{
    AuthorKey, BodyId, Call, Entry, Error, Event, EventKind, EventNumber, IncidentId, Linking, PublisherId,
    Receipt, Refusal, RefusalCode, Report, ReportId, Signed, Signer, Status, Subject, Trail, schema,
};

use super::{Fold, dispatch, incident::Incident};
use crate::{
    directory::{Directory, KnownPublisher, KnownRecipient},
    doors::{self, Shut},
};

/// The longest part of a hostile subject that is repeated in a refusal.
const SUBJECT_SHOWN: usize = 200;

/// Something said whose author, words and form are in order. Whether it can stand where it wants to is for the
/// incident to say.
pub(super) enum Valid {
    Event(Box<Event>, Signed),
    Call(Box<Call>, Signed),
    Receipt(Box<Receipt>, Signed),
    Report(Box<Report>, Signed),
    Link(Box<Linking>, Signed),
}

/// Why something said does not count.
pub(super) struct Objection {
    code: RefusalCode,
    reasons: Vec<String>,
}

impl Objection {
    pub(super) fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        Self { code, reasons: vec![reason.into()] }
    }

    pub(super) fn into_refusal(self, entry: &Entry) -> Refusal {
        let subject = entry.subject.chars().take(SUBJECT_SHOWN).collect();
        Refusal { said: entry.sequence, subject, code: self.code, reasons: self.reasons }
    }
}

impl From<Shut> for Objection {
    fn from(Shut { code, why }: Shut) -> Self {
        Self::new(code, why)
    }
}

impl From<Error> for Objection {
    fn from(why: Error) -> Self {
        Self::new(RefusalCode::UnknownSubject, why.to_string())
    }
}

/// Holds what was said against the directory in force at its time: subject, author, signature, schema, and whether
/// body and subject say the same.
pub(super) fn valid(fold: &Fold, entry: &Entry) -> Result<Valid, Objection> {
    let subject: Subject = entry.subject.parse()?;
    let directory = fold.directory_at(entry.time).ok_or_else(|| {
        Objection::new(
            RefusalCode::NoDirectory,
            "no directory is in force: `tocsin directory apply FILE` first, then say it again",
        )
    })?;
    match &subject {
        Subject::Incident { publisher, .. } => {
            let (known, signed) = signed_by_publisher(directory, publisher, entry)?;
            let event = schema::check_event(&entry.body).map_err(|problems| unreadable(entry, &problems))?;
            if event.subject() != subject {
                return Err(mismatch(&event.subject(), entry));
            }
            for area in &event.areas {
                if directory.area(area).is_none() {
                    return Err(Objection::new(
                        RefusalCode::UnknownArea,
                        format!("areas: {area} is not in directory {}", directory.version()),
                    ));
                }
                if !directory.may_speak_of(known, area) {
                    return Err(Objection::new(
                        RefusalCode::AreaNotAllowed,
                        format!("areas: publisher {publisher} may not speak of {area}"),
                    ));
                }
            }
            Ok(Valid::Event(Box::new(event), signed.clone()))
        }
        Subject::Called { publisher, recipient, .. } => {
            let (_, signed) = signed_by_publisher(directory, publisher, entry)?;
            let call = schema::check_call(&entry.body).map_err(|problems| unreadable(entry, &problems))?;
            if call.subject() != subject {
                return Err(mismatch(&call.subject(), entry));
            }
            if directory.recipient(recipient).is_none() {
                return Err(Objection::new(
                    RefusalCode::UnknownRecipient,
                    format!("recipient {recipient} is not in directory {}", directory.version()),
                ));
            }
            Ok(Valid::Call(Box::new(call), signed.clone()))
        }
        Subject::Receipt { recipient, .. } => {
            let known = directory.recipient(recipient).ok_or_else(|| {
                Objection::new(
                    RefusalCode::UnknownRecipient,
                    format!("recipient {recipient} is not in directory {}", directory.version()),
                )
            })?;
            let (by, signed) = signed_receipt(directory, known, entry)?;
            let receipt =
                schema::check_receipt(&entry.body).map_err(|problems| unreadable(entry, &problems))?;
            if receipt.subject() != subject {
                return Err(mismatch(&receipt.subject(), entry));
            }
            doors::open(directory, known, by, &receipt, entry.time)?;
            Ok(Valid::Receipt(Box::new(receipt), signed.clone()))
        }
        Subject::Report { body, .. } => valid_report(directory, body, &subject, entry),
        Subject::Link { publisher, .. } => {
            let (_, signed) = signed_by_publisher(directory, publisher, entry)?;
            let linking = schema::check_link(&entry.body).map_err(|problems| unreadable(entry, &problems))?;
            if linking.subject() != subject {
                return Err(mismatch(&linking.subject(), entry));
            }
            Ok(Valid::Link(Box::new(linking), signed.clone()))
        }
        _ => Err(Objection::new(
            RefusalCode::UnknownSubject,
            format!("{subject} is not for others to say: events, calls, receipts, reports and links only"),
        )),
    }
}

fn valid_report(
    directory: &Directory,
    body: &BodyId,
    subject: &Subject,
    entry: &Entry,
) -> Result<Valid, Objection> {
    let reporter = directory.reporter(body).ok_or_else(|| {
        Objection::new(
            RefusalCode::UnknownBody,
            format!("{body} is no publisher, recipient or monitor of directory {}", directory.version()),
        )
    })?;
    let named = entry.signed.as_ref().map(|signed| signed.key.as_str());
    let signed = signed_by(reporter.key(named), &format!("body {body}"), entry)?;
    let report = schema::check_report(&entry.body).map_err(|problems| unreadable(entry, &problems))?;
    if report.subject() != *subject {
        return Err(mismatch(&report.subject(), entry));
    }
    reporter
        .allows(&signed.key, report.source)
        .map_err(|why| Objection::new(RefusalCode::DoorNotAllowed, why))?;
    for area in &report.areas {
        if directory.area(area).is_none() {
            return Err(Objection::new(
                RefusalCode::UnknownArea,
                format!("areas: {area} is not in directory {}", directory.version()),
            ));
        }
        if !reporter.may_report_of(area) {
            return Err(Objection::new(
                RefusalCode::AreaNotAllowed,
                format!("areas: {body} may not report of {area}"),
            ));
        }
    }
    Ok(Valid::Report(Box::new(report), signed.clone()))
}

/// Whose key signed a receipt. One that is named and is nobody's must be the recipient's, and is not.
fn signed_receipt<'e>(
    directory: &Directory,
    known: &KnownRecipient,
    entry: &'e Entry,
) -> Result<(Signer, &'e Signed), Objection> {
    let recipient = &known.entry.id;
    let named = entry.signed.as_ref().and_then(|signed| directory.signer(recipient, &signed.key));
    let by = named.unwrap_or(Signer::Recipient);
    let signed = match by {
        Signer::Console => signed_by(directory.console_key(), "the console", entry)?,
        Signer::Recipient => signed_by(known.key.as_ref(), &format!("recipient {recipient}"), entry)?,
    };
    Ok((by, signed))
}

fn signed_by_publisher<'d, 'e>(
    directory: &'d Directory,
    publisher: &PublisherId,
    entry: &'e Entry,
) -> Result<(&'d KnownPublisher, &'e Signed), Objection> {
    let known = directory.publisher(publisher).ok_or_else(|| {
        Objection::new(
            RefusalCode::UnknownPublisher,
            format!("publisher {publisher} is not in directory {}", directory.version()),
        )
    })?;
    let signed = signed_by(known.key.as_ref(), &format!("publisher {publisher}"), entry)?;
    Ok((known, signed))
}

fn signed_by<'e>(key: Option<&AuthorKey>, author: &str, entry: &'e Entry) -> Result<&'e Signed, Objection> {
    let key = key.ok_or_else(|| {
        Objection::new(
            RefusalCode::NoKey,
            format!("the directory has no key for {author}: add one and apply it"),
        )
    })?;
    let signed = entry.signed.as_ref().ok_or_else(|| {
        Objection::new(
            RefusalCode::BadSignature,
            "unsigned: the headers Tocsin-Key and Tocsin-Signature are both needed, once each",
        )
    })?;
    key.verify(&entry.subject, &entry.body, signed)
        .map_err(|why| Objection::new(RefusalCode::BadSignature, why.to_string()))?;
    Ok(signed)
}

fn unreadable(entry: &Entry, problems: &[schema::Problem]) -> Objection {
    let code = if entry.body.len() > schema::MAX_EVENT_BYTES {
        RefusalCode::TooLarge
    } else {
        RefusalCode::BadSchema
    };
    Objection { code, reasons: problems.iter().map(|problem| problem.message.clone()).collect() }
}

fn mismatch(says: &Subject, entry: &Entry) -> Objection {
    Objection::new(
        RefusalCode::SubjectMismatch,
        format!("the body belongs under {says}, and was said under {}", entry.subject),
    )
}

/// Whether an event can stand where it wants to in its incident: the owner's, of its status, next in line.
/// `None` is the same event said again.
pub(super) fn stands(
    incident: Option<&Incident>,
    event: &Event,
    voice: u64,
) -> Result<Option<()>, Objection> {
    let Some(incident) = incident else {
        return match (event.sequence, event.kind) {
            (EventNumber::FIRST, EventKind::Initial) => Ok(Some(())),
            (number, kind) => Err(Objection::new(
                RefusalCode::WrongSequence,
                format!(
                    "incident {} is not known yet: its first event is sequence 1, kind initial, not {number}, {kind}",
                    event.incident
                ),
            )),
        };
    };
    if incident.publisher != event.publisher {
        return Err(Objection::new(
            RefusalCode::AnothersIncident,
            format!(
                "incident {} is publisher {}'s: choose another incident id",
                event.incident, incident.publisher
            ),
        ));
    }
    if let Some(there) = incident.event(event.sequence) {
        return if there.voice == voice {
            Ok(None)
        } else {
            Err(Objection::new(
                RefusalCode::AlreadySaid,
                format!(
                    "event {} of {} was said already, otherwise: say what is new as event {}",
                    event.sequence,
                    event.incident,
                    incident.next_number()
                ),
            ))
        };
    }
    if let Some(ended) = incident.events.last().filter(|last| last.kind.ends_incident()) {
        let how = if ended.kind == EventKind::Cancelled { "was cancelled" } else { "was sent in error" };
        return Err(Objection::new(
            RefusalCode::IncidentClosed,
            format!("incident {} {how}: begin a new one", event.incident),
        ));
    }
    if incident.status != event.status {
        return Err(Objection::new(
            RefusalCode::StatusChanged,
            format!(
                "incident {} is {}: an event of it cannot be {}",
                event.incident, incident.status, event.status
            ),
        ));
    }
    if event.sequence != incident.next_number() {
        return Err(Objection::new(
            RefusalCode::WrongSequence,
            format!(
                "the next event of {} is sequence {}, not {}",
                event.incident,
                incident.next_number(),
                event.sequence
            ),
        ));
    }
    if event.kind == EventKind::Initial {
        return Err(Objection::new(
            RefusalCode::WrongSequence,
            format!("incident {} has begun: only its first event is of kind initial", event.incident),
        ));
    }
    if event.corrects.is_some_and(|corrected| corrected >= event.sequence) {
        return Err(Objection::new(
            RefusalCode::WrongSequence,
            format!(
                "corrects: event {} of {} corrects an earlier one, not itself or a later one",
                event.sequence, event.incident
            ),
        ));
    }
    Ok(Some(()))
}

/// Whether a call is about an event of the caller's own.
pub(super) fn callable(incident: Option<&Incident>, call: &Call) -> Result<(), Objection> {
    let known = incident.filter(|incident| incident.event(call.event).is_some()).ok_or_else(|| {
        Objection::new(
            RefusalCode::UnknownEvent,
            format!("incident {} has no event {}", call.incident, call.event),
        )
    })?;
    if known.publisher == call.publisher {
        Ok(())
    } else {
        Err(Objection::new(
            RefusalCode::AnothersIncident,
            format!(
                "incident {} is publisher {}'s: its calls are its own to log",
                call.incident, known.publisher
            ),
        ))
    }
}

/// Whether a receipt is for an event that its recipient was owed.
pub(super) fn owed(
    fold: &Fold,
    receipt: &Receipt,
    directory: Option<&Arc<Directory>>,
) -> Result<(), Objection> {
    let incident = fold.incidents.get(&receipt.incident);
    let state = incident.and_then(|incident| incident.event(receipt.event)).ok_or_else(|| {
        Objection::new(
            RefusalCode::UnknownEvent,
            format!("incident {} has no event {}", receipt.incident, receipt.event),
        )
    })?;
    let owed = match (incident, &state.dispatch, &state.open, directory) {
        (Some(incident), Some(_), _, _) => {
            incident.known_place(&receipt.recipient).is_some_and(|place| state.owed.has(place))
        }
        (Some(incident), None, Some(open), Some(directory)) => {
            let earlier = dispatch::before(fold, incident, receipt.event);
            dispatch::plan(directory, incident, receipt.event, state, open, &earlier)
                .recipients()
                .contains_key(&receipt.recipient)
        }
        _ => true,
    };
    if owed {
        Ok(())
    } else {
        Err(Objection::new(
            RefusalCode::NotOwed,
            format!(
                "recipient {} was not owed event {} of {}",
                receipt.recipient, receipt.event, receipt.incident
            ),
        ))
    }
}

/// That another fact stands under a name.
pub(super) fn said_otherwise(what: &str, name: impl std::fmt::Display) -> Objection {
    Objection::new(
        RefusalCode::AlreadySaid,
        format!("{what} {name} was said already, otherwise: say what is new under another name"),
    )
}

/// Whether a report may add to an earlier one of the same body, which has this status where it counts.
pub(super) fn adds_to(report: &Report, earlier: &ReportId, there: Option<Status>) -> Result<(), Objection> {
    match there {
        None => Err(Objection::new(
            RefusalCode::UnknownReport,
            format!("adds_to: {} has no report {earlier} that counts", report.body),
        )),
        Some(status) if status != report.status => Err(Objection::new(
            RefusalCode::StatusChanged,
            format!("report {earlier} is {status}: what adds to it cannot be {}", report.status),
        )),
        Some(_) => Ok(()),
    }
}

/// Whether a publisher may say of two trails that they are, or are not, one.
pub(super) fn links(fold: &Fold, linking: &Linking) -> Result<(), Objection> {
    let unknown = |incident: &IncidentId| {
        Objection::new(RefusalCode::UnknownIncident, format!("there is no incident {incident}"))
    };
    let own = fold.incidents.get(&linking.incident).ok_or_else(|| unknown(&linking.incident))?;
    if own.publisher != linking.publisher {
        return Err(Objection::new(
            RefusalCode::AnothersIncident,
            format!(
                "incident {} is publisher {}'s: link one of your own, with it",
                linking.incident, own.publisher
            ),
        ));
    }
    let status = match &linking.with {
        Trail::Incident(trail) if trail.incident == linking.incident => {
            return Err(Objection::new(
                RefusalCode::UnknownIncident,
                format!("with: incident {} cannot be linked with itself", linking.incident),
            ));
        }
        Trail::Incident(trail) => fold
            .incidents
            .get(&trail.incident)
            .filter(|there| there.publisher == trail.publisher)
            .map(|there| there.status)
            .ok_or_else(|| unknown(&trail.incident))?,
        Trail::Report(trail) => fold.trails.report_status(&trail.body, &trail.report).ok_or_else(|| {
            Objection::new(
                RefusalCode::UnknownReport,
                format!("with: {} has no report {} that counts", trail.body, trail.report),
            )
        })?,
    };
    if status != own.status {
        return Err(Objection::new(
            RefusalCode::StatusChanged,
            format!("incident {} is {} and {} is {status}", linking.incident, own.status, linking.with),
        ));
    }
    Ok(())
}
