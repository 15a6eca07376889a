//! The report as CSV: one table of who was told and answered, and of what the publisher owed and did.

use tocsin_protocol::{DutyStart, RecipientId, Requirement};

use super::cells::{self, Cells, or_empty};
use crate::{
    Error, EscalationReport, EventReport, RecipientReport, Report,
    report::{CallReport, DutyReport, DutyState, HandoverReport},
    words::outcome,
};

/// The names of the columns. Times are the broker's, in RFC 3339 and UTC, but for what is claimed; seconds are unrounded.
/// `of` says what a row is of, and which of the others it has.
const COLUMNS: [&str; 66] = [
    "of",
    "incident",
    "status",
    "event",
    "event_kind",
    "published_at",
    "recipient",
    "name",
    "kind",
    "requirement",
    "state",
    "noticed_at",
    "delivered_at",
    "acknowledged_at",
    "acknowledged_by_name",
    "acknowledged_by_role",
    "acknowledged_event",
    "acknowledged_method",
    "acknowledged_signer",
    "acknowledged_key",
    "acknowledged_step",
    "due_at",
    "in_time",
    "late_by_seconds",
    "notice_to_acknowledgement_seconds",
    "escalation_step",
    "escalation_contact",
    "escalation_address",
    "escalation_due_at",
    "escalation_closed_at",
    "escalation_owed_at",
    "escalation_accepted_at",
    "escalation_relay",
    "escalation_attempts",
    "escalation_outcome",
    "escalation_unknown",
    "acknowledged_control_room",
    "acknowledged_on_behalf_of",
    "acknowledged_account",
    "acknowledged_session",
    "escalation_via",
    "publisher",
    "policy",
    "duty",
    "duty_what",
    "duty_basis",
    "duty_confidence",
    "duty_stage",
    "duty_from",
    "duty_clock_at",
    "duty_met_by",
    "duty_met_at",
    "duty_to_telephone",
    "duty_not_called",
    "duty_told_overdue",
    "call_logged_at",
    "call_claimed_at",
    "call_by_name",
    "call_by_role",
    "call_spoke_to_name",
    "call_spoke_to_role",
    "call_number",
    "call_control_room",
    "list_handed_to_police",
    "list_outstanding",
    "list_reached",
];

/// The report as CSV. By `of`, a row is of
///
/// - `recipient`: an event and a recipient; one that was owed several mails of one event has a row for each mail;
/// - `duty`, `target`, `promise`: what the publisher owed, aimed at or promised, each time, with the mail that reminded it;
/// - `call`: a telephone call that its people logged;
/// - `handover`: a list of lost callers that was handed to a force, and its taking it in.
///
/// Cells that a spreadsheet would run as a formula begin with an apostrophe. Times are the broker's.
///
/// # Errors
/// [`Error::Render`] when it cannot be written.
pub fn csv(report: &Report) -> Result<String, Error> {
    let mut rows = Vec::new();
    for event in &report.events {
        for recipient in &event.recipients {
            let mails = recipient.escalations.iter().map(Some);
            let none = recipient.escalations.is_empty().then_some(None);
            rows.extend(mails.chain(none).map(|mail| told(report, event, recipient, mail)));
        }
    }
    rows.extend(report.duties.iter().map(|duty| owed(report, duty)));
    rows.extend(report.calls.iter().map(|call| called(report, call)));
    rows.extend(report.handovers.iter().map(|list| handed_over(report, list)));
    cells::table(&COLUMNS, rows).map_err(|why| Error::Render {
        what: format!("incident {}", report.incident.id),
        form: "CSV",
        why,
    })
}

/// What every row begins with.
fn head(report: &Report, of: &str, number: tocsin_protocol::EventNumber) -> Cells {
    let mut cells = vec![
        ("of", of.to_owned()),
        ("incident", report.incident.id.to_string()),
        ("status", report.incident.status.to_string()),
        ("publisher", report.incident.publisher.to_string()),
        ("event", number.to_string()),
    ];
    if let Some(event) = report.events.iter().find(|event| event.event == number) {
        cells.push(("event_kind", event.kind.to_string()));
        cells.push(("published_at", event.published_at.to_string()));
    }
    cells
}

fn told(
    report: &Report,
    event: &EventReport,
    recipient: &RecipientReport,
    mail: Option<&EscalationReport>,
) -> Cells {
    let by = recipient.acknowledged_by.as_ref();
    let taken = recipient.acknowledged_at.zip(recipient.noticed_at);
    let requirement = match recipient.requirement {
        Requirement::Required => "required",
        Requirement::Informed => "informed",
    };
    let mut cells = head(report, "recipient", event.event);
    cells.extend([
        ("recipient", recipient.id.to_string()),
        ("name", recipient.name.clone()),
        ("kind", recipient.kind.clone()),
        ("requirement", requirement.to_owned()),
        ("state", recipient.state.words().to_owned()),
        ("noticed_at", or_empty(recipient.noticed_at)),
        ("delivered_at", or_empty(recipient.delivered_at)),
        ("acknowledged_at", or_empty(recipient.acknowledged_at)),
        ("acknowledged_by_name", or_empty(by.map(|by| &by.name))),
        ("acknowledged_by_role", or_empty(by.map(|by| &by.role))),
        ("acknowledged_event", or_empty(recipient.acknowledged_event)),
        (
            "acknowledged_method",
            or_empty(recipient.acknowledged_method.map(tocsin_protocol::ReceiptMethod::as_str)),
        ),
        ("acknowledged_signer", or_empty(recipient.acknowledged_signer.map(tocsin_protocol::Signer::as_str))),
        ("acknowledged_key", or_empty(recipient.acknowledged_key.as_ref())),
        ("acknowledged_step", or_empty(recipient.acknowledged_step)),
        ("due_at", or_empty(recipient.due_at)),
        ("in_time", or_empty(recipient.in_time)),
        ("late_by_seconds", or_empty(recipient.late_by_seconds)),
        (
            "notice_to_acknowledgement_seconds",
            or_empty(taken.map(|(to, from)| to.duration_since(from).as_secs_f64())),
        ),
        ("acknowledged_control_room", or_empty(recipient.acknowledged_control_room.as_ref())),
        ("acknowledged_on_behalf_of", or_empty(recipient.acknowledged_on_behalf_of.as_ref())),
        ("acknowledged_account", or_empty(recipient.acknowledged_account.as_ref())),
        ("acknowledged_session", or_empty(recipient.acknowledged_session.as_ref())),
    ]);
    cells.extend(mail.into_iter().flat_map(escalated));
    cells
}

