//! What a subject says: the only place that knows how one is written.

/// An event, by its incident and number.
pub(super) type EventKey = (String, u64);
/// A step of an event.
pub(super) type StepKey = (String, u64, u64);
/// A mail owed: recipient, incident, event, step.
pub(super) type MailKey = (String, String, u64, u64);

/// What a subject says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Words {
    Incident {
        publisher: String,
        event: EventKey,
    },
    Called {
        publisher: String,
        event: EventKey,
        recipient: String,
    },
    Receipt {
        recipient: String,
        event: EventKey,
        acknowledged: bool,
    },
    Directory {
        version: u64,
    },
    Refusal {
        body: String,
        said: u64,
    },
    Dispatch {
        publisher: String,
        event: EventKey,
    },
    Notice {
        recipient: String,
        event: EventKey,
    },
    /// That what was promised did not come, told to one who waits for it.
    Overdue {
        told: MailKey,
    },
    Window {
        step: StepKey,
    },
    Due {
        step: StepKey,
    },
    Finding {
        step: StepKey,
    },
    Escalation {
        mail: MailKey,
    },
    Attempt {
        mail: MailKey,
        attempt: u64,
        ended: bool,
    },
    Proposal {
        publisher: String,
        said: u64,
    },
    Checkpoint,
}

/// Takes a subject apart. None for one that is none of ours.
pub(super) fn words(subject: &str) -> Option<Words> {
    let words: Vec<&str> = subject.split('.').collect();
    let number = |word: &str| word.parse::<u64>().ok();
    let own = |word: &str| word.to_owned();
    let event = |incident: &str, event: &str| Some((incident.to_owned(), number(event)?));
    let step =
        |incident: &str, event: &str, step: &str| Some((incident.to_owned(), number(event)?, number(step)?));
    let mail = |to: &str, incident: &str, event: &str, step: &str| {
        Some((to.to_owned(), incident.to_owned(), number(event)?, number(step)?))
    };
    let ["tocsin", kind, rest @ ..] = &words[..] else { return None };
    Some(match (*kind, rest) {
        ("incident", [publisher, i, e]) => Words::Incident { publisher: own(publisher), event: event(i, e)? },
        ("incident", [publisher, i, e, "called", recipient]) => {
            Words::Called { publisher: own(publisher), event: event(i, e)?, recipient: own(recipient) }
        }
        ("receipt", [recipient, i, e, stage @ ("delivered" | "acknowledged")]) => Words::Receipt {
            recipient: own(recipient),
            event: event(i, e)?,
            acknowledged: *stage == "acknowledged",
        },
        ("directory", [version]) => Words::Directory { version: number(version)? },
        ("refusal", [body, said]) => Words::Refusal { body: own(body), said: number(said)? },
        ("dispatch", [publisher, i, e]) => Words::Dispatch { publisher: own(publisher), event: event(i, e)? },
        ("notice", [recipient, i, e]) => Words::Notice { recipient: own(recipient), event: event(i, e)? },
        ("notice", [to, i, e, "overdue", s]) => Words::Overdue { told: mail(to, i, e, s)? },
        ("window", [i, e, s]) => Words::Window { step: step(i, e, s)? },
        ("due", [i, e, s]) => Words::Due { step: step(i, e, s)? },
        ("finding", [i, e, s]) => Words::Finding { step: step(i, e, s)? },
        ("escalation", [to, i, e, s]) => Words::Escalation { mail: mail(to, i, e, s)? },
        ("attempt", [to, i, e, s, attempt, phase @ ("begun" | "ended")]) => {
            Words::Attempt { mail: mail(to, i, e, s)?, attempt: number(attempt)?, ended: *phase == "ended" }
        }
        ("proposal", [publisher, said]) => Words::Proposal { publisher: own(publisher), said: number(said)? },
        ("checkpoint", [_]) => Words::Checkpoint,
        _ => return None,
    })
}
