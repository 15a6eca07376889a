//! Reading a subject from outside.

use std::str::FromStr;

use super::{AttemptPhase, ReceiptStage, Subject, number::decimal};
use crate::error::{Error, shown};

impl FromStr for Subject {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self, Error> {
        let unknown = |expected| Error::Subject { value: shown(value), expected };
        let mut words = [""; 9];
        let mut count = 0;
        for word in value.split('.') {
            *words.get_mut(count).ok_or_else(|| unknown("at most nine words"))? = word;
            count += 1;
        }
        match &words[..count] {
            [Self::ROOT, kind @ ("incident" | "receipt" | "report" | "link"), rest @ ..] => {
                said(kind, rest, unknown)
            }
            [Self::ROOT, kind, rest @ ..] => logged(kind, rest, unknown),
            _ => Err(unknown("tocsin.<kind>...")),
        }
    }
}

/// A fact of `TOCSIN_SAID`.
fn said(kind: &str, rest: &[&str], unknown: impl Fn(&'static str) -> Error) -> Result<Subject, Error> {
    Ok(match (kind, rest) {
        ("incident", [publisher, incident, event]) => Subject::Incident {
            publisher: publisher.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
        },
        ("incident", [publisher, incident, event, "called", recipient]) => Subject::Called {
            publisher: publisher.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
            recipient: recipient.parse()?,
        },
        ("incident", _) => return Err(unknown("tocsin.incident.<publisher>.<incident>.<n>")),
        ("receipt", [recipient, incident, event, stage]) => Subject::Receipt {
            recipient: recipient.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
            stage: match *stage {
                "delivered" => ReceiptStage::Delivered,
                "acknowledged" => ReceiptStage::Acknowledged,
                _ => {
                    return Err(unknown(
                        "tocsin.receipt.<recipient>.<incident>.<n>.{delivered|acknowledged}",
                    ));
                }
            },
        },
        ("receipt", _) => {
            return Err(unknown("tocsin.receipt.<recipient>.<incident>.<n>.{delivered|acknowledged}"));
        }
        ("report", [body, report]) => Subject::Report { body: body.parse()?, report: report.parse()? },
        ("report", _) => return Err(unknown("tocsin.report.<body>.<report>")),
        ("link", [publisher, link]) => Subject::Link { publisher: publisher.parse()?, link: link.parse()? },
        (_, _) => return Err(unknown("tocsin.link.<publisher>.<link>")),
    })
}

/// A fact of `TOCSIN_LOG`.
fn logged(kind: &str, rest: &[&str], unknown: impl Fn(&'static str) -> Error) -> Result<Subject, Error> {
    let long = |number: &str| {
        decimal(number).ok_or_else(|| Error::Number { what: "sequence", value: shown(number) })
    };
    Ok(match (kind, rest) {
        ("proposal", [publisher, said]) => {
            Subject::Proposal { publisher: publisher.parse()?, said: long(said)? }
        }
        ("directory", [version]) => Subject::Directory { version: long(version)? },
        ("refusal", [body, said]) => Subject::Refusal {
            body: if *body == Subject::NOBODY { None } else { Some(body.parse()?) },
            said: long(said)?,
        },
        ("dispatch", [publisher, incident, event]) => Subject::Dispatch {
            publisher: publisher.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
        },
        ("notice", [recipient, incident, event]) => Subject::Notice {
            recipient: recipient.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
        },
        ("notice", [recipient, incident, event, "overdue", step]) => Subject::Overdue {
            recipient: recipient.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
            step: step.parse()?,
        },
        ("window", [incident, event, step]) => {
            Subject::Window { incident: incident.parse()?, event: event.parse()?, step: step.parse()? }
        }
        ("due", [incident, event, step]) => {
            Subject::Due { incident: incident.parse()?, event: event.parse()?, step: step.parse()? }
        }
        ("finding", [incident, event, step]) => {
            Subject::Finding { incident: incident.parse()?, event: event.parse()?, step: step.parse()? }
        }
        ("escalation", [recipient, incident, event, step]) => Subject::Escalation {
            recipient: recipient.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
            step: step.parse()?,
        },
        ("attempt", [recipient, incident, event, step, attempt, phase]) => Subject::Attempt {
            recipient: recipient.parse()?,
            incident: incident.parse()?,
            event: event.parse()?,
            step: step.parse()?,
            attempt: decimal(attempt)
                .and_then(|k| u32::try_from(k).ok())
                .filter(|k| *k > 0)
                .ok_or_else(|| Error::Number { what: "attempt", value: shown(attempt) })?,
            phase: match *phase {
                "begun" => AttemptPhase::Begun,
                "ended" => AttemptPhase::Ended,
                _ => {
                    return Err(unknown(
                        "tocsin.attempt.<recipient>.<incident>.<n>.<step>.<k>.{begun|ended}",
                    ));
                }
            },
        },
        ("checkpoint", [number]) => Subject::Checkpoint { number: long(number)? },
        _ => return Err(unknown("one of the facts of TOCSIN_SAID or TOCSIN_LOG")),
    })
}