fn escalated(mail: &EscalationReport) -> Cells {
    vec![
        ("escalation_step", mail.step.to_string()),
        ("escalation_contact", mail.contact.clone()),
        ("escalation_address", mail.address.clone()),
        ("escalation_due_at", mail.due_at.to_string()),
        ("escalation_closed_at", or_empty(mail.closed_at)),
        ("escalation_owed_at", mail.owed_at.to_string()),
        ("escalation_accepted_at", or_empty(mail.accepted_at)),
        ("escalation_relay", or_empty(mail.relay.as_ref())),
        ("escalation_attempts", mail.attempts.to_string()),
        ("escalation_outcome", or_empty(mail.outcome.map(outcome))),
        ("escalation_unknown", mail.unknown.to_string()),
        ("escalation_via", or_empty(mail.via.as_ref().map(|via| &via.recipient))),
    ]
}

fn owed(report: &Report, duty: &DutyReport) -> Cells {
    let of = match (&duty.policy, duty.target) {
        (None, _) => "promise",
        (Some(_), true) => "target",
        (Some(_), false) => "duty",
    };
    let in_time = match duty.state {
        DutyState::InTime => Some(true),
        DutyState::Late | DutyState::NotCalled | DutyState::Overdue => Some(false),
        DutyState::Open | DutyState::Superseded | DutyState::Lifted => None,
    };
    let from = match &duty.from {
        DutyStart::Clock(clock) => clock.to_string(),
        DutyStart::Duty(earlier) => earlier.to_string(),
    };
    let listed = |ids: &[RecipientId]| ids.iter().map(RecipientId::as_str).collect::<Vec<_>>().join(" ");
    let mut cells = head(report, of, duty.event);
    cells.extend([
        ("state", duty.state.words(duty.target).to_owned()),
        ("due_at", duty.due_at.to_string()),
        ("in_time", or_empty(in_time)),
        ("late_by_seconds", or_empty(duty.late_by_seconds)),
        ("policy", or_empty(duty.policy.as_ref())),
        ("duty", duty.duty.to_string()),
        ("duty_what", or_empty(duty.what.as_ref())),
        ("duty_basis", or_empty(duty.basis.as_ref())),
        ("duty_confidence", or_empty(duty.confidence)),
        ("duty_stage", duty.stage.to_string()),
        ("duty_from", from),
        ("duty_clock_at", duty.clock_at.to_string()),
        ("duty_met_by", or_empty(duty.met_by)),
        ("duty_met_at", or_empty(duty.met_at)),
        ("duty_to_telephone", listed(&duty.telephone)),
        ("duty_not_called", listed(&duty.not_called)),
        ("duty_told_overdue", duty.told_overdue.to_string()),
    ]);
    cells.extend(duty.reminder.iter().flat_map(escalated));
    cells
}

fn called(report: &Report, call: &CallReport) -> Cells {
    let mut cells = head(report, "call", call.event);
    cells.extend([
        ("recipient", call.recipient.to_string()),
        ("name", call.name.clone()),
        ("call_logged_at", call.logged_at.to_string()),
        ("call_claimed_at", call.claimed_at.to_string()),
        ("call_by_name", call.by.name.clone()),
        ("call_by_role", call.by.role.clone()),
        ("call_spoke_to_name", call.spoke_to.name.clone()),
        ("call_spoke_to_role", call.spoke_to.role.clone()),
        ("call_number", or_empty(call.number.as_ref())),
        ("call_control_room", or_empty(call.control_room.as_ref())),
    ]);
    cells
}

fn handed_over(report: &Report, list: &HandoverReport) -> Cells {
    let by = list.acknowledged_by.as_ref();
    let mut cells = head(report, "handover", list.event);
    cells.extend([
        ("recipient", list.recipient.to_string()),
        ("name", list.name.clone()),
        ("state", list.state.words().to_owned()),
        ("noticed_at", or_empty(list.noticed_at)),
        ("due_at", or_empty(list.due_at)),
        ("acknowledged_at", or_empty(list.acknowledged_at)),
        ("acknowledged_by_name", or_empty(by.map(|by| &by.name))),
        ("acknowledged_by_role", or_empty(by.map(|by| &by.role))),
        ("policy", list.policy.to_string()),
        ("list_handed_to_police", or_empty(list.list.handed_to_police)),
        ("list_outstanding", or_empty(list.list.outstanding)),
        ("list_reached", or_empty(list.list.reached)),
    ]);
    cells
}
