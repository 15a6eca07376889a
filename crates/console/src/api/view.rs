//! What is known, as programs read it. `schemas/openapi.json` tells of each field.

use serde::Serialize;
use tocsin_protocol::{
    Event, EventNumber, IncidentId, Outcome, Person, PublisherId, ReceiptMethod, RecipientId, RefusalCode,
    Requirement, Status, StepNumber, Timestamp,
};

use crate::{
    model::{self, DutyState, Hearing, Incident, Sight, What},
    page::names::Names,
};

/// Whether the answer may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Heard {
    Well,
    Reading,
    Deaf,
    Behind,
}

impl From<Hearing> for Heard {
    fn from(hearing: Hearing) -> Self {
        match hearing {
            Hearing::Well => Self::Well,
            Hearing::Reading(_) => Self::Reading,
            Hearing::Deaf(_) => Self::Deaf,
            Hearing::Behind(_) => Self::Behind,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Summary {
    incident: IncidentId,
    publisher: PublisherId,
    status: Status,
    open: bool,
    events: usize,
    headline: String,
    began_at: Timestamp,
    last_said_at: Timestamp,
    revision: u64,
}

impl Summary {
    pub(super) fn of(incident: &Incident) -> Self {
        Self {
            incident: incident.id.clone(),
            publisher: incident.publisher.clone(),
            status: incident.status,
            open: incident.is_open(),
            events: incident.events.len(),
            headline: incident.newest().map(|said| said.event.headline.clone()).unwrap_or_default(),
            began_at: incident.began(),
            last_said_at: incident.last_said(),
            revision: incident.changed,
        }
    }
}

/// An event that was said.
#[derive(Debug, Serialize)]
pub(super) struct Spoken {
    published_at: Timestamp,
    said: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatched_at: Option<Timestamp>,
    event: Event,
}

impl Spoken {
    pub(super) fn of(said: &model::Said) -> Self {
        Self {
            published_at: said.published_at,
            said: said.said,
            dispatched_at: said.dispatch.as_ref().map(|(at, _)| *at),
            event: (*said.event).clone(),
        }
    }
}

/// How many stand how; of the whole incident alone.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    told: u32,
    delivered: u32,
    asked: u32,
    acknowledged: u32,
    late: u32,
    waiting: u32,
    silent: u32,
    lifted: u32,
    escalated: u32,
    mail_accepted: u32,
    mail_failed: u32,
}

impl From<model::Tally> for Counts {
    fn from(tally: model::Tally) -> Self {
        Self {
            told: tally.told,
            delivered: tally.delivered,
            asked: tally.asked,
            acknowledged: tally.acknowledged,
            late: tally.late,
            waiting: tally.waiting,
            silent: tally.silent,
            lifted: tally.lifted,
            escalated: tally.escalated,
            mail_accepted: tally.mail_accepted,
            mail_failed: tally.mail_failed,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stands {
    Told,
    Waiting,
    InTime,
    Late,
    Silent,
    Lifted,
}

impl From<DutyState> for Stands {
    fn from(state: DutyState) -> Self {
        match state {
            DutyState::Told => Self::Told,
            DutyState::Waiting => Self::Waiting,
            DutyState::InTime => Self::InTime,
            DutyState::Late(_) => Self::Late,
            DutyState::Silent => Self::Silent,
            DutyState::Lifted => Self::Lifted,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Acknowledged {
    pub(super) event: EventNumber,
    pub(super) at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<ReceiptMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control_room: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Acknowledged {
    pub(super) fn of(acknowledgement: &model::Acknowledgement) -> Self {
        let receipt = (*acknowledgement.receipt).clone();
        Self {
            event: receipt.event,
            at: acknowledgement.at,
            by: receipt.by,
            method: receipt.method,
            control_room: receipt.control_room,
            on_behalf_of: receipt.on_behalf_of,
            note: receipt.note,
        }
    }
}

#[derive(Debug, Serialize)]
struct Mail {
    event: EventNumber,
    step: StepNumber,
    owed_at: Timestamp,
    attempts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

/// How one recipient stands to one event that it is owed.
#[derive(Debug, Serialize)]
pub(super) struct Duty {
    pub(super) event: EventNumber,
    pub(super) requirement: Requirement,
    pub(super) state: Stands,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noticed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acknowledged: Option<Acknowledged>,
}

impl Duty {
    pub(super) fn of(incident: &Incident, standing: &model::Standing, duty: &model::Duty) -> Self {
        Self {
            event: duty.event,
            requirement: duty.requirement,
            state: incident.state(standing, duty).into(),
            due_at: duty.asked.map(|(_, due_at)| due_at),
            noticed_at: duty.noticed_at,
            delivered_at: duty.delivered_at,
            acknowledged: standing.acknowledgement(duty.event).map(Acknowledged::of),
        }
    }
}

/// How one recipient stands to one incident.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    pub(super) recipient: RecipientId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Now: to the newest event that it must acknowledge, else to the newest that it is owed.
    state: Stands,
    duties: Vec<Duty>,
    mails: Vec<Mail>,
}

impl Standing {
    pub(super) fn of(incident: &Incident, standing: &model::Standing, names: &Names) -> Self {
        let mail = |mail: &model::Mail| Mail {
            event: mail.escalation.event,
            step: mail.escalation.step,
            owed_at: mail.owed_at,
            attempts: mail.attempts.len(),
            outcome: mail.outcome,
        };
        Self {
            recipient: standing.recipient.clone(),
            name: names.name(&standing.recipient),
            kind: names.recipient(&standing.recipient).map(|entry| entry.kind.clone()),
            state: incident.glance(standing).state.into(),
            duties: standing.duties.iter().map(|duty| Duty::of(incident, standing, duty)).collect(),
            mails: standing.mails.iter().map(mail).collect(),
        }
    }
}

/// Something that happened.
#[derive(Debug, Serialize)]
pub(super) struct Moment {
    pub(super) revision: u64,
    at: Timestamp,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<RecipientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusalCode>,
}

impl Moment {
    /// A moment, where they see it.
    pub(super) fn of(incident: &Incident, sight: Sight<'_>, moment: &model::Moment) -> Option<Self> {
        if !sight.takes_in_moment(moment) {
            return None;
        }
        let (what, event, step) = match &moment.what {
            What::Said(event) => ("said", Some(*event), None),
            What::Dispatched(event) => ("dispatched", Some(*event), None),
            What::AllNoticed(event) => ("all-noticed", Some(*event), None),
            What::Acknowledged(_, event) => ("acknowledged", Some(*event), None),
            What::Found(event, step) => ("found", Some(*event), Some(*step)),
            What::Escalated(_, event, step) => ("escalated", Some(*event), Some(*step)),
            What::Mailed(_, event, step, ..) => ("mailed", Some(*event), Some(*step)),
            What::Refused(..) => ("refused", None, None),
        };
        let refused = match &moment.what {
            What::Refused(said, _) => {
                incident.refusals.iter().find(|it| it.refusal.said == *said).map(|it| it.refusal.code)
            }
            _ => None,
        };
        let outcome = match &moment.what {
            What::Mailed(.., outcome) => Some(*outcome),
            _ => None,
        };
        let recipient = moment.what.recipient().cloned();
        Some(Self {
            revision: moment.revision,
            at: moment.at,
            what,
            event,
            step,
            recipient,
            outcome,
            refused,
        })
    }
}
